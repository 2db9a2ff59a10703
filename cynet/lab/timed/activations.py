"""Activations against the clock."""

from math import exp

import numpy as np

from cynet.core.threads import get_num_threads
from cynet.kernels.pointwise import activation

from ..contest import Contest, contest
from ..exercises.activations import SLOPE

SIZES = (4096,), (262_144,), (4_194_304,)
PART = 2048


def _part(values, *names):
    return [values[name][:PART].tolist() for name in names], min(1.0, PART / len(values["x"]))


def _textbook(values):
    (x,), share = _part(values, "x")

    def step():
        return (
            [1 / (1 + exp(-value)) for value in x],
            [value if value > 0 else 0.0 for value in x],
            [value if value > 0 else SLOPE * value for value in x],
        )

    return step, share


def _numpy(values):
    x = values["x"]
    return lambda: (1 / (1 + np.exp(-x)), np.maximum(x, 0), np.where(x > 0, x, np.float32(SLOPE) * x))


def _cynet(values):
    x, threads = values["x"], get_num_threads()
    one, two, three = np.empty((3, len(x)), np.float32)

    def step():
        activation.sigmoid(x, one, threads)
        activation.relu(x, two, threads)
        activation.leaky_relu(x, three, SLOPE, threads)
        return one, two, three

    return step


def _torch(values, torch):
    x, of = torch.from_numpy(values["x"].copy()), torch.nn.functional
    return lambda: (torch.sigmoid(x), of.relu(x), of.leaky_relu(x, SLOPE))


def _textbook_back(values):
    (x, y, d), share = _part(values, "x", "y", "d")

    def step():
        return (
            [b * a * (1 - a) for a, b in zip(y, d, strict=True)],
            [b if a > 0 else 0.0 for a, b in zip(x, d, strict=True)],
            [b if a > 0 else SLOPE * b for a, b in zip(x, d, strict=True)],
        )

    return step, share


def _numpy_back(values):
    x, y, d = values["x"], values["y"], values["d"]
    return lambda: (d * y * (1 - y), np.where(x > 0, d, 0), np.where(x > 0, d, np.float32(SLOPE) * d))


def _cynet_back(values):
    x, y, d, threads = values["x"], values["y"], values["d"], get_num_threads()
    one, two, three = np.empty((3, len(x)), np.float32)

    def step():
        activation.sigmoid_backward(y, d, one, threads)
        activation.relu_backward(x, d, two, threads)
        activation.leaky_relu_backward(x, d, three, SLOPE, threads)
        return one, two, three

    return step


def _torch_back(values, torch):
    x, d, of = (
        torch.from_numpy(values["x"].copy()).requires_grad_(),
        torch.from_numpy(values["d"].copy()),
        torch.nn.functional,
    )
    ys = torch.sigmoid(x), of.relu(x), of.leaky_relu(x, SLOPE)
    return lambda: [torch.autograd.grad(y, x, d, retain_graph=True) for y in ys]


@contest()
def activations():
    return (
        Contest(("logistic", "relu", "leaky_relu"), SIZES, lambda s: 12 * s["n"], lambda s: 24 * s["n"],
                _textbook, _numpy, _cynet, _torch),
        Contest(("logistic_gradient", "relu_gradient", "leaky_relu_gradient"), SIZES, lambda s: 6 * s["n"],
                lambda s: 36 * s["n"], _textbook_back, _numpy_back, _cynet_back, _torch_back),
    )  # fmt: skip
