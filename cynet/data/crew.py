"""The worker processes of a loader: started, watched, replaced, ended.

Design: each worker has a pipe of its own and a list of the tasks it has not answered. The owner waits on all
pipes and process sentinels at once, so that an answer and a death are noticed alike and nobody spins. What a
dead worker had not answered is given to its replacement: a batch is a function of its task alone, so it comes
out the same.
"""

import builtins
import contextlib
import multiprocessing
import os
import signal
import time
from multiprocessing import connection

from . import worker

LOSSES = 3  # how many deaths are put up with
CONTEXT = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
GUARD = 'if __name__ == "__main__": main()'


class WorkerLostError(RuntimeError):
    """Worker processes died, more often than is put up with or in a way that will come again."""


class Member:
    """One worker process, the owner's end of its pipe, and its unanswered tasks."""

    def __init__(self, number, arguments):
        context = multiprocessing.get_context(CONTEXT)
        self.pipe, theirs = context.Pipe()
        self.tasks = []
        self.process = context.Process(
            target=worker.main, args=(theirs, *arguments), name=f"cynet-loader-{number}", daemon=True
        )
        try:
            self.process.start()
        finally:
            theirs.close()

    def end(self):
        """Close the pipe, which ends the worker, and wait for it; a worker that hangs is killed."""
        self.pipe.close()
        self.process.join(2)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.process.close()


@contextlib.contextmanager
def _interrupts_held():
    """Start processes with SIGINT blocked, which they inherit: Ctrl-C is their owner's to handle."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Crew:
    """Workers that fill slots.

    Parameters
    ----------
    count : int
    arguments : tuple
        What `worker.main` takes after its pipe.
    timeout : float
        Seconds that one task may take.
    """

    def __init__(self, count, arguments, timeout):
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise RuntimeError(f"a loader's worker imports your script again; start training under: {GUARD}")
        self.arguments, self.timeout = arguments, timeout
        self.losses = 0
        self.owner = os.getpid()
        self.members = []
        try:
            with _interrupts_held():
                for number in range(count):
                    self.members.append(Member(number, arguments))
        except BaseException:
            self.close()
            raise

    def submit(self, task):
        """Give a packed task to the worker with the fewest."""
        member = min(self.members, key=lambda m: len(m.tasks))
        member.tasks.append(task)
        self._send(member, task)

    def _send(self, member, task):
        with contextlib.suppress(OSError):  # it died; `collect` sees that and gives its tasks to another
            member.pipe.send_bytes(task)

    def collect(self):
        """Wait for answers, and return the slots that were filled; replace workers that died.

        Raises
        ------
        TimeoutError
            When no worker answered in time.
        WorkerLostError
            When too many workers died.
        Exception
            Of the type that was raised in a worker, with its traceback.
        """
        deadline = time.monotonic() + self.timeout
        waiting = {m.pipe: m for m in self.members} | {m.process.sentinel: m for m in self.members}
        ready = connection.wait(list(waiting), max(0, deadline - time.monotonic()))
        if not ready:
            late = max(self.members, key=lambda m: len(m.tasks))
            raise TimeoutError(
                f"{late.process.name} (pid {late.process.pid}) did not finish "
                f"{worker.describe(late.tasks[0])} within timeout={self.timeout:g} s"
            )
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
        return filled

    def _receive(self, member):
        """The next answer of a worker, or None when it is dead."""
        try:
            return member.pipe.recv_bytes()
        except (EOFError, OSError):
            return None

    def _slot(self, member, answer):
        """The slot that an answer says was filled; a failure it tells of is raised."""
        task = answer[1 : 1 + worker.TASK.size]
        member.tasks.remove(task)
        if answer[:1] == worker.DONE:
            return worker.TASK.unpack(task)[0]
        kind, trace, text = answer[1 + worker.TASK.size :].decode().split("\0", 2)
        where = f"{member.process.name} (pid {member.process.pid}), at {worker.describe(task)}"
        message = f"{text}\nin {where}:\n{trace}"
        error = getattr(builtins, kind, None)
        if not (isinstance(error, type) and issubclass(error, Exception)):
            raise RuntimeError(f"{kind}: {message}")
        try:
            error = error(message)
        except TypeError:  # one that is not made of a text alone
            error = RuntimeError(f"{kind}: {message}")
        raise error

    def _replace(self, member):
        """Take a dead worker's last answers, and give what it left to a new one."""
        filled = []
        while (answer := self._receive(member)) is not None:  # up to the end of its pipe
            filled.append(self._slot(member, answer))
        member.process.join()
        code, pid, name = member.process.exitcode, member.process.pid, member.process.name
        self.losses += 1
        if code > 0:
            raise WorkerLostError(
                f"{name} (pid {pid}) ended with exit code {code} before its time; its message is above. If "
                f"your script starts training when it is imported, use: {GUARD}"
            )
        if self.losses >= LOSSES:
            cause = f"signal {signal.Signals(-code).name}" if code < 0 else "no error"
            raise WorkerLostError(
                f"{self.losses} workers died, the last was {name} (pid {pid}, {cause}); possibly out of "
                "memory"
            )
        successor = Member(f"{name.rsplit('-', 1)[1]}", self.arguments)
        self.members[self.members.index(member)] = successor
        successor.tasks = member.tasks
        member.pipe.close()
        member.process.close()
        for task in successor.tasks:
            self._send(successor, task)
        return filled

    def close(self):
        """End all workers; nothing of them is left behind."""
        members, self.members = self.members, []
        if os.getpid() == self.owner:
            for member in members:
                member.pipe.close()  # all at once, so that they end side by side
            for member in members:
                member.end()
