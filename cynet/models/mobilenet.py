"""MobileNetV2: Sandler et al. (2018), "Inverted residuals and linear bottlenecks"; torchvision's names."""

from cynet.core.types import Shape
from cynet.nn import Add, Dropout, GlobalAvgPool2d, Graph, Linear, ReLU6
from cynet.nn.symbols import Input, Symbol

from .named import convolved, named
from .registry import model

STAGES = (  # expansion, channels, blocks, stride of the first: table 2 of the paper
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _activated(
    x: Symbol, outputs: int, kernel_size: int, stride: int = 1, *, name: str, groups: int = 1
) -> Symbol:
    y = convolved(x, outputs, kernel_size, stride, conv=f"{name}.0", norm=f"{name}.1", groups=groups)
    found: Symbol = ReLU6()(y)
    return found


def _block(x: Symbol, expansion: int, outputs: int, stride: int, name: str) -> Symbol:
    """Wider, 3x3 within each channel, narrower; added to x where the shape stays."""
    inputs, wide, at = x.shape[-1], expansion * x.shape[-1], 0
    y = x
    if expansion > 1:
        y, at = _activated(y, wide, 1, name=f"{name}.conv.0"), 1
    y = _activated(y, wide, 3, stride, name=f"{name}.conv.{at}", groups=wide)
    y = convolved(y, outputs, 1, conv=f"{name}.conv.{at + 1}", norm=f"{name}.conv.{at + 2}")
    return Add()(y, x) if stride == 1 and inputs == outputs else y


@model(order=14, least=(1, 1, 1))
def mobilenet_v2(input_shape: Shape, classes: int, dropout: float = 0.2) -> Graph:
    """3x3 convolution of 32 filters; 17 inverted residuals of 16 to 320 channels; 1,280; mean; connected."""
    x = given = Input(input_shape)
    x, number = _activated(x, 32, 3, 2, name="features.0"), 1
    for expansion, outputs, blocks, stride in STAGES:
        for i in range(blocks):
            x = _block(x, expansion, outputs, 1 if i else stride, f"features.{number}")
            number += 1
    x = _activated(x, 1280, 1, name=f"features.{number}")
    x = Dropout(dropout)(GlobalAvgPool2d()(x))
    return Graph(given, named("classifier.1", Linear(1280, classes))(x))
