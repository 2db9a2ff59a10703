"""A pass belongs to the container that made it: layers at several places, and in several models."""

import copy

import numpy as np
import pytest

import cynet
from cynet import (
    BatchNorm1d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
)

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


@pytest.mark.parametrize("value", NO_LAYERS)
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


class Users(cynet.Layer):
    """A user's model around one layer."""

    def __init__(self, inner, spare=None):
        self.inner, self.spare = inner, spare

    def output_shape(self, shape):
        return self.inner.output_shape(shape)

    def forward(self, x):
        return self.inner(x)

    def backward(self, dy):
        return self.inner.backward(dy)


USERS = {
    "linear": lambda: cynet.Linear(4, 4), "norm": lambda: cynet.BatchNorm1d(4), "relu": cynet.ReLU,
    "sequential": lambda: cynet.Sequential(cynet.Linear(4, 4), cynet.ReLU()),
    "a user's": lambda: Users(cynet.Linear(4, 4)),
}  # fmt: skip


def rows(seed):
    return np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", USERS.values(), ids=USERS)
def test_a_layer_in_two_users_models_gives_each_its_own_gradient(make, training):
    shared = make()
    one, other = Users(shared).train(training), Users(shared).train(training)
    wanted = [(model(rows(i)), model.backward(rows(3)))[1] for i, model in ((1, one), (2, other))]
    one(rows(1))
    other(rows(2))
    np.testing.assert_array_equal(one.backward(rows(3)), wanted[0])
    np.testing.assert_array_equal(other.backward(rows(3)), wanted[1])


def test_a_layer_in_a_users_model_and_in_a_container():
    shared = cynet.Linear(4, 4)
    users, container = Users(shared), cynet.Sequential(shared, cynet.Tanh())
    wanted = [(model(rows(i)), model.backward(rows(3)))[1] for i, model in ((1, users), (2, container))]
    for first, last in ((users, container), (container, users)):
        first(rows(1 if first is users else 2))
        last(rows(1 if last is users else 2))
        np.testing.assert_array_equal(users.backward(rows(3)), wanted[0])
        np.testing.assert_array_equal(container.backward(rows(3)), wanted[1])


def test_a_users_model_at_two_places_and_one_around_another():
    shared = Users(Users(cynet.Linear(4, 4)))
    model, twin = cynet.Sequential(shared, shared), shared.inner.inner
    y = model(rows(1))
    dx = model.backward(rows(2))
    weight = twin.weight.data
    bias = weight @ twin.bias.data + twin.bias.data
    np.testing.assert_allclose(y, rows(1) @ weight.T @ weight.T + bias, 1e-4, 1e-6)
    np.testing.assert_allclose(dx, rows(2) @ weight @ weight, rtol=1e-4, atol=1e-6)


def test_layers_that_a_users_forward_leaves_out_may_be_used_by_others():
    spare = cynet.Linear(4, 4)
    model, other = Users(cynet.Linear(4, 4), spare), Users(spare)
    other(rows(1))
    model(rows(1))
    other(rows(2))
    assert model.backward(rows(3)).shape == (3, 4) and other.backward(rows(3)).shape == (3, 4)


def test_a_pass_without_gradients_and_copies_take_no_pass_away():
    model = Users(Users(cynet.Linear(4, 4)))
    model(rows(1))
    copied = copy.deepcopy(model)
    copied(rows(2))
    assert copied.backward(rows(3)).shape == model.backward(rows(3)).shape
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        model.backward(rows(3))


class Twice(Users):
    """Its class's passes, and the one above's."""

    def forward(self, x):
        return super().forward(super().forward(x))

    def backward(self, dy):
        return super().backward(dy)


def test_methods_that_call_those_of_the_class_above():
    model = Twice(cynet.ReLU())
    model(rows(1))
    np.testing.assert_array_equal(model.backward(rows(2)), rows(2) * (rows(1) > 0))
    assert Twice.forward.__name__ == "forward" and Twice.__doc__


# -- several passes at once --------------------------------------------------------------------------------
def nets():
    cynet.seed(3)
    shared = Linear(4, 4)
    return {
        "sequential": Sequential(shared, BatchNorm1d(4), ReLU(), shared, cynet.Tanh()),
        "residual": Sequential(Residual(Sequential(shared, BatchNorm1d(4)), shared), ReLU(), shared),
        "concat": Sequential(Concat(shared, cynet.Tanh(), shared), Linear(12, 4)),
        "a user's": Users(Users(Sequential(shared, cynet.GELU(), shared))),
        "one layer": shared,
        "evaluated": Sequential(shared, BatchNorm1d(4), ReLU(), shared).eval(),
    }


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("name", nets())
def test_passes_that_are_open_at_once_are_each_followed_by_their_own_backward(name, order):
    model = nets()[name]
    alone = []
    for i in range(3):
        model.zero_grad()
        y = model(rows(i))
        alone.append([model.backward(rows(9) * y), *(p.grad.copy() for p in model.parameters())])
    outputs = [(model(rows(i)), model.last_pass) for i in range(3)]
    for i in order:
        model.zero_grad()
        y, made = outputs[i]
        found = [made.backward(rows(9) * y), *(p.grad for p in model.parameters())]
        for got, wanted in zip(found, alone[i], strict=True):
            np.testing.assert_array_equal(got, wanted)
        with pytest.raises(RuntimeError, match="wanted a pass to follow, got one that was followed"):
            made.backward(rows(9))
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        model.backward(rows(9))


def test_a_backward_of_the_model_follows_its_last_pass_once():
    model = nets()["sequential"]
    model(rows(1))
    made = model.last_pass
    model.backward(rows(2))
    assert model.last_pass is None and "followed" in repr(made)
    with pytest.raises(RuntimeError, match="got one that was followed"):
        made.backward(rows(2))


def test_shared_layers_at_several_places_agree_with_the_twin_of_float64():
    """Both passes of a net whose linear layer stands at three places, two inputs before two backwards."""
    cynet.seed(1)
    shared = Linear(4, 4)
    model = Sequential(shared, cynet.Tanh(), Residual(Sequential(shared, cynet.Tanh()), shared))
    weight, bias = shared.weight.data.astype(float), shared.bias.data.astype(float)

    def twin(x, dy):
        a = np.tanh(x @ weight.T + bias)
        b = np.tanh(a @ weight.T + bias)
        db = dy * (1 - b * b)
        da = db @ weight + dy @ weight
        dz = da * (1 - a * a)
        return b + a @ weight.T + bias, dz @ weight, db.T @ a + dy.T @ a + dz.T @ x

    made = [(x, model(x), model.last_pass) for x in (rows(1), rows(2))]
    for (x, y, done), dy in zip(made, (rows(3), rows(4)), strict=True):
        model.zero_grad()
        dx = done.backward(dy)
        for got, wanted in zip((y, dx, shared.weight.grad), twin(x.astype(float), dy), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
