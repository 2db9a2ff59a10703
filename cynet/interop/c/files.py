"""The texts of all files of a program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cynet._version import __version__
from cynet.interop.program.steps import Program

from . import operations, plain_operations, whole_operations, window_operations
from .arena import Arena, planned
from .ends import arguments, ends, parameters
from .operations import OPERATIONS, entry_of
from .source import filled, header, source
from .trial import trial
from .unit import Unit, text

SHOWN = 10  # steps that one message names
ENTRIES = plain_operations, window_operations, whole_operations  # the files that fill the table


def texts(
    program: Program, classes: Sequence[str] = (), name: str = "net", ranked: bool = True
) -> dict[str, str]:
    """The contents of the files by their names.

    Parameters
    ----------
    program : Program
    classes : sequence of str, optional
        The names of the outputs' classes.
    name : str, optional
        What functions begin with.
    ranked : bool, optional
        Whether outputs are classes, of which main.c prints the best ones, or else numbers.

    Raises
    ------
    ValueError
        When there are steps that the table has not; they are listed all at once.
    """
    unit = unit_of(program)
    arena = arena_of(unit)
    inputs, outputs = ends(program)
    common = {
        "name": name,
        "NAME": name.upper(),
        "title": f"{name}: a net as C99, made by cynet {__version__}.",
        "parameters": parameters(inputs, outputs),
        "arguments": arguments(inputs, outputs),
    }
    makers = {step.output: step.operation for step in program.steps}
    shares = makers.get(program.outputs[0]) == "softmax"
    return {
        f"{name}.c": source(unit, arena, inputs, outputs, classes, common),
        f"{name}.h": header(unit, arena, inputs, outputs, classes, common),
        "main.c": trial(inputs, outputs, classes, shares, common, ranked),
        "Makefile": filled("Makefile", common),
        "cortex-m.c": text("around/cortex-m.c"),
        "cortex-m.ld": text("around/cortex-m.ld"),
    }


def unit_of(program: Program) -> Unit:
    """The unit of a program with all its calls.

    Raises
    ------
    ValueError
        As `texts`.
    """
    missing = [step for step in program.steps if entry_of(program, step) is None]
    if missing:
        shown = ", ".join(f"{step.operation} ({step.name})" for step in missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ValueError(f"model: wanted a net of steps that can be written as C, got {shown}{more}")
    unit = Unit(program)
    for i, step in enumerate(program.steps):
        unit.begin(i)
        OPERATIONS[step.operation, program.dtype(step.inputs[0])].write(unit, step)
    return unit


def arena_of(unit: Unit) -> Arena:
    """Where the values of a unit lie."""
    program = unit.program
    views = frozenset(step.output for step in program.steps if operations.is_view(program, step))
    scratch = {step: count * np.dtype(dtype).itemsize for step, (count, dtype) in unit.scratch.items()}
    return planned(program, unit.bytes, views, lambda step: operations.over(program, step), scratch)
