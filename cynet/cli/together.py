"""A command that several processes run together, of which the first one speaks."""

import contextlib
import io
import os
import signal
import sys
import threading
import traceback

from .ending import FAILED, TERMINATED, guarded
from .parser import refusing

TIMEOUT = 120.0  # seconds that a process waits for another one, by default


def add_flags(group):
    """The flags of a training by several processes."""
    from .values import number

    group.add_argument(
        "--distributed", action="store_true",
        help="train with all processes that mpiexec started, as mpiexec -n 4 cynet train --distributed",
    )  # fmt: skip
    group.add_argument(
        "--allow-mixed", action="store_true",
        help="with --distributed: go on where processors are of several kinds, whose last bits may differ",
    )  # fmt: skip
    group.add_argument(
        "--rank-timeout", type=number(1), default=TIMEOUT, metavar="SECONDS",
        help="with --distributed: how long a process waits for another one before all are ended",
    )  # fmt: skip


def refuse(program, error):
    """The exit status of an error in the flags, which the first process says; without MPI each does."""
    from .parser import UsageError

    def refused():
        raise error

    try:
        return with_all(program, TIMEOUT, refused)
    except UsageError:  # there is no MPI
        raise error from None


def with_all(program, timeout, function):
    """The exit status of what all processes do together.

    Parameters
    ----------
    program : str
    timeout : float
    function : callable
        Gives an exit status, or raises, as a command does.
    """
    from cynet.distributed.start import begin

    with refusing("--distributed"), _interrupts_kill():
        world = begin(timeout)
    try:
        return _run(world, program, function)
    except BaseException:  # a signal where nobody listens to one
        world.fail("ended by a signal")
        world.leave(TERMINATED)
        raise


@contextlib.contextmanager
def _interrupts_kill():
    """Within this context Ctrl-C ends the process at once, also in the midst of MPI's beginning."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(world, program, function):
    from cynet.train.shards.world import RankFailedError

    ended = []

    def whole():
        ended.append(function())
        return ended[0]

    with contextlib.nullcontext() if world.rank == 0 else _silent():
        try:
            status = guarded(program, whole)
        except BaseException:
            traceback.print_exc()
            status = FAILED
            ended.clear()
    if ended and not world.failed:  # as all others
        try:
            with _deaf() if world.rank else contextlib.nullcontext():  # how it ends the first one says
                world.end()
            return status
        except RankFailedError:  # the first one's end: it has said what went wrong
            status = FAILED
    world.fail(f"ended with status {status}")  # where it was not said why
    world.leave(status)
    return status


def _deaf():
    """A context in which one signal is noted, and nothing done: the first process got it, or goes on."""
    from cynet.train.signals import Signals

    return Signals(lambda line: None)


@contextlib.contextmanager
def _silent():
    """Within this context nothing is printed: what goes wrong the first process says."""
    said = io.StringIO()
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(said),
    ):
        yield
    if os.environ.get("CYNET_DEBUG") == "1":
        print(said.getvalue(), file=sys.stderr, end="", flush=True)
