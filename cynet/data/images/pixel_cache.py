"""The decoded pixels of a folder of pictures, kept for the next start.

Design: the pixels are one .npy file, written beside its place and renamed, and a key file beside it says what
they were made from: the names, sizes and times of all pictures, and the settings. The key also names the .npy
file's own size and time, so that a key never vouches for the pixels of another, and the pictures that were
damaged, so that a second start says of them what the first did.
"""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cynet.core.files import flush_folder, write_atomically
from cynet.core.folder import read_object
from cynet.core.types import AnyArray, Shape
from cynet.data import fingerprint
from cynet.data.dataset import byte_counts
from cynet.data.progress import ProgressBar

from . import damaged, kinds
from .decoding import decoded
from .pictures import Fit, PictureProblem, attempt

MOST_KEY = 1 << 24  # bytes of a key file; a longer list of damaged pictures is made anew each time


class NotKeptError(Exception):
    """The pixels cannot be kept; the text says why."""


@dataclass(frozen=True)
class Pixels:
    """The pictures that could be decoded.

    Attributes
    ----------
    images : ndarray of uint8 (count, channels, height, width)
    damaged : tuple of (int, str)
        (index, reason) of those that are left out.
    counts : ndarray of int64 (channels, 256), or None where nobody counted
    fingerprint : str or None
    """

    images: AnyArray
    damaged: tuple[tuple[int, str], ...]
    counts: AnyArray | None = None
    fingerprint: str | None = None


def digest_of(facts: Any) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class _Decoding:
    """Stacks of decoded pictures, and what is wrong with the others."""

    def __init__(self, paths: Sequence[str], fit: Fit, workers: int | None) -> None:
        self.paths, self.fit, self.workers = paths, fit, workers
        self.problems: dict[int, PictureProblem] = {}

    def stacks(self) -> Iterator[Any]:
        """Arrays of the next few pictures, with a progress bar; the end raises as `damaged.refuse` does."""
        done = 0
        with ProgressBar("pictures", len(self.paths)) as progress:
            for chunk in decoded(self.paths, self.fit, self.workers, attempt):
                for i, picture in enumerate(chunk, done):
                    if isinstance(picture, PictureProblem):
                        self.problems[i] = picture
                sound = [picture for picture in chunk if not isinstance(picture, PictureProblem)]
                if sound:
                    yield np.stack(sound)
                done += len(chunk)
                progress.add(len(chunk))
        damaged.refuse(self.problems.values(), len(self.paths), skip=True)

    @property
    def damaged(self) -> tuple[tuple[int, str], ...]:
        return tuple((i, problem.reason) for i, problem in self.problems.items())


def in_memory(paths: Sequence[str], fit: Fit, workers: int | None) -> Pixels:
    """The `Pixels` of some files, kept nowhere."""
    decoding, done = _Decoding(paths, fit, workers), 0
    images = np.empty((len(paths), *fit.shape), np.uint8)
    for stack in decoding.stacks():
        images[done : done + len(stack)] = stack
        done += len(stack)
    return Pixels(images[:done], decoding.damaged)


class PixelCache:
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

    def __init__(self, folder: Path, name: str, made_from: str, shape: Shape) -> None:
        self.made_from, self.shape = made_from, shape
        self.array, self.key_file = folder / f"{name}.npy", folder / f"{name}.json"

    def read(self) -> Pixels | None:
        """The `Pixels` that are kept, or None where they are not of these pictures or damaged."""
        try:
            key = read_object(self.key_file, MOST_KEY)
            status = self.array.stat()
            if not stat.S_ISREG(status.st_mode):
                return None
            if key["made_from"] != self.made_from or key["array"] != [status.st_size, status.st_mtime_ns]:
                return None
            if key.pop("check") != digest_of(key):  # damaged
                return None
            if key["damaged"] and key["decoder"] != kinds.decoder():  # another one may read them
                return None
            images = self._mapped()
            if images.dtype != np.uint8 or images.shape[1:] != self.shape:
                return None
            broken = tuple((int(i), str(reason)) for i, reason in key["damaged"])
            return Pixels(images, broken, np.array(key["counts"], np.int64), key["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _mapped(self) -> AnyArray:
        try:
            return np.load(self.array, mmap_mode="r", allow_pickle=False)
        except OSError:  # a file system without maps
            return np.load(self.array, allow_pickle=False)

    def write(
        self,
        paths: Sequence[str],
        labels: AnyArray,
        classes: Sequence[str],
        fit: Fit,
        workers: int | None,
    ) -> Pixels:
        """Decode everything and keep it; the `Pixels`.

        Raises
        ------
        NotKeptError
            When it cannot be kept, because the place is full or not to be written.
        """
        temporary = self.array.with_name(f".{self.array.name}.{os.getpid()}.tmp")
        with _writing():
            self.array.parent.mkdir(parents=True, exist_ok=True)
            free, size = shutil.disk_usage(self.array.parent).free, len(paths) * math.prod(fit.shape)
            if free < size:
                raise OSError(errno.ENOSPC, f"{size:,} bytes are wanted, {free:,} are free")
            temporary.unlink(missing_ok=True)
            file = open(temporary, "xb")  # noqa: SIM115 closed below; only its opening is reported here
        try:
            with file:
                return self._write(file, temporary, paths, labels, classes, fit, workers)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _write(
        self,
        file: BinaryIO,
        temporary: Path,
        paths: Sequence[str],
        labels: AnyArray,
        classes: Sequence[str],
        fit: Fit,
        workers: int | None,
    ) -> Pixels:
        decoding, digest, done = _Decoding(paths, fit, workers), hashlib.sha256(), 0
        counts = np.zeros((fit.channels, 256), np.int64)
        with _writing():
            file.write(_header(len(paths), fit.shape))
        for stack in decoding.stacks():
            with _writing():
                file.write(stack)
            digest.update(stack)
            counts += byte_counts(stack)
            done += len(stack)
        labels = np.delete(labels, list(decoding.problems))
        with _writing():
            file.seek(0)
            file.write(_header(done, fit.shape))
            status = self._finish(file, temporary)
            key: dict[str, Any] = {
                "made_from": self.made_from,
                "array": [status.st_size, status.st_mtime_ns],
                "fingerprint": fingerprint.of_digest((done, *fit.shape), labels, classes, digest),
                "counts": counts.tolist(),
                "damaged": decoding.damaged,
                "decoder": kinds.decoder(),
            }
            write_atomically(self.key_file, json.dumps(key | {"check": digest_of(key)}).encode())
            return Pixels(self._mapped(), decoding.damaged, counts, key["fingerprint"])

    def _finish(self, file: BinaryIO, temporary: Path) -> os.stat_result:
        """Put the written pixels in their place; their status."""
        file.flush()
        os.fsync(file.fileno())
        status = os.fstat(file.fileno())
        file.close()
        self.key_file.unlink(missing_ok=True)  # it is of the pixels that are replaced now
        os.replace(temporary, self.array)
        flush_folder(self.array.parent)
        return status


def _header(count: int, shape: Shape) -> bytes:
    """The beginning of a .npy file, which is as long for fewer pictures."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    )
    return stream.getvalue()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Turn an OSError into a NotKeptError."""
    try:
        yield
    except OSError as error:
        raise NotKeptError(error.strerror or str(error)) from error
