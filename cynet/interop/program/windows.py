"""Numbers of windows that several exporters need."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape
from cynet.kernels.resize import places

from .steps import Program, Step


def images(shape: Shape) -> Shape:
    """(H, W, C) of pictures, of sequences (1, L, C), of rows (1, 1, C)."""
    return (1,) * (3 - len(shape)) + tuple(shape)


def counts(step: Step, given: Shape, out: Shape) -> AnyArray:
    """By how much the sum of each window of an `avg_pool` is divided.

    Returns
    -------
    ndarray of int64 (out height, out width)
    """
    return np.multiply.outer(*(divisors(step, axis, given[axis], out[axis]) for axis in (0, 1)))


def divisors(step: Step, axis: int, size: int, out: int) -> AnyArray:
    """The factors of `counts` along one axis: of each row of windows, or of each column.

    Returns
    -------
    ndarray of int64 (out,)
    """
    if step.numbers["divisor"]:
        return np.full(out, 1 if axis else step.numbers["divisor"], np.int64)
    before, after = step.numbers["padding"][axis], step.numbers["padding"][2 + axis]
    low, high = (-before, size + after) if step.numbers["counted"] else (0, size)
    first = np.arange(out) * step.numbers["stride"][axis] - before
    return np.minimum(first + step.numbers["kernel"][axis], high) - np.maximum(first, low)


def bordered(step: Step, axis: int, size: int) -> AnyArray:
    """Which pixels along an axis the windows of a `conv` see whose padding is filled with the image's own.

    Returns
    -------
    ndarray of intp
        Of each pixel of the padded image, as far as windows reach, that of the image.
    """
    before, after = step.numbers["padding"][axis], step.numbers["padding"][2 + axis]
    mode: Any = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[step.numbers["border"]]
    found: AnyArray = np.pad(np.arange(size), (before, max(after, 0)), mode=mode)
    return found[: before + size + after]


def pool_of_areas(program: Program, step: Step) -> tuple[Shape, Shape] | None:
    """(kernel, stride) where the areas of an `areas` step are equal windows side by side, or None."""
    given, out = program.shapes[step.inputs[0]], program.shapes[step.output]
    if any(size % to for size, to in zip(given[:2], out[:2], strict=True)):
        return None
    kernel = given[0] // out[0], given[1] // out[1]
    return kernel, kernel


def area_means(size: int, out: int) -> AnyArray:
    """(out, size): the matrix that takes the means of areas along one axis."""
    first, end = places.areas(size, out)[0]
    pixels = np.arange(size)
    inside = (pixels >= first[:, None]) & (pixels < end[:, None])
    return (inside / (end - first)[:, None]).astype(np.float32)
