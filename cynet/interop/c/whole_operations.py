"""Entries of the table of operations in eight bits: the steps of `int8.quantizing.Quantized`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cynet.core.types import AnyArray
from cynet.interop.program import windows
from cynet.interop.program.steps import Step

from . import tables
from .joining import depthwise
from .operations import Write, operation
from .unit import Unit

ROUNDING = "whole_times", "whole_bounded"


def _whole(*names: str, over: tuple[int, ...] = ()) -> Callable[[Write], Write]:
    """The decorator of what writes these operations on int8."""
    return operation(*names, dtypes=("int8",), over=over)


def _ends(unit: Unit, step: Step) -> tuple[tuple[int, ...], tuple[int, ...]]:
    given, out = (windows.images(unit.shape(value)) for value in (step.inputs[0], step.output))
    return given, out


def _array(unit: Unit, step: Step, name: str, dtype: str = "int32") -> str:
    return unit.array(name, step.arrays[name], dtype)


@operation("levels", dtypes=("uint8",))
def _levels(unit: Unit, step: Step) -> None:
    unit.need("levels")
    table = _array(unit, step, "table", "int8")
    unit.call("levels", unit.get(step.inputs[0]), unit.get(step.output), *unit.rows(step.output), table)


@operation("quantize")
def _quantize(unit: Unit, step: Step) -> None:
    unit.need("whole_bounded", "quantize")
    numbers = float(step.numbers["scale"]), step.numbers["out"]
    unit.call("quantize", unit.get(step.inputs[0]), unit.get(step.output), unit.size(step.output), *numbers)


@_whole("conv")
def _conv(unit: Unit, step: Step) -> None:
    found, laid = tables.of_convolution(step, *_ends(unit, step))
    groups, _, inputs, outputs = laid.shape
    alone = depthwise(unit.program, step)
    unit.need(*ROUNDING, "windows", "whole_convolution", "whole_depthwise" if alone else "whole_conv")
    weight: AnyArray = laid[:, :, 0, 0].T if alone else laid.transpose(0, 3, 1, 2)
    fields = {
        "windows": found.fields(unit), "groups": groups, "inputs": inputs, "outputs": outputs,
        "weight": unit.array("weight", weight, "int8"), "bias": _array(unit, step, "bias"),
        "multiplier": _array(unit, step, "m"), "shift": _array(unit, step, "shift"),
    }  # fmt: skip
    fields |= {name: step.numbers[name] for name in ("zero", "out", "low", "high")}
    ends = unit.struct("whole_conv", fields), unit.get(step.inputs[0]), unit.get(step.output)
    if alone:
        unit.call("whole_depthwise", *ends, unit.scratch(groups, "int32"))
    else:
        unit.call("whole_conv", *ends)


@_whole("table", over=(0,))
def _table(unit: Unit, step: Step) -> None:
    unit.need("whole_table")
    table = _array(unit, step, "table", "int8")
    unit.call("whole_table", unit.get(step.inputs[0]), unit.get(step.output), unit.size(step.output), table)


@_whole("prelu", over=(0,))
def _prelu(unit: Unit, step: Step) -> None:
    unit.need(*ROUNDING, "whole_prelu")
    arrays = [_array(unit, step, name) for name in ("m", "shift")]
    numbers = [step.numbers[name] for name in ("m", "shift", "zero", "out")]
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("whole_prelu", *ends, *unit.rows(step.output), *arrays, *numbers)


@_whole("add", over=(0, 1))
def _add(unit: Unit, step: Step) -> None:
    unit.need(*ROUNDING, "whole_add")
    names = {"zero": "zero", "m": "multiplier", "shift": "shift"}
    fields: dict[str, Any] = {
        title: f"{{{', '.join(map(str, step.arrays[name].tolist()))}}}" for name, title in names.items()
    }
    fields |= {"sum_multiplier": step.numbers["m"], "sum_shift": step.numbers["shift"]}
    fields |= {name: step.numbers[name] for name in ("out", "low", "high")}
    values = [unit.get(value) for value in (*step.inputs, step.output)]
    unit.call("whole_add", unit.struct("whole_add", fields), *values, unit.size(step.output))


@_whole("multiply", over=(0,))
def _multiply(unit: Unit, step: Step) -> None:
    unit.need(*ROUNDING, "whole_multiply")
    rows, channels = unit.rows(step.output)
    step_of_second = channels if unit.size(step.inputs[1]) == rows * channels else 0
    numbers = [*step.arrays["zero"].tolist(), *(step.numbers[name] for name in ("m", "shift", "out"))]
    values = [unit.get(value) for value in (*step.inputs, step.output)]
    unit.call("whole_multiply", *values, rows, channels, step_of_second, *numbers)


@_whole("concat")
def _concat(unit: Unit, step: Step) -> None:
    unit.need(*ROUNDING, "whole_copy")
    y, first = unit.get(step.output), 0
    for i, source in enumerate(step.inputs):
        rows, channels = unit.rows(source)
        numbers = [int(step.arrays[name][i]) for name in ("zero", "m", "shift")]
        sizes = rows, channels, unit.shape(step.output)[-1]
        unit.call("whole_copy", unit.get(source), f"{y} + {first}", *sizes, *numbers, step.numbers["out"])
        first += channels


@_whole("mean")
def _mean(unit: Unit, step: Step) -> None:
    unit.need(*ROUNDING, "whole_mean")
    numbers = [step.numbers[name] for name in ("zero", "m", "shift", "out")]
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("whole_mean", *ends, *unit.rows(step.inputs[0]), *numbers)


@_whole("max_pool", "max")
def _max_pool(unit: Unit, step: Step) -> None:
    given, out = _ends(unit, step)
    found = tables.of_areas(given, out) if step.operation == "max" else tables.of_pooling(step, given, out)
    unit.need("windows", "whole_max_pool")
    settings = unit.struct("windows", found.fields(unit))
    unit.call("whole_max_pool", settings, unit.get(step.inputs[0]), unit.get(step.output))


@_whole("avg_pool")
def _avg_pool(unit: Unit, step: Step) -> None:
    given, out = _ends(unit, step)
    found = tables.of_pooling(step, given, out)
    unit.need("whole_bounded", "windows", "whole_avg_pool")
    counts = [
        unit.array(name, windows.divisors(step, axis, given[axis], out[axis]), "int32")
        for axis, name in enumerate(("high", "wide"))
    ]
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call(
        "whole_avg_pool", unit.struct("windows", found.fields(unit)), *counts, *ends, step.numbers["zero"]
    )


@_whole("flatten")
def _flatten(unit: Unit, step: Step) -> None:
    unit.need("whole_transpose")
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("whole_transpose", *ends, *unit.rows(step.inputs[0]))


@_whole("shuffle")
def _shuffle(unit: Unit, step: Step) -> None:
    unit.need("whole_shuffle")
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("whole_shuffle", *ends, *unit.rows(step.output), step.numbers["groups"])


@_whole("pad", "nearest")
def _picked(unit: Unit, step: Step) -> None:
    given, out = _ends(unit, step)
    unit.need("whole_pick")
    axes = zip(("rows", "columns"), tables.picked(step, given, out), strict=True)
    names = [unit.places(name, places) for name, places in axes]
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("whole_pick", *ends, *out[:2], given[1], out[2], *names, step.numbers.get("fill", 0))
