"""Data sets from the files of NumPy: .npy, which is mapped, and .npz. Nothing in them is ever unpickled."""

import contextlib
import errno
import io
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core.files import open_regular, user_path
from cynet.core.names import printable
from cynet.core.types import AnyArray, AnyPath, Shape
from cynet.data.dataset import (
    MOST_CLASSES,
    MOST_NAME,
    ArrayDataset,
    checked_split,
    named_classes,
    numbered_classes,
)
from cynet.data.registry import dataset

from .bounded import memory, read_exactly

HEADER = 1 << 14  # bytes: more than a header may have
READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
LAYOUTS = ("NCHW", "NHWC")
KINDS = {"iuU": "integers", "iu": "integers", "f": "floats"}  # NumPy's letters in words
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OverflowError, UnicodeError,
)  # fmt: skip
NAMES = (("images", "labels"), ("x", "y"))


def from_npy(
    images: AnyPath,
    labels: Any,
    classes: Sequence[str] | None = None,
    layout: str | None = None,
) -> ArrayDataset:
    """A data set from two .npy files; the pictures are mapped, not read, where they are planar.

    Parameters
    ----------
    images : path
        uint8 of shape (count, channels, height, width), (count, height, width, channels), or (count, height,
        width) for grey pictures.
    labels : path or array
        Integers (count,) or (count, 1).
    classes : sequence of str, optional
        Default: "0", "1" and so on, up to the largest label.
    layout : {"NCHW", "NHWC"}, optional
        What the dimensions of `images` are. It may be left out where only one of the two is possible: exactly
        one of the dimensions in question is 1 or 3. NHWC is copied into memory.

    Returns
    -------
    ArrayDataset
        Its images are an np.memmap where nothing had to be copied: the file itself, which must stay as it is
        (`ArrayDataset`).

    Raises
    ------
    ValueError
        Naming the path, what was got and what was wanted.
    OSError
        When a file cannot be read.
    """
    pixels = _planar(_mapped(user_path(images)), layout, images)
    if isinstance(labels, (str, os.PathLike)):
        return _dataset(pixels, _mapped(user_path(labels)), classes, labels)
    return _dataset(pixels, np.asarray(labels), classes, "labels")


def from_npz(
    path: AnyPath, split: str | None = None, classes: Sequence[str] | None = None, layout: str | None = None
) -> ArrayDataset:
    """A data set from a .npz file, read into memory.

    Parameters
    ----------
    path : path
    split : {"train", "test"}, optional
        Which members: without it images and labels, or x and y; with it, for "train", train_images and
        train_labels, or x_train and y_train. A member `classes` may name the classes.
    classes, layout
        As for `from_npy`; the numbers of classes that have no names go up to the largest label of either
        split.

    Returns
    -------
    ArrayDataset

    Raises
    ------
    ValueError
        Naming path and member, what was got and what was wanted.
    OSError
        When it cannot be read.
    """
    path = user_path(path)
    with _opened(path) as archive:
        found = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
        pairs = _member_names(split)
        pair = next((pair for pair in pairs if found.issuperset(pair)), None)
        if pair is None:
            wanted = " or ".join(" and ".join(pair) for pair in pairs)
            raise ValueError(f"{path}: wanted arrays {wanted}, got {sorted(found)!r:.200}")
        pixels = _planar(_member(archive, path, pair[0]), layout, f"{path}:{pair[0]}")
        labels = _member(archive, path, pair[1])
        if classes is None and "classes" in found:
            classes = _names(_member(archive, path, "classes"), f"{path}:classes")
        elif classes is None and split is not None:
            classes = _numbered(archive, path, found, pair)
    return _dataset(pixels, labels, classes, f"{path}:{pair[1]}")


