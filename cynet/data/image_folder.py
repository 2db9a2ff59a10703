"""ImageFolder: a folder of pictures for each class, decoded once and then mapped.

Design: the decoded pixels are one .npy file, written beside its place and renamed, and a key file beside it
says what they were made from: the names, sizes and times of all pictures, and the settings. The key also
names the .npy file's own size and time, so that a key never vouches for the pixels of another. A second start
lists the folder, compares, and maps.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np

from cynet.core.files import flush_folder, user_path, write_atomically

from . import fingerprint
from .dataset import ArrayDataset, byte_counts
from .decoding import decoded
from .pictures import Fit, pillow
from .progress import Progress

CACHE = ".cynet"  # the folder with the decoded pixels, in that of the pictures
VERSION = 1  # of the key file


class ImageFolder(ArrayDataset):
    """Pictures from a folder that has one folder for each class, which names it.

    Parameters
    ----------
    root : path
        Folders whose names begin with a dot are no classes. Pictures may lie deeper; files whose suffix is
        none of Pillow's are left out.
    size : int or (int, int)
        Height and width that every picture is given.
    resize : {"crop", "stretch"}
        Cut the largest middle part of these proportions out and scale that, or scale the whole.
    channels : {3, 1}
        Red, green and blue, or grey.
    classes : sequence of str, optional
        The classes in the order of their labels. Default: the folders, sorted. Give those of the training set
        for a test set that may lack some.
    cache : bool or path
        Where the decoded pixels are kept for the next start: True means in root/.cynet, a path that folder,
        and False nowhere (they are in memory then).
    workers : int, optional
        Processes that decode; default: by the number of pictures.

    Attributes
    ----------
    images : np.memmap of uint8 (count, channels, height, width), or ndarray without a cache
    paths : tuple of str
        Of the pictures, relative to root.
    resize : str
        As given.

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        Naming the file that is no picture, or the folder that has none.
    OSError
        When a file cannot be read, or the cache not be written.

    Notes
    -----
    The fingerprint is that of the pixels, as for every data set; it is taken while they are decoded and kept
    in the key file, and so are the sums behind `mean` and `std`.
    """

    def __init__(
        self, root, size=(32, 32), resize="crop", channels=3, classes=None, cache=True, workers=None
    ):  # fmt: skip
        root, fit = user_path(root), Fit(size, resize, channels)
        self.root, self.resize = root, fit.resize
        if classes is None:
            classes = class_folders(root)
        files, labels = _pictures_of(root, tuple(classes))
        self.paths = tuple(name for name, _, _ in files)
        paths = [str(root / name) for name in self.paths]
        if cache is False:
            super().__init__(_in_memory(paths, fit, workers), labels, classes)
            return
        folder = root / CACHE if cache is True else user_path(cache)
        name = "x".join(map(str, fit.shape)) + f"-{resize}"
        if cache is not True:  # several sets may be kept there
            name = f"{root.resolve().name}-{_digest_of(str(root.resolve()))[:8]}-{name}"
        made_from = _digest_of([VERSION, fit.shape, resize, list(classes), files])
        kept = _Cache(folder, name, made_from, fit.shape)
        key = kept.key()
        if key is None:
            key = kept.write(paths, labels, classes, fit, workers)
        super().__init__(kept.pixels(), labels, classes)
        self._fingerprint, self._counts = key["fingerprint"], np.array(key["counts"], np.int64)

    def path_of(self, index):
        """The file of a sample."""
        return str(self.root / self.paths[index])


def _digest_of(facts):
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def class_folders(root):
    """The names of the folders in `root` that are classes, sorted."""
    if not os.path.isdir(root):
        raise FileNotFoundError(f"{root}: wanted a folder with one of pictures for each class, found none")
    with os.scandir(root) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    if not names:
        raise ValueError(f"{root}: wanted a folder of pictures for each class, got no folder")
    return tuple(names)


def _pictures_of(root, classes):
    """([(name relative to root, size, time)], labels) of all pictures, in a fixed order."""
    unknown = sorted(set(class_folders(root)) - set(classes))
    if unknown:
        raise ValueError(f"{root}: wanted folders of the classes {classes!r:.200}, got also {unknown!r:.200}")
    image = pillow()
    image.init()
    suffixes = set(image.registered_extensions())
    files, labels = [], []
    for label, name in enumerate(classes):
        found = sorted(_walk(root, root / name, suffixes))
        files += found
        labels += [label] * len(found)
        if not found and (root / name).is_dir():
            raise ValueError(f"{root / name}: wanted at least one picture, got none")
    if not files:
        raise ValueError(f"{root}: wanted at least one picture, got none")
    return files, np.array(labels)


def _walk(root, folder, suffixes):
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if os.path.splitext(name)[1].lower() in suffixes and not name.startswith("."):
                path = os.path.join(place, name)
                status = os.stat(path)
                yield Path(path).relative_to(root).as_posix(), status.st_size, status.st_mtime_ns


def _stacks(paths, fit, workers):
    """Arrays of the next few pictures, with a progress bar."""
    with Progress("pictures", len(paths)) as progress:
        for chunk in decoded(paths, fit, workers):
            yield np.stack(chunk)
            progress.add(len(chunk))


def _in_memory(paths, fit, workers):
    images, done = np.empty((len(paths), *fit.shape), np.uint8), 0
    for stack in _stacks(paths, fit, workers):
        images[done : done + len(stack)] = stack
        done += len(stack)
    return images


class _Cache:
    """The decoded pixels of one folder and setting, and their key file.

    Parameters
    ----------
    folder : Path
    name : str
        Of both files, without suffix.
    made_from : str
        Digest of what the pixels are made from.
    shape : tuple of int
        (channels, height, width) of a picture.
    """

    def __init__(self, folder, name, made_from, shape):
        self.made_from, self.shape = made_from, shape
        self.array, self.key_file = folder / f"{name}.npy", folder / f"{name}.json"

    def key(self):
        """What the key file says, or None where it is not of these pictures or these pixels."""
        try:
            key = json.loads(self.key_file.read_text())
            status = self.array.stat()
            if key["made_from"] != self.made_from or key["array"] != [status.st_size, status.st_mtime_ns]:
                return None
            if key.pop("check") != _digest_of(key):  # damaged
                return None
            pixels = self.pixels()
            return key if pixels.dtype == np.uint8 and pixels.shape[1:] == self.shape else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def pixels(self):
        return np.load(self.array, mmap_mode="r", allow_pickle=False)

    def write(self, paths, labels, classes, fit, workers):
        """Decode everything; what the key file says then."""
        shape = (len(paths), *fit.shape)
        with self._writing():
            self.array.parent.mkdir(parents=True, exist_ok=True)
            free, size = shutil.disk_usage(self.array.parent).free, math.prod(shape)
            if free < size:
                raise OSError(errno.ENOSPC, f"wanted {size} bytes, {free} are free")
        temporary = self.array.with_name(f".{self.array.name}.{os.getpid()}.tmp")
        digest = hashlib.sha256()
        counts = np.zeros((fit.channels, 256), np.int64)
        try:
            with self._writing():
                file = open(temporary, "wb")  # noqa: SIM115 closed below; only its opening is reported here
            with file:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for stack in _stacks(paths, fit, workers):
                    with self._writing():
                        file.write(stack)
                    digest.update(stack)
                    counts += byte_counts(stack)
                with self._writing():
                    status = self._finish(file, temporary)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        key = {
            "made_from": self.made_from,
            "array": [status.st_size, status.st_mtime_ns],
            "fingerprint": fingerprint.of_digest(shape, labels, classes, digest),
            "counts": counts.tolist(),
        }
        checked = key | {"check": _digest_of(key)}
        write_atomically(self.key_file, json.dumps(checked).encode())
        return key

    def _finish(self, file, temporary):
        """Put the written pixels in their place; their status."""
        file.flush()
        os.fsync(file.fileno())
        status = os.fstat(file.fileno())
        file.close()
        self.key_file.unlink(missing_ok=True)  # it is of the pixels that are replaced now
        os.replace(temporary, self.array)
        flush_folder(self.array.parent)
        return status

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            text = f"cannot keep decoded pictures in {self.array} ({reason}); give `cache` a folder or False"
            raise OSError(error.errno, text) from error
