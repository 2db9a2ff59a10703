"""The nets of the course: one connected, two convolutional."""

from cynet.layers import Flatten, LeakyReLU, Linear, MaxPool2d, Sequential

from .blocks import conv, linear


def _pool():
    return MaxPool2d(3, 2, padding="same")


def uwnet0(batch_norm, classes):
    """Connected 3072-256, leaky ReLU, connected 256-classes."""
    return Sequential(Flatten(), *linear(3072, 256, batch_norm, LeakyReLU), Linear(256, classes))


def uwnet1(batch_norm, classes):
    """Four times 3x3 convolution (8, 16, 32, 64 filters), ReLU, pool 3/2; connected 256-classes."""
    layers = []
    for inputs, outputs in ((3, 8), (8, 16), (16, 32), (32, 64)):
        layers += [*conv(inputs, outputs, batch_norm), _pool()]
    return Sequential(*layers, Flatten(), Linear(256, classes))


def uwnet2(batch_norm, classes):
    """3x3 convolutions of 8 (stride 2), 16 and 32 filters, ReLU, pool 3/2 between them; connected."""
    return Sequential(
        *conv(3, 8, batch_norm, stride=2),
        _pool(),
        *conv(8, 16, batch_norm),
        _pool(),
        *conv(16, 32, batch_norm),
        Flatten(),
        Linear(512, classes),
    )
