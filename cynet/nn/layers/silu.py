"""Sigmoid linear unit, also called swish."""

from cynet.kernels.pointwise import activation
from cynet.nn import registry

from .pointwise import Pointwise


@registry.layer(pointwise=True, examples={"SiLU()": (3, 9, 7, 11)})
class SiLU(Pointwise):
    """y = x / (1 + exp(-x)), x times its logistic function (Elfwing et al. 2017); of -Inf NaN, as in PyTorch.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(activation.silu)
    slope = staticmethod(activation.silu_backward)
