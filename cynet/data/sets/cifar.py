"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from the files their authors publish.

Read from the binary or the python layout, in a folder or in the .tar.gz. Every file is checked against what
it must hold; a pickle may name nothing but arrays (pickles.py).
"""

import gzip
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core.files import open_regular, read_regular, user_path
from cynet.core.types import AnyArray, AnyPath
from cynet.data.dataset import ArrayDataset, checked_split, named_classes
from cynet.data.registry import dataset

from . import pickles
from .bounded import Bounded
from .tars import BadTar, TarEntry, members

PIXELS = 3 * 32 * 32
LARGEST = 2 * 50_000 * (PIXELS + 64)  # bytes: more than all of a data set takes in any layout
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True)
class Edition:
    """Where one of the published archives keeps its pictures."""

    folder: str  # also the archive's top folder
    archive: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str  # the file with the names of the classes
    label_bytes: int = 0  # before the pixels of a record; 0: a python pickle
    label_key: bytes = b""
    names_key: bytes = b""


BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
CIFAR10_LAYOUTS = (
    Edition(
        "cifar-10-batches-bin", "cifar-10-binary.tar.gz", tuple(f"{b}.bin" for b in BATCHES),
        ("test_batch.bin",), "batches.meta.txt", label_bytes=1,
    ),
    Edition(
        "cifar-10-batches-py", "cifar-10-python.tar.gz", BATCHES, ("test_batch",), "batches.meta",
        label_key=b"labels", names_key=b"label_names",
    ),
)  # fmt: skip
CIFAR100_LAYOUTS = (
    Edition(
        "cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), ("test.bin",), "fine_label_names.txt",
        label_bytes=2,
    ),
    Edition(
        "cifar-100-python", "cifar-100-python.tar.gz", ("train",), ("test",), "meta",
        label_key=b"fine_labels", names_key=b"fine_label_names",
    ),
)  # fmt: skip


@dataset(order=2, fetched=True)
class CIFAR10(ArrayDataset):
    """CIFAR-10: 50,000 + 10,000 colour pictures of 32x32 pixels in ten classes.

    Parameters
    ----------
    root : path
        The folder or .tar.gz as published, or the folder that holds one of them.
    split : {"train", "test"}
    download : bool
        Fetch the binary archive into `root` where nothing of the kind is there.
    mirror : str, optional
        Another address to fetch from; see `cynet.data.sets.download`.

    Raises
    ------
    FileNotFoundError
        When nothing of the kind is there, naming what was looked for.
    ValueError
        When a file is damaged: path, record, what was got and expected.
    """

    layouts = CIFAR10_LAYOUTS
    count = 10

    def __init__(
        self, root: AnyPath = "data", split: str = "train", download: bool = False, mirror: str | None = None
    ) -> None:
        checked_split(split)
        source = self._source(user_path(root), download, mirror)
        files = getattr(source.layout, split)
        contents = source.read((*files, source.layout.names))
        missing = [source.where(name) for name in files if name not in contents]
        if missing:
            raise FileNotFoundError(f"{', '.join(missing)}: wanted a file of this layout, found none")
        names = _class_names(source, contents.get(source.layout.names), self.count)
        parts = [_read(source, name, contents.pop(name), self.count) for name in files]
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        super().__init__(images, labels, names)

    def _source(self, root: Path, download: bool, mirror: str | None) -> "Folder":
        try:
            return _find(root, self.layouts)
        except FileNotFoundError:
            if not download:
                raise
        from .download import fetch  # here: urllib takes 23 ms, and most have the files

        is_archive = root.name in [layout.archive for layout in self.layouts]
        folder = root.parent if is_archive else root
        return _find(fetch(type(self).__name__.lower(), folder, mirror)[0], self.layouts)


@dataset(order=2, fetched=True)
class CIFAR100(CIFAR10):
    """CIFAR-100: as many pictures, by its hundred fine classes.

    Parameters
    ----------
    root, split, download, mirror
        As for `CIFAR10`, and so are the errors.
    """

    layouts = CIFAR100_LAYOUTS
    count = 100


class Folder:
    """The files of a layout in a folder."""

    def __init__(self, path: Path, layout: Edition) -> None:
        self.path, self.layout = path, layout

    def where(self, name: str) -> str:
        return str(self.path / name)

    def read(self, names: Sequence[str]) -> dict[str, Any]:
        """The contents of some of the layout's files, those that are there, by name."""
        paths = {name: self.path / name for name in names}
        return {name: read_regular(path, LARGEST) for name, path in paths.items() if path.exists()}


