"""The blocks that the models are made of."""

from collections.abc import Callable

from cynet.core.types import Shape
from cynet.nn import BatchNorm1d, BatchNorm2d, Conv2d, Linear, ReLU, Sequential
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
    norm, last = [BatchNorm2d(outputs)] if batch_norm else [], [activation()] if activation else []
    return [Conv2d(inputs, outputs, 3, stride, padding, bias=not batch_norm), *norm, *last]


def linear(inputs: int, outputs: int, batch_norm: bool, activation: Callable[[], Layer]) -> list[Layer]:
    """Linear layer, batch norm, activation."""
    norm = [BatchNorm1d(outputs)] if batch_norm else []
    return [Linear(inputs, outputs, bias=not batch_norm), *norm, activation()]


def classified(layers: list[Layer], input_shape: Shape, classes: int) -> Sequential:
    """The layers and a linear one, as wide as the rows of features that they make of such an input."""
    _, features = Sequential(*layers).checked_shape((1, *input_shape))
    return Sequential(*layers, Linear(features, classes))
