"""The blocks that the models are made of."""

from collections.abc import Callable

from cynet.nn import BatchNorm1d, BatchNorm2d, Conv2d, Linear, ReLU
from cynet.nn.layer import Layer


def conv(
    inputs: int,
    outputs: int,
    batch_norm: bool,
    stride: int = 1,
    padding: int | str = "same",
    activation: Callable[[], Layer] | None = ReLU,
) -> list[Layer]:
    """3x3 convolution, batch norm (the bias, which it would cancel, is left out), activation."""
    layers: list[Layer] = [Conv2d(inputs, outputs, 3, stride, padding, bias=not batch_norm)]
    layers += [BatchNorm2d(outputs)] if batch_norm else []
    return layers + ([activation()] if activation else [])


def linear(inputs: int, outputs: int, batch_norm: bool, activation: Callable[[], Layer]) -> list[Layer]:
    """Linear layer, batch norm, activation."""
    layers: list[Layer] = [Linear(inputs, outputs, bias=not batch_norm)]
    layers += [BatchNorm1d(outputs)] if batch_norm else []
    return [*layers, activation()]
