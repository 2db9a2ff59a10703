"""The net that is being made: layers that are called on symbols, and numbers moved as operators need them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

from cynet.core.types import Shape
from cynet.nn.layer import Layer
from cynet.nn.layers.channel_shuffle import ChannelShuffle
from cynet.nn.layers.flatten import Flatten
from cynet.nn.layers.reshape import Reshape
from cynet.nn.symbols import Applied, Symbol

from .naming import LayerNames
from .values import BATCH, MOST_SAMPLE, Batch, Laid

MOST_CALLS = 200_000  # of layers


class Assembly:
    """Layers by their names, and what was made of which symbol, so that nothing is made twice.

    Parameters
    ----------
    batch : Batch
    most_values : int
        Of one array of weights, before it is copied.
    """

    def __init__(self, batch: Batch, most_values: int) -> None:
        self.batch, self.most_values = batch, most_values
        self.names = LayerNames()
        self.shared: dict[Any, Layer] = {}  # by what they were made of
        self.affine: dict[int, Any] = {}  # by the `id` of a call: see `affine.py`
        self._homes: dict[int, str] = {}  # by the `id` of a call: the value that it was made for
        self._uses: Counter[int] = Counter()  # of layers, by `id`
        self._moved: dict[Any, Symbol] = {}
        self._calls = 0
        self._kept: list[Any] = []  # whose `id` is a key above

    def call(self, layer: Layer, *symbols: Symbol) -> Symbol:
        """The symbol of a layer's output. A layer without a name gets one of its kind."""
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise ValueError(f"wanted at most {MOST_CALLS:,} layers, got more")
        if layer.name is None:
            layer.name = self.names.counted(type(layer).__name__.lower())
        found: Symbol = layer(*symbols)
        if prod(found.shape) > MOST_SAMPLE:
            raise ValueError(f"wanted at most {MOST_SAMPLE:,} numbers a sample, got shape {found.shape}")
        self._kept.append(found)
        self._uses[id(layer)] += 1
        return found

    def keep_home(self, symbol: Symbol, name: str) -> None:
        """Remember which value of the file a symbol was made for first."""
        if symbol.call is not None:
            self._homes.setdefault(id(symbol.call), name)

    def is_home(self, call: Applied, name: str) -> bool:
        """Whether a call was made for a value, and its layer for this call alone."""
        return self._homes.get(id(call)) == name and self._uses[id(call.layer)] == 1

    def unshare(self, layer: Layer) -> None:
        """Let no further node have a layer."""
        self.shared = {key: one for key, one in self.shared.items() if one is not layer}

    # -- the order of numbers -----------------------------------------------------------------------------
    def arranged(self, laid: Laid, groups: Sequence[Sequence[int]]) -> Symbol:
        """A symbol whose axes are groups of a value's factors, each of which stands in one group.

        Parameters
        ----------
        laid : Laid
        groups : sequence of sequences of int
            Numbers of factors, from the outermost; without any an axis of size 1.
        """
        order = tuple(i for group in groups for i in group)
        shape = tuple(prod(laid.factors[i] for i in group) for group in groups) or (1,)
        if sorted(order) != list(range(len(laid.factors))):
            raise ValueError(f"wanted each of {len(laid.factors)} factors once, got {order}")
        return self.shaped(self._ordered(laid, order, shape), shape)

    def with_last(self, laid: Laid, last: Sequence[int]) -> tuple[Symbol, list[int]]:
        """A symbol whose last axis is some factors of a value, and which order all factors have in it."""
        every, size = list(range(len(laid.factors))), prod(laid.factors[i] for i in last)
        if every[len(every) - len(last) :] == list(last) and laid.symbol.shape[-1] == size:
            return laid.symbol, every
        rest = [i for i in every if i not in last]
        return self.arranged(laid, (rest, last) if rest or not last else (last,)), [*rest, *last]

    def like(self, laid: Laid, other: Laid, joined: int | None = None, first: bool = False) -> Laid:
        """A value with its factors cut, and in memory, as those of another one of the same shape.

        Parameters
        ----------
        laid, other : Laid
        joined : int, optional
            An axis along which their sizes may differ, in one factor: the last one in memory.
        first : bool, optional
            Or the first one.
        """
        numbers = [i for n, axis in enumerate(other.axes) for i in axis if n != joined]
        sizes = [[b if i == BATCH else other.factors[i] for i in numbers] for b in self.batch]
        if joined is not None:
            laid = laid.transposed((*(i for i in range(laid.rank) if i != joined), joined))
            sizes = [[*each, laid.size(laid.rank - 1)] for each in sizes]
        cut = self.reshaped(laid, *map(tuple, sizes))
        order = [i for n in sorted(numbers) if n != BATCH for i in cut.axes[numbers.index(n)]]
        own = [] if joined is None else list(cut.axes[-1])
        order = own + order if first else order + own
        return cut.reordered(order, self.arranged(cut, (order,)))

    def shaped(self, symbol: Symbol, shape: Shape) -> Symbol:
        """The same numbers in another shape."""
        while symbol.shape != shape and symbol.call is not None and type(symbol.call.layer) is Reshape:
            (symbol,) = symbol.call.sources
        if symbol.shape == shape:
            return symbol
        return self._once(("shape", shape), symbol, lambda: self.call(Reshape(shape), symbol))

    def _ordered(self, laid: Laid, order: tuple[int, ...], shape: Shape) -> Symbol:
        """A symbol of the numbers with the factors in another order, of any shape."""
        symbol, now, sizes = laid.symbol, list(range(len(order))), laid.factors
        if len(shape) == 1 and len(symbol.shape) > 1 and symbol.shape[-1] > 1 and order[1:] and order[0]:
            split = order[0]
            last = prod(sizes[split:]) == symbol.shape[-1]
            if last and order == (*range(split, len(sizes)), *range(split)):
                return self._once("flat", symbol, lambda: self.call(Flatten(), symbol))
        for place, wanted in enumerate(order):
            at = now.index(wanted)
            if at == place:
                continue
            before, first, second = now[:place], now[place:at], now[at:]
            outer, rows, columns = (prod(sizes[i] for i in part) for part in (before, first, second))
            shape = (outer, rows * columns) if before else (rows * columns,)
            symbol = self._turned(self.shaped(symbol, shape), rows)
            now = before + second + first
        return symbol

    def _turned(self, symbol: Symbol, rows: int) -> Symbol:
        """The last axis, taken for a matrix of so many rows, transposed."""
        return self._once(("turned", rows), symbol, lambda: self.call(ChannelShuffle(rows), symbol))

    def _once(self, key: Any, symbol: Symbol, make: Any) -> Symbol:
        key = key, id(symbol)
        if key not in self._moved:
            self._moved[key] = make()
            self._kept.append(symbol)
        return self._moved[key]

    def image(self, laid: Laid, sides: int | None = None) -> tuple[Symbol, int]:
        """(a symbol (H, W, C) or (L, C), 2 or 1) of a value (N, C, H, W) or (N, C, L).

        Raises
        ------
        ValueError
            When it has other axes.
        """
        rank, wanted = laid.rank, (2, 1) if sides is None else (sides,)
        if rank - 2 not in wanted or laid.axes[0] != (BATCH,):
            axes = " or ".join({2: "(N, C, H, W)", 1: "(N, C, L)"}[n] for n in wanted)
            raise ValueError(f"wanted a value {axes}, got one of {self.told(laid)}")
        return self.arranged(laid, (*laid.axes[2:], laid.axes[1])), rank - 2

    def told(self, laid: Laid) -> str:
        """The shape of a value, for messages."""
        sizes = (
            "x".join(["N"] * (BATCH in axis) + [str(n) for n in [prod(laid.sizes(i))] if n > 1 or not axis])
            for i, axis in enumerate(laid.axes)
        )
        return f"({', '.join(sizes)})"

    # -- shapes -------------------------------------------------------------------------------------------
    def reshaped(self, laid: Laid, first: Shape, second: Shape) -> Laid:
        """The same numbers in another shape, which is given for both sizes of the batch.

        Raises
        ------
        ValueError
            When it is of other numbers, or the batch would be mixed with them.
        """
        wanted = [self.batch.told(*both) for both in zip(first, second, strict=True)]
        merged = _merged(laid)
        found = _cut(merged, wanted, self.batch)
        if found is None and merged.axes[:1] == ((BATCH,),):  # else as they lie in the file's value
            flat = [i for axis in merged.axes[1:] for i in axis]
            plain = Laid.of(self.arranged(merged, [flat]), BATCH, 0, integers=laid.integers)
            found = _cut(plain, wanted, self.batch)
        if found is None:
            shape = ", ".join(f"{n}N" if batch else str(n) for n, batch in wanted)
            raise ValueError(f"wanted a shape for the numbers of {self.told(laid)}, got ({shape})")
        return found


