"""The twins against finite differences."""

import numpy as np
import pytest
import reference
from examples import EXAMPLES, made, twin

import cynet

STEP = 1e-6

# Windows that no example of a layer has.
TWINS = {
    "max_pool": (lambda x: reference.max_pool(x, (3, 2), (2, 1), (1, 0, 1, 1)), (2, 5, 4, 3)),
    "max_pool stride > size": (lambda x: reference.max_pool(x, (2, 2), (3, 3), (0, 1, 0, 0)), (1, 6, 7, 2)),
    "avg_pool": (lambda x: reference.avg_pool(x, (3, 3), (2, 2), (1, 1, 0, 2)), (2, 5, 4, 3)),
}


def differences(f, x):
    """The gradient of the number f(x) by central differences."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += STEP
        down[index] -= STEP
        gradient[index] = (f(up) - f(down)) / (2 * STEP)
    return gradient


@pytest.mark.parametrize("name", TWINS)
def test_twin_gradient(name):
    twin, shape = TWINS[name]
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape)
    y, backward = twin(x)
    dy = rng.standard_normal(y.shape)
    wanted = differences(lambda x: (twin(x)[0] * dy).sum(), x)
    np.testing.assert_allclose(backward(dy), wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("call", EXAMPLES)
def test_the_twin_of_every_layer(call, training):
    """Along drawn directions of the input and of each parameter."""
    layer, rng = made(call).train(training), np.random.default_rng(1)
    x = rng.standard_normal(EXAMPLES[call])

    def found(x):
        cynet.seed(2)
        with cynet.no_grad():
            return twin(layer, x)

    y, backward = found(x)
    dy = rng.standard_normal(y.shape)
    gradients = backward(dy)
    assert set(gradients) == {"input", *(parameter.name for parameter in layer.parameters())}
    for _ in range(3):
        way = rng.standard_normal(x.shape)
        up, down = (((found(x + step * way)[0]) * dy).sum() for step in (STEP, -STEP))
        slope = (gradients["input"] * way).sum()
        np.testing.assert_allclose(slope, (up - down) / (2 * STEP), rtol=1e-6, atol=1e-6)
    for parameter in layer.parameters():
        kept, way = parameter.data.copy(), rng.standard_normal(parameter.shape).astype(np.float32)
        values, sums = [], []
        for step in (2.0**-16, -(2.0**-16)):
            parameter.data = kept + step * way
            values.append(parameter.data.astype(float))  # in float32: another step than was meant
            sums.append((found(x)[0] * dy).sum())
        parameter.data = kept
        rise = (gradients[parameter.name] * (values[0] - values[1])).sum()
        np.testing.assert_allclose(rise, sums[0] - sums[1], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.5, 3.0, 0.0, 2.0])], ids=["", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_gradient(smoothing, weight):
    logits = np.random.default_rng(2).standard_normal((4, 5)) * 3
    labels = np.array([0, 4, 2, 2])
    _, backward = reference.cross_entropy(logits, labels, smoothing, weight)
    wanted = differences(lambda x: reference.cross_entropy(x, labels, smoothing, weight)[0], logits)
    np.testing.assert_allclose(backward(), wanted, rtol=1e-6, atol=1e-8)


def test_squared_error_gradient():
    y, target = np.random.default_rng(3).standard_normal((2, 4, 5))
    _, backward = reference.squared_error(y, target)
    wanted = differences(lambda y: reference.squared_error(y, target)[0], y)
    np.testing.assert_allclose(backward(), wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "wanted"),
    [
        (32, 3, 1, (1, 1)),
        (32, 3, 2, (1, 0)),
        (5, 2, 2, (0, 1)),
        (6, 1, 4, (0, 0)),
        (1, 3, 1, (1, 1)),
        (7, 4, 3, (1, 2)),
    ],
)
def test_same_padding(size, kernel, stride, wanted):
    assert reference.same_padding(size, kernel, stride) == wanted
