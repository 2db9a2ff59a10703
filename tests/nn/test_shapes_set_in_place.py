"""Shapes and dtypes set in place between the passes: refused, where kernels would leave their arrays."""

import numpy as np
import pytest

import cynet
from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.linear.thin_linear import ThinLinear

pytestmark = pytest.mark.filterwarnings(
    "ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning"
)
LAYERS = {  # arguments, the input's shape, another for it, another for the weights
    "any": (cynet.Conv2d, (6, 4, 5, 1, 2), (2, 8, 8, 6), (2, 64, 1, 6), (4, 5, 5, 6)),
    "winograd": (cynet.Conv2d, (8, 16, 3, 1, 1), (2, 8, 8, 8), (1, 8, 16, 8), (128, 1, 3, 3)),
    "thin": (cynet.Conv2d, (3, 8, 5, 1, 2), (2, 16, 16, 3), (32, 16, 1, 3), (8, 5, 5, 3)),
    "depthwise": (cynet.Conv2d, (8, 8, 3, 1, 1, 1, 8), (2, 8, 8, 8), (1, 8, 16, 8), (1, 8, 3, 3)),
    "linear": (cynet.Linear, (8, 40), (6, 8), (8, 6), (8, 40)),
    "thin linear": (cynet.Linear, (8, 4), (6, 8), (8, 6), (4, 2, 4)),
}


@pytest.fixture(params=LAYERS)
def case(request):
    """(layer, x, y, another shape for x, another for the weights) after a forward pass."""
    kind, arguments, shape, *others = LAYERS[request.param]
    layer, x = kind(*arguments), np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return layer, x, layer(x), *others


def test_of_the_input(case):
    layer, x, y, other, _ = case
    x.shape = other
    with pytest.raises(ValueError, match="x: wanted shape"):
        layer.backward(y)


@pytest.mark.parametrize("what", ["data", "grad"])
def test_of_the_weights(case, what):
    layer, _, y, _, other = case
    getattr(layer.weight, what).shape = other
    with pytest.raises(ValueError, match="weight: wanted float32 data and grad of shape"):
        layer.backward(y)


@pytest.mark.parametrize("what", ["data", "grad"])
@pytest.mark.parametrize("name", ["weight", "bias"])
@pytest.mark.parametrize("odd", [{"shape": (1, -1)}, {"dtype": np.dtype(np.int32)}], ids=str)
@pytest.mark.parametrize("make", [lambda: cynet.Linear(4, 4), lambda: cynet.BatchNorm1d(4)])
def test_of_any_parameter(make, name, what, odd):
    layer = make()
    y = layer(np.ones((3, 4), np.float32))
    for attribute, value in odd.items():
        setattr(getattr(getattr(layer, name), what), attribute, value)
    with pytest.raises(ValueError, match=f"{name}: wanted float32 data and grad of shape .* got "):
        layer.backward(y)


def test_a_dtype_set_before_the_forward_pass():
    layer = cynet.Linear(4, 4)
    layer.weight.data.dtype = np.int32
    with pytest.raises(ValueError, match="weight: wanted a parameter of float32, got int32"):
        layer(np.eye(4, dtype=np.float32))


def test_of_the_output_of_softmax():
    layer, dy = cynet.Softmax(), np.arange(12, dtype=np.float32).reshape(3, 4)
    y = layer(dy)
    wanted = layer.backward(dy)
    y = layer(dy)
    y.shape = 4, 3
    np.testing.assert_array_equal(layer.backward(dy), wanted)


@pytest.mark.parametrize("name", LAYERS)
def test_the_products_themselves_compare(name):
    kind, arguments, shape, other, _ = LAYERS[name]
    if kind is cynet.Linear:
        products = ThinLinear(6, 8, 4)
        y, w = (6, 4), (4, 8)
    else:
        _, out, kernel, _, around, *others = arguments
        window = (kernel, kernel), (1, 1), (around,) * 4
        products = convolution.choose(Problem.of(shape, out, *window, *others[1:]))
        y, w = (*shape[:3], out), products.weight_shape
    x, y, w, other = (np.zeros(s, np.float32) for s in (shape, y, w, other))
    for call, wanted in (
        (lambda: products.forward(other, w), "x"), (lambda: products.forward(x, w[:-1]), "weight.data"),
        (lambda: products.input_gradient(y[1:], w), "dy"),
        (lambda: products.input_gradient(y, w[:-1]), "weight.data"),
        (lambda: products.weight_gradient(other, y, w), "x"),
        (lambda: products.weight_gradient(x, y[1:], w), "dy"),
        (lambda: products.weight_gradient(x, y, w[:-1]), "weight.grad"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"{wanted}: wanted shape"):
            call()


@pytest.mark.parametrize("name", ["weight", "bias"])
@pytest.mark.parametrize("change", ["assigned", "loaded"])
@pytest.mark.parametrize(
    "make", [lambda: cynet.Linear(4, 4), lambda: cynet.Conv2d(4, 4, 1), lambda: cynet.BatchNorm1d(4)]
)
@pytest.mark.parametrize("around", [lambda layer: layer, lambda layer: cynet.Sequential(layer, cynet.ReLU())])
def test_values_assigned_between_the_passes_are_refused(make, around, change, name):
    layer = make()
    model, shape = around(layer), (2, 3, 3, 4) if isinstance(layer, cynet.Conv2d) else (6, 4)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    y = model(x)
    if change == "assigned":
        parameter = getattr(layer, name)
        parameter.data = parameter.data * 2
    else:
        model.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="wanted the values of the forward pass, got others"):
        model.backward(y)
    model(x)
    assert model.backward(y).shape == x.shape
