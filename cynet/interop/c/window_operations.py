"""Entries of the table of operations: those that look at windows, and products with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape
from cynet.interop.program import windows
from cynet.interop.program.steps import Step

from . import tables
from .curves import follow
from .joining import depthwise
from .operations import operation
from .tables import PIXELS, Windows
from .unit import Unit, bounds

Fields = dict[str, Any]


def _ends(unit: Unit, step: Step) -> tuple[Shape, Shape]:
    """The shapes of a step's input and output, as pictures."""
    given, out = (windows.images(unit.shape(value)) for value in (step.inputs[0], step.output))
    return given, out


@operation("conv", "deconv", over=(1,))
def _conv(unit: Unit, step: Step) -> None:
    found, laid = tables.of_convolution(step, *_ends(unit, step))
    if depthwise(unit.program, step):
        _depthwise(unit, step, found, laid[:, :, 0, 0].T)
    elif found.out[:2] == (1, 1) and len(laid) == 1:
        _of_one_pixel(unit, step, found, laid)
    else:
        _of_windows(unit, step, found, laid)
    follow(unit, step)


@operation("linear", over=(1,))
def _linear(unit: Unit, step: Step) -> None:
    rows, inputs = unit.rows(step.inputs[0])
    laid = step.arrays["weight"].T[None, None]
    if rows == 1:
        _dense(unit, step, unit.get(step.inputs[0]), laid)
    else:
        _of_windows(unit, step, tables.of_rows(rows, inputs, laid.shape[3]), laid)
    follow(unit, step)


def _terms(unit: Unit, bias: AnyArray | None, laid: AnyArray, limits: tuple[float, float]) -> Fields:
    """The fields of weights, biases and bounds."""
    return {
        "weight": unit.array("weight", tables.packed(laid)),
        "bias": unit.array("bias", tables.biases(bias, laid.shape[0], laid.shape[3])),
        "low": limits[0],
        "high": limits[1],
    }


def dense_fields(unit: Unit, bias: AnyArray | None, laid: AnyArray, limits: tuple[float, float]) -> Fields:
    """Those of `struct dense`.

    Parameters
    ----------
    unit : Unit
    bias : ndarray (outputs,) or None
    laid : ndarray (1, 1, inputs, outputs)
    limits : (low, high)
    """
    return {"inputs": laid.shape[2], "outputs": laid.shape[3], **_terms(unit, bias, laid, limits)}


def _more(unit: Unit, step: Step) -> str:
    """What is added to the output, or nothing."""
    return unit.get(step.inputs[1]) if len(step.inputs) > 1 else "0"


def _of_windows(unit: Unit, step: Step, found: Windows, laid: AnyArray) -> None:
    unit.need("vectors", "bounds", "windows", "patch", "block", "conv")
    groups, _, inputs, outputs = laid.shape
    lies = tables.lying(found, groups)
    fields = {"windows": found.fields(unit), "groups": groups, "inputs": inputs, "outputs": outputs}
    fields |= {**vars(lies), **_terms(unit, step.arrays.get("bias"), laid, bounds(step))}
    copies = unit.scratch(PIXELS * found.count * inputs) if lies.copies(found) else "0"
    settings = unit.struct("conv", fields)
    unit.call("conv", settings, unit.get(step.inputs[0]), _more(unit, step), unit.get(step.output), copies)


def _of_one_pixel(unit: Unit, step: Step, found: Windows, laid: AnyArray) -> None:
    """One window, a row of numbers: all that there is, or a copy of what it sees."""
    x = unit.get(step.inputs[0])
    whole = [np.array_equal(table[0], np.arange(side)) for table, side in _tables(found)]
    if not all(whole):
        unit.need("windows", "patch")
        copy = unit.scratch(found.count * found.given[2])
        unit.call("patch", unit.struct("windows", found.fields(unit)), x, found.given[2], 0, copy)
        x = copy
    _dense(unit, step, x, laid.reshape(1, 1, -1, laid.shape[3]))


def _tables(found: Windows) -> list[tuple[AnyArray, int]]:
    return [(found.rows, found.given[0]), (found.columns, found.given[1])]


def _dense(unit: Unit, step: Step, x: str, laid: AnyArray) -> None:
    unit.need("vectors", "bounds", "dense")
    settings = unit.struct("dense", dense_fields(unit, step.arrays.get("bias"), laid, bounds(step)))
    unit.call("dense", settings, x, _more(unit, step), unit.get(step.output))


def _depthwise(unit: Unit, step: Step, found: Windows, weight: AnyArray) -> None:
    unit.need("bounds", "windows", "depthwise")
    low, high = bounds(step)
    bias = step.arrays.get("bias", np.zeros(weight.shape[1]))
    fields = {
        "windows": found.fields(unit), "weight": unit.array("weight", weight),
        "bias": unit.array("bias", bias), "low": low, "high": high,
    }  # fmt: skip
    settings = unit.struct("depthwise", fields)
    unit.call("depthwise", settings, unit.get(step.inputs[0]), unit.get(step.output))


@operation("max_pool", "max")
def _max_pool(unit: Unit, step: Step) -> None:
    given, out = _ends(unit, step)
    found = tables.of_areas(given, out) if step.operation == "max" else tables.of_pooling(step, given, out)
    unit.need("windows", "max_pool")
    settings = unit.struct("windows", found.fields(unit))
    unit.call("max_pool", settings, unit.get(step.inputs[0]), unit.get(step.output))


@operation("avg_pool", "areas", "mean")
def _avg_pool(unit: Unit, step: Step) -> None:
    given, out = _ends(unit, step)
    if step.operation == "avg_pool":
        found = tables.of_pooling(step, given, out)
        counts = [windows.divisors(step, axis, given[axis], out[axis]) for axis in (0, 1)]
    else:
        found = tables.of_areas(given, out)
        counts = [(table >= 0).sum(axis=1) for table in (found.rows, found.columns)]
    unit.need("windows", "avg_pool")
    settings = unit.struct("windows", found.fields(unit))
    divisors = [unit.array(name, one) for name, one in zip(("high", "wide"), counts, strict=True)]
    unit.call("avg_pool", settings, *divisors, unit.get(step.inputs[0]), unit.get(step.output))