class Archive(Folder):
    """The files of a layout in a .tar.gz: found by their exact names in one pass, never unpacked."""

    def where(self, name: str) -> str:
        return f"{self.path}:{self.layout.folder}/{name}"

    def read(self, names: Sequence[str]) -> dict[str, Any]:
        wanted = {f"{self.layout.folder}/{name}": name for name in names}
        found: dict[str, Any] = {}
        with open_regular(self.path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST:
                raise ValueError(f"{self.path}: wanted a file of at most {LARGEST:,} bytes, got {size:,}")
            try:
                with gzip.open(file) as unpacked:
                    stream = Bounded(unpacked, LARGEST, self.path)
                    for member in members(stream):
                        name = wanted.get(member.name.removeprefix("./"))
                        if name:
                            found[name] = self._content(member, name)
                    while stream.read(1 << 16):  # to the end: the checksum is there
                        pass
            except (BadTar, EOFError, OSError, zlib.error, MemoryError) as error:
                why = str(error) or "it does not fit the memory that can be had"
                raise ValueError(f"{self.path}: wanted a whole .tar.gz, got a damaged one: {why}") from None
        return found

    def _content(self, member: TarEntry, name: str) -> bytearray:
        if not member.regular:
            raise ValueError(f"{self.where(name)}: wanted a regular file, got another kind of member")
        if member.size > LARGEST:
            raise ValueError(f"{self.where(name)}: wanted at most {LARGEST} bytes, got {member.size}")
        return member.read()


def _find(root: Path, layouts: Sequence[Edition]) -> Folder:
    """The first layout that lies at, or in, `root`."""
    looked_for = []
    for layout in layouts:
        for folder in (root, root / layout.folder):
            looked_for.append(str(folder / layout.train[0]))
            if (folder / layout.train[0]).is_file():
                return Folder(folder, layout)
        for path in (root, root / layout.archive):
            if path.name == layout.archive:
                looked_for.append(str(path))
                if path.is_file():
                    return Archive(path, layout)
    raise FileNotFoundError(f"{root}: wanted one of {', '.join(looked_for)}, found none; see data/README.md")


def _class_names(source: Folder, content: Any, count: int) -> Sequence[str]:
    """The names of the classes from the layout's own file; those of CIFAR-10 are known without it."""
    layout, where = source.layout, source.where(source.layout.names)
    if content is None:
        if count == len(CIFAR10_CLASSES):
            return CIFAR10_CLASSES
        raise FileNotFoundError(f"{where}: wanted the names of the classes, found no such file")
    if layout.label_bytes:
        names = content.decode("utf-8", "replace").split()
    else:
        found = pickles.load(content, where).get(layout.names_key)
        if not isinstance(found, list) or not all(isinstance(name, (bytes, str)) for name in found):
            raise ValueError(
                f"{where}: wanted a list of names under {layout.names_key!r}, got {type(found).__name__}"
            )
        names = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in found]
    if len(names) != count:
        raise ValueError(f"{where}: wanted {count} class names, got {len(names)}")
    return named_classes(names, where)


def _read(source: Folder, name: str, content: Any, classes: int) -> tuple[AnyArray, AnyArray]:
    """(images uint8 (n, 3, 32, 32), labels int64 (n,)) of one file."""
    where = source.where(name)
    if source.layout.label_bytes:
        images, labels = _parse_records(content, source.layout.label_bytes, where)
    else:
        images, labels = _parse_pickle(content, source.layout.label_key, where)
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise ValueError(
            f"{where}: record {wrong[0]}: wanted a label of 0 to {classes - 1}, got {labels[wrong[0]]}"
        )
    return images.reshape(-1, 3, 32, 32), labels


def _parse_records(content: Any, label_bytes: int, where: str) -> tuple[AnyArray, AnyArray]:
    size = label_bytes + PIXELS
    if not content or len(content) % size:
        raise ValueError(
            f"{where}: wanted whole records of {size} bytes, got {len(content)} bytes: record "
            f"{len(content) // size} has {len(content) % size}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, label_bytes:], records[:, label_bytes - 1].astype(np.int64)


def _parse_pickle(content: Any, label_key: bytes, where: str) -> tuple[AnyArray, AnyArray]:
    batch = pickles.load(content, where)
    images, labels = batch.get(b"data"), batch.get(label_key)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (PIXELS,):
        got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"{where}: data: wanted uint8 of shape (n, {PIXELS}), got {got}")
    if not isinstance(labels, list) or len(labels) != len(images) or not len(images):
        found = len(labels) if isinstance(labels, list) else type(labels).__name__
        raise ValueError(f"{where}: {label_key.decode()}: wanted a list of {len(images)} labels, got {found}")
    for record, label in enumerate(labels):
        if type(label) is not int or not -(2**63) <= label < 2**63:
            raise ValueError(f"{where}: record {record}: wanted an int as label, got {type(label).__name__}")
    return np.ascontiguousarray(images), np.array(labels, np.int64)
