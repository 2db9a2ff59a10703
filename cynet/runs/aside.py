"""What a run can go on without: where it cannot be read it gets another name, so that it is not lost."""

import errno
import os

from cynet.core.files import reason
from cynet.core.folder import own_target, set_aside

from . import checkpoint, records
from .records import ENVIRONMENT, TESTED

CHECKPOINTS = checkpoint.NAME, checkpoint.PREVIOUS
READERS = {  # of files without which a run can go on: each reads one, or raises
    ENVIRONMENT: lambda path: records.environment(own_target(path).parent),
    TESTED: lambda path: records.tested(own_target(path).parent),
} | dict.fromkeys(CHECKPOINTS, own_target)  # what is in one is another matter, see `checkpoint.load_latest`
REFUSED = errno.EINVAL, errno.EPERM  # what `own_target` raises


def set_unread_aside(folder):
    """Give what cannot be read of the files of `READERS` in a folder other names.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of str
        A line for each.

    Raises
    ------
    OSError
        When that would leave no checkpoint of some, or one cannot be opened at all.
    """
    problems = {}
    for name, read in READERS.items():
        try:
            read(folder / name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in REFUSED:
                raise
            problems[name] = error
    there = [name for name in CHECKPOINTS if os.path.lexists(folder / name)]
    if there and all(name in problems for name in there):
        raise problems[there[0]]
    return [
        f"note: {reason(error)}; set aside as {set_aside(folder / name).name}"
        for name, error in problems.items()
    ]
