"""What every layer has: modes of a thread, gradients and states by name, shapes that are checked."""

import copy
import pickle
import threading

import numpy as np
import pytest

import cynet
from cynet.nn import passes
from cynet.nn.passes import grad_enabled, layer_by_layer, may_sweep


class Twice(cynet.Layer):
    """A user's layer with a parameter, in a box, and an array that is saved with it."""

    buffers = ("seen",)

    def __init__(self):
        self.boxed = {"w": [cynet.Parameter([2.0, 3.0])]}
        self.seen = np.zeros(1, np.float32)

    def forward(self, x):
        self.seen += 1
        self.save(x)
        return x * self.boxed["w"][0].data

    def backward(self, dy):
        (x,) = self.saved()
        self.boxed["w"][0].grad += (dy * x).sum(0)
        return dy * self.boxed["w"][0].data


X = np.float32([[1, 2], [3, 4]])


# -- no_grad and layer_by_layer ------------------------------------------------------------------------------
@pytest.mark.parametrize(("context", "told", "outside"), [
    (cynet.no_grad, grad_enabled, True), (layer_by_layer, may_sweep, True),
])  # fmt: skip
def test_a_mode_nests_and_ends_with_its_context_however_that_is_left(context, told, outside):
    assert told() is outside
    with context():
        assert told() is not outside
        with context():
            assert told() is not outside
        assert told() is not outside, "the inner one ended, the outer one did not"
        with pytest.raises(KeyError), context():
            raise KeyError
        assert told() is not outside, "an error ended the inner one"
    assert told() is outside
    with pytest.raises(KeyError), context():
        raise KeyError
    assert told() is outside


def test_a_mode_of_one_is_not_the_other():
    with cynet.no_grad():
        assert may_sweep()
        with layer_by_layer():
            assert may_sweep() and not grad_enabled()
    with layer_by_layer():
        assert grad_enabled() and not may_sweep()


@pytest.mark.parametrize("context", [cynet.no_grad, layer_by_layer])
def test_a_mode_is_of_its_thread(context):
    entered, done, found = threading.Event(), threading.Event(), []

    def other():
        with context():
            entered.set()
            done.wait(10)
            found.append((grad_enabled(), may_sweep()))

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    assert grad_enabled() and may_sweep()
    layer = cynet.ReLU()
    layer.backward(layer(X))  # what it keeps is kept
    done.set()
    thread.join()
    assert found == [(False, True) if context is cynet.no_grad else (True, False)]
    with context():
        inner = []
        thread = threading.Thread(target=lambda: inner.append((grad_enabled(), may_sweep())))
        thread.start()
        thread.join()
    assert inner == [(True, True)]


def test_no_grad_keeps_nothing_and_the_pass_before_is_gone():
    layer = Twice()
    layer(X)
    with cynet.no_grad():
        layer(X)
    with pytest.raises(RuntimeError, match=r"Twice.backward: wanted a forward pass before it \(outside"):
        layer.backward(X)


class Holds(cynet.Layer):
    """A user's layer that saves nothing itself."""

    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return self.inner(x)

    def backward(self, dy):
        return self.inner.backward(dy)


@pytest.mark.parametrize("make", [
    lambda: Holds(cynet.ReLU()), lambda: cynet.Residual(cynet.Linear(2, 2)),
    lambda: cynet.Concat(cynet.ReLU(), cynet.Tanh()), lambda: cynet.Sequential(cynet.Linear(2, 2)),
], ids=["users", "Residual", "Concat", "Sequential"])  # fmt: skip
def test_of_what_holds_layers_too_the_pass_before_is_gone(make):
    layer = make()
    y = layer(X)
    assert layer.last_pass.layer is layer
    with cynet.no_grad():
        layer(X)
    assert layer.last_pass is None
    with pytest.raises(RuntimeError, match=r"\w+.backward: wanted a forward pass before it"):
        layer.backward(np.ones_like(y))


