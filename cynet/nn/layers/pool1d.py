"""What the two pooling layers over sequences share."""

from typing import Any

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.common import geometry

from .pool2d import Pool2d


class Pool1d(Pool2d):
    """A window that slides along sequences (N, L, C), channel by channel: images of one row to the kernels.

    It stands before the layer for images among the bases of one for sequences.

    Parameters
    ----------
    kernel_size : int
    stride : int, optional
        Default: kernel_size.
    padding : int, (before, after), "same" or "valid", optional
        Less than the kernel; the words as for `Pool2d`.
    ceil_mode : bool, optional
        As for `Pool2d`.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        of_images: Any = self.kernel_size, self.stride, self.padding  # one row high, as `window` gives them
        kernel, stride, padding = of_images
        self.kernel_size, self.stride = kernel[1], stride[1]
        if padding != geometry.SAME:
            _, before, _, after = padding
            self.padding = before if before == after else (before, after)

    def window(self) -> Any:
        kernel, stride = one("kernel_size", self.kernel_size), one("stride", self.stride)
        padding = 0 if isinstance(self.padding, str) and self.padding == geometry.VALID else self.padding
        if isinstance(padding, str) and padding == geometry.SAME:
            return (1, kernel), (1, stride), padding
        pair = padding if isinstance(padding, (tuple, list)) else (padding, padding)
        if len(pair) != 2 or isinstance(padding, str):
            raise ValueError(
                f'padding: wanted an int, (before, after), "same" or "valid", got {padding!r:.80}'
            )
        name = "padding" if pair is not padding else "padding[{}]"
        before, after = (checks.integer(name.format(i), cells, 0) for i, cells in enumerate(pair))
        if max(before, after) >= kernel:
            raise ValueError(f"padding: wanted less than the kernel {kernel}, got {padding}")
        return (1, kernel), (1, stride), (0, before, 0, after)

    def _settled(self, shape: Shape) -> Any:
        self.window(), self.apart()  # refuse what only equals a number that was asked for before
        return super()._settled(shape)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise ValueError(f"wanted an input (N, L, C), got shape {shape}")
        n, _, length, channels = self.grid((shape[0], 1, *shape[1:]))[0]
        return n, length, channels

    def forward(self, x: Array) -> Array:
        n, length, channels = x.shape
        return _sequence(super().forward(x.reshape(n, 1, length, channels)))

    def gradient(self, dy: Array, shape: Shape) -> Array:
        """`dy`, checked to be of sequences, as that of the images that kernels see, which has this shape."""
        n, _, length, channels = shape
        return super().gradient(dy, (n, length, channels)).reshape(shape)

    def backward(self, dy: Array) -> Array:
        dx: Any = super().backward(dy)
        return _sequence(dx)


def one(name: str, value: Any) -> int:
    """An int, or one in a tuple, as PyTorch has it."""
    if isinstance(value, (tuple, list)):
        if len(value) != 1:
            raise ValueError(f"{name}: wanted an int, got {value!r:.80}")
        value = value[0]
    return checks.integer(name, value, 1)


def _sequence(image: Array) -> Array:
    n, _, length, channels = image.shape
    return image.reshape(n, length, channels)
