"""Exponential linear unit."""

from cynet.core import checks, threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import other_activation
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(pointwise=True, examples={"ELU()": (3, 9, 7, 11), "ELU(0.5)": (3, 9, 7, 11)})
class ELU(Layer):
    """y = x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2015).

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).

    Parameters
    ----------
    alpha : float, optional

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = checks.number("alpha", alpha)

    def forward(self, x: Array) -> Array:
        y, alpha = workspace.empty(x.shape), checks.number("alpha", self.alpha)
        other_activation.elu(x.reshape(-1), y.reshape(-1), alpha, threads.get_num_threads())
        self.save(x, alpha)
        return y

    def backward(self, dy: Array) -> Array:
        x, alpha = self.saved()
        dy = self.gradient(dy, x.shape)
        dx = workspace.empty(x.shape)
        other_activation.elu_backward(
            x.reshape(-1), dy.reshape(-1), dx.reshape(-1), alpha, threads.get_num_threads()
        )
        return dx

    def __repr__(self) -> str:
        return f"ELU(alpha={self.alpha:g})"
