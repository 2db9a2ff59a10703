"""Floor 4: a training in memory: its loop, metrics, diagnosis. From here, too, the names of its life on disk.

A run is a `Session` made from `Settings`, which `train` trains, telling `Observer`s. `RunFolder`, `Recorder`
and `Keeper` keep it; `load_weights` reads a model back, and `Predictor` uses one on pictures. docs/python.md
shows them at work.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

_HOMES = {
    "cynet.train.loop": "Observer train",
    "cynet.train.trainer": "Diverged Place Trainer",
    "cynet.train.metrics": "Evaluation evaluate",
    "cynet.train.predictions": "Predictions predict",
    "cynet.train.task": "LabelTask NumberTask Task",
    "cynet.train.label_metrics": "LabelEvaluation",
    "cynet.train.number_metrics": "NumberEvaluation",
    "cynet.train.signals": "Signals Stopped",
    "cynet.runs.folder": "RunFolder",
    "cynet.runs.recorder": "Keeper Recorder",
    "cynet.runs.settings": "Settings",
    "cynet.runs.session": "Session",
    "cynet.core.files": "DamagedError",
    "cynet.runs.tables": "Table",
    "cynet.runs.weights": "load_weights save_weights",
    "cynet.runs.predictor": "Predictor",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet.train' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
