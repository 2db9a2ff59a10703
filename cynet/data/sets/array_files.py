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
from cynet.core.tasks import CLASSIFY
from cynet.core.types import AnyArray, AnyPath, Shape
from cynet.data import array_layouts, targets
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
NUMBERS, TEXTS = "iufb", "U"  # NumPy's letters of what samples and labels, and names, may be
KINDS = {NUMBERS: "numbers", TEXTS: "texts", "iu": "integers", "f": "floats"}  # in words
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OverflowError, UnicodeError,
)  # fmt: skip
MOST_SHOWN = 10  # names that an error lists
NAMES = (("images", "labels"), ("x", "y"))


def from_npy(
    images: AnyPath,
    labels: Any,
    classes: Sequence[str] | None = None,
    layout: str | None = None,
    task: str | None = None,
    like: Shape | None = None,
) -> ArrayDataset:
    """A data set from two .npy files; the samples are mapped, not read, where they are planar.

    Parameters
    ----------
    images : path
        uint8 or float32: pictures (count, channels, height, width), (count, height, width, channels), or
        (count, height, width) of grey ones; signals (count, length, channels) or (count, channels, length);
        rows (count, features).
    labels : path or array
        As of `ArrayDataset`: classes, a matrix of 0 and 1, or numbers; of one column, too.
    classes : sequence of str, optional
        Default: "0", "1" and so on, up to the largest label.
    layout : str, optional
        What the dimensions of `images` are: "NCHW" or "NHWC", "NHW", "NLC" or "NCL", "NF". It may be left out
        where it can be told: of four dimensions exactly one of those in question is 1 or 3, and of three
        uint8 is grey pictures. What is not planar ("NHWC", "NLC") is copied into memory.
    task : str, optional
        As of `ArrayDataset`.
    like : tuple of int, optional
        The shape of a sample that is wanted, (height, width, channels) and so on, which may tell the layout.

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
    layout = array_layouts.checked(layout)
    samples = _Samples(mapped(user_path(images)), layout, images, like)
    if isinstance(labels, (str, os.PathLike)):
        return samples.labelled(mapped(user_path(labels)), classes, task, labels)
    return samples.labelled(np.asarray(labels), classes, task, "labels")


def from_npz(
    path: AnyPath,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    layout: str | None = None,
    task: str | None = None,
    like: Shape | None = None,
) -> ArrayDataset:
    """A data set from a .npz file, read into memory.

    Parameters
    ----------
    path : path
    split : {"train", "test"}, optional
        Which members: without it images and labels, or x and y; with it, for "train", train_images and
        train_labels, or x_train and y_train. A member `classes` may name the classes, labels or numbers, and
        one called `layout` the layout.
    classes, layout, task, like
        As for `from_npy`; the numbers of classes that have no names go up to the largest label of either
        split, and the task is what the labels for training tell.

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
        layout = array_layouts.checked(layout)
        if layout is None and "layout" in found:
            layout = _told_layout(_member(archive, path, "layout", TEXTS), f"{path}:layout")
        samples = _Samples(_member(archive, path, pair[0]), layout, f"{path}:{pair[0]}", like)
        labels = {
            name: _member(archive, path, name)
            for name in (pair[1], pair[1].replace("train", "test"), pair[1].replace("test", "train"))
            if name in found and (split or name == pair[1])
        }
        if classes is None and "classes" in found:
            classes = _names(_member(archive, path, "classes", TEXTS), f"{path}:classes")
    first = pair[1].replace("test", "train")
    task = task or _task(labels.get(first, labels[pair[1]]), f"{path}:{first}")
    if classes is None and task == CLASSIFY and len(labels) > 1:
        classes = max((_numbered(each, path) for each in labels.values()), key=len)
    return samples.labelled(labels[pair[1]], classes, task, f"{path}:{pair[1]}")


@dataset(order=7, own=True, arrays=True, makes=("cynet.data.dataset", "ArrayDataset"))
def arrays(root: AnyPath, split: str, **options: Any) -> ArrayDataset:
    """For `cynet.data.load`: as `from_npz`, or as `from_npy` of a folder with files of the members' names.

    FileNotFoundError says what lies at `root` instead.
    """
    place = Path(root)
    if place.is_dir() and holds_arrays(place):
        return _from_folder(place, split, **options)
    if not place.is_file():
        found = "a folder: its data set is image_folder" if place.is_dir() else "none"
        wanted = "wanted a .npz file with train_images and test_images, or a folder with .npy files of these"
        raise FileNotFoundError(f"{printable(root)}: {wanted} names, found {found}")
    return from_npz(root, split, **options)


def holds_arrays(folder: Path) -> bool:
    """Whether there are .npy files for training in a folder, named as the members of a .npz file."""
    return any((folder / f"{images}.npy").is_file() for images, _ in _member_names("train"))


def _from_folder(folder: Path, split: str, **options: Any) -> ArrayDataset:
    pairs = [[folder / f"{name}.npy" for name in pair] for pair in _member_names(split)]
    images, labels = next((pair for pair in pairs if pair[0].is_file()), pairs[0])
    if options.get("task") is None and split == "test":  # what the labels for training tell
        training = labels.with_name(labels.name.replace("test", "train"))
        options["task"] = _task(mapped(training), training)
    if options.get("classes") is None:
        options["classes"] = _beside(folder, labels, options.get("task"))
    return from_npy(images, labels, **options)


