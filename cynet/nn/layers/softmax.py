"""Soft-max."""

from cynet.core import threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.loss import softmax
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"Softmax()": (3, 9, 7, 11)})
class Softmax(Layer):
    """y = exp(x) / sum(exp(x)) along the last axis.

    For training use `CrossEntropyLoss` on the logits instead: it holds a soft-max that cannot lose
    precision.

    Input and output: float32 (N, classes) or (N, H, W, C).
    """

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 1 or shape[-1] < 1:
            raise ValueError(f"wanted at least one class on the last axis, got an input of shape {shape}")
        return shape

    def forward(self, x: Array) -> Array:
        y = workspace.empty(x.shape)
        rows = -1, x.shape[-1]
        softmax.softmax(x.reshape(rows), y.reshape(rows), threads.get_num_threads())
        self.save(y, y.shape)  # the caller may set that of its y
        return y

    def backward(self, dy: Array) -> Array:
        y, shape = self.saved()
        dy = self.gradient(dy, shape)
        dx = workspace.empty(shape)
        rows = -1, shape[-1]
        softmax.softmax_backward(
            y.reshape(rows), dy.reshape(rows), dx.reshape(rows), threads.get_num_threads()
        )
        return dx
