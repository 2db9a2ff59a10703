"""A run's folder held by the process that trains in it, so that no other one does, wherever the folder goes.

Design: the folder stays open for as long, and it is locked itself beside the file in it. Who renames or
replaces the folder, or removes the file, changes neither; what stands at the path is compared with what is
open. Where a file system locks no folders the file's lock alone keeps others out. What a run writes is looked
up in the open folder (`HeldPath`), so that it lies there also where the folder is moved during a save.
"""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

from cynet.core.files import HeldPath
from cynet.core.folder import is_at, own_file, own_target

LOCK = ".lock"
MOVES = 20  # that a folder may make while one looks where it is
LOOKS = (0.005, 0.02, 0.05)  # seconds to wait for those who only look whether a run is locked
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)


class GoneError(OSError):
    """The folder that a run is trained in is no more, or nobody can tell where it is."""


class Hold:
    """The lock on a run's folder; it is given back by `close`, or when the process ends.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    folder : int
        The folder's descriptor.

    Raises
    ------
    BlockingIOError
        When another process holds it.
    OSError
        When the folder, or the file for the lock in it, cannot be opened.
    """

    def __init__(self, path):
        with contextlib.ExitStack() as stack:
            self.folder = os.open(path, FOLDER)
            stack.callback(os.close, self.folder)
            self._file = self._open_lock(path)
            stack.callback(lambda: os.close(self._file))
            try:
                _take_folder(self.folder)
                _take(self._file)
            except BlockingIOError as error:
                raise _in_use(path, self._file) from error
            if os.fstat(self._file).st_nlink > 1:  # a copy of the folder made of hard links has it too
                os.unlink(LOCK, dir_fd=self.folder)
                self.renew(path)
            _sign(self._file)
            self._closing = stack.pop_all()

    def close(self):
        """Give the folder back."""
        self._closing.close()

    def place(self, path):
        """Where the folder is now that was at `path`.

        Raises
        ------
        GoneError
            When it was removed, or is where no path leads to.
        OSError
            When nobody can tell, as while a disk in a network is away.
        """
        if self._is_at(path):
            return path
        for _ in range(MOVES):
            place = _place_of(self.folder)
            if place is None or not os.fstat(self.folder).st_nlink:
                break
            if self._is_at(place):
                return place
        there = ", and what stands there now is another one" if os.path.lexists(path) else ""
        reason = f"{path}: the run's folder was removed{there}: nothing more is written"
        raise GoneError(errno.ENOENT, reason)

    def _is_at(self, path):
        """Whether a path leads to the folder."""
        own = os.fstat(self.folder)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not own.st_nlink:  # it was removed
            return False
        # Some file systems number a folder anew from time to time.
        return os.path.samestat(own, found) or (
            own.st_dev == found.st_dev and _place_of(self.folder) == Path(os.path.realpath(path))
        )

    def renew(self, path):
        """Put the file for the lock back into the folder, now at `path`; whether it was not there.

        Raises
        ------
        BlockingIOError
            When another process has put one there, and holds it.
        """
        if is_at(self._file, HeldPath.of(path / LOCK, self.folder)):
            return False
        file = self._open_lock(path)
        try:
            _take(file)
            _sign(file)
        except BlockingIOError as error:
            raise _in_use(path, file) from error
        else:
            self._file, file = file, self._file
            return True
        finally:
            os.close(file)

    def _open_lock(self, path):
        own_target(HeldPath.of(path / LOCK, self.folder))
        more = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
        return os.open(LOCK, os.O_RDWR | os.O_CREAT | more, 0o644, dir_fd=self.folder)


def _sign(file):
    os.ftruncate(file, 0)
    os.pwrite(file, str(os.getpid()).encode(), 0)


def _in_use(path, file):
    holder = os.pread(file, 40, 0).decode(errors="replace").strip()
    who = f"process {holder}" if holder.isdecimal() else "another process"
    return BlockingIOError(errno.EAGAIN, f"{path} is in use: {who} trains there")


def _take(descriptor):
    """Lock a file for this process; it is tried again, for somebody may just be looking whether it is."""
    for pause in LOOKS:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _take_folder(descriptor):
    """As `_take`, of a folder; it does nothing where the file system locks none."""
    try:
        _take(descriptor)
    except BlockingIOError:
        raise
    except OSError:
        pass


def _place_of(descriptor):
    """The path of an open folder, None where the system does not tell it."""
    try:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError:
        return None


def in_use(path):
    """Whether a process trains in a run's folder now, on this machine or on one that shares the folder."""
    looks = (lambda: os.open(path, FOLDER), lambda: _open_to_look(Path(path, LOCK)))
    return any(map(_is_locked, looks))


def _open_to_look(path):
    return os.open(own_file(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))


def _is_locked(opened):
    try:
        descriptor = opened()
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False
