"""Chains of layers: passes, training, accuracy."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core import checks, workspace
from cynet.core.types import Array

from . import planes
from .base import CourseLayer
from .data import Data, checked_data, checked_image, random_batch

ROWS = 1000  # of a data set whose accuracy is wanted, at a time


def _checked_layers(layers: Any) -> list[CourseLayer]:
    """`layers` as a new list of at least one layer, or TypeError / ValueError."""
    if not isinstance(layers, (list, tuple)):
        raise TypeError(f"layers: wanted a list of layers, got {type(layers).__name__}")
    if not layers:
        raise ValueError("layers: wanted at least one layer, got an empty list")
    for i, layer in enumerate(layers):
        if not isinstance(layer, CourseLayer):
            raise TypeError(f"layers[{i}]: wanted a layer, got {layer!r:.60}")
    return list(layers)


class Net:
    """Layers in the order of the forward pass. One may stand at several places, and in several nets.

    Parameters
    ----------
    layers : list of layers
        At least one.

    Attributes
    ----------
    layers : list of layers
        May be changed.
    """

    # (layer, what its backward needs) of the last forward pass
    _passes: list[tuple[CourseLayer, Any]] | None = None

    def __init__(self, layers: Sequence[CourseLayer]) -> None:
        self.layers = _checked_layers(layers)

    @property
    def n(self) -> int:
        """How many layers."""
        return len(_checked_layers(self.layers))

    def __repr__(self) -> str:
        return "\n".join(f"{i:2d} {layer!r}" for i, layer in enumerate(_checked_layers(self.layers)))


def make_net(layers: Sequence[CourseLayer]) -> Net:
    """A net of layers in the order of the forward pass.

    Parameters
    ----------
    layers : list of layers
        At least one, as the make_..._layer functions return them.

    Returns
    -------
    Net

    Raises
    ------
    TypeError, ValueError
        When it is no list, is empty, or holds what is no layer.
    """
    return Net(layers)


def _checked(net: Any) -> Net:
    if not isinstance(net, Net):
        raise TypeError(f"net: wanted what make_net returns, got {type(net).__name__}")
    return net


def layers_of(net: Any) -> list[CourseLayer]:
    """The net's layers, which may have been set."""
    return _checked_layers(_checked(net).layers)


def forward_net(net: Net, x: Any) -> Array:
    """The net's output for a batch; batch norm layers move their rolling statistics.

    Parameters
    ----------
    net : Net
    x : array_like (rows, columns)

    Returns
    -------
    ndarray of float32 (rows, outputs of the last layer)

    Raises
    ------
    TypeError, ValueError
        When x holds no real numbers, or has not the columns that the first layer takes.
    """
    x = planes.matrix("x", x).copy()  # layers keep their inputs; the caller's array stays the caller's
    layers, passes = layers_of(net), []
    net._passes = None  # their memory is taken again
    for layer in layers:
        x = layer.run(x)
        passes.append((layer, layer.last_pass()))
    net._passes = passes
    return x


def run_net_image(net: Net, image: Any) -> Array:
    """The net's output for one image.

    Batch norm then uses the rolling statistics, which training moves and files of weights do not hold.

    Parameters
    ----------
    net : Net
    image : array_like (channels, height, width)

    Returns
    -------
    ndarray of float32 (1, outputs of the last layer)

    Raises
    ------
    TypeError, ValueError
        When it is no image, or not of the pixels that the net takes.
    """
    return forward_net(net, checked_image("image", image).reshape(1, -1))


def backward_net(net: Net, dy: Any) -> Array:
    """The backward pass of the net's last `forward_net`, whatever its layers did since.

    Parameters
    ----------
    net : Net
        Its layers' gradients get added what dy makes them.
    dy : array_like (rows, outputs of the last layer)
        The gradient of the loss to the output.

    Returns
    -------
    ndarray of float32 (rows, columns)
        The gradient to the input.

    Raises
    ------
    RuntimeError
        Without a forward pass before it.
    """
    for layer, made in reversed(_passes(net)):
        dy = layer.backward_of(made, dy)
    return dy


def _passes(net: Net) -> list[tuple[CourseLayer, Any]]:
    passes = _checked(net)._passes
    if passes is None:
        raise RuntimeError("net: backward wanted a forward pass before it, got none")
    return passes


def _add_gradients(net: Net, dy: Array) -> None:
    """As `backward_net`, without the gradient of the net's input, which training has no use for."""
    (first, made), *others = _passes(net)
    for layer, its in reversed(others):
        dy = layer.backward_of(its, dy)
    first.backward_of(made, dy, spared=True)


def update_net(net: Net, rate: float, momentum: float, decay: float) -> None:
    """One step of gradient descent in every layer; see `CourseLayer.update`.

    Parameters
    ----------
    net : Net
    rate, momentum, decay : float

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    for layer in dict.fromkeys(layers_of(net)):  # one that stands at several places has one gradient
        layer.update(rate, momentum, decay)


def cross_entropy_loss(x: Any, y: Any) -> float:
    """The mean over the rows of -sum(y * log(x)).

    Parameters
    ----------
    x : array_like (rows, classes)
        Probabilities: the output of a soft-max layer.
    y : array_like (rows, classes)
        One-hot rows.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        When the matrices hold no real numbers, their shapes differ, or they have no row.
    """
    x = planes.matrix("x", x)
    y = planes.matrix("y", y, *x.shape)
    if len(x) == 0:
        raise ValueError(f"x: wanted at least 1 row, got shape {x.shape}")
    wanted = y != 0  # 0 log 0 is 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.sum(y[wanted] * np.log(x[wanted], dtype=np.float64)) / len(x))


def train_image_classifier(
    net: Net, data: Data, batch: int, iters: int, rate: float, momentum: float, decay: float
) -> None:
    """Train by gradient descent on random batches; each step writes its loss on stderr.

    The gradient is that of the loss's sum over the batch, and the rate is divided by the batch's rows.

    Parameters
    ----------
    net : Net
        Its last layer is a soft-max.
    data : Data
    batch, iters : int
        Rows of a batch, and steps.
    rate, momentum, decay : float

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or the data do not fit the net.
    """
    net, data = _checked(net), checked_data(data)
    batch, iters = checks.integer("batch", batch, 1), checks.integer("iters", iters, 0)
    rate, momentum = checks.number("rate", rate), checks.number("momentum", momentum)
    decay = checks.number("decay", decay)
    for step in range(iters):
        part = random_batch(data, batch)
        output = forward_net(net, part.x)
        loss = cross_entropy_loss(output, part.y)
        print(f"{step:06d}: Loss: {loss:f}", file=sys.stderr)
        _add_gradients(net, output - part.y)
        update_net(net, rate / batch, momentum, decay)


def accuracy_net(net: Net, data: Data) -> float:
    """The share of rows whose greatest output lies where the greatest y does; of equals the first counts.

    Parameters
    ----------
    net : Net
    data : Data

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or the data do not fit the net.
    """
    layers, data = layers_of(net), checked_data(data)
    parts = [data.x[i : i + ROWS] for i in range(0, len(data.x), ROWS)]
    for layer in layers:
        layer.forward_parts(parts)
    output = planes.matrix("net output", np.concatenate(parts), *data.y.shape)
    workspace.pool.clear()  # a whole data set's activations are no use to a batch's
    return float(np.mean(output.argmax(1) == data.y.argmax(1)))
