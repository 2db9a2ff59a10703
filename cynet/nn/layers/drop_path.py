"""Stochastic depth."""

from math import prod

from cynet.core import checks, random, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import scaling
from cynet.nn import registry
from cynet.nn.layer import Layer

from .dropout2d import factors


@registry.layer(examples={"DropPath(0.4)": (5, 4, 3, 7)})
class DropPath(Layer):
    """In training, zero each sample with probability p and scale the others by 1 / (1 - p).

    Huang et al. 2016, "Deep networks with stochastic depth": at the end of the body of a `Residual` it leaves
    the shortcut alone. Keys and masks are as `Dropout`'s, a number of the mask for each sample: the same for
    any number of threads. In evaluation the input is passed through.

    Parameters
    ----------
    p : float, optional
        Probability of a zero, 0 to 1.

    Notes
    -----
    Input and output: float32 of any shape with a batch dimension.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    hands_on = True  # its input, in evaluation: plans leave it out

    def __init__(self, p: float = 0.0) -> None:
        self.p = checks.number("p", p, 0, 1)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 1:
            raise ValueError("wanted an input with a batch dimension, got one of shape ()")
        return shape

    def forward(self, x: Array) -> Array:
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        p, mask = checks.number("p", self.p, 0, 1), None  # it may have been set
        if self._trains() and p > 0:
            mask = factors(p, random.next_key(), len(x))
        self.save(x.shape, mask)
        return x if mask is None else _scaled(x, mask)

    def backward(self, dy: Array) -> Array:
        shape, mask = self.saved()
        dy = self.gradient(dy, shape)
        return dy if mask is None else _scaled(dy, mask)

    def __repr__(self) -> str:
        return f"DropPath(p={self.p:g})"


def _scaled(x: Array, mask: Array) -> Array:
    y, rows = workspace.empty(x.shape), (len(x), prod(x.shape[1:]))
    scaling.scale_samples(x.reshape(rows), mask, y.reshape(rows), threads.get_num_threads())
    return y
