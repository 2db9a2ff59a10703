"""A quantised program, computed in whole numbers: what the exported C computes, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array
from cynet.interop.program.steps import Step
from cynet.nn.layer import Layer

from . import observing
from .arithmetic import LOWEST, clamped, divided, times
from .quantizing import SHIFT, Quantized
from .rounding import rounded

EXACT = 2**24  # below which float32 has every whole number
BATCH = 64


def run(program: Quantized, x: Array) -> AnyArray:
    """The outputs of a quantised net.

    Parameters
    ----------
    program : Quantized
    x : ndarray of float32 (N, ...)
        As the net that was quantised takes it; or of uint8, where the program begins with `levels`.

    Returns
    -------
    ndarray of int8 (N, ...)
        `program.answer.real` of them are the numbers.
    """
    parts = [_run(program, x[start : start + BATCH]) for start in range(0, len(x), BATCH)]
    return np.concatenate(parts) if parts else np.zeros((0, *program.shapes[program.outputs[0]]), np.int8)


def _run(program: Quantized, x: Array) -> AnyArray:
    left, found = program.users(), {program.inputs[0]: x}
    for step in program.steps:
        given: list[Any] = [found[source] for source in step.inputs]
        found[step.output] = WHOLE[step.operation](program, step, given)
        for source in step.inputs:
            left[source] -= 1
            if not left[source]:
                found.pop(source, None)
    answer: AnyArray = found[program.outputs[0]]
    return answer


class QuantizedNet(Layer):
    """A quantised net as a layer that evaluates: its outputs as float32.

    Parameters
    ----------
    program : Quantized
    """

    def __init__(self, program: Quantized) -> None:
        self.program = program
        self.eval()

    def output_shape(self, shape: Any) -> Any:
        wanted = self.program.shapes[self.program.inputs[0]]
        if tuple(shape[1:]) != wanted:
            raise ValueError(f"wanted (N, {str(wanted)[1:]}, got {shape}")
        return (shape[0], *self.program.shapes[self.program.outputs[0]])

    def forward(self, x: Array) -> Array:
        return self.program.answer.real(run(self.program, x))


# -- the operations ------------------------------------------------------------------------------------------
def _conv(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    """By floating-point products of whole numbers, whose sums are exact."""
    numbers, weight = step.numbers, step.arrays["weight"]
    bound = 255 * int(np.abs(weight.reshape(len(weight), -1).astype(np.int64)).sum(axis=1).max())
    x = observing.as_images(given[0])
    terms = [step.arrays[name] for name in ("m", "shift")]
    if bound < EXACT:
        total = observing.convolved(step, x.astype(np.float32) - np.float32(numbers["zero"]), weight)
        y: AnyArray = np.empty(total.shape, np.int8)
        rows, ends = (-1, total.shape[-1]), (numbers["out"], numbers["low"], numbers["high"])
        rounded(total.reshape(rows), step.arrays["bias"], *terms, *ends, y.reshape(rows), get_num_threads())
    else:
        sums = observing.products(step, x.astype(np.float64) - numbers["zero"], weight.astype(np.float64))
        found = times(sums.astype(np.int64) + step.arrays["bias"], *terms) + numbers["out"]
        y = clamped(found, numbers["low"], numbers["high"])
    return y.reshape(len(y), *program.shapes[step.output])


def _table(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    found: AnyArray = step.arrays["table"][given[0].astype(np.int16) - LOWEST]
    return found


def _prelu(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    x, numbers = given[0].astype(np.int64) - step.numbers["zero"], step.numbers
    above = times(x, numbers["m"], numbers["shift"])
    below = times(x, step.arrays["m"], step.arrays["shift"])
    return clamped(np.where(x >= 0, above, below) + numbers["out"])


def _add(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    terms = zip(given, *(step.arrays[name] for name in ("zero", "m", "shift")), strict=True)
    total = sum(times((x.astype(np.int64) - zero) << SHIFT, m, shift) for x, zero, m, shift in terms)
    numbers = step.numbers
    y = times(np.asarray(total), numbers["m"], numbers["shift"]) + numbers["out"]
    return clamped(y, numbers["low"], numbers["high"])


def _multiply(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    first, second = (x.astype(np.int64) - zero for x, zero in zip(given, step.arrays["zero"], strict=True))
    return clamped(times(first * second, step.numbers["m"], step.numbers["shift"]) + step.numbers["out"])


def _concat(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    terms = zip(given, *(step.arrays[name] for name in ("zero", "m", "shift")), strict=True)
    parts = [times(x.astype(np.int64) - zero, m, shift) for x, zero, m, shift in terms]
    return clamped(np.concatenate(parts, axis=-1) + step.numbers["out"])


def _mean(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    x = given[0].reshape(len(given[0]), -1, given[0].shape[-1])
    total = x.astype(np.int64).sum(axis=1) - step.numbers["zero"] * x.shape[1]
    return clamped(times(total, step.numbers["m"], step.numbers["shift"]) + step.numbers["out"])


def _max_pool(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    y = observing.columns(step, observing.as_images(given[0]), LOWEST).max(axis=(4, 5))
    return y.reshape(len(y), *program.shapes[step.output])


def _avg_pool(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    """Of real numbers: padding is 0.0, the zero, so that it is left out of sums of differences from it."""
    zero = step.numbers["zero"]
    x = observing.as_images(given[0]).astype(np.int64) - zero
    total = observing.summed(step, program, x)
    y = divided(total, observing.cells(step, program)[:, :, None]) + zero
    return clamped(y).reshape(len(y), *program.shapes[step.output])


def _moved(program: Quantized, step: Step, given: list[Any]) -> AnyArray:
    return observing.moved(step, program, given, step.numbers.get("fill", 0))


WHOLE: dict[str, Callable[[Quantized, Step, list[Any]], AnyArray]] = {
    "quantize": lambda program, step, given: program.quantities[step.output].quantized(given[0]),
    "levels": lambda program, step, given: step.arrays["table"][np.arange(given[0].shape[-1]), given[0]],
    "conv": _conv, "table": _table, "prelu": _prelu, "add": _add, "multiply": _multiply, "concat": _concat,
    "mean": _mean, "max_pool": _max_pool, "avg_pool": _avg_pool,
    "max": lambda program, step, given: given[0].max(axis=(1, 2)),
} | dict.fromkeys(("flatten", "reshape", "nearest", "shuffle", "pad"), _moved)  # fmt: skip
