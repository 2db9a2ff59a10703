"""What the values of an ONNX graph are while a net is made of it: numbers that are known, or symbols.

Design: ONNX has the channels of an image before its height and width, cynet after them. A symbol's numbers
lie as cynet has them, and a `Laid` says which of its axes each axis of the file's value is. So to transpose,
and mostly to reshape, is nothing but another `Laid` over the same symbol; only an operator that needs its
numbers to lie in some order asks for that (`Assembly.arranged`), and they are moved where they do not.

The axes of a symbol are cut into *factors*, whose product is its size; an axis of the file's value is any of
them, one after another. The batch, always the first axis of cynet's arrays, is a factor by the number BATCH.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape
from cynet.nn.symbols import Symbol

BATCH = -1
MOST_SAMPLE = 1 << 31  # numbers of one sample of a value
MOST_COMPARED = 1 << 16  # numbers that may depend on the batch
OTHER_BATCHES = 211, 223  # primes: sizes of a batch that the file leaves open, see `Batch`

Axes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Batch:
    """The size of a batch, as a file has it.

    Where the file leaves it open what depends on it is worked out twice, for two sizes: a number that is the
    same for both does not depend on it.
    """

    first: int
    second: int

    @classmethod
    def of(cls, size: int | None) -> Batch:
        """That of a size, or of None: one that is open."""
        return cls(*OTHER_BATCHES) if size is None else cls(size, size)

    def __iter__(self) -> Iterator[int]:
        return iter((self.first, self.second))

    @property
    def is_open(self) -> bool:
        return self.first != self.second

    def told(self, first: int, second: int) -> tuple[int, bool]:
        """A size, given for both batches, as (n, False), or as (n, True), n times the batch.

        Raises
        ------
        ValueError
            When it is neither.
        """
        if first == second:
            return first, False
        if first * self.second == second * self.first and first % self.first == 0:
            return first // self.first, True
        raise ValueError(
            "wanted a shape in which the batch stays as it is, got one that mixes it with others"
        )


@dataclass(frozen=True)
class Known:
    """Numbers that no input has part in, but for the size of the batch: for both sizes of `Batch`."""

    first: AnyArray
    second: AnyArray
    name: str = ""  # of the initializer that it is

    @classmethod
    def of(cls, array: Any, name: str = "") -> Known:
        array = np.asarray(array)
        return cls(array, array, name)

    @property
    def fixed(self) -> AnyArray:
        """The numbers, where they do not depend on the batch.

        Raises
        ------
        ValueError
            Where they do.
        """
        same = self.first is self.second or (
            self.first.size <= MOST_COMPARED and np.array_equal(self.first, self.second)
        )
        if not same:
            raise ValueError("wanted numbers that do not depend on the size of the batch, got others")
        return self.first


@dataclass(frozen=True)
class Unknown:
    """What no value was made for."""


@dataclass(frozen=True)
class Laid:
    """A symbol, and which of its factors each axis of the file's value is.

    Attributes
    ----------
    symbol : Symbol
    factors : tuple of int
        Sizes of at least 2, in the order of memory; their product is that of the symbol's shape.
    axes : tuple of tuples of int
        Of each axis of the file's value the numbers of its factors, from the outermost; () is one of size 1.
    integers : bool
        Whether they are whole numbers, as an `Embedding` takes them.
    """

    symbol: Symbol
    factors: tuple[int, ...]
    axes: Axes
    integers: bool = False

    @classmethod
    def of(cls, symbol: Symbol, *axes: int | None, integers: bool = False) -> Laid:
        """Each axis of which is one of the symbol's, BATCH, or None: of size 1."""
        if prod(symbol.shape) > MOST_SAMPLE:
            raise ValueError(f"wanted at most {MOST_SAMPLE:,} numbers a sample, got shape {symbol.shape}")
        kept = [i for i, size in enumerate(symbol.shape) if size > 1]
        numbers: dict[int | None, int] = {BATCH: BATCH}
        numbers.update((axis, i) for i, axis in enumerate(kept))
        found = tuple((numbers[axis],) if axis in numbers else () for axis in axes)
        return cls(symbol, tuple(symbol.shape[i] for i in kept), found, integers)

    @property
    def rank(self) -> int:
        return len(self.axes)

    def sizes(self, axis: int) -> tuple[int, ...]:
        """Of the factors of an axis, without the batch."""
        return tuple(self.factors[i] for i in self.axes[axis] if i != BATCH)

    def size(self, axis: int) -> int:
        """Of an axis that has no part in the batch."""
        if BATCH in self.axes[axis]:
            raise ValueError(f"axis {axis}: wanted one that is not the batch, got that")
        return prod(self.sizes(axis))

    def shape(self, batch: int) -> Shape:
        """Of the file's value."""
        return tuple(
            prod(self.sizes(i)) * (batch if BATCH in axis else 1) for i, axis in enumerate(self.axes)
        )

    def on(self, symbol: Symbol) -> Laid:
        """The same over another symbol of as many numbers."""
        return Laid(symbol, self.factors, self.axes)

    def reordered(self, order: Sequence[int], symbol: Symbol) -> Laid:
        """The same over a symbol in which the factors have another order."""
        place = {i: n for n, i in enumerate(order)} | {BATCH: BATCH}
        axes = tuple(tuple(place[i] for i in axis) for axis in self.axes)
        return Laid(symbol, tuple(self.factors[i] for i in order), axes, self.integers)

    def with_axes(self, axes: Axes) -> Laid:
        return Laid(self.symbol, self.factors, axes, self.integers)

    def transposed(self, order: tuple[int, ...]) -> Laid:
        if sorted(order) != list(range(self.rank)):
            raise ValueError(f"wanted an order of {self.rank} axes, got {order!r:.60}")
        return self.with_axes(tuple(self.axes[i] for i in order))

    def widened(self, rank: int) -> Laid:
        """With axes of size 1 before the others."""
        return self.with_axes(((),) * (rank - self.rank) + self.axes)


Value = Known | Laid | Unknown


def axis_of(axis: int, rank: int) -> int:
    """A number of an axis, which may count from the end.

    Raises
    ------
    ValueError
        When there is none.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis: wanted {-rank} to {rank - 1}, got {axis}")
    return axis % rank


def axes_of(axes: Any, rank: int) -> list[int]:
    """Numbers of different axes, sorted."""
    found = sorted({axis_of(int(axis), rank) for axis in axes})
    if len(found) != len(list(axes)):
        raise ValueError(f"axes: wanted different ones, got {list(axes)!r:.60}")
    return found
