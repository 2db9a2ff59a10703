"""The JSON file of a run of `cynet bench`."""

import json

from cynet.core.files import write_atomically


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
