"""What C does within another step: sums where a convolution writes, rearrangements in the weights behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cynet.core.types import AnyArray
from cynet.interop.program.steps import Program, Step


def without_flattening(program: Program) -> Program:
    """A `flatten` before a linear layer is done to its weights, once; what stays is a `reshape`."""
    users = program.users()
    makers = {step.output: i for i, step in enumerate(program.steps)}
    steps = list(program.steps)
    for i, step in enumerate(program.steps):
        if step.operation == "flatten" and _kept(program, step):
            steps[i] = replace(step, operation="reshape")
        if step.operation == "linear" and step.inputs[0] in makers:
            before = steps[makers[step.inputs[0]]]
            if before.operation == "flatten" and users[before.output] == 1:
                weight = _by_pixels(step.arrays["weight"], *program.shapes[before.inputs[0]])
                steps[makers[before.output]] = replace(before, operation="reshape")
                steps[i] = replace(step, arrays={**step.arrays, "weight": weight})
    return replace(program, steps=tuple(steps))


def _kept(program: Program, step: Step) -> bool:
    """Whether a `flatten` leaves the order as it is."""
    *sides, channels = program.shapes[step.inputs[0]]
    return channels == 1 or all(side == 1 for side in sides)


def _by_pixels(weight: AnyArray, *shape: int) -> AnyArray:
    """The weights of inputs that come channel by channel, for those that come pixel by pixel."""
    *sides, channels = shape
    apart = weight.reshape(len(weight), channels, *sides)
    return np.ascontiguousarray(np.moveaxis(apart, 1, -1)).reshape(weight.shape)


def without_single_sums(program: Program) -> Program:
    """Sums, products and concatenations of one value alone are that value, or a curve of it."""
    steps = []
    for step in program.steps:
        if step.operation in ("add", "multiply", "concatenate") and len(step.inputs) == 1:
            kind = "curve" if step.after else "reshape"
            step = replace(step, operation=kind, numbers=dict(step.after or {}), after=None)
        steps.append(step)
    return replace(program, steps=tuple(steps))


def with_sums(program: Program) -> Program:
    """A sum of two is added where the later of them is written by a convolution, which takes the other then.

    That spares a pass over memory, and the memory of one more value.
    """
    users = program.users()
    makers = {step.output: i for i, step in enumerate(program.steps)}
    steps: list[Step | None] = list(program.steps)
    for i, step in enumerate(program.steps):
        if step.operation != "add" or len(step.inputs) != 2:
            continue
        first, second = step.inputs
        later, other = sorted((first, second), key=lambda value: -makers.get(value, -1))
        host = steps[makers[later]] if later in makers else None
        if host is not None and users[later] == 1 and _takes_sums(program, host):
            steps[makers[later]] = None
            inputs = (*host.inputs, other)
            steps[i] = replace(host, inputs=inputs, output=step.output, after=step.after)
    return replace(program, steps=tuple(step for step in steps if step is not None))


def _takes_sums(program: Program, step: Step) -> bool:
    if step.operation not in ("conv", "deconv", "linear") or step.after or len(step.inputs) != 1:
        return False
    return not depthwise(program, step)


def depthwise(program: Program, step: Step) -> bool:
    """Whether a convolution is of each channel by itself."""
    channels = {program.shapes[value][-1] for value in (step.inputs[0], step.output)}
    return step.operation == "conv" and {step.numbers["groups"]} == channels and channels != {1}
