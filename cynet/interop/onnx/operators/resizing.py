"""Images made larger or smaller: by cynet's tables where they are those that ONNX's rules make."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core.types import AnyArray
from cynet.kernels.resize import places
from cynet.nn.layers.upsample import Upsample

from ..operation import Operation
from ..values import BATCH, Laid
from .table import operator

NEAREST, LINEAR = "nearest", "linear"
ASYMMETRIC, HALF, CORNERS = "asymmetric", "half_pixel", "align_corners"
RULES = ASYMMETRIC, HALF, CORNERS, "pytorch_half_pixel"
ROUNDS = "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"
MOST_SIDE = 1 << 16  # pixels: tables are made for them
MOST_AXES = 16
NEAR = 1e-4  # of a pixel


@operator("Upsample")
def upsample(op: Operation) -> Laid:
    """The operator before Resize, with its rule."""
    scales = op.numbers("scales") if op.has_attribute("scales") else _scales(op, 1)
    return _resized(op, scales, None, op.text("mode", NEAREST), ASYMMETRIC, "floor")


@operator("Resize")
def resize(op: Operation) -> Laid:
    mode = op.text("mode", NEAREST)
    if op.opset < 11:
        return _resized(op, _scales(op, 1), None, mode, ASYMMETRIC, "floor")
    op.number("cubic_coeff_a", -0.75), op.number("extrapolation_value", 0.0), op.integer("exclude_outside", 0)
    op.refuse("antialias", 0)
    op.refuse("keep_aspect_ratio_policy", "stretch")
    rule = op.text("coordinate_transformation_mode", HALF)
    rounds = op.text("nearest_mode", "round_prefer_floor")
    sizes = _sizes(op, 3) if op.has(3) and _count(op, 3) else None
    scales = _scales(op, 2) if op.has(2) and _count(op, 2) else None
    if (sizes is None) == (scales is None):
        raise ValueError("wanted either sizes or scales, got both or neither")
    if op.has_attribute("axes"):
        sizes, scales = _of_all(op, sizes, scales)
    return _resized(op, scales, sizes, mode, rule, rounds)


def _count(op: Operation, place: int) -> int:
    """How many numbers an input has."""
    count = int(op.known(place).first.size)
    if count > MOST_AXES:
        raise ValueError(f"input {place}: wanted at most {MOST_AXES} numbers, got {count:,}")
    return count


def _scales(op: Operation, place: int) -> list[float]:
    _count(op, place)
    return [float(n) for n in op.weights(place).reshape(-1)]


def _sizes(op: Operation, place: int) -> list[int]:
    """The sizes that an input tells; of the batch, which may be the first, it does not matter which one."""
    both = op.known(place)
    first, second = (one.reshape(-1) for one in (both.first, both.second))
    if first.dtype.kind not in "iu" or not np.array_equal(first[1:], second[1:]):
        raise ValueError(f"input {place}: wanted sizes that do not depend on the batch, got others")
    return [int(n) for n in first]


def _of_all(op: Operation, sizes: Any, scales: Any) -> Any:
    """Sizes and scales of all axes, where they were told of some."""
    laid = op.laid()
    axes = [axis % laid.rank for axis in op.integers("axes")]
    given = sizes if scales is None else scales
    if len(axes) != len(given) or any(axis < 2 for axis in axes):
        raise ValueError("axes: wanted those of height and width, one for each size, got others")
    whole = (
        [op.net.batch.first, laid.size(1), *(laid.size(i) for i in range(2, laid.rank))]
        if scales is None
        else [1.0] * laid.rank
    )
    for axis, n in zip(axes, given, strict=True):
        whole[axis] = n
    return (whole, None) if scales is None else (None, whole)


def _resized(op: Operation, scales: Any, sizes: Any, mode: str, rule: str, rounds: str) -> Laid:
    symbol, count = op.net.image(op.laid())
    *in_hw, channels = symbol.shape
    if mode not in (NEAREST, LINEAR) or rule not in RULES or rounds not in ROUNDS:
        raise ValueError(
            f"wanted mode {NEAREST} or {LINEAR}, a rule of {', '.join(RULES)}, and of {', '.join(ROUNDS)}, "
            f"got {mode:.40}, {rule:.40}, {rounds:.40}"
        )
    given = sizes if scales is None else scales
    if len(given) != count + 2:
        raise ValueError(f"wanted a size or scale for each of {count + 2} axes, got {len(given)}")
    held = sizes[0] in op.net.batch if sizes else list(scales[:2]) == [1, 1]
    if not held or (sizes and sizes[1] != channels):
        raise ValueError("wanted batch and channels to stay as they are, got others")
    if scales and not all(0 < scale <= MOST_SIDE for scale in scales):
        raise ValueError(f"wanted scales above 0 and up to {MOST_SIDE}, got {scales!r:.80}")
    out = (
        [int(n) for n in sizes[2:]] if sizes else [int(n * s) for n, s in zip(in_hw, scales[2:], strict=True)]
    )
    if any(not 1 <= n <= MOST_SIDE for n in (*out, *in_hw)):
        raise ValueError(f"wanted sides of 1 to {MOST_SIDE} pixels, got {in_hw} to {out}")
    factors = list(scales[2:]) if scales else [o / n for o, n in zip(out, in_hw, strict=True)]
    if count == 1:
        symbol, in_hw, out, factors = (
            op.net.shaped(symbol, (1, *symbol.shape)),
            [1, *in_hw],
            [1, *out],
            [1.0, *factors],
        )
    found = op.call(_layer(in_hw, out, factors, mode, rule, rounds), symbol)
    return Laid.of(
        found if count == 2 else op.net.shaped(found, found.shape[1:]), BATCH, count, *range(count)
    )


def _layer(
    in_hw: list[int], out: list[int], factors: list[float], mode: str, rule: str, rounds: str
) -> Upsample:
    """The layer that takes the same pixels as ONNX does."""
    sides = list(zip(in_hw, out, factors, strict=True))
    wanted = [_places(*side, rule) for side in sides]
    size, scale = (out[0], out[1]), (factors[0], factors[1])
    if mode == NEAREST:
        pixels = [_rounded(place, rounds, side[0]) for place, side in zip(wanted, sides, strict=True)]
        for ways, arguments in (((None, None), {"size": size}), (factors, {"scale_factor": scale})):
            tables = [places.nearest(n, o, way)[0][0] for (n, o, _), way in zip(sides, ways, strict=True)]
            if all(np.array_equal(one, other) for one, other in zip(tables, pixels, strict=True)):
                return Upsample(**arguments)
    else:
        for corners in (False, True):
            for ways, arguments in (((None, None), {"size": size}), (factors, {"scale_factor": scale})):
                if corners and ways is factors:
                    continue
                tables = [
                    _between(*places.bilinear(n, o, way, corners)[:2])
                    for (n, o, _), way in zip(sides, ways, strict=True)
                ]
                inside = [np.clip(place, 0, n - 1) for place, (n, _, _) in zip(wanted, sides, strict=True)]
                if all(np.abs(one - other).max() < NEAR for one, other in zip(tables, inside, strict=True)):
                    return Upsample(**arguments, mode="bilinear", align_corners=corners or None)
    raise ValueError(
        f"wanted a way to resize that cynet has, got mode {mode}, {rule}, {rounds} from {in_hw} to {out}"
    )


def _places(size: int, out: int, factor: float, rule: str) -> AnyArray:
    """Where each pixel of the output lies in the input, along one side."""
    i = np.arange(out)
    if rule == CORNERS:
        return i * ((size - 1) / (out - 1)) if out > 1 else np.zeros(1)
    if rule == ASYMMETRIC:
        return np.asarray(i / factor)
    if rule == RULES[3] and out == 1:
        return np.zeros(1)
    return np.asarray((i + 0.5) / factor - 0.5)


def _rounded(place: AnyArray, rounds: str, size: int) -> AnyArray:
    rounded = {
        "floor": np.floor(place), "ceil": np.ceil(place), "round_prefer_floor": np.ceil(place - 0.5),
        "round_prefer_ceil": np.floor(place + 0.5),
    }[rounds]  # fmt: skip
    return np.clip(rounded, 0, size - 1).astype(np.intp)


def _between(pixels: AnyArray, share: AnyArray) -> AnyArray:
    return np.asarray(pixels[0] + share.astype(float))
