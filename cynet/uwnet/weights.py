"""Files of weights, as the course's C library writes them."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core.files import write_atomically
from cynet.core.types import Array

from .base import WeightedLayer
from .data import checked_path
from .net import Net, layers_of


def _weights(net: Any) -> list[tuple[WeightedLayer, str, Array]]:
    """(layer, name, matrix) of the matrices of a file, in its order."""
    found = []
    for layer in layers_of(net):
        if isinstance(layer, WeightedLayer):
            w, b = layer.weights()
            found += [(layer, "b", b), (layer, "w", w)]
    return found


def save_weights(net: Net, path: str | Path) -> None:
    """Write the weights as the C library does: little-endian float32, for each layer b, then w.

    Rolling statistics are not among them.

    Parameters
    ----------
    net : Net
    path : str or Path
        Replaced as a whole, or left as it was.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    data = b"".join(matrix.astype("<f4").tobytes() for _, _, matrix in _weights(net))
    write_atomically(checked_path("path", path), data)


def load_weights(net: Net, path: str | Path) -> None:
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
    places, path = _weights(net), checked_path("path", path)
    wanted = 4 * sum(matrix.size for _, _, matrix in places)
    with open(path, "rb") as file:  # a folder is refused here
        size = os.fstat(file.fileno()).st_size
        raw = file.read() if size == wanted else b""
    if size != wanted or len(raw) != wanted:
        raise ValueError(f"{path}: wanted {wanted} bytes, 4 for each weight of the net, got {size}")
    values, start = np.frombuffer(raw, "<f4"), 0
    for layer, name, matrix in places:  # new ones: those of a pass that was made stay as they are
        setattr(layer, name, values[start : start + matrix.size].reshape(matrix.shape))
        start += matrix.size