def test_a_new_pass_takes_the_place_of_the_one_before_while_it_runs():
    """So the memory of the last pass is free for the next."""
    seen = []

    class Looks(cynet.ReLU):
        def forward(self, x):
            seen.append(model.last_pass)
            return super().forward(x)

    model = Holds(Looks())
    for _ in range(2):
        model(X)
    assert seen == [None, None] and model.last_pass is not None


def test_a_pass_says_whether_it_was_followed():
    model = Holds(cynet.ReLU())
    y = model(X)
    made = model.last_pass
    assert repr(made) == "<Pass of Holds>" and not made.followed
    model.backward(np.ones_like(y))
    assert repr(made) == "<Pass of Holds, followed>" and model.last_pass is None
    with pytest.raises(RuntimeError, match=r"^Holds: wanted a pass to follow, got one that was followed$"):
        made.backward(np.ones_like(y))
    model(X)
    made = model.last_pass
    made.backward_spared(np.ones_like(y))
    assert made.followed and model.last_pass is None
    with pytest.raises(RuntimeError, match="Holds: wanted a pass to follow"):
        made.backward_spared(np.ones_like(y))


# -- one pass ------------------------------------------------------------------------------------------------
def test_a_pass_serves_one_backward_and_gradients_add_up():
    layer = Twice()
    for times in (1, 2):
        layer(X)
        np.testing.assert_array_equal(layer.backward(X), X * [2, 3])
        np.testing.assert_array_equal(layer.parameters()[0].grad, times * (X * X).sum(0))
        with pytest.raises(RuntimeError, match="a forward pass before it"):
            layer.backward(X)
    layer.zero_grad()
    assert not layer.parameters()[0].grad.any()


def test_zero_grad_reaches_every_depth():
    model = cynet.Sequential(
        cynet.Linear(2, 2), cynet.Residual(cynet.Sequential(Twice(), cynet.Linear(2, 2)), cynet.Linear(2, 2)),
        cynet.Concat(Twice(), cynet.Sequential(cynet.BatchNorm1d(2))),
    )  # fmt: skip
    for parameter in model.parameters():
        parameter.grad.fill(np.nan)
    model.zero_grad()
    assert len(model.parameters()) == 10 and not any(p.grad.any() for p in model.parameters())


class Around(cynet.Layer):
    """Two convolutions."""

    def __init__(self):
        self.first, self.last = cynet.Conv2d(4, 4, 3, padding=1), cynet.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.last(self.first(x))

    def backward(self, dy):
        return self.first.backward(self.last.backward(dy))


def test_a_layer_whose_forward_was_set_on_the_object_is_no_reason_to_spare_those_within():
    """It makes no pass, but its backward, the class's, needs the gradients of its layers."""
    cynet.seed(0)
    model = cynet.Sequential(Around(), cynet.Conv2d(4, 4, 1))
    inner = model[0]
    inner.forward = lambda x: inner.last(inner.first(x))
    wanted = cynet.Sequential(inner.first, inner.last, model[1])
    x = np.random.default_rng(0).standard_normal((2, 3, 3, 4)).astype(np.float32)
    grads = []
    for one in (wanted, model):
        one.input_grad = False
        one.zero_grad()
        assert one.backward(np.cos(one(x))) is None or one is model
        grads.append([inner.first.weight.grad.copy(), inner.last.weight.grad.copy()])
    np.testing.assert_array_equal(grads[0], grads[1])


def test_a_backward_that_is_spared_leaves_the_setting_as_it_was():
    layer = cynet.Linear(2, 2)
    for before in (True, False):
        layer.input_grad = before
        layer(X)
        assert layer.backward_spared(X) is None and layer.input_grad is before
        with pytest.raises(RuntimeError):
            layer.backward_spared(X)
        assert layer.input_grad is before


def test_an_output_of_another_shape_than_promised_is_refused():
    class Odd(cynet.Layer):
        def forward(self, x):
            return x[:, :1]

    with pytest.raises(ValueError, match=r"Odd.forward returned shape \(2, 1\) where its output_shape says"):
        Odd()(X)
    for name in ("forward", "backward"):
        with pytest.raises(TypeError, match=rf"Layer defines no {name}"):
            getattr(cynet.Layer(), name)(X)


