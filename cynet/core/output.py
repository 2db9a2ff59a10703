"""Where a file can be written that somebody asked for: looked at before any work is done for it."""

import os
from pathlib import Path


def check_output(path: str | os.PathLike[str]) -> None:
    """Raise ValueError when no file can be written at `path`."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"wanted a file, {path} is a folder")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"wanted a file in a folder that exists, got {path}")
    if path.exists() and not path.is_file():
        raise ValueError(f"wanted a file, {path} is something else")
    if not os.access(path.absolute().parent, os.W_OK):
        raise ValueError(f"wanted a file in a folder that can be written, got {path}")
