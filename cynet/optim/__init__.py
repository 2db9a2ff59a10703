"""Floor 3: optimisers, and learning rates over a training.

The optimisers are loaded when they are first used: SGD alone is of the trunk (tools/size.py).
"""

import importlib
from typing import Any

_HOMES = {
    "cynet.optim.optimizers": "SGD",
    "cynet.optim.adam": "Adam AdamW",
    "cynet.optim.lookahead": "Lookahead",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = ["SGD", "Adam", "AdamW", "Lookahead"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet.optim' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME_OF[name]), name)
    return value
