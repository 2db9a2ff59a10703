"""Nodes whose inputs are all known: shapes and constants, worked out with NumPy as the file is read.

What depends on the size of the batch is worked out for two sizes (`values.Batch`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

from .operation import Operation
from .tensors import BFLOAT16, DTYPES, MOST_SIDES, Files, dtype_name, one_of
from .values import Known, axes_of, axis_of

SPARE = 1 << 24  # bytes that constants may take beside those of the file
LARGE = 2**62

Function = Callable[..., AnyArray]
FOLDED: dict[str, Function] = {}
OPTIONAL = {  # from which input on some may be left out; of others none
    "Dropout": 1, "Unsqueeze": 1, "Squeeze": 1, "Slice": 3, "ReduceProd": 1, "ReduceSum": 1, "ReduceMax": 1,
    "ReduceMin": 1,
}  # fmt: skip


class Budget:
    """Counts what is made of constants, and refuses too much before it is taken.

    Parameters
    ----------
    most : int
        Bytes that are worked out.
    most_values : int
        Numbers that are one number repeated, and take no memory themselves.
    """

    def __init__(self, most: int, most_values: int) -> None:
        self.most = self.left = most
        self.most_values = self.values = most_values

    def repeat(self, array: Any, shape: tuple[int, ...]) -> AnyArray:
        """The array, broadcast to a shape."""
        self.values -= prod(shape)
        if self.values < 0:
            raise ValueError(f"wanted constants of at most {self.most_values:,} numbers, got more")
        return np.broadcast_to(array, shape)

    def take(self, count: int, itemsize: int = 8) -> None:
        self.left -= count * itemsize
        if self.left < 0:
            raise ValueError(f"wanted constants of at most {self.most:,} bytes to be worked out, got more")


def folded(op: Operation, files: Files, room: Budget) -> Known:
    """The output of a node that only known values lead to.

    Raises
    ------
    ValueError
        When it cannot be worked out, or would be larger than there is room for.
    """
    op.single()
    function = FOLDED[op.node.op_type]
    needed = OPTIONAL.get(op.node.op_type, len(op.values))
    given = [op.known(i) if i < needed or op.has(i) else None for i in range(len(op.values))]
    firsts = [None if one is None else one.first for one in given]
    seconds = [None if one is None else one.second for one in given]
    with np.errstate(all="ignore"):
        first = _called(function, op, files, room, firsts)
        same = all(one is other for one, other in zip(firsts, seconds, strict=True))
        second = first if same else _called(function, op, files, room, seconds)
    names = [one.name for one in given if one is not None and one.name]
    return Known(first, second, names[0] if names else "")


def _called(function: Function, op: Operation, files: Files, room: Budget, given: list[Any]) -> AnyArray:
    try:
        return np.asarray(function(op, files, room, *given))
    except (TypeError, ValueError, ArithmeticError, IndexError) as error:  # NumPy's, of odd arrays
        raise ValueError(f"{error!s:.200}".replace("\n", " ")) from None


def _folds(*names: str) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        FOLDED.update(dict.fromkeys(names, function))
        return function

    return register


def _elementwise(function: Any) -> Function:
    def of(_: Operation, __: Files, room: Budget, *arrays: Any) -> AnyArray:
        shapes = [array.shape for array in arrays]
        room.take(prod(np.broadcast_shapes(*shapes)))
        found = arrays[0]
        if len(arrays) == 1:
            return np.asarray(function(found))
        for other in arrays[1:]:
            found = function(found, other)
        kept: AnyArray = found if found.dtype.kind == "b" else found.astype(arrays[0].dtype, copy=False)
        return kept

    return of


def _quotient(a: AnyArray, b: AnyArray) -> AnyArray:
    if a.dtype.kind == "f":
        return np.asarray(np.divide(a, b))
    if not np.all(b):
        raise ValueError("wanted a divisor other than 0, got 0")
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


FOLDED |= {
    name: _elementwise(function)
    for name, function in {
        "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _quotient, "Min": np.minimum,
        "Max": np.maximum, "Pow": np.power, "Neg": np.negative, "Abs": np.abs, "Sqrt": np.sqrt,
        "Floor": np.floor, "Ceil": np.ceil, "Reciprocal": np.reciprocal, "Equal": np.equal,
        "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater,
        "GreaterOrEqual": np.greater_equal, "And": np.logical_and, "Or": np.logical_or,
        "Not": np.logical_not, "Sum": np.add,
    }.items()
}  # fmt: skip


@_folds("Mod")
def _mod(op: Operation, _: Files, room: Budget, a: Any, b: Any) -> AnyArray:
    if op.flag("fmod") or a.dtype.kind == "f":
        return _elementwise(np.fmod)(op, _, room, a, b)
    return _elementwise(np.mod)(op, _, room, a, b)


@_folds("Constant")
def _constant(op: Operation, files: Files, room: Budget) -> AnyArray:
    for name, read in (
        ("value", lambda: files.array(op.tensor("value"))),
        ("value_float", lambda: np.float32(op.number("value_float"))),
        ("value_floats", lambda: np.array(op.numbers("value_floats"), np.float32)),
        ("value_int", lambda: np.int64(op.integer("value_int"))),
        ("value_ints", lambda: np.array(op.integers("value_ints"), np.int64)),
    ):
        if op.has_attribute(name):
            return np.asarray(read())
    raise ValueError("wanted an array, numbers or a number, got a constant of another kind")


def _shape(shape: Any) -> tuple[int, ...]:
    """A shape that numbers tell."""
    if shape.dtype.kind not in "iu" or shape.ndim != 1 or len(shape) > MOST_SIDES or (shape < 0).any():
        raise ValueError(f"wanted a shape of at most {MOST_SIDES} sides, got {shape!r:.80}")
    found = tuple(int(side) for side in shape)
    if prod(max(1, side) for side in found) > LARGE:
        raise ValueError(f"wanted an array that can be, got one of shape {found}")
    return found


@_folds("ConstantOfShape")
def _constant_of_shape(op: Operation, files: Files, room: Budget, shape: Any) -> AnyArray:
    value = files.array(op.tensor("value")) if op.has_attribute("value") else np.zeros(1, np.float32)
    if value.size != 1:
        raise ValueError(f"value: wanted one number, got {value.size}")
    return room.repeat(value.reshape(()), _shape(shape))


@_folds("Expand")
def _expand(op: Operation, _: Files, room: Budget, array: Any, shape: Any) -> AnyArray:
    return room.repeat(array, np.broadcast_shapes(array.shape, _shape(shape)))


@_folds("Identity", "Dropout")
def _identity(op: Operation, _: Files, __: Budget, array: Any, *others: Any) -> AnyArray:
    if op.node.op_type == "Dropout":
        op.number("ratio", 0.5), op.integer("seed", 0)
    return np.asarray(array)


@_folds("Cast")
def _cast(op: Operation, _: Files, room: Budget, array: Any) -> AnyArray:
    op.integer("saturate", 1), op.text("round_mode", "up")
    to = op.integer("to")
    if to not in DTYPES or to == BFLOAT16:
        raise ValueError(f"to: wanted a dtype that NumPy has, got {dtype_name(to)}")
    kind = np.dtype(DTYPES[to][1]).newbyteorder("=")
    if array.dtype != kind and not any(array.strides):
        return np.broadcast_to(one_of(array).astype(kind), array.shape)
    if array.dtype != kind:
        room.take(array.size, kind.itemsize)
    return np.asarray(array.astype(kind, copy=False))


@_folds("Shape")
def _shape_of(op: Operation, _: Files, __: Budget, array: Any) -> AnyArray:
    return np.array(array.shape, np.int64)[part_of_shape(op, array.ndim)]


def part_of_shape(op: Operation, rank: int) -> slice:
    """Which sides the operator Shape gives: all, but for its attributes."""
    start, end = op.integer("start", 0), op.integer("end", rank)
    return slice(*(min(max(n + rank if n < 0 else n, 0), rank) for n in (start, end)))


@_folds("Size")
def _size(op: Operation, _: Files, __: Budget, array: Any) -> AnyArray:
    return np.asarray(np.int64(array.size))


@_folds("Gather")
def _gather(op: Operation, _: Files, room: Budget, array: Any, places: Any) -> AnyArray:
    axis = op.axis(array.ndim, 0)
    size = array.shape[axis]
    room.take(places.size)
    if places.dtype.kind not in "iu" or ((places < -size) | (places >= size)).any():
        raise ValueError(f"input 1: wanted numbers of {size} places, got {places!r:.80}")
    room.take(places.size * (array.size // max(1, size)), array.itemsize)
    return np.asarray(np.take(array, places, axis))


@_folds("Unsqueeze")
def _unsqueeze(op: Operation, _: Files, __: Budget, array: Any, *axes: Any) -> AnyArray:
    told = op.axes(1) or []
    return np.expand_dims(array, tuple(axes_of(told, array.ndim + len(told))))


@_folds("Squeeze")
def _squeeze(op: Operation, _: Files, __: Budget, array: Any, *axes: Any) -> AnyArray:
    told = op.axes(1)
    return np.squeeze(array, None if told is None else tuple(axes_of(told, array.ndim)))


@_folds("Concat")
def _concat(op: Operation, _: Files, room: Budget, *arrays: Any) -> AnyArray:
    room.take(sum(array.size for array in arrays))
    return np.concatenate(arrays, op.axis(arrays[0].ndim))


@_folds("Reshape")
def _reshape(op: Operation, _: Files, room: Budget, array: Any, shape: Any) -> AnyArray:
    if shape.ndim != 1 or len(shape) > MOST_SIDES:
        raise ValueError(f"wanted a shape of at most {MOST_SIDES} sides, got one of {shape.shape}")
    found = target(array.shape, [int(n) for n in shape], op.flag("allowzero"))
    if not any(array.strides):
        return np.broadcast_to(one_of(array), found)
    room.take(array.size, array.itemsize)
    return np.asarray(array.reshape(found))


def target(shape: tuple[int, ...], wanted: list[int], allow_zero: bool) -> tuple[int, ...]:
    """The shape that an array of one shape gets by the operator Reshape: -1 is what is left, 0 as it was."""
    if len(wanted) > MOST_SIDES or min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise ValueError(f"wanted a shape of at most {MOST_SIDES} sides, -1 at most once, got {wanted!r:.80}")
    if not allow_zero:
        if any(n == 0 and i >= len(shape) for i, n in enumerate(wanted)):
            raise ValueError(f"wanted 0 for a side that {shape} has, got {wanted}")
        wanted = [shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    known = prod(n for n in wanted if n != -1)
    if prod(shape) % known if known and -1 in wanted else (prod(shape) != known and -1 not in wanted):
        raise ValueError(f"wanted a shape of {prod(shape):,} numbers, got {wanted}")
    return tuple(prod(shape) // max(1, known) if n == -1 else n for n in wanted)


@_folds("Flatten")
def _flatten(op: Operation, _: Files, room: Budget, array: Any) -> AnyArray:
    axis = op.integer("axis", 1)
    axis = axis if axis == array.ndim else axis_of(axis, array.ndim)
    room.take(array.size, array.itemsize)
    return np.asarray(array.reshape(prod(array.shape[:axis]), prod(array.shape[axis:])))


@_folds("Transpose")
def _transpose(op: Operation, _: Files, __: Budget, array: Any) -> AnyArray:
    return np.asarray(array.transpose(op.integers("perm", range(array.ndim)[::-1])))


@_folds("Slice")
def _slice(op: Operation, _: Files, __: Budget, array: Any, *more: Any) -> AnyArray:
    whole = [slice(None)] * array.ndim
    for axis, start, end, step in slices(op, array.ndim):
        whole[axis] = slice(start, end, step)
    return np.asarray(array[tuple(whole)])


def slices(op: Operation, rank: int) -> list[tuple[int, int, int, int]]:
    """(axis, start, end, step) of each axis of the operator Slice."""
    if op.has_attribute("starts"):
        starts, ends = op.integers("starts"), op.integers("ends")
        axes: list[int] = op.integers("axes", range(len(starts)))
        steps = [1] * len(starts)
    else:
        starts, ends = op.whole_numbers(1), op.whole_numbers(2)
        axes = op.whole_numbers(3) if op.has(3) else list(range(len(starts)))
        steps = op.whole_numbers(4) if op.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise ValueError("wanted a start, an end and a step other than 0 for each axis, got others")
    axes_of(axes, rank)
    counted = (axis_of(axis, rank) for axis in axes)
    return list(zip(counted, starts, ends, steps, strict=True))


@_folds("Range")
def _range(op: Operation, _: Files, room: Budget, start: Any, limit: Any, delta: Any) -> AnyArray:
    first, last, step = (float(one.reshape(-1)[0]) for one in (start, limit, delta))
    if not np.isfinite([first, last, step]).all() or step == 0:
        raise ValueError("wanted finite numbers and a step other than 0, got others")
    room.take(max(0, int((last - first) / step) + 1))
    return np.arange(start.reshape(-1)[0], limit.reshape(-1)[0], delta.reshape(-1)[0])


@_folds("Where")
def _where(op: Operation, _: Files, room: Budget, which: Any, one: Any, other: Any) -> AnyArray:
    room.take(prod(np.broadcast_shapes(which.shape, one.shape, other.shape)))
    return np.where(which, one, other)


@_folds("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def _reduce(op: Operation, _: Files, room: Budget, array: Any, *axes: Any) -> AnyArray:
    room.take(array.size)
    told = op.axes(1)
    keep, noop = op.flag("keepdims", True), op.flag("noop_with_empty_axes")
    if not told:
        told = [] if noop else list(range(array.ndim))
    functions: dict[str, Any] = {
        "ReduceProd": np.prod,
        "ReduceSum": np.sum,
        "ReduceMax": np.max,
        "ReduceMin": np.min,
    }
    found = functions[op.node.op_type](array, axis=tuple(axes_of(told, array.ndim)), keepdims=keep)
    return np.asarray(found.astype(array.dtype, copy=False))
