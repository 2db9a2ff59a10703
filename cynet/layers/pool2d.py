"""What the two pooling layers with windows share."""

from cynet.core import checks, geometry
from cynet.core.layer import Layer


class Pool2d(Layer):
    """A window that slides over images (N, H, W, C), channel by channel.

    Parameters
    ----------
    kernel_size : int or (height, width)
    stride : int or pair, optional
        Default: kernel_size.
    padding : int, (vertical, horizontal), (top, left, bottom, right) or "same", optional
        Less than the kernel, so that each window holds a pixel. "same": (size - 1) // 2 cells before, and
        after as many as ceil(in / stride) outputs need.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size = checks.pair("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else checks.pair("stride", stride)
        self.padding = geometry.checked_padding(padding)
        if self.padding != geometry.SAME:
            for side, cells in enumerate(self.padding):
                if cells >= self.kernel_size[side % 2]:
                    raise ValueError(
                        f"padding: wanted less than the kernel {self.kernel_size}, got {padding}"
                    )

    def grid(self, shape):
        """((top, left, bottom, right), (out height, out width)) for an input of `shape`."""
        if len(shape) != 4:
            raise ValueError(f"wanted an input (N, H, W, C), got shape {shape}")
        question = shape[1:3], self.kernel_size, self.stride, self.padding
        plan = self._plan  # once: another thread may set it
        if plan is None or plan[0] != question:
            self._plan = plan = question, geometry.window_grid(*question)
        return plan[1]

    def output_shape(self, shape):
        _, (height, width) = self.grid(shape)
        return shape[0], height, width, shape[3]

    def __repr__(self):
        size, stride, padding = map(checks.short, (self.kernel_size, self.stride, self.padding))
        return f"{type(self).__name__}(kernel_size={size}, stride={stride}, padding={padding!r})"
