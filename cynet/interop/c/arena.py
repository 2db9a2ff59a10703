"""Where the values of a program lie in one array, whose parts are used again.

Design: a value that is a view of another one, or is written over it, shares its piece. A piece is held from the
step that first writes it to the last one that reads it; two pieces may lie at one place where these do not
meet. To place them as tightly as can be is a hard problem; greatest first, each at the lowest place that is
free, comes near to it, and of a few orders the best one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cynet.interop.program.steps import Program, Step

ALIGNMENT = 16  # bytes


@dataclass
class Piece:
    """A piece of memory, and when it is held.

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

    def meets(self, other: Piece) -> bool:
        """Whether there is a step during which both are held."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Arena:
    """Where everything lies.

    Attributes
    ----------
    values : dict of int to Piece
        Of each value that a step makes; several may have one piece. Views of inputs have none.
    views : dict of int to int
        Of each value that is a view of an input, which one.
    scratch : dict of str to Piece
        By names, what steps need for themselves.
    """

    values: dict[int, Piece]
    views: dict[int, int]
    scratch: dict[str, Piece] = field(default_factory=dict)

    @property
    def pieces(self) -> list[Piece]:
        """Each piece once."""
        return list({id(piece): piece for piece in (*self.values.values(), *self.scratch.values())}.values())

    @property
    def size(self) -> int:
        """How many bytes it has in all."""
        return max((piece.offset + piece.size for piece in self.pieces), default=0)

    @property
    def bound(self) -> int:
        """Bytes that no plan goes below: what is held during the worst step."""
        steps = {piece.first for piece in self.pieces}
        held = (sum(piece.size for piece in self.pieces if piece.first <= i <= piece.last) for i in steps)
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
        piece = None
        if step.output in views:
            (source,) = step.inputs
            if source not in arena.values:
                arena.views[step.output] = arena.views.get(source, source)
                continue
            piece = arena.values[source]
        else:
            piece = _over(arena, step, i, over(step), bytes_of(step.output))
        if piece is None:
            piece = Piece(_aligned(bytes_of(step.output)), i, i)
        piece.last = max(piece.last, last[step.output])
        arena.values[step.output] = piece
    for name, (i, size) in (scratch or {}).items():
        arena.scratch[name] = Piece(_aligned(size), i, i)
    _place(arena.pieces)
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


def _over(arena: Arena, step: Step, i: int, places: Sequence[int], size: int) -> Piece | None:
    """The piece of an input that a step may write over: nobody needs it later, nor this step for more."""
    for place in (place for place in places if place < len(step.inputs)):
        piece = arena.values.get(step.inputs[place])
        if piece is None or piece.last > i or piece.size != _aligned(size):
            continue
        others = [j for j, source in enumerate(step.inputs) if arena.values.get(source) is piece]
        if set(others) <= set(places):
            return piece
    return None


def _place(pieces: list[Piece]) -> None:
    """Give each piece its offset."""
    orders: list[Callable[[Piece], Any]] = [
        lambda piece: (-piece.size, piece.first),
        lambda piece: (-piece.size * (piece.last - piece.first + 1), piece.first),
        lambda piece: (piece.first - piece.last, -piece.size),
        lambda piece: (piece.first, -piece.size),
    ]
    found = [_first_fit(sorted(pieces, key=order)) for order in orders]
    best = min(found, key=lambda offsets: max((piece.size + at for piece, at in offsets), default=0))
    for piece, offset in best:
        piece.offset = offset


def _first_fit(pieces: list[Piece]) -> list[tuple[Piece, int]]:
    """Each piece at the lowest place where none of those before it is in its way."""
    placed: list[tuple[Piece, int]] = []
    for piece in pieces:
        offset = 0
        for other, start in sorted(placed, key=lambda pair: pair[1]):
            if piece.meets(other) and start < offset + piece.size and offset < start + other.size:
                offset = start + other.size
        placed.append((piece, offset))
    return placed
