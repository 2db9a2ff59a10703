"""Files that are whole or not there: written beside their place, then renamed into it."""

import errno
import os
from pathlib import Path


def user_path(path):
    """A path as a Path, with the home folder in place of a ~ at its beginning."""
    return Path(os.path.expanduser(path))


def write_atomically(path, data, previous=None):
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
    path = Path(os.path.realpath(user_path(path)))  # through a symbolic link, as open does
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():  # a rename would put an end to /dev/null
            raise OSError(errno.EINVAL, "there is something that is no regular file")
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if previous and path.exists():
                _keep(path, path.with_name(previous))
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        flush_folder(path.parent)
    except OSError as error:
        reason = f"cannot write {path} ({len(data)} bytes): {error.strerror or error}"
        raise type(error)(error.errno, reason) from error


def _keep(path, previous):
    """Give a file a second name, so that there is no moment without one of the first."""
    link = previous.with_name(f".{previous.name}.{os.getpid()}.tmp")
    try:
        os.link(path, link)
    except OSError:  # a file system without links
        os.replace(path, previous)
        return
    os.replace(link, previous)
    link.unlink(missing_ok=True)  # rename does nothing where both names are the same file already


def remove_temporaries(folder):
    """Remove what `write_atomically` left in a folder when its process was killed."""
    for path in Path(folder).iterdir():
        if is_temporary(path.name):
            path.unlink(missing_ok=True)


def is_temporary(name):
    """Whether a file's name is one of those that `write_atomically` gives to what is not yet whole."""
    return name.startswith(".") and name.endswith(".tmp")


def flush_folder(folder):
    """Make renames in `folder` last through a power cut, where the system offers it."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
