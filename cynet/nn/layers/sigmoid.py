"""The logistic function."""

from cynet.kernels.pointwise import activation
from cynet.nn import registry

from .pointwise import Pointwise


@registry.layer(pointwise=True, examples={"Sigmoid()": (3, 9, 7, 11)})
class Sigmoid(Pointwise):
    """y = 1 / (1 + exp(-x)), the logistic function.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).
    """

    curve = staticmethod(activation.sigmoid)
    slope = staticmethod(activation.sigmoid_backward)
    keeps_output = True
