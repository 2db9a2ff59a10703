"""The processes of an MPI job: the only file that imports mpi4py.

Design: every message is one non-blocking call between two ranks, so that whoever waits knows for whom, and
waits no longer than `timeout`. Each rank also has a message under way from every other one that comes only
where that one fails. Nothing of MPI that could block is called while a training goes on; where it is to end
out of order, `MPI_Abort` has the launcher end all processes.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import platform
import signal
import stat
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cynet.core.names import printable
from cynet.core.types import AnyArray
from cynet.train.shards.world import ENDED, FAILURE, HEARD, Pending, RankFailedError, World

EXTRA = 'pip install "cynet[distributed]", and an MPI, such as pip install mpich'
MOST_TEXT = 1024  # bytes of what a rank says when it fails
EAGER = 0.001  # seconds of a wait in which nothing sleeps
PAUSE, LOOK = 0.0001, 0.05  # seconds between two looks then; between two looks at who failed
PATIENCE = 30  # times the time-out that is waited before the first step
LAST = 4  # seconds in which MPI_Abort is to end a process
GRACE = 30.0  # seconds in which the first rank is to hear of one that failed; it then has the time it needs
LEFT = 2.0  # seconds after a rank left in which what it has sent is there


def _handed_on(stream: Any) -> None:
    """Wait, a second at most, until a launcher has read what was printed: the rest it throws away."""
    begun = time.monotonic()
    with contextlib.suppress(OSError, ValueError):  # none that is there; closed
        number = stream.fileno()
        while stat.S_ISFIFO(os.fstat(number).st_mode) and time.monotonic() - begun < 1:
            if not struct.unpack("i", fcntl.ioctl(number, termios.FIONREAD, bytes(4)))[0]:
                break
            time.sleep(PAUSE)


def world(timeout: float) -> MpiWorld:
    """All processes of this job.

    Raises
    ------
    ImportError
        Without mpi4py, or where it finds no MPI.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # mpi4py raises either where there is no library of MPI
        raise ImportError(f"training over MPI needs mpi4py and an MPI: {EXTRA} ({error})") from error
    try:
        return MpiWorld(MPI, timeout)
    except BaseException:  # a signal: the others wait for this one, and know nobody to ask
        MPI.COMM_WORLD.Abort(1)
        raise


