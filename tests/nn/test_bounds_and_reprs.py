"""Layers at the bounds of what they take, what they say of themselves, and what an error leaves behind."""

import copy
import pickle
import threading

import numpy as np
import pytest

import cynet
from cynet.core.turns import Turn
from cynet.nn import gradients, passes
from cynet.nn.gradients import Checked, GradientCheck

X = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)

REPRS = [
    (cynet.Conv2d(4, 6, 3), "Conv2d(4, 6, kernel_size=3, stride=1, padding=0, bias=True)"),
    (cynet.Conv2d(4, 6, (3, 2), (1, 2), "same", 1, 2, False),
     "Conv2d(4, 6, kernel_size=(3, 2), stride=(1, 2), padding='same', groups=2, bias=False)"),
    (cynet.Conv2d(3, 3, 1, 2, (1, 2), 1, 3),
     "Conv2d(3, 3, kernel_size=1, stride=2, padding=(1, 2, 1, 2), groups=3, bias=True)"),
    (cynet.Linear(5, 7), "Linear(5, 7, bias=True)"), (cynet.Linear(5, 7, False), "Linear(5, 7, bias=False)"),
    (cynet.BatchNorm2d(3, 2e-3, 0.25), "BatchNorm2d(3, eps=0.002, momentum=0.25, affine=True)"),
    (cynet.BatchNorm1d(3, affine=False), "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=False)"),
    (cynet.MaxPool2d(3, 2, 1), "MaxPool2d(kernel_size=3, stride=2, padding=1)"),
    (cynet.MaxPool2d((3, 2)), "MaxPool2d(kernel_size=(3, 2), stride=(3, 2), padding=0)"),
    (cynet.AvgPool2d(3, (1, 2), "same"), "AvgPool2d(kernel_size=3, stride=(1, 2), padding='same')"),
    (cynet.AvgPool2d(3, 2, 1, True, False, 5),
     "AvgPool2d(kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False, "
     "divisor_override=5)"),
    (cynet.Dropout(), "Dropout(p=0.5)"), (cynet.Dropout(0.125), "Dropout(p=0.125)"),
    (cynet.LeakyReLU(), "LeakyReLU(negative_slope=0.01)"), (cynet.Softmax(), "Softmax()"),
    (cynet.Residual(cynet.ReLU(), cynet.Tanh()), "Residual(ReLU(), shortcut=Tanh())"),
    (cynet.Concat(cynet.ReLU(), cynet.Sequential()), "Concat(ReLU(), Sequential())"),
    (cynet.CrossEntropyLoss(0.5, np.arange(10)),
     "CrossEntropyLoss(label_smoothing=0.5, weight=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])"),
    (cynet.CrossEntropyLoss(0, np.arange(11)),
     "CrossEntropyLoss(label_smoothing=0, weight=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 11 classes])"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "text"), REPRS, ids=[text for _, text in REPRS])
def test_what_layers_say_of_themselves(made, text):
    assert repr(made) == repr(copy.deepcopy(made)) == text


SEVERAL = [
    lambda kind: cynet.Conv2d(2, 3, kind((3, 2)), kind((1, 2)), kind((1, 0)), dilation=kind((1, 2))),
    lambda kind: cynet.Conv1d(2, 3, kind((3,)), kind((2,)), kind((1, 0)), kind((2,))),
    lambda kind: cynet.ConvTranspose2d(2, 3, kind((3, 2)), kind((2, 1)), kind((1, 0, 0, 1)), kind((1, 0))),
    lambda kind: cynet.MaxPool2d(kind((3, 2)), kind((1, 2)), kind((1, 0)), kind((1, 2))),
    lambda kind: cynet.MaxPool1d(kind((3,)), kind((2,)), kind((1, 0)), kind((2,))),
    lambda kind: cynet.AvgPool2d(kind((3, 2)), kind((1, 2)), kind((1, 0, 1, 1))),
    lambda kind: cynet.AvgPool1d(kind((3,)), kind((2,)), kind((1, 0))),
    lambda kind: cynet.AdaptiveAvgPool2d(kind((4, None))), lambda kind: cynet.Upsample(kind((4, 5))),
    lambda kind: cynet.Upsample(scale_factor=kind((2, 1.5))), lambda kind: cynet.LayerNorm(kind((7, 2))),
    lambda kind: cynet.ZeroPad2d(kind((1, 2, 3, 4))), lambda kind: cynet.Reshape(kind((2, -1))),
]  # fmt: skip


@pytest.mark.parametrize("make", SEVERAL, ids=lambda make: repr(make(tuple)))
def test_several_sizes_may_be_a_list(make):
    one, other = make(tuple), make(list)
    shape = (3, 9, 2) if "1d" in repr(one) else (3, 9, 7, 2)
    assert repr(one) == repr(other) and one.output_shape(shape) == other.output_shape(shape)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(other(x), one(x))


