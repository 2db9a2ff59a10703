"""ReLU."""

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import activation
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(pointwise=True, examples={"ReLU()": (3, 9, 7, 11)})
class ReLU(Layer):
    """y = max(x, 0); NaN stays NaN, as in PyTorch.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(activation.relu)  # all that it computes: plans call it alone

    def forward(self, x: Array) -> Array:
        y = workspace.empty(x.shape)
        activation.relu(x.reshape(-1), y.reshape(-1), threads.get_num_threads())
        self.save(y)
        return y

    def backward(self, dy: Array) -> Array:
        (y,) = self.saved()
        dy = self.gradient(dy, y.shape)
        dx = workspace.empty(y.shape)
        activation.relu_backward(y.reshape(-1), dy.reshape(-1), dx.reshape(-1), threads.get_num_threads())
        return dx
