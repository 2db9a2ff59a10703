"""matplotlib, an extra of the package: imported when a figure is drawn, and without a word of its own."""

from __future__ import annotations

import logging

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

EXTRA = "plots need matplotlib, which is an extra: pip install 'cynet[plots]'"


def figure_class() -> Any:
    """matplotlib's Figure.

    Raises
    ------
    ImportError
        Without matplotlib, naming the extra; or where it finds no folder that it can write its caches to.
    """
    log = logging.getLogger("matplotlib")
    before = log.level
    log.setLevel(logging.ERROR)  # where the home folder cannot be written it takes another one, at length
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(EXTRA) from error
    except OSError as error:
        text = "plots need a folder for the caches of matplotlib, to be named in MPLCONFIGDIR"
        raise ImportError(f"{text}: {error}") from error
    finally:
        log.setLevel(before)
    return Figure
