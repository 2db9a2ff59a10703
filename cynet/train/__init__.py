"""Floor 4: the training loop, its metrics, the folder that keeps a run, and the checkpoints to go on from.

A run is a `Session` made from `Settings`, which `train` trains, telling `Observer`s. `RunFolder`, `Recorder`
and `Keeper` keep it; `load_weights` reads a model back, and `Predictor` uses one on pictures. docs/python.md
shows them at work.
"""

import importlib

_HOME_OF = {
    "Trainer": "loop", "Diverged": "loop", "train": "loop", "evaluate": "metrics", "Evaluation": "metrics",
    "RunFolder": "rundir", "Recorder": "recorder", "Keeper": "recorder", "Observer": "loop", "Place": "loop",
    "Settings": "settings", "Session": "session", "DamagedError": "checkpoint", "Table": "tables",
    "predict": "predictions", "Predictions": "predictions",
    "save_weights": "weights", "load_weights": "weights", "Signals": "signals",
    "Stopped": "signals", "Predictor": "predictor",
}  # fmt: skip
__all__ = list(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet.train' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cynet.train.{_HOME_OF[name]}"), name)


def __dir__():
    return sorted(__all__)
