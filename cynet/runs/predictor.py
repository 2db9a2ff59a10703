"""Predictor: a trained model that says what is on pictures, whatever they come as."""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cynet import data
from cynet.core import checks
from cynet.core.names import printable
from cynet.core.types import AnyArray, AnyPath
from cynet.data.images import given
from cynet.train.predictions import predict

from . import nets
from .session import test_loader
from .weights import file_of, load_weights

BATCH = 32
SHOWN = 10  # errors that one error names


@dataclass(frozen=True)
class Answer:
    """What a model says of one picture.

    Attributes
    ----------
    name : str
        The picture's file, or "picture 0" and so on.
    probabilities : ndarray of float64 (classes,), or None
    error : Exception or None
        Why there are none.
    """

    name: str
    probabilities: AnyArray | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Predicted:
    """What a model says of some pictures, in their order.

    Attributes
    ----------
    classes : tuple of str
        The names of the classes.
    probabilities : ndarray of float64 (pictures, classes)
    names : tuple of str
        The pictures' files, or "picture 0" and so on.
    """

    classes: tuple[str, ...]
    probabilities: AnyArray
    names: tuple[str, ...]

    @property
    def labels(self) -> AnyArray:
        """ndarray of int64 (pictures,): the most probable class of each, the first of equal ones."""
        return self.probabilities.argmax(axis=1)

    @property
    def predicted(self) -> tuple[str, ...]:
        """The name of the most probable class of each picture: a tuple of str."""
        return tuple(self.classes[k] for k in self.labels)

    def top(self, index: int, count: int = 5) -> list[tuple[str, float]]:
        """[(class, probability), ...] of one picture, the most probable first."""
        return best(self.classes, self.probabilities[index], count)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Predicted({len(self)} pictures, {len(self.classes)} classes)"


class Predictor:
    """A trained model as a function of pictures.

    Many threads may use one at the same time, and child processes too.

    Parameters
    ----------
    source : path
        A run folder, or a weights file.
    weights : {"last", "best"}, optional
        Which of a run folder's; default: those that the run came to.
    batch_size : int, optional
        Pictures that go through the model at once. No probability depends on it.
    model : str, callable or Layer, optional
        The net, as "FILE.py:NAME" or a function that builds it: wanted where it has layers that cynet does
        not know.

    Attributes
    ----------
    path : Path
        The weights file.
    facts : Facts
        What it tells: the model, its classes, the size and channels of its pictures.
    classes : tuple of str

    Raises
    ------
    OSError, ValueError
        When the weights cannot be read; see `load_weights`.

    Examples
    --------
    >>> predictor = cynet.Predictor("runs/uwnet2-shapes10-1")
    >>> found = predictor(["a.png", "b.jpg"])
    >>> found.predicted, found.probabilities.shape
    (('star', 'ring'), (2, 10))
    """

    def __init__(
        self, source: AnyPath, weights: str | None = None, batch_size: int = BATCH, model: Any = None
    ) -> None:
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.path = file_of(source, weights)
        self.model, self.facts = load_weights(self.path, nets.builder(model))
        self._locks: dict[int, threading.Lock] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        return self.facts.classes

    def __call__(self, pictures: Any) -> Predicted:
        """What is on some pictures.

        Parameters
        ----------
        pictures : path, array, picture of Pillow, or a sequence of these
            A picture file; a folder, for all pictures in it, sorted by name, hidden ones left out; an array
            of uint8, (height, width) for grey, (height, width, channels), or several as (count, height,
            width, channels). What has not the size and channels that the model takes is made so, as its
            training pictures were, by Pillow (the extra `images`).

        Returns
        -------
        Predicted

        Raises
        ------
        TypeError, ValueError
            When they are none of these, a file is no picture, or the model gives NaN; of several such files
            the first ten are named.
        OSError
            When a file cannot be read.
        ImportError
            Without Pillow, where it is needed.
        """
        answers = list(self.answers(pictures))
        broken = [answer.error for answer in answers if answer.error is not None]
        if len(broken) == 1:
            raise broken[0]
        if broken:
            texts = [str(error) for error in broken[:SHOWN]]
            more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
            raise ValueError(f"{len(broken)} of {len(answers)} pictures: {'; '.join(texts)}{more}")
        rows = np.array([answer.probabilities for answer in answers]).reshape(-1, len(self.classes))
        return Predicted(self.classes, rows, tuple(answer.name for answer in answers))

    def answers(self, pictures: Any) -> Iterator[Answer]:
        """What is on each of some pictures, one after the other; one that is broken stops nothing.

        Parameters
        ----------
        pictures
            As for a call.

        Yields
        ------
        Answer
        """
        waiting: list[tuple[str, Any]] = []
        for name, source in given.sources(pictures, self.facts.picture_shape[2]):
            waiting.append((name, self._pixels(name, source)))
            if len(waiting) == self.batch_size:
                yield from self._answered(waiting)
                waiting = []
        yield from self._answered(waiting)

    def _pixels(self, name, source):
        """The bytes of a picture, or the error."""
        if isinstance(source, Exception):
            return source
        try:
            return given.pixels(source, self.facts.picture_shape, self.facts.resize)
        except given.BROKEN as error:
            return error if isinstance(source, os.PathLike) else type(error)(f"{printable(name)}: {error}")

    def _answered(self, waiting):
        """Answers of (name, pixels or error)."""
        whole = [pixels for _, pixels in waiting if isinstance(pixels, np.ndarray)]
        rows = iter(self._probabilities(np.stack(whole)) if whole else ())
        for name, pixels in waiting:
            if isinstance(pixels, Exception):
                yield Answer(name, error=pixels)
                continue
            row = next(rows)
            wrong = ValueError(f"{printable(name)}: the model gives NaN") if np.isnan(row).any() else None
            yield Answer(name, None if wrong else row, wrong)

    def _probabilities(self, images):
        """float64 (pictures, classes) of uint8 (pictures, channels, height, width)."""
        samples = data.ArrayDataset(images, np.zeros(len(images), np.int64), self.classes)
        with self._lock(), test_loader(samples, self.facts, len(images)) as batches:
            return predict(self.model, batches).probabilities

    def _lock(self):
        """One thread at a time uses the model: its kernels use all processors, and one set of buffers does.

        A child by fork must not wait for a thread that it does not have: it gets a lock of its own.
        """
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def __getstate__(self):
        return vars(self) | {"_locks": {}}  # for another process

    def __repr__(self) -> str:
        return f"Predictor({str(self.path)!r})"


def best(classes: Sequence[str], row: AnyArray, count: int) -> list[tuple[str, float]]:
    """[(class, probability), ...] of a row of probabilities, the most probable first."""
    return [(classes[k], float(row[k])) for k in np.argsort(-row, kind="stable")[:count]]
