"""A program as a script reads it: steps as plain data, and all numbers of their arrays in one piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cynet.core.types import AnyArray
from cynet.interop.program import windows
from cynet.interop.program.steps import Program, Step
from cynet.kernels.resize import places

OPERATIONS = (  # that operations.js and windows.js have
    "conv", "deconv", "linear", "scale", "pixels", "max_pool", "avg_pool", "areas", "mean", "max", "curve",
    "softmax", "add", "multiply", "concatenate", "flatten", "reshape", "pad", "nearest", "bilinear",
    "shuffle", "group_norm", "layer_norm",
)  # fmt: skip
MOST_NUMBERS = 1 << 25  # of weights: a browser's longest text has room for four times as many


def document(program: Program) -> tuple[dict[str, Any], AnyArray]:
    """What the script needs of a program.

    Parameters
    ----------
    program : Program
        Folded, of one input.

    Returns
    -------
    net : dict
        "shapes", of each value; "input", "output"; "steps": of each its "operation", "name", "inputs",
        "output", "numbers", "after", "arrays", by name [the place of the first number, how many], and
        "tables", by name whole numbers; "first": the step whose weights look at the picture, or None.
    weights : ndarray of float32
        The numbers of all arrays.

    Raises
    ------
    ValueError
        When it has operations that the script has not, which are listed with their layers, or too many
        numbers.
    """
    strange = [
        f"{step.operation} ({step.name})" for step in program.steps if step.operation not in OPERATIONS
    ]
    if strange:
        raise ValueError(f"model: wanted a net of operations that a page has, got {', '.join(strange[:10])}")
    pieces, count, told = [np.zeros(0, np.float32)], 0, []
    for step in program.steps:
        arrays = {}
        for name, array in step.arrays.items():
            if array.dtype.kind == "f":
                arrays[name] = [count, array.size]
                pieces.append(array.reshape(-1).astype(np.float32))
                count += array.size
        told.append(_plain(program, step) | {"arrays": arrays})
    if count > MOST_NUMBERS:
        raise ValueError(f"model: wanted a net of at most {MOST_NUMBERS:,} numbers, got {count:,}")
    net = {
        "shapes": {str(value): list(shape) for value, shape in program.shapes.items()},
        "input": program.inputs[0],
        "output": program.outputs[0],
        "steps": told,
        "first": first_to_look(program),
    }
    return net, np.concatenate(pieces)


def first_to_look(program: Program) -> int | None:
    """The number of the step whose weights have the shape of pictures: the first convolution, or a linear
    step of the whole picture."""
    for number, step in enumerate(program.steps):
        if step.operation == "conv":
            return number
        if step.operation == "linear":
            given = program.shapes[program.inputs[0]]
            before = [one for one in program.steps[:number] if one.operation == "flatten"]
            whole = len(before) == 1 and program.shapes[before[0].inputs[0]] == given
            return number if whole and before[0].output == step.inputs[0] else None
    return None


def _plain(program: Program, step: Step) -> dict[str, Any]:
    return {
        "operation": step.operation,
        "name": step.name,
        "inputs": list(step.inputs),
        "output": step.output,
        "numbers": dict(step.numbers),
        "after": None if step.after is None else dict(step.after),
        "tables": {name: np.ravel(table).tolist() for name, table in _tables(program, step).items()},
    }


def _tables(program: Program, step: Step) -> Mapping[str, AnyArray]:
    """Whole numbers that Python knows how to find, so that the script need not."""
    given, out = (windows.images(program.shapes[value]) for value in (step.inputs[0], step.output))
    whole = {name: array for name, array in step.arrays.items() if array.dtype.kind in "iu"}
    return {**whole, **TABLES.get(step.operation, _none)(step, given, out)}


def _none(step: Step, given: Any, out: Any) -> Mapping[str, AnyArray]:
    return {}


def _bordered(step: Step, given: Any, out: Any) -> Mapping[str, AnyArray]:
    """Of each row and column of the padded picture that of the picture."""
    if step.numbers["border"] == "zeros":
        return {}
    return {name: windows.bordered(step, axis, given[axis]) for axis, name in enumerate(("rows", "columns"))}


def _counts(step: Step, given: Any, out: Any) -> Mapping[str, AnyArray]:
    return {"counts": windows.counts(step, given, out)}


def _areas(step: Step, given: Any, out: Any) -> Mapping[str, AnyArray]:
    """Of each area its first row, or column, and one past its last."""
    rows, columns = (places.areas(given[axis], out[axis])[0] for axis in (0, 1))
    return {"rows": rows, "columns": columns}


TABLES: dict[str, Callable[[Step, Any, Any], Mapping[str, AnyArray]]] = {
    "conv": _bordered, "avg_pool": _counts, "areas": _areas,
}  # fmt: skip
