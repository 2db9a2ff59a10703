"""Symbols: what stands for an array while a `Graph` is put together, by calling layers on it."""

from __future__ import annotations

import itertools
from typing import Any

from cynet.core import checks
from cynet.core.types import Shape

_counter = itertools.count()


class Applied:
    """One call of a layer on symbols: the layer, what it was called on, and how many values it gives."""

    __slots__ = "count", "layer", "number", "sources"

    def __init__(self, layer: Any, sources: tuple[Symbol, ...], count: int) -> None:
        self.layer, self.sources, self.count = layer, sources, count
        self.number = next(_counter)  # calls have the order in which they were made


class Symbol:
    """The output of a call that was not computed, or an `Input`.

    Attributes
    ----------
    shape : tuple of int
        Without the batch.
    """

    __slots__ = "call", "place", "shape"

    def __init__(self, shape: Shape, call: Applied | None = None, place: int = 0) -> None:
        self.shape, self.call, self.place = shape, call, place  # place: among the outputs of its call

    def called_with(self, layer: Any, values: tuple[Any, ...]) -> Any:
        """What a layer that is called on this symbol, and others, gives."""
        return applied(layer, values)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"wanted an array, got {self!r}, which has no numbers: make a cynet.Graph of it")

    def __repr__(self) -> str:
        return f"<Symbol {self.shape}{'' if self.call is None else f' of {self.call.layer!r:.60}'}>"


def Input(shape: Shape) -> Symbol:
    """A symbol for an input of a `Graph`.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, without the batch: (H, W, C) for images, (L, C) for sequences, (features,) for rows.

    Returns
    -------
    Symbol
        A layer that is called on it gives another one.

    Raises
    ------
    TypeError, ValueError
        For what is no tuple of sizes of at least 1.

    Examples
    --------
    >>> x = cynet.Input((32, 32, 3))
    >>> h = cynet.Conv2d(3, 8, 3, padding=1)(x)
    >>> y = cynet.Linear(8, 10)(cynet.GlobalAvgPool2d()(cynet.ReLU()(h)))
    >>> model = cynet.Graph(x, y)
    """
    if not isinstance(shape, (tuple, list)) or not shape:
        raise TypeError(f"shape: wanted a tuple of sizes, as (32, 32, 3), got {shape!r:.80}")
    return Symbol(tuple(checks.integer(f"shape[{i}]", n, 1) for i, n in enumerate(shape)))


def applied(layer: Any, values: tuple[Any, ...]) -> Any:
    """The symbol, or several, of a layer's output for symbols.

    Raises
    ------
    TypeError
        Where only some of the values are symbols.
    ValueError
        Where their shapes do not suit the layer.
    """
    for i, value in enumerate(values):
        if not isinstance(value, Symbol):
            raise TypeError(
                f"{type(layer).__name__} input {i}: wanted a symbol as the others, got {value!r:.80}"
            )
    found = layer.checked_shape(*((1, *value.shape) for value in values))
    several = bool(found) and isinstance(found[0], tuple)
    shapes = found if several else (found,)
    call = Applied(layer, values, len(shapes))
    symbols = tuple(Symbol(shape[1:], call, i) for i, shape in enumerate(shapes))
    return symbols if several else symbols[0]
