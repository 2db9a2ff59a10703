"""Curves, number by number, and what passes its input on."""

from __future__ import annotations

import numpy as np

from cynet.nn.layer import Layer
from cynet.nn.layers.dropout import Dropout
from cynet.nn.layers.elu import ELU
from cynet.nn.layers.gelu import GELU
from cynet.nn.layers.hardsigmoid import Hardsigmoid
from cynet.nn.layers.hardswish import Hardswish
from cynet.nn.layers.leaky_relu import LeakyReLU
from cynet.nn.layers.prelu import PReLU
from cynet.nn.layers.relu import ReLU
from cynet.nn.layers.relu6 import ReLU6
from cynet.nn.layers.sigmoid import Sigmoid
from cynet.nn.layers.softplus import Softplus
from cynet.nn.layers.tanh import Tanh

from ..affine import scaled
from ..broadcasting import multiplied
from ..operation import Operation
from ..tensors import dtype_name
from ..values import BATCH, Laid
from .table import operator

FLOATS = 1, 10, 11, 16  # dtypes that numbers are cast to and stay as they are
LARGE = 1e30  # a bound of Clip from which on it is none
MOST_BOUND = 1000  # of others: numbers are shifted by it, and rounded


def curve(op: Operation, laid: Laid, layer: Layer) -> Laid:
    """A layer that takes each number by itself, and so any order of them."""
    return laid.on(op.call(layer, laid.symbol))


def line(op: Operation, laid: Laid, weight: float, bias: float) -> Laid:
    """weight * x + bias."""
    return scaled(op.net, laid, np.array(weight), np.array(bias))


@operator("Relu")
def relu(op: Operation) -> Laid:
    return curve(op, op.laid(), ReLU())


@operator("Sigmoid")
def sigmoid(op: Operation) -> Laid:
    return curve(op, op.laid(), Sigmoid())


@operator("Tanh")
def tanh(op: Operation) -> Laid:
    return curve(op, op.laid(), Tanh())


@operator("Softplus")
def softplus(op: Operation) -> Laid:
    return curve(op, op.laid(), Softplus())


@operator("HardSwish")
def hardswish(op: Operation) -> Laid:
    return curve(op, op.laid(), Hardswish())


@operator("Mish")
def mish(op: Operation) -> Laid:
    inner = curve(op, curve(op, op.laid(), Softplus()), Tanh())
    return multiplied(op.net, op.laid(), inner)


@operator("LeakyRelu")
def leaky_relu(op: Operation) -> Laid:
    return curve(op, op.laid(), LeakyReLU(op.number("alpha", 0.01)))


@operator("Abs")
def absolute(op: Operation) -> Laid:
    return curve(op, op.laid(), LeakyReLU(-1.0))


@operator("Elu")
def elu(op: Operation) -> Laid:
    return curve(op, op.laid(), ELU(op.number("alpha", 1.0)))


@operator("Selu")
def selu(op: Operation) -> Laid:
    alpha, gamma = op.number("alpha", 1.6732632), op.number("gamma", 1.0507010)
    return line(op, curve(op, op.laid(), ELU(alpha)), gamma, 0)


@operator("Celu")
def celu(op: Operation) -> Laid:
    alpha = op.number("alpha", 1.0)
    if alpha <= 0:
        raise ValueError(f"alpha: wanted a number above 0, got {alpha}")
    return line(op, curve(op, line(op, op.laid(), 1 / alpha, 0), ELU()), alpha, 0)


@operator("HardSigmoid")
def hard_sigmoid(op: Operation) -> Laid:
    """max(0, min(1, alpha x + beta)), where cynet's has 1/6 and 1/2."""
    alpha, beta = op.number("alpha", 0.2), op.number("beta", 0.5)
    laid = op.laid() if abs(6 * alpha - 1) < 1e-6 and beta == 0.5 else None
    laid = line(op, op.laid(), 6 * alpha, 6 * (beta - 0.5)) if laid is None else laid
    return curve(op, laid, Hardsigmoid())


