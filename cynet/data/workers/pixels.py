"""The pictures of a data set where worker processes can map them, held once.

A file that is mapped (`numpy.memmap`) is mapped by the workers too. Any other array is moved into shared
memory: the data set gets the copy for its own, and the first one goes when nobody else holds it.
"""

import contextlib
import mmap
import os

import numpy as np

from .shared import Mapped, SharedMemory

SAMPLE = 1 << 16  # bytes compared at both ends of a file


class SharedPixels:
    """Pictures in memory that processes share; can be sent to a process that is being started.

    Parameters
    ----------
    memory : Mapped
    offset : int
        Of the first pixel.
    shape : tuple of int
        (count, channels, height, width).
    kind : str, optional
        The dtype in letters.
    """

    def __init__(self, memory, offset, shape, kind="|u1"):
        self.memory, self.offset, self.shape, self.kind = memory, offset, shape, kind

    def array(self):
        """The pictures."""
        return self.memory.array(self.shape, self.kind, self.offset)


def share(dataset):
    """The `SharedPixels` of a data set, whose `images` become a view of them where they were private.

    Raises
    ------
    MemoryError
        When the shared memory cannot be had.
    ValueError
        When they are mapped from a file that has become shorter.
    """
    images = dataset.images
    require_whole(images)
    for base in _bases(images):
        if isinstance(base, SharedMemory):
            return SharedPixels(base, images.ctypes.data - base.address, images.shape, images.dtype.str)
        if isinstance(base, np.memmap) and base._mmap is not None:
            found = _mapped_file(images, base)
            if found:
                return found
    memory = SharedMemory(images.nbytes, "pictures")
    pixels = SharedPixels(memory, 0, images.shape, images.dtype.str)
    view = pixels.array()
    view[...] = images
    view.flags.writeable = images.flags.writeable
    with contextlib.suppress(AttributeError):  # where it cannot be set they are held twice
        dataset.images = view
    return pixels


def require_whole(images):
    """Raise ValueError where pictures are mapped from a file that has become shorter: to read on is to die.

    It is asked before each batch, and costs next to nothing then.
    """
    for base in _bases(images):
        mapped = getattr(base, "_mmap", None) if isinstance(base, np.memmap) else None
        if mapped is not None:
            wanted, got = base.offset + base.nbytes, mapped.size()
            if got < wanted:
                raise ValueError(
                    f"{base.filename}: it was cut short while it was in use: wanted {wanted} bytes, got {got}"
                )
        elif isinstance(base, Mapped):
            base.require_whole()


def _bases(array):
    """What an array's memory belongs to, from near to far."""
    while array is not None:
        yield array
        array = getattr(array, "base", None)


def _mapped_file(images, base):
    """The file of a memmap as `SharedPixels`; None when its path leads to other bytes or it is private."""
    if base.mode == "c" or base.filename is None:
        return None
    start = base.offset - base.offset % mmap.ALLOCATIONGRANULARITY
    offset = start + images.ctypes.data - np.frombuffer(base._mmap, np.uint8).ctypes.data
    end = offset + images.nbytes
    try:
        descriptor = os.open(base.filename, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    if os.fstat(descriptor).st_size < end:
        os.close(descriptor)
        return None
    pixels = SharedPixels(Mapped(descriptor, end, False), offset, images.shape, images.dtype.str)
    here, there = (each.reshape(-1).view(np.uint8) for each in (images, pixels.array()))
    ends = slice(None, SAMPLE), slice(-SAMPLE, None)
    return pixels if all(np.array_equal(here[part], there[part]) for part in ends) else None
