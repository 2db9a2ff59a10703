"""The registry of models: `@model()` on a function of (batch_norm, classes, channels) adds a net."""

from __future__ import annotations

import functools
from collections.abc import Callable

from cynet.core.registry import Registry

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any


def _watched(name: str, build: Callable[..., Any]) -> Callable[..., Any]:
    """`build` of a caller, whose result is looked at."""

    @functools.wraps(build, updated=())
    def built(*given: Any, **options: Any) -> Any:
        from cynet.nn.layer import Layer  # not at the top: the names of the models are there without it

        found = build(*given, **options)
        if not isinstance(found, Layer):
            of = getattr(build, "__qualname__", build)
            raise TypeError(f"{name}: wanted a Layer from {of}, got {type(found).__name__}")
        return found

    return built


model = Registry("model", "cynet.models", taken=_watched)
