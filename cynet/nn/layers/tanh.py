"""Hyperbolic tangent."""

from cynet.kernels.pointwise import activation
from cynet.nn import registry

from .pointwise import Pointwise


@registry.layer(pointwise=True, examples={"Tanh()": (3, 9, 7, 11)})
class Tanh(Pointwise):
    """y = tanh(x).

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(activation.tanh)
    slope = staticmethod(activation.tanh_backward)
    keeps_output = True
