"""How fast pictures that are kept larger are cut and scaled while they are loaded, beside a peer."""

from functools import partial

import numpy as np

from cynet.data import ArrayDataset, DataLoader, Normalize, RandomHorizontalFlip, RandomResizedCrop

from . import peers
from .loading import MEAN, ROUNDS, STD, raced
from .report import Report
from .timing import nothing

KEPT, SIZE = 256, 224  # sides of the pictures in memory, and of those in a batch
COUNT, BATCH = 1024, 64  # pictures of an epoch, long enough that its start counts for little, and of a batch


def pictures():
    """(uint8 (1024, 3, 256, 256), labels int64), random."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (COUNT, 3, KEPT, KEPT), np.uint8), np.arange(COUNT) % 10


def loader(workers):
    """cynet's loader with a random part scaled to 224 x 224, a flip, and normalised values."""
    dataset = ArrayDataset(*pictures(), tuple("0123456789"))
    transforms = [RandomResizedCrop(SIZE), RandomHorizontalFlip(), Normalize(MEAN, STD)]
    return DataLoader(dataset, BATCH, workers=workers, transforms=transforms, drop_last=True)


def speed(peer=None, repeat=None, watch=nothing):
    """Whole epochs of loading, in turns with the peer's.

    Parameters
    ----------
    peer : str, optional
    repeat : int, optional
        Epochs of each.

    Returns
    -------
    Report
    """
    theirs = peer and partial(peers.load(peer).cutting_loader, *pictures(), SIZE, MEAN, STD, BATCH)
    columns, rows = raced(loader, theirs, COUNT, peer, repeat or ROUNDS, watch, "cutting")
    notes = (
        f"Epochs of {COUNT:,} pictures of {KEPT}x{KEPT} in memory: a random part scaled to {SIZE}x{SIZE}, "
        f"flip, normalise, batches of {BATCH}; medians, in turns.",
    )
    return Report("cutting", columns, rows, notes)
