"""Products with matrices of weights, and vectors looked up in one."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cynet.core.types import Array
from cynet.nn.layers.embedding import Embedding
from cynet.nn.layers.linear import Linear

from ..operation import Operation
from ..values import BATCH, Laid
from .table import operator


def product(op: Operation, laid: Laid, axis: int, weight: Array, bias: Array | None, *key: Any) -> Laid:
    """A `Linear` along an axis of a value; weight (out, in)."""
    outputs, inputs = weight.shape
    if laid.size(axis) != inputs:
        raise ValueError(f"wanted {laid.size(axis)} rows of weights, as the value has features, got {inputs}")
    last = laid.axes[axis]
    symbol, order = op.net.with_last(laid, last)
    if len(symbol.shape) > 2:
        symbol = op.net.shaped(symbol, (prod(symbol.shape[:-1]), inputs))

    def make() -> Any:
        return op.with_weights(Linear(inputs, outputs, bias is not None), weight, bias)

    found = op.call(op.shared(make, *key, bias is None), symbol)
    rest = [i for i in order if i not in last]
    place = {i: n for n, i in enumerate(rest)} | {BATCH: BATCH}
    own = (len(rest),) if outputs > 1 else ()
    axes = tuple(own if n == axis else tuple(place[i] for i in each) for n, each in enumerate(laid.axes))
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
        if bias.ndim > 2 or bias.shape[:-1] not in ((), (1,)) or bias.shape[-1:] not in ((), (1,), weight.shape[:1]):
            raise ValueError(f"input 2: wanted a bias of {weight.shape[0]} numbers, got shape {bias.shape}")
        bias = np.float32(beta) * np.broadcast_to(bias.reshape(-1), weight.shape[:1])
    return product(op, laid, 1, weight if alpha == 1 else np.float32(alpha) * weight, bias, alpha, beta)


@operator("MatMul")
def matrix_product(op: Operation) -> Laid:
    laid, weight = op.laid(), _matrix(op, 1)
    if laid.rank < 2:
        raise ValueError(f"wanted a value of at least two axes, got one of {op.net.told(laid)}")
    return product(op, laid, laid.rank - 1, weight.T, None)


@operator("Gather")
def looked_up(op: Operation) -> Laid:
    laid = op.value(1)
    if not isinstance(laid, Laid) or not laid.integers:
        raise ValueError("input 1: wanted the net's input, whole numbers, got other ones")
    weight = _matrix(op, 0)
    if op.axis(2, 0):
        raise ValueError("axis: wanted 0, got 1")
    numbers, width = weight.shape
    every = list(range(len(laid.factors)))
    flat = [i for axis in laid.axes for i in axis if i != BATCH]
    if flat != every:
        raise ValueError("input 1: wanted numbers in the order of the input, got others")

    def make() -> Any:
        return op.with_weights(Embedding(numbers, width), weight, None, place=0)

    symbol = laid.symbol if len(laid.symbol.shape) == 1 else op.net.shaped(laid.symbol, (prod(laid.factors),))
    found = op.call(op.shared(make), symbol)
    axes = (*laid.axes, (len(every),) if width > 1 else ())
    return Laid(found, (*laid.factors, *((width,) if width > 1 else ())), axes)
