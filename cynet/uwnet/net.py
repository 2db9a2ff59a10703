"""Chains of layers: passes, training, accuracy, and files of weights."""

import os
import sys

import numpy as np

from cynet.core import checks, workspace
from cynet.core.files import write_atomically

from . import planes
from .base import Layer, WeightedLayer
from .data import checked_data, checked_image, checked_path, random_batch

ROWS = 1000  # of a data set whose accuracy is wanted, at a time


class Net:
    """Layers in the order of the forward pass."""

    def __init__(self, layers):
        if not isinstance(layers, (list, tuple)):
            raise TypeError(f"layers: wanted a list of layers, got {type(layers).__name__}")
        if not layers:
            raise ValueError("layers: wanted at least one layer, got an empty list")
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers[{i}]: wanted a layer, got {layer!r:.60}")
        self.layers = list(layers)

    @property
    def n(self):
        """How many layers."""
        return len(self.layers)

    def __repr__(self):
        return "\n".join(f"{i:2d} {layer!r}" for i, layer in enumerate(self.layers))


def make_net(layers):
    """A net of a list of layers."""
    return Net(layers)


def _checked(net):
    if not isinstance(net, Net):
        raise TypeError(f"net: wanted what make_net returns, got {type(net).__name__}")
    return net


def forward_net(net, x):
    """The net's output for x (rows, columns); batch norm layers move their rolling statistics."""
    x = planes.matrix("x", x).copy()  # layers keep their inputs; the caller's array stays the caller's
    for layer in _checked(net).layers:
        x = layer.run(x)
    return x


def run_net_image(net, image):
    """The net's output for one image (channels, height, width): a matrix of one row.

    Batch norm then uses the rolling statistics, which training moves and files of weights do not hold.
    """
    return forward_net(net, checked_image("image", image).reshape(1, -1))


def backward_net(net, dy):
    """Add to the layers' gradients what dy, the loss's gradient to the output, makes them; returns dx."""
    for layer in reversed(_checked(net).layers):
        dy = layer.backward(dy)
    return dy


def _add_gradients(net, dy):
    """As `backward_net`, without the gradient of the net's input, which training has no use for."""
    for layer in reversed(net.layers[1:]):
        dy = layer.backward(dy)
    net.layers[0].backward_spared(dy)


def update_net(net, rate, momentum, decay):
    """One step of gradient descent in every layer; see `Layer.update`."""
    for layer in _checked(net).layers:
        layer.update(rate, momentum, decay)


def cross_entropy_loss(x, y):
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
    """
    x = planes.matrix("x", x)
    y = planes.matrix("y", y, *x.shape)
    if len(x) == 0:
        raise ValueError(f"x: wanted at least 1 row, got shape {x.shape}")
    wanted = y != 0  # 0 log 0 is 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.sum(y[wanted] * np.log(x[wanted], dtype=np.float64)) / len(x))


def train_image_classifier(net, data, batch, iters, rate, momentum, decay):
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


def accuracy_net(net, data):
    """The share of rows whose greatest output lies where the greatest y does; of equals the first counts."""
    net, data = _checked(net), checked_data(data)
    parts = [data.x[i : i + ROWS] for i in range(0, len(data.x), ROWS)]
    for layer in net.layers:
        layer.forward_parts(parts)
    output = planes.matrix("net output", np.concatenate(parts), *data.y.shape)
    workspace.pool.clear()  # a whole data set's activations are no use to a batch's
    return float(np.mean(output.argmax(1) == data.y.argmax(1)))


# -- weights --------------------------------------------------------------------------------------------


def _weights(net):
    """The matrices of a file, in its order."""
    layers = [layer for layer in _checked(net).layers if isinstance(layer, WeightedLayer)]
    return [matrix for layer in layers for matrix in (layer.b, layer.w)]


def save_weights(net, path):
    """Write the weights as the C library does: little-endian float32, for each layer b, then w.

    Rolling statistics are not among them.

    Parameters
    ----------
    net : Net
    path : str or Path
    """
    data = b"".join(matrix.astype("<f4").tobytes() for matrix in _weights(net))
    write_atomically(checked_path("path", path), data)


def load_weights(net, path):
    """Read the weights that `save_weights`, or the C library, wrote.

    Rolling statistics are not among them: those of a new net are zeros, so it takes a pass over a batch of
    several rows or more training before one image alone (`run_net_image`) gives what it gave before.

    Parameters
    ----------
    net : Net
    path : str or Path

    Raises
    ------
    ValueError
        When the file's size is not that of the net's weights; then no weight has changed.
    """
    matrices, path = _weights(net), checked_path("path", path)
    wanted = 4 * sum(matrix.size for matrix in matrices)
    with open(path, "rb") as file:  # a folder is refused here
        size = os.fstat(file.fileno()).st_size
        raw = file.read() if size == wanted else b""
    if size != wanted or len(raw) != wanted:
        raise ValueError(f"{path}: wanted {wanted} bytes, 4 for each weight of the net, got {size}")
    values, start = np.frombuffer(raw, "<f4"), 0
    for matrix in matrices:
        matrix[:] = values[start : start + matrix.size].reshape(matrix.shape)
        start += matrix.size