def _merged(laid: Laid) -> Laid:
    """The value as one axis less the batch where neighbours in memory are neighbours in it, too."""
    flat = [i for axis in laid.axes for i in axis]
    runs: list[list[int]] = []
    for i in flat:
        if runs and i != BATCH and runs[-1][-1] != BATCH and i == runs[-1][-1] + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    memory = sorted(run for run in runs if run != [BATCH])
    factors = tuple(prod(laid.factors[i] for i in run) for run in memory)
    numbers = {run[0]: n for n, run in enumerate(memory)} | {BATCH: BATCH}
    return Laid(laid.symbol, factors, tuple((numbers[run[0]],) for run in runs), laid.integers)


def _cut(laid: Laid, wanted: list[tuple[int, bool]], batch: Batch) -> Laid | None:
    """A value of other axes, whose factors are cut where these need it; None where they cannot be."""
    left = [(i, batch.first if i == BATCH else laid.factors[i]) for axis in laid.axes for i in axis]
    pieces: dict[int, list[int]] = {}  # sizes that each factor is cut into
    axes: list[list[tuple[int, int]]] = []
    left.reverse()
    for need, has_batch in wanted:
        axis: list[tuple[int, int]] = []
        while need > 1 or has_batch or (need == 1 and not axis and left and left[-1][1] == 1):
            if not left:
                return None
            i, size = left.pop()
            if i == BATCH and (has_batch or not batch.is_open):
                if not has_batch and need % size:
                    return None
                need, has_batch = need if has_batch else need // size, False
                axis.append((BATCH, 0))
                continue
            if i == BATCH or (need % size and size % need) or need == 1:
                return None
            part = min(need, size)
            if part < size:
                left.append((i, size // part))
            need //= part
            pieces.setdefault(i, []).append(part)
            axis.append((i, len(pieces[i]) - 1))
        if need != 1:
            return None
        axes.append(axis)
    if left == [(BATCH, 1)] and axes:
        axes[-1].append((BATCH, 0))
    elif left:
        return None
    numbers: dict[tuple[int, int], int] = {(BATCH, 0): BATCH}
    factors: list[int] = []
    for i in range(len(laid.factors)):
        for part, size in enumerate(pieces.get(i, ())):
            numbers[i, part] = len(factors)
            factors.append(size)
    found = tuple(tuple(numbers[piece] for piece in axis) for axis in axes)
    return Laid(laid.symbol, tuple(factors), found, laid.integers)
