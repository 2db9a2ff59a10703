"""Channels of several groups in turn."""

from math import prod

from cynet.core import checks, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import elementwise
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"ChannelShuffle(2)": (3, 9, 7, 6), "ChannelShuffle(4)": (2, 5, 5, 12)})
class ChannelShuffle(Layer):
    """The first channel of each group, then the second of each, and so on (Zhang et al. 2017, section 3.1).

    Input and output: (N, ..., C), of at least two dimensions. Channel i * groups + g of the output is channel
    g * (C / groups) + i of the input.

    Parameters
    ----------
    groups : int
        How many; they divide the channels.
    """

    def __init__(self, groups: int) -> None:
        self.groups = checks.integer("groups", groups, 1)

    def output_shape(self, shape: Shape) -> Shape:
        groups = checks.integer("groups", self.groups, 1)
        if len(shape) < 2 or shape[-1] % groups:
            wanted = f"an input (N, ..., C) with C a multiple of groups {groups}"
            raise ValueError(f"wanted {wanted}, got shape {shape}")
        return shape

    def forward(self, x: Array) -> Array:
        self.output_shape(x.shape)
        self.save(x.shape, self.groups)
        return _turned(x, self.groups)

    def backward(self, dy: Array) -> Array:
        shape, groups = self.saved()
        dy = self.gradient(dy, shape)
        return _turned(dy, shape[-1] // groups) if shape[-1] else dy

    def __repr__(self) -> str:
        return f"ChannelShuffle(groups={self.groups})"


def _turned(x: Array, rows: int) -> Array:
    """The channels of each pixel as a matrix of `rows`, which is transposed."""
    pixels, channels = prod(x.shape[:-1]), x.shape[-1]
    y = workspace.empty(x.shape)
    matrices = x.reshape(pixels, rows, channels // rows)
    elementwise.transpose(matrices, y.reshape(pixels, channels // rows, rows), threads.get_num_threads())
    return y
