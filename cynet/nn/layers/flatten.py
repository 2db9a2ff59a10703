"""From images to rows of features."""

from math import prod

from cynet.core import threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import elementwise
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"Flatten()": (3, 9, 7, 4)})
class Flatten(Layer):
    """(N, H, W, C) to (N, C * H * W), channel by channel, so that a PyTorch `Linear` after it fits unchanged.

    An input of other than four dimensions keeps its order: (N, ...) to (N, features).
    """

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 1:
            raise ValueError("wanted an input with a batch dimension, got one of shape ()")
        return shape[0], prod(shape[1:])

    def forward(self, x: Array) -> Array:
        self.save(x.shape)
        if x.ndim != 4:
            return x.reshape(self.output_shape(x.shape))
        n, height, width, channels = x.shape
        y = workspace.empty((n, channels, height * width))
        elementwise.transpose(x.reshape(n, height * width, channels), y, threads.get_num_threads())
        return y.reshape(n, channels * height * width)

    def backward(self, dy: Array) -> Array:
        (shape,) = self.saved()
        dy = self.gradient(dy, self.output_shape(shape))
        if len(shape) != 4:
            return dy.reshape(shape)
        n, height, width, channels = shape
        dx = workspace.empty((n, height * width, channels))
        elementwise.transpose(dy.reshape(n, channels, height * width), dx, threads.get_num_threads())
        return dx.reshape(shape)
