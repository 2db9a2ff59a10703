"""A pass belongs to the container that made it: layers at several places, and in several models."""

import copy

import numpy as np
import pytest

import cynet
from cynet import BatchNorm2d, Concat, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Residual, Sequential

RNG = np.random.default_rng(0)
X, Z = (RNG.standard_normal((3, 8, 8, 4)).astype(np.float32) for _ in range(2))


def block():
    return Sequential(Conv2d(4, 4, 3, padding=1), BatchNorm2d(4), ReLU())


KINDS = {
    "conv": lambda: Conv2d(4, 4, 3, padding=1),
    "norm": lambda: BatchNorm2d(4),
    "pool": lambda: MaxPool2d(3, 1, padding=1),
    "relu": ReLU,
    "block": block,
    "residual": lambda: Residual(block(), Conv2d(4, 4, 1)),
    "residual in one step": lambda: Sequential(Residual(Sequential(Conv2d(4, 4, 1), BatchNorm2d(4))), ReLU()),
    "concat": lambda: Sequential(Concat(Conv2d(4, 2, 1), Conv2d(4, 2, 3, padding=1))),
    "rows": lambda: Sequential(Flatten(), Linear(256, 8)),
}


def gradients(model, x):
    """(output, dx, the gradients of the parameters) of one pass."""
    model.zero_grad()
    y = model(x)
    return [y, model.backward(np.cos(y)), *(p.grad.copy() for p in model.parameters())]


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_in_two_models_gives_each_its_own_gradient(kind):
    cynet.seed(3)
    shared = KINDS[kind]()
    one, other = Sequential(shared), Sequential(Conv2d(4, 4, 1), shared)
    wanted = [gradients(copy.deepcopy(model), x) for model, x in ((one, X), (other, Z))]
    y = one(X)
    z = other(Z)
    for model, out, (_, dx, *grads) in ((one, y, wanted[0]), (other, z, wanted[1])):
        model.zero_grad()
        np.testing.assert_array_equal(model.backward(np.cos(out)), dx)
        for parameter, grad in zip(model.parameters(), grads, strict=True):
            np.testing.assert_array_equal(parameter.grad, grad)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rows"])
def test_a_layer_at_two_places_gets_the_sum_of_what_two_of_equal_weights_get(kind):
    cynet.seed(3)
    shared = KINDS[kind]()
    once = Sequential(shared, Conv2d(4, 4, 1), shared)
    twin = Sequential(copy.deepcopy(shared), copy.deepcopy(once[1]), copy.deepcopy(shared))
    y, dx, *_ = gradients(once, X)
    z, dz, *_ = gradients(twin, X)
    np.testing.assert_array_equal(y, z)
    np.testing.assert_array_equal(dx, dz)
    for path, parameter in own(shared).items():
        sums = own(twin[0])[path].grad + own(twin[2])[path].grad
        np.testing.assert_allclose(parameter.grad, sums, rtol=1e-5, atol=1e-5 * np.abs(sums).max())


def own(layer):
    return {parameter.name: parameter for parameter in layer.parameters()}


@pytest.mark.parametrize("change", ["append", "pop", "clear", "replace"])
def test_a_list_of_layers_changed_between_the_passes_changes_no_gradient(change):
    cynet.seed(3)
    model = Sequential(Conv2d(4, 4, 1), BatchNorm2d(4), ReLU(), Conv2d(4, 4, 3))
    _, wanted, *_ = gradients(copy.deepcopy(model), X)
    y = model(X)
    {
        "append": lambda: model.layers.append(ReLU()),
        "pop": lambda: model.layers.pop(),
        "clear": lambda: model.layers.clear(),
        "replace": lambda: model.layers.__setitem__(0, Conv2d(4, 4, 1)),
    }[change]()
    np.testing.assert_array_equal(model.backward(np.cos(y)), wanted)


@pytest.mark.parametrize("set_between", [
    lambda model: setattr(model[0], "body", ReLU()),
    lambda model: setattr(model[0], "shortcut", None),
    lambda model: setattr(model[1], "branches", [ReLU()]),
])  # fmt: skip
def test_parts_exchanged_between_the_passes_change_no_gradient(set_between):
    cynet.seed(3)
    model = Sequential(Residual(block(), Conv2d(4, 4, 1)), Concat(Conv2d(4, 3, 1), ReLU()))
    _, wanted, *_ = gradients(copy.deepcopy(model), X)
    y = model(X)
    set_between(model)
    np.testing.assert_array_equal(model.backward(np.cos(y)), wanted)


class Around(cynet.Layer):
    """A user's container."""

    def __init__(self, inner):
        self.inner = [inner]

    def output_shape(self, shape):
        return self.inner[0].output_shape(shape)

    def forward(self, x):
        return self.inner[0](x)

    def backward(self, dy):
        return self.inner[0].backward(dy)


def test_a_users_container_in_two_models():
    cynet.seed(3)
    shared = Around(block())
    one, other = Sequential(shared), Sequential(shared)
    _, wanted, *_ = gradients(copy.deepcopy(one), X)
    y = one(X)
    other(Z)
    np.testing.assert_array_equal(one.backward(np.cos(y)), wanted)


def test_a_second_backward_needs_a_second_forward():
    model = block()
    y = model(X)
    model.backward(y)
    with pytest.raises(RuntimeError, match=r"Sequential.backward: wanted a forward pass before it"):
        model.backward(y)


NO_LAYERS = [None, 3, "relu", [3], [None], object(), ReLU]


@pytest.mark.parametrize("value", NO_LAYERS, ids=repr)
@pytest.mark.parametrize(("make", "name"), [
    (lambda: Sequential(ReLU()), "layers"), (lambda: Residual(ReLU(), ReLU()), "body"),
    (lambda: Residual(ReLU(), ReLU()), "shortcut"), (lambda: Concat(ReLU()), "branches"),
    (lambda: Sequential(Residual(Sequential(BatchNorm2d(4))), ReLU()), "0.body"),
])  # fmt: skip
@pytest.mark.parametrize("evaluating", [False, True])
@pytest.mark.parametrize("used", [False, True])
def test_what_is_no_layer_is_named_whenever_it_was_set(make, name, value, evaluating, used):
    model = make().train(not evaluating)
    if used:
        model(X)
    place = model[0] if name == "0.body" else model
    setattr(place, name.removeprefix("0."), value)
    if name == "shortcut" and value is None:
        np.testing.assert_array_equal(model(X), np.maximum(X, 0) + X)
        return
    with pytest.raises(TypeError, match=rf"{name.removeprefix('0.')}(\[0\])?: wanted a Layer"):
        model(X)
