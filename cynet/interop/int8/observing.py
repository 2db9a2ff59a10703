"""A program in float32, value by value, and the ranges of its values over samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from math import erf, isfinite
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Array
from cynet.interop.program import windows
from cynet.interop.program.steps import Program, Step
from cynet.kernels.conv.depthwise import DepthwiseConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution

BINS = 2048  # of a histogram
SHARES = np.linspace(0.3, 1.0, 71)  # of the whole range that are tried
BATCH = 64
GRID = 20_001

Float = Callable[[Step, Program, list[Any]], Any]


def values(program: Program, x: Array) -> Iterator[tuple[int, Array]]:
    """(number, value) of the input and of each step's output, for a batch of samples; let go when unused."""
    (first,) = program.inputs
    left, found = program.users(), {first: x}
    yield first, x
    for step in program.steps:
        given = [found[source] for source in step.inputs]
        y = FLOATS[step.operation](step, program, given)
        if step.after:
            y = curve(step.after, y)
        for source in step.inputs:
            left[source] -= 1
            if not left[source]:
                found.pop(source, None)
        found[step.output] = y
        yield step.output, y


def ranges(program: Program, samples: Array) -> dict[int, tuple[float, float]]:
    """The ends of each value between which eight bits lose least, over samples.

    Parameters
    ----------
    program : Program
    samples : ndarray of float32 (N, ...)

    Returns
    -------
    dict of int to (low, high)
        Of what is clipped and what is rounded the squared error is least (over a histogram of 2,048 bins).

    Raises
    ------
    ValueError
        When samples, or what the net makes of them, are no finite numbers.
    """
    ends: dict[int, tuple[float, float]] = {}
    for batch in _batches(samples):
        for number, y in values(program, batch):
            least, most = float(y.min()), float(y.max())
            if not (isfinite(least) and isfinite(most)):
                raise ValueError(_unlimited(program, number))
            low, high = ends.get(number, (0.0, 0.0))
            ends[number] = min(low, least), max(high, most)
    counts = {number: np.zeros(BINS, np.int64) for number in ends}
    for batch in _batches(samples):
        for number, y in values(program, batch):
            low, high = ends[number]
            if high > low:
                counts[number] += np.histogram(y, BINS, ends[number])[0]
    return {number: _best(counts[number], *ends[number]) for number in ends}


def _unlimited(program: Program, number: int) -> str:
    """What is said of a value that has no ends."""
    if number in program.inputs:
        return "samples: wanted finite numbers, got NaN or Inf among them"
    name = next(step.name for step in program.steps if step.output == number)
    return f"model: wanted a net whose values are finite for eight bits, got NaN or Inf after {name}"


def _batches(samples: Array) -> Iterator[Array]:
    for start in range(0, len(samples), BATCH):
        yield samples[start : start + BATCH]


def _best(counts: AnyArray, low: float, high: float) -> tuple[float, float]:
    """The range, each end a share of the whole one's, of least squared error."""
    if not counts.any():
        return low, high
    centres = low + (np.arange(BINS) + 0.5) * (high - low) / BINS
    found = min(
        (_error(counts, centres, low * below, high * above), -below, -above)
        for below in (SHARES if low < 0 else [1.0])
        for above in (SHARES[::2] if low < 0 else SHARES)
    )
    return -low * found[1], -high * found[2]


def _error(counts: AnyArray, centres: AnyArray, low: float, high: float) -> float:
    """Of a range: what is clipped, and a twelfth of a step squared of what is not."""
    beyond = centres - np.clip(centres, low, high)
    step = (high - low) / 255
    inside = counts[beyond == 0].sum()
    return float(counts @ beyond**2 + inside * step**2 / 12)


# -- the operations ------------------------------------------------------------------------------------------
def columns(step: Step, x: AnyArray, fill: Any = 0) -> AnyArray:
    """(N, out_h, out_w, C, kernel height, kernel width): the cells of each window, with `fill` as padding."""
    top, left, bottom, right = step.numbers["padding"]
    sides = (0, 0), (top, max(bottom, 0)), (left, max(right, 0)), (0, 0)
    x = np.pad(x, sides, constant_values=fill)
    kernel, stride = step.numbers["kernel"], step.numbers["stride"]
    dilation = step.numbers.get("dilation", (1, 1))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    found = np.lib.stride_tricks.sliding_window_view(x, reach, (1, 2))
    return found[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]


