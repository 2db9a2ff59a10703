"""The table of the operators that are known; a function gets into it by its decorator."""

from __future__ import annotations

from collections.abc import Callable

from ..operation import Operation
from ..values import Value

Made = Value | tuple[Value, ...]
Function = Callable[[Operation], Made]
OPERATORS: dict[str, Function] = {}


def operator(*names: str) -> Callable[[Function], Function]:
    """The decorator of a function that gives the outputs of a node of such operators.

    It gets an `Operation`, and raises ValueError for what cynet has no layers for.
    """

    def register(function: Function) -> Function:
        for name in names:
            if name in OPERATORS:
                raise ValueError(f"{name}: registered twice")
            OPERATORS[name] = function
        return function

    return register