@dataset(order=7, own=True, makes=("cynet.data.dataset", "ArrayDataset"))
def arrays(root: AnyPath, split: str, **options: Any) -> ArrayDataset:
    """As `from_npz`, for `cynet.data.load`; FileNotFoundError says what lies at `root` instead of a file."""
    if not Path(root).is_file():
        found = "a folder: its data set is image_folder" if Path(root).is_dir() else "none"
        wanted = "wanted a .npz file with train_images and test_images"
        raise FileNotFoundError(f"{printable(root)}: {wanted}, found {found}")
    return from_npz(root, split, **options)


def read_members(path: AnyPath, kinds: dict[str, str], most: int) -> dict[str, AnyArray]:
    """Some arrays of a .npz file, each of its kind; nothing is unpacked that is larger than told.

    Parameters
    ----------
    path : path
    kinds : dict of str to str
        NumPy's letters of what each array may be of, as "iu" or "f". Others in the file are not looked at.
    most : int
        Bytes of one of them.

    Returns
    -------
    dict of str to ndarray
        Without those that are not there.

    Raises
    ------
    ValueError
        Naming path and member, what was got and what was wanted.
    OSError
        When it cannot be read.
    """
    with _opened(path) as archive:
        there = set(archive.namelist())
        return {
            name: _member(archive, path, name, allowed, most)
            for name, allowed in kinds.items()
            if f"{name}.npy" in there
        }


def _member_names(split: str | None) -> Sequence[tuple[str, str]]:
    if split is None:
        return NAMES
    checked_split(split)
    before = [(f"{split}_{x}", f"{split}_{y}") for x, y in NAMES]
    return (*before, *((f"{x}_{split}", f"{y}_{split}") for x, y in NAMES))


def _numbered(
    archive: zipfile.ZipFile, path: Path, found: set[str], pair: tuple[str, str]
) -> tuple[str, ...]:
    """Numbers as class names, enough for the labels of both splits."""
    both = [pair[1], pair[1].replace("train", "test"), pair[1].replace("test", "train")]
    most = [_integers(_member(archive, path, name), f"{path}:{name}") for name in {*both} & found]
    return max((numbered_classes(labels, path) for labels in most), key=len)


def _dataset(
    pixels: AnyArray, labels: AnyArray, classes: Sequence[str] | None, where: AnyPath
) -> ArrayDataset:
    labels = _integers(labels, where)
    if len(labels) != len(pixels):  # before they are read: they may be far more
        raise ValueError(f"{where}: labels: wanted shape ({len(pixels)},), got {labels.shape}")
    with memory(2 * np.dtype(np.int64).itemsize * len(labels), where):
        labels = np.array(labels)
    classes = numbered_classes(labels, where) if classes is None else classes
    try:
        return ArrayDataset(pixels, labels, classes)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _integers(labels: AnyArray, where: AnyPath) -> AnyArray:
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"{where}: wanted integers of shape (count,), got {labels.dtype} {labels.shape}")
    return labels


def _names(array: AnyArray, where: str) -> tuple[str, ...]:
    if array.dtype.kind != "U" or array.ndim != 1:
        raise ValueError(f"{where}: wanted strings of shape (classes,), got {array.dtype} {array.shape}")
    if len(array) > MOST_CLASSES:
        raise ValueError(f"{where}: wanted at most {MOST_CLASSES} names, got {len(array)}")
    if array.dtype.itemsize > 4 * MOST_NAME:
        letters = array.dtype.itemsize // 4
        raise ValueError(f"{where}: wanted names of at most {MOST_NAME:,} letters, got {letters:,}")
    codes = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(array.dtype.byteorder))
    if (codes > sys.maxunicode).any():  # Python could not even say so
        raise ValueError(f"{where}: wanted text, got numbers that are no characters")
    return named_classes(array.tolist(), where)


def _planar(images: AnyArray, layout: str | None, where: AnyPath) -> AnyArray:
    """The pictures as C-contiguous (count, channels, height, width): a copy only where they are not."""
    planar = _view(images, layout, where)
    if planar.flags.c_contiguous:
        return planar
    with memory(planar.nbytes, where):
        return np.ascontiguousarray(planar)


