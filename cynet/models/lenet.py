"""LeNet-5: LeCun et al. (1998), "Gradient-based learning applied to document recognition".

As it is made today: pools have no weights, every filter sees all channels, and the last layer is linear.
"""

from cynet.core.types import Shape
from cynet.nn import AvgPool2d, Conv2d, Flatten, Linear, Sequential, Tanh

from .blocks import classified
from .registry import model


@model(order=9, least=(16, 16, 1))
def lenet5(input_shape: Shape, classes: int) -> Sequential:
    """5x5 convolutions of 6 and 16 filters, tanh, mean pool 2/2 behind each; connected 120-84-classes."""
    first = [Conv2d(input_shape[-1], 6, 5), Tanh(), AvgPool2d(2), Conv2d(6, 16, 5), Tanh(), AvgPool2d(2)]
    wide = classified([*first, Flatten()], input_shape, 120)
    return Sequential(*wide, Tanh(), Linear(120, 84), Tanh(), Linear(84, classes))
