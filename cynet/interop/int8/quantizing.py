"""A program in eight bits: of each step whole numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cynet.core.types import Array, Shape
from cynet.interop.program import folding
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program, Step
from cynet.nn.layer import Layer

from . import observing
from .arithmetic import HIGHEST, LOWEST, multiplier, multipliers
from .quantities import Quantity, weights

SHIFT = 20  # bits to the left of what is added, as in TFLite
CLAMPS = {"relu": (0.0, None), "relu6": (0.0, 6.0)}  # curves that are a clamp of what is written
MOST_TERMS = (2**31 - 2**24) // (255 * 127)  # of a sum in 32 bits, beside its bias


@dataclass(frozen=True)
class Quantized(Program):
    """A program in eight bits.

    Its steps are, beside those that only move numbers (`observing.moved`; a `pad` has a `fill`), and
    `max_pool`, `max` and `avg_pool` (with the `zero`), which keep the scale of their input:

    ========== ==================================== ========================================================
    operation  arrays                               numbers
    ========== ==================================== ========================================================
    conv       weight int8 (O, I/groups, h, w),     as in `steps`, and zero, of the input; low, high: of the
               bias int32, m, shift int32 (O,)      output, with out, its zero. A linear layer is a conv of
                                                    one pixel, batch norm without a convolution one of 1 x 1
    table      table int8 (256,)                    a curve, of input + 128
    prelu      m, shift int32 (C,) of negatives     zero, out; m, shift of others
    add        zero, m, shift int32 (2,)            m, shift, out, low, high
    multiply   zero int32 (2,)                      m, shift, out
    concat     zero, m, shift int32 (inputs,)       out
    mean                                            zero, m, shift, out
    quantize                                        scale, out: of the float32 that come in
    levels     table int8 (C, 256)                  the same of bytes, by channel
    ========== ==================================== ========================================================

    Attributes
    ----------
    quantities : mapping of int to Quantity
        Of each value.
    """

    quantities: Mapping[int, Quantity] = None  # type: ignore[assignment]

    @property
    def answer(self) -> Quantity:
        """Of the one output."""
        return self.quantities[self.outputs[0]]


def quantized(model: Layer, input_shape: Shape, samples: Array) -> Quantized:
    """A net in eight bits, its ranges taken from samples.

    Weights are symmetric and have a scale for each output channel, values one each with a zero of its own
    (Jacob et al. 2017), and sums 32 bits; the ends of ranges are those of least squared error.

    Parameters
    ----------
    model : Layer
        Of cynet's own layers, of one input and one output.
    input_shape : tuple of int
        Of a sample, without the batch.
    samples : ndarray of float32 (N, *input_shape)
        As the net is given them; some hundred of those it was trained on.

    Returns
    -------
    Quantized

    Raises
    ------
    ValueError
        When the net has what cannot be done in eight bits, which is listed all at once; when samples, or its
        values, are not finite.
    """
    program = _pairs(folding.with_curves(folding.folded(lower(model, input_shape)), tuple(CLAMPS)))
    if len(program.inputs) != 1 or len(program.outputs) != 1 or program.integers:
        raise ValueError("model: wanted a net of one input, of numbers, and one output for eight bits")
    strangers = [f"{step.name} ({_told(step)})" for step in program.steps if not _is_known(step)]
    if strangers:
        raise ValueError(
            f"model: wanted layers that there are in eight bits, got {', '.join(strangers[:10])}"
        )
    samples = np.asarray(samples, np.float32)
    if samples.ndim != len(input_shape) + 1 or samples.shape[1:] != tuple(input_shape) or not len(samples):
        raise ValueError(f"samples: wanted shape (N, {str(tuple(input_shape))[1:]}, got {samples.shape}")
    return _Making(program, observing.ranges(program, samples)).done()


def _is_known(step: Step) -> bool:
    return step.operation in STEPS and step.numbers.get("border", "zeros") == "zeros"


def _told(step: Step) -> str:
    return f"{step.numbers['border']} padding" if step.operation == "conv" else step.operation


def with_levels(program: Quantized, levels: Array) -> Quantized:
    """The program for bytes, as those of pictures.

    Parameters
    ----------
    program : Quantized
    levels : ndarray of float32 (256, C)
        What the net that was quantised was given for each.
    """
    first, *others = program.steps
    table = np.ascontiguousarray(program.quantities[first.output].quantized(levels).T)
    step = Step("levels", first.name, first.inputs, first.output, {"table": table})
    dtypes = {**program.dtypes, first.inputs[0]: "uint8"}
    return replace(program, steps=(step, *others), dtypes=dtypes)


def _pairs(program: Program) -> Program:
    """Sums and products of more than two values as such of two."""
    shapes, steps = dict(program.shapes), []
    for step in program.steps:
        sources = step.inputs
        if step.operation not in ("add", "multiply"):
            steps.append(step)
            continue
        while len(sources) > 2:
            made = max(shapes) + 1
            shapes[made] = shapes[step.output]
            steps.append(replace(step, inputs=sources[:2], output=made, after=None))
            sources = (made, *sources[2:])
        steps.append(replace(step, inputs=sources))
    return replace(program, shapes=shapes, steps=tuple(steps))


class _Making:
    """A quantised program that is being made."""

    def __init__(self, program: Program, ranges: Mapping[int, tuple[float, float]]) -> None:
        self.program, self.ranges = program, dict(ranges)
        self.quantities: dict[int, Quantity] = {}
        self.steps: list[Step] = []

    def done(self) -> Quantized:
        program = self.program
        (first,) = program.inputs
        given = max(program.shapes) + 1
        own = self.quantities[first] = Quantity.of(*self.ranges[first])
        self.steps.append(
            Step("quantize", "input", (given,), first, {}, {"scale": own.scale, "out": own.zero})
        )
        for step in program.steps:
            STEPS[step.operation](self, step)
        shapes = {**program.shapes, given: program.shapes[first]}
        dtypes = {step.output: "int8" for step in self.steps}
        return Quantized(
            shapes, (given,), program.outputs, tuple(self.steps), dtypes=dtypes, quantities=self.quantities
        )

    def inputs(self, step: Step) -> list[Quantity]:
        return [self.quantities[source] for source in step.inputs]

    def output(self, step: Step) -> Quantity:
        """That of a step which has its own range."""
        found = self.quantities[step.output] = Quantity.of(*self.ranges[step.output])
        return found

    def add(self, step: Step, operation: str, arrays: Any = None, **numbers: Any) -> None:
        self.steps.append(Step(operation, step.name, step.inputs, step.output, arrays or {}, numbers))


def _ends(step: Step, own: Quantity) -> dict[str, int]:
    """Between which the output is clamped, and its zero."""
    low, high = CLAMPS[step.after["kind"]] if step.after else (None, None)
    return {
        "low": LOWEST if low is None else max(LOWEST, own.zero + round(low / own.scale)),
        "high": HIGHEST if high is None else min(HIGHEST, own.zero + round(high / own.scale)),
        "out": own.zero,
    }


def _product(work: _Making, step: Step, weight: Array, bias: Array, numbers: Mapping[str, Any]) -> None:
    (given,), own = work.inputs(step), work.output(step)
    if weight[0].size > MOST_TERMS:
        raise ValueError(
            f"{step.name}: wanted sums of at most {MOST_TERMS:,} products, got {weight[0].size:,}"
        )
    whole, scales = weights(weight)
    scales = given.scale * scales
    offsets = np.clip(np.round(bias / scales), -(2.0**30), 2.0**30).astype(np.int32)
    m, shift = multipliers(scales / own.scale)
    arrays = {"weight": whole, "bias": offsets, "m": m, "shift": shift}
    work.add(step, "conv", arrays, **numbers, zero=given.zero, **_ends(step, own))


def _conv(work: _Making, step: Step) -> None:
    weight = step.arrays["weight"]
    bias = step.arrays.get("bias", np.zeros(len(weight), np.float32))
    _product(work, step, weight, bias, step.numbers)


POINT = {"kernel": (1, 1), "stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0)}


def _linear(work: _Making, step: Step) -> None:
    weight = step.arrays["weight"]
    bias = step.arrays.get("bias", np.zeros(len(weight), np.float32))
    _product(work, step, weight[:, :, None, None], bias, {**POINT, "groups": 1})


def _scale(work: _Making, step: Step) -> None:
    scale = step.arrays["scale"]
    _product(work, step, scale[:, None, None, None], step.arrays["shift"], {**POINT, "groups": len(scale)})


def _curve(work: _Making, step: Step) -> None:
    (given,), own = work.inputs(step), work.output(step)
    if step.numbers["kind"] == "prelu":
        m, shift = multiplier(given.scale / own.scale)
        slopes = step.arrays["slope"] * (given.scale / own.scale)
        slopes = np.broadcast_to(slopes, work.program.shapes[step.output][-1:])
        arrays = dict(zip(("m", "shift"), multipliers(slopes), strict=True))
        work.add(step, "prelu", arrays, zero=given.zero, out=own.zero, m=m, shift=shift)
        return
    every = np.arange(LOWEST, HIGHEST + 1, dtype=np.int16)
    table = own.quantized(observing.curve(step.numbers, given.real(every)))
    work.add(step, "table", {"table": table})


def _add(work: _Making, step: Step) -> None:
    given, own = work.inputs(step), work.output(step)
    twice = 2 * max(one.scale for one in given)
    m, shift = multipliers([one.scale / twice for one in given])
    zero = np.array([one.zero for one in given], np.int32)
    last = dict(zip(("m", "shift"), multiplier(twice / (2**SHIFT * own.scale)), strict=True))
    work.add(step, "add", {"zero": zero, "m": m, "shift": shift}, **last, **_ends(step, own))


def _multiply(work: _Making, step: Step) -> None:
    given, own = work.inputs(step), work.output(step)
    m, shift = multiplier(given[0].scale * given[1].scale / own.scale)
    zero = np.array([one.zero for one in given], np.int32)
    work.add(step, "multiply", {"zero": zero}, m=m, shift=shift, out=own.zero)


def _concat(work: _Making, step: Step) -> None:
    given, own = work.inputs(step), work.output(step)
    m, shift = multipliers([one.scale / own.scale for one in given])
    zero = np.array([one.zero for one in given], np.int32)
    work.add(step, "concat", {"zero": zero, "m": m, "shift": shift}, out=own.zero)


def _mean(work: _Making, step: Step) -> None:
    (given,), own = work.inputs(step), work.output(step)
    shape = work.program.shapes[step.inputs[0]]
    count = int(np.prod(shape[:-1]))
    m, shift = multiplier(given.scale / (own.scale * count))
    work.add(step, "mean", zero=given.zero, m=m, shift=shift, out=own.zero)


def _kept(work: _Making, step: Step) -> None:
    """A step whose output has the scale of its input."""
    (own,) = work.inputs(step)
    work.quantities[step.output] = own
    more = {"pad": {"fill": own.zero}, "avg_pool": {"zero": own.zero}}.get(step.operation, {})
    work.add(step, step.operation, step.arrays, **step.numbers, **more)


STEPS: dict[str, Callable[[_Making, Step], None]] = {
    "conv": _conv, "linear": _linear, "scale": _scale, "curve": _curve, "add": _add, "multiply": _multiply,
    "concatenate": _concat, "mean": _mean,
}  # fmt: skip
STEPS |= dict.fromkeys(
    ("max_pool", "avg_pool", "max", "flatten", "reshape", "nearest", "shuffle", "pad"), _kept
)
