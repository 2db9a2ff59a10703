"""ConvTranspose2d: transposed convolution, as in decoders."""

from typing import Any

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.common import geometry
from cynet.kernels.conv import transposed
from cynet.kernels.pointwise import arrays
from cynet.nn import registry
from cynet.nn.parameter import Held

from .convolution import Convolution


@registry.layer(
    examples={
        "ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)": (2, 5, 4, 4),
        "ConvTranspose2d(8, 3, 2, stride=2)": (2, 5, 4, 8),
        "ConvTranspose2d(8, 16, 3, padding=1)": (2, 9, 9, 8),
        "ConvTranspose2d(4, 6, (3, 2), (2, 1), groups=2, bias=False)": (2, 5, 4, 4),
        "ConvTranspose2d(4, 4, 3, 2, 1, groups=4)": (2, 5, 4, 4),
        "ConvTranspose2d(4, 6, (3, 2), (2, 1), (0, 1, 2, 0), (1, 0), 2, True, (1, 3))": (2, 5, 4, 4),
        "ConvTranspose2d(4, 5, 3, padding=1, output_padding=1, dilation=2)": (2, 5, 4, 4),
    }
)
class ConvTranspose2d(Convolution):
    """Transposed convolution: the gradient of a `Conv2d` to its input, as a layer.

    Each pixel of the input adds its filters to a window of the output, and windows lie `stride` apart there:
    a stride makes images larger.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride : int or (vertical, horizontal)
    padding : int, (vertical, horizontal) or (top, left, bottom, right)
        How much is cut off around the output.
    output_padding : int or (vertical, horizontal)
        How much more output there is below and to the right; less than `stride` or `dilation`.
    groups : int
        Channels are cut into so many groups, each with its own filters.
    bias : bool
    dilation : int or (vertical, horizontal)
        The distance of neighbouring taps of the kernel, in pixels.

    Attributes
    ----------
    weight : Parameter (in_channels, out_channels / groups, height, width)
    bias : Parameter (out_channels,) or None

    Notes
    -----
    x is float32 (N, H, W, in_channels), y (N, out_h, out_w, out_channels) with
    out = (in - 1) stride + dilation (kernel - 1) + 1 + output_padding - before - after.

    Raises
    ------
    TypeError, ValueError
        From the constructor for arguments of the wrong kind, range, or that `groups` does not divide; from
        the first call for images of other channels, or of whose output nothing is left by `padding`.
    """

    told = "kernel_size", "stride", "padding", "output_padding", "groups", "dilation"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, int] = 1,
    ) -> None:
        self.output_padding: Any = output_padding
        window = kernel_size, stride, padding, dilation
        self._make((in_channels, out_channels), window, groups, bias)
        self.output_padding = self._more()

    def _window(self) -> tuple[Any, ...]:
        kernel, stride = checks.pair("kernel_size", self.kernel_size), checks.pair("stride", self.stride)
        if isinstance(self.padding, str):
            raise ValueError(f"padding: wanted an int, a pair or a 4-tuple, got {self.padding!r}")
        padding, dilation = geometry.checked_padding(self.padding), checks.pair("dilation", self.dilation)
        return kernel, stride, padding, dilation

    def _more(self) -> tuple[int, int]:
        """The output padding, checked."""
        _, stride, _, dilation = self._window()
        more = checks.pair("output_padding", self.output_padding, 0)
        if any(side >= max(sizes) for side, *sizes in zip(more, stride, dilation, strict=True)):
            raise ValueError(
                f"output_padding: wanted less than stride {stride} or dilation {dilation}, got {more}"
            )
        return more

    def _weight_shape(self) -> Shape:
        inputs, outputs, groups = self._channels()
        return inputs, outputs // groups, *self._window()[0]

    def _asked(self) -> tuple[Any, ...]:
        return *super()._asked(), self.output_padding

    def problem(self, shape: Shape) -> Any:
        """That of the convolution which is transposed: its input is this layer's output."""
        inputs, outputs, groups = self._channels()
        if len(shape) != 4 or shape[3] != inputs:
            raise ValueError(f"wanted (N, H, W, {inputs}), got {shape}")
        *window, dilation = self._window()
        return transposed.problem(shape, outputs, *window, self._more(), groups, dilation)

    def output_shape(self, shape: Shape) -> Shape:
        found: Shape = self.problem(shape).in_shape
        return found

    def forward(self, x: Array) -> Array:
        algorithm = self._convolution(x.shape)
        weight, bias = self._values(algorithm.in_shape[3], algorithm.weight_shape)
        self.save(x, algorithm, Held(self.weight, self.bias))
        y: Array = algorithm.input_gradient(x, weight)
        return y if bias is None else arrays.add_to_channels(y, bias)

    def backward(self, dy: Array) -> Array | None:
        x, algorithm, held = self.saved()
        held.refuse_others(self)
        dy = self.gradient(dy, algorithm.in_shape)
        if held.weight.requires_grad:
            algorithm.weight_gradient(dy, x, held.weight.grad)
        self._add_bias_gradient(held, dy)
        return algorithm.forward(dy, held.weight.data) if self._wants_dx() else None
