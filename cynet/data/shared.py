"""Memory that processes share: without a name in the file system, so that none can be left behind."""

import mmap
import os
import tempfile
from multiprocessing import reduction

import numpy as np


def free_bytes():
    """The memory that can still be had, in bytes."""
    try:
        with open("/proc/meminfo") as facts:
            sizes = dict(line.split(":") for line in facts)
        return int(sizes["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class SharedMemory:
    """A block of memory that worker processes map too.

    It is an anonymous file (memfd), or where there are none a temporary file that is unlinked at once. Its
    pages are reserved when it is made, so that no write to it can fail later.

    Parameters
    ----------
    size : int
        Bytes.
    what : str
        What the messages call it.

    Raises
    ------
    MemoryError
        When it does not fit; needed and free bytes are named.
    """

    def __init__(self, size, what):
        size = max(size, 1)
        if hasattr(os, "memfd_create"):
            self.descriptor = os.memfd_create(f"cynet-{what}", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                self.descriptor = os.dup(file.fileno())
        try:
            os.ftruncate(self.descriptor, size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self.descriptor, 0, size)
        except OSError as error:
            os.close(self.descriptor)
            raise MemoryError(
                f"{what}: wanted {size} bytes of shared memory, {free_bytes()} are free "
                f"({error.strerror}); a loader with workers=0 needs none"
            ) from None
        self._map(size)

    def _map(self, size):
        self.size = size
        self.buffer = mmap.mmap(self.descriptor, size)

    def __getstate__(self):
        return reduction.DupFd(self.descriptor), self.size

    def __setstate__(self, state):
        descriptor, size = state
        self.descriptor = descriptor.detach()
        self._map(size)

    def array(self, shape, dtype, offset=0):
        """A view of the block as an array."""
        dtype, count = np.dtype(dtype), int(np.prod(shape))
        return np.frombuffer(self.buffer, dtype, count, offset).reshape(shape)

    def close(self):
        """Give the descriptor back; the memory itself goes when the last array on it does."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
