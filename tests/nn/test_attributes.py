"""Every attribute of every registered layer, set to odd values before a pass and between its two halves.

Nothing ends the process, goes on for ever, or gives a number that a layer built so would not give: what
cannot be is a TypeError or ValueError that names the attribute, and backward gives the gradient of the pass
that was made.
"""

import copy
import itertools

import numpy as np
import pytest
from examples import LEAVES, assert_same, built, normal

import cynet

IMAGES = normal((2, 9, 9, 4))
ODD = [
    None, True, 0, 1, 2, 3, 5, 7, 50, -1, 2**31, 2**63, 1.5, float("nan"), float("inf"), "", "same", "x",
    (), (0, 0), (1,), (1, 1), (2, 2), (3, 3), (7, 7), (50, 50), (2**31, 2**31), (-1, 1), (1.5, 2), (1, 2, 3),
    (0, 1, 2, 0), [2, 2], [], {}, object(), np.zeros(4, np.float32), np.zeros(8, np.float32)[::2],
    np.zeros(4), np.ones((2, 2)), np.array([1, 1]), np.int64(2), np.zeros((), np.int64),
    cynet.Parameter(np.ones(4)), cynet.Parameter(np.ones((8, 4))), cynet.Parameter(np.ones((8, 4, 3, 3))),
    cynet.ReLU(),
]  # fmt: skip
FREE = ("training", "input_grad")  # taken as true or false


def attributes(layer):
    return [*vars(layer), *FREE]


CASES = [pytest.param(kind, name, id=f"{kind}-{name}") for kind in LEAVES for name in attributes(built(kind))]


def new(kind):
    return built(kind), normal(LEAVES[kind])


def ran(layer, x):
    """(output, gradients) of one pass, or the error, which names what is amiss."""
    cynet.seed(2)
    y = layer(x)
    layer.zero_grad()
    dx = layer.backward(np.ones_like(y))
    return [y, *([] if dx is None else [dx]), *(p.grad.copy() for p in layer.parameters())]


def named(name, error):
    """Whether an error says what was wanted; arrays in place of a flag NumPy itself refuses."""
    return "wanted" in str(error) or (name in FREE and "truth value" in str(error))


def outcome(layer, x):
    try:
        return ran(layer, x)
    except (TypeError, ValueError) as error:
        return error


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_set_before_the_forward_pass_a_layer_does_what_one_built_so_does(kind, name):
    used, x = new(kind)
    before = ran(used, x)
    planned = dict(vars(used))  # with its plans: so it is again before each value is set
    for value in ODD:
        vars(used).clear()
        vars(used).update(planned)
        same = value is True and type(getattr(used, name)) is int  # 1 is also True
        setattr(used, name, copy.deepcopy(value))
        fresh = copy.deepcopy(used)  # it has none
        found, wanted = outcome(used, x), outcome(fresh, x)
        if isinstance(wanted, Exception) and not (same and isinstance(found, list)):
            assert isinstance(found, Exception), (value, found, wanted)
            assert named(name, wanted) and named(name, found), (value, wanted, found)
            continue
        wanted = before if isinstance(wanted, Exception) else wanted
        assert not isinstance(found, Exception), (value, found)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other, value)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_set_between_the_passes_backward_gives_the_gradient_of_the_pass_that_was_made(kind, name):
    if name == "input_grad":
        return  # says whether that gradient is wanted at all
    wanted = ran(*new(kind))
    for value in ODD:
        layer, x = new(kind)
        layer(x)  # it has plans
        cynet.seed(2)
        y = layer(x)
        parameters = layer.parameters()
        setattr(layer, name, copy.deepcopy(value))
        try:
            dx = layer.backward(np.ones_like(y))
        except (TypeError, ValueError) as error:
            assert name in str(error) and "wanted" in str(error), (value, error)
            continue
        found = [y, dx, *(p.grad for p in parameters)]
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other, value)


SEQUENTIALS = {
    "norm, relu": lambda: cynet.Sequential(cynet.BatchNorm2d(4), cynet.ReLU()),
    "norm, relu, pool": lambda: cynet.Sequential(cynet.BatchNorm2d(4), cynet.ReLU(), cynet.MaxPool2d(3, 2)),
    "flatten, linear": lambda: cynet.Sequential(cynet.Flatten(), cynet.Linear(324, 8)),
}


@pytest.mark.parametrize("kind", SEQUENTIALS)
def test_of_layers_that_run_as_one_too(kind):
    inner = [
        (i, name)
        for i, layer in enumerate(SEQUENTIALS[kind]().layers)
        for name in attributes(layer)
        if name != "input_grad"
    ]
    for (i, name), value in itertools.product(inner, ODD):
        cynet.seed(1)
        model = SEQUENTIALS[kind]()
        wanted = ran(model, IMAGES)
        model.zero_grad()
        y, parameters = model(IMAGES), model.parameters()
        setattr(model[i], name, copy.deepcopy(value))
        try:
            dx = model.backward(np.ones_like(y))
        except (TypeError, ValueError) as error:
            assert name in str(error) and "wanted" in str(error), (name, value, error)
            continue
        for one, other in zip([y, dx, *(p.grad for p in parameters)], wanted, strict=True):
            assert_same(one, other, (name, value))


LISTS = [
    (lambda: cynet.Conv2d(4, 4, 3, padding=2), "stride", [1, 1], 2),
    (lambda: cynet.Conv2d(4, 4, 3, padding=2), "padding", [2, 2], 0),
    (lambda: cynet.AvgPool2d(2), "stride", [2, 2], 1),
    (lambda: cynet.AvgPool2d(2), "kernel_size", [2, 2], 3),
    (lambda: cynet.MaxPool2d(3, 2), "padding", [0, 0, 0, 0], 1),
]


@pytest.mark.parametrize("around", [lambda layer: layer, cynet.Sequential])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("make", "name", "value", "other"), LISTS, ids=lambda value: str(value)[:12])
def test_a_list_that_is_changed_in_place_is_noticed(make, name, value, other, training, around):
    layer, twin, sizes = make(), make(), list(value)
    twin.load_state_dict(layer.state_dict())
    setattr(layer, name, sizes)
    model = around(layer).train(training)
    before = model(IMAGES)
    sizes[0] = other
    setattr(twin, name, tuple(sizes))
    wanted, y = around(twin).train(training)(IMAGES), model(IMAGES)
    assert not np.array_equal(y, before)
    np.testing.assert_array_equal(y, wanted)
