"""DataLoader: epochs of batches, made by worker processes.

Design: batch k of epoch e is a pure function of (seed, e, k, data set, transforms). The order of an epoch
comes from Philox keyed by (seed, epoch), the crop and flip of a sample from a hash of (seed, epoch, index).
So it does not matter which worker makes a batch, whether one died over it, or whether there are workers at
all; and the whole state of a loader is (seed, epoch, next batch).
"""

import weakref

import numpy as np

from cynet.core import checks
from cynet.kernels import decode

from .augment import Normalize, RandomCrop, RandomFlip, Recipe
from .crew import Crew
from .shared import SharedMemory
from .worker import TASK, Store

__all__ = ["DataLoader", "Normalize", "RandomCrop", "RandomFlip"]


class DataLoader:
    """Batches of a data set; one ``for`` over it is one epoch.

    Parameters
    ----------
    dataset : ArrayDataset
        Anything with `images` (uint8, planar), `labels` and `fingerprint()`.
    batch_size : int
    shuffle : bool
        Whether each epoch has an order of its own.
    seed : int
        Of the order and of the random transforms.
    workers : int
        Worker processes; 0 decodes in this one. The batches are the same for any number. The workers share
        one copy of the pictures, beside the data set's own.
    prefetch : int
        Batches in memory at once, at least 2 with workers: the bound of what a loader holds beside the
        pictures.
    drop_last : bool
        Leave out a last batch that is smaller than the others.
    transforms : sequence of RandomCrop, RandomFlip, Normalize
    timeout : float
        Seconds until a worker that does not answer is an error.
    copy : bool
        Yield private arrays. Otherwise a batch is a view that is valid until the next one is asked for.

    Attributes
    ----------
    epoch : int
        The number of the epoch that the next ``for`` runs (or continues).

    Yields
    ------
    x : ndarray of float32 (N, H, W, C)
    y : ndarray of int64 (N,)

    Raises
    ------
    TypeError, ValueError
        From the constructor, naming argument, value and what was wanted.
    MemoryError
        When the shared memory for the workers cannot be had.
    WorkerLostError, TimeoutError
        When workers keep dying, or hang; an exception in a worker is raised here with its type.

    Examples
    --------
    >>> with cynet.data.DataLoader(dataset, 128, transforms=[RandomFlip()]) as loader:
    ...     for x, y in loader:
    ...         ...
    """

    def __init__(
        self, dataset, batch_size, shuffle=True, seed=0, workers=2, prefetch=4, drop_last=False,
        transforms=(), timeout=120.0, copy=False,
    ):  # fmt: skip
        images = getattr(dataset, "images", None)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
            kind = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else repr(images)
            raise TypeError(
                "dataset: wanted images uint8 (count, channels, height, width), got "
                f"{type(dataset).__name__} with images {kind:.60}"
            )
        if not len(dataset) == len(images) == len(dataset.labels) or not images.flags.c_contiguous:
            raise ValueError(
                f"dataset: wanted as many C-contiguous images as labels and samples, got {len(images)} "
                f"images, {len(dataset.labels)} labels and a length of {len(dataset)}"
            )
        self.dataset = dataset
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.shuffle = checks.flag("shuffle", shuffle)
        self.seed = checks.integer("seed", seed, 0, 2**63 - 1)
        self.workers = checks.integer("workers", workers, 0, 1024)
        self.prefetch = checks.integer("prefetch", prefetch, 2 if workers else 1, 1024)
        self.drop_last = checks.flag("drop_last", drop_last)
        self.timeout = checks.number("timeout", timeout, 0, open_low=True)
        self.copy = checks.flag("copy", copy)
        self._recipe = Recipe(transforms, dataset.images.shape[1])
        if drop_last and len(dataset) < batch_size:
            raise ValueError(
                f"drop_last: wanted at least one whole batch of batch_size={batch_size}, got a data set of "
                f"{len(dataset)}"
            )
        self.epoch = self._batch = 0
        self._crew = self._store = self._finalizer = None
        self._busy = 0  # slots that are being filled
        self._walk = 0  # which pass over the loader is the current one

    def __len__(self):
        """Batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def order(self, epoch):
        """The indices of the data set in the order of an epoch, int64."""
        if not self.shuffle:
            return np.arange(len(self.dataset))
        generator = np.random.Generator(np.random.Philox(key=[self.seed, epoch]))
        return generator.permutation(len(self.dataset))

    def __iter__(self):
        self._walk += 1
        walk, order = self._walk, self.order(self.epoch)
        epoch, first = self.epoch, self._batch
        batches = self._from_workers if self.workers else self._decoded_here
        for number, (x, indices) in enumerate(batches(order, epoch, first), first):
            self._batch = number + 1
            y = self.dataset.labels[indices]
            yield (x.copy(), y) if self.copy else (x, y)
            if walk != self._walk:
                raise RuntimeError("this pass over the loader ended when another one was started")
        self.epoch, self._batch = epoch + 1, 0

    def _indices(self, order, batch):
        return order[batch * self.batch_size : (batch + 1) * self.batch_size]

    def _decoded_here(self, order, epoch, first):
        images, recipe = self.dataset.images, self._recipe
        _, channels, height, width = images.shape
        x = np.empty((min(self.batch_size, len(order)), height, width, channels), np.float32)
        for batch in range(first, len(self)):
            indices = self._indices(order, batch)
            part = x[: len(indices)]
            decode.decode(images, indices, recipe.table, part, recipe.padding, recipe.flip, self.seed, epoch)
            yield part, indices

    # -- worker processes -----------------------------------------------------------------------------
    def _start(self):
        if self._crew:
            return
        shape = self.dataset.images.shape
        pixels = SharedMemory(self.dataset.images.nbytes, "pictures")
        try:
            pixels.array(shape, "u1")[...] = self.dataset.images
            size = Store.ring_bytes(shape, self.batch_size, self.prefetch)
            ring = SharedMemory(size, "ring of batches")
        except BaseException:
            pixels.close()
            raise
        self._store = Store(pixels, ring, shape, self.batch_size, self.prefetch)
        recipe = (self._recipe.padding, self._recipe.flip, self._recipe.table)
        try:
            self._crew = Crew(self.workers, (self._store, recipe, self.seed), self.timeout)
        except BaseException:
            _release(None, self._store)
            raise
        self._finalizer = weakref.finalize(self, _release, self._crew, self._store)

    def _from_workers(self, order, epoch, first):
        self._start()
        try:
            self._drain()
            filled, sent = set(), first
            for batch in range(first, len(self)):
                while sent < min(batch + self.prefetch, len(self)):
                    self._submit(sent, self._indices(order, sent), epoch)
                    sent += 1
                slot = batch % self.prefetch
                while slot not in filled:
                    filled.update(self._collect())
                filled.remove(slot)
                yield self._store.slot(slot, len(self._indices(order, batch)))
        except GeneratorExit:
            raise  # the epoch was left early; what is under way is drained when the next one starts
        except BaseException:
            self.close()
            raise

    def _submit(self, batch, indices, epoch):
        slot = batch % self.prefetch
        self._store.slot(slot, len(indices))[1][...] = indices
        self._crew.submit(TASK.pack(slot, len(indices), epoch, batch, indices[0]))
        self._busy += 1

    def _collect(self):
        slots = self._crew.collect()
        self._busy -= len(slots)
        return slots

    def _drain(self):
        """Wait for what an abandoned epoch left under way: its slots are wanted again."""
        while self._busy:
            self._collect()

    # -- state ----------------------------------------------------------------------------------------
    def state_dict(self):
        """Where the loader stands: seed, epoch, next batch, and the data set's fingerprint."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "batch": self._batch,
            "fingerprint": self.dataset.fingerprint(),
        }

    def load_state_dict(self, state):
        """Continue where another loader stood; the number of workers may differ.

        Raises
        ------
        ValueError
            When an entry is missing or out of range, or the data set is another one.
        """
        missing = {"seed", "epoch", "batch", "fingerprint"} - set(state)
        if missing:
            raise ValueError(f"state: wanted seed, epoch, batch and fingerprint, got no {sorted(missing)}")
        if state["fingerprint"] != self.dataset.fingerprint():
            raise ValueError(
                f"state: wanted the data set with fingerprint {state['fingerprint']}, got "
                f"{self.dataset!r} with {self.dataset.fingerprint()}"
            )
        seed = checks.integer("seed", state["seed"], 0, 2**63 - 1)
        epoch = checks.integer("epoch", state["epoch"], 0, 2**63 - 1)
        batch = checks.integer("batch", state["batch"], 0, len(self))
        if seed != self.seed:
            self.close()  # the workers know the old one
        self.seed, self.epoch, self._batch = seed, epoch, batch
        if batch == len(self):
            self.epoch, self._batch = epoch + 1, 0

    def close(self):
        """End the workers and give their memory back; the next epoch starts them anew."""
        if self._finalizer:
            self._finalizer()
        self._crew = self._store = self._finalizer = None
        self._busy = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, workers={self.workers})"


def _release(crew, store):
    if crew:
        crew.close()
    store.pixels.close()
    store.ring.close()
