"""ReLU that ends at 6."""

from cynet.kernels.pointwise import other_activation
from cynet.nn import registry

from .pointwise import Pointwise


@registry.layer(pointwise=True, examples={"ReLU6()": (3, 9, 7, 11)})
class ReLU6(Pointwise):
    """y = min(max(x, 0), 6); NaN stays NaN, as in PyTorch.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(other_activation.relu6)
    slope = staticmethod(other_activation.relu6_backward)
    keeps_output = True
