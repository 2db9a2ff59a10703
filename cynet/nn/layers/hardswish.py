"""SiLU in three pieces without exp."""

from cynet.kernels.pointwise import other_activation
from cynet.nn import registry

from .pointwise import Pointwise


@registry.layer(pointwise=True, examples={"Hardswish()": (3, 9, 7, 11)})
class Hardswish(Pointwise):
    """y = x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, MobileNetV3); of -Inf NaN, as in PyTorch.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(other_activation.hardswish)
    slope = staticmethod(other_activation.hardswish_backward)
