"""Files that belong to one folder, as those of a run: never another file that a link there leads to.

A path that a user gave is followed wherever it leads. The name of a file that a program reads, writes or
appends to in a folder by itself is another matter: it goes through `own_file` or `own_target` each time, so
that who prepared the folder decides nothing about files elsewhere, nor lets one file of it be written as
another. What is read may be a link within the folder; what is written is none. A file that has several names
(hard links, as `cp -al` makes them) is never changed in place: it is replaced, or `open_appending` and
`open_changing` copy it before.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .files import KINDS, HeldPath, copy_own, mode_of, placed, read_regular, worded
from .names import unused

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import IO, Any, BinaryIO

OTHERS = ((stat.S_ISREG, "a file"), (stat.S_ISLNK, "a link that leads nowhere"), *KINDS)  # than a folder
DEEPEST = 100  # objects and lists within each other


def own_path(path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Path:
    """A path in a folder, where neither it nor a folder on the way is a link that leaves the folder.

    Links within the folder, and hard links, are as good as files; what is to be written is `own_target`.

    Parameters
    ----------
    path : str or Path
        There need be nothing.
    folder : str or Path, optional
        Default: that around `path`.

    Returns
    -------
    Path
        As given.

    Raises
    ------
    OSError
        Naming the path and where it leads.
    """
    path = Path(path)
    root = os.path.realpath(path.parent if folder is None else folder)
    target = os.path.realpath(path)
    if not Path(target).is_relative_to(root):
        raise OSError(errno.EPERM, f"{path}: wanted a file in {root}, got a link that leaves it, to {target}")
    return path


def own_file(path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Path:
    """`own_path` of a regular file, or of none yet; what is something else is refused, and never waited for.

    Raises
    ------
    OSError
        As `own_path`; or when there is a folder, a pipe, a socket or a device, or a link that leads nowhere.
    """
    path = own_path(path, folder)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if os.path.islink(path) and error.errno in (errno.ENOENT, errno.ELOOP):
            nowhere = f"wanted a regular file, got a link that leads nowhere, to {os.readlink(path)}"
            raise OSError(errno.EPERM, f"{path}: {nowhere}") from None
        if isinstance(error, FileNotFoundError):
            return path
        raise
    return _regular(path, mode)


def own_target(path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Path:
    """`own_file` that is to be written: it is no link either, for that would write another file.

    A link of the folder itself, or of one on the way within it, is none of the file. Of a `HeldPath` what
    lies in the open folder counts, whatever stands at the path.

    Raises
    ------
    OSError
        As `own_file`; or when it is a symbolic link.
    """
    place, held = placed(path)
    mode = None if held is None else mode_of(place, held)
    if isinstance(path, HeldPath) and held is not None and (mode is None or not stat.S_ISLNK(mode)):
        return path if mode is None else _regular(path, mode)
    path = own_file(path, folder)
    if held is not None or os.path.islink(path):
        got = f"got a link, to {os.readlink(place, dir_fd=held)}"
        raise OSError(errno.EPERM, f"{path}: wanted a file to write and no link, {got}")
    return path


def _regular(path: Path, mode: int) -> Path:
    if not stat.S_ISREG(mode):
        got = next((name for test, name in KINDS if test(mode)), "something else")
        raise OSError(errno.EINVAL, f"{path}: wanted a regular file, got {got}")
    return path


def open_appending(
    path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None, **how: Any
) -> IO[Any]:
    """`own_target`, open for appending; made where there is none, and first copied where it has other names.

    Parameters
    ----------
    path, folder
        As for `own_target`.
    **how
        As for `open`: encoding, errors, buffering.
    """
    return open(_changing(path, folder, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a", **how)


def open_changing(path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> BinaryIO:
    """`own_target`, open for changing bytes in it; it is first copied where it has other names."""
    return open(_changing(path, folder, os.O_RDWR), "r+b")


def _changing(path: str | os.PathLike[str], folder: str | os.PathLike[str] | None, flags: int) -> int:
    """The descriptor of a file that has no other name, which would be changed with it."""
    path = own_target(path, folder)
    place, held = placed(path)
    if mode_of(place, held) is not None and os.stat(place, dir_fd=held).st_nlink > 1:
        copy_own(path)
    more = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(place, flags | more, 0o666, dir_fd=held)
    try:
        _regular(path, os.fstat(descriptor).st_mode)
        return descriptor
    except BaseException:
        os.close(descriptor)
        raise


@contextlib.contextmanager
def opened_own(folder: Path) -> Iterator[int]:
    """The descriptor of a folder within another one, open in this context; it is made where there is none.

    Parameters
    ----------
    folder : Path
        Of a `HeldPath` what lies in the open folder counts.

    Raises
    ------
    OSError
        As `own_path`; or when there is something else.
    """
    place, held = placed(folder)
    with contextlib.suppress(FileExistsError):
        os.mkdir(place, dir_fd=held)
    mode = mode_of(place, held)
    if stat.S_ISLNK(mode or 0):
        place, held = own_path(folder), None
        if os.path.exists(place):
            mode = os.stat(place).st_mode
    if mode is not None and not stat.S_ISDIR(mode):
        got = next((name for test, name in OTHERS if test(mode)), "something else")
        raise OSError(errno.ENOTDIR, f"{folder}: wanted a folder, got {got}")
    descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0), dir_fd=held)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_at(file: IO[Any] | int, path: Path) -> bool:
    """Whether an open file, or a descriptor, is what stands at a path, itself and not by a link."""
    place, held = placed(path)
    try:
        own = os.fstat(file if isinstance(file, int) else file.fileno())
        return os.path.samestat(own, os.lstat(place, dir_fd=held))
    except OSError:
        return False


def set_aside(path: Path, mark: str = "damaged", stays: bool = False) -> Path:
    """Give what lies at a path another name beside it, never that of something else.

    Parameters
    ----------
    path : Path
    mark : str, optional
        What its name then has before its ending: last.damaged.ckpt.
    stays : bool, optional
        Whether a regular file, which is replaced next, stays in its place until then where it can.

    Returns
    -------
    Path
        The new one.
    """
    place, held = placed(path)
    both: Any = {"src_dir_fd": held, "dst_dir_fd": held}
    aside = place.with_name(f"{place.stem}.{mark}{place.suffix}")
    aside = unused(aside, lambda each: mode_of(each, held) is not None)
    if stays and stat.S_ISREG(mode_of(place, held) or 0):
        with contextlib.suppress(OSError):  # a file system without links
            os.link(place, aside, **both)
            return path.with_name(aside.name)
    os.rename(place, aside, **both)
    return path.with_name(aside.name)


def read_object(
    path: str | os.PathLike[str], most: int, folder: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """The object in a JSON file of a folder.

    Parameters
    ----------
    path, folder
        As for `own_file`.
    most : int
        Bytes that the file may have.

    Returns
    -------
    dict of str
        Of dict, list, str, bool, None, int, and floats that are finite.

    Raises
    ------
    OSError
        As `own_file`, or when it cannot be read.
    ValueError
        Naming the file, when it is no JSON, no object, nested more than `DEEPEST` times, or too large.
    """
    content = read_regular(own_file(path, folder), most)
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_float=_finite, parse_constant=_finite)
        _measure(found)
    except RecursionError:
        raise ValueError(f"{path}: wanted at most {DEEPEST} levels of JSON, got more") from None
    except ValueError as error:
        raise ValueError(f"{path}: {worded(error)}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: wanted an object of JSON, got {type(found).__name__}")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if value - value:  # an infinity's or NaN's is NaN
        raise ValueError(f"wanted finite numbers, got {text}")
    return value


def _measure(value: Any, levels: int = DEEPEST) -> None:
    if not levels:
        raise RecursionError
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _measure(each, levels - 1)
