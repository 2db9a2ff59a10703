"""The state of recurrent layers that goes on from one batch to the next."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import Array
from cynet.nn.layer import Layer
from cynet.nn.layers.recurrent import Recurrent


def recurrent(model: Layer) -> dict[str, Recurrent]:
    """The recurrent layers of a model by their paths."""
    return {path: layer for path, layer in model.walk() if isinstance(layer, Recurrent)}


@contextlib.contextmanager
def carrying(model: Layer) -> Iterator[None]:
    """A context within which recurrent layers begin where their last call ended.

    States stay where they are at its end, so that a training may go on.
    """
    before = [(layer, layer.carry) for layer in recurrent(model).values()]
    try:
        for layer, _ in before:
            layer.carry = True
        yield
    finally:
        for layer, carry in before:
            layer.carry = carry


@contextlib.contextmanager
def afresh(model: Layer) -> Iterator[None]:
    """The same, beginning with zeros; at its end each layer has the state that it had before."""
    before = [(layer, layer.carried) for layer in recurrent(model).values()]
    try:
        with carrying(model):
            forget(model)
            yield
    finally:
        for layer, carried in before:
            layer.carried = carried


def forget(model: Layer) -> None:
    """Let recurrent layers begin with zeros."""
    for layer in recurrent(model).values():
        layer.carried = None


def carried(model: Layer) -> dict[str, Array]:
    """The states that a model carries, float32 (num_layers, N, hidden_size), by "PATH.NAME"; {} at first."""
    found: dict[str, Array] = {}
    for path, layer in recurrent(model).items():
        if layer.carried is not None:
            arrays = layer.carried if len(layer.states) > 1 else (layer.carried,)
            found |= {f"{path}.{name}": one for name, one in zip(layer.states, arrays, strict=True)}
    return found


def carriable(model: Layer, rows: int) -> dict[str, Array]:
    """Zeros as `carried` tells states of so many rows; they take no memory."""
    zero = np.zeros((), np.float32)
    return {
        f"{path}.{name}": np.broadcast_to(zero, (layer.num_layers, rows, layer.hidden_size))
        for path, layer in recurrent(model).items() for name in layer.states
    }  # fmt: skip


def carry(model: Layer, states: Mapping[str, Any]) -> None:
    """Let a model go on from what `carried` told of one like it; all or nothing.

    Raises
    ------
    TypeError, ValueError
        When a state is missing or left over, or of another shape.
    """
    layers, wanted = recurrent(model), {}
    for path, layer in layers.items():
        names = [f"{path}.{name}" for name in layer.states]
        if states:
            wanted[path] = [_checked(name, states.get(name), layer) for name in names]
    known = {f"{path}.{name}" for path, layer in layers.items() for name in layer.states}
    if odd := sorted(set(states) - known):
        got = f"{', '.join(map(repr, odd[:3])):.200}"
        raise ValueError(f"carried: wanted states of recurrent layers, got {got}")
    for path, layer in layers.items():
        arrays = wanted.get(path)
        layer.carried = None if arrays is None else tuple(arrays) if len(arrays) > 1 else arrays[0]


def _checked(name: str, state: Any, layer: Recurrent) -> Array:
    if state is None:
        raise ValueError(f"carried: wanted the state {name}, got none")
    array = checks.float_array(f"carried {name}", state)
    if array.ndim != 3 or array.shape[::2] != (layer.num_layers, layer.hidden_size):
        wanted = f"({layer.num_layers}, N, {layer.hidden_size})"
        raise ValueError(f"carried {name}: wanted shape {wanted}, got {array.shape}")
    return np.array(array)