@pytest.mark.parametrize("make", [
    lambda: cynet.Dropout(0), lambda: cynet.Dropout(1), lambda: cynet.LeakyReLU(0),
    lambda: cynet.LeakyReLU(-2), lambda: cynet.BatchNorm1d(6, momentum=0), lambda: cynet.Linear(6, 1),
    lambda: cynet.BatchNorm1d(6, momentum=1), lambda: cynet.BatchNorm1d(6, eps=1e-45),
    lambda: cynet.BatchNorm1d(6, eps=1e30), lambda: cynet.ELU(0), lambda: cynet.ELU(-2),
    lambda: cynet.PReLU(6, -1), lambda: cynet.DropPath(0), lambda: cynet.DropPath(1),
], ids=lambda make: repr(make()))  # fmt: skip
def test_at_the_bounds_of_its_arguments_a_layer_works(make):
    layer = make()
    y = layer(X)
    dx = layer.backward(np.ones_like(y))
    assert np.isfinite(y).all() and np.isfinite(dx).all() and dx.shape == X.shape
    assert np.isfinite(layer.eval()(X)).all()


def test_the_momentum_of_batch_norm_at_its_ends():
    for momentum, mean, variance in ((0, 0, 1), (1, X.mean(0), X.var(0, ddof=1))):
        layer = cynet.BatchNorm1d(6, momentum=momentum)
        layer(X)
        np.testing.assert_allclose(layer.running_mean, mean + np.zeros(6), atol=1e-6)
        np.testing.assert_allclose(layer.running_var, variance + np.zeros(6), rtol=1e-5)


def test_dropout_without_a_chance_takes_no_key_and_with_every_one_gives_zeros():
    cynet.seed(3)
    assert cynet.Dropout(0)(X) is X
    from cynet.core import random

    assert random.get_state() == {"seed": 3, "draws": 0}
    assert not cynet.Dropout(1)(X).any() and random.get_state() == {"seed": 3, "draws": 1}


def test_statistics_that_may_only_be_read_are_enough_for_evaluation():
    layer = cynet.BatchNorm1d(6).eval()
    wanted = layer(X)
    for array in (layer.running_mean, layer.running_var, layer.num_batches_tracked):
        array.flags.writeable = False
    np.testing.assert_array_equal(layer(X), wanted)
    np.testing.assert_array_equal(cynet.Sequential(layer)(X), wanted)
    with pytest.raises(ValueError, match="wanted an array that can be written, got a read-only one"):
        layer.train()(X)


def test_batch_norm_has_no_scale_without_a_shift():
    layer = cynet.BatchNorm1d(6)
    layer.bias = None
    with pytest.raises(TypeError, match=r"^bias: wanted a parameter of shape \(6,\), got None$"):
        layer(X)
    layer = cynet.BatchNorm1d(6)
    layer.weight = None
    assert layer.affine == "bias" and layer(X).shape == X.shape


SIZES = {
    "convolution": (lambda n: cynet.Conv2d(n(100), n(16), n(3), n(1), n(1), n(1), n(4)), (2, 5, 4, 100)),
    "of pairs": (lambda n: cynet.Conv2d(n(60), n(8), (n(3), n(2)), [n(1), n(2)], (0, n(2))), (2, 5, 4, 60)),
    "linear": (lambda n: cynet.Linear(n(120), n(100)), (3, 120)),
    "thin": (lambda n: cynet.Linear(n(96), n(9)), (70, 96)),
    "norm": (lambda n: cynet.BatchNorm2d(n(100)), (2, 5, 4, 100)),
    "pool": (lambda n: cynet.MaxPool2d((n(12), n(15)), n(2), n(1)), (1, 13, 14, 30)),
    "mean": (lambda n: cynet.AvgPool2d(n(12), padding=n(1)), (1, 13, 14, 30)),
}  # fmt: skip


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_numpys_integers_are_those_of_pythons(name, kind):
    """As labels.max() + 1 gives them: of few bits, which their products leave."""
    make, shape = SIZES[name]
    layers, x = [], np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for number in (int, kind):
        cynet.seed(0)
        layers.append(make(number))
    one, other = layers
    assert repr(one) == repr(other) and one.macs(shape) == other.macs(shape)
    for layer in layers:
        assert type(layer.macs(shape)) is int and all(type(n) is int for n in layer.output_shape(shape))
    for before, array in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        np.testing.assert_array_equal(before, array)
    y = one(x)
    np.testing.assert_array_equal(other(x), y)
    np.testing.assert_array_equal(other.backward(y), one.backward(y))
    wanted, *found = (cynet.Sequential(layer).eval()(x) for layer in layers)
    np.testing.assert_array_equal(found[0], wanted)
    assert cynet.summary(other, shape).macs == one.macs(shape)


def test_a_size_that_is_set_to_one_of_numpys_integers_is_taken_too():
    layer, x = cynet.Linear(96, 9), np.ones((70, 96), np.float32)
    wanted = layer(x), layer.backward(np.ones((70, 9), np.float32))
    layer.in_features, layer.out_features = np.int8(96), np.uint8(9)
    np.testing.assert_array_equal(layer(x), wanted[0])
    np.testing.assert_array_equal(layer.backward(np.ones((70, 9), np.float32)), wanted[1])
    np.testing.assert_allclose(cynet.Sequential(layer).eval()(x), wanted[0], atol=1e-5)


