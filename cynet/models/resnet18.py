"""ResNet-18 and -34: He et al. (2015), "Deep residual learning", table 1, under torchvision's names."""

from cynet.core.types import Shape
from cynet.nn import Add, GlobalAvgPool2d, Graph, Linear, MaxPool2d, ReLU
from cynet.nn.symbols import Input, Symbol

from .named import convolved, named
from .registry import model


def _block(x: Symbol, outputs: int, stride: int, name: str) -> Symbol:
    y = convolved(x, outputs, 3, stride, conv=f"{name}.conv1", norm=f"{name}.bn1")
    y = convolved(ReLU()(y), outputs, 3, conv=f"{name}.conv2", norm=f"{name}.bn2")
    if stride > 1:
        x = convolved(x, outputs, 1, stride, conv=f"{name}.downsample.0", norm=f"{name}.downsample.1")
    found: Symbol = ReLU()(Add()(y, x))
    return found


def _resnet(depths: tuple[int, ...], input_shape: Shape, classes: int) -> Graph:
    x = given = Input(input_shape)
    x = ReLU()(convolved(x, 64, 7, 2, conv="conv1", norm="bn1"))
    x = MaxPool2d(3, 2, 1)(x)
    for stage, depth in enumerate(depths):
        for i in range(depth):
            stride = 2 if stage and i == 0 else 1
            x = _block(x, 64 << stage, stride, f"layer{stage + 1}.{i}")
    return Graph(given, named("fc", Linear(x.shape[-1], classes))(GlobalAvgPool2d()(x)))


@model(order=12, least=(1, 1, 1))
def resnet18(input_shape: Shape, classes: int) -> Graph:
    """7x7 convolution, pool 3/2; four stages of two blocks of 64, 128, 256, 512; mean; connected."""
    return _resnet((2, 2, 2, 2), input_shape, classes)


@model(order=13, least=(1, 1, 1))
def resnet34(input_shape: Shape, classes: int) -> Graph:
    """7x7 convolution, pool 3/2; stages of 3, 4, 6, 3 blocks of 64, 128, 256, 512; mean; connected."""
    return _resnet((3, 4, 6, 3), input_shape, classes)
