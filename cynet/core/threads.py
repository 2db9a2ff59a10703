"""How many threads the kernels use. Results never depend on it, only the time does.

Design: OpenMP keeps its threads between kernels, and a child made by fork has none of them: a kernel that
called on two there would wait for ever. One thread is safe. So where a process has used several, its children
by fork, and theirs, run on one, whatever they ask for. Forks are counted by the C library (`_config.forks`),
so that those of a web server in C, of which Python is not told, count too.
"""

import os
import re
import sys

from . import checks
from .compiled import _config
from .processors import processors

__all__ = ["forks", "get_num_threads", "processors", "set_num_threads", "team"]

ALONE = 2**20  # multiply-adds below which one thread is faster than several
MOST = 1024  # that can be set
MANY = 64  # from the environment: more than this, and than there are processors, is a slip
VARIABLE = "OMP_NUM_THREADS"

_threads: int | None = None
_several = False  # whether kernels may have run on several threads, in this process or one around it
_bound = False  # to one thread: a child of such a process
_forks = _config.forks()  # those that were seen
_warned = False


def get_num_threads() -> int:
    """The number of OpenMP threads a kernel uses.

    Returns
    -------
    int
        What `set_num_threads` was given last; before that OMP_NUM_THREADS, or else the number of
        processors this process may use, a container's quota considered. Always 1 in a build without
        OpenMP, and in a child made by fork of a process that has used several.
    """
    if _forks != _config.forks():
        _after_fork()
    if _threads is None:
        _set(_first() if _config.build_info()["openmp"] else 1)
    return _threads  # type: ignore[return-value]  # it is set by now


def set_num_threads(threads: int) -> None:
    """Set the number of OpenMP threads a kernel uses.

    Parameters
    ----------
    threads : int
        At least 1. More than there are processors is allowed, and slow. In a child made by fork of a process
        whose kernels have used several, OpenMP cannot have more than one: there it stays 1, and the first
        call that asks for more says so on stderr. (`multiprocessing`'s "spawn" and "forkserver" have no such
        bound.)

    Raises
    ------
    TypeError, ValueError
        When `threads` is no integer, less than 1 or more than 1024.
    """
    threads = checks.integer("threads", threads, 1, MOST)
    if _forks != _config.forks():
        _after_fork()
    _set(threads if _config.build_info()["openmp"] else 1)


def _set(threads: int) -> None:
    global _threads, _several, _warned
    if _bound and threads > 1:
        if not _warned:
            _say(f"1 thread instead of {threads}: this process is a fork of one that used several")
        threads, _warned = 1, True
    _threads, _several = threads, _several or threads > 1


def _after_fork() -> None:
    global _threads, _forks, _bound
    _forks, _bound = _config.forks(), _several
    if _bound:
        _threads = 1


def forks() -> int:
    """How many forks lie between this process and the one that loaded the kernels.

    What an object holds that another process must not use (a lock, a pipe) is worthless where this is not
    what it was.
    """
    return _config.forks()


def _first() -> int:
    """The threads to begin with."""
    count, text = processors(), os.environ.get(VARIABLE, "").strip()
    first = text.partition(",")[0].strip()  # the others are for parallel regions within parallel regions
    if not text:
        return count
    if not re.fullmatch(r"\+?\d+", first, re.ASCII) or not first.lstrip("+0"):
        _say(f"{VARIABLE}: wanted a number from 1 on, got {text!r:.40}; taking {count}, one a processor")
        return count
    most = max(MANY, count)
    if len(first.lstrip("+0")) > len(str(most)) or int(first) > most:
        _say(f"{VARIABLE}: wanted at most {most}, got {first:.40}; taking {count}, one a processor")
        return count
    return int(first)


def _say(text: str) -> None:
    print(f"cynet: {text}", file=sys.stderr, flush=True)


def team(macs: float) -> int:
    """The threads for so many multiply-adds: one where starting others takes longer than they save."""
    return 1 if macs < ALONE else get_num_threads()
