"""What a run folder holds, read so that a missing or torn file is a note and no error."""

import math
import os
import stat
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from cynet.core.files import open_regular, reason, user_path
from cynet.core.folder import own_file
from cynet.core.tasks import task_in
from cynet.core.types import AnyPath
from cynet.interop.kinds import kind_of

from . import cells, configuration, records, sample_table
from .configuration import CONFIG
from .environment import drawing
from .filenames import LOG, METRICS, SAMPLES, STEPS, metrics_columns, step_columns
from .places import data_folder
from .records import ENVIRONMENT
from .settings import data_options
from .validation import TEST, measure_in

LOGGED = 1 << 24  # bytes at the end of a log that are looked at
PARTS = "config", "environment", "epochs", "steps"  # in the order in which they are spoken of


class Contents:
    """The files of a run, each read once, when it is asked for.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    path : Path
    config : dict
        What config.toml tells, with its tables.
    environment : dict
    epochs, steps : dict of str to list of (float or None)
        The columns of metrics.csv and steps.csv that are known, in the order of steps; None where a cell
        holds no finite number. "step" has one in every row.
    said : tuple of str
        The diagnoses and errors in its log.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = user_path(path)
        self._notes: dict[str, Sequence[str]] = {}  # by part
        self.problems: dict[str, Exception] = {}

    @property
    def name(self) -> str:
        return self.path.absolute().name

    @cached_property
    def config(self) -> dict[str, Any]:
        return self._read("config", CONFIG, lambda path: (configuration.read_run(path).told, ()))

    @cached_property
    def environment(self) -> dict[str, Any]:
        return self._read("environment", ENVIRONMENT, lambda _: (records.environment(self.path), ()))

    @cached_property
    def epochs(self) -> dict[str, list[Any]]:
        return self._read("epochs", METRICS, self._table)

    @cached_property
    def steps(self) -> dict[str, list[Any]]:
        return self._read("steps", STEPS, self._table)

    @cached_property
    def samples(self) -> dict[str, list[Any]]:
        """What a net of texts wrote after each evaluation: the columns of a `SampleTable`; {} of others."""
        return self._read("samples", SAMPLES, _samples)

    @cached_property
    def said(self) -> tuple[str, ...]:
        return _said(self.path / LOG)

    def notes(self, parts: Sequence[str] = PARTS) -> tuple[str, ...]:
        """A sentence for each file that is not there or cannot be read, and for what of a table was left out.

        Parameters
        ----------
        parts : sequence of str, optional
            Of `PARTS`: those that are spoken of.

        Returns
        -------
        tuple of str
        """
        found: list[str] = []
        for part in parts:
            getattr(self, part)
            found += self._notes.get(part, ())
        return tuple(found)

    @property
    def measure(self) -> str:
        """What the evaluations of its metrics are of: "test" or "validation"."""
        return measure_in(self.epochs) or TEST

    @property
    def task(self) -> str:
        """What its labels are: one of `TASKS`."""
        return self.plain.get("task") or task_in(self.epochs)

    @property
    def plain(self) -> dict[str, Any]:
        """The configuration without its tables: the settings in the file's own spelling."""
        return {key: value for key, value in self.config.items() if not isinstance(value, dict)}

    @property
    def data_dir(self) -> str | None:
        """Where its data are, seen from here; None where nothing tells it."""
        return data_folder({"data": None, "data_dir": None} | self.plain, self.environment)

    @property
    def data_options(self) -> dict[str, Any]:
        """What `cynet.data.load` took for its pictures, besides name, root and split."""
        return data_options(self.plain) | drawing(self.environment)

    def _table(self, path):
        return _table(path, self.plain.get("task"))

    def _read(self, part, name, parse):
        """What `parse` makes of a file, and its notes are kept; {} where it cannot."""
        path = self.path / name
        try:
            found, self._notes[part] = parse(own_file(path))
            return found
        except (OSError, ValueError) as error:
            self.problems[part] = error
            text = f"cannot be read: {reason(error).removeprefix(f'{path}: ')}"
            missing = isinstance(error, FileNotFoundError)
            self._notes[part] = (f"{name} {'is not there' if missing else text}",)
        return {}


def read(path, make=Contents):
    """The `Contents` in a run's folder, or what else is made of its path.

    Raises
    ------
    ValueError
        When `path` is no folder, or holds neither a configuration nor metrics.
    """
    run = make(path)
    path = run.path
    if not path.exists():
        raise ValueError(f"no such run folder: {path}")
    if not path.is_dir():
        raise ValueError(f"wanted a run folder, got {path}, {kind_of(path) or 'a safetensors file'}")
    if not any(os.path.lexists(path / name) for name in (CONFIG, METRICS)):
        raise ValueError(f"wanted a run folder, {path} holds neither {CONFIG} nor {METRICS}")
    return run


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


def _samples(path):
    content = sample_table.read(path)
    return content.columns, [f"{path.name}: {note}" for note in content.notes]


def _table(path, task):
    """The finite numbers of a table by column, and what is to be said of it."""
    content = cells.read(path)
    if not content.columns:
        return {}, ()
    notes = [f"{path.name}: {note}" for note in content.notes]
    measure, task = measure_in(content.columns) or TEST, task or task_in(content.columns)
    wanted = step_columns(task) if path.name == STEPS else metrics_columns(measure, task)
    if lacking := [name for name in wanted if name not in content.columns]:
        notes.append(f"{path.name} has no column to read called {', '.join(lacking)}")
    columns = {
        name: [value if value is not None and math.isfinite(value) else None for value in column]
        for name, column in content.columns.items()
        if cells.CELLS[name].make is not str
    }
    return columns, notes
