"""Means, and greatest numbers, along axes of a value: by pools."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from cynet.nn.layers.avg_pool2d import AvgPool2d
from cynet.nn.layers.global_avg_pool1d import GlobalAvgPool1d
from cynet.nn.layers.global_avg_pool2d import GlobalAvgPool2d
from cynet.nn.layers.global_max_pool2d import GlobalMaxPool2d
from cynet.nn.layers.max_pool2d import MaxPool2d
from cynet.nn.symbols import Symbol

from .net import Assembly
from .values import BATCH, Laid


def reduced(net: Assembly, laid: Laid, axes: Iterable[int], keep: bool, greatest: bool = False) -> Laid:
    """The mean, or the greatest number, along axes.

    Parameters
    ----------
    net : Assembly
    laid : Laid
    axes : iterable of int
        Without the batch.
    keep : bool
        Whether they stay, of size 1.
    greatest : bool, optional
    """
    gone = set(axes)
    for axis in gone:
        laid.size(axis)  # refuses the batch
    away = sorted(i for axis in gone for i in laid.axes[axis])
    rest = [i for i in range(len(laid.factors)) if i not in away]
    symbol = _pooled(net, laid, away, rest, greatest) if away else laid.symbol
    place = {i: n for n, i in enumerate(rest)} | {BATCH: BATCH}
    found = [
        () if n in gone else tuple(place[i] for i in axis)
        for n, axis in enumerate(laid.axes)
        if keep or n not in gone
    ]
    return Laid(symbol, tuple(laid.factors[i] for i in rest), tuple(found))


def _pooled(net: Assembly, laid: Laid, away: list[int], rest: list[int], greatest: bool) -> Symbol:
    """A symbol of what is left of the factors, in their order."""
    first, size = away[0], prod(laid.factors[i] for i in away)
    if away == list(range(first, first + len(away))) and first > 0:
        # After others, as the rows of an image: a window over these alone.
        inner = prod(laid.factors[i] for i in rest[first:])
        shape = prod(laid.factors[i] for i in rest[:first]), size, inner
        window = (1, size), (1, size)
        return net.call((MaxPool2d if greatest else AvgPool2d)(*window), net.shaped(laid.symbol, shape))
    if laid.symbol.shape[2:] and prod(laid.symbol.shape[:2]) == size and away[-1] < min(rest, default=size):
        return net.call((GlobalMaxPool2d if greatest else GlobalAvgPool2d)(), laid.symbol)
    symbol = net.arranged(laid, (away, rest))
    if greatest:
        return net.call(GlobalMaxPool2d(), net.shaped(symbol, (size, 1, symbol.shape[-1])))
    return net.call(GlobalAvgPool1d(), symbol)
