"""ArrayDataset: pictures and labels, in memory or mapped from a file, which every data set here is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.names import printable
from cynet.core.types import AnyArray, AnyPath, Shape

from . import fingerprint
from .workers import pixels

MOST_CLASSES = 10_000  # that a file may bring
MOST_NAME = 1_000  # letters of one's name, escaped
CHUNK = 1 << 20  # pixels that are counted at a time: counting takes eight bytes for each


class ArrayDataset:
    """Pictures and their labels.

    Parameters
    ----------
    images : ndarray of uint8 (count, channels, height, width)
        Planar, as CIFAR stores them; kept as they are where C-contiguous, a memory map (`np.memmap`)
        included, else copied.
    labels : array of integers (count,)
        Each from 0 to len(classes) - 1.
    classes : sequence of str

    Attributes
    ----------
    images, labels, classes
        uint8, int64, tuple of str. Mapped `images` are the file itself: where another program changes it they
        change, and where it is cut short, to read what is missing ends the process (SIGBUS). A loader,
        ``dataset[i]``, `mean`, `std` and `fingerprint` look first, and raise ValueError; who reads `images`
        alone copies them (``np.array(dataset.images)``) where the file may change.
    mean, std : ndarray of float64 (channels,)
        Of the pixels / 255, from exact integer sums. Like `fingerprint()`, they read all pixels when they
        are first asked for, and are kept.
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

    def __init__(self, images: AnyArray, labels: Any, classes: Sequence[str]) -> None:
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
            raise TypeError(f"images: wanted a uint8 NumPy array, got {kind}")
        if images.ndim != 4 or 0 in images.shape:
            raise ValueError(f"images: wanted a filled (count, channels, height, width), got {images.shape}")
        if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
            raise TypeError(f"classes: wanted a sequence of str, got {classes!r}")
        mapped = isinstance(images, np.memmap) and images.flags.c_contiguous
        self.images = images if mapped else np.ascontiguousarray(images)
        self.classes: tuple[str, ...] = tuple(classes)
        self.labels = checks.labels("labels", labels, len(images), len(self.classes))

    @property
    def picture_shape(self) -> Shape:
        """(height, width, channels) of a picture as the loader hands it out."""
        _, channels, height, width = self.images.shape
        return height, width, channels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[AnyArray, int]:
        """One sample.

        Returns
        -------
        picture : ndarray of uint8 (height, width, channels)
        label : int

        Raises
        ------
        IndexError
            Where there is none with this index.
        """
        pixels.require_whole(self.images)
        return np.asarray(self.images[index]).transpose(1, 2, 0), int(self.labels[index])

    @cached_property
    def _counts(self) -> Any:
        pixels.require_whole(self.images)
        step = max(1, CHUNK // self.images[0, 0].size)
        return sum(byte_counts(self.images[i : i + step]) for i in range(0, len(self), step))

    @cached_property
    def _moments(self) -> Any:
        return _moments(self._counts)

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
        return fingerprint.of(self.images, self.labels, self.classes)

    def fingerprint(self) -> str:
        """Count, picture shape, and what SHA-256 says of classes, labels and pixels, in some 50 letters."""
        return self._fingerprint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} pictures, {len(self.classes)} classes)"


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