class MpiWorld(World):
    """All processes of an MPI job.

    Parameters
    ----------
    mpi : module
        mpi4py's.
    timeout : float
        Seconds that `wait` waits at most.

    Attributes
    ----------
    local : int
        How many ranks share the processors that this one may run on.
    """

    def __init__(self, mpi: Any, timeout: float) -> None:
        super().__init__()
        self._mpi, self.timeout = mpi, timeout
        self._comm = mpi.COMM_WORLD.Dup()
        self.rank, self.size = self._comm.Get_rank(), self._comm.Get_size()
        self._notices = [np.zeros(MOST_TEXT, np.uint8) for _ in range(self.size)]
        self._listening = {rank: self._listen(rank) for rank in range(self.size) if rank != self.rank}
        self._left: dict[int, float] = {}  # ranks whose program came to an end, and when that was heard
        self._saving: list[Any] = []
        self.ended = False
        self._hosts = [
            host.decode() for host in self.gathered(platform.node().encode(), "the names of hosts")
        ]
        seen = f"{self._hosts[self.rank]} {_affinity()}".encode()
        atexit.register(self._at_exit)  # before mpi4py ends MPI
        self.local = self.gathered(seen, "processors").count(seen)

    def name(self, rank: int) -> str:
        return f"rank {rank} on {printable(self._hosts[rank])}"

    def send(self, array: AnyArray, rank: int, tag: int) -> Any:
        self.sent_bytes, self.sent_messages = self.sent_bytes + array.nbytes, self.sent_messages + 1
        return self._comm.Isend([array, self._mpi.BYTE], rank, tag)

    def receive(self, array: AnyArray, rank: int, tag: int) -> Any:
        return self._comm.Irecv([array, self._mpi.BYTE], rank, tag)

    def left(self, pending: Pending) -> Pending:
        return [each for each in pending if not each[0].Test()]

    def wait(self, pending: Pending, what: str, meanwhile: Callable[[], object] | None = None) -> None:
        start = looked = time.monotonic()
        while pending := self.left(pending):
            if meanwhile is not None:
                meanwhile()
            now = time.monotonic()
            if now - start < EAGER:
                os.sched_yield()
                continue
            if now - looked >= LOOK:
                looked = now
                self._look(pending)
            if now - start > (limit := self.timeout * (PATIENCE if self.patient else 1)):
                self._give_up(pending, what, limit)
            time.sleep(PAUSE)

    def _listen(self, rank: int) -> Any:
        self._notices[rank][:] = 0
        return self.receive(self._notices[rank], rank, FAILURE)

    def _look(self, pending: Pending) -> None:
        """Raise where another rank has said that it failed, or left while something of it is waited for."""
        for rank, request in self._listening.items():
            if request.Test():
                data = self._notices[rank].tobytes().rstrip(b"\0").decode(errors="replace")
                number, _, text = data.partition("\n")
                self._listening[rank] = self._listen(rank)
                if not text:
                    self._left[rank] = time.monotonic()
                elif number == "0" or int(number) >= self.number:  # else of a run that all have left since
                    raise self._heard(rank, text)
        for rank in {rank for _, rank in pending} & self._left.keys():
            if time.monotonic() - self._left[rank] > LEFT and any(r == rank for _, r in self.left(pending)):
                raise self._heard(rank, "its program came to its end before the others")

    def _heard(self, rank: int, text: str) -> RankFailedError:
        if not self.rank:  # the others wait for this one to save
            word = np.zeros(1, np.uint8)
            self._saving += [(self.send(word, other, HEARD), word) for other in self._listening]
        return RankFailedError(rank, f"{self.name(rank)}: {text}")

    def _give_up(self, pending: Pending, what: str, limit: float) -> None:
        ranks = sorted({rank for _, rank in pending})
        names = ", ".join(map(self.name, ranks[:5])) + (f" and {len(ranks) - 5} more" if ranks[5:] else "")
        _say(
            f"{self.name(self.rank)} waited {limit:g} s for {what} from {names}, which hangs or is "
            "cut off: all ranks are ended"
        )
        self._abort(1)

    def _abort(self, status: int) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            _handed_on(stream)
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LAST)  # ends a process whose launcher is out of reach
        self._mpi.COMM_WORLD.Abort(status)

    def fail(self, text: str, number: int = 0) -> None:
        if not self.failed:
            self.failed = True
            with contextlib.suppress(self._mpi.Exception):  # a line may be cut
                self._tell(text or "it failed", number)

    def _tell(self, text: str, number: int = 0) -> None:
        data = np.zeros(MOST_TEXT, np.uint8)
        told = np.frombuffer(f"{number}\n{text}".encode(errors="replace")[:MOST_TEXT], np.uint8)
        data[: len(told)] = told
        sent = [(self.send(data, rank, FAILURE), rank) for rank in range(self.size) if rank != self.rank]
        start = time.monotonic()
        while (sent := self.left(sent)) and time.monotonic() - start < 1:
            time.sleep(PAUSE)

    def leave(self, status: int) -> None:
        if self.size == 1:
            return
        if self.rank:  # the first one is to say what happened, and to save: it then ends this one, too
            word, start = np.zeros(1, np.uint8), time.monotonic()
            saving = [(self.receive(word, 0, HEARD), 0)]
            while time.monotonic() - start < GRACE or not self.left(saving):
                time.sleep(LOOK)
        self._abort(status)

    def end(self) -> None:
        self.ended, word = True, np.zeros(1, np.uint8)
        others = [rank for rank in range(self.size) if rank != self.rank] if not self.rank else [0]
        call = self.receive if self.rank else self.send
        pending = [(call(word, rank, ENDED), rank) for rank in others]
        while pending := self.left(pending):  # what the first rank does at its end takes as long as it takes
            self._look(pending)
            time.sleep(LOOK)
        self._hear_no_more()

    def _at_exit(self) -> None:
        """Tell the others that this program came to an end, perhaps not where theirs do."""
        if not (self.ended or self.failed):
            with contextlib.suppress(self._mpi.Exception):
                self._tell("")
        self._hear_no_more()

    def _hear_no_more(self) -> None:
        for request in self._listening.values():
            request.Cancel()
            request.Wait()
        self._listening = {}


def set_threads(world: MpiWorld, processors: int, set_threads: Any, variable: str) -> None:
    """Give kernels their share of the processors that ranks have in common."""
    if not os.environ.get(variable):
        set_threads(max(1, processors // world.local))


def _affinity() -> list[int]:
    """The processors that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _say(text: str) -> None:
    print(f"cynet: {text}", file=sys.__stderr__, flush=True)  # which may be redirected
