"""Pools with windows, and those over whole images."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cynet.nn.layers.avg_pool1d import AvgPool1d
from cynet.nn.layers.avg_pool2d import AvgPool2d
from cynet.nn.layers.max_pool1d import MaxPool1d
from cynet.nn.layers.max_pool2d import MaxPool2d

from .. import windows
from ..affine import scaled
from ..operation import Operation
from ..reducing import reduced
from ..values import BATCH, Laid, axes_of
from .table import operator


def _window(op: Operation) -> Any:
    """(symbol, how many sides, kernel, stride, dilation, pads, ceil_mode) of a pool."""
    symbol, count = op.net.image(op.laid())
    kernel = op.integers("kernel_shape")
    if len(kernel) != count or any(not 1 <= n <= windows.MOST for n in kernel):
        raise ValueError(f"kernel_shape: wanted {count} numbers from 1 to {windows.MOST}, got {kernel!r:.80}")
    stride, dilation = windows.sides(op, "strides", count, 1), windows.sides(op, "dilations", count, 1)
    found = windows.pads(op, symbol.shape[:-1], tuple(kernel), stride, dilation)
    return symbol, count, tuple(kernel), stride, dilation, found, op.flag("ceil_mode")


def _image(symbol: Any, count: int) -> Laid:
    return Laid.of(symbol, BATCH, count, *range(count))


@operator("MaxPool")
def max_pool(op: Operation) -> Laid:
    op.refuse("storage_order", 0, 1)
    symbol, count, kernel, stride, dilation, pads, ceil = _window(op)
    layer: Any
    if count == 2:
        layer = MaxPool2d(kernel, stride, pads, dilation, ceil_mode=ceil)
    else:
        layer = MaxPool1d(kernel[0], stride[0], pads, dilation[0], ceil_mode=ceil)
    return _image(op.call(layer, symbol), count)


@operator("AveragePool")
def average_pool(op: Operation) -> Laid:
    symbol, count, kernel, stride, dilation, pads, ceil = _window(op)
    counts = op.flag("count_include_pad")
    if any(n > 1 for n in dilation):
        raise ValueError(f"dilations: wanted 1 for each side, got {dilation}")
    layer: Any
    if count == 2:
        layer = AvgPool2d(kernel, stride, pads, ceil, counts)
    else:
        layer = AvgPool1d(kernel[0], stride[0], pads, ceil, counts)
    return _image(op.call(layer, symbol), count)


@operator("GlobalAveragePool")
def global_average_pool(op: Operation) -> Laid:
    laid = op.laid()
    return reduced(op.net, laid, range(2, laid.rank), keep=True)


@operator("GlobalMaxPool")
def global_max_pool(op: Operation) -> Laid:
    laid = op.laid()
    return reduced(op.net, laid, range(2, laid.rank), keep=True, greatest=True)


@operator("ReduceMean")
def reduce_mean(op: Operation) -> Laid:
    return _reduction(op)[0]


@operator("ReduceMax")
def reduce_max(op: Operation) -> Laid:
    return _reduction(op, greatest=True)[0]


@operator("ReduceSum")
def reduce_sum(op: Operation) -> Laid:
    found, count = _reduction(op)
    return scaled(op.net, found, np.array(float(count)), None)


def _reduction(op: Operation, greatest: bool = False) -> tuple[Laid, int]:
    """(the value without some axes, how many numbers each of its own is made of)."""
    laid, told = op.laid(), op.axes(1)
    keep, none = op.flag("keepdims", True), op.flag("noop_with_empty_axes")
    if not told:
        if none:
            return laid, 1
        raise ValueError("axes: wanted those after the batch, got none, which stands for all")
    axes = axes_of(told, laid.rank)
    count = prod(laid.size(axis) for axis in axes)
    return reduced(op.net, laid, axes, keep, greatest), count
