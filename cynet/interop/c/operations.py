"""The table of operations: of each the entry that writes its calls, found by what its first input holds, too.

So another file can add entries for other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cynet.interop.program.steps import Program, Step

from .unit import Unit

Write = Callable[[Unit, Step], None]


@dataclass(frozen=True)
class Entry:
    """How an operation is written.

    Attributes
    ----------
    write : function of (Unit, Step)
    over : tuple of int
        The inputs, by their places, that its output may be written over.
    view : bool
        Whether the output is the input under another shape, so that nothing is done.
    """

    write: Write
    over: tuple[int, ...] = ()
    view: bool = False


OPERATIONS: dict[tuple[str, str], Entry] = {}


def operation(
    *names: str, dtypes: Sequence[str] = ("float32",), over: tuple[int, ...] = (), view: bool = False
) -> Callable[[Write], Write]:
    """The decorator of what writes these operations on values of these dtypes; the rest as in `Entry`."""

    def register(function: Write) -> Write:
        entry = Entry(function, over, view)
        OPERATIONS.update({(name, dtype): entry for name in names for dtype in dtypes})
        return function

    return register


def entry_of(program: Program, step: Step) -> Entry | None:
    """The entry of a step, or None."""
    return OPERATIONS.get((step.operation, program.dtype(step.inputs[0])))


def over(program: Program, step: Step) -> Sequence[int]:
    """The inputs that a step may write over, by their places."""
    entry = entry_of(program, step)
    return entry.over if entry else ()


def is_view(program: Program, step: Step) -> bool:
    """Whether nothing has to be done for a step."""
    entry = entry_of(program, step)
    return entry is not None and entry.view
