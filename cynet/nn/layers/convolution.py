"""What layers with a bank of filters share: attributes, weights, and the algorithm for an input's shape."""

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.conv import convolution
from cynet.kernels.norm.normalization import add_channel_sums
from cynet.nn import init
from cynet.nn.layer import Layer, answers, asked
from cynet.nn.parameter import Held, Parameter, value

TOLD = "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"
UNTOLD = "output_padding=0", "dilation=1", "groups=1", "padding_mode='zeros'"  # what a repr leaves out


class Convolution(Layer):
    """Base of convolutions: a subclass says what its window is, and which problem an input makes of it."""

    told: tuple[str, ...] = TOLD  # by repr
    padding_mode: Any = "zeros"

    def _make(self, channels: Any, window: Any, groups: Any, bias: Any) -> None:
        """Set the attributes, `channels` (in, out) and `window` as for `_window`, and make the weights."""
        self.in_channels, self.out_channels = channels
        self.groups = groups
        self.kernel_size, self.stride, self.padding, self.dilation = window
        # Plain ints from here on: NumPy's small ones would overflow in products.
        self.in_channels, self.out_channels, self.groups = self._channels()
        self.kernel_size, self.stride, self.padding, self.dilation = self._window()
        self.weight = Parameter(init.weights(self._weight_shape()))
        self.bias = Parameter(np.zeros(init.room(self.out_channels))) if checks.flag("bias", bias) else None

    def _channels(self) -> tuple[int, int, int]:
        """(channels in, channels out, groups), checked: they may have been set."""
        inputs = checks.integer("in_channels", self.in_channels, 1)
        outputs = checks.integer("out_channels", self.out_channels, 1)
        groups = checks.integer("groups", self.groups, 1)
        for name, channels in (("in_channels", inputs), ("out_channels", outputs)):
            if channels % groups:
                raise ValueError(f"groups: wanted a divisor of {name} = {channels}, got {groups}")
        return inputs, outputs, groups

    def _window(self) -> tuple[Any, ...]:
        """(kernel, stride, padding, dilation), checked: they may have been set."""
        raise NotImplementedError

    def _weight_shape(self) -> Shape:
        inputs, outputs, groups = self._channels()
        return outputs, inputs // groups, *self._window()[0]

    def problem(self, shape: Shape) -> Any:
        """The `kernels.conv.problem.Problem` that inputs of `shape` make."""
        raise NotImplementedError

    def output_shape(self, shape: Shape) -> Shape:
        found: Shape = self.problem(shape).out_shape
        return found

    def macs(self, shape: Shape) -> int:
        return int(self.problem(shape).macs)

    def convolution(self, shape: Shape) -> Any:
        """A new `kernels.conv.algorithm.Algorithm` for inputs of `shape`."""
        return convolution.choose(self.problem(shape))

    def _convolution(self, shape: Shape) -> Any:
        """The algorithm for `shape`, chosen anew when the shape or an attribute changes."""
        question = shape, *self._asked()
        chosen = self._worked_out  # once: another thread may set it
        if not answers(chosen, question):
            self.values()  # first: an algorithm for filters that are not there may be larger than any memory
            self._worked_out = chosen = asked(question), self.convolution(shape)
        return chosen[1]

    def _asked(self) -> tuple[Any, ...]:
        """The attributes that an algorithm depends on, as they are."""
        channels = self.in_channels, self.out_channels, self.groups
        return self.kernel_size, self.stride, self.padding, self.dilation, self.padding_mode, channels

    def values(self) -> tuple[Array | None, ...]:
        """The arrays of weight and bias (or None), which may have been set to others: an error if amiss."""
        return self._values(self._channels()[1], self._weight_shape())

    def _values(self, outputs: int, shape: Shape) -> tuple[Array | None, ...]:
        weight = value("weight", self.weight, shape)
        return weight, None if self.bias is None else value("bias", self.bias, (outputs,))

    @staticmethod
    def _add_bias_gradient(held: Held, dy: Array) -> None:
        if held.bias is not None and held.bias.requires_grad:
            add_channel_sums(dy.reshape(-1, dy.shape[-1]), held.bias.grad)

    def __repr__(self) -> str:
        words = [f"{name}={checks.short(getattr(self, name))!r}" for name in self.told]
        words = [word for word in words if word not in UNTOLD]
        words = [str(self.in_channels), str(self.out_channels), *words, f"bias={self.bias is not None}"]
        return f"{type(self).__name__}({', '.join(words)})"
