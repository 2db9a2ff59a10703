"""Work that nobody wants is not done: gradients to the input of a net, and sums by a pass of their own."""

import numpy as np
import pytest
from helpers import frozen

import cynet
from cynet import BatchNorm2d, Concat, Conv2d, Flatten, Linear, ReLU, Residual, Sequential, nn
from cynet.kernels.conv.products import Products
from cynet.kernels.pointwise import arrays

X = frozen(np.random.default_rng(0).standard_normal((3, 6, 6, 8)))
SEQUENCES = frozen(X.reshape(3, 36, 8))


def conv(*more):
    return Sequential(Conv2d(8, 8, 1), *more)


NETS = {
    "conv": (lambda: [Conv2d(8, 4, 3), BatchNorm2d(4), ReLU()], X),
    "conv1d": (lambda: [nn.Conv1d(8, 4, 3), nn.BatchNorm1d(4), ReLU()], SEQUENCES),
    "thin": (lambda: [Flatten(), Linear(288, 3)], X),
    "wide": (lambda: [Linear(8, 40)], SEQUENCES),
    "linear": (lambda: [Linear(8, 3)], SEQUENCES),
    "sum": (lambda: [Residual(conv(), conv())], X),
    "sum, norm": (lambda: [Residual(conv(BatchNorm2d(8)), conv(BatchNorm2d(8)))], X),
    "sum, ReLU": (lambda: [Residual(conv(), Conv2d(8, 8, 1)), ReLU()], X),
    "sum, norm, ReLU": (lambda: [Residual(conv(BatchNorm2d(8)), Conv2d(8, 8, 1)), ReLU()], X),
    "identity": (lambda: [Residual(conv(BatchNorm2d(8))), ReLU()], X),
    "branches": (lambda: [Concat(Conv2d(8, 2, 1), conv(), Sequential())], X),
}


def gradients(model, x):
    for parameter in model.parameters():
        parameter.zero_grad()
    y = model(x)
    found = model.backward(frozen(np.random.default_rng(1).standard_normal(y.shape)))
    return found, [parameter.grad.copy() for parameter in model.parameters()]


@pytest.mark.parametrize("name", NETS)
def test_the_gradient_to_the_input_is_not_made_where_nobody_wants_it(name, monkeypatch):
    make, x = NETS[name]
    cynet.seed(0)
    model = Sequential(*make()).train()
    dx, wanted = gradients(model, x)
    assert dx.shape == x.shape
    model.input_grad = False

    def unwanted(*_):
        raise AssertionError("a gradient to the input was made")

    monkeypatch.setattr(Products, "input_gradient", unwanted)
    dx, found = gradients(model, x)
    assert dx is None
    for grad, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(grad, want)


@pytest.mark.parametrize("make", [
    lambda: Residual(Sequential(Conv2d(8, 8, 3, padding=1), BatchNorm2d(8))),
    lambda: Residual(Sequential(nn.Conv1d(8, 8, 3, padding=1), nn.BatchNorm1d(8))),
], ids=["images", "sequences"])  # fmt: skip
def test_the_gradient_around_a_block_is_added_while_that_of_its_convolution_is_written(make, monkeypatch):
    cynet.seed(0)
    block = make()
    x = X if isinstance(block.body[0], Conv2d) else SEQUENCES
    wanted = gradients(Sequential(block, ReLU()), x)[0]
    monkeypatch.setattr(arrays, "add", None)  # the pass that would do it by itself
    np.testing.assert_array_equal(gradients(Sequential(block, ReLU()), x)[0], wanted)
