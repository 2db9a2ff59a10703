"""Evaluation by several processes: each runs the net over some of the batches, and all know all outputs.

Design: batch k is that of rank k modulo their number. After a few batches each tells the others its outputs;
what is computed of them, every process computes by itself, in their order, as if it had made them, so that
the result has the bits of one process, and no process keeps more than it wants of them. A net with recurrent
layers goes on from batch to batch, and is run by each process over all.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Array
from cynet.data.rows import BatchRows
from cynet.nn.layer import Layer
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad
from cynet.train.carrying import recurrent

from .told import agree
from .world import World

WHAT = "the other ranks' part of an evaluation"
HEAD = struct.Struct("<qq")  # signal, bytes of the shapes
AT_ONCE = 4  # batches of each process, from one time that all tell their outputs to the next


class _Known(Layer):
    """A net whose outputs are known, by the numbers of the batches: those of the last few."""

    def __init__(self) -> None:
        self.outputs: list[Array] = []

    def __call__(self, number: Any, *others: Any) -> Any:
        return self.outputs[number]


def is_shared(world: World, model: Layer) -> bool:
    """Whether each process runs a net over some of the batches alone."""
    return world.size > 1 and not recurrent(model)


def evaluate(world: World, found: Callable[..., Any], model: Layer, batches: Iterable[Any]) -> Any:
    """What ``found(model, batches)`` gives, the outputs being made by all processes."""
    if not is_shared(world, model):
        return found(model, batches)
    known = _Known()
    return found(known, _numbers(world, known, model, iter(batches)))


def _numbers(
    world: World, known: _Known, model: Layer, batches: Iterator[Any]
) -> Iterator[tuple[int, AnyArray]]:
    """(the number of its outputs among those that are known, labels) of each batch."""
    while True:
        own: list[Array] = []
        labels: list[AnyArray] = []
        with evaluating(model), no_grad():
            for number, (x, y) in enumerate(islice(batches, AT_ONCE * world.size)):
                labels.append(np.array(y))  # whoever made it may use the array again
                if number % world.size == world.rank:
                    own.append(np.array(model(x[0 : len(x)] if isinstance(x, BatchRows) else x)))
        if not labels:
            return
        heard = [_read(data) for data in world.gathered(_packed(world, own), WHAT)]
        agree(world, [noted for noted, _ in heard])
        known.outputs = [heard[number % world.size][1].pop(0) for number in range(len(labels))]
        yield from enumerate(labels)


def _packed(world: World, outputs: list[Array]) -> bytes:
    shapes = json.dumps([output.shape for output in outputs]).encode()
    return b"".join([HEAD.pack(world.noted(), len(shapes)), shapes, *(each.tobytes() for each in outputs)])


def _read(data: bytes) -> tuple[int, list[Array]]:
    noted, size = HEAD.unpack_from(data)
    place = HEAD.size + size
    numbers, outputs, start = np.frombuffer(data[place:], np.float32), [], 0
    for shape in json.loads(data[HEAD.size : place]):
        stop = start + int(np.prod(shape))
        outputs.append(numbers[start:stop].reshape(shape))
        start = stop
    return noted, outputs
