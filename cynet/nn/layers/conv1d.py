"""Conv1d: convolution along sequences."""

from typing import Any

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.common import geometry
from cynet.kernels.conv.problem import Problem
from cynet.nn import registry
from cynet.nn.parameter import Held

from .convolution import Convolution


def _single(name: str, value: Any) -> tuple[int]:
    """An int, or one in a tuple, as PyTorch keeps it."""
    if isinstance(value, (tuple, list)):
        if len(value) != 1:
            raise ValueError(f"{name}: wanted an int, got {value!r}")
        value = value[0]
    return (checks.integer(name, value, 1),)


def _sides(padding: Any) -> Any:
    """(before, after), or "same"."""
    if isinstance(padding, str):
        if padding not in (geometry.SAME, geometry.VALID):
            wanted = 'an int, (before, after), "same" or "valid"'
            raise ValueError(f"padding: wanted {wanted}, got {padding!r}")
        return padding if padding == geometry.SAME else (0, 0)
    if not isinstance(padding, (tuple, list)):
        padding = (padding,)
    if len(padding) not in (1, 2):
        raise ValueError(f'padding: wanted an int, (before, after), "same" or "valid", got {padding!r}')
    return checks.integer("padding", padding[0], 0), checks.integer("padding", padding[-1], 0)


@registry.layer(
    examples={
        "Conv1d(4, 8, 3, padding=1)": (3, 9, 4),
        "Conv1d(3, 16, 5, stride=2)": (2, 20, 3),
        "Conv1d(4, 6, 3, padding=4, dilation=4, groups=2)": (2, 11, 4),
        "Conv1d(4, 4, 3, padding='same', groups=4, bias=False)": (2, 9, 4),
        "Conv1d(4, 5, 2, padding=(4, 0), dilation=4)": (2, 9, 4),
        "Conv1d(4, 5, 1)": (2, 9, 4),
        "Conv1d(4, 6, 5, 1, 2, 1, 1, True, 'circular')": (2, 9, 4),
    }
)
class Conv1d(Convolution):
    """Convolution of sequences with a bank of filters: that of images of height 1.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride : int
    padding : int, (before, after), "same" or "valid"
        Around the sequence; (dilation (kernel_size - 1), 0) makes it causal. The words as for `Conv2d`.
    dilation : int
        The distance of neighbouring taps of the kernel.
    groups : int
        Channels are cut into so many groups, convolved each with its own filters.
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        As for `Conv2d`.

    Attributes
    ----------
    weight : Parameter (out_channels, in_channels / groups, kernel_size)
    bias : Parameter (out_channels,) or None

    Notes
    -----
    x is float32 (N, L, in_channels), y (N, out, out_channels) with
    out = (before + L + after - dilation (kernel_size - 1) - 1) // stride + 1.

    Raises
    ------
    TypeError, ValueError
        As `Conv2d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = geometry.ZEROS,
    ) -> None:
        self.padding_mode = geometry.checked_border(padding_mode)
        window = kernel_size, stride, padding, dilation
        self._make((in_channels, out_channels), window, groups, bias)

    def _window(self) -> tuple[Any, ...]:
        kernel, stride = _single("kernel_size", self.kernel_size), _single("stride", self.stride)
        return kernel, stride, _sides(self.padding), _single("dilation", self.dilation)

    def problem(self, shape: Shape) -> Any:
        """That of images of height 1."""
        inputs, outputs, groups = self._channels()
        if len(shape) != 3 or shape[2] != inputs:
            raise ValueError(f"wanted (N, L, {inputs}), got {shape}")
        kernel, stride, padding, dilation = self._window()
        padding = padding if padding == geometry.SAME else (0, padding[0], 0, padding[1])
        border = geometry.checked_border(self.padding_mode)
        window = (1, *kernel), (1, *stride), padding, groups, (1, *dilation), border
        return Problem.of((shape[0], 1, *shape[1:]), outputs, *window, ("height", "length"))

    def output_shape(self, shape: Shape) -> Shape:
        batch, _, length, channels = self.problem(shape).out_shape
        return batch, length, channels

    def forward(self, x: Array) -> Array:
        algorithm = self._convolution(x.shape)
        outputs, depth, _, taps = algorithm.weight_shape
        weight, bias = self._values(outputs, (outputs, depth, taps))
        self.save(x, algorithm, Held(self.weight, self.bias))
        y: Array = algorithm.forward(x[:, None], self._filters(weight), bias)
        return y[:, 0]

    @staticmethod
    def _filters(array: Any) -> Any:
        """A weight, or its gradient, as that of images, in the same memory."""
        return array[:, :, None]

    def backward(self, dy: Array, added: Array | None = None) -> Array | None:
        """`added`: what else of x's shape is added to the gradient to x, as around a residual block."""
        x, algorithm, held = self.saved()
        held.refuse_others(self)
        batch, _, length, channels = algorithm.out_shape
        dy = self.gradient(dy, (batch, length, channels))
        images = dy[:, None]
        if held.weight.requires_grad:
            algorithm.weight_gradient(x[:, None], images, self._filters(held.weight.grad))
        self._add_bias_gradient(held, dy)
        if not self._wants_dx():
            return None
        added = added if added is None else added[:, None]
        dx: Array = algorithm.input_gradient(images, self._filters(held.weight.data), added)
        return dx[:, 0]
