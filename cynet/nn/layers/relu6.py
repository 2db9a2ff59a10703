"""ReLU that ends at 6."""

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import other_activation
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(pointwise=True, examples={"ReLU6()": (3, 9, 7, 11)})
class ReLU6(Layer):
    """y = min(max(x, 0), 6); NaN stays NaN, as in PyTorch.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(other_activation.relu6)  # all that it computes: plans call it alone

    def forward(self, x: Array) -> Array:
        y = workspace.empty(x.shape)
        other_activation.relu6(x.reshape(-1), y.reshape(-1), threads.get_num_threads())
        self.save(y)
        return y

    def backward(self, dy: Array) -> Array:
        (y,) = self.saved()
        dy = self.gradient(dy, y.shape)
        dx = workspace.empty(y.shape)
        other_activation.relu6_backward(
            y.reshape(-1), dy.reshape(-1), dx.reshape(-1), threads.get_num_threads()
        )
        return dx
