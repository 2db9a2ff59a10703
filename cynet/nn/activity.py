"""What comes out of each layer of a model, one after the other: for diagnosis."""

import numpy as np

from . import Concat, Residual, Sequential
from .layer import no_grad


def outputs(model, x, path=""):
    """Run a model layer by layer, nothing joined, without a backward pass.

    Parameters
    ----------
    model : Layer
        In training mode its running statistics change.
    x : ndarray
    path : str, optional
        Of the model, before its layers' names.

    Yields
    ------
    path, layer, ndarray
        Of every layer that holds no others, in the order of the forward pass; the last has the output.
    """
    with no_grad():
        yield from _outputs(model, x, path)


def _outputs(layer, x, path):
    if isinstance(layer, Sequential):
        for i, part in enumerate(layer.layers):
            for found in _outputs(part, x, f"{path}.{i}" if path else str(i)):
                yield found
                x = found[2]
        return
    if isinstance(layer, Residual):
        y = x
        for found in _outputs(layer.body, x, f"{path}.body"):
            yield found
            y = found[2]
        if layer.shortcut is not None:
            for found in _outputs(layer.shortcut, x, f"{path}.shortcut"):
                yield found
                x = found[2]
        yield path, layer, y + x
        return
    if isinstance(layer, Concat):
        yield path, layer, layer(x)
        return
    yield path, layer, np.array(layer(x))


def first_not_finite(model, x):
    """(path, layer, samples) of the first layer whose output is not finite; None where all are.

    `samples` are the places in the batch that have such values.
    """
    for path, layer, y in outputs(model, x):
        bad = ~np.isfinite(y.reshape(len(y), -1)).all(axis=1)
        if bad.any():
            return path, layer, np.flatnonzero(bad)
    return None


def dead_channels(model, x, kinds):
    """[(path, layer, dead, channels), ...] of the layers of some kinds that have channels of zeros alone.

    A channel is dead where no sample and no place has a value other than 0.
    """
    found = []
    for path, layer, y in outputs(model, x):
        if isinstance(layer, kinds):
            dead = int((y.reshape(-1, y.shape[-1]) == 0).all(axis=0).sum())
            if dead:
                found.append((path, layer, dead, y.shape[-1]))
    return found
