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

    (N, L, C) becomes (N, C * L) in the same way, and so do arrays of more dimensions; rows stay as they are.
    """

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 1:
            raise ValueError("wanted an input with a batch dimension, got one of shape ()")
        return shape[0], prod(shape[1:])

    def forward(self, x: Array) -> Array:
        self.save(x.shape)
        if x.ndim < 3:
            return x.reshape(self.output_shape(x.shape))
        n, *sides, channels = x.shape
        y = workspace.empty((n, channels, prod(sides)))
        elementwise.transpose(x.reshape(n, prod(sides), channels), y, threads.get_num_threads())
        return y.reshape(n, channels * prod(sides))

    def backward(self, dy: Array) -> Array:
        (shape,) = self.saved()
        dy = self.gradient(dy, self.output_shape(shape))
        if len(shape) < 3:
            return dy.reshape(shape)
        n, *sides, channels = shape
        dx = workspace.empty((n, prod(sides), channels))
        elementwise.transpose(dy.reshape(n, channels, prod(sides)), dx, threads.get_num_threads())
        return dx.reshape(shape)
