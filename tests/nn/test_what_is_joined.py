"""Which layers run as one step, in plans for evaluation and in training, and where plans write."""

import itertools

import numpy as np
import pytest
from helpers import frozen

import cynet
from cynet import BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Residual, Sequential, nn
from cynet.core import threads
from cynet.nn import Conv1d, ReLU6
from cynet.nn.compile import chains, inference

IMAGES, SEQUENCES, ROWS = (3, 6, 6, 8), (3, 7, 8), (3, 8)
PRODUCTS = [
    (lambda: Conv2d(8, 8, 3, padding=1), BatchNorm2d, IMAGES),
    (lambda: Conv1d(8, 8, 3, padding=1), BatchNorm1d, SEQUENCES),
    (lambda: Linear(8, 8), BatchNorm1d, ROWS),
    (lambda: Linear(8, 40), BatchNorm1d, ROWS),
    (lambda: Linear(8, 8), BatchNorm1d, SEQUENCES),
]
CURVES = ["ReLU", "ReLU6", "GELU", "SiLU", "Sigmoid", "Tanh", "Hardsigmoid", "Hardswish"]


def drawn(*shape):
    return frozen(4 * np.random.default_rng(0).standard_normal(shape))


def planned(model, shape):
    """The plan of a model in evaluation mode, whose output is that of its layers one by one."""
    x = wanted = drawn(*shape)
    model.eval()
    for layer in model:
        wanted = layer(wanted)
    with cynet.no_grad():
        y = model(x)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    (plan,) = model._plans[x.shape]
    return plan


def kinds(steps):
    return [type(step).__name__ for step in steps]


def norm_of(kind, channels):
    norm = kind(channels)
    rng = np.random.default_rng(1)
    norm.running_mean[:], norm.running_var[:] = rng.standard_normal(channels), rng.random(channels) + 0.1
    return norm


@pytest.mark.parametrize(("product", "norms", "shape"), PRODUCTS)
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("curve", [None, ReLU, ReLU6])
def test_in_a_plan_a_product_is_one_step_with_the_norm_and_the_relu_after_it(
    product, norms, shape, norm, curve
):
    cynet.seed(0)
    first = product()
    layers = [
        first,
        *([norm_of(norms, first.weight.shape[0])] if norm else []),
        *([curve()] if curve else []),
    ]
    assert kinds(planned(Sequential(*layers), shape)._steps) == ["Convolve"]


@pytest.mark.parametrize("name", CURVES)
def test_in_a_plan_a_curve_is_its_kernel_alone(name):
    plan = planned(Sequential(getattr(nn, name)()), IMAGES)
    assert kinds(plan._steps) == ["Curve"] and not plan._called


@pytest.mark.parametrize(("layers", "steps"), [
    ((MaxPool2d(2),), ["function"]), ((MaxPool2d((51, 5), padding=(25, 2)),), ["function"]),
    ((nn.MaxPool2d(16, 1, padding=8),), ["Called"]), ((cynet.GlobalAvgPool2d(),), ["GlobalMean"]),
    ((Flatten(), Linear(288, 40)), ["Rows", "Convolve"]), ((Flatten(), Linear(288, 3)), ["Rows", "Convolve"]),
    ((Flatten(), ReLU()), ["Called", "Curve"]),
    ((cynet.Dropout(), nn.Dropout2d(), nn.DropPath(0.5)), []),
    ((ReLU(), cynet.Dropout(), Conv2d(8, 2, 1)), ["Curve", "Convolve"]),
    ((Residual(Conv2d(8, 8, 1)), ReLU()), ["Sum"]),
    ((Residual(Conv2d(8, 8, 1), MaxPool2d(1)),), ["Sum"]), ((BatchNorm2d(8), ReLU()), ["Called", "Curve"]),
], ids=str)  # fmt: skip
def test_what_else_a_plan_has_a_step_for(layers, steps):
    assert kinds(planned(Sequential(*layers), IMAGES)._steps) == steps


