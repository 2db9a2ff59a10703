"""Other shapes and other orders of the same numbers: most of them are no layers at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..broadcasting import concatenated, expanded
from ..cropping import cropped
from ..folding import part_of_shape, slices, target
from ..operation import Operation
from ..tensors import MOST_SIDES
from ..values import Known, Laid, axes_of, axis_of
from .table import operator


def _any(op: Operation) -> Laid:
    """The first input, also where it is of integers."""
    found = op.value(0)
    if not isinstance(found, Laid):
        raise ValueError("input 0: wanted a value that depends on the net's input, got a constant")
    return found


@operator("Shape")
def shape(op: Operation) -> Known:
    laid = _any(op)
    part = part_of_shape(op, laid.rank)
    first, second = (np.array(laid.shape(batch), np.int64)[part] for batch in op.net.batch)
    return Known(first, second)


@operator("Size")
def size(op: Operation) -> Known:
    laid = _any(op)
    first, second = (np.array(laid.shape(batch), np.int64).prod() for batch in op.net.batch)
    return Known(np.asarray(first), np.asarray(second))


@operator("Reshape")
def reshape(op: Operation) -> Laid:
    laid, wanted = _any(op), op.known(1)
    zero = op.flag("allowzero")
    shapes = []
    for batch, numbers in zip(op.net.batch, (wanted.first, wanted.second), strict=True):
        if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or len(numbers) > MOST_SIDES:
            raise ValueError(f"input 1: wanted a shape of at most {MOST_SIDES} sides, got {numbers!r:.80}")
        shapes.append(target(laid.shape(batch), [int(n) for n in numbers], zero))
    return op.net.reshaped(laid, *shapes)


@operator("Flatten")
def flatten(op: Operation) -> Laid:
    laid = op.laid()
    axis = op.integer("axis", 1)
    axis = axis if axis == laid.rank else axis_of(axis, laid.rank)
    before, after = (tuple(i for own in part for i in own) for part in (laid.axes[:axis], laid.axes[axis:]))
    return laid.with_axes((before, after))


@operator("Transpose")
def transpose(op: Operation) -> Laid:
    laid = _any(op)
    return laid.transposed(tuple(op.integers("perm", range(laid.rank)[::-1])))


@operator("Squeeze")
def squeeze(op: Operation) -> Laid:
    laid, told = _any(op), op.axes(1)
    gone = [i for i, axis in enumerate(laid.axes) if not axis] if told is None else axes_of(told, laid.rank)
    for axis in gone:
        if laid.axes[axis]:
            raise ValueError(f"wanted axes of size 1 to leave out, got axis {axis} of {op.net.told(laid)}")
    return laid.with_axes(tuple(own for i, own in enumerate(laid.axes) if i not in gone))


@operator("Unsqueeze")
def unsqueeze(op: Operation) -> Laid:
    laid, told = _any(op), op.axes(1) or []
    rank = laid.rank + len(told)
    new, left = axes_of(told, rank), iter(laid.axes)
    if rank > MOST_SIDES:
        raise ValueError(f"wanted at most {MOST_SIDES} axes, got {rank}")
    return laid.with_axes(tuple(() if i in new else next(left) for i in range(rank)))


@operator("Expand")
def expand(op: Operation) -> Laid:
    laid, wanted = op.laid(), op.known(1)
    if wanted.first.size > MOST_SIDES:
        raise ValueError(f"input 1: wanted a shape of at most {MOST_SIDES} sides, got {wanted.first.size}")
    shapes = [[int(n) for n in one.reshape(-1)] for one in (wanted.first, wanted.second)]
    laid = laid.widened(len(shapes[0]))
    sizes = {}
    for axis, own in enumerate(laid.axes, len(shapes[0]) - laid.rank):
        at = axis - len(shapes[0]) + laid.rank
        if axis < 0:
            continue
        n, has_batch = op.net.batch.told(shapes[0][axis], shapes[1][axis])
        if own or (n, has_batch) == (1, False):
            same = [laid.shape(batch)[at] for batch in op.net.batch] == [shapes[0][axis], shapes[1][axis]]
            if not same and (n, has_batch) != (1, False):
                raise ValueError(f"input 1: wanted a shape for {op.net.told(laid)}, got {shapes[0]}")
            continue
        if has_batch or n < 1:
            raise ValueError(f"input 1: wanted the batch where it was, got {shapes[0]}")
        sizes[at] = (n,)
    return expanded(op.net, laid, sizes)


@operator("Concat")
def concat(op: Operation) -> Laid:
    values = [op.laid(i) for i in range(len(op.values))]
    if not values:
        raise ValueError("wanted at least one input, got none")
    axis = op.axis(values[0].rank)
    return concatenated(op.net, values, axis) if len(values) > 1 else values[0]


@operator("DepthToSpace")
def depth_to_space(op: Operation) -> Laid:
    laid, block, (height, width, channels) = _blocks(op)
    order = {"DCR": (block, block, channels // block**2), "CRD": (channels // block**2, block, block)}
    mode = op.text("mode", "DCR")
    if mode not in order or channels % block**2:
        raise ValueError(
            f"wanted mode DCR or CRD and a multiple of {block**2} channels, got {mode:.40}, {channels}"
        )
    cut = _reshaped(op, laid, [*order[mode], height, width])
    axes = (0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3)
    return _reshaped(op, cut.transposed(axes), [channels // block**2, height * block, width * block])


@operator("SpaceToDepth")
def space_to_depth(op: Operation) -> Laid:
    laid, block, (height, width, channels) = _blocks(op)
    if height % block or width % block:
        raise ValueError(f"wanted sides that are multiples of {block}, got {height} x {width}")
    cut = _reshaped(op, laid, [channels, height // block, block, width // block, block])
    return _reshaped(
        op, cut.transposed((0, 3, 5, 1, 2, 4)), [channels * block**2, height // block, width // block]
    )


def _blocks(op: Operation) -> Any:
    laid, block = op.laid(), op.integer("blocksize")
    symbol, _ = op.net.image(laid, 2)
    if not 1 <= block <= 1 << 12:
        raise ValueError(f"blocksize: wanted 1 to {1 << 12}, got {block}")
    return laid, block, symbol.shape


def _reshaped(op: Operation, laid: Laid, sizes: list[int]) -> Laid:
    return op.net.reshaped(laid, *((batch, *sizes) for batch in op.net.batch))


# -- parts ---------------------------------------------------------------------------------------------------
@operator("Slice")
def slice_(op: Operation) -> Laid:
    laid = op.laid()
    for axis, start, end, step in slices(op, laid.rank):
        if step < 1:
            raise ValueError(f"wanted steps of at least 1, got {step}")
        if whole(start, end, step):
            continue
        size = laid.size(axis)
        first, last, _ = slice(start, end, step).indices(size)
        laid = cropped(op.net, laid, axis, first, last, step)
    return laid


def whole(start: int, end: int, step: int) -> bool:
    """Whether a slice takes all there is, whatever the size, as of the batch."""
    return start == 0 and step == 1 and end >= 2**31 - 1


@operator("Split")
def split(op: Operation) -> tuple[Laid, ...]:
    laid = op.laid()
    axis, count = op.axis(laid.rank, 0), len(op.node.output)
    size = laid.size(axis)
    if op.has_attribute("split"):
        sizes = op.integers("split")
    elif op.has(1):
        sizes = op.whole_numbers(1)
    else:
        op.integer("num_outputs", count)
        each = -(-size // max(1, count))
        sizes = [max(0, min(each, size - i * each)) for i in range(count)]
    if len(sizes) != count or sum(sizes) != size or min(sizes, default=0) < 1:
        raise ValueError(f"wanted {count} parts of {size}, each of at least 1, got {sizes!r:.80}")
    found, start = [], 0
    for n in sizes:
        found.append(cropped(op.net, laid, axis, start, start + n))
        start += n
    return tuple(found)
