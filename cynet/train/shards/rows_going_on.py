"""States of recurrent layers that go on from batch to batch, cut into shards by rows, and joined again."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core.types import Array
from cynet.nn.layer import Layer
from cynet.nn.layers.recurrent import Recurrent
from cynet.train.carrying import recurrent


class GoingOn:
    """The states of a model before a step, and those of its shards after it.

    Parameters
    ----------
    model : Layer
    """

    def __init__(self, model: Layer) -> None:
        self.layers: list[Recurrent] = [layer for layer in recurrent(model).values() if layer.carry]
        self._before = [_arrays(layer) for layer in self.layers]

    def begin(self, part: slice) -> None:
        """Let the layers go on with the rows of a part of the batch."""
        for layer, arrays in zip(self.layers, self._before, strict=True):
            _set(layer, [np.ascontiguousarray(array[:, part]) for array in arrays])

    def packed(self) -> bytes:
        """The states after a part."""
        return b"".join(array.tobytes() for layer in self.layers for array in _arrays(layer))

    def end(self, told: list[tuple[bytes, int]]) -> None:
        """Let the layers have the states after all parts, of each (what `packed` gave, its rows)."""
        found: list[list[list[Array]]] = [[[] for _ in layer.states] for layer in self.layers]
        for data, rows in told:
            place, numbers = 0, np.frombuffer(data, np.float32)
            for layer, states in zip(self.layers, found, strict=True):
                size = layer.num_layers * rows * layer.hidden_size
                for state in states:
                    array = numbers[place : place + size]
                    state.append(array.reshape(layer.num_layers, rows, layer.hidden_size))
                    place += size
        for layer, states in zip(self.layers, found, strict=True):
            _set(layer, [np.concatenate(parts, axis=1) for parts in states])

    def restore(self) -> None:
        """Let the layers have what they had before the step."""
        for layer, arrays in zip(self.layers, self._before, strict=True):
            _set(layer, arrays)


def _arrays(layer: Recurrent) -> list[Array]:
    carried: Any = layer.carried
    if carried is None:
        return []
    return list(carried) if len(layer.states) > 1 else [carried]


def _set(layer: Recurrent, arrays: list[Array]) -> None:
    layer.carried = None if not arrays else tuple(arrays) if len(arrays) > 1 else arrays[0]
