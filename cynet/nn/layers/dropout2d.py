"""Dropout of whole channels."""

from math import prod

import numpy as np

from cynet.core import checks, random, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import dropout, scaling
from cynet.nn import registry
from cynet.nn.layer import Layer


def factors(p: float, key: tuple[int, int], *shape: int) -> Array:
    """float32 of a shape: 0 with probability p, or else 1 / (1 - p), by a key of `random.next_key`."""
    found = np.ones(shape, np.float32)
    dropout.dropout(found.reshape(-1), found.reshape(-1), p, *key, threads.get_num_threads())
    return found


@registry.layer(examples={"Dropout2d(0.4)": (5, 4, 3, 11)})
class Dropout2d(Layer):
    """In training, zero each channel of a sample with probability p and scale the others by 1 / (1 - p).

    Tompson et al. 2015. Keys and masks are as `Dropout`'s, a number of the mask for each channel of each
    sample: the same for any number of threads. In evaluation the input is passed through.

    Parameters
    ----------
    p : float, optional
        Probability of a zero, 0 to 1.

    Notes
    -----
    Input and output: float32 (N, H, W, C), or (N, L, C).

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for inputs of other dimensions.
    """

    hands_on = True  # its input, in evaluation: plans leave it out

    def __init__(self, p: float = 0.5) -> None:
        self.p = checks.number("p", p, 0, 1)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) not in (3, 4):
            raise ValueError(f"wanted (N, H, W, C) or (N, L, C), got {shape}")
        return shape

    def forward(self, x: Array) -> Array:
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        p, mask = checks.number("p", self.p, 0, 1), None  # it may have been set
        if self._trains() and p > 0:
            mask = factors(p, random.next_key(), len(x), x.shape[-1])
        self.save(x.shape, mask)
        return x if mask is None else _scaled(x, mask)

    def backward(self, dy: Array) -> Array:
        shape, mask = self.saved()
        dy = self.gradient(dy, shape)
        return dy if mask is None else _scaled(dy, mask)

    def __repr__(self) -> str:
        return f"Dropout2d(p={self.p:g})"


def _scaled(x: Array, mask: Array) -> Array:
    y, images = workspace.empty(x.shape), (len(x), prod(x.shape[1:-1]), x.shape[-1])
    scaling.scale_channels(x.reshape(images), mask, y.reshape(images), threads.get_num_threads())
    return y
