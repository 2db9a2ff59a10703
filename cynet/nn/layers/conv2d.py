"""Conv2d: two-dimensional convolution (cross-correlation, as everywhere in the field)."""

from math import prod
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.common import geometry
from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.norm.normalization import add_channel_sums
from cynet.nn import init, registry
from cynet.nn.layer import Layer, answers, asked
from cynet.nn.parameter import Held, Parameter, value


@registry.layer(
    examples={
        "Conv2d(4, 8, 3, padding=1)": (2, 9, 9, 4),
        "Conv2d(3, 8, 3)": (2, 9, 9, 3),
        "Conv2d(4, 6, (3, 2), stride=2, padding='same', groups=2)": (2, 9, 8, 4),
        "Conv2d(4, 4, 3, groups=4, bias=False)": (2, 9, 9, 4),
        "Conv2d(4, 5, 1)": (2, 9, 9, 4),
        "Conv2d(8, 8, 3, padding=(2, 0, 1, 2))": (2, 9, 9, 8),
    }
)
class Conv2d(Layer):
    """Convolution of images with a bank of filters.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride : int or (vertical, horizontal)
    padding : int, (vertical, horizontal), (top, left, bottom, right) or "same"
        Zeros around the image. "same" is the course's rule: (size - 1) // 2 before, and after as many as
        ceil(in / stride) outputs need.
    groups : int
        Channels are cut into so many groups, convolved each with its own filters; groups = in_channels =
        out_channels is a depth-wise convolution.
    bias : bool

    Attributes
    ----------
    weight : Parameter (out_channels, in_channels / groups, height, width)
    bias : Parameter (out_channels,) or None

    Notes
    -----
    x is float32 (N, H, W, in_channels), y (N, out_h, out_w, out_channels) with
    out = (before + in + after - kernel) // stride + 1.

    Raises
    ------
    TypeError, ValueError
        From the constructor for arguments of the wrong kind, range, or that `groups` does not divide; from
        the first call for images of other channels or too small for the kernel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, ...] | str = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        # Plain ints from here on: NumPy's small ones would overflow in products.
        inputs, outputs, groups, window = self._settings()
        self.in_channels, self.out_channels, self.groups = inputs, outputs, groups
        self.kernel_size, self.stride, self.padding = kernel, *_ = window
        self.weight = Parameter(init.weights((outputs, inputs // groups, *kernel)))
        self.bias = Parameter(np.zeros(outputs)) if checks.flag("bias", bias) else None

    def _settings(self) -> tuple[int, int, int, tuple[Any, ...]]:
        """(channels in, channels out, groups, (kernel, stride, padding)), checked: they may have been set."""
        inputs = checks.integer("in_channels", self.in_channels, 1)
        outputs = checks.integer("out_channels", self.out_channels, 1)
        groups = checks.integer("groups", self.groups, 1)
        for name, channels in (("in_channels", inputs), ("out_channels", outputs)):
            if channels % groups:
                raise ValueError(f"groups: wanted a divisor of {name} = {channels}, got {groups}")
        kernel, stride = checks.pair("kernel_size", self.kernel_size), checks.pair("stride", self.stride)
        return inputs, outputs, groups, (kernel, stride, geometry.checked_padding(self.padding))

    def output_shape(self, shape: Shape) -> Shape:
        inputs, outputs, _, window = self._settings()
        if len(shape) != 4 or shape[3] != inputs:
            raise ValueError(f"wanted (N, H, W, {inputs}), got {shape}")
        _, (height, width) = geometry.window_grid(shape[1:3], *window)
        return shape[0], height, width, outputs

    def macs(self, shape: Shape) -> int:
        inputs, _, groups, (kernel, *_) = self._settings()
        return prod(self.output_shape(shape)) * (inputs // groups) * prod(kernel)

    def convolution(self, shape: Shape) -> Any:
        """A new `kernels.conv.algorithm.Algorithm` for inputs of `shape`."""
        self.output_shape(shape)  # refuses what __call__ may not have seen
        _, outputs, groups, window = self._settings()
        return convolution.choose(Problem.of(shape, outputs, *window, groups))

    def _convolution(self, shape: Shape) -> Any:
        """The algorithm for `shape`, chosen anew when the shape or an attribute changes."""
        channels = self.in_channels, self.out_channels, self.groups
        question = shape, self.kernel_size, self.stride, self.padding, channels
        chosen = self._worked_out  # once: another thread may set it
        if not answers(chosen, question):
            self.values()  # first: an algorithm for filters that are not there may be larger than any memory
            self._worked_out = chosen = asked(question), self.convolution(shape)
        return chosen[1]

    def values(self) -> tuple[Array | None, ...]:
        """The arrays of weight and bias (or None), which may have been set to others: an error if amiss."""
        inputs, outputs, groups, (kernel, *_) = self._settings()
        return self._values(outputs, (outputs, inputs // groups, *kernel))

    def _values(self, outputs: int, shape: Shape) -> tuple[Array | None, ...]:
        weight = value("weight", self.weight, shape)
        return weight, None if self.bias is None else value("bias", self.bias, (outputs,))

    def forward(self, x: Array) -> Array:
        algorithm = self._convolution(x.shape)
        found = self._values(algorithm.out_shape[3], algorithm.weight_shape)
        self.save(x, algorithm, Held(self.weight, self.bias))
        return algorithm.forward(x, *found)

    def backward(self, dy: Array, added: Array | None = None) -> Array | None:
        """`added`: what else of x's shape is added to the gradient to x, as around a residual block."""
        x, algorithm, held = self.saved()
        held.refuse_others(self)
        dy = self.gradient(dy, algorithm.out_shape)
        algorithm.weight_gradient(x, dy, held.weight.grad)
        if held.bias is not None:
            add_channel_sums(dy.reshape(-1, algorithm.out_shape[3]), held.bias.grad)
        return algorithm.input_gradient(dy, held.weight.data, added) if self._wants_dx() else None

    def __repr__(self) -> str:
        k, s = checks.short(self.kernel_size), checks.short(self.stride)
        extra = "" if self.groups == 1 else f", groups={self.groups}"
        return (
            f"Conv2d({self.in_channels}, {self.out_channels}, kernel_size={k}, stride={s}, "
            f"padding={checks.short(self.padding)!r}{extra}, bias={self.bias is not None})"
        )
