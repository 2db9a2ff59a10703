"""SqueezeNet 1.1: Iandola et al. (2016), "AlexNet-level accuracy", under torchvision's names."""

from math import sqrt

from cynet.core.types import Shape
from cynet.nn import Concatenate, Conv2d, Dropout, GlobalAvgPool2d, Graph, MaxPool2d, ReLU
from cynet.nn.symbols import Input, Symbol

from .named import named
from .registry import model


def _convolved(
    x: Symbol, outputs: int, kernel_size: int, name: str, stride: int = 1, padding: int = 0
) -> Symbol:
    layer = named(name, Conv2d(x.shape[-1], outputs, kernel_size, stride, padding))
    # He's variance, three times that of other nets here: no batch norm makes up for what 18 layers lose.
    layer.weight.data *= sqrt(3)
    found: Symbol = ReLU()(layer(x))
    return found


def _fire(x: Symbol, squeezed: int, expanded: int, name: str) -> Symbol:
    """1x1 convolution to a few channels, then 1x1 and 3x3 ones side by side."""
    x = _convolved(x, squeezed, 1, f"{name}.squeeze")
    one = _convolved(x, expanded, 1, f"{name}.expand1x1")
    three = _convolved(x, expanded, 3, f"{name}.expand3x3", padding=1)
    found: Symbol = Concatenate()(one, three)
    return found


@model(order=15, least=(17, 17, 1))
def squeezenet1_1(input_shape: Shape, classes: int, dropout: float = 0.5) -> Graph:
    """3x3 convolution of 64 filters; eight fire modules of 128 to 512 channels, three pools; 1x1; mean."""
    x = given = Input(input_shape)
    x = _convolved(x, 64, 3, "features.0", stride=2)
    number = 2
    for group in (((16, 64),) * 2, ((32, 128),) * 2, ((48, 192),) * 2 + ((64, 256),) * 2):
        x = MaxPool2d(3, 2, ceil_mode=True)(x)
        for i, (squeezed, expanded) in enumerate(group, number + 1):
            x = _fire(x, squeezed, expanded, f"features.{i}")
        number += 1 + len(group)
    x = named("classifier.1", Conv2d(512, classes, 1))(Dropout(dropout)(x))
    return Graph(given, GlobalAvgPool2d()(ReLU()(x)))
