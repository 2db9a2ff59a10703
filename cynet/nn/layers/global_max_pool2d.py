"""Maximum over each channel of an image."""

from cynet.core import workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pool import large
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"GlobalMaxPool2d()": (3, 9, 7, 11)})
class GlobalMaxPool2d(Layer):
    """(N, H, W, C) to (N, C): the greatest of all pixels, as `MaxPool2d` has it of one window."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4 or shape[1] < 1 or shape[2] < 1:
            raise ValueError(f"wanted an input (N, H, W, C) with H and W at least 1, got shape {shape}")
        return shape[0], shape[3]

    def forward(self, x: Array) -> Array:
        n, height, width, channels = x.shape
        shape = n, 1, 1, channels
        y, winner = workspace.empty(shape), large.winners(shape)
        large.forward(x, y, winner, height, width, 1, 1, 0, 0, 1, 1)
        self.save(x.shape, winner)
        return y.reshape(n, channels)

    def backward(self, dy: Array) -> Array:
        shape, winner = self.saved()
        dy = self.gradient(dy, (shape[0], shape[3])).reshape(winner.shape)
        dx = workspace.empty(shape)
        large.backward(dy, winner, dx)
        return dx
