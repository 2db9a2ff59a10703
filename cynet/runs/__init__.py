"""Floor 5: a training on disk: its settings, its folder, checkpoints to go on from, weights, replay.

`start` trains a new run and keeps it in a folder, `resume` goes on with one, and `open` reads what is there.
"""

import importlib

_HOMES = {
    "cynet.runs.calls": "resume start",
    "cynet.runs.errors": "FailedError RefusedError",
    "cynet.runs.outcome": "Outcome",
    "cynet.runs.run": "Run open",
    "cynet.runs.page": "write_report",
    "cynet.runs.settings": "Settings",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = list(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet.runs' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__():
    return sorted(__all__)
