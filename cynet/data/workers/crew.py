"""The worker processes of a loader: started, watched, replaced, ended.

Design: each worker has a pipe of its own and a list of the tasks it has not answered, which is short enough
never to fill the pipe, so that sending does not block. The owner waits on all pipes and process sentinels at
once, so that an answer and a death are noticed alike and nobody spins. What a dead worker had not answered is
given to its replacement: a batch is a function of its task alone, so it comes out the same.
"""

import contextlib
import logging
import math
import os
import signal
import time
from collections import deque
from multiprocessing import connection

from . import portable, worker
from .start import Member

# So many deaths within so many seconds are an error. Far apart in a training of days they are no pattern.
LOSSES, MEMORY = 3, 600.0
WINDOW = 64  # tasks that a worker is given at a time; the smallest pipes hold more
PATIENCE = 2  # seconds that workers have to end by themselves
SERVER_GONE = 255  # the exit code of a worker whose fork server died, and it with that
CLOSED = "this pass over the loader ended when the loader was closed"

_LOG = logging.getLogger(__name__)


class WorkerLostError(RuntimeError):
    """Worker processes died, more often than is put up with or in a way that will come again."""


class Crew:
    """Workers that fill slots.

    Parameters
    ----------
    count : int
    store : worker.Store
    pipeline : Pipeline
    timeout : float
        Seconds that one task may take.
    name_of : callable
        The sample with an index, in words, for messages.
    """

    def __init__(self, count, store, pipeline, timeout, name_of):
        portable.refuse_import()
        portable.refuse_daemonic(count)
        portable.refuse_unguarded(pipeline.functions)
        self.store, self.arguments = store, (store, pipeline)
        self.timeout, self.name_of = timeout, name_of
        self.losses = []  # when workers died
        self.pending = deque()  # packed tasks for when a worker has room
        self.owner = os.getpid()
        # Neither is closed but with this object: another thread may just write.
        self._woken, self._waker = connection.Pipe(duplex=False)
        self.members = []
        try:
            for number in range(count):
                self.members.append(Member(number, self.arguments))
        except BaseException:
            self.close()
            raise

    def submit(self, task):
        """Give a packed task to the worker with the fewest."""
        self.pending.append(task)
        self._hand_out()

    def _hand_out(self):
        while self.pending:
            member = min(self.members, key=lambda m: len(m.tasks))
            if len(member.tasks) >= WINDOW:
                return
            self._give(member, self.pending.popleft())

    @staticmethod
    def _give(member, task):
        member.add(task)
        with contextlib.suppress(OSError):  # it died; `collect` sees that and gives its tasks to another
            member.pipe.send_bytes(task)

    def collect(self):
        """Wait for answers, and return the slots that were filled; replace workers that died.

        Raises
        ------
        TimeoutError
            When a worker is at one task for too long.
        WorkerLostError
            When too many workers died.
        RuntimeError
            When another thread called `wake`.
        Exception
            Of the type that was raised in a worker, with its traceback.
        """
        if not self.members:
            raise RuntimeError(CLOSED)
        waiting = {m.pipe: m for m in self.members} | {m.process.sentinel: m for m in self.members}
        late = min(self.members, key=lambda m: m.since if m.tasks else math.inf)
        ready = connection.wait([self._woken, *waiting], max(0, late.since + self.timeout - time.monotonic()))
        if not ready:
            raise TimeoutError(
                f"{self._name(late)} did not finish {self._work(late)} within timeout={self.timeout:g} s"
            )
        if self._woken in ready:
            raise RuntimeError(CLOSED)
        filled, dead = [], []
        for item in ready:
            member = waiting[item]
            if item is not member.pipe:
                dead.append(member)
                continue
            answer = self._receive(member)
            if answer is not None:  # else its sentinel says the rest
                filled.append(self._slot(member, answer))
        for member in dead:
            filled += self._replace(member)
        self._hand_out()
        return filled

    def wake(self):
        """Have `collect`, which another thread may be in, raise RuntimeError; not its parent's, in a fork."""
        if os.getpid() == self.owner:
            self._waker.send_bytes(b"closed")

    def rest(self):
        """Start the clocks of the tasks anew: the owner was away, and nobody watched."""
        for member in self.members:
            member.since = time.monotonic()

    def _receive(self, member):
        """The next answer of a worker, or None when it is dead."""
        try:
            return member.pipe.recv_bytes()
        except (EOFError, OSError):
            return None

    @staticmethod
    def _name(member, *facts):
        facts = (f"pid {member.process.pid}", *facts)
        return f"{member.process.name} ({', '.join(facts)})"

    def _work(self, member):
        """What a worker is at, in words."""
        if not member.tasks:
            return "nothing"
        slot, count, *_ = worker.TASK.unpack(member.tasks[0])
        return self._sample(member.tasks[0], int(self.store.slot(slot, count)[2][0]))

    def _sample(self, task, place):
        """A task in words, and the sample of it that a user's transform was given."""
        slot, count, *_ = worker.TASK.unpack(task)
        if not 0 <= place < count:
            return worker.describe(task)
        index = int(self.store.slot(slot, count)[1][place])
        return f"{self.name_of(index)} of {worker.describe(task)}"

    def _slot(self, member, answer):
        """The slot that an answer says was filled; a failure it tells of is raised."""
        task = answer[1 : 1 + worker.TASK.size]
        member.remove(task)
        if answer[:1] == worker.DONE:
            return worker.TASK.unpack(task)[0]
        place, error, name, text, trace = worker.unpacked(answer[1 + worker.TASK.size :])
        where = f"in {self._name(member)}, at {self._sample(task, place)}:\n{trace}"
        raise _raised_here(error, name, text, where)

    def _replace(self, member):
        """Take a dead worker's last answers, and give what it left to a new one."""
        member.process.join()
        self.store.pixels.memory.require_whole()  # one that reads what is not there any more dies of it
        filled = self._last(member)
        code, work = member.process.exitcode, self._work(member)
        if code > 0 and code != SERVER_GONE:
            raise WorkerLostError(
                f"{self._name(member)} ended with exit code {code} before its time, at {work}; its message "
                f"is above. {portable.advice(self.arguments[1].functions)}"
            )
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        now = time.monotonic()
        self.losses = [*(then for then in self.losses if now - then < MEMORY), now]
        if len(self.losses) >= LOSSES:
            raise WorkerLostError(
                f"{len(self.losses)} workers died within {MEMORY / 60:g} minutes, the last was "
                f"{self._name(member, cause)}, at {work}; possibly out of memory"
            )
        _LOG.info("%s died at %s; another one takes its place", self._name(member, cause), work)
        successor = Member(member.number, self.arguments)
        self.members[self.members.index(member)] = successor
        member.forget()
        for task in member.tasks:
            self._give(successor, task)
        return filled

    def _last(self, member):
        """The slots that a dead worker filled, up to the end of its pipe, when it is dead in truth."""
        filled = []
        while True:
            if not member.pipe.poll():  # nothing to read, and not the end
                if member.process.exitcode == SERVER_GONE:  # the worker lives on without, or is just dying
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(member.process.pid, signal.SIGKILL)
                if not member.pipe.poll(PATIENCE):  # a process that it forked holds it
                    return filled
            answer = self._receive(member)
            if answer is None:
                return filled
            filled.append(self._slot(member, answer))

    def close(self):
        """End all workers; nothing of them is left behind, and nobody waits for them any more."""
        self.wake()
        members, self.members = self.members, []
        for member in members:
            member.pipe.close()  # all at once, so that they end side by side
        if os.getpid() == self.owner:
            latest = time.monotonic() + PATIENCE
            for member in members:
                member.end(latest)


def _raised_here(error, name, text, where):
    """A worker's exception with where it was raised: in its text where it is one text, else as a note."""
    if error is None:
        return RuntimeError(f"{name}: {text}\n{where}")
    try:
        told = type(error)(f"{text}\n{where}")
        if len(error.args) == 1 and not isinstance(error, KeyError) and vars(told) == vars(error):
            return told
    except Exception:  # one that is not made of a text alone
        pass
    error.add_note(where)
    return error
