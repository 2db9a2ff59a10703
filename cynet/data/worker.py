"""The worker process: fills the slots of the ring that it is told to fill.

It imports NumPy and the decode kernel, no more. It ends when its pipe does, which is when its owner is gone.
"""

import ctypes
import signal
import struct
import sys
import traceback

from cynet.kernels import decode

TASK = struct.Struct("<qqqqq")  # slot, count, epoch, batch, index of the first sample
DONE, FAILED = b"d", b"f"
PR_SET_PDEATHSIG = 1


class Store:
    """The pictures and the ring, as every process sees them.

    Parameters
    ----------
    pixels, ring : SharedMemory
    image_shape : tuple of int
        (count, channels, height, width) of the pictures.
    batch_size, slots : int
    """

    def __init__(self, pixels, ring, image_shape, batch_size, slots):
        self.pixels, self.ring = pixels, ring
        self.image_shape, self.batch_size, self.slots = image_shape, batch_size, slots

    @staticmethod
    def ring_bytes(image_shape, batch_size, slots):
        """The size of a ring: in each slot the floats of a batch, then its indices, on whole pages."""
        _, channels, height, width = image_shape
        return slots * _page(batch_size * (4 * channels * height * width + 8))

    def images(self):
        return self.pixels.array(self.image_shape, "u1")

    def slot(self, number, count):
        """(x float32 (count, height, width, channels), indices int64 (count,)) of one slot."""
        _, channels, height, width = self.image_shape
        start = number * _page(self.batch_size * (4 * channels * height * width + 8))
        indices = self.ring.array((count,), "i8", start)
        x = self.ring.array((count, height, width, channels), "f4", start + 8 * self.batch_size)
        return x, indices


def _page(size):
    return -(-size // 4096) * 4096


def describe(task):
    """A packed task in words."""
    _, count, epoch, batch, first = TASK.unpack(task)
    return f"batch {batch} of epoch {epoch} ({count} samples, the first with index {first})"


def main(pipe, store, recipe, seed):
    """Serve one pipe until it closes.

    Parameters
    ----------
    pipe : multiprocessing.connection.Connection
        Tasks (`TASK`) come in; DONE or FAILED with a traceback, each with the slot, go out.
    store : Store
    recipe : tuple
        (padding, flip, table) for the decode kernel.
    seed : int
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    padding, flip, table = recipe
    images = store.images()
    while True:
        try:
            task = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        slot, count, epoch, _, _ = TASK.unpack(task)
        try:
            x, indices = store.slot(slot, count)
            decode.decode(images, indices, table, x, padding, flip, seed, epoch)
            answer = DONE + task
        except Exception as error:
            words = f"{type(error).__name__}\0{traceback.format_exc()}\0{error}"
            answer = FAILED + task + words.encode(errors="replace")
        try:
            pipe.send_bytes(answer)
        except OSError:
            return
