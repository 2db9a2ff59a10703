"""Normalisations, and soft-max."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cynet.core.types import Array
from cynet.nn.layers.batch_norm import BatchNorm1d, BatchNorm2d
from cynet.nn.layers.group_norm import GroupNorm
from cynet.nn.layers.layer_norm import LayerNorm
from cynet.nn.layers.softmax import Softmax

from ..operation import Operation
from ..values import BATCH, Laid
from .table import operator

LEAST_EPS = 1e-30  # in place of 0, which cynet does not take


def _eps(op: Operation) -> float:
    eps = op.number("epsilon", 1e-5)
    if eps < 0:
        raise ValueError(f"epsilon: wanted a number from 0 on, got {eps}")
    return max(eps, LEAST_EPS)


def _vectors(op: Operation, count: int, *places: int) -> list[Array]:
    found = [op.weights(place) for place in places]
    for place, array in zip(places, found, strict=True):
        if array.shape != (count,):
            raise ValueError(f"input {place}: wanted shape ({count},), got {array.shape}")
    return found


@operator("BatchNormalization")
def batch_normalization(op: Operation) -> Laid:
    laid = op.laid()
    op.refuse("spatial", 1)
    op.refuse("training_mode", 0)
    eps, momentum = _eps(op), op.number("momentum", 0.9)
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum: wanted a number from 0 to 1, got {momentum}")
    if laid.rank == 2:
        symbol, count = op.net.arranged(laid, laid.axes[1:]), 0
    else:
        symbol, count = op.net.image(laid)
    channels = symbol.shape[-1]
    weight, bias, mean, variance = _vectors(op, channels, 1, 2, 3, 4)
    if (variance < 0).any():
        raise ValueError("input 4: wanted variances from 0 on, got a negative one")

    def make() -> Any:
        # The weight of the new value, where ONNX has that of the old one.
        layer: Any = (BatchNorm2d if count == 2 else BatchNorm1d)(channels, eps, round(1 - momentum, 6))
        layer.running_mean[...] = mean
        layer.running_var[...] = variance
        return op.with_weights(layer, weight, bias)

    return Laid.of(op.call(op.shared(make), symbol), BATCH, count, *range(count))


@operator("InstanceNormalization")
def instance_normalization(op: Operation) -> Laid:
    """Each channel of a sample by itself; a channel may be a group of others, cut by a Reshape before."""
    laid = op.laid()
    if laid.rank < 3 or laid.axes[0] != (BATCH,):
        raise ValueError(f"wanted a value (N, C, ...), got one of {op.net.told(laid)}")
    groups = laid.size(1)
    weight, bias = _vectors(op, groups, 1, 2)
    rest = [i for i in range(len(laid.factors)) if i not in laid.axes[1]]
    own = list(laid.axes[1])
    inner = [i for i in rest if own and i > own[-1]]  # channels of a group, after its number in memory
    outer = [i for i in rest if i not in inner]
    symbol = op.net.arranged(laid, (outer, own + inner))
    plain = bool((weight == 1).all() and not bias.any())
    channels = symbol.shape[-1]

    def make() -> Any:
        layer = GroupNorm(groups, channels, _eps(op), affine=not plain)
        each = channels // groups
        return layer if plain else op.with_weights(layer, weight.repeat(each), bias.repeat(each))

    op.number("epsilon", 1e-5)
    return laid.reordered(outer + own + inner, op.call(op.shared(make, plain, channels), symbol))


@operator("GroupNormalization")
def group_normalization(op: Operation) -> Laid:
    laid, groups = op.laid(), op.integer("num_groups")
    op.refuse("stash_type", 1)
    symbol, count = op.net.image(laid)
    channels = symbol.shape[-1]
    if groups < 1 or channels % groups:
        raise ValueError(f"num_groups: wanted a divisor of {channels} channels, got {groups}")
    numbers = channels if op.opset > 20 else groups
    weight, bias = (one.repeat(channels // numbers) for one in _vectors(op, numbers, 1, 2))
    eps = _eps(op)
    layer = op.shared(lambda: op.with_weights(GroupNorm(groups, channels, eps), weight, bias), channels)
    return Laid.of(op.call(layer, symbol), BATCH, count, *range(count))


@operator("LayerNormalization")
def layer_normalization(op: Operation) -> Laid:
    op.single()
    op.refuse("stash_type", 1)
    laid = op.laid()
    axis, eps = op.axis(laid.rank, -1), _eps(op)
    return normalized(op, laid, list(range(axis, laid.rank)), eps)


def normalized(op: Operation, laid: Laid, axes: list[int], eps: float, affine: bool = True) -> Laid:
    """A `LayerNorm` over the last axes; its scale and shift are the inputs 1 and 2 where it has them."""
    sizes = tuple(laid.size(axis) for axis in axes)
    last = [i for axis in axes for i in laid.axes[axis]]
    symbol, order = op.net.with_last(laid, last)
    count = prod(sizes)
    numbers = []
    for place in (1, 2) if affine else ():
        if op.has(place):
            found = op.weights(place)
            try:
                numbers.append(np.broadcast_to(found, sizes).reshape(-1))
            except ValueError:
                raise ValueError(f"input {place}: wanted shape {sizes}, got {found.shape}") from None

    def make() -> Any:
        layer = LayerNorm(count, eps, bool(numbers), len(numbers) > 1)
        return (
            op.with_weights(layer, numbers[0], numbers[1] if len(numbers) > 1 else None) if numbers else layer
        )

    return laid.reordered(order, op.call(op.shared(make, count), symbol))


@operator("Softmax")
def softmax(op: Operation) -> Laid:
    laid = op.laid()
    if op.opset < 13:  # over all axes from one on
        axes = list(range(op.axis(laid.rank, 1), laid.rank))
    else:
        axes = [op.axis(laid.rank, -1)]
    for axis in axes:
        laid.size(axis)  # refuses the batch
    symbol, order = op.net.with_last(laid, sorted(i for axis in axes for i in laid.axes[axis]))
    return laid.reordered(order, op.call(Softmax(), symbol))
