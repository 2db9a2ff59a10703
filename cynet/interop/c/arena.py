"""Where the values of a program lie in one array, whose parts are used again.

Design: a value that is a view of another one, or is written over it, shares its extent. An extent is held
from the step that first writes it to the last one that reads it; two extents may lie at one place where
these do not meet. To place them as tightly as can be is a hard problem; greatest first, each at the lowest
place that is free, comes near to it, and of a few orders the best one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cynet.interop.program.steps import Program, Step

ALIGNMENT = 16  # bytes


@dataclass
class Extent:
    """A part of the array, and when it is held.

    Attributes
    ----------
    size : int
        Bytes.
    first, last : int
        The first and the last step during which it is held.
    offset : int
        Where it lies, once it is placed.
    """

    size: int
    first: int
    last: int
    offset: int = -1

    def meets(self, other: Extent) -> bool:
        """Whether there is a step during which both are held."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Arena:
    """Where everything lies.

    Attributes
    ----------
    values : dict of int to Extent
        Of each value that a step makes; several may have one extent. Views of inputs have none.
    views : dict of int to int
        Of each value that is a view of an input, which one.
    scratch : dict of str to Extent
        By names, what steps need for themselves.
    """

    values: dict[int, Extent]
    views: dict[int, int]
    scratch: dict[str, Extent] = field(default_factory=dict)

    @property
    def extents(self) -> list[Extent]:
        """Each extent once."""
        return list(
            {id(extent): extent for extent in (*self.values.values(), *self.scratch.values())}.values()
        )

    @property
    def size(self) -> int:
        """How many bytes it has in all."""
        return max((extent.offset + extent.size for extent in self.extents), default=0)

    @property
    def bound(self) -> int:
        """Bytes that no plan goes below: what is held during the worst step."""
        steps = {extent.first for extent in self.extents}
        held = (
            sum(extent.size for extent in self.extents if extent.first <= i <= extent.last) for i in steps
        )
        return max(held, default=0)


def planned(
    program: Program,
    bytes_of: Callable[[int], int],
    views: frozenset[int] = frozenset(),
    over: Callable[[Step], Sequence[int]] = lambda step: (),
    scratch: Mapping[str, tuple[int, int]] | None = None,
) -> Arena:
    """The arena of a program, without its inputs, which lie with the caller.

    Parameters
    ----------
    program : Program
    bytes_of : function of int
        The size of a value.
    views : frozenset of int
        The values that are a step's input under another shape.
    over : function of Step
        Which of its inputs, by their places, a step may write its output over, where it has so many.
    scratch : mapping of str to (int, int), optional
        By names, the step, by its place, and how many bytes it needs besides.

    Returns
    -------
    Arena
    """
    last = _last_uses(program)
    arena = Arena({}, {})
    for i, step in enumerate(program.steps):
        extent = None
        if step.output in views:
            (source,) = step.inputs
            if source not in arena.values:
                arena.views[step.output] = arena.views.get(source, source)
                continue
            extent = arena.values[source]
        else:
            extent = _over(arena, step, i, over(step), bytes_of(step.output))
        if extent is None:
            extent = Extent(_aligned(bytes_of(step.output)), i, i)
        extent.last = max(extent.last, last[step.output])
        arena.values[step.output] = extent
    for name, (i, size) in (scratch or {}).items():
        arena.scratch[name] = Extent(_aligned(size), i, i)
    _place(arena.extents)
    return arena


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _last_uses(program: Program) -> dict[int, int]:
    """Of each value the last step that takes it; outputs are taken when all steps are done."""
    last: dict[int, int] = {}
    for i, step in enumerate(program.steps):
        last[step.output] = i
        last.update(dict.fromkeys(step.inputs, i))
    return last | dict.fromkeys(program.outputs, len(program.steps))


def _over(arena: Arena, step: Step, i: int, places: Sequence[int], size: int) -> Extent | None:
    """The extent of an input that a step may write over: nobody needs it later, nor this step for more."""
    for place in (place for place in places if place < len(step.inputs)):
        extent = arena.values.get(step.inputs[place])
        if extent is None or extent.last > i or extent.size != _aligned(size):
            continue
        others = [j for j, source in enumerate(step.inputs) if arena.values.get(source) is extent]
        if set(others) <= set(places):
            return extent
    return None


def _place(extents: list[Extent]) -> None:
    """Give each extent its offset."""
    orders: list[Callable[[Extent], Any]] = [
        lambda extent: (-extent.size, extent.first),
        lambda extent: (-extent.size * (extent.last - extent.first + 1), extent.first),
        lambda extent: (extent.first - extent.last, -extent.size),
        lambda extent: (extent.first, -extent.size),
    ]
    found = [_first_fit(sorted(extents, key=order)) for order in orders]
    best = min(found, key=lambda offsets: max((extent.size + at for extent, at in offsets), default=0))
    for extent, offset in best:
        extent.offset = offset


def _first_fit(extents: list[Extent]) -> list[tuple[Extent, int]]:
    """Each extent at the lowest place where none of those before it is in its way."""
    placed: list[tuple[Extent, int]] = []
    for extent in extents:
        offset = 0
        for other, start in sorted(placed, key=lambda pair: pair[1]):
            if extent.meets(other) and start < offset + extent.size and offset < start + other.size:
                offset = start + other.size
        placed.append((extent, offset))
    return placed