@operator("Gelu")
def gelu(op: Operation) -> Laid:
    if op.text("approximate", "none") == "none":
        return curve(op, op.laid(), GELU())
    if op.text("approximate") != "tanh":
        raise ValueError(f"approximate: wanted 'none' or 'tanh', got {op.text('approximate')!r:.40}")
    x, net = op.laid(), op.net
    inner = multiplied(net, x, line(op, multiplied(net, x, x), 0.044715, 1.0))
    half = line(op, curve(op, line(op, inner, (2 / np.pi) ** 0.5, 0), Tanh()), 0.5, 0.5)
    return multiplied(net, x, half)


@operator("PRelu")
def prelu(op: Operation) -> Laid:
    laid, slope = op.laid(), op.weights(1)
    if slope.size == 1:
        layer = op.shared(lambda: op.with_weights(PReLU(), slope.reshape(1), None))
        return curve(op, laid, layer)
    sides = (1,) * (laid.rank - slope.ndim) + slope.shape
    wide = [i for i, side in enumerate(sides) if side > 1]
    if (
        len(sides) != laid.rank
        or len(wide) != 1
        or BATCH in laid.axes[wide[0]]
        or laid.size(wide[0]) != slope.size
    ):
        got = f"{slope.shape} for {op.net.told(laid)}"
        raise ValueError(f"input 1: wanted one slope, or one for each channel, got shape {got}")
    symbol, order = op.net.with_last(laid, laid.axes[wide[0]])
    layer = op.shared(lambda: op.with_weights(PReLU(slope.size), slope.reshape(-1), None))
    return laid.reordered(order, op.call(layer, symbol))


@operator("Clip")
def clip(op: Operation) -> Laid:
    """max(low, min(high, x)), of ReLU and ReLU6."""
    laid = op.laid()
    if op.opset < 11:
        low, high = op.number("min", -3.402823e38), op.number("max", 3.402823e38)
    else:
        low = op.scalar(1) if op.has(1) else -np.inf
        high = op.scalar(2) if op.has(2) else np.inf
    if not low < high:
        raise ValueError(f"wanted a lower bound below the upper one, got {low} and {high}")
    bounded = low > -LARGE, high < LARGE
    if any(has and not abs(n) <= MOST_BOUND for n, has in zip((low, high), bounded, strict=True)):
        raise ValueError(f"wanted bounds of at most {MOST_BOUND}, or none, got {low} and {high}")
    if bounded == (True, False):
        return line(op, curve(op, line(op, laid, 1, -low), ReLU()), 1, low)
    if bounded == (False, True):
        return line(op, curve(op, line(op, laid, -1, high), ReLU()), -1, high)
    if bounded == (False, False):
        return laid
    scale = (high - low) / 6
    return line(op, curve(op, line(op, laid, 1 / scale, -low / scale), ReLU6()), scale, low)


@operator("Dropout")
def dropout(op: Operation) -> Laid:
    op.single()
    op.integer("seed", 0)
    ratio = op.number("ratio", 0.5) if op.opset < 12 else op.scalar(1) if op.has(1) else 0.5
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio: wanted a number from 0 to 1, got {ratio}")
    return curve(op, op.laid(), Dropout(ratio))


@operator("Identity")
def identity(op: Operation) -> Laid:
    found = op.value(0)
    if not isinstance(found, Laid):
        raise ValueError("input 0: wanted a value that depends on the net's input, got a constant")
    return found


@operator("Cast")
def cast(op: Operation) -> Laid:
    op.integer("saturate", 1), op.text("round_mode", "up")
    found, to = op.value(0), op.integer("to")
    if not isinstance(found, Laid):
        raise ValueError("input 0: wanted a value that depends on the net's input, got a constant")
    if found.integers and to in (6, 7):
        return found
    if to not in FLOATS or found.integers:
        raise ValueError(f"to: wanted a dtype of floating-point numbers, got {dtype_name(to)}")
    return found
