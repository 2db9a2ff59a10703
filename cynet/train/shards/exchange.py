"""The sums of gradients that processes make together, a bucket at a time, while backward goes on.

Design: each process is to make a part of every bucket's sum. So it is sent that part of the nodes of the tree
which each other one has, adds them all in the tree's order, and sends the sum to all others. That is as few
bytes as a ring sends, and the sum has the order of one process. Nothing waits but `finish`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cynet.core import workspace
from cynet.core.types import Array

from .tree import Subtotal, covering, joined, total
from .world import BUCKETS, Pending, World

WHAT = "the gradients"


@dataclass
class _Flight:
    """A bucket under way."""

    number: int
    nodes: list[list[Subtotal]]  # of each rank its part of this process's part
    out: Array
    pending: Pending
    later: Pending  # the others' parts of the sum
    sent: list[Array] = field(default_factory=list)  # kept until it is there
    is_sum: bool = False


class Exchange:
    """What processes do with the gradients of a step.

    Parameters
    ----------
    world : World
    shards : int
    done : callable
        Gets the number of each bucket whose sum is there.

    Attributes
    ----------
    seconds, waited : float
        From the first message of each step to the last one, and how much of that was spent in `finish`.
    final, sizes : list
        Of the last step, by bucket: seconds from the first bucket's start to this one's; its bytes.
    behind : float
        Seconds from there to the end of the backward pass.
    """

    def __init__(self, world: World, shards: int, done: Callable[[int], None]) -> None:
        self.world, self.done = world, done
        each = shards // world.size
        self.own = range(world.rank * each, (world.rank + 1) * each)
        self._covering = [covering(range(r * each, (r + 1) * each)) for r in range(world.size)]
        self._flights: list[_Flight] = []
        self._since: float | None = None
        self.seconds = self.waited = 0.0
        self.final: list[float] = []
        self.sizes: list[int] = []
        self.behind = 0.0

    def start(self, number: int, nodes: list[Subtotal], out: Array) -> None:
        """Begin with a bucket.

        Parameters
        ----------
        number : int
        nodes : list of Subtotal
            What the shards of this process come to, each of the bucket's length; they are written over.
        out : ndarray of float32
            Gets the sum of all.
        """
        world, size = self.world, len(out)
        now = time.perf_counter()
        if self._since is None:
            self._since, self.final, self.sizes = now, [], []
        self.final.append(now - self._since)
        self.sizes.append(out.nbytes)
        if world.size == 1:
            out[...] = total(nodes)
            self.done(number)
            return
        mine = self._part(world.rank, size)
        found = [[Subtotal(node.first, node.size, node.array[mine]) for node in nodes]] * world.size
        flight = _Flight(number, found, out, [], [])
        for rank in self._others():
            if (part := self._part(rank, size)).stop > part.start:
                flight.later.append((world.receive(out[part], rank, self._tag(number) + 1), rank))
                sent = _side_by_side([node.array[part] for node in nodes])
                flight.sent.append(sent)
                flight.pending.append((world.send(sent, rank, self._tag(number)), rank))
            shape = len(self._covering[rank]), mine.stop - mine.start
            arrays = workspace.empty(shape)
            pairs = zip(self._covering[rank], arrays, strict=True)
            found[rank] = [Subtotal(first, count, array) for (first, count), array in pairs]
            if arrays.size:
                flight.pending.append((world.receive(arrays, rank, self._tag(number)), rank))
        self._flights.append(flight)

    def poll(self) -> None:
        """See what has come, and go on with it."""
        for flight in self._flights:
            flight.pending = self.world.left(flight.pending)
            if not flight.pending:
                self._went_on(flight)
        self._flights = [flight for flight in self._flights if flight.pending or not flight.is_sum]

    def _went_on(self, flight: _Flight) -> None:
        if flight.is_sum:
            self.done(flight.number)
            return
        world, out = self.world, flight.out
        mine = self._part(world.rank, len(out))
        if mine.stop > mine.start:
            out[mine] = total(joined(node for nodes in flight.nodes for node in nodes))
        flight.is_sum, flight.sent, flight.nodes, flight.pending = True, [], [], flight.later
        if mine.stop > mine.start:
            tag = self._tag(flight.number) + 1
            flight.pending += [(world.send(out[mine], rank, tag), rank) for rank in self._others()]
        if not flight.pending:
            self.done(flight.number)

    def finish(self, start: float) -> None:
        """Wait for all buckets, at the end of a wait that began at `start` (of `time.perf_counter`)."""
        self.behind = start - self._since if self._since is not None else 0.0
        while self._flights:
            self.world.wait(self._flights[0].pending, WHAT, self.poll)
            self.poll()
        if self._since is not None and self.world.size > 1:
            now = time.perf_counter()
            self.waited, self.seconds = self.waited + now - start, self.seconds + now - self._since
        self._since = None

    def _others(self) -> list[int]:
        """The other ranks, each process beginning with another one."""
        rank, size = self.world.rank, self.world.size
        return [(rank + i) % size for i in range(1, size)]

    def _part(self, rank: int, size: int) -> slice:
        return slice(size * rank // self.world.size, size * (rank + 1) // self.world.size)

    @staticmethod
    def _tag(number: int) -> int:
        return BUCKETS + 2 * number


def _side_by_side(arrays: list[Array]) -> Array:
    if len(arrays) == 1:
        return arrays[0]
    whole = workspace.empty((len(arrays), len(arrays[0])))
    for row, array in zip(whole, arrays, strict=True):
        row[...] = array
    return whole
