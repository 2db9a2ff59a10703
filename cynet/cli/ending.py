"""How a command ends: its exit status, and one line where it did not do what was asked."""

import contextlib
import os
import signal
import sys
import threading

from cynet.core.names import SPELLED, printable

REFUSED, FAILED, INTERRUPTED, TERMINATED, CLOSED_PIPE = 2, 1, 130, 143, 141


class Terminated(BaseException):
    """SIGTERM, which ends a command as Ctrl-C does."""


def guarded(program, function, terminable=True):
    """The exit status that a function returns, or that of the error that ends it, which is said in a line.

    Where not `terminable`, SIGTERM kills: until MPI has begun, mpiexec ends the others only of one that a
    signal has ended.
    """
    with showing_everything():
        return _status(program, function, terminable)


def _status(program, function, terminable):
    try:
        with _terminable() if terminable else contextlib.nullcontext():
            status = function() or 0
            sys.stdout.flush()
            return status
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return _say(program, "interrupted", INTERRUPTED)
    except Terminated:
        return _say(program, "terminated", TERMINATED)
    except Exception as error:
        from .parser import Failure, UsageError, reason

        if isinstance(error, UsageError):
            return _say(program, error, REFUSED)
        if isinstance(error, Failure):
            return _say(program, error, FAILED)
        if isinstance(error, OSError):
            return _say(program, reason(error), FAILED)
        raise


@contextlib.contextmanager
def showing_everything():
    """Within this context a character that standard output or error cannot show is written escaped.

    It may be one that the terminal's encoding lacks, or stand for a byte of a file's name that is no UTF-8. A
    stream that is closed takes everything and shows nothing.
    """
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:
                setattr(sys, name, stack.enter_context(open(os.devnull, "w")))
                stack.callback(setattr, sys, name, None)
            elif hasattr(stream, "reconfigure") and not stream.closed:
                stack.callback(_set_errors, stream, stream.errors)
                _set_errors(stream, SPELLED)
        yield


def _set_errors(stream, errors):
    with contextlib.suppress(OSError, ValueError):  # it also flushes, perhaps to nobody
        stream.reconfigure(errors=errors)


@contextlib.contextmanager
def _terminable():
    """Within this context SIGTERM raises `Terminated`, where nobody else listens to it."""

    def terminate(number, frame):
        raise Terminated

    alone = threading.current_thread() is threading.main_thread()
    if not alone or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _say(program, error, status):
    kind = "error: " if status in (REFUSED, FAILED) else ""
    text = "\n".join(map(printable, str(error).split("\n")))  # what files are called and hold may be anything
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(f"{program}: {kind}{text}", file=sys.stderr)
    return status
