"""Batches from worker processes, in order, through a ring of slots in shared memory."""

import os
import weakref

from . import pixels
from .crew import CLOSED, Crew
from .shared import SharedMemory
from .worker import IN_KERNEL, TASK, Store


class Feed:
    """The workers of a loader and what they share; started with the first batch.

    Parameters
    ----------
    dataset : ArrayDataset
    pipeline : Pipeline
    workers, batch_size, prefetch : int
    timeout : float
    name_of : callable
        The sample with an index, in words, for messages.
    """

    def __init__(self, dataset, pipeline, workers, batch_size, prefetch, timeout, name_of):
        self.dataset, self.pipeline, self.workers = dataset, pipeline, workers
        self.batch_size, self.prefetch = batch_size, prefetch
        self.timeout, self.name_of = timeout, name_of
        self.crew = self.store = self._finalizer = None
        self._busy = 0  # slots that are being filled

    @property
    def ring_bytes(self):
        """The memory of the slots."""
        return self.prefetch * Store.slot_bytes(self.pipeline.shape, self.batch_size)

    def start(self):
        """Share the pictures and start the workers, unless they run, in this process and not in a parent."""
        if self.crew and self.crew.owner == os.getpid():
            return
        self.close()
        shared = pixels.share(self.dataset)
        ring = SharedMemory(self.ring_bytes, "ring of batches")
        self.store = Store(shared, ring, self.batch_size, self.prefetch, self.pipeline.shape)
        try:
            self.crew = Crew(self.workers, self.store, self.pipeline, self.timeout, self.name_of)
        except BaseException:
            ring.close()
            raise
        self._finalizer = weakref.finalize(self, _release, self.crew, ring)

    def batches(self, order, seed, epoch, first):
        """Yield x of the batches of an epoch from number `first` on; each is valid until the next.

        Parameters
        ----------
        order : sequence of ndarray of int64
            The indices of each batch.
        seed, epoch, first : int
        """
        self.start()
        crew = self.crew
        try:
            self.drain()
            filled, sent = set(), first
            for batch in range(first, len(order)):
                while sent < min(batch + self.prefetch, len(order)):
                    self._submit(sent, order[sent], seed, epoch)
                    sent += 1
                slot = batch % self.prefetch
                while slot not in filled:
                    filled.update(self.collect())
                filled.remove(slot)
                yield self.store.slot(slot, len(order[batch]))[0]
                if self.crew is not crew:
                    raise RuntimeError(CLOSED)
                if crew.owner != os.getpid():
                    raise RuntimeError(
                        f"this pass over the loader is that of process {self.crew.owner}, of which this is a "
                        "fork; start another pass here"
                    )
                crew.rest()
        except GeneratorExit:
            raise  # the epoch was left early; what is under way is drained when the next one starts
        except BaseException:
            self.close()
            raise

    def _submit(self, batch, indices, seed, epoch):
        slot = batch % self.prefetch
        _, places, at = self.store.slot(slot, len(indices))
        places[...], at[...] = indices, IN_KERNEL
        self.crew.submit(TASK.pack(slot, len(indices), seed, epoch, batch, indices[0]))
        self._busy += 1

    def collect(self):
        """Wait for answers; the slots that were filled."""
        slots = self.crew.collect()
        self._busy -= len(slots)
        return slots

    def drain(self):
        """Wait for what an abandoned epoch left under way: its slots are wanted again."""
        if self._busy:
            self.crew.rest()
        while self._busy:
            self.collect()

    def wake(self):
        """Have a thread that waits for a batch raise RuntimeError: the loader is being closed."""
        crew = self.crew  # once: that thread may close it
        if crew:
            crew.wake()

    def close(self):
        """End the workers and give the ring back; the next epoch starts them anew."""
        if self._finalizer:
            self._finalizer()
        self.crew = self.store = self._finalizer = None
        self._busy = 0


def _release(crew, ring):
    crew.close()
    ring.close()
