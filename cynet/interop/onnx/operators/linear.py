"""Products with matrices of weights, and vectors looked up in one."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cynet.core.types import Array
from cynet.nn.layers.embedding import Embedding
from cynet.nn.layers.linear import Linear

from ..cropping import cropped
from ..operation import Operation
from ..values import BATCH, Known, Laid
from .table import operator

MOST_PICKED = 1 << 20  # numbers of a matrix that picks parts


def product(
    op: Operation, laid: Laid, axis: int, weight: Array, bias: Array | None, *key: Any, place: int = 1
) -> Laid:
    """A `Linear` along an axis of a value; weight (out, in)."""
    outputs, inputs = weight.shape
    if laid.size(axis) != inputs:
        raise ValueError(f"wanted {laid.size(axis)} rows of weights, as the value has features, got {inputs}")
    last = laid.axes[axis]
    symbol, order = op.net.with_last(laid, last)
    if len(symbol.shape) > 2:
        symbol = op.net.shaped(symbol, (prod(symbol.shape[:-1]), inputs))

    def make() -> Any:
        return op.with_weights(Linear(inputs, outputs, bias is not None), weight, bias, place)

    found = op.call(op.shared(make, *key, bias is None), symbol)
    rest = [i for i in order if i not in last]
    numbers = {i: n for n, i in enumerate(rest)} | {BATCH: BATCH}
    own = (len(rest),) if outputs > 1 else ()
    axes = tuple(own if n == axis else tuple(numbers[i] for i in each) for n, each in enumerate(laid.axes))
    factors = (*(laid.factors[i] for i in rest), *((outputs,) if own else ()))
    return Laid(found, factors, axes)


def _matrix(op: Operation, place: int) -> Array:
    weight = op.weights(place)
    if weight.ndim != 2 or 0 in weight.shape:
        raise ValueError(f"input {place}: wanted a matrix of weights, got shape {weight.shape}")
    return weight


@operator("Gemm")
def general_product(op: Operation) -> Laid:
    laid, weight = op.laid(), _matrix(op, 1)
    if laid.rank != 2:
        raise ValueError(f"wanted a value (N, features), got one of {op.net.told(laid)}")
    alpha, beta = op.number("alpha", 1.0), op.number("beta", 1.0)
    weight = weight if op.flag("transB") else weight.T
    laid = laid.transposed((1, 0)) if op.flag("transA") else laid
    bias = None
    if op.has(2):
        bias = op.weights(2)
        if (
            bias.ndim > 2
            or bias.shape[:-1] not in ((), (1,))
            or bias.shape[-1:] not in ((), (1,), weight.shape[:1])
        ):
            raise ValueError(f"input 2: wanted a bias of {weight.shape[0]} numbers, got shape {bias.shape}")
        bias = np.float32(beta) * np.broadcast_to(bias.reshape(-1), weight.shape[:1])
    return product(op, laid, 1, weight if alpha == 1 else np.float32(alpha) * weight, bias, alpha, beta)


@operator("MatMul")
def matrix_product(op: Operation) -> Laid:
    """With a matrix of weights, on either side."""
    if isinstance(op.value(0), Known):
        laid = op.laid(1)
        if laid.rank < 2:
            raise ValueError(f"wanted a value of at least two axes, got one of {op.net.told(laid)}")
        return product(op, laid, laid.rank - 2, _matrix(op, 0), None, place=0)
    laid, weight = op.laid(), _matrix(op, 1)
    if laid.rank < 2:
        raise ValueError(f"wanted a value of at least two axes, got one of {op.net.told(laid)}")
    return product(op, laid, laid.rank - 1, weight.T, None)


@operator("Gather")
def gathered(op: Operation) -> Laid:
    """Vectors looked up by the net's input; or a part of a value, by constant numbers."""
    if isinstance(op.value(0), Laid):
        return _picked(op)
    laid = op.value(1)
    if not isinstance(laid, Laid) or not laid.integers:
        raise ValueError("input 1: wanted the net's input, whole numbers, got other ones")
    weight = _matrix(op, 0)
    if op.axis(2, 0):
        raise ValueError("axis: wanted 0, got 1")
    numbers, width = weight.shape
    every = list(range(len(laid.factors)))
    if [i for axis in laid.axes for i in axis if i != BATCH] != every:
        raise ValueError("input 1: wanted numbers in the order of the input, got others")

    def make() -> Any:
        return op.with_weights(Embedding(numbers, width), weight, None, place=0)

    found = op.call(op.shared(make), op.net.shaped(laid.symbol, (prod(laid.factors),)))
    wide = (width,) if width > 1 else ()
    return Laid(found, (*laid.factors, *wide), (*laid.axes, (len(every),) if wide else ()))


def _picked(op: Operation) -> Laid:
    """A part of a value along an axis: one number, without the axis, or some that follow each other."""
    laid, places = op.laid(), op.constant(1)
    axis = op.axis(laid.rank, 0)
    size = laid.size(axis)
    if places.dtype.kind not in "iu" or places.ndim > 1 or not 0 < places.size <= MOST_PICKED:
        raise ValueError(
            f"input 1: wanted a whole number or a list of them, got {places.dtype} {places.shape}"
        )
    first, *_ = wanted = [int(n) + size * (n < 0) for n in places.reshape(-1)]
    if min(wanted) < 0 or max(wanted) >= size or len(wanted) * size > MOST_PICKED:
        raise ValueError(
            f"input 1: wanted at most {MOST_PICKED:,} // {size} numbers of {size}, got {places!r:.80}"
        )
    if wanted == list(range(first, first + places.size)):
        found = cropped(op.net, laid, axis, first, first + len(wanted))
    else:  # a product with a matrix that picks them
        found = product(op, laid, axis, np.eye(size, dtype=np.float32)[wanted], None, axis, place=1)
        layer: Any = found.symbol.call.layer if found.symbol.call else None
        layer.weight.requires_grad = False
    if places.ndim:
        return found
    return found.with_axes(tuple(own for n, own in enumerate(found.axes) if n != axis))
