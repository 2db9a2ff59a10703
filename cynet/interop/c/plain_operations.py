"""Entries of the table of operations: those on each number, each row, or each pixel by itself."""

from __future__ import annotations

from math import prod

import numpy as np

from cynet.interop.program import windows
from cynet.interop.program.steps import Step

from . import tables
from .curves import curve, follow
from .operations import operation
from .unit import Unit, bounds


@operation("reshape", dtypes=("float32", "int8", "uint8"), view=True)
def _reshape(unit: Unit, step: Step) -> None:
    pass


@operation("curve", over=(0,))
def _curve(unit: Unit, step: Step) -> None:
    x, y = unit.get(step.inputs[0]), unit.get(step.output)
    if step.numbers["kind"] == "prelu":
        slope = step.arrays["slope"]
        unit.need("prelu")
        given = unit.array("slope", slope)
        unit.call("prelu", x, y, *unit.rows(step.output), given, int(slope.size > 1))
        return
    numbers = {name: value for name, value in step.numbers.items() if name != "kind"}
    curve(unit, step.numbers["kind"], x, y, unit.size(step.output), numbers)


@operation("softmax", over=(0,))
def _softmax(unit: Unit, step: Step) -> None:
    unit.need("softmax")
    unit.call("softmax", unit.get(step.inputs[0]), unit.get(step.output), *unit.rows(step.output))


@operation("add", over=(0, 1))
def _add(unit: Unit, step: Step) -> None:
    unit.need("bounds", "add")
    y, size = unit.get(step.output), unit.size(step.output)
    sum_so_far = unit.get(step.inputs[0])
    for i, source in enumerate(step.inputs[1:], 2):
        limits = bounds(step) if i == len(step.inputs) else (-np.inf, np.inf)
        unit.call("add", sum_so_far, unit.get(source), y, size, *limits)
        sum_so_far = y
    follow(unit, step)


@operation("multiply", over=(0,))
def _multiply(unit: Unit, step: Step) -> None:
    unit.need("multiply")
    y = unit.get(step.output)
    rows, channels = unit.rows(step.output)
    product = unit.get(step.inputs[0])
    for source in step.inputs[1:]:
        whole = unit.size(source) == rows * channels
        unit.call("multiply", product, unit.get(source), y, rows, channels, channels if whole else 0)
        product = y


@operation("scale", over=(0,))
def _scale(unit: Unit, step: Step) -> None:
    unit.need("bounds", "scale")
    terms = [unit.array(name, step.arrays[name]) for name in ("scale", "shift")]
    x, y = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("scale", x, y, *unit.rows(step.output), *terms, *bounds(step))
    follow(unit, step)


@operation("pixels", dtypes=("uint8",))
def _pixels(unit: Unit, step: Step) -> None:
    """By a table of the levels of each channel, as cynet's loader has it: in double, rounded once."""
    unit.need("pixels")
    mean, std = (np.array(step.numbers[name], np.float64)[:, None] for name in ("mean", "std"))
    levels = unit.array("levels", (np.arange(256) / 255 - mean) / std)
    unit.call("pixels", unit.get(step.inputs[0]), unit.get(step.output), *unit.rows(step.output), levels)


@operation("concatenate")
def _concatenate(unit: Unit, step: Step) -> None:
    unit.need("copy")
    y, first = unit.get(step.output), 0
    for source in step.inputs:
        rows, channels = unit.rows(source)
        unit.call("copy", unit.get(source), f"{y} + {first}", rows, channels, unit.shape(step.output)[-1])
        first += channels


@operation("flatten")
def _flatten(unit: Unit, step: Step) -> None:
    unit.need("transpose")
    x, y = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("transpose", x, y, *unit.rows(step.inputs[0]))


@operation("shuffle")
def _shuffle(unit: Unit, step: Step) -> None:
    unit.need("shuffle")
    x, y = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("shuffle", x, y, *unit.rows(step.output), step.numbers["groups"])


@operation("group_norm", over=(0,))
def _group_norm(unit: Unit, step: Step) -> None:
    unit.need("normalise")
    x, y = unit.get(step.inputs[0]), unit.get(step.output)
    rows, channels = unit.rows(step.output)
    count = channels // step.numbers["groups"]
    for first in range(0, channels, count):
        ends = f"{x} + {first}", f"{y} + {first}"
        unit.call("normalise", *ends, rows, count, channels, float(step.numbers["eps"]))
    _affine(unit, step, rows, channels)


@operation("layer_norm", over=(0,))
def _layer_norm(unit: Unit, step: Step) -> None:
    shape, axes = unit.shape(step.output), step.numbers["axes"]
    unit.need("normalise", "layer_norm")
    x, y = unit.get(step.inputs[0]), unit.get(step.output)
    rows, count, width = prod(shape[:-axes]), prod(shape[-axes:]), shape[-1]
    unit.call("layer_norm", x, y, rows, count // width, width, float(step.numbers["eps"]))
    _affine(unit, step, rows, count)


def _affine(unit: Unit, step: Step, rows: int, count: int) -> None:
    """The weights and biases of a norm, where it has some."""
    given = {name: unit.array(name, array) for name, array in step.arrays.items()}
    if given:
        unit.need("affine")
        terms = (given.get(name, "0") for name in ("weight", "bias"))
        unit.call("affine", unit.get(step.output), rows, count, *terms)


@operation("pad", "nearest")
def _picked(unit: Unit, step: Step) -> None:
    given, out = (windows.images(unit.shape(value)) for value in (step.inputs[0], step.output))
    places = tables.picked(step, given, out)
    unit.need("pick")
    names = [unit.places(name, one) for name, one in zip(("rows", "columns"), places, strict=True)]
    sizes = *out[:2], given[1], out[2]
    unit.call("pick", unit.get(step.inputs[0]), unit.get(step.output), *sizes, *names)


@operation("bilinear")
def _bilinear(unit: Unit, step: Step) -> None:
    given, out = (windows.images(unit.shape(value)) for value in (step.inputs[0], step.output))
    unit.need("bilinear")
    fields = {
        "width": given[1], "channels": given[2], "out_height": out[0], "out_width": out[1],
        "rows": unit.places("rows", step.arrays["rows"]),
        "columns": unit.places("columns", step.arrays["columns"]),
        "down": unit.array("down", step.arrays["down"]), "right": unit.array("right", step.arrays["right"]),
    }  # fmt: skip
    settings = unit.struct("bilinear", fields)
    unit.call("bilinear", settings, unit.get(step.inputs[0]), unit.get(step.output))