def convolved(step: Step, x: Array, weight: AnyArray) -> Array:
    """The sums of a `conv` of images without its bias, by kernels that multiply and add.

    They are exact of whole numbers whose sums stay below 2**24, as Winograd's would not be.
    """
    numbers = step.numbers
    weight = np.ascontiguousarray(weight, np.float32)
    before, after = numbers["padding"][:2], numbers["padding"][2:]
    extents = [d * (k - 1) + 1 for k, d in zip(numbers["kernel"], numbers["dilation"], strict=True)]
    sides = zip(x.shape[1:3], before, after, extents, numbers["stride"], strict=True)
    out = [(size + first + last - extent) // stride + 1 for size, first, last, extent, stride in sides]
    apart = tuple(1 if k == 1 else d for k, d in zip(numbers["kernel"], numbers["dilation"], strict=True))
    window = numbers["kernel"], numbers["stride"], before, numbers["groups"], apart
    problem = Problem(x.shape, (len(x), *out, len(weight)), *window)
    kind = DepthwiseConvolution if DepthwiseConvolution.suits(problem) else TiledConvolution
    found: Array = kind(problem).forward(np.ascontiguousarray(x), weight)
    return found


def products(step: Step, x: AnyArray, weight: AnyArray) -> AnyArray:
    """The same by a matrix product, in the dtype of x and weight."""
    groups = step.numbers["groups"]
    cells = columns(step, x)
    n, height, width, channels = cells.shape[:4]
    outputs, depth = weight.shape[:2]
    if groups == channels == outputs:
        return np.einsum("nhwcij,cij->nhwc", cells, weight[:, 0])
    cells = cells.reshape(n, height, width, groups, depth, *cells.shape[4:])
    filters = weight.reshape(groups, outputs // groups, -1)
    parts = [
        cells[:, :, :, g].reshape(n * height * width, -1) @ filters[g].T for g in range(groups)
    ]  # fmt: skip
    return np.concatenate(parts, axis=1).reshape(n, height, width, outputs)


def as_images(x: AnyArray) -> AnyArray:
    """(N, H, W, C) of arrays of sequences or rows."""
    return x.reshape(len(x), *windows.images(x.shape[1:]))


def _conv(step: Step, program: Program, given: list[Any]) -> Array:
    y = convolved(step, as_images(given[0]), step.arrays["weight"]) + step.arrays.get("bias", np.float32(0))
    return y.reshape(len(y), *program.shapes[step.output])


def _linear(step: Step, program: Program, given: list[Any]) -> Array:
    return given[0] @ step.arrays["weight"].T + step.arrays.get("bias", np.float32(0))


def _scale(step: Step, program: Program, given: list[Any]) -> Array:
    return given[0] * step.arrays["scale"] + step.arrays["shift"]


def _pooled(step: Step, program: Program, given: list[Any]) -> Array:
    x = as_images(given[0])
    if step.operation == "max_pool":
        y = columns(step, x, -np.inf).max(axis=(4, 5))
    else:
        y = summed(step, program, x) / cells(step, program)[:, :, None].astype(np.float32)
    return y.reshape(len(y), *program.shapes[step.output])


def summed(step: Step, program: Program, x: AnyArray) -> AnyArray:
    """The sum of each window of an `avg_pool`, of which the last may reach beyond its padding."""
    top, left, *_ = step.numbers["padding"]
    given, out = x.shape[1:3], windows.images(program.shapes[step.output])[:2]
    ends = [
        (o - 1) * s + k - size - before
        for size, o, k, s, before in zip(
            given, out, step.numbers["kernel"], step.numbers["stride"], (top, left), strict=True
        )
    ]
    around = Step(step.operation, step.name, (), 0, {}, {**step.numbers, "padding": (top, left, *ends)})
    found: AnyArray = columns(around, x).sum(axis=(4, 5))
    return found


def cells(step: Step, program: Program) -> AnyArray:
    """`windows.counts` of a step of a program."""
    given, out = (windows.images(program.shapes[value]) for value in (step.inputs[0], step.output))
    return windows.counts(step, given, out)


def _whole(step: Step, program: Program, given: list[Any]) -> Array:
    x = given[0].reshape(len(given[0]), -1, given[0].shape[-1])
    return x.mean(axis=1) if step.operation == "mean" else x.max(axis=1)


def _curve(step: Step, program: Program, given: list[Any]) -> Array:
    if step.numbers["kind"] == "prelu":
        return np.where(given[0] > 0, given[0], given[0] * step.arrays["slope"])
    return curve(step.numbers, given[0])


def curve(numbers: Any, x: Array) -> Array:
    """A curve of `CURVES`, in float64 within."""
    found: Array = CURVES[numbers["kind"]](x.astype(np.float64), numbers).astype(np.float32)
    return found


def _erf(x: AnyArray) -> AnyArray:
    """To the last digit of few numbers; of many between those of a grid, to 1e-7."""
    if x.size <= GRID:
        exact: AnyArray = np.vectorize(erf, otypes=[float])(x)
        return exact
    grid = np.linspace(-6, 6, GRID)
    return np.interp(x, grid, _erf(grid))


def _sigmoid(x: AnyArray) -> AnyArray:
    found: AnyArray = 0.5 * (1 + np.tanh(0.5 * x))
    return found


CURVES: dict[str, Callable[[AnyArray, Any], AnyArray]] = {
    "relu": lambda x, _: np.maximum(x, 0),
    "relu6": lambda x, _: np.clip(x, 0, 6),
    "leaky_relu": lambda x, numbers: np.where(x > 0, x, x * numbers["slope"]),
    "elu": lambda x, numbers: np.where(x > 0, x, numbers["alpha"] * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x, _: x * 0.5 * (1 + _erf(x / np.sqrt(2))),
    "silu": lambda x, _: x * _sigmoid(x),
    "sigmoid": lambda x, _: _sigmoid(x),
    "tanh": lambda x, _: np.tanh(x),
    "hardsigmoid": lambda x, _: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x, _: x * np.clip(x + 3, 0, 6) / 6,
    "softplus": lambda x, numbers: np.where(
        x * numbers["beta"] > numbers["threshold"], x, np.logaddexp(0, x * numbers["beta"]) / numbers["beta"]
    ),
}


def moved(step: Step, program: Program, given: list[Any], fill: Any = 0) -> AnyArray:
    """What only puts numbers elsewhere, of any dtype: `fill` is what padding holds."""
    x, out = given[0], program.shapes[step.output]
    if step.operation == "concatenate":
        return np.concatenate(given, axis=-1)
    if step.operation == "flatten":
        return np.moveaxis(x, -1, 1).reshape(len(x), -1) if x.ndim > 2 else x.reshape(len(x), -1)
    if step.operation == "reshape":
        return x.reshape(len(x), *out)
    if step.operation == "nearest":
        return x[:, step.arrays["rows"]][:, :, step.arrays["columns"]]
    if step.operation == "shuffle":
        groups = step.numbers["groups"]
        return np.moveaxis(x.reshape(*x.shape[:-1], groups, -1), -1, -2).reshape(x.shape)
    padding = step.numbers["padding"]  # of a pad
    sides = [(max(padding[axis], 0), max(padding[2 + axis], 0)) for axis in (0, 1)]
    x = np.pad(x, [(0, 0), *sides, (0, 0)], constant_values=fill)
    top, left = (max(-side, 0) for side in padding[:2])
    return x[:, top : top + out[0], left : left + out[1]]


FLOATS: dict[str, Float] = {
    "conv": _conv, "linear": _linear, "scale": _scale, "max_pool": _pooled, "avg_pool": _pooled,
    "mean": _whole, "max": _whole, "curve": _curve,
    "add": lambda step, program, given: reduce(np.add, given),
    "multiply": lambda step, program, given: reduce(np.multiply, given),
} | dict.fromkeys(("concatenate", "flatten", "reshape", "nearest", "shuffle", "pad"), moved)  # fmt: skip
