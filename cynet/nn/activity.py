"""What comes out of each layer of a model, one after the other: for diagnosis."""

from collections.abc import Generator, Iterator

import numpy as np

from cynet.core.types import AnyArray, Array

from .containers.container import by_parts
from .layer import Layer
from .passes import no_grad

Found = tuple[str, Layer, Array]


def outputs(model: Layer, x: Array, path: str = "") -> Iterator[Found]:
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
        yield from _outputs(model, path, [x])


def _outputs(layer: Layer, path: str, xs: list[Array]) -> Generator[Found, None, list[Array]]:
    """The outputs of what is within, each as it is made; it comes to the layer's own."""
    if not by_parts(layer):
        y = layer(*xs)
        found = [np.array(one) for one in (y if isinstance(y, tuple) else (y,))]
        for one in found:
            yield path, layer, one
        return found
    values = list(xs)
    for part in layer.parts():
        below = f"{path}.{part.name}" if path and part.name else part.name or path
        given = [values[source] for source in part.sources]
        if part.name:
            values += yield from _outputs(part.layer, below, given)
        else:  # no child, as a sum in a block: its output is told as the container's
            values.append(part.layer(*given))
            yield path, layer, values[-1]
    return [values[output] for output in layer.ends()[1]]


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
