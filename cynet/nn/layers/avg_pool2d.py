"""Average pooling."""

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.kernels.pool import avg_pool
from cynet.nn import registry

from .pool2d import Pool2d


@registry.layer(examples={"AvgPool2d(2)": (2, 9, 9, 4), "AvgPool2d(3, (1, 2), (0, 1, 2, 0))": (3, 9, 7, 11)})
class AvgPool2d(Pool2d):
    """The mean of each window; padding counts as zeros, the divisor is always the area of the kernel.

    Parameters
    ----------
    kernel_size : int or (height, width)
    stride : int or (vertical, horizontal), optional
    padding : int, (vertical, horizontal), (top, left, bottom, right) or "same", optional
        As for `Pool2d`.
    """

    def forward(self, x: Array) -> Array:
        shape, window = self.grid(x.shape)
        y = workspace.empty(shape)
        avg_pool.avg_pool(x, y, *window, threads.get_num_threads())
        self.save(x.shape, shape, window)
        return y

    def backward(self, dy: Array) -> Array:
        shape, out_shape, window = self.saved()
        dy = self.gradient(dy, out_shape)
        dx = workspace.empty(shape)
        avg_pool.avg_pool_backward(dy, dx, *window, threads.get_num_threads())
        return dx
