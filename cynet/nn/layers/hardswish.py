"""SiLU in three pieces without exp."""

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import other_activation
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(pointwise=True, examples={"Hardswish()": (3, 9, 7, 11)})
class Hardswish(Layer):
    """y = x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, MobileNetV3); of -Inf NaN, as in PyTorch.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(other_activation.hardswish)  # all that it computes: plans call it alone

    def forward(self, x: Array) -> Array:
        y = workspace.empty(x.shape)
        other_activation.hardswish(x.reshape(-1), y.reshape(-1), threads.get_num_threads())
        self.save(x)
        return y

    def backward(self, dy: Array) -> Array:
        (x,) = self.saved()
        dy = self.gradient(dy, x.shape)
        dx = workspace.empty(x.shape)
        other_activation.hardswish_backward(
            x.reshape(-1), dy.reshape(-1), dx.reshape(-1), threads.get_num_threads()
        )
        return dx
