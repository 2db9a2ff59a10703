"""The statistics that batch norm takes of each shard, which move the running ones in the order of the shards.

Design: while a shard goes through the net its statistics go into a list, not into the layers. When those of
all shards are known, wherever they were computed, every process moves its running statistics by all of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Array
from cynet.kernels.norm.normalization import NormPass
from cynet.nn.parameter import Held
from cynet.nn.passes import mode


class Statistics:
    """What the batch norms of a net take of one shard, in the order of their calls.

    Attributes
    ----------
    layers : list of BatchNorm
        Of each call.
    arrays : list of ndarray of float32
        Of each call mean and unbiased variance.
    """

    def __init__(self) -> None:
        self.layers: list[Any] = []
        self.arrays: list[Array] = []

    def taken(self, layer: Any, rows: Array, affine: tuple[AnyArray, ...], eps: float) -> NormPass:
        """The pass of a layer over rows; instead of its running statistics an entry is added here."""
        moments = np.zeros((2, rows.shape[1]), np.float32)
        stats = NormPass.of(rows, *affine, *moments, eps, 1.0, True)
        stats.held = Held(layer.weight, layer.bias)
        self.layers.append(layer)
        self.arrays.append(moments)
        return stats

    def packed(self) -> bytes:
        """All arrays."""
        return b"".join(array.tobytes() for array in self.arrays)


@contextlib.contextmanager
def taking(statistics: Any) -> Iterator[None]:
    """A context in which batch norm's statistics go there."""
    before, mode.statistics = mode.statistics, statistics
    try:
        yield
    finally:
        mode.statistics = before


def size_of(layers: list[Any]) -> int:
    """Bytes of the statistics that calls of these layers take."""
    return sum(2 * 4 * layer.num_features for layer in layers)


def move(layers: list[Any], packed: bytes) -> None:
    """Move the running statistics of layers, of each call one, by those of a shard."""
    found, place = np.frombuffer(packed, np.float32), 0
    for layer in layers:
        channels, _, momentum = layer.settled()
        mean, variance = found[place : place + 2 * channels].reshape(2, channels).astype(np.float64)
        place += 2 * channels
        layer.count()
        for running, new in ((layer.running_mean, mean), (layer.running_var, variance)):
            with np.errstate(over="ignore", invalid="ignore"):
                running[...] = running + momentum * (new - running)
