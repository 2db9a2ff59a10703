"""Forward passes, each of which owns what its backward needs, and the modes in which they are made.

Design: a pass of a layer is an object, `Pass`: what the layer kept with `save`, and the passes of the layers
that it called, in order. Nothing of it lies in the layers, so one layer may stand at several places of a net
and in several nets, and several passes of a net may be open at once. While a container or a user's layer
runs, forward or backward, its pass is the one `around` what runs within it, in this thread: forward, the
passes of the layers that it calls are kept there; backward, each layer follows the last pass that it made
there and that no backward has followed. A layer that only the user calls keeps its last pass itself.

cynet's own layers that hold no others make their pass in `save` and take it in `saved`. For containers and
users' layers, `forward` and `backward` are wrapped when the class is made.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .kept import Pass, drop, keep, mode, none_left, take

__all__ = [
    "Pass", "drop", "following", "gone_back", "grad_enabled", "keep", "layer_by_layer", "may_sweep", "mode",
    "no_grad", "none_left", "opening", "spared", "take",
]  # fmt: skip


class _Within(contextlib.ContextDecorator):
    """A context in which this thread is in a mode; then it is as before."""

    def __init__(self, name: str, value: bool) -> None:
        self.name, self.value = name, value
        self.before: list[Any] = []  # one may be entered within itself

    def _recreate_cm(self) -> _Within:
        return _Within(self.name, self.value)  # as a decorator: for each call

    def __enter__(self) -> None:
        self.before.append(getattr(mode, self.name))
        setattr(mode, self.name, self.value)

    def __exit__(self, *error: object) -> None:
        setattr(mode, self.name, self.before.pop())


def no_grad() -> AbstractContextManager[None]:
    """Within this context, forward passes of this thread keep nothing for a backward pass.

    Returns
    -------
    context manager

    Examples
    --------
    >>> with cynet.no_grad():
    ...     logits = model(images)
    """
    return _Within("grad_enabled", False)


def grad_enabled() -> bool:
    """Whether forward passes of this thread keep what backward needs."""
    return mode.grad_enabled


def layer_by_layer() -> AbstractContextManager[None]:
    """Within this context, containers of this thread run their layers and keep what each backward needs."""
    return _Within("layer_by_layer", True)


def spared(nobody: bool) -> AbstractContextManager[None]:
    """Within this context, whether `nobody` wants the gradient to the input of the layer that goes back."""
    return _Within("spared", nobody)


def gone_back(layer: Any) -> None:
    """Say that the backward pass of a layer has come to its end, as far as this use of the layer goes."""
    if mode.tell is not None:
        mode.tell(layer)


def may_sweep() -> bool:
    """Whether a container may compute its output without its layers' own passes."""
    return not (mode.grad_enabled and mode.layer_by_layer)


def opening(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A `forward` within which the layer's own pass is the one around."""

    @functools.wraps(forward)
    def opened(self: Any, *args: Any, **options: Any) -> Any:
        around = mode.around
        if not mode.grad_enabled:
            drop(self)  # as `save` of a layer that holds no others
            return forward(self, *args, **options)
        if around is not None and around.layer is self:  # the class above's
            return forward(self, *args, **options)
        if around is None:
            drop(self)  # its memory is free now
        mode.around = made = Pass(self)
        try:
            y = forward(self, *args, **options)
        finally:
            mode.around = around
        keep(made, around)
        return y

    return opened


def following(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A `backward` within which the pass that it follows is the one around."""

    @functools.wraps(backward)
    def followed(self: Any, *args: Any, **options: Any) -> Any:
        around = mode.around
        if around is not None and around.layer is self:  # the class above's
            return backward(self, *args, **options)
        made = take(self)
        if made is None:  # its forward was another one than the class's: its layers may have passes
            with spared(False):
                return backward(self, *args, **options)
        made.spared, mode.spared, mode.around = mode.spared, False, made
        try:
            return backward(self, *args, **options)
        finally:
            mode.spared, mode.around = made.spared, around

    return followed
