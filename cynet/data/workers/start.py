"""How a worker process is started: quickly, without what it does not need, deaf to Ctrl-C.

Design: the fork server imports the worker's module once, so that a worker is a fork of it and takes a few
milliseconds. The owner's script is imported in a worker only where a user's transform is defined there, so
that work can be started from a notebook, from stdin and without a main guard.

A process made by fork starts workers by a fork server of its own, and leaves those of its parent alone.
"""

import contextlib
import errno
import multiprocessing
import os
import sys
import threading
import time
from multiprocessing import forkserver, process, resource_tracker, spawn

from cynet.core import interrupts

from . import portable, worker

CONTEXT = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
PAUSES = 0.01, 0.1  # seconds before a worker's start is tried again
NAME = "cynet-loader-"
FILLING = "cynet.data.images.transforms"  # what a worker runs; of a floor above, so named alone

_path_lock = threading.Lock()  # of `own_path`
_path_before: dict[str, str | None] = {}


class _Starting(threading.local):
    """What the thread that starts a process wants of it."""

    lean = False


_starting = _Starting()


class Member:
    """One worker process, the owner's end of its pipe, and its unanswered tasks.

    Parameters
    ----------
    number : int
    arguments : tuple
        (store, pipeline), what `worker.main` takes after its pipe.
    """

    def __init__(self, number, arguments):
        self.number, self.tasks, self.since = number, [], time.monotonic()
        with limits_named():
            resource_tracker.ensure_running()  # now: when it starts, it lets signals in
        with interrupts.held(), started(not portable.needs_main(arguments[1])):
            self._start(arguments)

    def _start(self, arguments):
        for pause in PAUSES:
            try:
                return self._try(arguments)
            except (OSError, EOFError):  # the fork server died just now; soon there is a new one
                time.sleep(pause)
        return self._try(arguments)

    def _try(self, arguments):
        context = multiprocessing.get_context(CONTEXT)
        self.pipe, theirs = context.Pipe()
        try:
            self.process = context.Process(
                target=worker.main, args=(theirs, *arguments), name=f"{NAME}{self.number}", daemon=True
            )
            self.process.start()
        except BaseException:
            self.pipe.close()
            raise
        finally:
            theirs.close()

    def add(self, task):
        """Note a task; the clock of the first one runs."""
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)

    def remove(self, task):
        """Forget a task that was answered; the next one's clock runs."""
        self.tasks.remove(task)
        self.since = time.monotonic()

    def forget(self):
        """Let go of a process that ended."""
        self.pipe.close()
        self.process.close()

    def end(self, latest):
        """Close the pipe, which ends the worker, and wait for it; one that runs at `latest` is killed."""
        self.pipe.close()
        self.process.join(max(0, latest - time.monotonic()))
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.process.close()


@contextlib.contextmanager
def own_path():
    """Let the fork server, where it is started now, look for modules where this process does.

    Its own first place would be the current folder, which may hold another cynet, or one without kernels.
    """
    path = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    wanted = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    with _path_lock:
        _path_before.update({name: os.environ.get(name) for name in wanted})
        os.environ.update(wanted)
        try:
            yield
        finally:
            _restore_path()


def _restore_path():
    for name, value in _path_before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _path_before.clear()


@contextlib.contextmanager
def started(lean):
    """Within this context this thread starts processes; `lean`: they do not import the owner's script."""
    server = forkserver._forkserver if CONTEXT == "forkserver" else None
    if getattr(server, "_preload_modules", None) == ["__main__"]:  # unless the user wants others
        multiprocessing.get_context(CONTEXT).set_forkserver_preload([FILLING, worker.__name__])
    before, _starting.lean = _starting.lean, lean
    try:
        with own_path(), limits_named():
            yield
    finally:
        _starting.lean = before


@contextlib.contextmanager
def limits_named():
    """Raise an OSError in a sentence where the system starts no more processes or threads."""
    try:
        yield
    except (OSError, EOFError, RuntimeError) as error:
        if not _is_limit(error):
            raise
        perhaps = "perhaps " if isinstance(error, EOFError) else ""  # the fork server ended, and says nothing
        text = f"{perhaps}no more processes or threads are allowed here (ulimit -u: {_most_processes()})"
        raise OSError(errno.EAGAIN, f"cannot start a worker process: {text}; workers=0 needs none") from error


def _is_limit(error):
    if isinstance(error, RuntimeError):
        return "start new thread" in str(error)
    return isinstance(error, EOFError) or error.errno == errno.EAGAIN


def _most_processes():
    """The limit of this user's processes and threads, in words."""
    try:
        import resource
    except ImportError:  # Windows has none
        return "unknown"
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    return "unlimited" if most == resource.RLIM_INFINITY else f"{most:,}"


_whole = spawn.get_preparation_data


def _preparation_data(name):
    """What `multiprocessing` tells a new process, which has no setting for this: not about the script.

    Relative places on sys.path are told as seen from here, too: the process begins in the first folder.
    """
    data = _whole(name)
    if "sys_path" in data:
        with contextlib.suppress(OSError):  # this folder may be gone
            here = [os.path.abspath(place) for place in sys.path if place and not os.path.isabs(place)]
            data["sys_path"] = [*data["sys_path"], *here]
    if not _starting.lean:
        return data
    return {key: value for key, value in data.items() if not key.startswith("init_main")}


spawn.get_preparation_data = _preparation_data


def _after_fork():
    """In a child by fork: forget what belongs to its parent, and what a thread held that is no more."""
    global _path_lock
    _path_lock = threading.Lock()
    _restore_path()
    tracker = resource_tracker._resource_tracker
    if hasattr(tracker, "_lock"):
        tracker._lock = threading.RLock()
    for child in list(process._children):  # which it would end and wait for when it exits itself
        if child.name.startswith(NAME):
            process._children.discard(child)
    server = getattr(forkserver, "_forkserver", None)
    if getattr(server, "_forkserver_pid", None) is not None:  # not this process's to wait for
        with contextlib.suppress(OSError):
            os.close(server._forkserver_alive_fd)
        server._forkserver_address = server._forkserver_alive_fd = server._forkserver_pid = None
    if hasattr(server, "_lock"):
        server._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
