"""The losses under their public name; their files are nn/losses.py and others beside it."""

from __future__ import annotations

import importlib

from cynet.nn.losses import CrossEntropyLoss

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

_HOME_OF = {  # of those that are no part of the trunk (tools/size.py)
    "BCEWithLogitsLoss": "cynet.nn.elementwise_losses",
    "HuberLoss": "cynet.nn.elementwise_losses",
    "L1Loss": "cynet.nn.elementwise_losses",
    "MSELoss": "cynet.nn.squared_loss",
}

__all__ = ["CrossEntropyLoss", *_HOME_OF]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet.losses' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
