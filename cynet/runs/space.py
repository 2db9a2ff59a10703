"""Whether a disk has the space that a run takes."""

import errno
import os
import shutil

from cynet.core.files import open_new, placed, remove

SAFETY = 2**20  # bytes that are to stay free
FILES = 5  # of a checkpoint's size: two checkpoints, two files of weights, and the one being written


def reserve(folder, trial, size):
    """Raise OSError where a checkpoint of `size` bytes, with all that is kept beside it, has no room.

    Parameters
    ----------
    folder : Path
    trial : Path
        Of a file in it that is written, and removed.
    size : int
    """
    wanted = FILES * size + SAFETY
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OSError(errno.ENOSPC, f"{folder}: a run needs {wanted:,} bytes there, only {free:,} are free")
    place = placed(trial)
    try:
        with open_new(*place) as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        text = f"{folder}: cannot write {size:,} bytes, as a checkpoint takes: {error.strerror}"
        raise OSError(error.errno, text) from error
    finally:
        remove(*place)