# -- what an error leaves behind -----------------------------------------------------------------------------
class Breaks(cynet.Layer):
    """Raises, forward or backward, as often as it is told."""

    def __init__(self):
        self.inner, self.forwards, self.backwards = cynet.Linear(6, 6), 0, 0

    def forward(self, x):
        y = self.inner(x)
        self.forwards -= 1
        if self.forwards >= 0:
            raise KeyError("forward")
        return y

    def backward(self, dy):
        dx = self.inner.backward(dy)
        self.backwards -= 1
        if self.backwards >= 0:
            raise KeyError("backward")
        return dx


@pytest.mark.parametrize("around", [lambda layer: layer, cynet.Sequential, cynet.Residual])
def test_after_an_error_within_a_pass_the_next_one_is_as_the_first(around):
    cynet.seed(0)
    breaks = Breaks()
    model = around(breaks)
    wanted = model(X), model.backward(X)
    breaks.forwards = 1
    with pytest.raises(KeyError, match="forward"):
        model(X)
    assert passes.mode.around is None
    breaks.backwards = 1
    model(X)
    with pytest.raises(KeyError, match="backward"):
        model.backward(X)
    model(X)
    breaks.backwards = 1
    with pytest.raises(KeyError, match="backward"):
        model.last_pass.backward(X)
    assert passes.mode.around is None and not passes.mode.spared
    np.testing.assert_array_equal(model(X), wanted[0])
    np.testing.assert_array_equal(model.backward(X), wanted[1])


def test_a_pass_that_was_followed_says_so_and_is_not_the_last_any_more():
    model = cynet.Sequential(cynet.Linear(6, 6))
    model(X)
    last = model.last_pass
    assert repr(last) == "<Pass of Sequential>"
    last.backward(X)
    assert repr(last) == "<Pass of Sequential, followed>" and model.last_pass is None
    with pytest.raises(RuntimeError, match=r"^Sequential: wanted a pass to follow, got one that"):
        last.backward(X)
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        model.backward(X)


@pytest.mark.parametrize("twin", [copy.deepcopy, copy.copy, lambda turn: pickle.loads(pickle.dumps(turn))])
def test_a_copy_of_a_turn_begins_with_nobody_there(twin):
    turn = Turn()
    with turn.alone("net"):
        assert twin(turn).take() is None and turn.take() is not None


# -- the table of check_gradients ----------------------------------------------------------------------------
def test_a_table_of_gradients_has_its_numbers_in_their_columns():
    rows = (
        Checked("input", (2, 3), 1.5e-3, 2.5e-2), Checked("a.weight", (4,), 0.05, 0.100001),
        Checked("b", (), 0.0, 0.1), Checked("c", (1,), np.inf, 0.0, "wrong: why"),
    )  # fmt: skip
    assert str(GradientCheck(rows)).split("\n") == [
        "array     shape   difference  allowed", "-" * 49,
        "input     (2, 3)  1.5e-03     2.5e-02  ok", "a.weight  (4,)    5.0e-02     1.0e-01  rough",
        "b         ()      0.0e+00     1.0e-01  ok", "c         (1,)    inf         0.0e+00  wrong: why",
    ]  # fmt: skip
    assert not GradientCheck(rows).ok and GradientCheck(rows[:3]).ok


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_several_directions_the_worst_is_told(order, monkeypatch):
    found = [(0.5, 1.0, ""), (0.2, 0.1, ""), (0.3, 0.2, "")]
    left = [found[i] for i in order] * 3
    monkeypatch.setattr(gradients, "_compared", lambda *_: left.pop(0))
    rows = cynet.check_gradients(cynet.Linear(6, 2), X).rows
    assert [(row.difference, row.allowed) for row in rows] == [(0.2, 0.1)] * 3
    left += [found[1], (0.01, 1.0, "wrong"), found[1]] * 3
    assert [row.problem for row in cynet.check_gradients(cynet.Linear(6, 2), X).rows] == ["wrong"] * 3


def test_so_many_directions_and_no_more(monkeypatch):
    count = []
    monkeypatch.setattr(gradients, "_compared", lambda *_: count.append(1) or (0.0, 1.0, ""))
    assert cynet.check_gradients(cynet.ReLU(), X, 1000).ok and len(count) == 1000
    assert cynet.check_gradients(cynet.ReLU(), X).ok and len(count) == 1003, "three, if nothing is said"


# -- losses of several threads -------------------------------------------------------------------------------
def test_a_loss_that_a_backward_followed_stands_in_no_other_threads_way():
    criterion, logits = cynet.CrossEntropyLoss(), np.zeros((2, 3), np.float32)
    criterion(logits, [0, 0])
    criterion.backward()
    other = threading.Thread(target=lambda: criterion(logits, [2, 2]))
    other.start()
    other.join()
    np.testing.assert_allclose(criterion.backward(), [[1 / 6, 1 / 6, -1 / 3]] * 2, atol=1e-7)
