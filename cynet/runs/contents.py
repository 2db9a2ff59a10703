"""What a run folder holds, read so that a missing or torn file is a note and no error."""

import math
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cynet.core.files import open_regular, reason, user_path
from cynet.core.folder import own_file
from cynet.interop.kinds import kind_of

from . import cells, configuration, records
from .configuration import CONFIG
from .folder import ENVIRONMENT, LOG, METRICS, STEP_COLUMNS, metrics_columns
from .validation import TEST, VALIDATION

STEPS = "steps.csv"
POINTS = 400  # of a curve on the page
LOGGED = 1 << 24  # bytes at the end of a log that are looked at


@dataclass(frozen=True)
class Run:
    """A run folder as it was read.

    Attributes
    ----------
    path : Path
    config : dict
    environment : dict
    epochs, steps : dict of str to list of (float or None)
        The columns of metrics.csv and steps.csv that are known, in the order of steps; None where a cell
        holds no finite number. "step" has one in every row.
    missing : tuple of str
        A sentence for each file that is not there or cannot be read, and for what of a table was left out.
    said : tuple of str
        The diagnoses and errors in its log.
    """

    path: Path
    config: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    epochs: dict = field(default_factory=dict)
    steps: dict = field(default_factory=dict)
    missing: tuple = ()
    said: tuple = ()

    @property
    def name(self):
        return self.path.absolute().name

    @property
    def measure(self):
        """What the evaluations of its metrics are of: "test" or "validation"."""
        return VALIDATION if f"{VALIDATION}_loss" in self.epochs else TEST

    @property
    def settings(self):
        """The configuration without its tables."""
        return {key: value for key, value in self.config.items() if not isinstance(value, dict)}


def read(path, steps=True):
    """The `Run` in a folder.

    Parameters
    ----------
    path : str or Path
    steps : bool, optional
        Whether to read the table of steps too.

    Raises
    ------
    ValueError
        When `path` is no folder, or holds neither a configuration nor metrics.
    """
    path, missing = user_path(path), []
    if not path.exists():
        raise ValueError(f"no such run folder: {path}")
    if not path.is_dir():
        raise ValueError(f"wanted a run folder, got {path}, {kind_of(path) or 'a safetensors file'}")
    if not any(os.path.lexists(path / name) for name in (CONFIG, METRICS)):
        raise ValueError(f"wanted a run folder, {path} holds neither {CONFIG} nor {METRICS}")
    found = {
        "config": _read(path / CONFIG, lambda path: configuration.read_run(path).told, missing),
        "environment": _read(path / ENVIRONMENT, lambda _: records.environment(path), missing),
        "epochs": _table(path / METRICS, missing),
        "steps": _table(path / STEPS, missing) if steps else {},
    }
    return Run(path, **found, missing=tuple(missing), said=_said(path / LOG))


def _said(path):
    """Each diagnosis of a log once, and the error at its end."""
    try:
        with open_regular(own_file(path)) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOGGED))
            lines = file.read(LOGGED).decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    found = [line for line in lines if line.startswith("diagnosis: ")]
    found += [line for line in lines[-1:] if line.startswith("error: ")]
    return tuple(line.rstrip(".") for line in dict.fromkeys(found))


def beside(run, most):
    """Paths of other run folders in the folder around a run, the youngest `most` of them by name."""
    folder = run.path.absolute().parent
    ages = {path: _age(path / METRICS) for path in folder.iterdir() if path.name != run.name}
    found = [path for path, age in ages.items() if age is not None]
    youngest = sorted(found, key=ages.get, reverse=True)[:most]
    return sorted(youngest, key=lambda path: path.name)


def _age(path):
    """The time of a regular file, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime if stat.S_ISREG(found.st_mode) else None


def curves(run):
    """The curves of a run as the page takes them, of at most `POINTS` points each.

    Returns
    -------
    dict
        "epochs": columns of metrics.csv; "steps": {"step", "seconds", "lr", "loss", "low", "high"}, where a
        point is the mean, the least and the greatest loss of the steps up to it. Empty where not known.
    """
    epochs = run.epochs if run.epochs.get("step") else {}
    rows = len(epochs.get("step", ()))
    kept = range(rows)
    if rows > POINTS:
        kept = sorted({round(i * (rows - 1) / (POINTS - 1)) for i in range(POINTS)})
    thin = {name: [_short(column[i]) for i in kept] for name, column in epochs.items()}
    return {"epochs": thin, "steps": _step_curve(run.steps)}


def _step_curve(steps):
    count = len(steps.get("step", ()))
    if not count or "loss" not in steps:
        return {}
    buckets = min(count, POINTS)
    bounds = [(count * b // buckets, count * (b + 1) // buckets) for b in range(buckets)]
    curve = {"loss": [], "low": [], "high": []}
    for start, stop in bounds:
        values = [value for value in steps["loss"][start:stop] if value is not None]
        curve["loss"].append(_short(sum(values) / len(values)) if values else None)
        curve["low"].append(_short(min(values, default=None)))
        curve["high"].append(_short(max(values, default=None)))
    for name in ("step", "seconds", "lr"):
        if name in steps:
            curve[name] = [_short(steps[name][stop - 1]) for _, stop in bounds]
    return curve


def _read(path, parse, missing):
    try:
        return parse(own_file(path))
    except FileNotFoundError:
        missing.append(f"{path.name} is not there")
    except (OSError, ValueError) as error:
        text = reason(error).removeprefix(f"{path}: ")
        missing.append(f"{path.name} cannot be read: {text}")
    return {}


def _table(path, missing):
    """The finite numbers of a table by column; what is to be said of it goes to `missing`."""
    content = _read(path, cells.read, missing)
    if not content or not content.columns:
        return {}
    missing += [f"{path.name}: {note}" for note in content.notes]
    measure = VALIDATION if f"{VALIDATION}_loss" in content.columns else TEST
    wanted = STEP_COLUMNS if path.name == STEPS else metrics_columns(measure)
    if lacking := [name for name in wanted if name not in content.columns]:
        missing.append(f"{path.name} has no column to read called {', '.join(lacking)}")
    return {
        name: [value if value is not None and math.isfinite(value) else None for value in column]
        for name, column in content.columns.items()
        if cells.CELLS[name].make is not str
    }


def _short(value):
    """A number with the six digits that a chart can use."""
    if value is None:
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short
