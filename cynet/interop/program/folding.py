"""Steps that are joined: batch norm goes into the weights before it, a curve after the step that it follows.

Each pass takes a program and gives another one, which computes the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

from .steps import CURVES, Program, Step

Join = Callable[[Step, Step], Step | None]  # the two as one, or None


def folded(program: Program) -> Program:
    """Batch norm within the weights of the convolution or linear layer before it, or else as a `scale`.

    In float64, rounded once.
    """
    joined = _joined(program, _fold)
    steps = [_scale(step) if step.operation == "norm" else step for step in joined.steps]
    return _joined(replace(joined, steps=tuple(steps)), _chained_scales)


def with_curves(program: Program, kinds: Sequence[str] = tuple(CURVES)) -> Program:
    """Curves of these kinds are done where the step before them writes."""

    def follow(before: Step, step: Step) -> Step | None:
        return _follow(before, step) if step.numbers.get("kind") in kinds else None

    return _joined(program, follow)


def with_pixels(program: Program, mean: tuple[float, ...], std: tuple[float, ...]) -> Program:
    """The program for pictures of 0 to 255, which enter as (x / 255 - mean) / std.

    Parameters
    ----------
    program : Program
        Of one input, whose channels are as many as the means.
    mean, std : tuple of float
    """
    numbers = {"mean": tuple(mean), "std": tuple(std)}
    divisor = 255 * np.array(std, np.float64)
    return _normalizing(program, "pixels", "uint8", divisor, np.divide(mean, std), numbers)


def with_normalization(program: Program, mean: tuple[float, ...], std: tuple[float, ...]) -> Program:
    """The program for real numbers that enter as (x - mean) / std; the arguments as for `with_pixels`."""
    return _normalizing(program, "scale", "float32", np.array(std, np.float64), np.divide(mean, std))


def _normalizing(
    program: Program, operation: str, dtype: str, divisor: AnyArray, less: AnyArray, numbers: Any = None
) -> Program:
    """A step before all others: x / divisor - less for each channel."""
    (first,) = program.inputs
    given = max(program.shapes) + 1
    arrays = {"scale": (1 / divisor).astype(np.float32), "shift": (-less).astype(np.float32)}
    name = "pixels" if operation == "pixels" else "normalize"
    step = Step(operation, name, (given,), first, arrays, numbers or {})
    shapes, dtypes = {**program.shapes, given: program.shapes[first]}, {**program.dtypes, given: dtype}
    return replace(program, shapes=shapes, inputs=(given,), steps=(step, *program.steps), dtypes=dtypes)


def _joined(program: Program, join: Join) -> Program:
    """Each step that only one other takes, joined with it where that can be."""
    users, steps = program.users(), list[Step]()
    makers: dict[int, int] = {}  # of values the places of their steps
    for step in program.steps:
        place = makers.get(step.inputs[0]) if len(step.inputs) == 1 else None
        if place is not None and users[step.inputs[0]] == 1:
            found = join(steps[place], step)
            if found is not None:
                del makers[steps[place].output]
                steps[place] = replace(found, output=step.output)
                makers[step.output] = place
                continue
        makers[step.output] = len(steps)
        steps.append(step)
    used = {*program.inputs, *program.outputs, *makers}
    shapes = {number: shape for number, shape in program.shapes.items() if number in used}
    return replace(program, shapes=shapes, steps=tuple(steps))


def terms(step: Step) -> tuple[AnyArray, AnyArray]:
    """(scale, shift) of a `norm` or a `scale`, in float64."""
    wide = {name: array.astype(np.float64) for name, array in step.arrays.items()}
    if step.operation != "norm":
        return wide["scale"], wide["shift"]
    scale = 1 / np.sqrt(wide["variance"] + step.numbers["eps"])
    scale = scale * wide["weight"] if "weight" in wide else scale
    return scale, wide.get("bias", 0.0) - wide["mean"] * scale


def _scale(step: Step) -> Step:
    scale, shift = (each.astype(np.float32) for each in terms(step))
    return replace(step, operation="scale", arrays={"scale": scale, "shift": shift}, numbers={})


def _fold(before: Step, step: Step) -> Step | None:
    if step.operation != "norm" or before.operation not in ("conv", "deconv", "linear") or before.after:
        return None
    return _into_weights(before, *terms(step), step.name)


def _into_weights(step: Step, scale: AnyArray, shift: AnyArray, name: str) -> Step:
    weight = step.arrays["weight"].astype(np.float64)
    if step.operation == "deconv":  # (I, O / groups, h, w): the outputs of group g belong to its inputs
        groups = step.numbers["groups"]
        per_group = scale.reshape(groups, 1, -1, 1, 1)
        weight = (weight.reshape(groups, -1, *weight.shape[1:]) * per_group).reshape(weight.shape)
    else:
        weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    bias = step.arrays.get("bias", np.zeros(1)).astype(np.float64) * scale + shift
    arrays = {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
    return replace(step, arrays={**step.arrays, **arrays}, name=name)


def _chained_scales(before: Step, step: Step) -> Step | None:
    if before.operation != "scale" or step.operation != "scale" or before.after:
        return None
    (scale, shift), (other, more) = terms(before), terms(step)
    arrays = {"scale": (scale * other).astype(np.float32), "shift": (shift * other + more).astype(np.float32)}
    return replace(step, arrays=arrays, inputs=before.inputs)


def _follow(before: Step, step: Step) -> Step | None:
    hosts = "conv", "linear", "scale", "add"
    if step.operation != "curve" or step.arrays or before.after or before.operation not in hosts:
        return None
    return replace(before, after=dict(step.numbers), name=step.name)
