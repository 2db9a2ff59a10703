"""The JSON file of a run of `cynet bench`."""

import json
import os
from pathlib import Path

from cynet.core.files import write_atomically


def check(path):
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


def write(path, command, environment, settings, reports):
    """Write all that was measured.

    Parameters
    ----------
    path : str or Path
    command : str
    environment : dict
        As `environment.describe` returns it.
    settings : dict
        The flags.
    reports : list of Report

    Notes
    -----
    Times are in seconds, sizes in bytes, rates per second: {"command", "environment", "settings",
    "results": [{"command", "rows", "notes", ...}, ...]}.
    """
    results = [report.document() for report in reports]
    whole = {"command": command, "environment": environment, "settings": settings, "results": results}
    write_atomically(path, (json.dumps(whole, indent=1) + "\n").encode())
