"""A file of C that is being made: the kernels that it needs, its constants, its calls.

Design: entries of the table of operations write calls. What they name, a kernel, an array, memory for a step
alone, comes into the file by being asked for, once. Where values lie is settled when all is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from math import prod
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape
from cynet.interop.program import windows
from cynet.interop.program.steps import Program, Step

from . import literals

MOST = 2**31 - 1  # elements of a value: places within it are ints


@dataclass(frozen=True)
class Scratch:
    """Memory for one step alone: so many elements of a dtype."""

    step: int
    count: int
    dtype: str

    @property
    def bytes(self) -> int:
        """How many bytes that are."""
        return self.count * np.dtype(self.dtype).itemsize


class Unit:
    """What is written so far.

    Parameters
    ----------
    program : Program

    Raises
    ------
    ValueError
        When a value is too large.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.kernels: dict[str, str] = {}
        self.constants: list[str] = []
        self.calls: list[tuple[int, str]] = []  # for a step, by its place, a line
        self.scratches: dict[str, Scratch] = {}
        self.used: set[int] = set()
        self._arrays: dict[tuple[str, bytes], str] = {}
        self._names: set[str] = set()
        self._step = 0
        largest = max(map(prod, program.shapes.values()))
        if largest > MOST:
            raise ValueError(f"model: wanted values of at most {MOST} numbers, got one of {largest}")
        longest = max(side for shape in program.shapes.values() for side in windows.images(shape)[:2])
        self.place = "int16" if longest < 2**15 else "int32"

    def begin(self, step: int) -> None:
        """What is asked for from now on is for this step, by its place."""
        self._step = step

    def shape(self, value: int) -> Shape:
        return self.program.shapes[value]

    def size(self, value: int) -> int:
        """How many elements a value has."""
        return prod(self.shape(value))

    def rows(self, value: int) -> tuple[int, int]:
        """(how many pixels, channels) of a value."""
        *sides, channels = self.shape(value)
        return prod(sides), channels

    def bytes(self, value: int) -> int:
        """How many bytes a value has."""
        return self.size(value) * np.dtype(self.program.dtype(value)).itemsize

    def get(self, value: int) -> str:
        """The pointer to a value."""
        self.used.add(value)
        return f"v{value}"

    def scratch(self, count: int, dtype: str = "float32") -> str:
        """A pointer to memory for this step alone."""
        name = self._fresh("scratch")
        self.scratches[name] = Scratch(self._step, count, dtype)
        return name

    def _fresh(self, hint: str) -> str:
        """A name that nothing has yet."""
        name = f"{hint}_{self._step}"
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name

    def need(self, *names: str) -> None:
        """Kernels, after those that they are built on."""
        for name in names:
            if name not in self.kernels:
                self.kernels[name] = kernel(name)

    def made(self, name: str, text: str) -> None:
        """A kernel whose text was made from a template."""
        self.kernels.setdefault(name, text)

    def array(self, hint: str, values: AnyArray, dtype: str = "float32") -> str:
        """The pointer to a constant; equal ones are there once."""
        kind = literals.TYPES[dtype]
        values = np.ascontiguousarray(values, dtype)
        key = kind, values.tobytes()
        if key not in self._arrays:
            text, self._arrays[key] = literals.array(self._fresh(hint), values, kind)
            self.constants.append(text)
        return self._arrays[key]

    def places(self, hint: str, values: AnyArray) -> str:
        """The pointer to rows or columns of pictures."""
        return self.array(hint, values, self.place)

    def struct(self, kind: str, fields: dict[str, Any]) -> str:
        """The pointer to a constant structure."""
        name = self._fresh(kind)
        self.constants.append(f"static const struct {kind} {name} = {{{_fields(fields)}}};\n")
        return f"&{name}"

    def call(self, function: str, *arguments: Any) -> None:
        texts = [literals.number(one) if isinstance(one, float) else str(one) for one in arguments]
        self.calls.append((self._step, f"{function}({', '.join(texts)});"))


def _fields(fields: dict[str, Any]) -> str:
    texts = []
    for name, value in fields.items():
        if isinstance(value, dict):
            value = f"{{{_fields(value)}}}"
        texts.append(f".{name} = {literals.number(value) if isinstance(value, float) else value}")
    return ", ".join(texts)


def kernel(name: str) -> str:
    """The text of a kernel."""
    return text(f"kernels/{name}.c")


def text(name: str) -> str:
    """The text of a file beside this one."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def bounds(step: Step) -> tuple[float, float]:
    """What the outputs of a step are bounded by, where the curve after it does no more than that."""
    kind = step.after["kind"] if step.after else ""
    return {"relu": (0.0, np.inf), "relu6": (0.0, 6.0)}.get(kind, (-np.inf, np.inf))
