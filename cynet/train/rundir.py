"""The folder that keeps a training run: its configuration, its metrics, its weights."""

import json
import os
import re
import time
from pathlib import Path

from cynet.core.files import flush_folder, write_atomically

from .loop import Observer
from .weights import save_weights

CONFIG, METRICS, WEIGHTS = "config.toml", "metrics.csv", "last.safetensors"


class RunFolder:
    """A run's folder, made new.

    Parameters
    ----------
    path : str or Path, optional
        Exactly this folder; it may exist when it is empty.
    name : str, optional
        Without `path`: the folder is `parent`/NAME-N with the least N above those that exist.
    parent : str or Path, optional

    Raises
    ------
    OSError
        When it cannot be made, or exists and is not empty.
    """

    def __init__(self, path=None, name="run", parent="runs"):
        if path is None:
            self.path = _next(Path(parent), name)
        else:
            check(path)
            self.path = Path(path)
            self.path.mkdir(parents=True, exist_ok=True)
        flush_folder(self.path.parent)
        self._rows = []

    @property
    def weights(self):
        return self.path / WEIGHTS

    def write_config(self, config):
        """Write config.toml.

        Parameters
        ----------
        config : dict of str to str, bool, int, float or None
            An entry of None is left out.
        """
        write_atomically(self.path / CONFIG, toml(config).encode())

    def add_metrics(self, row):
        """Add a line to metrics.csv; the first row's keys are the heading, and every row's."""
        if self._rows and list(row) != list(self._rows[0]):
            raise ValueError(f"row: wanted the columns {list(self._rows[0])}, got {list(row)}")
        self._rows.append(dict(row))
        lines = [list(self._rows[0])] + [[_cell(value) for value in r.values()] for r in self._rows]
        write_atomically(self.path / METRICS, "".join(",".join(line) + "\n" for line in lines).encode())


class Recorder(Observer):
    """Writes a row of metrics and the weights after each evaluation.

    Parameters
    ----------
    folder : RunFolder
    model : Layer
    facts : Facts
    """

    def __init__(self, folder, model, facts):
        self.folder, self.model, self.facts = folder, model, facts
        self.start = time.monotonic()

    def evaluated(self, result):
        self.folder.add_metrics(
            {
                "step": result.step,
                "epoch": result.epoch,
                "lr": result.lr,
                "train_loss": result.train_loss,
                "test_loss": result.test.loss,
                "test_accuracy": result.test.accuracy,
                "seconds": round(time.monotonic() - self.start, 2),
            }
        )
        self.save()

    def save(self):
        """Write the weights as they are now."""
        save_weights(self.folder.weights, self.model, self.facts)


def check(path):
    """Raise OSError when `path` cannot become a run's folder; nothing is written."""
    path = Path(path)
    if path.is_dir():
        if any(path.iterdir()):
            raise FileExistsError(f"wanted a new or empty folder, {path} holds files")
        nearest = path
    else:
        nearest = next(folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder))
        if not nearest.is_dir():
            raise NotADirectoryError(f"wanted a folder, {nearest} is none")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"{nearest}: no permission to write there")


def _next(parent, name):
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


def toml(values):
    """A flat dict of str, bool, int and float as TOML; entries of None are left out."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items() if value is not None)


def _toml(value):
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (bool, int)):
        return str(value).lower()
    # JSON's strings are TOML's, but for DEL and for characters outside the BMP, which stay as they are.
    text = json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return text.encode(errors="replace").decode()


def _cell(value):
    return f"{value:.6g}" if isinstance(value, float) else str(value)