# -- the tree ------------------------------------------------------------------------------------------------
def tree():
    return cynet.Sequential(Twice(), cynet.Sequential(cynet.Linear(2, 3), cynet.BatchNorm1d(3)))


NAMES = [
    "0.boxed.w.0", "0.seen", "1.0.weight", "1.0.bias", "1.1.weight", "1.1.bias", "1.1.running_mean",
    "1.1.running_var", "1.1.num_batches_tracked",
]  # fmt: skip


def test_train_and_eval_reach_every_layer():
    model = tree()
    for mode in (False, True):
        assert model.train(mode) is model
        assert [layer.training for _, layer in model.walk()] == [mode] * 5
    assert model.eval() is model and not any(layer.training for _, layer in model.walk())
    with pytest.raises(TypeError, match="mode: wanted True or False, got 1"):
        model.train(1)


def test_names_of_parameters_and_state():
    model = tree()
    assert [p.name for p in model.parameters()] == [NAMES[i] for i in (0, 2, 3, 4, 5)]
    assert list(model.state_dict()) == NAMES
    assert [path for path, _ in model.walk()] == ["", "0", "1", "1.0", "1.1"]


def test_a_parameter_with_two_places_counts_once_under_the_first():
    one, two = cynet.Linear(2, 2), cynet.Linear(2, 2)
    two.weight = one.weight
    model = cynet.Sequential(one, two, one)
    assert [p.name for p in model.parameters()] == ["0.weight", "0.bias", "1.bias"]


def test_a_state_is_a_copy_and_is_loaded_whole_or_not_at_all():
    model, other = tree(), tree()
    model(X), model(X + 1)
    state = model.state_dict()
    kept = {name: array.copy() for name, array in state.items()}
    other.load_state_dict(state)
    for array in state.values():
        array[...] = 7
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, kept[name], name)
        np.testing.assert_array_equal(model.state_dict()[name], kept[name], name)
    for name in NAMES:
        for broken, word in (
            ({n: a for n, a in state.items() if n != name}, f"missing: {name}"),
            (state | {name: np.zeros((9, 9))}, rf"shape of {name}: wanted .*, got \(9, 9\)"),
            (state | {name: np.full(kept[name].shape, "x")}, f"dtype of {name}: wanted real numbers"),
            (state | {name: kept[name] + 0j}, f"dtype of {name}: wanted real numbers, got complex"),
            (state | {f"{name}x": kept[name]}, f"unexpected: {name}x"),
        ):
            if word == "missing: 1.1.num_batches_tracked":
                continue
            with pytest.raises(ValueError, match=word):
                other.load_state_dict(broken)
            assert all(np.array_equal(a, kept[n]) for n, a in other.state_dict().items()), name
    del state["1.1.num_batches_tracked"]
    other.load_state_dict(state)
    assert other.state_dict()["1.1.num_batches_tracked"] == 2 and (other[0].seen == 7).all()
    with pytest.raises(TypeError, match="state: wanted a dict of names to arrays, got list"):
        other.load_state_dict(list(state))


