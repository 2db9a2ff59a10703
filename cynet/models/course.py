"""The nets of the course: one connected, two convolutional."""

from math import prod

from cynet.core.types import Shape
from cynet.nn import Flatten, LeakyReLU, Linear, MaxPool2d, Sequential

from .blocks import classified, conv, linear
from .registry import model


def _pool() -> MaxPool2d:
    return MaxPool2d(3, 2, padding="same")


@model(order=1)
def uwnet0(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """Connected 3072-256 (of grey pictures 1024-256), leaky ReLU, connected 256-classes."""
    return Sequential(Flatten(), *linear(prod(input_shape), 256, batch_norm, LeakyReLU), Linear(256, classes))


@model(order=2, least=(1, 1, 1))
def uwnet1(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """Four times 3x3 convolution (8, 16, 32, 64 filters), ReLU, pool 3/2; connected 256-classes."""
    layers = [*conv(input_shape[-1], 8, batch_norm), _pool()]
    for inputs, outputs in ((8, 16), (16, 32), (32, 64)):
        layers += [*conv(inputs, outputs, batch_norm), _pool()]
    return classified([*layers, Flatten()], input_shape, classes)


@model(order=3, least=(1, 1, 1))
def uwnet2(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """3x3 convolutions of 8 (stride 2), 16 and 32 filters, ReLU, pool 3/2 between them; connected."""
    layers = [*conv(input_shape[-1], 8, batch_norm, stride=2), _pool(), *conv(8, 16, batch_norm), _pool()]
    layers += [*conv(16, 32, batch_norm), Flatten()]
    return classified(layers, input_shape, classes)
