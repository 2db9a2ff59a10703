"""Where windows lie, as tables, and weights in the order in which the kernels read them.

Design: of each output row, and each row of its window, a table has the row of the input, or -1 for zeros;
another one has the columns. So one kernel does for every padding, dilation and border, and for transposed
convolution, whose windows have holes. Rows and columns of a window that see only zeros are left out, with
their weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape
from cynet.interop.program import windows
from cynet.interop.program.steps import Step
from cynet.kernels.resize import places

from .unit import Unit

PIXELS, PANEL, LEAST = (
    6,
    16,
    4,
)  # as kernels/block.c has them: outputs lie in sixteens, padded to a multiple of 4


@dataclass(frozen=True)
class Windows:
    """The windows of a step.

    Attributes
    ----------
    given, out : tuple of int
        (height, width, channels) of the input and the output.
    rows, columns : ndarray of int
        (out height, places down) and (out width, places across), -1 for none.
    same : bool
        Whether the columns of the output are those of the input.
    """

    given: Shape
    out: Shape
    rows: AnyArray
    columns: AnyArray
    same: bool = False

    @property
    def count(self) -> int:
        """How many places a window has."""
        return self.rows.shape[1] * self.columns.shape[1]

    def fields(self, unit: Unit) -> dict[str, Any]:
        """Those of `struct windows`."""
        return {
            "width": self.given[1],
            "channels": self.given[2],
            "out_height": self.out[0],
            "out_width": self.out[1],
            "down": self.rows.shape[1],
            "across": self.columns.shape[1],
            "rows": unit.places("rows", self.rows),
            "columns": 0 if self.same else unit.places("columns", self.columns),
        }


def of_pooling(step: Step, given: Shape, out: Shape) -> Windows:
    """Of max and average pooling."""
    rows, columns = (_strided(step, axis, given[axis], out[axis]) for axis in (0, 1))
    return Windows(given, out, rows, columns)


def _strided(step: Step, axis: int, size: int, out: int) -> AnyArray:
    """Of what goes over the input in strides."""
    numbers = step.numbers
    apart = numbers["dilation"][axis] if "dilation" in numbers else 1
    first = np.arange(out) * numbers["stride"][axis]
    found = first[:, None] + np.arange(numbers["kernel"][axis]) * apart
    if numbers.get("border", "zeros") != "zeros":
        return windows.bordered(step, axis, size)[found]
    found -= numbers["padding"][axis]
    return np.where((found >= 0) & (found < size), found, -1)


def _spread(step: Step, axis: int, size: int, out: int) -> AnyArray:
    """Of a transposed convolution, from the last place of its window to the first."""
    numbers = step.numbers
    back = np.arange(numbers["kernel"][axis])[::-1] * numbers["dilation"][axis]
    found = np.arange(out)[:, None] + numbers["padding"][axis] - back
    stride = numbers["stride"][axis]
    inside = (found >= 0) & (found % stride == 0) & (found // stride < size)
    return np.where(inside, found // stride, -1)


def of_convolution(step: Step, given: Shape, out: Shape) -> tuple[Windows, AnyArray]:
    """(windows, weights) of a `conv` or `deconv`.

    Returns
    -------
    windows : Windows
    weights : ndarray of float32 (groups, places, inputs of a group, outputs of a group)
    """
    weight, groups = step.arrays["weight"], step.numbers["groups"]
    if step.operation == "conv":
        axes = [_strided(step, axis, given[axis], out[axis]) for axis in (0, 1)]
        laid = weight.reshape(groups, -1, *weight.shape[1:]).transpose(0, 3, 4, 2, 1)
    else:
        axes = [_spread(step, axis, given[axis], out[axis]) for axis in (0, 1)]
        laid = weight.reshape(groups, -1, *weight.shape[1:])[..., ::-1, ::-1].transpose(0, 3, 4, 1, 2)
    seen = [_seen(axis) for axis in axes]
    laid = laid[:, seen[0]][:, :, seen[1]]
    rows, columns = axes[0][:, seen[0]], axes[1][:, seen[1]]
    laid = laid.reshape(groups, -1, *laid.shape[3:])
    each = np.arange(given[0]), np.arange(given[1])
    if laid.shape[1] == 1 and all(map(np.array_equal, (rows[:, 0], columns[:, 0]), each)):
        return of_rows(given[0] * given[1], given[2], out[2]), laid
    return Windows(given, out, rows, columns), laid


def _seen(table: AnyArray) -> AnyArray:
    """The places of windows that some output sees; at least one."""
    found = np.flatnonzero((table >= 0).any(axis=0))
    return found if len(found) else np.zeros(1, int)


def of_rows(count: int, inputs: int, outputs: int) -> Windows:
    """Of what does the same to each pixel: a picture of one row."""
    return Windows(
        (1, count, inputs), (1, count, outputs), np.zeros((1, 1), int), np.arange(count)[:, None], True
    )


def of_areas(given: Shape, out: Shape) -> Windows:
    """Of the means of areas."""
    rows, columns = (_area(given[axis], out[axis]) for axis in (0, 1))
    return Windows(given, out, rows, columns)


def _area(size: int, out: int) -> AnyArray:
    first, end = places.areas(size, out)[0]
    found = first[:, None] + np.arange((end - first).max())
    return np.where(found < end[:, None], found, -1)


@dataclass(frozen=True)
class Lying:
    """Which outputs have windows that can be read where they lie: a span for each of their rows.

    Attributes
    ----------
    top, bottom, left, right : int
        From the first row and column to behind the last.
    pixel, line : int
        Numbers from one window to the next, and from one row of a window to the next.
    """

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    pixel: int = 0
    line: int = 0

    def copies(self, found: Windows) -> bool:
        """Whether there are outputs whose windows are copied: six are computed at once."""
        height, width = found.out[:2]
        first = np.arange(0, height * width, PIXELS)
        row, column = first // width, first % width
        inside = (row >= self.top) & (row < self.bottom)
        inside &= (column >= self.left) & (column + PIXELS <= self.right)
        return not inside.all()


def lying(found: Windows, groups: int) -> Lying:
    """Which windows need no copy."""
    channels, width = found.given[2], found.given[1]
    if found.same:
        return Lying(0, 1, 0, found.out[1], channels, 0)
    down, top, bottom = _even(found.rows)
    apart, left, right = _even(found.columns)
    across = found.columns.shape[1]
    if (across > 1 and (apart != 1 or groups > 1)) or right - left < PIXELS:
        return Lying()
    step = int(found.columns[left + 1, 0] - found.columns[left, 0])
    return Lying(top, bottom, left, right, step * channels, down * width * channels)


def _even(table: AnyArray) -> tuple[int, int, int]:
    """(from place to place, first output, behind the last) of outputs whose windows are even."""
    middle = table[len(table) // 2]
    apart = int(middle[1] - middle[0]) if len(middle) > 1 else 0
    even = (table >= 0).all(axis=1) & (np.diff(table, axis=1) == apart).all(axis=1)
    step = np.diff(table[:, 0], append=table[-1:, 0])
    first = len(table) // 2
    if not even[first] or apart < 0:
        return 0, 0, 0
    end = first + 1
    stride = step[first - 1] if first else step[first]
    while end < len(table) and even[end] and step[end - 1] == stride:
        end += 1
    while first > 0 and even[first - 1] and step[first - 1] == stride:
        first -= 1
    return apart, first, end


def picked(step: Step, given: Shape, out: Shape) -> list[AnyArray]:
    """Of a `pad` or `nearest` the row of the input for each of the output, -1 for none; columns alike."""
    if step.operation == "nearest":
        return [step.arrays["rows"], step.arrays["columns"]]
    found = [np.arange(out[axis]) - step.numbers["padding"][axis] for axis in (0, 1)]
    return [np.where((one >= 0) & (one < given[axis]), one, -1) for axis, one in enumerate(found)]


def packed(laid: AnyArray) -> AnyArray:
    """Weights as panels of sixteen outputs: of each group, for each number of a window, sixteen in a row.

    Parameters
    ----------
    laid : ndarray (groups, places, inputs, outputs)

    Returns
    -------
    ndarray of float32
    """
    groups, count, inputs, outputs = laid.shape
    padded = np.zeros((groups, count * inputs, _padded(outputs)), np.float32)
    padded[..., :outputs] = laid.reshape(groups, count * inputs, outputs)
    panels = [
        padded[group, :, first : first + PANEL].reshape(-1)
        for group in range(groups)
        for first in range(0, padded.shape[2], PANEL)
    ]
    return np.concatenate(panels)


def biases(bias: AnyArray | None, groups: int, outputs: int) -> AnyArray:
    """Biases, or zeros for none, as `packed` has its outputs."""
    padded = np.zeros((groups, _padded(outputs)), np.float32)
    if bias is not None:
        padded[:, :outputs] = bias.reshape(groups, outputs)
    return padded


def _padded(outputs: int) -> int:
    return -(-outputs // LEAST) * LEAST
