"""The texts of all files of a program."""

from __future__ import annotations

from collections.abc import Sequence

from cynet.interop.program.steps import Program

from . import operations, plain_operations, recurrent_operations, whole_operations, window_operations
from .arena import Arena, planned
from .ends import Whole
from .operations import entry_of
from .source import filled, header, source
from .trial import trial
from .unit import Unit, text

SHOWN = 10  # steps that one message names
ENTRIES = plain_operations, recurrent_operations, whole_operations, window_operations  # they fill the table


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
        As `Whole` has it.

    Raises
    ------
    ValueError
        When there are steps that the table has not; they are listed all at once.
    """
    unit = unit_of(program)
    whole = Whole(unit, arena_of(unit), classes, name, ranked)
    return {
        f"{name}.c": source(whole),
        f"{name}.h": header(whole),
        "main.c": trial(whole),
        "Makefile": filled("Makefile", whole.common),
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
    entries = [entry_of(program, step) for step in program.steps]
    missing = [step for step, entry in zip(program.steps, entries, strict=True) if entry is None]
    if missing:
        shown = ", ".join(f"{step.operation} ({step.name})" for step in missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ValueError(f"model: wanted a net of steps that can be written as C, got {shown}{more}")
    unit = Unit(program)
    for i, (step, entry) in enumerate(zip(program.steps, entries, strict=True)):
        if entry is not None:
            unit.begin(i)
            entry.write(unit, step)
    return unit


def arena_of(unit: Unit) -> Arena:
    """Where the values of a unit lie."""
    program = unit.program
    views = frozenset(step.output for step in program.steps if operations.is_view(program, step))
    scratch = {name: (one.step, one.bytes) for name, one in unit.scratches.items()}
    return planned(program, unit.bytes, views, lambda step: operations.over(program, step), scratch)
