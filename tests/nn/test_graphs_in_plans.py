"""Graphs in plans for evaluation: what layers hand on, and sums of several ways."""

import copy

import numpy as np
import pytest
from helpers import frozen

import cynet
from cynet import (
    Add,
    Concatenate,
    Conv2d,
    Dropout,
    Dropout2d,
    DropPath,
    Graph,
    Input,
    Multiply,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
)
from cynet.nn.passes import layer_by_layer


def normal(shape):
    return frozen(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


class Same(cynet.Layer):
    """A user's layer that hands its input on."""

    def forward(self, x):
        return x


@pytest.mark.parametrize("hands_on", [
    lambda: Reshape((6, 5, 4)), lambda: Dropout(0.5), lambda: DropPath(0.5), lambda: Dropout2d(0.5), Same,
    lambda: Sequential(Same(), Same()), lambda: Sequential(Reshape((-1,)), Reshape((6, 5, 4))),
], ids=["Reshape", "Dropout", "DropPath", "Dropout2d", "Same", "chain", "flat"])  # fmt: skip
@pytest.mark.parametrize("others", [1, 3])
def test_what_a_layer_hands_on_is_kept_in_evaluation_until_its_last_use(hands_on, others):
    """The place of a value is not given away while what was handed on of it is still to be read."""
    cynet.seed(4)
    x = Input((6, 5, 4))
    h = Conv2d(4, 4, 3, padding=1)(x)
    t = Tanh()(h)
    handed = hands_on()(h)  # nothing takes h after this
    for _ in range(others):
        t = Add()(Conv2d(4, 4, 1)(t), Conv2d(4, 4, 1)(x))
    for end in (Concatenate()(t, handed), Add()(handed, t), Multiply()(t, handed), Add()(ReLU()(handed), t)):
        model, a = Graph(x, end).eval(), normal((3, 6, 5, 4))
        again = copy.deepcopy(model)
        with cynet.no_grad():
            found = [model(a).copy() for _ in range(2)]
            again.compiler = None
            with layer_by_layer():
                wanted = again(a)
        for y in found:
            np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("ways", [2, 3, 5])
@pytest.mark.parametrize("around", [True, False])
def test_a_sum_of_any_number_of_ways_from_one_value(ways, around, training):
    """Two of them are a residual block; more are none, whether or not one goes around."""
    cynet.seed(6)
    x, a = Input((5, 4, 3)), normal((2, 5, 4, 3))
    layers = [Sequential(Conv2d(3, 3, 1), Tanh()) for _ in range(ways - around)]
    model = Graph(x, ReLU()(Add()(*(layer(x) for layer in layers), *([x] if around else [])))).train(training)
    wanted = np.maximum(sum(layer(a) for layer in layers) + (a if around else 0), 0)
    with cynet.no_grad():
        np.testing.assert_allclose(model(a), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model(a), wanted, rtol=1e-5, atol=1e-6)
    assert model.backward(np.ones_like(a)).shape == a.shape
