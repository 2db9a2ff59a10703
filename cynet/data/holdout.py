"""Parts of a data set: pictures that are held out of training, to choose by."""

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.random import HELD_OUT
from cynet.core.tasks import CLASSIFY
from cynet.core.types import AnyArray

from .sampler import checked_order


def split(dataset: Any, share: float, seed: int = 0) -> tuple[AnyArray, AnyArray]:
    """Hold out a share of the pictures of each class, drawn by a seed.

    The parts are a pure function of labels, share and seed, the same on every platform and with every NumPy.
    No picture is copied: the parts are indices, for `SubsetSampler`, of the one data set.

    Of a class with n pictures share * n are held out, rounded; of a class with two or more at least one is,
    and at least one stays. A single picture stays. Labels that are no classes are held out as of one class.

    Parameters
    ----------
    dataset : ArrayDataset
        Anything with `labels`, an array of int (n,).
    share : float
        From 0, which holds out nothing, to below 1.
    seed : int, optional

    Returns
    -------
    kept, held_out : ndarray of int64
        Ascending; together each index once.

    Raises
    ------
    TypeError, ValueError
        When an argument is none such, or there is nothing that could be held out.

    Examples
    --------
    >>> kept, held_out = cynet.data.split(dataset, 0.2)
    >>> training = DataLoader(dataset, 64, drop_last=True, sampler=SubsetSampler(kept))
    >>> validation = DataLoader(dataset, 250, sampler=SubsetSampler(held_out, shuffle=False))
    """
    share = checks.number("share", share, 0, 1, open_high=True)
    seed = checks.integer("seed", seed, 0, 2**63 - 1)
    if getattr(dataset, "task", CLASSIFY) != CLASSIFY:  # no classes: all of one kind
        labels = np.zeros(len(dataset.labels), np.int64)
    else:
        labels = checked_order("dataset.labels", getattr(dataset, "labels", None))
    if not share:
        return np.arange(len(labels)), np.arange(0)
    counts = np.bincount(labels)
    if counts.max(initial=0) < 2:
        raise ValueError(f"share: wanted a class with two pictures or more, to hold one out, got {dataset!r}")
    wanted = _held_out(counts, share)
    # The raw bits: what Generator makes of them may change from one NumPy to the next.
    keys = np.random.Philox(key=np.array([seed, HELD_OUT], np.uint64)).random_raw(len(labels))
    order = np.lexsort((keys, labels))  # class by class; equal keys by index
    rank = np.arange(len(labels)) - (np.cumsum(counts) - counts)[labels[order]]
    out = np.zeros(len(labels), bool)
    out[order] = rank < wanted[labels[order]]
    return np.flatnonzero(~out), np.flatnonzero(out)


def _held_out(counts: AnyArray, share: float) -> AnyArray:
    """How many pictures are held out of each class, int64."""
    wanted = np.floor(share * counts + 0.5).astype(np.int64)
    return np.clip(wanted, np.minimum(counts - 1, 1).clip(0), (counts - 1).clip(0))