def _view(images: AnyArray, layout: str | None, where: AnyPath) -> AnyArray:
    """The pictures as a view (count, channels, height, width)."""
    if layout not in (None, *LAYOUTS):
        raise ValueError(f"layout: wanted one of {', '.join(LAYOUTS)}, got {layout!r}")
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise ValueError(
            f"{where}: wanted pictures, uint8 of 3 or 4 dimensions, got {images.dtype} {images.shape}"
        )
    if images.ndim == 3:
        return images[:, None]
    if layout is None:
        likely = [images.shape[i] in (1, 3) for i in (1, 3)]
        if sum(likely) != 1:
            raise ValueError(
                f"layout: wanted NCHW or NHWC, since {images.shape} of {where} does not tell which it is"
            )
        layout = LAYOUTS[likely.index(True)]
    return images if layout == "NCHW" else images.transpose(0, 3, 1, 2)


# -- the formats ------------------------------------------------------------------------------------------
def _header(
    start: bytes, size: int, where: AnyPath, kinds: str = "iuU"
) -> tuple[Shape, bool, np.dtype[Any], int]:
    """(shape, whether column-major, dtype, bytes of the header) of a .npy file of `size` bytes.

    Everything is checked before an array is made. `start` holds the first bytes, at most `HEADER`.
    """
    stream = io.BytesIO(start)
    try:
        shape, column_major, dtype = READERS[np.lib.format.read_magic(stream)](stream)
    except Exception as error:  # the header is a Python expression, and fails as such
        text = " ".join(str(error).split())[:200]
        raise ValueError(f"{where}: wanted the .npy format, got a damaged header: {text}") from None
    if dtype.kind not in kinds or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        wanted = f"wanted an array of {KINDS.get(kinds, kinds)}"
        raise ValueError(f"{where}: {wanted}, got {dtype!s:.80} {shape!r:.200}")
    if not dtype.itemsize:
        raise ValueError(f"{where}: wanted an array of integers or names, got {shape!r:.200} empty texts")
    whole = prod(shape) * dtype.itemsize + stream.tell()
    if whole != size:
        raise ValueError(f"{where}: wanted {whole} bytes for {dtype} {shape!r:.200}, got {size}")
    return shape, column_major, dtype, stream.tell()


def _mapped(path: Path) -> AnyArray:
    """The array in a .npy file, as an np.memmap that is only read."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        shape, column_major, dtype, offset = _header(file.read(HEADER), size, path)
        if not prod(shape):
            return np.empty(shape, dtype)  # nothing cannot be mapped
    return np.memmap(path, dtype, "r", offset, shape, "F" if column_major else "C")


@contextlib.contextmanager
def _opened(path: AnyPath) -> Iterator[zipfile.ZipFile]:
    """Within this context the .npz file is open, as a ZipFile."""
    with open_regular(path) as file, _archive(file, path) as archive:
        yield archive


def _archive(file: Any, path: AnyPath) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeError) as error:
        raise ValueError(f"{path}: wanted a .npz file, got a damaged one: {error}") from None


def _member(
    archive: zipfile.ZipFile, path: AnyPath, name: str, kinds: str = "iuU", most: int | None = None
) -> AnyArray:
    """The array of that name in an open .npz file."""
    where = f"{path}:{name}"
    try:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{where}: wanted it stored or deflated, got compression {info.compress_type}")
        if most is not None and info.file_size > most:
            raise ValueError(f"{where}: wanted at most {most:,} bytes, got {info.file_size:,}")
        with archive.open(info) as stream:
            shape, column_major, dtype, offset = _header(stream.read(HEADER), info.file_size, where, kinds)
        with archive.open(info) as stream:
            stream.read(offset)
            content = read_exactly(stream, info.file_size - offset, where)
    except DAMAGED as error:
        raise ValueError(f"{where}: wanted a whole .npz file, got a damaged one: {error}") from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ValueError(f"{where}: wanted a whole .npz file, got places outside of it") from None
    return np.frombuffer(content, dtype).reshape(shape, order="F" if column_major else "C")
