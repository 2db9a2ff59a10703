"""Files that are whole or not there: written beside their place, then renamed; and no others are read."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from io import BufferedReader
    from typing import Any, BinaryIO

    _SystemPath = Path
else:
    _SystemPath = type(Path())  # before Python 3.12 the class of a path itself has no heirs

CHUNK = 1 << 16  # bytes
KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


class DamagedError(ValueError):
    """A file of which a byte is missing, added or changed, or that is none of its kind; or some of them."""


class HeldPath(_SystemPath):
    """The path of a file in a folder that is kept open: it is looked up in that folder, nowhere else.

    So what is written by it lies in the folder that was meant, also where that was moved, or another one put
    in its place, in this very moment. The functions here and in `cynet.core.folder` that open, write, rename
    or remove take it so; for everybody else it is a path as any.

    Attributes
    ----------
    folder : int or None
        The folder's descriptor; None: it is looked up by its path.
    """

    folder: int | None = None

    @classmethod
    def of(cls, path: str | os.PathLike[str], folder: int | None) -> HeldPath:
        """That of a file which lies in an open folder itself."""
        held = cls(path)
        held.folder = folder
        return held


def placed(path: str | os.PathLike[str]) -> tuple[Any, int | None]:
    """What the system is to look up for a path, and the `dir_fd` of the folder that it begins in, or None."""
    folder = getattr(path, "folder", None)
    return (path, None) if folder is None else (Path(os.path.basename(path)), folder)


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """A regular file, open for reading bytes; what is none is refused at once, and never waited for.

    Raises
    ------
    OSError
        When it cannot be opened, or is a folder, a pipe, a socket or a device.
    """
    # Without O_NONBLOCK a pipe's opening waits for somebody who writes to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    place, folder = placed(path)
    descriptor = os.open(place, flags, dir_fd=folder)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            got = next((name for test, name in KINDS if test(mode)), "something else")
            raise OSError(errno.EINVAL, f"{os.fspath(path)}: wanted a regular file, got {got}")
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a regular file that has at most `most` of them.

    Raises
    ------
    OSError
        As `open_regular`.
    ValueError
        When it is larger; nothing is read then.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"{os.fspath(path)}: wanted a file of at most {most:,} bytes, got {size:,}")
        content = file.read(size + 1)
        while size < len(content) <= most and (part := file.read(CHUNK)):  # it grew, or told no size
            content += part
    if len(content) > most:
        raise ValueError(f"{os.fspath(path)}: wanted a file of at most {most:,} bytes, got more")
    return content


def digest_of(path: str | os.PathLike[str], most: int | None = None) -> str:
    """The SHA-256 of a regular file, in hexadecimal digits.

    Parameters
    ----------
    path : str or Path
    most : int, optional
        Bytes that it may have.

    Raises
    ------
    OSError
        As `open_regular`.
    ValueError
        When it has more than `most`; nothing is read then.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise ValueError(f"{os.fspath(path)}: wanted a file of at most {most:,} bytes, got {size:,}")
        return hashlib.file_digest(file, "sha256").hexdigest()


def reason(error: BaseException) -> str:
    """What an error says, with the file that the system names beside it."""
    text = str(getattr(error, "strerror", None) or error)
    file = getattr(error, "filename", None)
    return f"{file}: {text}" if isinstance(file, str) and file not in text else text


def worded(error: BaseException) -> str:
    """What an error of Python's parsers says, in words of our own where a number has too many digits."""
    if "set_int_max_str_digits" not in str(error):
        return str(error)
    return f"wanted numbers of at most {sys.get_int_max_str_digits():,} digits, got more"


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path as a Path, with the home folder in place of a ~ at its beginning.

    Raises
    ------
    TypeError, ValueError
        When it is no path, or one that no file can have.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise TypeError(f"path: wanted a str or a Path, got {path!r:.200}")
    if "\0" in os.fspath(path):
        raise ValueError(f"path: wanted the name of a file or folder, got one with NUL: {path!r:.200}")
    return Path(os.path.expanduser(path))


