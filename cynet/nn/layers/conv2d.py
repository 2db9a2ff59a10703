"""Conv2d: two-dimensional convolution (cross-correlation, as everywhere in the field)."""

from typing import Any

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.common import geometry
from cynet.kernels.conv.problem import Problem
from cynet.nn import registry
from cynet.nn.parameter import Held

from .convolution import Convolution


@registry.layer(
    examples={
        "Conv2d(4, 8, 3, padding=1)": (2, 9, 9, 4),
        "Conv2d(3, 8, 3)": (2, 9, 9, 3),
        "Conv2d(4, 6, (3, 2), stride=2, padding='same', groups=2)": (2, 9, 8, 4),
        "Conv2d(4, 4, 3, groups=4, bias=False)": (2, 9, 9, 4),
        "Conv2d(4, 5, 1)": (2, 9, 9, 4),
        "Conv2d(8, 8, 3, padding=(2, 0, 1, 2))": (2, 9, 9, 8),
        "Conv2d(8, 8, 3, padding=2, dilation=2)": (2, 9, 9, 8),
        "Conv2d(6, 4, (3, 2), (2, 1), 'same', (2, 3), 2, False)": (2, 9, 11, 6),
        "Conv2d(4, 6, (3, 5), (1, 2), (1, 2), 1, 2, True, 'reflect')": (2, 9, 8, 4),
    }
)
class Conv2d(Convolution):
    """Convolution of images with a bank of filters.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride : int or (vertical, horizontal)
    padding : int, (vertical, horizontal), (top, left, bottom, right), "same" or "valid"
        Pixels around the image. "same" is the course's rule: (size - 1) // 2 before, and after as many as
        ceil(in / stride) outputs need; size is that of the kernel with its dilation. "valid" is 0.
    dilation : int or (vertical, horizontal)
        The distance of neighbouring taps of the kernel, in pixels.
    groups : int
        Channels are cut into so many groups, convolved each with its own filters; groups = in_channels =
        out_channels is a depth-wise convolution.
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding is: zeros; the image mirrored, without its edge; its last pixels; or its other side.
        All but zeros take longer, since they are laid around a copy of the image first.

    Attributes
    ----------
    weight : Parameter (out_channels, in_channels / groups, height, width)
    bias : Parameter (out_channels,) or None

    Notes
    -----
    x is float32 (N, H, W, in_channels), y (N, out_h, out_w, out_channels) with
    out = (before + in + after - dilation (kernel - 1) - 1) // stride + 1.

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
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = geometry.ZEROS,
    ) -> None:
        self.padding_mode = geometry.checked_border(padding_mode)
        window = kernel_size, stride, padding, dilation
        self._make((in_channels, out_channels), window, groups, bias)

    def _window(self) -> tuple[Any, ...]:
        kernel, stride = checks.pair("kernel_size", self.kernel_size), checks.pair("stride", self.stride)
        padding, dilation = geometry.checked_padding(self.padding), checks.pair("dilation", self.dilation)
        return kernel, stride, padding, dilation

    def problem(self, shape: Shape) -> Any:
        inputs, outputs, groups = self._channels()
        if len(shape) != 4 or shape[3] != inputs:
            raise ValueError(f"wanted (N, H, W, {inputs}), got {shape}")
        *window, dilation = self._window()
        border = geometry.checked_border(self.padding_mode)  # it may have been set
        return Problem.of(shape, outputs, *window, groups, dilation, border)

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
        self._add_bias_gradient(held, dy)
        dw = held.weight.grad if held.weight.requires_grad else None
        return algorithm.gradients(x, dy, held.weight.data, dw, self._wants_dx(), added)
