"""A small net in the manner of VGG: Simonyan and Zisserman (2014), for 32x32 pictures."""

from cynet.nn import Flatten, Linear, MaxPool2d, Sequential

from .blocks import conv
from .registry import model


@model()
def vgg_small(batch_norm: bool, classes: int, channels: int = 3) -> Sequential:
    """Pairs of 3x3 convolutions of 32, 64 and 128 filters, each pair followed by pool 2/2; connected."""
    layers, inputs = [], channels
    for outputs in (32, 64, 128):
        layers += [*conv(inputs, outputs, batch_norm), *conv(outputs, outputs, batch_norm), MaxPool2d(2)]
        inputs = outputs
    return Sequential(*layers, Flatten(), Linear(2048, classes))
