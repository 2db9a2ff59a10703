"""What layers and models work out for a shape once they keep: passes after it do not work it out again."""

import numpy as np
import pytest

import cynet
from cynet import nn
from cynet.nn.compile import chains
from cynet.nn.compile.nesting import Nested

LAYERS = [
    (lambda: cynet.Conv2d(4, 6, 3), (2, 7, 8, 4)),
    (lambda: nn.Conv1d(4, 6, 3), (2, 9, 4)),
    (lambda: nn.ConvTranspose2d(4, 6, 3), (2, 5, 4, 4)),
    (lambda: cynet.Linear(4, 8), (3, 4)),
    (lambda: cynet.Linear(4, 70), (3, 4)),
    (lambda: cynet.BatchNorm2d(4), (2, 5, 4, 4)),
    (lambda: cynet.BatchNorm1d(4), (6, 4)),
    (lambda: cynet.MaxPool2d(2), (2, 6, 6, 4)),
    (lambda: nn.AvgPool2d(2), (2, 6, 6, 4)),
    (lambda: nn.MaxPool1d(2), (2, 6, 4)),
    (lambda: nn.AvgPool1d(2), (2, 6, 4)),
    (lambda: nn.Upsample(scale_factor=2), (2, 3, 4, 4)),
    (lambda: nn.Upsample((5, 7), mode="bilinear"), (2, 3, 4, 4)),
    (lambda: nn.AdaptiveAvgPool2d((2, 3)), (2, 4, 5, 4)),
]


def drawn(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("make", "shape"), LAYERS, ids=[repr(make()) for make, _ in LAYERS])
def test_a_layer_keeps_what_it_worked_out_for_a_shape(make, shape):
    layer, x = make(), drawn(*shape)
    y = layer(x)
    question, answer = layer._worked_out
    assert answer is not None and question
    layer.backward(np.ones_like(y))
    for again in (lambda: layer(x), lambda: layer.forward(x), lambda: layer.eval()(x)):
        again()
        assert layer._worked_out[1] is answer
    more = layer.train()(np.concatenate([x, x]))
    assert more.shape == (2 * len(y), *y.shape[1:]) and layer(x).shape == y.shape


def branches():
    """A net that is no chain, nor blocks with a sum."""
    x = cynet.Input((6, 6, 4))
    a = cynet.Conv2d(4, 4, 1)(x)
    b = cynet.Conv2d(4, 4, 1)(a)
    c = cynet.Add()(a, b)
    d = cynet.Add()(b, c)
    return cynet.Graph(x, cynet.Multiply()(d, c))


@pytest.mark.parametrize("make", [
    lambda: cynet.Sequential(cynet.Conv2d(4, 4, 1), cynet.BatchNorm2d(4), cynet.ReLU()),
    lambda: cynet.Sequential(cynet.Residual(cynet.Conv2d(4, 4, 1)), cynet.ReLU()),
    branches,
], ids=["chain", "block", "graph"])  # fmt: skip
def test_the_steps_of_a_training_pass_are_made_once(make):
    model, x = make(), drawn(2, 6, 6, 4)
    y = model(x)
    steps = chains.steps_of(model)
    for _ in range(2):
        model.backward(np.ones_like(y))
        model(x)
        assert chains.steps_of(model) is steps and model._training_steps is steps
    model.eval()(x)
    model.train()(drawn(3, 6, 6, 4))
    assert model._training_steps is steps


def test_a_graph_is_read_as_chains_once():
    model, x = branches(), drawn(2, 6, 6, 4)
    model(x)
    found = model._nested
    assert [type(layer) for layer in found] == [Nested]
    model(x)
    assert model._nested is found
