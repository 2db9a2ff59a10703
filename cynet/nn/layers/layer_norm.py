"""Layer normalisation.

Ba, Kiros and Hinton (2016), "Layer normalization".
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.norm.sample_normalization import LayerNormPass
from cynet.nn import init, registry
from cynet.nn.layer import Layer
from cynet.nn.parameter import NONE, Held, Parameter, grad_of, value


@registry.layer(
    examples={
        "LayerNorm(24)": (6, 24),
        "LayerNorm((12,), eps=0.001)": (3, 5, 12),
        "LayerNorm(7, elementwise_affine=False)": (2, 3, 5, 7),
        "LayerNorm(9, bias=False)": (2, 4, 9),
    }
)
class LayerNorm(Layer):
    """Normalisation of each row, or of what the last axes hold: the same in training and evaluation.

    y = (x - mean) / sqrt(variance + eps) * weight + bias, with mean and biased variance over the last axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of the last axes, which are normalised together. Of images, (N, H, W, C), one size is that
        of the channels: each pixel is normalised by itself.
    eps : float, optional
        Above 0.
    elementwise_affine : bool, optional
        Whether there is a trainable scale (`weight`) for each number.
    bias : bool, optional
        Whether there is a shift, too; only where there is a scale.

    Attributes
    ----------
    weight, bias : Parameter (normalized_shape) or None

    Notes
    -----
    x and y are float32 (N, ..., *normalized_shape).

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for other last axes.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self.normalized_shape, self.eps = normalized_shape, eps
        shape, _ = self._settings()
        self.normalized_shape = shape
        affine, bias = checks.flag("elementwise_affine", elementwise_affine), checks.flag("bias", bias)
        self.weight = Parameter(np.ones(init.room(*shape))) if affine else None
        self.bias = Parameter(np.zeros(init.room(*shape))) if affine and bias else None

    @property
    def elementwise_affine(self) -> bool:
        """Whether there is a scale."""
        return self.weight is not None

    def _settings(self) -> tuple[Shape, float]:
        """(the last axes, eps), checked: they may have been set."""
        name, sizes = "normalized_shape", self.normalized_shape
        if not isinstance(sizes, (tuple, list)):
            sizes = (checks.integer(name, sizes, 1),)
        if not sizes:
            raise ValueError(f"{name}: wanted at least one size, got {sizes!r}")
        shape = tuple(checks.integer(f"{name}[{i}]", size, 1) for i, size in enumerate(sizes))
        return shape, checks.number("eps", self.eps, 0, open_low=True)

    def output_shape(self, shape: Shape) -> Shape:
        last, _ = self._settings()
        if len(shape) <= len(last) or shape[-len(last) :] != last:
            raise ValueError(f"wanted (N, ..., {', '.join(map(str, last))}), got {shape}")
        return shape

    def forward(self, x: Array) -> Array:
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        last, eps = self._settings()
        weight, bias = self.values(last)
        found = LayerNormPass(x.reshape(-1, prod(last)), weight, bias, eps)
        y = found.output().reshape(x.shape)
        self.save(x.shape, found, Held(self.weight, self.bias))
        return y

    def values(self, shape: Shape) -> tuple[Array, Array]:
        """The numbers of weight and bias, flat, or none: they may have been set; an error if amiss."""
        if self.weight is None and self.bias is None:
            return NONE, NONE
        weight = value("weight", self.weight, shape)
        bias = NONE if self.bias is None else value("bias", self.bias, shape)
        return weight.reshape(-1), bias.reshape(-1)

    def backward(self, dy: Array) -> Array | None:
        shape, found, held = self.saved()
        held.refuse_others(self)
        dy = self.gradient(dy, shape).reshape(found.x.shape)
        grads = grad_of(held.weight).reshape(-1), grad_of(held.bias).reshape(-1)
        dx = found.gradients(dy, *grads, self._wants_dx())
        return None if dx is None else dx.reshape(shape)

    def __repr__(self) -> str:
        return (
            f"LayerNorm({self.normalized_shape}, eps={self.eps:g}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None})"
        )
