"""The page of a run, which the room above writes: a run is trained and kept without that room as well."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from .folder import WEIGHTS

ROOM, WRITER = "cynet.report", "cynet.report.writing"


def write_report(
    run: Path, output: Path, weights: str = WEIGHTS, say: Callable[[str], object] = print
) -> None:
    """Write the page of a run at its end.

    Parameters
    ----------
    run, output : Path
        Of the run folder and the page.
    weights : str, optional
        The file in the run folder.
    say : callable, optional
        Told what was written, and what is wrong with the run, in a line each.

    Raises
    ------
    ValueError
        When this cynet has no room that writes pages.
    PlotsError
        When the page is written, and the PNG files cannot be.
    OSError
        When the page cannot be.
    """
    if importlib.util.find_spec(ROOM) is None:
        raise ValueError(f"wanted {ROOM}, which writes it, got a cynet without that room")
    importlib.import_module(WRITER).write_report(run, output, weights, say)
