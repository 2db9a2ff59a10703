"""The blocks that the models are made of."""

from cynet.nn import BatchNorm1d, BatchNorm2d, Conv2d, Linear, ReLU


def conv(inputs, outputs, batch_norm, stride=1, padding="same", activation=ReLU):
    """3x3 convolution, batch norm (the bias, which it would cancel, is left out), activation."""
    layers = [Conv2d(inputs, outputs, 3, stride, padding, bias=not batch_norm)]
    layers += [BatchNorm2d(outputs)] if batch_norm else []
    return layers + ([activation()] if activation else [])


def linear(inputs, outputs, batch_norm, activation):
    """Linear layer, batch norm, activation."""
    layers = [Linear(inputs, outputs, bias=not batch_norm)]
    layers += [BatchNorm1d(outputs)] if batch_norm else []
    return [*layers, activation()]
