"""Leaky ReLU."""

from cynet.core import checks, threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import activation
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(pointwise=True, examples={"LeakyReLU(0.1)": (3, 9, 7, 11)})
class LeakyReLU(Layer):
    """y = x where x > 0, else negative_slope * x (Maas et al. 2013).

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).

    Parameters
    ----------
    negative_slope : float, optional

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = checks.number("negative_slope", negative_slope)

    def forward(self, x: Array) -> Array:
        y, slope = workspace.empty(x.shape), checks.number("negative_slope", self.negative_slope)
        activation.leaky_relu(x.reshape(-1), y.reshape(-1), slope, threads.get_num_threads())
        self.save(x, slope)
        return y

    def backward(self, dy: Array) -> Array:
        x, slope = self.saved()
        dy = self.gradient(dy, x.shape)
        dx = workspace.empty(x.shape)
        activation.leaky_relu_backward(
            x.reshape(-1), dy.reshape(-1), dx.reshape(-1), slope, threads.get_num_threads()
        )
        return dx

    def __repr__(self) -> str:
        return f"LeakyReLU(negative_slope={self.negative_slope:g})"
