"""A small net in the manner of VGG: Simonyan and Zisserman (2014), for small pictures."""

from cynet.core.types import Shape
from cynet.nn import Flatten, MaxPool2d, Sequential
from cynet.nn.layer import Layer

from .blocks import classified, conv
from .registry import model


@model(order=8, least=(8, 8, 1))
def vgg_small(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """Pairs of 3x3 convolutions of 32, 64 and 128 filters, each pair followed by pool 2/2; connected."""
    layers: list[Layer] = []
    inputs = input_shape[-1]
    for outputs in (32, 64, 128):
        layers += [*conv(inputs, outputs, batch_norm), *conv(outputs, outputs, batch_norm), MaxPool2d(2)]
        inputs = outputs
    return classified([*layers, Flatten()], input_shape, classes)
