"""What processes tell each other in a step besides gradients: of each shard the loss, and what it came to.

Design: it is sent before the last backward pass of a step, and read after it. A number that stands for how
the gradients are laid out goes along: processes for which it differs do not train the same net.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from .world import World, refuse

HEAD = struct.Struct("<qqqq")  # of a process: steps taken, layout of the gradients, signal, shards
SHARD = struct.Struct("<dqqq")  # of a shard: loss, right, bytes of statistics, bytes of carried states


@dataclass
class Told:
    """What a shard came to.

    Attributes
    ----------
    loss : float
        Its part of the batch's.
    right : int
        How many of its samples were predicted right.
    statistics : bytes
        Of its batch norms; see `Statistics.packed`.
    carried : bytes
        The states that its rows go on with; see `carrying`.
    """

    loss: float
    right: int
    statistics: bytes
    carried: bytes


def packed(steps: int, digest: int, world: World, shards: list[Told]) -> bytes:
    """What a process tells of its shards."""
    parts = [HEAD.pack(steps, digest, world.noted(), len(shards))]
    for told in shards:
        parts.append(SHARD.pack(told.loss, told.right, len(told.statistics), len(told.carried)))
        parts += [told.statistics, told.carried]
    return b"".join(parts)


def read(world: World, data: list[bytes]) -> list[Told]:
    """Of all shards what the processes told of them; `World.agreed` is set.

    Raises
    ------
    RuntimeError
        When they are at other steps, or lay gradients out in another way.
    """
    found, heads = [], [HEAD.unpack_from(each) for each in data]
    for what, number in (("step", 0), ("order in which gradients are final", 1)):
        values: list[Any] = [head[number] for head in heads]
        if len(set(values)) > 1:
            told = ", ".join(f"{world.name(rank)}: {value}" for rank, value in enumerate(values))
            refuse(world, f"wanted the same {what} everywhere, got {told}")
    agree(world, [head[2] for head in heads])
    for head, each in zip(heads, data, strict=True):
        place = HEAD.size
        for _ in range(head[3]):
            loss, right, statistics, carried = SHARD.unpack_from(each, place)
            place += SHARD.size
            ends = place + statistics, place + statistics + carried
            found.append(Told(loss, right, each[place : ends[0]], each[ends[0] : ends[1]]))
            place = ends[1]
    return found


def agree(world: World, noted: list[int]) -> None:
    """Let a signal that came to some process be known to this one."""
    world.agreed = world.agreed or max(noted)
