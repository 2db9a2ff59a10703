"""Where a run's folder may be made, and how the next one is called."""

import os
import re

from cynet.core.files import is_temporary, user_path

from .hold import LOCK


def check(path):
    """Raise OSError when `path` cannot become a run's folder; nothing is written."""
    path = user_path(path)
    if path.is_dir():
        if not all(entry.name == LOCK or is_temporary(entry.name) for entry in path.iterdir()):
            raise FileExistsError(f"wanted a new or empty folder, {path} holds files")
        nearest = path
    else:
        nearest = next(folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder))
        if not nearest.is_dir():
            raise NotADirectoryError(f"wanted a folder, {nearest} is none")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"{nearest}: no permission to write there")


def numbered(parent, name):
    """Make the folder `parent`/NAME-N with the least N above those that exist; its path.

    Parameters
    ----------
    parent : Path
    name : str

    Raises
    ------
    OSError
    """
    parent.mkdir(parents=True, exist_ok=True)
    pattern = re.compile(re.escape(name) + r"-(\d+)")
    numbers = [int(m[1]) for m in (pattern.fullmatch(entry.name) for entry in parent.iterdir()) if m]
    number = max(numbers, default=0) + 1
    while True:
        try:
            (parent / f"{name}-{number}").mkdir()
            return parent / f"{name}-{number}"
        except FileExistsError:  # another run took it in this moment
            number += 1
