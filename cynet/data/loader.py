"""DataLoader: epochs of batches, made by worker processes.

Design: batch k of epoch e is a pure function of (seed, e, k, data set, transforms). The order of an epoch
comes from Philox keyed by (seed, epoch), what is random about a sample from a hash of (seed, epoch, index).
So it does not matter which worker makes a batch, whether one died over it, or whether there are workers at
all; and the whole state of a loader is (seed, epoch, next batch).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.names import printable
from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array

from . import fingerprint
from .images.augment import Normalize, RandomCrop, RandomFlip
from .images.transforms import Pipeline
from .rows import BatchRows
from .sampler import checked_order, generator
from .workers import auto, portable
from .workers.crew import CLOSED
from .workers.feed import Feed
from .workers.passes import Desk, EpochBatches
from .workers.worker import IN_KERNEL

__all__ = ["DataLoader", "Normalize", "RandomCrop", "RandomFlip"]

MANY = 1 << 16  # floats of a batch that several threads make sooner than one
REPLACED = "this pass over the loader ended when another one was started"
LOADED = "this pass over the loader ended when a state was loaded"
STATE = "seed", "epoch", "batch", "batch_size", "fingerprint"


class DataLoader:
    """Batches of a data set; one ``for`` over it is one epoch.

    Batch k of epoch e is a pure function of (seed, e, k, data set, transforms, sampler): byte-identical for
    any number of workers, 0 included, after any resume, and on any platform.

    Parameters
    ----------
    dataset : ArrayDataset
        Anything with `images` (uint8 or float32, planar), `labels`, a length and `fingerprint()`;
        `path_of(index)`,
        where it has one, names a sample's file in messages. With workers, pictures in memory are moved into
        shared memory, and `dataset.images` becomes a view of that, so that they are held once, unless
        somebody else holds the first array; a file that is mapped (`numpy.memmap`) is mapped by the workers.
    batch_size : int
    shuffle : bool
        Whether each epoch has an order of its own. Not used with a sampler.
    seed : int
        Of the order and of the random transforms.
    workers : int or "auto"
        Worker processes; 0 decodes in this one. They start with the first batch and stay for all epochs.
        "auto" tries 0, 1, 2 ... up to the processors before the first batch, for some tenths of a second
        each, and takes the fewest that come near the fastest; a line on stderr says so, and `chosen`. A
        daemonic process, as those of multiprocessing.Pool are, may start none.
    prefetch : int
        Slots of the ring, each with one batch; at least 2 with workers. This bounds what a loader holds
        beside the pictures: `prefetch` batches with workers, one without.
    drop_last : bool
        Leave out a last batch that is smaller than the others.
    transforms : sequence
        Transforms of `cynet.data`, each at most once, and functions. They act in a fixed order, wherever they
        stand: functions, those that move pictures, those that change colours, brightness, contrast, crop,
        flip, normalise, those that cut out. With Resize, CenterCrop or RandomResizedCrop x has their size. A
        function (picture, rng) gets a uint8 (H, W, C) array of its own and a Generator that depends on (seed,
        epoch, index) alone, and returns such an array; with workers it must be one that they can import: at
        the top of a module, not of a notebook or of what is typed or piped in, nor of a script without a main
        guard. `cynet.data.images.transforms.Pipeline` has the details.
    sampler : object, optional
        With `order(epoch)`, or itself a function of the epoch: the indices of an epoch, in order.
    timeout : float
        Seconds that a worker may be at one batch, while it is waited for.
    copy : bool
        Yield private arrays. Otherwise x is a view that is valid until the next batch is asked for.
    debug : bool, optional
        Catch the use of x after that: each x is an array of its own, which is filled with NaN when the next
        batch is asked for. Default: whether the environment has CYNET_DEBUG=1. No use with `copy`.

    Attributes
    ----------
    epoch : int
        The number of the epoch that the next ``for`` runs (or continues).
    chosen : str or None
        What ``workers="auto"`` measured and chose.

    Notes
    -----
    A loader is for one thread at a time: a second one that asks it for a batch, or begins a pass in the
    middle of another thread's, is refused at once. Threads may hand a pass on, one after another.

    Yields
    ------
    x : ndarray of float32 (N, H, W, C)
        Of signals (N, L, C), of rows (N, features): (N, *dataset.picture_shape).
    y : ndarray of int64 (N,)
        Of labels that are no classes float32 (N, columns).

    Raises
    ------
    TypeError, ValueError
        From the constructor, naming argument, value and what was wanted.
    MemoryError
        When the shared memory for the workers cannot be had.
    WorkerLostError
        When three workers died within ten minutes, or one in a way that will come again. Otherwise a worker
        that dies is replaced, and its batch made again. Losses further apart do not add up: in a training of
        days they are no pattern.
    RuntimeError
        When another thread is at the loader, naming both; when another pass, a state that was loaded, or
        `close` ended this one.
    TimeoutError
        When a worker hangs, naming it and the sample.
    Exception
        Of a transform or a worker, with its type, the worker's traceback, and the sample's index and file.

    Examples
    --------
    >>> with cynet.data.DataLoader(dataset, 128, transforms=[RandomFlip()]) as loader:
    ...     for x, y in loader:
    ...         ...
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        workers: int | str = 2,
        prefetch: int = 4,
        drop_last: bool = False,
        transforms: Any = (),
        sampler: Any = None,
        timeout: float = 120.0,
        copy: bool = False,
        debug: bool | None = None,
    ) -> None:
        _check_dataset(dataset)
        self.dataset = dataset
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.shuffle = checks.flag("shuffle", shuffle)
        self.seed = checks.integer("seed", seed, 0, 2**63 - 1)
        self.workers = _checked_workers(workers)
        self.prefetch = checks.integer("prefetch", prefetch, 2 if workers else 1, 1024)
        self.drop_last = checks.flag("drop_last", drop_last)
        self.timeout = checks.number("timeout", timeout, 0, open_low=True)
        self.copy = checks.flag("copy", copy)
        self.debug = os.environ.get("CYNET_DEBUG") == "1" if debug is None else checks.flag("debug", debug)
        self.sampler = _checked_sampler(sampler)
        images, self._shape = dataset.images, getattr(dataset, "picture_shape", None)
        self._pipeline = Pipeline(transforms, images.shape[1:], images.dtype, self._shape)
        if self.workers:
            self._pipeline.check_portable()
        if self.workers not in (0, "auto"):
            portable.refuse_daemonic(self.workers)
        if drop_last and sampler is None and len(dataset) < batch_size:
            raise ValueError(
                f"drop_last: wanted at least one whole batch of batch_size={batch_size}, got a data set of "
                f"{len(dataset)}"
            )
        self.epoch = self._batch = 0
        self.chosen: str | None = None
        self._ordered: Any = (None, None)  # the last order asked for, and what it is the order of
        self._feed = self._new_feed(workers) if self.workers not in (0, "auto") else None
        self._here: Array | None = None  # where this process makes its batches: fresh memory would cost time
        self._walk: list[str] = []  # of the current pass over the loader: once it has ended, why
        self._desk = Desk()

    def __len__(self) -> int:
        """Batches in an epoch; with a sampler, in the next one."""
        return self._count(self.epoch)

    def _count(self, epoch: int) -> int:
        samples = len(self.dataset) if self.sampler is None else len(self.order(epoch))
        whole, rest = divmod(samples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def order(self, epoch: int) -> AnyArray:
        """The indices of the data set in the order of an epoch, int64."""
        key = epoch, self.seed, self.shuffle
        ordered = self._ordered  # once: another thread may ask for another epoch's
        if ordered[0] != key:
            ordered = self._ordered = key, self._new_order(epoch)
        return ordered[1].copy()

    def _new_order(self, epoch: int) -> AnyArray:
        count = len(self.dataset)
        if self.sampler is not None:
            name = f"sampler, epoch {epoch}"
            order = getattr(self.sampler, "order", self.sampler)
            return checked_order(name, order(epoch), count)
        order = np.arange(count, dtype=np.int64)  # also where int is shorter
        return generator(self.seed, epoch).permutation(order) if self.shuffle else order

    def _batches(self, epoch: int) -> Any:
        """The indices of each batch of an epoch."""
        order, size = self.order(epoch), self.batch_size
        if self.drop_last and len(order) < size:
            raise ValueError(
                f"drop_last: wanted at least one batch of batch_size={size}, got an epoch of {len(order)}"
            )
        return [order[i * size : (i + 1) * size] for i in range(self._count(epoch))]

    def __iter__(self) -> Iterator[tuple[Array, AnyArray]]:
        return EpochBatches(self._desk, self._epoch(), self._put_away)

    def in_part(self, cut: Callable[[int, int], slice]) -> Iterator[tuple[BatchRows, AnyArray]]:
        """As a ``for`` over it, but of each batch some samples alone are made, by their places in it.

        Parameters
        ----------
        cut : callable
            Gets the number of a batch in its epoch, and how many samples it has; a slice says which.

        Yields
        ------
        x : BatchRows
        y : ndarray
            Of all samples of the batch.
        """
        return EpochBatches(self._desk, self._epoch(cut), self._put_away)

    def _epoch(self, cut: Callable[[int, int], slice] | None = None) -> Any:
        """The batches that are left of an epoch, or parts of them."""
        if self.workers == "auto" and len(self):
            self._choose()
        walk, epoch, first = self._new_walk(REPLACED), self.epoch, self._batch
        whole = order = self._batches(epoch)
        cuts = [slice(0, len(each)) if cut is None else cut(i, len(each)) for i, each in enumerate(whole)]
        if cut is not None:
            order = [
                each[part] if len(each[part]) else each[:1] for each, part in zip(whole, cuts, strict=True)
            ]
        self._make_feed_of(0 if cut is None else max((len(each) for each in order), default=0))
        poison = self.debug and not self.copy
        for number, x in enumerate(self._made(self._feed, order, epoch, first), first):
            _refuse_ended(walk)  # a transform may have ended it
            self._batch = number + 1
            if self._shape is not None and len(self._shape) != 3:  # a signal or a row
                x = x.reshape(len(x), *self._shape)
            if self.copy or poison:
                x = x.copy()
            made = x[...] if poison else x
            if cut is not None:
                part, samples = cuts[number], whole[number]
                made = BatchRows(made[: part.stop - part.start], part.start, len(samples))
            yield made, self.dataset.labels[whole[number]]
            if poison:
                x[...] = np.nan
            _refuse_ended(walk)
        self.epoch, self._batch = epoch + 1, 0

    def _new_walk(self, why: str) -> Any:
        """The mark of a new pass, which will hold why it ended; that of the last one gets `why`."""
        self._walk.append(why)
        self._walk = []
        return self._walk

    def _made(self, feed: Any, order: AnyArray, epoch: int, first: int) -> Any:
        """x of each batch."""
        if feed is None:
            return self._made_here(order, epoch, first)
        return feed.batches(order, self.seed, epoch, first)

    def _make_feed_of(self, size: int) -> None:
        """Have a ring of slots of so many samples, or, of 0, of those of a batch."""
        if self._feed is not None and self._feed.batch_size != (size or self._slot()):
            self._feed.close()
            self._feed = self._new_feed(self.workers, size)

    def _slot(self) -> int:
        """The samples of a slot for a whole batch."""
        return self.batch_size if self.sampler else min(self.batch_size, max(1, len(self.dataset)))

    def _new_feed(self, workers: Any, size: int = 0) -> Any:
        size = size or self._slot()
        name_of = functools.partial(_name_of, self.dataset)  # not a method: a ring of references would stay
        return Feed(self.dataset, self._pipeline, workers, size, self.prefetch, self.timeout, name_of)

    def _made_here(self, order: AnyArray, epoch: int, first: int) -> Any:
        images = self.dataset.images
        channels, height, width = self._pipeline.shape
        shape = max(map(len, order), default=0), height, width, channels
        if self._here is None or len(self._here) < shape[0]:
            self._here = np.empty(shape, np.float32)
        x, at = self._here, np.array([IN_KERNEL])
        for indices in order[first:]:
            part = x[: len(indices)]
            try:
                count = get_num_threads() if part.size >= MANY else 1
                self._pipeline.fill(images, indices, part, self.seed, epoch, at, count)
            except Exception as error:
                if at[0] != IN_KERNEL:
                    error.add_note(f"at {_name_of(self.dataset, int(indices[at[0]]))} of epoch {epoch}")
                raise
            yield part

    def _choose(self) -> Any:
        if portable.daemonic():
            self.workers, self.chosen = 0, "workers=0 chosen (a daemonic process may start no others)"
        else:
            self.workers, self.chosen = auto.choose(self._endless, self.batch_size)
        print(f"cynet: DataLoader: {self.chosen}", file=sys.stderr, flush=True)
        self._feed = self._new_feed(self.workers) if self.workers else None

    @contextlib.contextmanager
    def _endless(self, workers: int) -> Any:
        """The batches of the next epoch, over and over."""
        order = self._batches(self.epoch)
        feed = self._new_feed(workers) if workers else None
        passes = (self._made(feed, order, self.epoch, 0) for _ in itertools.repeat(None))
        try:
            yield itertools.chain.from_iterable(passes)
        finally:
            if feed:
                feed.close()

    # -- state ----------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, some 100 bytes of JSON: seed, epoch, next batch, size, fingerprint."""
        values = self.seed, self.epoch, self._batch, self.batch_size, self.dataset.fingerprint()
        return dict(zip(STATE, values, strict=True))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where another loader stood; the number of workers may differ.

        No batch is made again for it: the next one is a function of its number.

        Raises
        ------
        ValueError
            When an entry is missing or out of range, the batch size differs, or the data set, saying what
            changed about it: count, picture shape, classes, labels or pixels.
        """
        with self._desk.alone("to load a state", "loads a state", self._put_away):
            self._load(state)

    def _load(self, state: Mapping[str, Any]) -> Any:
        missing = set(STATE) - set(state)
        if missing:
            raise ValueError(f"state: wanted {', '.join(STATE)}, got no {sorted(missing)}")
        now = self.dataset.fingerprint()
        if state["fingerprint"] != now:
            raise ValueError(
                f"state: wanted the data set with fingerprint {state['fingerprint']}, got {self.dataset!r} "
                f"with {now}; changed: {fingerprint.changes(state['fingerprint'], now)}"
            )
        if state["batch_size"] != self.batch_size:
            raise ValueError(f"state: wanted batch_size={state['batch_size']}, got {self.batch_size}")
        seed = checks.integer("seed", state["seed"], 0, 2**63 - 1)
        epoch = checks.integer("epoch", state["epoch"], 0, 2**63 - 1)
        batch = checks.integer("batch", state["batch"], 0, self._count(epoch))
        self._new_walk(LOADED)
        self._desk.end_pass()
        self.seed, self.epoch, self._batch = seed, epoch, batch
        if batch == self._count(epoch):
            self.epoch, self._batch = epoch + 1, 0

    def close(self) -> None:
        """End the workers and give the ring back; the next epoch starts them anew.

        A pass that is under way ends, with a RuntimeError where it is asked for more. Any thread may call it,
        also in the middle of another's pass, and a finalizer: it never waits for a thread. One that waits for
        the workers gets a RuntimeError at once, and ends them.
        """
        if not self._desk.close(self._put_away) and self._feed:
            self._feed.wake()

    def _put_away(self) -> None:
        self._new_walk(CLOSED)
        self._here = None
        if self._feed:
            self._feed.close()

    def __enter__(self) -> DataLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, workers={self.workers})"


def _refuse_ended(walk: list[str]) -> None:
    if walk:
        raise RuntimeError(walk[0])


def _name_of(dataset: Any, index: int) -> str:
    path_of = getattr(dataset, "path_of", None)
    return f"the sample with index {index}" + (f" ({printable(path_of(index))})" if path_of else "")


def _check_dataset(dataset: Any) -> None:
    images = getattr(dataset, "images", None)
    kinds = np.uint8, np.float32
    if not isinstance(images, np.ndarray) or images.dtype not in kinds or images.ndim != 4:
        kind = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else repr(images)
        raise TypeError(
            "dataset: wanted images uint8 or float32 (count, channels, height, width), got "
            f"{type(dataset).__name__} with images {kind:.60}"
        )
    if not len(dataset) == len(images) == len(dataset.labels) or not images.flags.c_contiguous:
        raise ValueError(
            f"dataset: wanted as many C-contiguous images as labels and samples, got {len(images)} "
            f"images, {len(dataset.labels)} labels and a length of {len(dataset)}"
        )


def _checked_workers(workers: Any) -> int | str:
    if isinstance(workers, str):
        if workers != "auto":
            raise ValueError(f'workers: wanted an int or "auto", got {workers!r}')
        return workers
    return checks.integer("workers", workers, 0, 1024)


def _checked_sampler(sampler: Any) -> Any:
    if sampler is None or callable(getattr(sampler, "order", sampler)):
        return sampler
    raise TypeError(f"sampler: wanted one with order(epoch), or a function of the epoch, got {sampler!r}")
