"""What comes out of each layer of a model, one after the other: for diagnosis."""

from collections.abc import Iterator

import numpy as np

from cynet.core.types import AnyArray, Array

from .containers.container import by_parts
from .layer import Layer
from .passes import no_grad
from .structure import Call


def outputs(model: Layer, x: Array, path: str = "") -> Iterator[tuple[str, Layer, Array]]:
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


def _outputs(layer: Layer, x: Array, path: str) -> Iterator[tuple[str, Layer, Array]]:
    if not by_parts(layer):
        yield path, layer, np.array(layer(x))
        return
    values = [x]
    for part in layer.parts():
        given = [values[source] for source in part.sources]
        if isinstance(part, Call):
            y = given[0]
            for found in _outputs(part.layer, given[0], f"{path}.{part.name}" if path else part.name):
                yield found
                y = found[2]
        else:
            y = part.forward(*given)
            yield path, layer, y
        values.append(y)


def first_not_finite(model: Layer, x: Array) -> tuple[str, Layer, AnyArray] | None:
    """(path, layer, samples) of the first layer whose output is not finite; None where all are.

    `samples` are the places in the batch that have such values.
    """
    for path, layer, y in outputs(model, x):
        bad = ~np.isfinite(y.reshape(len(y), -1)).all(axis=1)
        if bad.any():
            return path, layer, np.flatnonzero(bad)
    return None


def dead_channels(
    model: Layer, x: Array, kinds: type | tuple[type, ...]
) -> list[tuple[str, Layer, int, int]]:
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
