"""The losses under their public name; their files are nn/losses.py and nn/elementwise_losses.py."""

from __future__ import annotations

import importlib

from cynet.nn.losses import CrossEntropyLoss, MSELoss

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

MORE = ("BCEWithLogitsLoss", "HuberLoss", "L1Loss")  # which are no part of the trunk (tools/size.py)

__all__ = ["CrossEntropyLoss", "MSELoss", *MORE]


def __getattr__(name: str) -> Any:
    if name not in MORE:
        raise AttributeError(f"module 'cynet.losses' has no attribute {name!r}")
    return getattr(importlib.import_module("cynet.nn.elementwise_losses"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *MORE})
