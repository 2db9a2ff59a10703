"""The shapes of a model's arrays as functions of its classes and channels, without making room for them.

Design: every side of an array of the registry's models grows evenly with the number of classes, of channels,
or with neither. Three small models tell how; what a file claims is compared with that before anything of its
size is made.
"""

import contextlib
from math import prod

import numpy as np

import cynet.core.random as random
from cynet.nn import init

from .ranges import MOST

COUNT, VARIANCE = "num_batches_tracked", "running_var"  # ends of names
MOST_BATCHES = 2**63 - 1 - MOST  # that were counted: a run can still count all of its steps
CLASSES, CHANNELS = 2, 1  # of the smallest of the three
ROOM = 1 << 22  # values of one array, for which a small model always has room
SHOWN = 10  # problems that one error names


class ModelLayout:
    """The arrays of a model, and of what trains it.

    Parameters
    ----------
    build : callable
        Of numbers of classes and channels: makes {name: array}, for small ones. Random numbers that it draws
        are given back.
    """

    def __init__(self, build):
        with random.kept():
            self._small = _without_room(build(CLASSES, CHANNELS))
            more = [
                _without_room(build(*each)) for each in ((CLASSES + 1, CHANNELS), (CLASSES, CHANNELS + 1))
            ]
        self._growth = [
            {name: _less(array.shape, self._small[name].shape) for name, array in each.items()}
            for each in more
        ]

    def shapes(self, classes, channels):
        """{name: shape} of the arrays for so many classes and channels."""
        more, wider = classes - CLASSES, channels - CHANNELS
        return {
            name: tuple(
                side + more * by_class + wider * by_channel
                for side, by_class, by_channel in zip(array.shape, *self._of(name), strict=True)
            )
            for name, array in self._small.items()
        }

    def _of(self, name):
        """How much the sides of an array grow with a class, and with a channel."""
        return [each[name] for each in self._growth]

    def counts(self, tensors):
        """The (classes, channels) that some tensors seem to be for: ints from 1 on."""
        return tuple(
            self._count(tensors, growth, least)
            for growth, least in zip(self._growth, (CLASSES, CHANNELS), strict=True)
        )

    def _count(self, tensors, growth, least):
        for name, sides in growth.items():
            shape = tensors[name].shape if name in tensors else ()
            if any(sides) and len(shape) == len(sides):
                axis = next(i for i, side in enumerate(sides) if side)
                return max(1, least + (shape[axis] - self._small[name].shape[axis]) // sides[axis])
        return least

    def misfits(self, tensors, shapes, spare=(), dtypes=False):
        """What is missing, unexpected, or of another shape in some tensors: a list of texts.

        Parameters
        ----------
        tensors : dict of str to ndarray
        shapes : dict of str to tuple of int
            As `shapes` gives them.
        spare : str or tuple of str, optional
            Endings of names that may be missing.
        dtypes : bool, optional
            Whether the dtypes count too.
        """
        found = [f"missing: {name}" for name in shapes if name not in tensors and not name.endswith(spare)]
        found += [f"unexpected: {name}" for name in tensors if name not in shapes]
        for name in shapes.keys() & tensors.keys():
            got, dtype = tensors[name], self._small[name].dtype
            if got.shape != shapes[name]:
                found.append(f"shape of {name}: wanted {shapes[name]}, got {got.shape}")
            elif dtypes and got.dtype != dtype:
                found.append(f"dtype of {name}: wanted {dtype}, got {got.dtype}")
        return found


def _without_room(arrays):
    """Arrays of the same shapes and dtypes that take no memory."""
    return {name: np.broadcast_to(np.zeros((), a.dtype), a.shape) for name, a in arrays.items()}


@contextlib.contextmanager
def bounded_by(tensors):
    """A context in which no model is made with weights much larger than the largest of some tensors."""
    largest = max((array.size for array in tensors.values()), default=0)
    most = 8 * largest + ROOM  # the three small models: a class or channel more than one

    def room(shape):
        if prod(shape) > most:
            raise ValueError(f"weights: wanted at most {most:,} values, got shape {shape}")
        return shape

    before = init.allowed.set(room)
    try:
        yield
    finally:
        init.allowed.reset(before)


def _less(one, other):
    return tuple(a - b for a, b in zip(one, other, strict=True))


def odd_statistics(tensors, more=0):
    """What of batch norm's running statistics no training can have, or could go on counting: a list of texts.

    NaN and infinity are none of it: a training that diverges has them.

    Parameters
    ----------
    tensors : dict of str to ndarray
    more : int, optional
        Batches that may have been counted beyond the most that a run begins with.
    """
    found, most = [], MOST_BATCHES + more
    for name, array in tensors.items():
        if name.endswith(COUNT) and not np.all((array >= 0) & (array <= most)):
            got = array.item() if array.size == 1 else f"an array of shape {array.shape}"
            found.append(f"{name}: wanted a whole number from 0 to {most}, got {got}")
        elif name.endswith(VARIANCE) and np.any(array < 0):
            found.append(f"{name}: wanted numbers of at least 0, got {np.nanmin(array):g}")
    return found


def told(problems):
    """The first of some problems in a sentence, and how many more there are."""
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(f"{problem:.200}" for problem in problems[:SHOWN]) + more
