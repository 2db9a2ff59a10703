"""Floor 3: optimisers, and learning rates over a training.

The optimisers are loaded when they are first used: SGD alone is of the trunk (tools/size.py).
"""

import importlib
from typing import Any

_HOMES = {"SGD": "optimizers", "Adam": "adam", "AdamW": "adam", "Lookahead": "lookahead"}
__all__ = ["SGD", "Adam", "AdamW", "Lookahead"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cynet.optim' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"cynet.optim.{_HOMES[name]}"), name)
    return value
