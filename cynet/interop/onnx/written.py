"""A graph of ONNX that is being written: its nodes, its constants, and where the channels of a value are.

Design: ONNX's windows want channels first, (N, C, H, W); its recurrent layers, products and norms of rows
want them last. Each value has a name for the layout in which it was made, and gets one for the other where
somebody asks for that, by one Transpose. So a net that is written channels first all through has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape
from cynet.interop.program.steps import Program, Step

from . import encoding

FIRST, LAST = "first", "last"  # where the channels are


class Writing:
    """What is written so far.

    Parameters
    ----------
    program : Program
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.nodes: list[bytes] = []
        self.tensors: dict[str, AnyArray] = {}
        self.names: dict[tuple[int, str], str] = {}
        self.made_as: dict[int, str] = {}  # the layout in which a value was made
        self._taken: set[str] = set()

    def fresh(self, name: str) -> str:
        """A name that nothing has yet."""
        found, number = name, 1
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found

    def shape(self, value: int) -> Shape:
        return self.program.shapes[value]

    def constant(self, name: str, array: Any) -> str:
        """The name of a new constant."""
        found = self.fresh(name)
        self.tensors[found] = np.asarray(array)
        return found

    def integers(self, name: str, numbers: Sequence[int]) -> str:
        return self.constant(name, np.array(numbers, np.int64))

    def node(self, operator: str, step: Step | str, *inputs: str, outputs: Any = (), **more: Any) -> str:
        """A new node; the name of its first output."""
        own = step if isinstance(step, str) else step.name
        name = self.fresh(f"{own}/{operator}")
        found = list(outputs) or [f"{name}:0"]
        self.nodes.append(encoding.node(operator, inputs, found, name, **more))
        return found[0]

    def made(self, value: int, name: str, layout: str = FIRST) -> None:
        """A value has this name, in a layout; of fewer than two axes both are one."""
        self.names[value, layout] = name
        self.made_as[value] = layout
        if len(self.shape(value)) < 2:
            self.names[value, LAST if layout == FIRST else FIRST] = name

    def layout(self, value: int) -> str:
        """That in which a value was made."""
        return self.made_as[value]

    def get(self, value: int, layout: str = FIRST) -> str:
        """The name of a value in a layout."""
        if (value, layout) not in self.names:
            axes = len(self.shape(value)) + 1
            order = (0, axes - 1, *range(1, axes - 1)) if layout == FIRST else (0, *range(2, axes), 1)
            source = self.names[value, self.made_as[value]]
            self.names[value, layout] = self.node("Transpose", source.partition(":")[0], source, perm=order)
        return self.names[value, layout]
