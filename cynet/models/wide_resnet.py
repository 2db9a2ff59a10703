"""Wide ResNet for small pictures: Zagoruyko and Komodakis (2016), "Wide residual networks"; no dropout."""

from cynet.core.types import Shape
from cynet.nn import Add, BatchNorm2d, Conv2d, GlobalAvgPool2d, Graph, Linear, ReLU
from cynet.nn.symbols import Input, Symbol

from .named import named
from .registry import model


def _convolved(x: Symbol, outputs: int, name: str, kernel_size: int = 3, stride: int = 1) -> Symbol:
    sizes = x.shape[-1], outputs, kernel_size, stride, kernel_size // 2
    found: Symbol = named(name, Conv2d(*sizes, bias=False))(x)
    return found


def _activated(x: Symbol, name: str) -> Symbol:
    found: Symbol = ReLU()(named(name, BatchNorm2d(x.shape[-1]))(x))
    return found


def _block(x: Symbol, outputs: int, stride: int, name: str) -> Symbol:
    """Norm and ReLU before each convolution; where the shape changes the shortcut begins behind the first."""
    y = _activated(x, f"{name}.bn1")
    if x.shape[-1] != outputs:
        x = _convolved(y, outputs, f"{name}.downsample", 1, stride)
    y = _convolved(y, outputs, f"{name}.conv1", stride=stride)
    y = _convolved(_activated(y, f"{name}.bn2"), outputs, f"{name}.conv2")
    found: Symbol = Add()(y, x)
    return found


@model(order=10, least=(1, 1, 1))
def wide_resnet_16_4(input_shape: Shape, classes: int) -> Graph:
    """3x3 convolution of 16 filters; three stages of two blocks of 64, 128, 256; norm; mean; connected."""
    x = given = Input(input_shape)
    x = _convolved(x, 16, "conv1")
    for stage, outputs in enumerate((64, 128, 256)):
        for i in range(2):
            x = _block(x, outputs, 2 if stage and i == 0 else 1, f"layer{stage + 1}.{i}")
    x = GlobalAvgPool2d()(_activated(x, "bn1"))
    return Graph(given, named("fc", Linear(256, classes))(x))
