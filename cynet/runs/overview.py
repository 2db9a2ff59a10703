"""What the runs in a folder came to, as their files tell: for `cynet runs`."""

import os
import re
from dataclasses import dataclass
from math import isfinite

from cynet.core.files import user_path
from cynet.core.tasks import measures_of

from . import contents
from .cells import last_row
from .configuration import CONFIG, ORIGIN
from .contents import Contents
from .filenames import METRICS, STEPS
from .hold import in_use
from .outcome import FAILED, FINISHED, RUNNING, STOPPED
from .settings import DEFAULTS, FREE
from .validation import measure_in


@dataclass(frozen=True)
class Overview:
    """A run in a few values, None where one is not known.

    Attributes
    ----------
    run : Contents
    state : str
        "running", "finished", "failed" (it ended with an error), or "stopped".
    measure : str or None
        What the accuracy is of: "test" or "validation".
    best : float or None
        The best accuracy of an evaluation; of other tasks than classes the best of their score.
    best_step : int or None
    step, steps : int or None
        How many were taken, and how many there are to be.
    seconds : float or None
    """

    run: Contents
    state: str
    measure: str | None
    best: float | None
    best_step: int | None
    step: int | None
    steps: int | None
    seconds: float | None

    @property
    def settings(self):
        """Every setting, by name; what the configuration has not is as by default. {} without one."""
        if not self.run.config:
            return {}
        return DEFAULTS | {name: value for name, value in self.run.plain.items() if name in DEFAULTS}

    @property
    def problems(self):
        """What of its files cannot be read; nobody looks into the table of its steps."""
        return self.run.notes(("config", "environment", "epochs"))


def read(path):
    """The `Overview` of the run in a folder; a ValueError says that it is none."""
    run = contents.read(path)
    epochs, last = run.epochs, last_row(run.path / STEPS)
    measure = measure_in(epochs)
    measures = measures_of(run.task)
    values = epochs.get(f"{measure}_{measures.score}", [])
    known = [row for row, value in enumerate(values) if value is not None]
    pick = max if measures.higher else min
    row = pick(known, key=lambda each: values[each], default=None)  # the first of equal ones
    step, seconds = (_greatest(_at(epochs, name, -1), last.get(name)) for name in ("step", "seconds"))
    steps = _whole(run.plain.get("steps"))
    return Overview(
        run, _state(run, steps, row), measure, _at(epochs, f"{measure}_{measures.score}", row),
        _whole(_at(epochs, "step", row)), _whole(step), steps, seconds,
    )  # fmt: skip


def _state(run, steps, best_row):
    """The state of a run, the best evaluation of which stands in that row of its metrics."""
    if in_use(run.path):
        return RUNNING
    evaluated, patience = _at(run.epochs, "step", -1), _whole(run.plain.get("patience"))
    best, last = _at(run.epochs, "epoch", best_row), _at(run.epochs, "epoch", -1)
    out_of_patience = patience and best and last and last - best >= patience
    if (steps and evaluated and evaluated >= steps) or out_of_patience:
        return FINISHED
    return FAILED if any(line.startswith("error: ") for line in run.said) else STOPPED


def _at(columns, name, row):
    """A cell of a table, None where there is none."""
    column = columns.get(name)
    return column[row] if column and row is not None else None


def _whole(value):
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    return int(value) if known else None


def _greatest(*values):
    return max((value for value in values if value is not None), default=None)


def read_all(path):
    """The runs in a folder, or the one that it is.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    runs : list of Overview
        In the order of their names, in which numbers count as numbers.
    others : list of str
        The names of folders that are no runs.

    Raises
    ------
    ValueError, OSError
        When it is no folder, or cannot be read.
    """
    path = user_path(path)
    if not path.is_dir():
        raise ValueError(f"{'wanted a folder, got' if path.exists() else 'no such folder:'} {path}")
    if _is_run(path):
        return [read(path)], []
    names = [name for name in os.listdir(path) if os.path.isdir(path / name) and not name.startswith(".")]
    names.sort(key=_natural)
    found = [read(path / name) for name in names if _is_run(path / name)]
    return found, [name for name in names if not _is_run(path / name)]


def _is_run(path):
    return any(os.path.lexists(path / name) for name in (CONFIG, METRICS))  # whatever stands there


def _natural(name):
    """A key of sorting that has run-2 before run-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def differing(runs):
    """The settings in which runs differ, and on which the weights depend; where their data lie among them.

    What each run settled by itself, as the drops of the rate that follow from the number of steps, is none.

    Parameters
    ----------
    runs : sequence of Overview

    Returns
    -------
    list of str
        In the order of `Settings`.
    """
    runs = [each for each in runs if each.settings]
    return [
        name
        for name in DEFAULTS
        if (name not in FREE or name == "data_dir")
        and len({str(each.settings[name]) for each in runs}) > 1
        and not all(_is_default(each.run, name) for each in runs)
    ]


def _is_default(run, name):
    origins = run.config.get(ORIGIN)
    return isinstance(origins, dict) and origins.get(name, "default") == "default"


def plain(value):
    """A value of a configuration for JSON, which knows no NaN and no dates."""
    finite = isinstance(value, float) and isfinite(value)
    return value if value is None or finite or isinstance(value, (str, bool, int)) else str(value)


def document(runs, others):
    """All that is known of some runs, as plain values for JSON.

    Parameters
    ----------
    runs : sequence of Overview
    others : list of str
        As of `read_all`.

    Returns
    -------
    dict
    """
    return {
        "differing": differing(runs),
        "runs": [
            {
                "run": each.run.name,
                "path": str(each.run.path),
                "state": each.state,
                "measure": each.measure,
                "best": each.best,
                "best_step": each.best_step,
                "step": each.step,
                "steps": each.steps,
                "seconds": each.seconds,
                "begun": each.run.environment.get("time"),
                "settings": {name: plain(value) for name, value in each.settings.items()},
                "problems": list(each.problems),
            }
            for each in runs
        ],
        "others": others,
    }
