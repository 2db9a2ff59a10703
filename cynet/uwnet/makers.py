"""The course's functions that make layers."""

from .layers import (
    ActivationLayer,
    BatchnormLayer,
    ConnectedLayer,
    ConvolutionalLayer,
    MaxpoolLayer,
)


def make_connected_layer(inputs: int, outputs: int) -> ConnectedLayer:
    """A fully connected layer, w uniform in +-sqrt(2 / inputs) and b zeros.

    Parameters
    ----------
    inputs, outputs : int
        Columns.

    Returns
    -------
    ConnectedLayer

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    return ConnectedLayer(inputs, outputs)


def make_activation_layer(kind: int) -> ActivationLayer:
    """An activation.

    Parameters
    ----------
    kind : int
        LINEAR, LOGISTIC, RELU, LRELU or SOFTMAX.

    Returns
    -------
    ActivationLayer

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    return ActivationLayer(kind)


def make_convolutional_layer(
    w: int, h: int, c: int, filters: int, size: int, stride: int
) -> ConvolutionalLayer:
    """A convolution with weights uniform in +-sqrt(2 / (c size^2)).

    Parameters
    ----------
    w, h, c : int
        Width, height and channels of an image.
    filters : int
        Channels of the output, whose pixels are ceil(w / stride) x ceil(h / stride).
    size, stride : int
        Of the square window.

    Returns
    -------
    ConvolutionalLayer

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    return ConvolutionalLayer(w, h, c, filters, size, stride)


def make_maxpool_layer(w: int, h: int, c: int, size: int, stride: int) -> MaxpoolLayer:
    """Max-pooling; its output has ceil(w / stride) x ceil(h / stride) pixels.

    Parameters
    ----------
    w, h, c : int
        Width, height and channels of an image.
    size : int
        Of the square window: at most 15.
    stride : int

    Returns
    -------
    MaxpoolLayer

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    return MaxpoolLayer(w, h, c, size, stride)


def make_batchnorm_layer(groups: int) -> BatchnormLayer:
    """Batch normalisation.

    Parameters
    ----------
    groups : int
        The channels of a convolution, or the outputs of a connected layer.

    Returns
    -------
    BatchnormLayer

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    return BatchnormLayer(groups)
