"""What a training needs of those that train together: here one process; `cynet.distributed` has more.

Design: everything is made of two calls that return at once, `send` and `receive`, and of `wait`, which ends
after a time and raises where another process has failed; so there is one place that can hang, and it does
not. A message is a contiguous array. Processes are told apart by their rank, from 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from cynet.core.types import AnyArray

HEADER, BODY, FAILURE, ENDED, TALK, HEARD = range(1, 7)  # tags of messages
BUCKETS = 16  # those of buckets count from there
SPARE = 1024  # bytes, beside twice its own, that a process hears of another one
Pending = list[tuple[Any, int]]  # (request, the rank that it waits for)


def _nothing() -> int:
    return 0


class RankFailedError(RuntimeError):
    """Another process has failed, and said so.

    Attributes
    ----------
    rank : int
    """

    def __init__(self, rank: int, text: str) -> None:
        super().__init__(text)
        self.rank = rank


class World:
    """The processes that train together: this one alone.

    Attributes
    ----------
    rank, size : int
        The number of this process, from 0, and how many there are.
    noted : callable
        Tells the number of a signal that came to this process, 0 for none.
    agreed : int
        The number of a signal of which all processes know, since the same step; 0: none.
    failed : bool
        Whether this process has said that it cannot go on.
    patient : bool
        Whether another process is waited for much longer: until the first step, which all begin when the last
        one has its data.
    allow_mixed : bool
        Whether processors may be of several kinds.
    number : int
        Of the run that these processes are at; what a failure of one before told is nobody's.
    sent_bytes, sent_messages : int
        Since the beginning.
    """

    rank, size = 0, 1

    def __init__(self) -> None:
        self.noted: Callable[[], int] = _nothing
        self.agreed = 0
        self.failed, self.patient = False, True
        self.allow_mixed, self.number = False, 0
        self.sent_bytes = self.sent_messages = 0

    def anew(self) -> None:
        """Begin with another run, as all do: nothing is left of signals and failures of the last one."""
        self.agreed, self.failed, self.patient = 0, False, True
        self.number += 1

    def name(self, rank: int) -> str:
        """What messages call a process."""
        return f"rank {rank}"

    def send(self, array: AnyArray, rank: int, tag: int) -> Any:
        """Begin to send an array, which must stay as it is until `wait` or `left` says that it is done."""
        raise NotImplementedError("there is no other process")

    def receive(self, array: AnyArray, rank: int, tag: int) -> Any:
        """Begin to receive into an array, at most as much as it takes."""
        raise NotImplementedError("there is no other process")

    def left(self, pending: Pending) -> Pending:
        """Which of these requests are not done yet."""
        return pending

    def wait(self, pending: Pending, what: str, meanwhile: Callable[[], object] = _nothing) -> None:
        """Wait until all of these are done, and end all processes where that takes too long; `what` tells, in
        words, what is waited for, and `meanwhile` is called again and again.

        Raises
        ------
        RankFailedError
            When another process has said that it failed.
        """

    def fail(self, text: str, number: int = 0) -> None:
        """Tell all others, once, why this process cannot go on, or with a run alone, by its number."""
        self.failed = True

    def leave(self, status: int) -> None:
        """End all processes where this one ends otherwise than with all others: with an exit status."""

    def end(self) -> None:
        """Wait for the first process to come to its end, and let the others of it know."""

    # -- what is made of these -------------------------------------------------------------------------
    def begin(self, data: bytes) -> Talk:
        """Begin to tell all others some bytes, and to hear theirs, which are about as many at most."""
        return Talk(self, data)

    def gathered(self, data: bytes, what: str) -> list[bytes]:
        """What each process tells, of any length, in the order of their ranks."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        sent: Pending = []
        for rank in others:
            sent += _sent(self, data, rank)
        found = _received(self, others, what)
        self.wait(sent, what)
        found.insert(self.rank, data)
        return found

    def from_first(self, data: bytes, what: str) -> bytes:
        """What the first process tells; the others' `data` is not used."""
        if self.size == 1:
            return data
        if self.rank:
            return _received(self, [0], what)[0]
        sent: Pending = []
        for rank in range(1, self.size):
            sent += _sent(self, data, rank)
        self.wait(sent, what)
        return data


class Talk:
    """What every process tells every other one, of about the same length, while it does something else.

    Parameters
    ----------
    world : World
    data : bytes
        Tells itself where it ends: what is heard may be followed by anything.
    """

    def __init__(self, world: World, data: bytes) -> None:
        self.world, self.data = world, data
        own, room = np.frombuffer(data, np.uint8), 2 * len(data) + SPARE
        others = [rank for rank in range(world.size) if rank != world.rank]
        self._found = [np.zeros(room, np.uint8) for _ in others]
        pairs = zip(self._found, others, strict=True)
        self._pending: Pending = [(world.receive(array, rank, TALK), rank) for array, rank in pairs]
        self._pending += [(world.send(own, rank, TALK), rank) for rank in others]

    def heard(self, what: str, meanwhile: Callable[[], object] = _nothing) -> list[bytes]:
        """What each process tells, in the order of their ranks, once all have; see `World.wait`."""
        self.world.wait(self._pending, what, meanwhile)
        found = [array.tobytes() for array in self._found]
        found.insert(self.world.rank, self.data)
        return found


def _sent(world: World, data: bytes, rank: int) -> Pending:
    size, body = np.array([len(data)]), np.frombuffer(data, np.uint8)
    sent = [(world.send(size, rank, HEADER), rank)]
    return sent + ([(world.send(body, rank, BODY), rank)] if data else [])


def _received(world: World, ranks: list[int], what: str) -> list[bytes]:
    sizes = [np.zeros(1, np.int64) for _ in ranks]
    world.wait(
        [(world.receive(size, rank, HEADER), rank) for size, rank in zip(sizes, ranks, strict=True)], what
    )
    bodies = [np.empty(int(size[0]), np.uint8) for size in sizes]
    pairs = zip(bodies, ranks, strict=True)
    world.wait([(world.receive(body, rank, BODY), rank) for body, rank in pairs if len(body)], what)
    return [body.tobytes() for body in bodies]


def refuse(world: World, text: str) -> NoReturn:
    """Raise RuntimeError where processes are not at the same place of the same training."""
    raise RuntimeError(f"{world.name(world.rank)}: {text}")
