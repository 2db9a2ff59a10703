"""Some of the samples of a batch, in the place of all."""

from __future__ import annotations

from cynet.core.types import Array


class BatchRows:
    """The samples `first`, `first + 1`, ... of a batch of `count`.

    They are asked for by their places in the whole batch, as ``rows[8:12]``.

    Parameters
    ----------
    x : ndarray of float32
    first, count : int
    """

    def __init__(self, x: Array, first: int, count: int) -> None:
        self.x, self.first, self.count = x, first, count

    def __len__(self) -> int:
        """Of the whole batch."""
        return self.count

    def __getitem__(self, part: slice) -> Array:
        start, stop = part.start - self.first, part.stop - self.first
        if not 0 <= start <= stop <= len(self.x):
            held = f"{self.first} to {self.first + len(self.x)}"
            raise IndexError(f"rows: wanted some of {held}, got {part.start} to {part.stop}")
        return self.x[start:stop]

    def __repr__(self) -> str:
        return f"BatchRows({self.first} to {self.first + len(self.x)} of {self.count})"