@pytest.mark.parametrize("twin", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_hold_no_pass_under_way(twin):
    model = tree()
    model(X)
    other = twin(model)
    with pytest.raises(RuntimeError, match="a forward pass before it"):
        other.backward(np.ones((2, 3), np.float32))
    assert model.backward(np.ones((2, 3), np.float32)).shape == X.shape
    assert {n: a.tobytes() for n, a in other.state_dict().items()} == {
        n: a.tobytes() for n, a in model.state_dict().items()
    }


# -- parameters ----------------------------------------------------------------------------------------------
def test_a_parameter_keeps_its_memory():
    source = np.arange(6, dtype=np.float64).reshape(2, 3)
    parameter = cynet.Parameter(source)
    data, grad = parameter.data, parameter.grad
    source[:] = 9
    assert data.dtype == grad.dtype == np.float32 and data.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not grad.any() and (parameter.shape, parameter.size) == ((2, 3), 6)
    parameter.data, parameter.grad = np.ones((2, 3)), np.full((2, 3), 2, np.int64)
    assert parameter.data is data and (data == 1).all()
    assert parameter.grad is grad and (grad == 2).all()
    parameter.zero_grad()
    assert not grad.any() and (data == 1).all()
    assert repr(parameter) == "Parameter(unnamed, shape=(2, 3))"
    parameter.name = "0.weight"
    for name in ("data", "grad"):
        with pytest.raises(ValueError, match=rf"0.weight.{name}: wanted shape \(2, 3\), got \(3, 2\)"):
            setattr(parameter, name, np.ones((3, 2)))
        for kind in (complex, bool, object, str):
            other = np.ones((2, 3), kind)
            with pytest.raises(TypeError, match=rf"{name}: wanted real numbers, got dtype {other.dtype}$"):
                setattr(parameter, name, other)
    assert (data == 1).all() and not grad.any()


class Named(cynet.Parameter):
    """A user's parameter, with something of its own."""

    def __init__(self, data, unit):
        super().__init__(data)
        self.unit = unit


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda one: pickle.loads(pickle.dumps(one)),
        lambda one: pickle.loads(pickle.dumps(one, 0)),
    ],
)
def test_a_copied_parameter_has_all_that_it_was(copied):
    one = Named([[1.0, 2.0]], "metres")
    one.data, one.grad, one.name = [[3.0, 4.0]], [[5.0, 6.0]], "here"
    one.requires_grad = False
    other = copied(one)
    assert type(other) is Named and (other.unit, other.name, other.version) == ("metres", "here", one.version)
    assert other.data.tolist() == [[3, 4]] and other.grad.tolist() == [[5, 6]] and not other.requires_grad
    other.require_whole("weight")
    other.data = [[7.0, 8.0]]
    assert one.data.tolist() == ([[7, 8]] if copied is copy.copy else [[3, 4]])


class Faithless(cynet.Layer):
    """Hands on what it gets, at first."""

    given = None

    def forward(self, x):
        return x if self.given is None else self.given

    def backward(self, dy):
        return dy


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (np.zeros((2, 4)), r"Linear input: wanted dtype float32"),
        ([[0.0] * 4] * 2, r"Linear input: wanted a float32 NumPy array, got list"),
        (np.zeros((2, 5), np.float32), r"wanted \(N, 4\), got \(2, 5\)"),
    ],
)
def test_what_a_users_layer_hands_on_is_looked_at_in_every_step(given, error):
    strange = Faithless()
    model = cynet.Sequential(cynet.Linear(4, 4), strange, cynet.Linear(4, 3))
    x = np.ones((2, 4), np.float32)
    for _ in range(2):
        model.backward(model(x))
    strange.given = given
    with pytest.raises((TypeError, ValueError), match=error):
        model(x)


class Counted(cynet.Linear):
    """Counts its calls."""

    calls = 0

    def __call__(self, x, *others):
        Counted.calls += 1
        return super().__call__(x, *others)


def test_a_users_own_call_runs_in_every_step(monkeypatch):
    monkeypatch.setattr(Counted, "calls", 0)
    model = cynet.Sequential(cynet.Linear(4, 4), Counted(4, 3))
    for _ in range(3):
        model(np.ones((2, 4), np.float32))
    assert Counted.calls == 3


def test_what_a_layer_hands_on_by_a_forward_that_was_set_on_it_is_looked_at():
    model, x = cynet.Sequential(cynet.Linear(4, 4), cynet.Linear(4, 3)), np.ones((2, 4), np.float32)
    wanted = model(x)
    own = model[0].forward
    model[0].forward = lambda x: np.asfortranarray(own(x))
    for _ in range(2):
        np.testing.assert_array_equal(model(x), wanted)
    model[0].forward = lambda x: np.zeros((2, 4))
    with pytest.raises(TypeError, match="Linear input: wanted dtype float32"):
        model(x)


def test_one_no_grad_may_be_entered_within_itself():
    within = cynet.no_grad()
    with within, within:
        assert not passes.grad_enabled()
    assert passes.grad_enabled()
