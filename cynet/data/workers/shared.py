"""Memory that processes share: without a name in the file system, so that none can be left behind.

Arrays on it hold on to it (their `base`), so `pixels.share` finds the memory of an array again.
"""

import mmap
import os
import tempfile
import weakref
from multiprocessing import reduction
from pathlib import Path

import numpy as np

CGROUP = Path("/sys/fs/cgroup")


def free_bytes():
    """The memory that can still be had, in bytes: the machine's, or less where a container has a limit."""
    try:
        with open("/proc/meminfo") as facts:
            sizes = dict(line.split(":") for line in facts)
        free = int(sizes["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit, used = (int((CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        facts = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # none, or "max"
        return free
    return max(0, min(free, limit - used + int(facts.get("inactive_file", 0))))


class Mapped:
    """A descriptor's bytes, mapped; pickled, it is the same memory in a process that is being started.

    Parameters
    ----------
    descriptor : int
        Taken over.
    size : int
        Bytes from its beginning.
    writable : bool
    """

    def __init__(self, descriptor, size, writable):
        self.descriptor, self.size, self.writable = descriptor, size, writable
        self._closing = weakref.finalize(self, os.close, descriptor)
        self._buffer = mmap.mmap(descriptor, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        self.address = np.frombuffer(self._buffer, np.uint8).ctypes.data

    def __getstate__(self):
        return reduction.DupFd(self.descriptor), self.size, self.writable

    def __setstate__(self, state):
        descriptor, size, writable = state
        Mapped.__init__(self, descriptor.detach(), size, writable)

    @property
    def __array_interface__(self):
        data = self.address, not self.writable
        return {"version": 3, "shape": (self.size,), "typestr": "|u1", "data": data}

    def array(self, shape, dtype, offset=0):
        """A view as an array, which keeps the memory."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.asarray(self)[offset : offset + size].view(dtype).reshape(shape)

    def require_whole(self):
        """Raise ValueError where the bytes behind it have become fewer: a file was cut short."""
        got = self._buffer.size()
        if got < self.size:
            raise ValueError(
                f"the file with the pictures was cut short while it was in use: wanted {self.size} bytes, "
                f"got {got}"
            )

    def close(self):
        """Give the descriptor back; the memory itself goes when the last array on it does."""
        self._closing()


class SharedMemory(Mapped):
    """A new block of memory that worker processes map too.

    It is an anonymous file (memfd; the size of /dev/shm is no bound), or where there are none a temporary
    file that is unlinked at once. Its pages are reserved when it is made, so that no write to it can fail.

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
        if size > (free := free_bytes()):  # the system would give pages until it kills somebody
            raise _too_small(what, size, free, "more than there are")
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create(f"cynet-{what}", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        try:
            os.ftruncate(descriptor, size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            os.close(descriptor)
            raise _too_small(what, size, free_bytes(), error.strerror) from None
        super().__init__(descriptor, size, True)


def _too_small(what, size, free, why):
    return MemoryError(
        f"{what}: wanted {size} bytes of shared memory, {free} are free ({why}); a loader with workers=0 "
        "needs none"
    )