@pytest.mark.parametrize(("layers", "shape", "steps"), [
    *(((norm(8), curve()), shape, ["NormReLU"])
      for (norm, shape), curve in itertools.product(
          [(BatchNorm2d, IMAGES), (BatchNorm1d, ROWS), (BatchNorm1d, SEQUENCES)], [ReLU, ReLU6])),
    ((Conv2d(8, 8, 1), BatchNorm2d(8), ReLU(), MaxPool2d(2)), IMAGES, ["Conv2d", "NormReLUPool"]),
    ((BatchNorm2d(8), ReLU(), MaxPool2d(16, 1, padding=8)), IMAGES, ["NormReLU", "MaxPool2d"]),
    ((BatchNorm2d(8), ReLU6(), MaxPool2d(2)), IMAGES, ["NormReLU", "MaxPool2d"]),
    ((BatchNorm2d(8), MaxPool2d(2)), IMAGES, ["BatchNorm2d", "MaxPool2d"]),
    ((Residual(Conv2d(8, 8, 1)), ReLU()), IMAGES, ["SumReLU"]),
    ((Residual(Conv2d(8, 8, 1)), ReLU6()), IMAGES, ["Residual", "ReLU6"]),
    ((Flatten(), Linear(288, 3)), IMAGES, ["FlattenLinear"]),
    ((Flatten(), Linear(288, 40)), IMAGES, ["Flatten", "Linear"]),
    ((Conv2d(8, 8, 1), ReLU()), IMAGES, ["Conv2d", "ReLU"]),
    ((nn.GRU(8, 3),), SEQUENCES, ["GRU"]),
])  # fmt: skip
def test_what_is_one_step_in_training(layers, shape, steps):
    model, x = Sequential(*layers).train(), drawn(*shape)
    model.backward(np.ones_like(model(x)))
    assert kinds(chains.steps_of(model).steps) == steps


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_an_embedding_and_the_units_after_it_are_one_step_in_training(kind):
    model = Sequential(nn.Embedding(5, 4), kind(4, 3), Linear(3, 5))
    model.backward(np.ones_like(model(np.array([[1, 2, 4], [0, 0, 3]]))))
    assert kinds(chains.steps_of(model).steps) == ["Vectors", "Linear"]


def places(plan):
    """Where in memory the steps of a plan write."""
    arrays = [getattr(step, "y", None) for step in plan._steps]
    return [array.__array_interface__["data"][0] for array in arrays if array is not None]


def test_a_plan_of_a_chain_writes_in_two_places_in_turn_and_curves_in_place():
    model = Sequential(*(layer for _ in range(5) for layer in (Conv2d(8, 8, 1), cynet.Tanh())))
    found = places(planned(model, IMAGES))
    assert found[::2] == found[1::2] and len(set(found)) == 2
    assert found[0] == found[4] == found[8] != found[2] == found[6]


def test_what_is_small_is_written_where_there_is_just_room_enough():
    """Of two places that are free the smaller one, so that the larger is left for what needs it."""
    wide = Sequential(Conv2d(8, 32, 1), Conv2d(32, 8, 3, padding=1))  # which adds the sum while it writes
    model = Sequential(*wide, Residual(wide), Conv2d(8, 8, 1), Conv2d(8, 32, 1))
    plan = planned(model, IMAGES)
    assert [len(buffer) // (3 * 6 * 6) for buffer in plan._spare] == [8, 8]
    assert places(plan)[0] == places(plan)[-1]


def test_branches_of_a_graph_write_where_others_are_read_no_more():
    x = cynet.Input(IMAGES[1:])
    values = [Conv2d(8, 8, 1)(x)]
    for _ in range(6):  # each sum takes three values, so that it is no block
        a, b = Conv2d(8, 8, 1)(values[-1]), Conv2d(8, 8, 1)(values[-1])
        values.append(cynet.Multiply()(cynet.Add()(a, b, values[-1]), b))
    graph = cynet.Graph(x, values[-1])
    with cynet.no_grad():
        graph.eval()(drawn(*IMAGES))
    (plan,) = graph._plans[IMAGES]
    (branches,) = plan._steps
    arrays = [y for _, _, y in branches.steps if y is not None]
    arrays += [step.y for own, _, y in branches.steps if y is None for step in own]
    found = {array.__array_interface__["data"][0] for array in arrays}
    assert len(arrays) == 25 and len(found) <= 4


def test_plans_of_two_shapes_and_eight_of_each_are_kept():
    assert (inference.SHAPES, inference.PLANS) == (2, 8)
    model = Sequential(Conv2d(8, 4, 1)).eval()
    with cynet.no_grad():
        for batch in (1, 2, 1, 3, 4):
            model(drawn(batch, 2, 2, 8))
    assert [shape[0] for shape in model._plans] == [3, 4]


@pytest.mark.parametrize(("layer", "shape", "least"), [
    (lambda: Conv2d(8, 8, 3, padding=1), (6, 6, 8), 51), (lambda: Conv2d(8, 8, 1), (6, 6, 8), 456),
    (lambda: Linear(64, 512), (64,), 32), (lambda: cynet.GlobalAvgPool2d(), (6, 6, 8), 456),
    (lambda: Conv2d(8, 8, 3, padding=1, groups=8), (6, 6, 8), 102),
])  # fmt: skip
def test_steps_of_a_million_multiply_adds_have_all_threads(layer, shape, least):
    """A number of a mean counts for eight, a multiply-add of a depth-wise layer for four."""
    before = threads.get_num_threads()
    threads.set_num_threads(4)
    try:
        for batch, wanted in ((least - 1, 1), (least, 4)):
            (step,) = planned(Sequential(layer()), (batch, *shape))._steps
            assert step.threads == min(wanted, threads.get_num_threads())
    finally:
        threads.set_num_threads(before)
