"""A small net for signals: sequences of numbers, such as of sensors, in one channel or several."""

from cynet.core.types import Shape
from cynet.nn import BatchNorm1d, Conv1d, GlobalAvgPool1d, MaxPool1d, ReLU, Sequential
from cynet.nn.layer import Layer

from .blocks import classified
from .registry import model


@model(order=16, least=(1, 1))
def conv1d_small(input_shape: Shape, classes: int, batch_norm: bool = True) -> Sequential:
    """Convolutions of length 7, 5 and 3 with 32, 64 and 128 filters, ReLU, pool 3/2; mean; connected."""
    layers: list[Layer] = []
    inputs = input_shape[-1]
    for outputs, length in ((32, 7), (64, 5), (128, 3)):
        layers.append(Conv1d(inputs, outputs, length, padding=length // 2, bias=not batch_norm))
        layers += [BatchNorm1d(outputs)] if batch_norm else []
        layers += [ReLU(), MaxPool1d(3, 2, 1)]
        inputs = outputs
    return classified([*layers, GlobalAvgPool1d()], input_shape, classes)
