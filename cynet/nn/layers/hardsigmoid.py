"""The logistic function in three straight pieces."""

from cynet.kernels.pointwise import other_activation
from cynet.nn import registry

from .pointwise import Pointwise


@registry.layer(pointwise=True, examples={"Hardsigmoid()": (3, 9, 7, 11)})
class Hardsigmoid(Pointwise):
    """y = min(max(x + 3, 0), 6) / 6, a sigmoid without exp.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(other_activation.hardsigmoid)
    slope = staticmethod(other_activation.hardsigmoid_backward)
