"""Parts of a value along an axis, and cells around it."""

from __future__ import annotations

from math import prod

import numpy as np

from cynet.nn.layers.conv2d import Conv2d
from cynet.nn.layers.max_pool2d import MaxPool2d
from cynet.nn.layers.zero_pad2d import ZeroPad2d
from cynet.nn.symbols import Symbol

from .affine import scaled
from .net import Assembly
from .values import BATCH, Laid

MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}  # ONNX's word, and cynet's


def cropped(net: Assembly, laid: Laid, axis: int, start: int, end: int, step: int = 1) -> Laid:
    """The numbers from `start` to before `end`, each `step`th, along an axis.

    Raises
    ------
    ValueError
        When there are none, or it is the batch.
    """
    size = laid.size(axis)
    if not 0 <= start < end <= size:
        raise ValueError(f"wanted a part of {size} along axis {axis}, got {start} to {end}")
    if (start, end, step) == (0, size, 1):
        return laid
    rows, laid = _rows(net, laid, axis)
    if (start, end) != (0, size):
        rows = net.call(ZeroPad2d((-start, end - size, 0, 0)), rows)
    if step > 1:
        rows = net.call(MaxPool2d(1, (1, step)), rows)
    return _back(net, laid, axis, rows)


def padded(net: Assembly, laid: Laid, axis: int, before: int, after: int, mode: str, value: float) -> Laid:
    """More cells along an axis, or fewer where a number is negative.

    Parameters
    ----------
    net, laid, axis
    before, after : int
    mode : str
        "constant", "reflect", "edge" or "wrap", as ONNX has them.
    value : float
        Of a constant.
    """
    if before == after == 0:
        return laid
    laid.size(axis)  # refuses the batch
    if mode == "constant" and value:
        shifted = padded(net, _plus(net, laid, -value), axis, before, after, mode, 0)
        return _plus(net, shifted, value)
    rows, laid = _rows(net, laid, axis)
    if mode == "constant":
        return _back(net, laid, axis, net.call(ZeroPad2d((before, after, 0, 0)), rows))
    if mode not in MODES or min(before, after) < 0:
        raise ValueError(f"wanted a constant, or {', '.join(MODES)}, and no part less, got {mode!r:.40}")
    channels = rows.shape[-1]
    layer = Conv2d(
        channels, channels, 1, 1, (0, before, 0, after), 1, channels, False, padding_mode=MODES[mode]
    )
    layer.weight.data = np.ones(layer.weight.shape)
    layer.weight.requires_grad = False
    return _back(net, laid, axis, net.call(layer, rows))


def _plus(net: Assembly, laid: Laid, value: float) -> Laid:
    return scaled(net, laid, None, np.array(value))


def _rows(net: Assembly, laid: Laid, axis: int) -> tuple[Symbol, Laid]:
    """(images whose columns are an axis of the value, the value with its axis as one factor of them)."""
    own = laid.axes[axis]
    if list(own) != list(range(own[0], own[0] + len(own))) if own else False:
        order = [i for i in range(len(laid.factors)) if i not in own]
        order[own[0] : own[0]] = own
        laid = laid.reordered(order, net.arranged(laid, (order,)))
        own = laid.axes[axis]
    first, last = (own[0], own[-1] + 1) if own else (0, 0)
    shape = tuple(
        prod(part) for part in (laid.factors[:first], laid.factors[first:last], laid.factors[last:])
    )
    factors = (*laid.factors[:first], shape[1], *laid.factors[last:])
    less = len(own) - 1
    axes = tuple(
        (first,) if n == axis else tuple(i if i < last or i == BATCH else i - less for i in each)
        for n, each in enumerate(laid.axes)
    )
    if not own:
        axes = tuple(
            (0,) if n == axis else tuple(i if i == BATCH else i + 1 for i in each)
            for n, each in enumerate(laid.axes)
        )
        factors = (1, *laid.factors)
    return net.shaped(laid.symbol, shape), Laid(laid.symbol, factors, axes)


def _back(net: Assembly, laid: Laid, axis: int, rows: Symbol) -> Laid:
    """The value again, of images that have other columns."""
    (own,) = laid.axes[axis]
    size = rows.shape[1]
    factors = (*laid.factors[:own], size, *laid.factors[own + 1 :])
    if size > 1:
        return Laid(rows, factors, laid.axes)
    axes = tuple(() if n == axis else tuple(i - (i > own) for i in each) for n, each in enumerate(laid.axes))
    return Laid(rows, factors[:own] + factors[own + 1 :], axes)
