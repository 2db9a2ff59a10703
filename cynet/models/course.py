"""The nets of the course: one connected, two convolutional."""

from cynet.nn import Flatten, LeakyReLU, Linear, MaxPool2d, Sequential

from .blocks import conv, linear
from .registry import model


def _pool() -> MaxPool2d:
    return MaxPool2d(3, 2, padding="same")


@model()
def uwnet0(batch_norm: bool, classes: int, channels: int = 3) -> Sequential:
    """Connected 3072-256 (of grey pictures 1024-256), leaky ReLU, connected 256-classes."""
    pixels = 32 * 32 * channels
    return Sequential(Flatten(), *linear(pixels, 256, batch_norm, LeakyReLU), Linear(256, classes))


@model()
def uwnet1(batch_norm: bool, classes: int, channels: int = 3) -> Sequential:
    """Four times 3x3 convolution (8, 16, 32, 64 filters), ReLU, pool 3/2; connected 256-classes."""
    layers = []
    for inputs, outputs in ((channels, 8), (8, 16), (16, 32), (32, 64)):
        layers += [*conv(inputs, outputs, batch_norm), _pool()]
    return Sequential(*layers, Flatten(), Linear(256, classes))


@model()
def uwnet2(batch_norm: bool, classes: int, channels: int = 3) -> Sequential:
    """3x3 convolutions of 8 (stride 2), 16 and 32 filters, ReLU, pool 3/2 between them; connected."""
    return Sequential(
        *conv(channels, 8, batch_norm, stride=2),
        _pool(),
        *conv(8, 16, batch_norm),
        _pool(),
        *conv(16, 32, batch_norm),
        Flatten(),
        Linear(512, classes),
    )
