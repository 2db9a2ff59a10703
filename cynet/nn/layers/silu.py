"""Sigmoid linear unit, also called swish."""

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import activation
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(pointwise=True, examples={"SiLU()": (3, 9, 7, 11)})
class SiLU(Layer):
    """y = x / (1 + exp(-x)), x times its logistic function (Elfwing et al. 2017); of -Inf NaN, as in PyTorch.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(activation.silu)  # all that it computes: plans call it alone

    def forward(self, x: Array) -> Array:
        y = workspace.empty(x.shape)
        activation.silu(x.reshape(-1), y.reshape(-1), threads.get_num_threads())
        self.save(x)
        return y

    def backward(self, dy: Array) -> Array:
        (x,) = self.saved()
        dy = self.gradient(dy, x.shape)
        dx = workspace.empty(x.shape)
        activation.silu_backward(x.reshape(-1), dy.reshape(-1), dx.reshape(-1), threads.get_num_threads())
        return dx
