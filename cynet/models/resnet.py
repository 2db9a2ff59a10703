"""ResNet-20 for 32x32 pictures: He et al. (2015), "Deep residual learning", section 4.2.

Shortcuts that change the shape are projections (1x1 convolutions with batch norm), option B of the paper.
"""

from cynet.nn import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, ReLU, Residual, Sequential
from cynet.nn.layer import Layer

from .blocks import conv
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


@model()
def resnet20(batch_norm: bool, classes: int, channels: int = 3) -> Sequential:
    """3x3 convolution of 16 filters; three stages of three blocks of 16, 32, 64; mean; connected."""
    layers = conv(channels, 16, batch_norm, padding=1)
    inputs = 16
    for outputs in (16, 32, 64):
        for _ in range(3):
            layers += _block(inputs, outputs, 1 if inputs == outputs else 2, batch_norm)
            inputs = outputs
    return Sequential(*layers, GlobalAvgPool2d(), Linear(64, classes))
