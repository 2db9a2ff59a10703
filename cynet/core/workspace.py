"""Arrays that are used again: after the first step a training step allocates nothing large.

Design: `empty` hands out a view of a pooled buffer. A buffer is free as soon as nobody outside the pool
refers to it, which CPython's reference count tells. So an output that a caller keeps is never
overwritten, one that is dropped serves the next request of its size, and no layer has to say when.
"""

import threading
from math import prod
from sys import getrefcount
from typing import Any

import numpy as np
from numpy import ndarray

from .types import AnyArray, Shape

SIZES = {np.float32: 4, np.float64: 8, np.uint8: 1}  # bytes of an element
ALIGN = 64  # bytes: a cache line, and the widest vector


class Pool(threading.local):
    """The buffers of one thread, by their size in bytes."""

    def __init__(self) -> None:
        self.buffers: dict[int, list[AnyArray]] = {}
        self.allocated = 0  # bytes ever taken from the system
        self.peak = 0  # most bytes in use at once

    def more(self, nbytes: int) -> AnyArray:
        """One buffer more of that size."""
        shelf = self.buffers.setdefault(nbytes, [])
        self._make_room(nbytes)
        raw = np.empty(nbytes + ALIGN, np.uint8)
        start = -raw.ctypes.data % ALIGN
        view = memoryview(raw)  # type: ignore[arg-type]  # the declarations know buffers from Python 3.12 on
        shelf.append(np.frombuffer(view[start : start + nbytes], np.uint8))
        self.allocated += nbytes
        return shelf[-1]

    def _make_room(self, nbytes: int) -> None:
        """Before new memory is taken: let go of free buffers when they are more than was ever in use.

        Shapes that alternate (training, evaluation) keep theirs; shapes that never return do not pile up.
        """
        kept, free = 0, []
        for size, shelf in self.buffers.items():
            for buffer in shelf:
                if getrefcount(buffer) == FREE:
                    free.append(size)
                else:
                    kept += size
        self.peak = max(self.peak, kept + nbytes)
        if kept + sum(free) + nbytes > 2 * self.peak + SPARE:
            for size, shelf in list(self.buffers.items()):
                used = []
                for buffer in shelf:
                    if getrefcount(buffer) != FREE:
                        used.append(buffer)
                self.buffers[size] = used

    def clear(self) -> None:
        """Forget every buffer; those in use live on until their last user lets go."""
        self.buffers.clear()


def _free_count() -> int:
    shelf = [np.empty(0)]
    for buffer in shelf:
        count = getrefcount(buffer)
    return count


FREE = _free_count()
NONE = ()
SPARE = 64 << 20  # bytes of free buffers that are always put up with
pool = Pool()


def empty(shape: Shape, dtype: Any = np.float32) -> AnyArray:
    """An uninitialised, 64-byte aligned, C-contiguous array from the pool.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.float32, numpy.float64 or numpy.uint8, optional

    Returns
    -------
    ndarray
        Private to the caller for as long as it (or a view of it) is referred to.
    """
    count = prod(shape)
    if count == 0:
        return np.empty(shape, dtype)
    nbytes = count * SIZES[dtype]
    for buffer in pool.buffers.get(nbytes, NONE):  # here, not in a method: it is asked for at every turn
        if getrefcount(buffer) == FREE:
            return ndarray(shape, dtype, buffer)
    return ndarray(shape, dtype, pool.more(nbytes))


def zeros(shape: Shape, dtype: Any = np.float32) -> AnyArray:
    """As `empty`, filled with zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array
