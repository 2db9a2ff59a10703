"""Mean over each channel of an image."""

from math import prod

from cynet.core import threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pool import avg_pool
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"GlobalAvgPool2d()": (3, 9, 7, 11)})
class GlobalAvgPool2d(Layer):
    """(N, H, W, C) to (N, C): the mean over all pixels (Lin et al. 2013, section 3.2)."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4 or shape[1] < 1 or shape[2] < 1:
            raise ValueError(f"wanted an input (N, H, W, C) with H and W at least 1, got shape {shape}")
        return shape[0], shape[3]

    def forward(self, x: Array) -> Array:
        n, *sides, channels = x.shape
        y = workspace.empty((n, channels))
        avg_pool.global_avg_pool(x.reshape(n, prod(sides), channels), y, threads.get_num_threads())
        self.save(x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        (shape,) = self.saved()
        n, *sides, channels = shape
        dy = self.gradient(dy, (n, channels))
        dx = workspace.empty((n, prod(sides), channels))
        avg_pool.global_avg_pool_backward(dy, dx, threads.get_num_threads())
        return dx.reshape(shape)
