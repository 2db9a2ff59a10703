"""What goes into a net and comes out of it, as the C file calls it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from cynet.core.types import Shape
from cynet.interop.int8.quantities import Quantity
from cynet.interop.int8.quantizing import Quantized
from cynet.interop.program.steps import Program

from .literals import TYPES


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
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.shape)

    @property
    def form(self) -> str:
        """Its declaration as an array."""
        return f"{self.kind} {self.name}{''.join(f'[{side}]' for side in self.shape)}"


def ends(program: Program) -> tuple[list[End], list[End]]:
    """The inputs and the outputs of a program."""
    return _ends(program, program.inputs, "input"), _ends(program, program.outputs, "output")


def _ends(program: Program, values: tuple[int, ...], word: str) -> list[End]:
    known = program.quantities if isinstance(program, Quantized) else {}
    names = [word] if len(values) == 1 else [f"{word}_{i}" for i in range(len(values))]
    return [
        End(value, name, TYPES[program.dtype(value)], program.shapes[value], known.get(value))
        for value, name in zip(values, names, strict=True)
    ]


def parameters(inputs: list[End], outputs: list[End]) -> str:
    """The parameters of the function."""
    given = [f"const {end.kind} *{end.name}" for end in inputs]
    return ", ".join([*given, *(f"{end.kind} *{end.name}" for end in outputs)])


def arguments(inputs: list[End], outputs: list[End]) -> str:
    """The same names, for a call."""
    return ", ".join(end.name for end in (*inputs, *outputs))
