"""Sums, differences, products and quotients, of values and of constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Array
from cynet.nn import init
from cynet.nn.layers.conv1d import Conv1d
from cynet.nn.layers.conv2d import Conv2d
from cynet.nn.layers.hardsigmoid import Hardsigmoid
from cynet.nn.layers.hardswish import Hardswish
from cynet.nn.layers.linear import Linear
from cynet.nn.layers.relu import ReLU
from cynet.nn.layers.sigmoid import Sigmoid
from cynet.nn.layers.silu import SiLU
from cynet.nn.parameter import Parameter

from ..affine import scaled
from ..broadcasting import added, multiplied
from ..operation import Operation
from ..values import Known, Laid
from .pointwise import curve, line
from .table import operator

GATES = {Sigmoid: SiLU, Hardsigmoid: Hardswish}  # x * gate(x)


def _both(op: Operation) -> tuple[Laid, Array | Laid, bool]:
    """(a value, the other one or a constant, whether the value comes first)."""
    first = isinstance(op.value(0), Laid)
    laid, other = op.laid(0 if first else 1), 1 if first else 0
    return laid, op.weights(other) if isinstance(op.value(other), Known) else op.laid(other), first


def _shifted(op: Operation, laid: Laid, bias: Array, place: int) -> Laid:
    """A value plus a constant, which is the bias of the layer before it where that has none."""
    call = laid.symbol.call
    layer: Any = None if call is None else call.layer
    if isinstance(layer, (Conv1d, Conv2d, Linear)) and layer.bias is None and op.is_alone(place):
        channels = laid.symbol.shape[-1]
        last = laid.factors[-1:] == (channels,) and [
            i for i, axis in enumerate(laid.axes) if axis == (len(laid.factors) - 1,)
        ]
        if last and id(call) not in op.net.affine and bias.size == channels > 1:
            sides = (1,) * (laid.rank - bias.ndim) + bias.shape
            if len(sides) == laid.rank and sides[last[0]] == channels:
                init.room(channels)
                layer.bias = Parameter(bias.reshape(-1))
                op.net.unshare(layer)
                return laid
    return scaled(op.net, laid, None, bias, op.weight_name(1 - place))


@operator("Add")
def add(op: Operation) -> Laid:
    laid, other, first = _both(op)
    if isinstance(other, Laid):
        return added(op.net, laid, other)
    return _shifted(op, laid, other, 0 if first else 1)


@operator("Sum")
def total(op: Operation) -> Laid:
    values = [op.value(i) for i in range(len(op.values))]
    found, *others = [op.laid(i) for i, value in enumerate(values) if isinstance(value, Laid)]
    for other in others:
        found = added(op.net, found, other)
    for i, value in enumerate(values):
        if isinstance(value, Known):
            found = scaled(op.net, found, None, op.weights(i), value.name)
    return found


@operator("Sub")
def subtract(op: Operation) -> Laid:
    laid, other, first = _both(op)
    if isinstance(other, Laid):
        return added(op.net, laid, line(op, other, -1, 0))
    if first:
        return _shifted(op, laid, -other, 0)
    return scaled(op.net, laid, np.array(-1.0), other, op.weight_name(0))


@operator("Mul")
def multiply(op: Operation) -> Laid:
    laid, other, first = _both(op)
    if not isinstance(other, Laid):
        return scaled(op.net, laid, other, None, op.weight_name(int(first)))
    for one, gate in ((laid, other), (other, laid)):
        call = gate.symbol.call
        kind = None if call is None else GATES.get(type(call.layer))
        if (
            call is not None
            and kind is not None
            and call.sources == (one.symbol,)
            and one.on(gate.symbol) == gate
        ):
            return curve(op, one, kind())
    return multiplied(op.net, laid, other)


@operator("Div")
def divide(op: Operation) -> Laid:
    laid, other, first = _both(op)
    if isinstance(other, Laid) or not first:
        raise ValueError(
            "input 1: wanted a constant to divide by, got a value that depends on the net's input"
        )
    if not other.all():
        raise ValueError("input 1: wanted numbers other than 0 to divide by, got 0")
    return scaled(op.net, laid, _reciprocal(other), None, op.weight_name(1))


def _reciprocal(array: Array) -> AnyArray:
    return 1 / array.astype(np.float64)


@operator("Neg")
def negative(op: Operation) -> Laid:
    return line(op, op.laid(), -1, 0)


@operator("Pow")
def power(op: Operation) -> Laid:
    laid, exponent = op.laid(), op.scalar(1)
    if exponent not in (1, 2, 3):
        raise ValueError(f"input 1: wanted 1, 2 or 3 for an exponent, got {exponent}")
    found = laid
    for _ in range(int(exponent) - 1):
        found = multiplied(op.net, found, laid)
    return found


@operator("Max")
def greatest(op: Operation) -> Laid:
    """With a constant: a lower bound."""
    return _bound(op, 1)


@operator("Min")
def least(op: Operation) -> Laid:
    """With a constant: an upper bound."""
    return _bound(op, -1)


def _bound(op: Operation, sign: int) -> Laid:
    laid, other, _ = _both(op)
    if isinstance(other, Laid) or other.size != 1 or len(op.values) != 2:
        raise ValueError("wanted a value and one number, got others")
    bound = float(other.reshape(-1)[0])
    return line(op, curve(op, line(op, laid, sign, -sign * bound), ReLU()), sign, bound)
