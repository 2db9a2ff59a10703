"""Group normalisation.

Wu and He (2018), "Group normalization".
"""

from math import prod

import numpy as np

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.norm.sample_normalization import GroupNormPass
from cynet.nn import init, registry
from cynet.nn.layer import Layer
from cynet.nn.parameter import NONE, Held, Parameter, grad_of, value


@registry.layer(
    examples={
        "GroupNorm(2, 4)": (2, 9, 9, 4),
        "GroupNorm(3, 12, eps=0.001)": (2, 5, 12),
        "GroupNorm(5, 20, affine=False)": (3, 2, 3, 20),
        "GroupNorm(1, 5)": (3, 5),
    }
)
class GroupNorm(Layer):
    """Normalisation of each sample by groups of its channels: the same in training and evaluation.

    y = (x - mean) / sqrt(variance + eps) * weight + bias, with mean and biased variance of the pixels and
    channels of a group.

    Parameters
    ----------
    num_groups : int
        A divisor of the channels. 1: all of a sample at once; num_channels: instance normalisation.
    num_channels : int
    eps : float, optional
        Above 0.
    affine : bool, optional
        Whether there are a trainable scale (`weight`) and shift (`bias`) for each channel.

    Attributes
    ----------
    weight, bias : Parameter (num_channels,) or None

    Notes
    -----
    x and y are float32 (N, H, W, num_channels), (N, L, num_channels) or (N, num_channels).

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for other channels.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self._settings()
        affine = checks.flag("affine", affine)
        self.weight = Parameter(np.ones(init.room(num_channels))) if affine else None
        self.bias = Parameter(np.zeros(init.room(num_channels))) if affine else None

    @property
    def affine(self) -> bool:
        """Whether there are a scale and a shift."""
        return self.weight is not None or self.bias is not None

    def _settings(self) -> tuple[int, int, float]:
        """(groups, channels, eps), checked: they may have been set."""
        groups = checks.integer("num_groups", self.num_groups, 1)
        channels = checks.integer("num_channels", self.num_channels, 1)
        if channels % groups:
            raise ValueError(f"num_groups: wanted a divisor of num_channels, {channels}, got {groups}")
        return groups, channels, checks.number("eps", self.eps, 0, open_low=True)

    def output_shape(self, shape: Shape) -> Shape:
        _, channels, _ = self._settings()
        if not 2 <= len(shape) <= 4 or shape[-1] != channels:
            axes = f"(N, H, W, {channels}), (N, L, {channels}) or (N, {channels})"
            raise ValueError(f"wanted {axes}, got {shape}")
        return shape

    def forward(self, x: Array) -> Array:
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        groups, channels, eps = self._settings()
        weight = value("weight", self.weight, (channels,)) if self.affine else NONE
        bias = value("bias", self.bias, (channels,)) if self.affine else NONE
        images = x.reshape(len(x), prod(x.shape[1:-1]), channels)
        found = GroupNormPass(images, groups, weight, bias, eps)
        self.save(x.shape, found, Held(self.weight, self.bias))
        return found.output().reshape(x.shape)

    def backward(self, dy: Array) -> Array | None:
        shape, found, held = self.saved()
        held.refuse_others(self)
        dy = self.gradient(dy, shape).reshape(found.x.shape)
        dx = found.gradients(dy, grad_of(held.weight), grad_of(held.bias), self._wants_dx())
        return None if dx is None else dx.reshape(shape)

    def __repr__(self) -> str:
        return f"GroupNorm({self.num_groups}, {self.num_channels}, eps={self.eps:g}, affine={self.affine})"
