"""Reading what must have a known size, so that no file decides how much memory is taken."""

import contextlib
from collections.abc import Iterator
from typing import Any

from cynet.core.types import AnyPath
from cynet.data.workers.shared import free_bytes

CHUNK = 1 << 16  # bytes


class Bounded:
    """A stream of at most so many bytes: one that goes on raises ValueError, whatever is asked of it.

    Parameters
    ----------
    stream : binary file
    most : int
    where : str
        What the message calls it.
    """

    def __init__(self, stream: Any, most: int, where: AnyPath) -> None:
        self.stream, self.most, self.left, self.where = stream, most, most, where

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        part = self.stream.read(self.left + 1 if size < 0 else min(size, self.left + 1))
        self.left -= len(part)
        if self.left < 0:
            raise ValueError(f"{self.where}: wanted at most {self.most:,} bytes when unpacked, got more")
        return part


def check_memory(size: int, where: AnyPath) -> None:
    """Raise ValueError where `size` bytes are more than the memory that can be had."""
    free = free_bytes()
    if size > free:
        raise ValueError(f"{where}: its {size:,} bytes do not fit the {free:,} of memory that are free")


@contextlib.contextmanager
def memory(size: int, where: AnyPath) -> Iterator[None]:
    """Within this context `size` bytes are taken: ValueError where they cannot be had."""
    check_memory(size, where)
    try:
        yield
    except MemoryError:
        raise ValueError(f"{where}: its {size:,} bytes do not fit the memory that can be had") from None


def read_exactly(stream: Any, size: int, where: AnyPath) -> bytearray:
    """The next `size` bytes of a stream that must end there.

    Memory grows with what really comes, never with what a header claims, and at most one byte too many is
    asked for.

    Parameters
    ----------
    stream : binary file
    size : int
    where : str
        What the message calls it.

    Returns
    -------
    bytearray

    Raises
    ------
    ValueError
        When the stream ends before or goes on, or does not fit the memory.
    """
    content = bytearray()
    with memory(size, where):
        while len(content) <= size:
            part = stream.read(min(CHUNK, size + 1 - len(content)))
            if not part:
                break
            content += part
    if len(content) != size:
        got = f"{len(content)}" if len(content) < size else "more"
        raise ValueError(f"{where}: wanted {size} bytes of data, as its header says, got {got}")
    return content
