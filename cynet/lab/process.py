"""A student's code in a child process: started, listened to, and ended with all that it started.

Design: the child (`child.py`) sends messages through a pipe of its own, what it prints goes to a file. The
parent waits no longer for a message than it was told, and kills the child's whole process group in the end,
whatever came. So an endless loop, a crash or a full memory is an `Ending`, which says itself in a sentence.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import cynet

CHILD = "cynet.lab.child"
MOST_HEADER = 1 << 20  # bytes of a message without its arrays
MOST_ARRAY = 1 << 28
PRINTED = 2000  # bytes of what was printed last that are kept
GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What a child may take beside what it has when the student's file is loaded.

    Attributes
    ----------
    memory : int
        Bytes of address space.
    seconds : int
        Of processor time, over all.
    file_bytes : int
        Of any file that it writes.
    """

    memory: int = 4 * GIB
    seconds: int = 120
    file_bytes: int = 64 << 20


SINGLE = "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"  # of NumPy: a process of one thread can leave the network
INTRUDED = "wrote into the lab's own pipe"


class Ending(Exception):
    """The child is gone before its work was done; the text says why, as what follows "the function"."""


class Child:
    """A process that works for a job, as a context.

    Parameters
    ----------
    job : dict
        What `child.py` gets, as JSON.
    limits : Limits, optional
    threads : int, optional
        Of OpenMP there.
    offline : bool, optional
        Whether it is cut off from the network, where the system lets it.

    Attributes
    ----------
    offline : bool
        Whether it is, once it has said so.
    """

    def __init__(self, job, limits=None, threads=None, offline=False):
        self.job = {**job, "limits": vars(limits or Limits()), "offline": offline}
        self.threads, self.offline = threads, False
        self._buffer = bytearray()

    def __enter__(self):
        self._printed = tempfile.TemporaryFile()
        reader, writer = os.pipe()
        try:
            environment = _environment(self.threads, self.job["offline"])
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", CHILD, str(writer)],
                stdin=subprocess.PIPE, stdout=self._printed, stderr=subprocess.STDOUT, pass_fds=(writer,),
                env=environment, start_new_session=True, cwd=self.job.get("folder"),
            )  # fmt: skip
        except BaseException:
            os.close(reader)
            self._printed.close()
            raise
        finally:
            os.close(writer)
        self._reader = reader
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(self.job).encode())
            self.process.stdin.close()
        return self

    def __exit__(self, *error):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._reader)
        self._printed.close()

    def printed(self):
        """The end of what the child printed, as text."""
        return self.between(0, os.fstat(self._printed.fileno()).st_size)

    def between(self, start, end):
        """The end of what it printed from one byte to another, as text."""
        start = max(0, start, end - PRINTED)
        text = os.pread(self._printed.fileno(), max(0, end - start), start)
        return text.decode(errors="replace").strip()

    def clock(self):
        """Seconds, as they pass for the child: while it stands in line for a processor they do not."""
        return time.monotonic() - self._queued()

    def _queued(self):
        try:
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):  # no Linux, or one that does not count it
            return 0.0

    def next(self, seconds, since=None):
        """The next message, a dict; its "arrays" are NumPy's.

        Parameters
        ----------
        seconds : float
            How long to wait at most.
        since : float, optional
            From when on, by `clock`; default: from now on.

        Raises
        ------
        Ending
            Where none came.
        """
        deadline = (self.clock() if since is None else since) + seconds
        size = int.from_bytes(self._exactly(8, deadline, seconds))
        if size > MOST_HEADER:
            raise Ending(INTRUDED)
        try:
            message = json.loads(self._exactly(size, deadline, seconds))
            message["arrays"] = [self._array(each, deadline, seconds) for each in message.get("arrays", ())]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Ending(INTRUDED) from None
        return message

    def _array(self, told, deadline, seconds):
        dtype, shape = np.dtype(told["dtype"]), tuple(map(int, told["shape"]))
        size = dtype.itemsize * int(np.prod(shape, dtype=object))
        if not 0 <= size <= MOST_ARRAY or dtype.hasobject:
            raise Ending(f"gave an array of {size:,} bytes: more than was asked for")
        return np.frombuffer(self._exactly(size, deadline, seconds), dtype).reshape(shape)

    def _exactly(self, size, deadline, seconds):
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._reader, selectors.EVENT_READ)
            while len(self._buffer) < size:
                left = deadline - self.clock()
                if not waiting.select(max(0, left)):
                    if left > 0:
                        continue  # by now it may have stood in line again
                    raise Ending(f"did not end within {seconds:.3g} s: an endless loop, or far too slow")
                part = os.read(self._reader, 1 << 20)
                if not part:
                    raise Ending(self._how_it_ended())
                self._buffer += part
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def _how_it_ended(self):
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "closed the lab's pipe"
        if status == -signal.SIGSEGV:
            return "crashed (segmentation fault): an index or a pointer beyond its array"
        if status == -signal.SIGXCPU:
            return "took all the processor time that it may"
        if status == -signal.SIGKILL:
            return "was killed by the system, possibly out of memory"
        if status < 0:
            return f"crashed ({signal.Signals(-status).name})"
        return f"ended the process (exit status {status})"


def _environment(threads, offline):
    root = str(Path(cynet.__file__).parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    more = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    more |= dict.fromkeys(SINGLE, "1") if offline else {}
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **more}
