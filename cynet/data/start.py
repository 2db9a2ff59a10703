"""How a worker process is started: quickly, without what it does not need, deaf to Ctrl-C.

Design: the fork server imports the worker's module once, so that a worker is a fork of it and takes a few
milliseconds. The owner's script is imported in a worker only where a user's transform is defined there.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import forkserver, resource_tracker, spawn
from multiprocessing.reduction import ForkingPickler

from . import worker

CONTEXT = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
PAUSES = 0.01, 0.1  # seconds before a worker's start is tried again
GUARD = 'if __name__ == "__main__": main()'

_patching = threading.Lock()


class Member:
    """One worker process, the owner's end of its pipe, and its unanswered tasks.

    Parameters
    ----------
    number : int
    arguments : tuple
        (store, recipe), what `worker.main` takes after its pipe.
    """

    def __init__(self, number, arguments):
        self.number, self.tasks, self.since = number, [], time.monotonic()
        resource_tracker.ensure_running()  # now: when it starts, it lets signals in
        with _interrupts_held(), _lean(_needs_main(arguments[1])):
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
                target=worker.main, args=(theirs, *arguments), name=f"cynet-loader-{self.number}", daemon=True
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


def refuse_import():
    """Raise RuntimeError in a worker that imports the owner's script, which would start more workers."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(f"a loader's worker imports your script again; start training under: {GUARD}")


@contextlib.contextmanager
def _interrupts_held():
    """Start processes with SIGINT blocked, which they inherit: Ctrl-C is their owner's to handle.

    The owner's own Ctrl-C waits till the process is whole: one of its other threads may still take the
    signal, and the interrupt would part a worker from what it is about to be sent.
    """
    came, handler = [], None
    if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
        handler = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    mask = getattr(signal, "pthread_sigmask", lambda *_: None)
    before = mask(getattr(signal, "SIG_BLOCK", None), {signal.SIGINT})
    try:
        yield
    finally:
        mask(getattr(signal, "SIG_SETMASK", None), before)
        if handler:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _needs_main(recipe):
    """Whether something that is sent to the worker is defined in the owner's script."""
    return b"__main__" in bytes(ForkingPickler.dumps(recipe))


@contextlib.contextmanager
def own_path():
    """Let the fork server, where it is started now, look for modules where this process does.

    Its own first place would be the current folder, which may hold another cynet, or one without kernels.
    """
    path = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    wanted = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _lean(with_main):
    """Start processes that import the owner's script only where it is wanted.

    `multiprocessing` has no setting for it: what it tells a new process about the script is left out.
    """
    server = forkserver._forkserver if CONTEXT == "forkserver" else None
    if getattr(server, "_preload_modules", None) == ["__main__"]:  # unless the user wants others
        multiprocessing.get_context(CONTEXT).set_forkserver_preload([worker.__name__])
    with _patching, own_path():
        if with_main:
            yield
            return
        whole = spawn.get_preparation_data
        spawn.get_preparation_data = lambda name: {
            key: value for key, value in whole(name).items() if not key.startswith("init_main")
        }
        try:
            yield
        finally:
            spawn.get_preparation_data = whole
