"""ResNets of three stages for small pictures: He et al. (2015), "Deep residual learning", section 4.2.

Shortcuts that change the shape are projections (1x1 convolutions with batch norm), option B of the paper.
"""

from cynet.core.types import Shape
from cynet.nn import BatchNorm2d, Conv2d, GlobalAvgPool2d, ReLU, Residual, Sequential
from cynet.nn.layer import Layer

from .blocks import classified, conv
from .registry import model


def _block(inputs: int, outputs: int, stride: int, batch_norm: bool) -> list[Layer]:
    body = Sequential(
        *conv(inputs, outputs, batch_norm, stride, padding=1),
        *conv(outputs, outputs, batch_norm, padding=1, activation=None),
    )
    shortcut = None
    if inputs != outputs:
        projection = Conv2d(inputs, outputs, 1, stride, bias=not batch_norm)
        shortcut = Sequential(projection, BatchNorm2d(outputs)) if batch_norm else Sequential(projection)
    return [Residual(body, shortcut), ReLU()]


def _resnet(blocks: int, input_shape: Shape, classes: int, batch_norm: bool) -> Sequential:
    """A net of so many blocks a stage: 6 blocks + 2 layers deep."""
    layers = conv(input_shape[-1], 16, batch_norm, padding=1)
    inputs = 16
    for outputs in (16, 32, 64):
        for _ in range(blocks):
            layers += _block(inputs, outputs, 1 if inputs == outputs else 2, batch_norm)
            inputs = outputs
    return classified([*layers, GlobalAvgPool2d()], input_shape, classes)


@model(order=4, least=(1, 1, 1))
def resnet20(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """3x3 convolution of 16 filters; three stages of three blocks of 16, 32, 64; mean; connected."""
    return _resnet(3, input_shape, classes, batch_norm)


@model(order=5, least=(1, 1, 1))
def resnet32(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """3x3 convolution of 16 filters; three stages of five blocks of 16, 32, 64; mean; connected."""
    return _resnet(5, input_shape, classes, batch_norm)


@model(order=6, least=(1, 1, 1))
def resnet44(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """3x3 convolution of 16 filters; three stages of seven blocks of 16, 32, 64; mean; connected."""
    return _resnet(7, input_shape, classes, batch_norm)


@model(order=7, least=(1, 1, 1))
def resnet56(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """3x3 convolution of 16 filters; three stages of nine blocks of 16, 32, 64; mean; connected."""
    return _resnet(9, input_shape, classes, batch_norm)
