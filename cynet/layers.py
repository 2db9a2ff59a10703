"""The layers under their public name; their files lie in nn/layers and nn/containers."""

from __future__ import annotations

from cynet import nn

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any


def __getattr__(name: str) -> Any:
    if name == "__all__" or name in nn.__all__:
        return getattr(nn, name)
    raise AttributeError(f"module 'cynet.layers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(nn.__all__)
