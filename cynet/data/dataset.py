"""ArrayDataset: pictures and labels, in memory or mapped from a file, which every data set here is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cynet.core.names import printable
from cynet.core.tasks import CLASSIFY, LANGUAGE, MULTILABEL, REGRESS
from cynet.core.types import AnyArray, AnyPath, Shape

from . import array_layouts, fingerprint, floats, targets
from .workers import pixels

MOST_CLASSES = 10_000  # that a file may bring
WORDS = {3: "pictures", 2: "signals", 1: "rows"}  # what samples are called, by the dimensions of one
TOKENS = "tokens"  # what they are called of a text
LABELS = {CLASSIFY: "classes", MULTILABEL: "labels", REGRESS: "numbers", LANGUAGE: "different ones"}
MOST_NAME = 1_000  # letters of one's name, escaped
CHUNK = 1 << 20  # pixels that are counted at a time: counting takes eight bytes for each


def words_of(shape: Shape, task: str = CLASSIFY) -> str:
    """What samples of a shape are called."""
    return TOKENS if task == LANGUAGE else WORDS[len(shape)]


def labelled(count: int, task: str) -> str:
    """'10 classes', '3 labels', '1 number'."""
    words = LABELS[task]
    return f"{count} {words.removesuffix('s') if count == 1 and task != CLASSIFY else words}"


class ArrayDataset:
    """Samples and their labels: pictures and classes, or signals, rows, several labels, numbers.

    Parameters
    ----------
    images : ndarray of uint8 or float32
        Pictures (count, channels, height, width), planar, as CIFAR stores them; or of another `layout`. Kept
        as they are where they lie planar in memory, a memory map (`np.memmap`) included, else copied.
    labels : array
        Classes: integers (count,), each from 0 to len(classes) - 1. Several labels of a sample: 0 and 1
        (count, labels). Numbers: floats (count,) or (count, numbers).
    classes : sequence of str, optional
        Names of classes, labels or numbers. Default: "0", "1" and so on, of numbers "value" ("value 0", ...).
    layout : str, optional
        What the dimensions of `images` are: "NCHW", the default of four, or "NHWC"; of three "NHW" (grey
        pictures), "NLC" or "NCL" (signals of a length); of two "NF" (rows of features).
    task : {"classify", "multilabel", "regress"}, optional
        What the labels are for. Default: integers, and rows with a single 1, are classes; other matrices of 0
        and 1 are several labels; floats are numbers.

    Attributes
    ----------
    images, labels, classes
        uint8 or float32 (count, channels, height, width), whatever the layout: a signal is of height 1, a row
        one pixel whose channels are its features. int64 (count,), or float32 (count, columns) of a task that
        is not "classify". Tuple of str. Mapped `images` are the file itself: where another program changes it
        they change, and where it is cut short, to read what is missing ends the process (SIGBUS). A loader,
        ``dataset[i]``, `mean`, `std` and `fingerprint` look first, and raise ValueError; who reads `images`
        alone copies them (``np.array(dataset.images)``) where the file may change.
    task : str
    picture_shape : tuple of int
        The shape in which a loader hands a sample out: (height, width, channels), (length, channels) or
        (features,).
    mean, std : ndarray of float64 (channels,)
        Of the pixels / 255, from exact integer sums; of floats as they are. Like `fingerprint()`, they read
        all samples when they are first asked for, and are kept.
    notes : tuple of str
        What was left out of the files that it was made from, and what may not have been meant.
    parts : dict or None
        How training and test pictures were told apart, in plain values, where a folder did not settle it.

    Raises
    ------
    TypeError, ValueError
        When an argument has another type, shape or range; a label is named by its index and value.
    """

    notes: tuple[str, ...] = ()
    parts: dict[str, Any] | None = None
    task: str = CLASSIFY
    _shape: Shape | None = None  # of a sample, where it is none of a picture

    def __init__(
        self,
        images: AnyArray,
        labels: Any,
        classes: Sequence[str] | None = None,
        layout: str | None = None,
        task: str | None = None,
    ) -> None:
        if not isinstance(images, np.ndarray) or images.dtype not in array_layouts.KINDS:
            kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
            raise TypeError(f"images: wanted a uint8 or float32 NumPy array, got {kind}")
        if layout is None and images.ndim != 2:
            if images.ndim != 4 or 0 in images.shape:
                raise ValueError(
                    f"images: wanted a filled (count, channels, height, width), got {images.shape} (layout "
                    f"tells of others: {', '.join(array_layouts.ALL[1:])})"
                )
            layout = "NCHW"
        layout = array_layouts.told(images, array_layouts.checked(layout), "images")
        planar = array_layouts.planar(images, layout)
        flags = planar.flags
        mapped = isinstance(planar, np.memmap) and flags.c_contiguous and flags.aligned
        self.images = planar if mapped else np.require(planar, requirements=["C", "A"])
        shape = array_layouts.sample_shape(images.shape, layout)
        if len(shape) != 3:
            self._shape = shape
        self.labels, self.classes, self.task = targets.checked(labels, len(images), classes, task)

    @property
    def picture_shape(self) -> Shape:
        """(height, width, channels) of a picture, or other shape of a sample, as the loader hands it out."""
        _, channels, height, width = self.images.shape
        return self._shape or (height, width, channels)

    def with_samples(
        self, images: AnyArray, labels: AnyArray, classes: Sequence[str] | None = None
    ) -> ArrayDataset:
        """A data set of other samples of the same shape and task.

        Parameters
        ----------
        images : ndarray (count, channels, height, width)
            As `images` of this one.
        labels : array
        classes : sequence of str, optional
            Default: its own.

        Returns
        -------
        ArrayDataset
        """
        names = self.classes if classes is None else classes
        found = ArrayDataset(images, labels, names, task=self.task)
        found._shape = self._shape
        return found

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[AnyArray, Any]:
        """One sample.

        Returns
        -------
        picture : ndarray of uint8 or float32 (height, width, channels)
            Or of another shape, `picture_shape`.
        label : int
            Of other tasks than "classify" a float32 array (columns,).

        Raises
        ------
        IndexError
            Where there is none with this index.
        """
        pixels.require_whole(self.images)
        picture, label = np.asarray(self.images[index]).transpose(1, 2, 0), self.labels[index]
        picture = picture if self._shape is None else picture.reshape(self._shape)
        return picture, int(label) if self.task == CLASSIFY else label.copy()

    @cached_property
    def _counts(self) -> Any:
        pixels.require_whole(self.images)
        step = max(1, CHUNK // self.images[0, 0].size)
        return sum(byte_counts(self.images[i : i + step]) for i in range(0, len(self), step))

    @cached_property
    def _moments(self) -> Any:
        if self.images.dtype != np.uint8:
            return self._float_moments(np.arange(len(self)))
        return _moments(self._counts)

    def _float_moments(self, indices: AnyArray) -> tuple[AnyArray, AnyArray]:
        """(mean, std) of each channel of the samples with these indices, in two walks through them."""
        pixels.require_whole(self.images)
        channels, size = self.images.shape[1], self.images[0, 0].size
        step = max(1, CHUNK // (channels * size))
        sums, mean = np.zeros(channels), np.zeros(channels)
        for power in (1, 2):
            sums = np.zeros(channels)
            for start in range(0, len(indices), step):
                chosen = indices[start : start + step]
                part = np.ascontiguousarray(self.images[chosen]).reshape(-1, channels, size)
                floats.add_powers(part, mean, sums, power)
                if not np.isfinite(sums).all():
                    _refuse_odd(part, chosen)
            if power == 1:
                mean = sums / (len(indices) * size)
        return mean, np.sqrt(sums / (len(indices) * size))

    def moments_without(self, indices: AnyArray) -> tuple[AnyArray, AnyArray]:
        """`mean` and `std` of all pictures but those with these indices, which alone are read for it.

        Parameters
        ----------
        indices : ndarray of int64 (n,)
            Each once, and not all of them.

        Returns
        -------
        mean, std : ndarray of float64 (channels,)
        """
        if self.images.dtype != np.uint8:
            return self._float_moments(np.delete(np.arange(len(self)), indices))
        pixels.require_whole(self.images)
        step = max(1, CHUNK // self.images[0, 0].size)
        parts = (self.images[indices[i : i + step]] for i in range(0, len(indices), step))
        return _moments(self._counts - sum(map(byte_counts, parts)))

    @property
    def mean(self) -> AnyArray:
        """The mean of the pixels / 255 of each channel, float64 (channels,)."""
        return self._moments[0]

    @property
    def std(self) -> AnyArray:
        """Their standard deviation (divisor n), float64 (channels,)."""
        return self._moments[1]

    @cached_property
    def _fingerprint(self) -> str:
        pixels.require_whole(self.images)
        return fingerprint.of(self.images, self.labels, self.classes, self._shape)

    def fingerprint(self) -> str:
        """Count, picture shape, and what SHA-256 says of classes, labels and pixels, in some 50 letters."""
        return self._fingerprint

    def __repr__(self) -> str:
        what = WORDS[len(self.picture_shape)], LABELS[self.task]
        return f"{type(self).__name__}({len(self)} {what[0]}, {len(self.classes)} {what[1]})"


def _refuse_odd(part: AnyArray, indices: AnyArray) -> None:
    """Raise ValueError naming the first sample with what is no finite number."""
    wrong = np.flatnonzero(~np.isfinite(part).all(axis=(1, 2)))
    if len(wrong):
        value = part[wrong[0]][~np.isfinite(part[wrong[0]])][0]
        raise ValueError(f"images[{indices[wrong[0]]}]: wanted finite numbers, got {value}")


def byte_counts(images: AnyArray) -> AnyArray:
    """How often each byte occurs in each channel: int64 (channels, 256)."""
    planes = np.asarray(images).swapaxes(0, 1)
    return np.array([np.bincount(plane.reshape(-1), minlength=256) for plane in planes])


def _moments(counts: AnyArray) -> tuple[AnyArray, AnyArray]:
    """(mean, std) of pixels / 255 of each channel, from what `byte_counts` gives."""
    values = np.arange(256)
    n = int(counts[0].sum())
    sums = [(int(c @ values), int(c @ values**2)) for c in counts]
    mean = np.array([s / n for s, _ in sums])
    # n * sum of squares - square of the sum is exact in Python's integers.
    std = np.array([(n * q - s * s) ** 0.5 / n for s, q in sums])
    return mean / 255, std / 255


def numbered_classes(labels: AnyArray, where: AnyPath) -> tuple[str, ...]:
    """("0", "1", ...) up to the largest label."""
    most = int(labels.max(initial=0))
    if most >= MOST_CLASSES:
        raise ValueError(f"{where}: wanted names of the classes, for labels up to {most}")
    return tuple(map(str, range(most + 1)))


def named_classes(names: Sequence[str], where: AnyPath) -> tuple[str, ...]:
    """The names of classes that a file brings, printable; ValueError where they cannot be told apart.

    Parameters
    ----------
    names : sequence of str
    where : str or path
        What the message calls the file.
    """
    found: dict[str, int] = {}
    for number, raw in enumerate(names):
        name = printable(raw)
        if not 0 < len(name) <= MOST_NAME:
            raise ValueError(
                f"{where}: name {number}: wanted 1 to {MOST_NAME:,} letters, got {len(name):,} {name!r:.80}"
            )
        if name in found:
            raise ValueError(
                f"{where}: wanted a name of its own for each class, got {name!r:.80} for {found[name]} and "
                f"{number}"
            )
        found[name] = number
    return tuple(found)


def checked_split(split: str) -> str:
    """`split`, if it is "train" or "test"."""
    if split not in ("train", "test"):
        raise ValueError(f'split: wanted "train" or "test", got {split!r}')
    return split
