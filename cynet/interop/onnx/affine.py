"""Values times constants, plus constants: depth-wise convolutions of one pixel, trained as others.

Design: cynet has no layer of its own for it, and every exporter knows a convolution. One number for a
whole value, as 1 / 255, is a setting rather than a weight: its layer is frozen. Steps that follow each other
are one layer, and one that does nothing is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from cynet.core.types import AnyArray
from cynet.nn.layers.conv1d import Conv1d
from cynet.nn.layers.conv2d import Conv2d
from cynet.nn.symbols import Symbol

from .broadcasting import expanded
from .net import Assembly
from .tensors import as_float32
from .values import BATCH, Laid

MOST = 1 << 22  # numbers of a constant


@dataclass(frozen=True)
class Line:
    """What a call of such a layer computes: weight * x + bias, for each number of the last axis.

    Attributes
    ----------
    weight, bias : ndarray of float64 (channels,)
    trained : (bool, bool)
        Which of the two are weights of the file.
    """

    source: Symbol
    weight: AnyArray
    bias: AnyArray
    trained: tuple[bool, bool]


def scaled(net: Assembly, laid: Laid, weight: AnyArray | None, bias: AnyArray | None, name: str = "") -> Laid:
    """weight * x + bias, either of which may be None, by NumPy's rules of broadcasting.

    Raises
    ------
    ValueError
        When a constant has other sides than the value, or differs within the batch.
    """
    given = [array for array in (weight, bias) if array is not None]
    if any(array.size > MOST for array in given):
        raise ValueError(f"wanted a constant of at most {MOST:,} numbers, got more")
    laid = laid.widened(max(laid.rank, *(array.ndim for array in given)))
    laid = _grown(net, laid, given)
    kept = sorted({i for array in given for i in _factors(laid, array)})
    symbol, order = net.with_last(laid, kept) if kept else (laid.symbol, list(range(len(laid.factors))))
    symbol = _rows(net, symbol)
    channels = symbol.shape[-1]
    found = [_spread(laid, array, order, channels) for array in given]
    trained = [array.size > 1 for array in given]
    one, zero = np.ones(channels), np.zeros(channels)
    line = Line(
        symbol,
        one if weight is None else found[0],
        zero if bias is None else found[-1],
        (weight is not None and trained[0], bias is not None and trained[-1]),
    )
    return laid.reordered(order, _called(net, line, name))


def _grown(net: Assembly, laid: Laid, given: list[AnyArray]) -> Laid:
    """The value repeated along the axes of size 1 along which a constant is longer."""
    sizes = {}
    for array in given:
        for axis in range(-array.ndim, 0):
            at, side = axis + laid.rank, array.shape[axis]
            if side != 1 and not laid.axes[at]:
                sizes[at] = (side,)
    return expanded(net, laid, sizes) if sizes else laid


def _factors(laid: Laid, array: AnyArray) -> list[int]:
    """The factors of the axes along which a constant has several numbers."""
    found: list[int] = []
    for axis in range(-array.ndim, 0):
        own = laid.axes[axis + laid.rank]
        if array.shape[axis] == 1:
            continue
        if BATCH in own or prod(laid.factors[i] for i in own) != array.shape[axis]:
            wanted = "the batch" if own == (BATCH,) else prod(laid.sizes(axis + laid.rank))
            raise ValueError(
                f"wanted a constant with 1 or {wanted} along axis {axis + laid.rank}, got shape {array.shape}"
            )
        found += own
    return found


def _rows(net: Assembly, symbol: Symbol) -> Symbol:
    """The symbol, in a shape of which there is a convolution."""
    if len(symbol.shape) in (2, 3):
        return symbol
    return net.shaped(symbol, (prod(symbol.shape[:-1]), symbol.shape[-1]))


def _spread(laid: Laid, array: AnyArray, order: list[int], channels: int) -> AnyArray:
    """A constant as float64 (channels,), in the order in which the factors lie."""
    array = as_float32(array).astype(np.float64)
    if array.size == 1:
        return np.full(channels, array.reshape(-1)[0])
    last: list[int] = []
    count = 1
    for i in reversed(order):  # the factors of the last axis
        if count == channels:
            break
        last.insert(0, i)
        count *= laid.factors[i]
    array = array.reshape((1,) * (laid.rank - array.ndim) + array.shape)
    sides: list[int] = []
    places: list[int] = []
    for axis, own in enumerate(laid.axes):
        if array.shape[axis] > 1:
            sides += [laid.factors[i] for i in own]
            places += own
    array = array.reshape(sides)
    missing = [i for i in last if i not in places]
    array = array.reshape(sides + [1] * len(missing)).transpose([(places + missing).index(i) for i in last])
    return np.broadcast_to(array, [laid.factors[i] for i in last]).reshape(-1)


def _called(net: Assembly, line: Line, name: str) -> Symbol:
    """The symbol that a line gives; joined with the one that its source is of."""
    before = net.affine.get(id(line.source.call)) if line.source.call is not None else None
    if before is not None and before.source.shape == line.source.shape:
        trained = before.trained[0] or line.trained[0], before.trained[1] or line.trained[1]
        bias = line.weight * before.bias + line.bias
        line = Line(before.source, line.weight * before.weight, bias, trained)
    shifts = bool(line.bias.any()) or line.trained[1]
    weight = line.weight.astype(np.float32)
    if not any(line.trained) and not shifts and (weight == 1).all():
        return line.source
    channels = line.source.shape[-1]
    kind = Conv2d if len(line.source.shape) == 3 else Conv1d
    layer = kind(channels, channels, 1, groups=channels, bias=shifts)
    layer.name = net.names.told(name, "", "scale")
    layer.weight.data = weight.reshape(layer.weight.shape)
    layer.weight.requires_grad = line.trained[0]
    if layer.bias is not None:
        layer.bias.data = line.bias.astype(np.float32)
        layer.bias.requires_grad = line.trained[1]
    symbol = net.call(layer, line.source)
    net.affine[id(symbol.call)] = line
    return symbol
