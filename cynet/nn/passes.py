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

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import get_ident
from typing import Any

from cynet.core.turns import refuse_anothers
from cynet.core.types import Array


class _Mode(threading.local):
    """What a thread is in the middle of."""

    grad_enabled = True
    layer_by_layer = False
    around: Any = None  # the pass of the container, or user's layer, that runs
    spared = False  # whether nobody wants the gradient to the input of the layer whose backward comes next
    tell: Any = None  # called with each layer, or step, of a container whose backward came to its end
    statistics: Any = None  # takes the statistics of batch norm in training, in the place of each layer
    by_turns = False  # whether other threads, one at a time, have passes of the same net under way


mode = _Mode()


@contextlib.contextmanager
def _within(name: str, value: bool) -> Iterator[None]:
    """A context in which this thread is in a mode; then it is as before."""
    before = getattr(mode, name)
    setattr(mode, name, value)
    try:
        yield
    finally:
        setattr(mode, name, before)


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
    return _within("grad_enabled", False)


def grad_enabled() -> bool:
    """Whether forward passes of this thread keep what backward needs."""
    return mode.grad_enabled


def layer_by_layer() -> AbstractContextManager[None]:
    """Within this context, containers of this thread run their layers and keep what each backward needs."""
    return _within("layer_by_layer", True)


def spared(nobody: bool) -> AbstractContextManager[None]:
    """Within this context, whether `nobody` wants the gradient to the input of the layer that goes back."""
    return _within("spared", nobody)


def gone_back(layer: Any) -> None:
    """Say that the backward pass of a layer has come to its end, as far as this use of the layer goes."""
    if mode.tell is not None:
        mode.tell(layer)


def may_sweep() -> bool:
    """Whether a container may compute its output without its layers' own passes."""
    return not (mode.grad_enabled and mode.layer_by_layer)


class Pass:
    """A forward pass of a layer, which one `backward` may follow.

    Attributes
    ----------
    layer : Layer
    """

    __slots__ = ("followed", "inner", "kept", "layer", "spared", "thread")
    thread: int

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.kept: list[tuple[Any, ...]] = []
        self.inner: list[Pass] = []
        self.followed = self.spared = False

    def backward(self, *dys: Array) -> Any:
        """`layer.backward(*dys)` after this pass, whatever passes the layer has made since.

        Parameters
        ----------
        *dys : ndarray of float32
            Of the output's shape, or of those of several.

        Returns
        -------
        ndarray of float32, or a tuple of them
            The gradient to the input; those of the parameters are added to what is there.

        Raises
        ------
        RuntimeError
            When a backward has followed it already, or weights were assigned or loaded since.
        """
        if self.followed:
            name = type(self.layer).__name__
            raise RuntimeError(f"{name}: wanted a pass to follow, got one that was followed")
        self.followed = True
        if self.layer._last is self:
            self.layer._last = None
        alone, before = Pass(None), mode.around
        alone.inner.append(self)
        mode.around = alone
        try:
            return self.layer.backward(*dys)
        finally:
            mode.around = before

    def backward_spared(self, *dys: Array) -> None:
        """`backward` for the sake of the parameters alone."""
        with spared(True):
            self.backward(*dys)

    def __repr__(self) -> str:
        return f"<Pass of {type(self.layer).__name__}{', followed' if self.followed else ''}>"


def keep(made: Pass, around: Pass | None) -> None:
    """Let a pass that was made be found: by the one around it, or else by its layer."""
    if around is not None:
        around.inner.append(made)
        return
    layer, this = made.layer, get_ident()
    threads = layer._made
    if threads is None:
        threads = vars(layer).setdefault("_made", set())  # another thread may just do it
    threads.add(this)
    made.thread = this
    layer._last = made


def drop(layer: Any) -> None:
    """Forget the last pass of a layer, if it is this thread's: another's may be in use."""
    last = layer._last
    if last is not None and last.thread == get_ident():
        layer._last = None


def take(layer: Any) -> Pass | None:
    """The pass that the backward of a layer follows now, for this once; None where there is none.

    Raises
    ------
    RuntimeError
        When the layer's last pass is another thread's, and this thread's own was replaced by it.
    """
    around = mode.around
    if around is not None:
        inner = around.inner
        for i in range(len(inner) - 1, -1, -1):
            if inner[i].layer is layer:
                return inner.pop(i)
        return None
    made = layer._last
    if made is not None:
        if made.thread != get_ident():
            refuse_anothers(type(layer).__name__, made.thread, layer._made)
        layer._last, made.followed = None, True
        layer._made.discard(made.thread)
    return made


def none_left(layer: Any) -> RuntimeError:
    """The RuntimeError for a backward without a pass to follow."""
    around = mode.around
    where = f" in that of {type(around.layer).__name__}" if around is not None and around.layer else ""
    return RuntimeError(
        f"{type(layer).__name__}.backward: wanted a forward pass before it (outside no_grad){where}, got none"
    )


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
