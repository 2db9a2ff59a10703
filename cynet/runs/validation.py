"""What a run is measured on: the test set, or pictures of the training set that are held out for it.

Design: where pictures are held out, all that is chosen on the way is chosen on them: the best weights, and
the end by patience. The test set is looked at once, when the training is over, with the weights that are then
the run's; what it said is kept in `TESTED`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

from cynet import data
from cynet.core.files import write_atomically
from cynet.core.tasks import CLASSIFY, MEASURES, measures_of, task_in
from cynet.core.types import AnyArray
from cynet.train.metrics import TEST, VALIDATION

from . import records
from .records import TESTED

SHOWN = 16  # digits of the digest of the pictures held out


def measure_of(config):
    """`VALIDATION` or `TEST`: what a run of this configuration, a dict, is measured on."""
    return VALIDATION if config.get("validation") else TEST


def measure_in(columns):
    """What a run with metrics of these columns is measured on, None where they tell of neither."""
    parts = "loss", MEASURES[task_in(columns)].score
    measures = VALIDATION, TEST
    return next((name for name in measures if any(f"{name}_{part}" in columns for part in parts)), None)


@dataclass(frozen=True)
class Division:
    """Which pictures of a training set are trained on.

    Attributes
    ----------
    share : float
    seed : int
    kept, held_out : ndarray of int64
        Indices of the data set.
    """

    share: float
    seed: int
    kept: AnyArray
    held_out: AnyArray

    @classmethod
    def of(cls, training: Any, settings: Any) -> Division:
        """The division of a training set by these `Settings`; a ValueError names the setting."""
        share, seed = settings.validation, settings.split_seed
        try:
            return cls(share, seed, *data.split(training, share, seed))
        except ValueError as error:
            text = str(error).replace("share: ", "validation: ", 1).replace("seed: ", "split_seed: ", 1)
            raise ValueError(text) from None

    def record(self) -> dict[str, Any] | None:
        """What env.json tells of it; None where nothing is held out."""
        if not len(self.held_out):
            return None
        digest = hashlib.sha256(self.held_out.astype("<i8").tobytes()).hexdigest()
        return {
            "share": self.share,
            "seed": self.seed,
            "training": len(self.kept),
            "validation": len(self.held_out),
            "sha256": digest[:SHOWN],
        }


def write_tested(folder, evaluation, sha256, best, steps):
    """Keep what the test set said at the end of a run.

    Parameters
    ----------
    folder : RunFolder
    evaluation : Evaluation
        Of the best weights.
    sha256 : str
        Of their file.
    best : dict
        See `Recorder`.
    steps : int
        That the run took.
    """
    earlier = read_tested(folder)
    before = [*earlier.get("before", ()), earlier["steps"]] if "steps" in earlier else []
    found = {
        "weights": folder.best.name,
        "sha256": sha256,
        "step": best["step"],
        "steps": steps,
        "loss": plain(evaluation.loss),
        **{name: plain(getattr(evaluation, name)) for name in measures_of(folder.task).columns},
        "samples": int(evaluation.samples.sum()) if folder.task == CLASSIFY else len(evaluation.labels),
        "before": before,  # the steps after which it was looked at
    }
    write_atomically(folder.own(TESTED), (json.dumps(found, indent=1) + "\n").encode())


def plain(value):
    """A number as it stands in `TESTED`: one that JSON has not is text."""
    return value if isfinite(value) else str(value)


def read_tested(folder):
    """What `write_tested` kept in a `RunFolder`, {} where there is nothing that can be read."""
    try:
        return records.tested(folder.path)
    except (OSError, ValueError):
        return {}


def results(folder):
    """The last measurements of a `RunFolder` as {name: text}, {} where there are none that can be read."""
    figures = measures_of(folder.task).columns
    names = ("step", "train_loss", *(f"{folder.measure}_{name}" for name in ("loss", *figures)))
    rows = folder.metrics.rows(names)
    if not rows:
        return {}
    found = {name: str(rows[-1][name]) if name == "step" else f"{rows[-1][name]:.6g}" for name in names}
    if folder.measure == VALIDATION and (tested := read_tested(folder)):
        found |= {f"test_{name}": _digits(tested[name]) for name in ("loss", *figures) if name in tested}
    return found


def _digits(value):
    """A number of `TESTED` with six digits; a loss that was none stands there as text."""
    return f"{value:.6g}" if isinstance(value, (int, float)) else f"{value!s:.20}"
