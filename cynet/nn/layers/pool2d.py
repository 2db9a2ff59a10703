"""What the two pooling layers with windows share."""

from typing import Any

from cynet.core import checks
from cynet.core.types import Shape
from cynet.kernels.common import geometry
from cynet.nn.layer import Layer, answers, asked


class Pool2d(Layer):
    """A window that slides over images (N, H, W, C), channel by channel.

    Parameters
    ----------
    kernel_size : int or (height, width)
    stride : int or pair, optional
        Default: kernel_size.
    padding : int, (vertical, horizontal), (top, left, bottom, right), "same" or "valid", optional
        Less than the kernel, so that each window holds a pixel. "same": (size - 1) // 2 cells before, and
        after as many as ceil(in / stride) outputs need. "valid": none.
    ceil_mode : bool, optional
        Whether a last window may reach beyond the padded image, if it begins before the padding after it.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, ...] | str = 0,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.ceil_mode = checks.flag("ceil_mode", ceil_mode)
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        self.kernel_size, self.stride, self.padding = self.window()

    def window(self) -> Any:
        """(kernel, stride, padding), checked: they may have been set."""
        kernel, stride = checks.pair("kernel_size", self.kernel_size), checks.pair("stride", self.stride)
        padding = geometry.checked_padding(self.padding)
        if padding != geometry.SAME:
            for side, cells in enumerate(padding):
                if cells >= kernel[side % 2]:
                    raise ValueError(f"padding: wanted less than the kernel {kernel}, got {self.padding}")
        return kernel, stride, padding

    dilation: Any = 1  # of those that have none

    def apart(self) -> tuple[int, int]:
        """The distance of a window's cells, (vertical, horizontal)."""
        return 1, 1

    def grid(self, shape: Shape) -> Any:
        """(the output's shape, the numbers kernels take) for an input of `shape`.

        The numbers: kernel height and width, vertical and horizontal stride, padding above and to the left.
        """
        return self.padded_grid(shape)[:2]

    def padded_grid(self, shape: Shape) -> Any:
        """The two of `grid`, and the padding (top, left, bottom, right)."""
        return self._settled(shape)[:3]

    def _settled(self, shape: Shape) -> Any:
        """The three of `padded_grid`, and `apart`, looked at anew when an attribute was set."""
        if len(shape) != 4:
            raise ValueError(f"wanted an input (N, H, W, C), got shape {shape}")
        ceil = self.ceil_mode
        if ceil is not False and ceil is not True:
            checks.flag("ceil_mode", ceil)  # refuses what only equals one
        question = shape, self.kernel_size, self.stride, self.padding, ceil, self.dilation
        known = self._worked_out  # once: another thread may set it
        if not answers(known, question):
            kernel, stride, padding = self.window()
            apart = self.apart()
            sides, out_hw = geometry.window_grid(shape[1:3], kernel, stride, padding, apart, ceil=ceil)
            found = (shape[0], *out_hw, shape[3]), (*kernel, *stride, *sides[:2]), sides, apart
            self._worked_out = known = asked(question), found
        return known[1]

    def output_shape(self, shape: Shape) -> Shape:
        return self.grid(shape)[0]

    def __repr__(self) -> str:
        size, stride, padding = map(checks.short, (self.kernel_size, self.stride, self.padding))
        ceil = f", ceil_mode={self.ceil_mode}" if self.ceil_mode else ""
        return f"{type(self).__name__}(kernel_size={size}, stride={stride}, padding={padding!r}{ceil})"
