"""Fetching the published files, so that a file is whole and the authors' own, or not there.

Design: the bytes go to NAME.part, which a later call continues where an earlier one was cut. Size and digest
are checked before the file is renamed into its place; never more than its size is read, whatever a server
sends. A lock keeps two processes from writing the same part. Proxies are those of the environment, as urllib
reads it.

A mirror is the base of an address: the environment's CYNET_MIRROR, or the argument. It is expected to have a
folder for each data set: MIRROR/cifar10/cifar-10-binary.tar.gz, MIRROR/mnist/train-images-idx3-ubyte.gz.
"""

import contextlib
import hashlib
import http.client
import os
import shlex
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cynet.core.files import flush_folder, user_path
from cynet.core.shell import quoted
from cynet.core.types import AnyPath
from cynet.data.progress import ProgressBar

from .sources import PUBLISHED, File

MIRROR = "CYNET_MIRROR"
CHUNK = 1 << 18
TIMEOUT = 30  # seconds of silence
MOST_CUTS = 100  # of a connection that went on a little each time


class _Unusable(Exception):
    """What the server sends is not what continues the part: it must be begun anew."""


class _CannotWrite(Exception):
    """The disk's fault, not the network's."""


def fetch(name: str, root: AnyPath, mirror: str | None = None) -> list[Path]:
    """The files of a published data set, fetched where they are missing or damaged.

    Parameters
    ----------
    name : str
        One of `sources.PUBLISHED`.
    root : path
        The folder of data sets; it is made where it is missing.
    mirror : str, optional
        Base of another address; default: the environment variable CYNET_MIRROR, or the authors' address.

    Returns
    -------
    list of Path

    Raises
    ------
    OSError
        When a file cannot be had, in one line: address, where the file is expected, and the command to fetch
        it by hand.
    ValueError
        When what was sent is not the published file.
    """
    published = PUBLISHED[name]
    mirror = os.environ.get(MIRROR) if mirror is None else mirror
    folder = user_path(root) / published.folder
    files = published.files if published.all_files else published.files[:1]
    found = []
    for file in files:
        address = f"{mirror.rstrip('/')}/{name}/{file.name}" if mirror else file.address
        found.append(fetch_file(file, folder, address))
    return found


def problem(file: File, path: Path) -> str | None:
    """What is wrong with the file at a path: size or digest, or None."""
    size = os.path.getsize(path)
    if size != file.size:
        return f"wanted {file.size} bytes, got {size}"
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return None if found == file.md5 else f"wanted MD5 {file.md5}, got {found}"


def fetch_file(file: File, folder: Path, address: str) -> Path:
    """One published file, fetched into a folder unless it is there; its path. Errors as for `fetch`.

    Parameters
    ----------
    file : sources.File
    folder : Path
    address : str
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"mirror: wanted an address with http:// or https://, got {address!r}")
    path = folder / file.name
    if path.is_file() and problem(file, path) is None:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}.part"
    with open(part, "ab", buffering=0) as stream:
        _lock(stream, part)
        try:
            _complete(stream, file, address, path, part)
            os.fsync(stream.fileno())
            os.replace(part, path)
        except _CannotWrite as error:
            raise OSError(f"cannot write {part}: {error}") from error
        finally:
            if part.exists() and not _size(stream):
                part.unlink()
    flush_folder(folder)
    return path


def _complete(stream: Any, file: File, address: str, path: Path, part: Path) -> None:
    """Bring the part to the whole, checked file, or empty it."""
    resumed = 0 < _size(stream) <= file.size
    _check_space(part.parent, file.size - _size(stream))
    _fill(stream, file, address, path)
    wrong = problem(file, part)
    if wrong and resumed:  # the earlier piece may have been of something else
        stream.truncate(0)
        _fill(stream, file, address, path)
        wrong = problem(file, part)
    if wrong:
        stream.truncate(0)
        raise ValueError(f"{address}: {wrong}; nothing was kept")


def _lock(stream: Any, part: Path) -> None:
    """Refuse to write what another process is writing; the lock goes with the open file."""
    with contextlib.suppress(ImportError):  # Windows has no fcntl, and does not rename open files
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{part}: another process is fetching this file") from None
        except OSError:
            return  # a file system without locks
        if not os.path.exists(part) or os.stat(part).st_ino != os.fstat(stream.fileno()).st_ino:
            raise OSError(f"{part}: another process has just fetched this file; try again")


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(f"{folder}: wanted {size} bytes of disk space, {free} are free")


def _fill(stream: Any, file: File, address: str, path: Path) -> None:
    """Append to the part until it has the size of the file."""
    if _size(stream) > file.size:
        stream.truncate(0)
    anew = False
    with ProgressBar(file.name, file.size, _size(stream), "B") as progress:
        for _ in range(MOST_CUTS):
            before = _size(stream)
            if before == file.size:
                return
            try:
                _receive(stream, file, address, progress)
                reason = "the connection was cut"
            except _Unusable as error:
                stream.truncate(0)
                if anew or not before:
                    raise ValueError(f"{address}: {error}; nothing was kept") from None
                anew = True
                progress.restart()
                continue
            except (OSError, http.client.HTTPException) as error:
                reason = _reason(error)
            if _size(stream) == before:  # no byte more: trying again would not help
                break
    if _size(stream) != file.size:
        raise OSError(_by_hand(address, path, reason))


def _size(stream: Any) -> int:
    return os.fstat(stream.fileno()).st_size


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP status {error.code} {error.reason}"
    return getattr(error, "reason", None) or str(error) or type(error).__name__


def _by_hand(address: str, path: Path, reason: str) -> str:
    reason = " ".join(str(reason).split()) or "no answer"
    command = f"curl -L -o {quoted(path)} {shlex.quote(address)}"
    return f"{address}: cannot be fetched ({reason}); the file is expected at {path}; by hand: {command}"


def _receive(stream: Any, file: File, address: str, progress: ProgressBar) -> None:
    """Append what one request brings, but not more than the file has."""
    start = _size(stream)
    headers = {"User-Agent": "cynet", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        request = urllib.request.Request(address, headers=headers)
        response = urllib.request.build_opener().open(request, timeout=TIMEOUT)  # reads the proxies now
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            raise _Unusable(f"wanted the bytes from {start} on, the server has no such range") from None
        raise
    with response:
        if start and response.status != http.client.PARTIAL_CONTENT:  # the whole file again
            stream.truncate(0)
            progress.restart()
            start = 0
        elif start:
            _check_range(response.headers.get("Content-Range", ""), start, file.size)
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) != file.size - start:
            raise _Unusable(f"wanted a file of {file.size} bytes, the server has {start + int(length)}")
        while part := response.read(CHUNK):
            start += len(part)
            if start > file.size:
                raise _Unusable(f"wanted a file of {file.size} bytes, the server sends more")
            _write(stream, part)
            progress.add(len(part))


def _write(stream: Any, part: bytes) -> None:
    rest = memoryview(part)
    try:
        while rest:
            rest = rest[stream.write(rest) :]
    except OSError as error:
        raise _CannotWrite(error.strerror or error) from error


def _check_range(text: str, start: int, size: int) -> None:
    """Whether a Content-Range says what was asked for."""
    if text not in (f"bytes {start}-{size - 1}/{size}", f"bytes {start}-{size - 1}/*"):
        raise _Unusable(f"wanted bytes {start}-{size - 1}/{size}, the server sends {text!r}")
