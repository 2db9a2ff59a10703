"""What layers share that compute each number of their output from one of their input, and nothing else."""

from collections.abc import Callable
from typing import Any

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.nn.layer import Layer


class Pointwise(Layer):
    """A curve without settings.

    Attributes
    ----------
    curve : callable
        The kernel, of (x, y, threads): all that the layer computes, so that plans call it alone.
    slope : callable
        The kernel of the gradient, of (kept, dy, dx, threads).
    keeps_output : bool
        Whether the slope is told from y, rather than from x.
    """

    curve: Callable[..., Any]
    slope: Callable[..., Any]
    keeps_output = False

    def forward(self, x: Array) -> Array:
        kind, y = type(self), workspace.empty(x.shape)
        kind.curve(x.reshape(-1), y.reshape(-1), threads.get_num_threads())
        self.save(y if kind.keeps_output else x)
        return y

    def backward(self, dy: Array) -> Array:
        (kept,) = self.saved()
        dy = self.gradient(dy, kept.shape)
        dx = workspace.empty(kept.shape)
        type(self).slope(kept.reshape(-1), dy.reshape(-1), dx.reshape(-1), threads.get_num_threads())
        return dx
