"""The idx format of MNIST (LeCun, Cortes and Burges 1998), and the data sets that come in it."""

import contextlib
import gzip
import os
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core.files import open_regular, user_path
from cynet.core.types import AnyArray, AnyPath, Shape
from cynet.data.dataset import ArrayDataset, checked_split, numbered_classes
from cynet.data.registry import dataset

from .bounded import read_exactly

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def read_idx(path: AnyPath, dimensions: Sequence[int] | None = None) -> AnyArray:
    """The array in an idx file, gzipped or not.

    Magic number, dimensions, their product and the size of the file are checked before anything is
    allocated; of a gzipped file no more is unpacked than the header says, and a byte.

    Parameters
    ----------
    path : path
        Gzipped where its name ends in .gz.
    dimensions : sequence of int, optional
        The numbers of dimensions that are wanted; default: any.

    Returns
    -------
    ndarray
        In native byte order.

    Raises
    ------
    ValueError
        When it is damaged, naming path, what was got and what was wanted.
    OSError
        When it cannot be read.
    """
    path = user_path(path)
    packed = path.suffix == ".gz"
    with open_regular(path) as raw, gzip.open(raw) if packed else raw as file:
        try:
            dtype, shape = _header(file, path, dimensions)
            size = prod(shape) * dtype.itemsize
            if not packed:
                found = os.fstat(file.fileno()).st_size - file.tell()
                if found != size:
                    raise ValueError(f"{path}: wanted {size} bytes of data for {shape}, got {found}")
            content = read_exactly(file, size, path)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: wanted a whole gzip file, got a damaged one: {error}") from None
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file: Any, path: Path, dimensions: Sequence[int] | None) -> tuple[np.dtype[Any], Shape]:
    """(dtype, shape) of the array that follows."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not magic[3]:
        raise ValueError(f"{path}: wanted an idx file (magic 00 00 type dimensions), got {magic.hex(' ')}")
    if dimensions and magic[3] not in dimensions:
        wanted = " or ".join(map(str, dimensions))
        raise ValueError(f"{path}: wanted {wanted} dimensions, got {magic[3]}")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"{path}: wanted {magic[3]} sizes after the magic number, got {len(sizes)} bytes")
    dtype, shape = np.dtype(TYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())
    if prod(shape) * dtype.itemsize >= 2**63 or not prod(shape):  # Python's integers do not overflow
        raise ValueError(f"{path}: wanted a filled array of less than 2**63 bytes, got sizes {shape}")
    return dtype, shape


class IdxDataset(ArrayDataset):
    """Pictures and labels from a pair of idx files.

    Parameters
    ----------
    images_path : path
        uint8 (count, height, width) or (count, channels, height, width).
    labels_path : path
        Integers (count,).
    classes : sequence of str, optional
        Default: "0", "1" and so on, up to the largest label.

    Raises
    ------
    ValueError, OSError
        As `read_idx`; a label out of range is named by its index and value.
    """

    def __init__(
        self, images_path: AnyPath, labels_path: AnyPath, classes: Sequence[str] | None = None
    ) -> None:
        images = read_idx(images_path, (3, 4))
        if images.dtype != np.uint8:
            raise ValueError(f"{images_path}: wanted pictures of type uint8, got {images.dtype}")
        labels = read_idx(labels_path, (1,))
        if labels.dtype.kind not in "iu" or len(labels) != len(images):
            raise ValueError(
                f"{labels_path}: wanted {len(images)} integers, as many as {images_path} has pictures, got "
                f"{labels.dtype} {labels.shape}"
            )
        images = images[:, None] if images.ndim == 3 else images
        if classes is None:
            classes = numbered_classes(labels, labels_path)
        try:
            super().__init__(images, labels, classes)
        except ValueError as error:
            raise ValueError(f"{labels_path}: {error}") from None


@dataset(order=3, fetched=True)
class MNIST(IdxDataset):
    """MNIST: 60,000 + 10,000 grey pictures of 28x28 pixels of the ten digits.

    Parameters
    ----------
    root : path
        The folder with the files as published, gzipped or not, or one that has them in MNIST or MNIST/raw.
    split : {"train", "test"}
    download : bool
        Fetch the files into root/MNIST where they are missing.
    mirror : str, optional
        Another address to fetch from; see `cynet.data.sets.download`.

    Raises
    ------
    FileNotFoundError
        When the files are not there, naming what was looked for.
    ValueError
        When one is damaged, or is of the other data set with these file names.
    """

    classes = tuple("0123456789")
    first_labels = {"train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)}  # noqa: RUF012

    def __init__(
        self, root: AnyPath = "data", split: str = "train", download: bool = False, mirror: str | None = None
    ) -> None:
        start = "train" if checked_split(split) == "train" else "t10k"
        names, root = (f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte"), user_path(root)
        try:
            paths = self._find(root, names)
        except FileNotFoundError:
            if not download:
                raise
            from .download import fetch  # here: urllib takes 23 ms, and most have the files

            fetch(type(self).__name__.lower(), root, mirror)
            paths = self._find(root, names)
        super().__init__(paths[0], paths[1], type(self).classes)
        for other in (MNIST, FashionMNIST):
            theirs = other.first_labels[split]
            if type(self) is not other and tuple(self.labels[: len(theirs)]) == theirs:
                wanted = f"wanted the labels of {type(self).__name__}, got those of {other.__name__}"
                raise ValueError(f"{paths[1]}: {wanted}, whose files are alike")

    @classmethod
    def _find(cls, root: Path, names: tuple[str, str]) -> list[Path]:
        """The paths of the files, the more telling folders first."""
        folder = cls.__name__
        looked_for: list[str] = []
        for place in (root / folder, root / folder / "raw", root, root / "raw"):
            pairs = [[place / f"{name}{suffix}" for suffix in ("", ".gz")] for name in names]
            looked_for += map(str, pairs[0])
            with contextlib.suppress(StopIteration):
                return [next(path for path in pair if path.is_file()) for pair in pairs]
        raise FileNotFoundError(
            f"{root}: wanted {names[0]} and {names[1]}, with or without .gz, looked for "
            f"{', '.join(looked_for)}; see data/README.md"
        )


@dataset(order=3, fetched=True)
class FashionMNIST(MNIST):
    """Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 60,000 + 10,000 grey pictures of clothes.

    Parameters
    ----------
    root, split, download, mirror
        As for `MNIST`, and so are the errors; its folder is root/FashionMNIST.
    """

    classes = FASHION_CLASSES
    first_labels = {"train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)}  # noqa: RUF012
