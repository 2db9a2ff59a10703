"""Several values side by side, added or multiplied: laid alike first, and repeated where one is smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from cynet.nn.layers.add import Add
from cynet.nn.layers.concatenate import Concatenate
from cynet.nn.layers.multiply import Multiply
from cynet.nn.layers.upsample import Upsample

from .net import Assembly
from .values import BATCH, Laid


def expanded(net: Assembly, laid: Laid, sizes: Mapping[int, tuple[int, ...]]) -> Laid:
    """The value repeated along axes of size 1: an image of one pixel made larger, each pixel of it the same.

    Parameters
    ----------
    net : Assembly
    laid : Laid
    sizes : mapping of int to tuple of int
        Of each axis that is to be larger the sizes of its factors.
    """
    new = [size for axis in sorted(sizes) for size in sizes[axis]]
    if not new:
        return laid
    channels = prod(laid.factors)
    pixel = net.shaped(laid.symbol, (1, 1, channels))
    symbol = net.call(Upsample(size=(prod(new), 1)), pixel)
    axes, taken = list(laid.with_axes(_shifted(laid, len(new))).axes), 0
    for axis in sorted(sizes):
        axes[axis] = (*axes[axis], *range(taken, taken + len(sizes[axis])))
        taken += len(sizes[axis])
    return Laid(symbol, (*new, *laid.factors), tuple(axes))


def _shifted(laid: Laid, by: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(i if i == BATCH else i + by for i in axis) for axis in laid.axes)


def grown(net: Assembly, laid: Laid, like: Laid) -> Laid:
    """The value repeated along those of its axes of size 1 along which another one is larger."""
    axes = range(laid.rank)
    return expanded(net, laid, {i: like.sizes(i) for i in axes if not laid.axes[i] and like.sizes(i)})


def _even(net: Assembly, one: Laid, other: Laid) -> tuple[Laid, Laid]:
    """Two values with as many axes.

    Raises
    ------
    ValueError
        Where they cannot be broadcast.
    """
    one, other = one.widened(other.rank), other.widened(one.rank)
    for i in range(one.rank):
        sizes = [[each.shape(batch)[i] for batch in net.batch] for each in (one, other)]
        if sizes[0] != sizes[1] and one.axes[i] and other.axes[i]:
            raise ValueError(f"wanted values of one shape, got {net.told(one)} and {net.told(other)}")
    return one, other


def added(net: Assembly, one: Laid, other: Laid) -> Laid:
    """The sum of two values, by NumPy's rules of broadcasting."""
    one, other = _even(net, one, other)
    first, second = grown(net, one, other), grown(net, other, one)
    if first is not one:
        first, second = second, first
    second = net.like(second, first)
    return first.on(net.call(Add(), first.symbol, net.shaped(second.symbol, first.symbol.shape)))


def multiplied(net: Assembly, one: Laid, other: Laid) -> Laid:
    """The product of two values; one that has a number for each channel, or sample, alone stays as small."""
    one, other = _even(net, one, other)
    if any(other.sizes(i) and not one.axes[i] for i in range(one.rank)):
        one, other = other, one
    first = grown(net, one, other)
    kept = [i for n, axis in enumerate(first.axes) if other.sizes(n) for i in axis if i != BATCH]
    if len(kept) == len(first.factors):
        second = net.like(other, first)
        return first.on(net.call(Multiply(), first.symbol, net.shaped(second.symbol, first.symbol.shape)))
    kept.sort()
    symbol, order = net.with_last(first, kept)
    place = {i: n for n, i in enumerate(kept)} | {BATCH: BATCH}
    axes = tuple(
        tuple(place[i] for i in axis if i in place) if other.axes[n] else ()
        for n, axis in enumerate(first.axes)
    )
    narrow = Laid(symbol, tuple(first.factors[i] for i in kept), axes)
    second = net.like(other, narrow)
    shape = (*(1 for _ in symbol.shape[:-1]), symbol.shape[-1])
    return first.reordered(order, net.call(Multiply(), symbol, net.shaped(second.symbol, shape)))


def concatenated(net: Assembly, values: Sequence[Laid], axis: int) -> Laid:
    """Values side by side along an axis, which comes last in memory."""
    first = values[0]
    for value in values:
        alike = value.rank == first.rank and all(
            [value.shape(batch)[i] for batch in net.batch] == [first.shape(batch)[i] for batch in net.batch]
            for i in range(first.rank)
            if i != axis
        )
        if not alike:
            got = " and ".join(net.told(each) for each in (first, value))
            raise ValueError(f"wanted values of one shape but for axis {axis}, got {got}")
    sizes = [value.size(axis) for value in values]
    own = first.axes[axis]
    outermost = 0 < len(own) < len(first.factors) and list(own) == list(range(len(own)))
    if outermost:  # then one comes after the other in memory
        shape: tuple[int, ...] = ()
        order, symbol = list(range(len(first.factors))), net.shaped(first.symbol, (prod(first.factors),))
    else:
        symbol, order = net.with_last(first, own)
        shape = symbol.shape[:-1]
    like = first.reordered(order, symbol)
    each = prod(first.factors) // sizes[0] if outermost else 1
    others = [net.like(value, like, axis, outermost) for value in values[1:]]
    symbols = [
        net.shaped(other.symbol, (*shape, n * each)) for other, n in zip(others, sizes[1:], strict=True)
    ]
    found = net.call(Concatenate(), symbol, *symbols)
    rest = [i for i in order if i not in own]
    total = [sum(sizes)] if sum(sizes) > 1 else []
    before = len(total) if outermost else 0
    place = {i: n + before for n, i in enumerate(rest)} | {BATCH: BATCH}
    last = () if not total else (0,) if outermost else (len(rest),)
    axes = tuple(last if n == axis else tuple(place[i] for i in one) for n, one in enumerate(first.axes))
    kept = [first.factors[i] for i in rest]
    return Laid(found, tuple(total + kept if outermost else kept + total), axes)