def _beside(folder: Path, labels: Path, task: str | None) -> tuple[str, ...] | None:
    """The names of the classes that lie in a folder, or numbers up to the largest of both parts' labels."""
    names = folder / "classes.npy"
    if names.is_file():
        return _names(np.array(mapped(names, TEXTS)), str(names))
    ways = ("train", "test"), ("test", "train")
    places = [labels.with_name(labels.name.replace(*way)) for way in ways]
    parts = [mapped(place) for place in places if place.is_file()]
    if any((task or _task(each, labels)) != CLASSIFY for each in parts):
        return None
    return max((_numbered(each, folder) for each in parts), key=len, default=None)


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


def samples_in(path: AnyPath) -> AnyArray:
    """The samples in a .npz file, whatever their labels: its only array, or that of the test set, or of none.

    Parameters
    ----------
    path : path

    Raises
    ------
    ValueError
        Naming what the file holds, where that does not say which array is meant.
    OSError
        When it cannot be read.
    """
    with _opened(path) as archive:
        found = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        usual = [x for split in (None, "test") for x, _ in _member_names(split)]
        meant = found if len(found) == 1 else [name for name in usual if name in found]
        if len(meant) != 1:
            got = ", ".join(printable(name) for name in found[:MOST_SHOWN]) or "no array"
            raise ValueError(
                f"{path}: wanted one array of samples, or one called {', '.join(usual)}, got {got}"
            )
        return _member(archive, path, meant[0])


def _member_names(split: str | None) -> Sequence[tuple[str, str]]:
    if split is None:
        return NAMES
    checked_split(split)
    before = [(f"{split}_{x}", f"{split}_{y}") for x, y in NAMES]
    return (*before, *((f"{x}_{split}", f"{y}_{split}") for x, y in NAMES))


class _Samples:
    """Samples of a file, as planar pictures, before they are copied."""

    def __init__(self, images: AnyArray, layout: str | None, where: AnyPath, like: Shape | None) -> None:
        if images.dtype.kind == "f" and images.dtype != np.float32 and images.dtype.itemsize == 4:
            images = images.astype(np.float32)  # of another byte order
        if images.dtype == np.float64:
            raise ValueError(f"{where}: wanted uint8 or float32, got float64 (x.astype('float32') does it)")
        self.images, self.where = images, where
        self.layout = array_layouts.told(images, layout, str(where), like)

    def labelled(
        self, labels: AnyArray, classes: Sequence[str] | None, task: str | None, where: AnyPath
    ) -> ArrayDataset:
        """The data set with some labels."""
        if labels.ndim and len(labels) != len(self.images):  # before they are read: they may be far more
            wanted = f"wanted shape ({len(self.images)},{' labels' * (labels.ndim > 1)})"
            raise ValueError(f"{where}: labels: {wanted}, got {labels.shape}")
        with memory(2 * np.dtype(np.int64).itemsize * labels.size, where):
            labels = np.array(labels)
        if classes is None and (task or _task(labels, where)) == CLASSIFY:
            classes = _numbered(labels, where)
        images = self.images
        planar = array_layouts.planar(images, self.layout)
        if not planar.flags.c_contiguous:
            with memory(planar.nbytes, self.where):
                images, self.layout = _copied(planar, images, self.layout)
        try:
            return ArrayDataset(images, labels, classes, self.layout, task)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from None


def _copied(planar: AnyArray, images: AnyArray, layout: str) -> tuple[AnyArray, str]:
    """(samples that lie planar in memory, their layout)."""
    planar = np.ascontiguousarray(planar)
    if layout in ("NHWC", "NLC"):
        return (planar, "NCHW") if layout == "NHWC" else (planar[:, :, 0], "NCL")
    return planar.reshape(images.shape), layout


def _task(labels: AnyArray, where: AnyPath) -> str:
    try:
        return targets.told(labels)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def _numbered(labels: AnyArray, where: AnyPath) -> tuple[str, ...]:
    """Numbers as class names, enough for some labels."""
    if labels.ndim == 2 and labels.shape[1] > 1:  # a matrix with one 1 in each row
        return tuple(map(str, range(labels.shape[1])))
    return numbered_classes(labels, where)


def _told_layout(array: AnyArray, where: str) -> str | None:
    if array.size != 1:
        raise ValueError(f"{where}: wanted one text, got shape {array.shape}")
    try:
        return array_layouts.checked(str(array.reshape(())))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


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


# -- the formats ------------------------------------------------------------------------------------------
def _header(
    start: bytes, size: int, where: AnyPath, kinds: str = NUMBERS
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
    if not dtype.itemsize:
        raise ValueError(f"{where}: wanted an array of numbers or names, got {shape!r:.200} empty texts")
    if dtype.kind not in kinds or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        wanted = f"wanted an array of {KINDS.get(kinds, kinds)}"
        raise ValueError(f"{where}: {wanted}, got {dtype!s:.80} {shape!r:.200}")
    whole = prod(shape) * dtype.itemsize + stream.tell()
    if whole != size:
        raise ValueError(f"{where}: wanted {whole} bytes for {dtype} {shape!r:.200}, got {size}")
    return shape, column_major, dtype, stream.tell()


def mapped(path: Path, kinds: str = NUMBERS) -> AnyArray:
    """The array in a .npy file, as an np.memmap that is only read."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        shape, column_major, dtype, offset = _header(file.read(HEADER), size, path, kinds)
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
    archive: zipfile.ZipFile, path: AnyPath, name: str, kinds: str = NUMBERS, most: int | None = None
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
