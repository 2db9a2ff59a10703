"""Conv2d: two-dimensional convolution (cross-correlation, as everywhere in the field)."""

import numpy as np

from cynet.core import arrays, checks, convolution, geometry, init
from cynet.core.layer import Layer
from cynet.core.normalization import add_channel_sums
from cynet.core.parameter import Parameter
from cynet.core.winograd import WinogradConvolution


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

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1, bias=True):
        self.in_channels = checks.integer("in_channels", in_channels, 1)
        self.out_channels = checks.integer("out_channels", out_channels, 1)
        self.kernel_size = checks.pair("kernel_size", kernel_size)
        self.stride = checks.pair("stride", stride)
        self.padding = geometry.checked_padding(padding)
        self.groups = checks.integer("groups", groups, 1)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"groups: wanted a divisor of {name} = {channels}, got {groups}")
        self.weight = Parameter(init.weights((out_channels, in_channels // groups, *self.kernel_size)))
        self.bias = Parameter(np.zeros(out_channels)) if checks.flag("bias", bias) else None

    def output_shape(self, shape):
        if len(shape) != 4 or shape[3] != self.in_channels:
            raise ValueError(f"wanted (N, H, W, {self.in_channels}), got {shape}")
        _, (height, width) = geometry.window_grid(shape[1:3], self.kernel_size, self.stride, self.padding)
        return shape[0], height, width, self.out_channels

    def macs(self, shape):
        return np.prod(self.output_shape(shape)) * self.weight.size // self.out_channels

    def _convolution(self, shape):
        """The plan for `shape`, made anew when the shape or an attribute changes."""
        channels = self.in_channels, self.out_channels, self.groups
        question = shape, self.kernel_size, self.stride, self.padding, channels
        plan = self._plan  # once: another thread may set it
        if plan is None or plan[0] != question:
            self.output_shape(shape)  # refuses what __call__ may not have seen
            sides, out_hw = geometry.window_grid(shape[1:3], self.kernel_size, self.stride, self.padding)
            window = self.kernel_size, self.stride, sides[:2]
            made = convolution.plan(shape, out_hw, self.out_channels, *window, self.groups)
            self._plan = plan = question, made
        return plan[1]

    def values(self):
        """The arrays of weight and bias (or None), which may have been set to others: ValueError if amiss."""
        self.weight.require((self.out_channels, self.in_channels // self.groups, *self.kernel_size), "weight")
        if self.bias is None:
            return self.weight.data, None
        self.bias.require((self.out_channels,), "bias")
        return self.weight.data, self.bias.data

    def forward(self, x):
        self.save(x)
        return self._convolution(x.shape).forward(x, *self.values())

    def backward(self, dy, added=None):
        """`added`: what else of x's shape is added to the gradient to x, as around a residual block."""
        (x,) = self.saved()
        plan, (weight, _) = self._convolution(x.shape), self.values()
        dy = self.gradient(dy, plan.out_shape)
        plan.weight_gradient(x, dy, self.weight.grad)
        if self.bias is not None:
            add_channel_sums(dy.reshape(-1, self.out_channels), self.bias.grad)
        if not self.input_grad:
            return None
        if isinstance(plan, WinogradConvolution) and added is not None:
            return plan.input_gradient(dy, weight, arrays.matched(added, x))
        dx = plan.input_gradient(dy, weight)
        return dx if added is None else arrays.add(dx, added)

    def __repr__(self):
        k, s = checks.short(self.kernel_size), checks.short(self.stride)
        extra = "" if self.groups == 1 else f", groups={self.groups}"
        return (
            f"Conv2d({self.in_channels}, {self.out_channels}, kernel_size={k}, stride={s}, "
            f"padding={checks.short(self.padding)!r}{extra}, bias={self.bias is not None})"
        )
