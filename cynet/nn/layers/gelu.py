"""Gaussian error linear unit."""

from cynet.kernels.pointwise import activation
from cynet.nn import registry

from .pointwise import Pointwise


@registry.layer(pointwise=True, examples={"GELU()": (3, 9, 7, 11)})
class GELU(Pointwise):
    """y = x P(X <= x), X standard normal: exact, by the error function (Hendrycks & Gimpel 2016).

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(activation.gelu)
    slope = staticmethod(activation.gelu_backward)
