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
from cynet.core.tasks import CLASSIFY, LANGUAGE, MULTILABEL, REGRESS
from cynet.core.types import AnyArray, AnyPath
from cynet.data.dataset import LABELS
from cynet.data.images import given
from cynet.train.label_metrics import THRESHOLD
from cynet.train.predictions import predict
from cynet.train.tasks import task_of
from cynet.train.views import kinds_of

from . import given_arrays, nets
from .facts import BYTES
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
        Of a model of several labels that of each; of one of numbers the numbers.
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
        Of a model of several labels that of each by itself; of numbers they are none, but `values`.
    names : tuple of str
        The pictures' files, or "picture 0" and so on.
    task : str, optional
        What the model was trained for.
    """

    classes: tuple[str, ...]
    probabilities: AnyArray
    names: tuple[str, ...]
    task: str = CLASSIFY

    @property
    def values(self) -> AnyArray:
        """ndarray of float64 (pictures, numbers): what a model of numbers gives."""
        if self.task != REGRESS:
            raise AttributeError(f"values: wanted a model of task {REGRESS}, got one of task {self.task}")
        return self.probabilities

    @property
    def labels(self) -> AnyArray:
        """ndarray of int64 (pictures,): the most probable class of each, the first of equal ones.

        Of a model of several labels bool (pictures, labels): which are said; of one of numbers `values`.
        """
        if self.task == MULTILABEL:
            return self.probabilities >= THRESHOLD
        return self.probabilities if self.task == REGRESS else self.probabilities.argmax(axis=1)

    @property
    def predicted(self) -> tuple[Any, ...]:
        """The name of the most probable class of each picture: a tuple of str.

        Of a model of several labels a tuple of the names that are said, of one of numbers the numbers.
        """
        if self.task == MULTILABEL:
            return tuple(tuple(self.classes[k] for k in np.flatnonzero(row)) for row in self.labels)
        if self.task == REGRESS:
            return tuple(tuple(row) for row in self.values.tolist())
        return tuple(self.classes[k] for k in self.labels)

    def top(self, index: int, count: int = 5) -> list[tuple[str, float]]:
        """[(class, probability), ...] of one picture, the most probable first."""
        return best(self.classes, self.probabilities[index], count)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        what = "pictures" if self.task == CLASSIFY else "samples"
        return f"Predicted({len(self)} {what}, {len(self.classes)} {LABELS[self.task]})"


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
    tta : str, optional
        The views of each picture whose mean counts, such as "flip,shift" (see `cynet.train.predict`), or "",
        for none; default: as the weights were judged in their training.
    model : str, callable or Layer, optional
        The net, as "FILE.py:NAME" or a function that builds it: wanted where it has layers that cynet does
        not know. A Layer gets the weights.

    Attributes
    ----------
    path : Path
        The weights file.
    model : Layer
        Sealed: its weights cannot change (`Layer.seal`), and a copy by ``copy.deepcopy`` can be trained. One
        that was given, or comes from a function, is not: it may be somebody's.
    facts : Facts
        What the file tells: the model, its classes, the size and channels of its pictures.
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
        self,
        source: AnyPath,
        weights: str | None = None,
        batch_size: int = BATCH,
        tta: str | None = None,
        model: Any = None,
    ) -> None:
        kinds_of(tta)
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.path = file_of(source, weights)
        self.model, self.facts = load_weights(self.path, nets.builder(model))
        if self.facts.task == LANGUAGE:
            how = f"cynet language-model generate {self.path} --prompt TEXT"
            raise ValueError(f"{self.path}: wanted a model of pictures or samples, got one of texts ({how})")
        self.tta = self.facts.tta if tta is None else tta
        self._seals = model is None or isinstance(model, str)
        self._locks: dict[int, threading.Lock] = {}
        self._seal()

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
            width, channels). A model of floats, signals or rows takes arrays of its own shape, or .npy files
            of these. What has not the size and channels that the model takes is made so, as its
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
        names = tuple(answer.name for answer in answers)
        return Predicted(self.classes, rows, names, self.facts.task)

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
        for name, source in self._sources(pictures):
            waiting.append((name, self._pixels(name, source)))
            if len(waiting) == self.batch_size:
                yield from self._answered(waiting)
                waiting = []
        yield from self._answered(waiting)

    @property
    def _of_pictures(self):
        return self.facts.kind == BYTES and len(self.facts.picture_shape) == 3

    def _sources(self, pictures):
        """(name, source) of each sample; a .npy file holds several of any model's."""
        if not self._of_pictures or given_arrays.is_file(pictures):
            return given_arrays.sources(pictures, self.facts)
        return given.sources(pictures, self.facts.picture_shape[2])

    def _pixels(self, name, source):
        """The bytes of a picture, or the error."""
        if isinstance(source, Exception):
            return source
        if not self._of_pictures:
            return given_arrays.planar(source, self.facts)
        try:
            return given.pixels(source, self.facts.kept_shape, self.facts.resize)
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
        """float64 (pictures, classes) of samples as a data set keeps them."""
        facts, count = self.facts, len(images)
        shape = (count,) if facts.task == CLASSIFY else (count, len(self.classes))
        samples = data.ArrayDataset(images, np.zeros(shape, np.int64), self.classes, task=facts.task)
        if len(facts.picture_shape) != 3:
            samples._shape = facts.picture_shape
        with self._lock(), test_loader(samples, facts, count) as batches:
            if facts.task == CLASSIFY:
                return predict(self.model, batches, tta=self.tta).probabilities
            found = task_of(facts.task).evaluate(self.model, batches)
            return found.values if facts.task == REGRESS else found.probabilities

    def _lock(self):
        """One thread at a time uses the model: its kernels use all processors, and one set of buffers does.

        A child by fork must not wait for a thread that it does not have: it gets a lock of its own.
        """
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def __getstate__(self):
        return vars(self) | {"_locks": {}}  # for another process

    def __setstate__(self, state):
        vars(self).update(state)
        self._seal()

    def _seal(self):
        if self._seals:
            self.model.seal()

    def __repr__(self) -> str:
        return f"Predictor({str(self.path)!r})"


def best(classes: Sequence[str], row: AnyArray, count: int) -> list[tuple[str, float]]:
    """[(class, probability), ...] of a row of probabilities, the most probable first."""
    return [(classes[k], float(row[k])) for k in np.argsort(-row, kind="stable")[:count]]
