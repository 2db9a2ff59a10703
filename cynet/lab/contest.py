"""What is timed of an exercise: some of its holes, at three sizes, beside others that do the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cynet.core.registry import Registry

YOURS, TEXTBOOK, NUMPY, CYNET, TORCH = "yours", "textbook loop", "NumPy", "cynet", "PyTorch"
OTHERS = TEXTBOOK, NUMPY, CYNET, TORCH

contest = Registry(
    "contest", "cynet.lab", "timed", called=lambda file, defined: file.replace("_", "-"), closed=True
)


@dataclass(frozen=True)
class Contest:
    """Some holes of an exercise against the clock.

    Attributes
    ----------
    holes : tuple of str
        Those that are called, one after another: together they are the work.
    sizes : tuple of tuple of int
        Three, small ones first.
    flops, bytes : callable
        Of the sizes by name: the operations of the plain algorithm (an element that is only moved counts as
        one), and the least bytes to move.
    textbook : callable
        Of a case's values: (a function without arguments that does a part of the work by a loop in plain
        Python and gives what came of it, which share of the work this is).
    numpy, cynet : callable
        Of a case's values: a function without arguments that does the work and gives what came of it.
    torch : callable
        Of a case's values and the module torch: the same.
    """

    holes: tuple[str, ...]
    sizes: tuple[tuple[int, ...], ...]
    flops: Callable[..., int]
    bytes: Callable[..., int]
    textbook: Callable[..., Any]
    numpy: Callable[..., Any]
    cynet: Callable[..., Any]
    torch: Callable[..., Any]


def channels_last(x):
    """A float32 copy of (batch, channels, height, width) as cynet has it, (batch, height, width,
    channels)."""
    import numpy as np

    return np.ascontiguousarray(np.moveaxis(x, 1, 3))
