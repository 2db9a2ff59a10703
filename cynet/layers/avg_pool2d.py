"""Average pooling."""

from cynet.core import threads, workspace
from cynet.kernels import avg_pool

from .pool2d import Pool2d


class AvgPool2d(Pool2d):
    """The mean of each window; padding counts as zeros, the divisor is always the area of the kernel.

    The arguments are those of `Pool2d`.
    """

    def forward(self, x):
        (top, left, _, _), (height, width) = self.grid(x.shape)
        y = workspace.empty((x.shape[0], height, width, x.shape[3]))
        avg_pool.avg_pool(x, y, *self.kernel_size, *self.stride, top, left, threads.get_num_threads())
        self.save(x.shape, y.shape, (top, left))
        return y

    def backward(self, dy):
        shape, out_shape, start = self.saved()
        dy = self.gradient(dy, out_shape)
        dx = workspace.empty(shape)
        avg_pool.avg_pool_backward(dy, dx, *self.kernel_size, *self.stride, *start, threads.get_num_threads())
        return dx
