"""The worker process: fills the slots of the ring that it is told to fill.

It imports NumPy, the decode kernel and what the user's transforms need, no more. It ends when its pipe does,
and when its owner is gone: where that one has forked, its children hold the pipe too.
"""

import ctypes
import multiprocessing
import os
import pickle
import select
import signal
import struct
import sys
import traceback

TASK = struct.Struct("<qqqqqq")  # slot, count, seed, epoch, batch, index of the first sample
DONE, FAILED = b"d", b"f"
IN_KERNEL = -1  # what a worker says it is at while the decode kernel runs
PR_SET_PDEATHSIG = 1
IMPORTED_BY = os.getpid()  # the fork server, of which workers are forks; or where there is none a worker


class Store:
    """The pictures and the ring, as every process sees them.

    Parameters
    ----------
    pixels : SharedPixels
    ring : SharedMemory
    batch_size, slots : int
    shape : tuple of int
        (channels, height, width) of a sample in a batch.
    """

    def __init__(self, pixels, ring, batch_size, slots, shape):
        self.pixels, self.ring, self.shape = pixels, ring, shape
        self.batch_size, self.slots = batch_size, slots

    @staticmethod
    def slot_bytes(picture_shape, batch_size):
        """The size of a slot: indices, where its worker is, then the floats of a batch, on whole pages."""
        channels, height, width = picture_shape
        return -(-(_head(batch_size) + 4 * batch_size * channels * height * width) // 4096) * 4096

    def slot(self, number, count):
        """One slot's arrays.

        Returns
        -------
        x : float32 (count, height, width, channels)
        indices : int64 (count,)
        at : int64 (1,)
            The place in `indices` of the sample that a user's transform is given, or IN_KERNEL.
        """
        channels, height, width = self.shape
        start = number * self.slot_bytes(self.shape, self.batch_size)
        at = self.ring.array((1,), "i8", start)
        indices = self.ring.array((count,), "i8", start + 8)
        x = self.ring.array((count, height, width, channels), "f4", start + _head(self.batch_size))
        return x, indices, at


def _head(batch_size):
    """Bytes before the floats, which start on a cache line."""
    return -(-8 * (1 + batch_size) // 64) * 64


def describe(task):
    """A packed task in words."""
    _, count, _, epoch, batch, first = TASK.unpack(task)
    return f"batch {batch} of epoch {epoch} ({count} samples, the first with index {first})"


def main(pipe, store, pipeline):
    """Serve one pipe until it closes.

    Parameters
    ----------
    pipe : multiprocessing.connection.Connection
        Tasks (`TASK`) come in; DONE or FAILED with a packed error, each with the task, go out.
    store : Store
    pipeline : Pipeline
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle
    _end_with_owner()
    owner_lives = _watch(pipe)
    images = store.pixels.array()
    while owner_lives():
        try:
            task = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        slot, count, seed, epoch, _, _ = TASK.unpack(task)
        place = IN_KERNEL
        try:
            x, indices, at = store.slot(slot, count)
            try:
                pipeline.fill(images, indices, x, seed, epoch, at)
            finally:
                place = int(at[0])
            answer = DONE + task
        except Exception as error:
            answer = FAILED + task + packed(error, place)
        try:
            pipe.send_bytes(answer)
        except OSError:
            return


def _end_with_owner():
    """Have the kernel kill this process with the one that forked it, which ends with the owner."""
    parent = os.getppid() if os.getpid() == IMPORTED_BY else IMPORTED_BY
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or not multiprocessing.parent_process().is_alive():
        os._exit(0)  # they were gone before that held


def _watch(pipe):
    """A function that waits for the pipe or the owner's end; False at that, where the system can tell."""
    try:
        owner = os.pidfd_open(multiprocessing.parent_process().pid)
    except ProcessLookupError:
        os._exit(0)
    except (AttributeError, OSError):
        return lambda: True
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(owner, select.POLLIN)
    return lambda: all(descriptor != owner for descriptor, _ in poll.poll())


def packed(error, place):
    """An exception as bytes: its own pickle where that works, names, text, traceback, the sample's place."""
    try:
        whole = pickle.dumps(error)
        pickle.loads(whole)
    except Exception:
        whole = b""
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return pickle.dumps((place, whole, name, str(error), traceback.format_exc()))


def unpacked(message):
    """(place, exception or None, name of its type, text, traceback) of a `packed` exception."""
    place, whole, name, text, trace = pickle.loads(message)
    try:
        error = pickle.loads(whole) if whole else None
    except Exception:  # its class is not to be had here
        error = None
    return place, error, name.removeprefix("builtins."), text, trace
