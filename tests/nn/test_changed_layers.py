"""Models that are changed after they ran: they do what one built so does, or refuse as it does.

They run layer by layer, by their plan within no_grad, or in evaluation mode outside it ("recalled").
"""

import contextlib
import copy

import numpy as np
import pytest

import cynet
from cynet import (
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    Parameter,
    ReLU,
    Residual,
)
from cynet.nn.passes import layer_by_layer

X = np.random.default_rng(0).standard_normal((2, 8, 8, 8)).astype(np.float32)


class Around(cynet.Layer):
    """A user's container, which the library knows nothing of."""

    def __init__(self, inner):
        self.inner = inner

    def output_shape(self, shape):
        return self.inner.output_shape(shape)

    def forward(self, x):
        return self.inner(x)


class Strange(cynet.Layer):
    """A user's layer that hands out what nobody expects, once `strange` is set."""

    strange = None

    def forward(self, x):
        return x if self.strange is None else self.strange(x)


def body():
    return cynet.Sequential(Conv2d(8, 8, 3, padding=1), BatchNorm2d(8))


MODES = {"plain": layer_by_layer, "planned": cynet.no_grad, "recalled": contextlib.nullcontext}


def outcome(model, x, mode):
    """The output, or what kind of error there was."""
    try:
        with MODES[mode]():
            return model(x)
    except (ValueError, TypeError) as error:
        return error


def set_to(**values):
    """A change: attributes of the model's first layer."""
    return lambda model: vars(model[0]).update(values)


FOLLOWERS = {
    "Winograd": lambda: Conv2d(16, 8, 3, padding=1),
    "lowered": lambda: Conv2d(16, 8, 5, padding=2),
    "pool": lambda: MaxPool2d(2),
    "average": lambda: GlobalAvgPool2d(),
    "rows": lambda: cynet.Sequential(Flatten(), Linear(8 * 8 * 16, 10)),
    "ReLU": lambda: ReLU(),
}
INNER = {
    "more channels": lambda concat: concat.branches.append(Conv2d(8, 8, 1).eval()),
    "fewer channels": lambda concat: concat.branches.pop(),
    "smaller images": lambda concat: concat.branches.__setitem__(slice(None), [MaxPool2d(2).eval()] * 2),
    "unequal images": lambda concat: concat.branches.__setitem__(0, MaxPool2d(2).eval()),
}
LAYERS = {
    "padding": (lambda: Conv2d(8, 8, 3, padding=1), set_to(padding=(0, 0, 0, 0))),
    "stride": (lambda: Conv2d(8, 8, 3, padding=1), set_to(stride=(2, 2))),
    "kernel_size": (lambda: Conv2d(8, 5, 3, padding=1), set_to(kernel_size=(5, 5))),
    "in_channels": (
        lambda: Conv2d(8, 8, 3, padding=1),
        set_to(in_channels=4, weight=Parameter(np.ones((8, 4, 3, 3)))),
    ),
    "out_channels": (
        lambda: Conv2d(8, 16, 3, padding=1, bias=False),
        set_to(out_channels=8, weight=Parameter(np.ones((8, 8, 3, 3)))),
    ),
    "conv weight": (lambda: Conv2d(8, 8, 3, padding=1), set_to(weight=Parameter(np.ones((8, 4, 3, 3))))),
    "conv bias": (lambda: Conv2d(8, 5, 5, padding=2), set_to(bias=Parameter(np.ones(1)))),
    "norm weight": (lambda: BatchNorm2d(8), set_to(weight=Parameter(np.ones(1)))),
    "running mean": (lambda: BatchNorm2d(8), set_to(running_mean=np.zeros(1, np.float32))),
    "running variance": (lambda: BatchNorm2d(8), set_to(running_var=np.ones(9, np.float32))),
    "residual": (lambda: Residual(body()), set_to(body=Conv2d(8, 24, 3, padding=1))),
    "residual of fewer": (lambda: Residual(body()), set_to(body=Conv2d(8, 3, 3, padding=1))),
    "residual of equal size": (
        lambda: Residual(body(), Conv2d(8, 8, 1)),
        set_to(shortcut=cynet.Sequential(Conv2d(8, 32, 1, 2))),
    ),
    "double": (lambda: Strange(), set_to(strange=lambda x: x.astype(np.float64))),
    "scattered": (lambda: Strange(), set_to(strange=lambda x: np.asfortranarray(2 * x))),
}


def check(model, x, change, mode):
    model.eval()
    assert isinstance(outcome(model, x, mode), np.ndarray)
    change(model)
    fresh = copy.deepcopy(model).eval()
    for _ in range(2):
        found, wanted = outcome(model.eval(), x, mode), outcome(fresh, x, "plain")
        if isinstance(wanted, np.ndarray):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
        else:
            assert isinstance(found, type(wanted) if isinstance(wanted, TypeError) else ValueError), found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("follower", FOLLOWERS)
@pytest.mark.parametrize("around", [lambda concat: concat, Around], ids=["bare", "around"])
def test_a_container_whose_output_changes_shape(mode, inner, follower, around):
    concat = Concat(Conv2d(8, 8, 3, padding=1), Conv2d(8, 8, 1))
    model = cynet.Sequential(around(concat), FOLLOWERS[follower]())
    check(model, X, lambda model: INNER[inner](concat), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    "follower", [ReLU, lambda: cynet.Sequential(Conv2d(8, 8, 3, padding=1))], ids=["ReLU", "conv"]
)
def test_a_layer_that_is_changed(mode, name, follower):
    layer, change = LAYERS[name]
    if layer().output_shape(X.shape)[-1] != 8:
        follower = ReLU
    check(cynet.Sequential(layer(), follower()), X, change, mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_users_layer_whose_result_is_another_time_smaller(mode):
    strange = Strange()
    model = cynet.Sequential(Conv2d(8, 8, 3, padding=1), strange, ReLU()).eval()
    assert outcome(model, X, mode).shape == X.shape
    strange.strange = lambda x: x[:, :4]
    assert outcome(model, X, mode).shape == (2, 4, 8, 8)
    strange.strange = None
    assert outcome(model, X, mode).shape == X.shape


@pytest.mark.parametrize(
    ("layer", "x", "wrong"),
    [
        (lambda: Conv2d(8, 8, 3, padding=1), X, (8, 8, 1, 1)),
        (lambda: Conv2d(8, 8, 5, padding=2), X, (8, 8, 1, 1)),
        (lambda: BatchNorm2d(8), X, (1,)),
        (lambda: Linear(8, 4), X[0, 0], (4, 1)),
        (lambda: Linear(8, 64), X[0, 0], (64, 1)),
    ],
)
def test_a_parameter_of_another_shape_set_before_backward_is_refused(layer, x, wrong):
    layer = layer()
    dy = np.ones_like(layer(x))
    layer.weight = Parameter(np.ones(wrong))
    with pytest.raises(ValueError, match="weight: wanted a parameter of shape"):
        layer.backward(dy)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("odd", [None, 5, "a", (1,)])
def test_a_weight_that_is_no_parameter_is_named(mode, planned, odd):
    for model in (cynet.Sequential(Conv2d(8, 8, 3)), cynet.Sequential(Flatten(), Linear(8 * 8 * 8, 3))):
        model.eval()
        if planned:
            outcome(model, X, mode)
        vars(model[-1])["weight"] = odd
        with MODES[mode](), pytest.raises(TypeError, match="weight: wanted a parameter of shape"):
            model(X)
