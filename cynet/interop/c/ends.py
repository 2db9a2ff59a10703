"""A net that is to be written: what goes into it and comes out, as the C file calls it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from cynet._version import __version__
from cynet.core.types import Shape
from cynet.interop.int8.quantities import Quantity
from cynet.interop.int8.quantizing import Quantized

from .arena import Arena
from .literals import TYPES
from .unit import Unit


@dataclass(frozen=True)
class End:
    """An input or an output.

    Attributes
    ----------
    value : int
        Its number in the program.
    name : str
        input, output, or with a number where there are several.
    kind : str
        C's type of its elements.
    shape : tuple of int
    quantity : Quantity or None
        Of eight bits, what they stand for.
    """

    value: int
    name: str
    kind: str
    shape: Shape
    quantity: Quantity | None = None

    @property
    def form(self) -> str:
        """Its declaration as an array."""
        return f"{self.kind} {self.name}{''.join(f'[{side}]' for side in self.shape) or '[1]'}"

    @property
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.shape)


@dataclass(frozen=True)
class Whole:
    """All that the texts are made of.

    Attributes
    ----------
    unit : Unit
    arena : Arena
    classes : sequence of str
        The names of the outputs' classes, or none.
    name : str
        What functions begin with.
    ranked : bool, optional
        Whether outputs are classes, of which main.c prints the best ones, or else numbers.
    """

    unit: Unit
    arena: Arena
    classes: Sequence[str]
    name: str
    ranked: bool = True

    @cached_property
    def inputs(self) -> list[End]:
        return self._ends(self.unit.program.inputs, "input")

    @cached_property
    def outputs(self) -> list[End]:
        return self._ends(self.unit.program.outputs, "output")

    def _ends(self, values: tuple[int, ...], word: str) -> list[End]:
        program = self.unit.program
        known = program.quantities if isinstance(program, Quantized) else {}
        names = [word] if len(values) == 1 else [f"{word}_{i}" for i in range(len(values))]
        return [
            End(value, name, TYPES[program.dtype(value)], program.shapes[value], known.get(value))
            for value, name in zip(values, names, strict=True)
        ]

    @property
    def shares(self) -> bool:
        """Whether the outputs are probabilities."""
        return any(
            step.operation == "softmax" and step.output in self.unit.program.outputs
            for step in self.unit.program.steps
        )

    @property
    def common(self) -> dict[str, str]:
        """The texts that several files have."""
        given = [f"const {end.kind} *{end.name}" for end in self.inputs]
        made = [f"{end.kind} *{end.name}" for end in self.outputs]
        return {
            "name": self.name,
            "NAME": self.name.upper(),
            "title": f"{self.name}: a net as C99, made by cynet {__version__}.",
            "version": __version__,
            "parameters": ", ".join([*given, *made]),
            "arguments": ", ".join(end.name for end in (*self.inputs, *self.outputs)),
        }

    def macro(self, end: End) -> str:
        """The macro of an end's size."""
        return f"{self.name}_{end.name}_SIZE".upper()