def write_atomically(path: str | os.PathLike[str], data: bytes, previous: str | None = None) -> None:
    """Write a file so that a crash, a full disk or a reader never meets half of it.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed; then the
    folder is flushed too. On any error the temporary file is removed and an older `path` stays as it was.

    Parameters
    ----------
    path : str or Path
    data : bytes
    previous : str, optional
        Keep an older `path` under this name in the same folder.

    Raises
    ------
    OSError
        Naming the path, the size and the cause; also where there is a folder, a pipe or a device.
    """
    try:
        with whole_file(path, previous) as file:
            file.write(data)
    except OSError as error:
        place = path if placed(path)[1] is not None else os.path.realpath(user_path(path))
        text = f"cannot write {place} ({len(data)} bytes): {error.strerror or error}"
        raise type(error)(error.errno, text) from error


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], previous: str | None = None) -> Iterator[BinaryIO]:
    """A file to write to, which takes its place where the context ends well: see `write_atomically`."""
    place, folder = placed(path)
    if folder is None:
        place = Path(os.path.realpath(user_path(path)))  # through a symbolic link, as open does
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    mode = mode_of(place, folder)
    if mode is not None and not stat.S_ISREG(mode):  # a rename would put an end to /dev/null
        raise OSError(errno.EINVAL, "there is something that is no regular file")
    try:
        with open_new(temporary, folder) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous and mode_of(place, folder) is not None:
            _keep(place, place.with_name(previous), folder)
        os.replace(temporary, place, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        remove(temporary, folder)
        raise
    if folder is None:
        flush_folder(place.parent)
    else:
        os.fsync(folder)


def mode_of(place: str | os.PathLike[str], folder: int | None = None) -> int | None:
    """What lies at a place, a link not followed: the mode of `os.stat`, None where there is nothing."""
    try:
        return os.lstat(place, dir_fd=folder).st_mode
    except FileNotFoundError:
        return None


def open_new(place: str | os.PathLike[str], folder: int | None = None) -> BinaryIO:
    """A file that was not there, open for writing bytes."""
    return open(place, "xb", opener=lambda name, flags: os.open(name, flags, 0o666, dir_fd=folder))


def remove(place: str | os.PathLike[str], folder: int | None = None) -> None:
    """Remove a file, where it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place, dir_fd=folder)


def copy_own(path: Path) -> None:
    """Let a path be a file of its own, equal to the one that it was; other names keep that one."""
    with open_regular(path) as file, whole_file(path) as copy:
        shutil.copyfileobj(file, copy)
        os.chmod(copy.fileno(), stat.S_IMODE(os.fstat(file.fileno()).st_mode))


def _keep(path: Path, previous: Path, folder: int | None) -> None:
    """Give a file a second name, so that there is no moment without one of the first."""
    link = previous.with_name(f".{previous.name}.{os.getpid()}.tmp")
    both: Any = {"src_dir_fd": folder, "dst_dir_fd": folder}
    try:
        os.link(path, link, **both)
    except OSError:  # a file system without links
        os.replace(path, previous, **both)
        return
    os.replace(link, previous, **both)
    remove(link, folder)  # rename does nothing where both names are the same file already


def remove_temporaries(folder: str | os.PathLike[str] | int) -> None:
    """Remove what `write_atomically` left in a folder, a path or a descriptor, as its process was killed."""
    with os.scandir(folder) as entries:
        left = [entry for entry in entries if is_temporary(entry.name)]
    for entry in left:
        if not entry.is_dir(follow_symlinks=False):
            remove(entry.path, folder if isinstance(folder, int) else None)


def is_temporary(name: str) -> bool:
    """Whether a file's name is one of those that `write_atomically` gives to what is not yet whole."""
    return name.startswith(".") and name.endswith(".tmp")


def flush_folder(folder: str | os.PathLike[str]) -> None:
    """Make renames in `folder` last through a power cut, where the system offers it."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
