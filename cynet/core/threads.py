"""How many threads the kernels use. Results never depend on it, only the time does."""

import os

from cynet.kernels import _config

from . import checks

ALONE = 2**20  # multiply-adds below which one thread is faster than several

_threads = None


def get_num_threads():
    """The number of OpenMP threads a kernel uses.

    Returns
    -------
    int
        What `set_num_threads` was given last; before that OMP_NUM_THREADS, or else the number of
        processors this process may run on. Always 1 in a build without OpenMP.
    """
    global _threads
    if _threads is None:
        if not _config.build_info()["openmp"]:
            _threads = 1
        elif os.environ.get("OMP_NUM_THREADS"):
            _threads = _config.openmp_threads()
        else:
            _threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return _threads


def set_num_threads(threads):
    """Set the number of OpenMP threads a kernel uses.

    Parameters
    ----------
    threads : int
        At least 1. More than there are processors is allowed, and slow.

    Raises
    ------
    TypeError, ValueError
        When `threads` is no integer, or less than 1.
    """
    global _threads
    threads = checks.integer("threads", threads, 1, 1024)
    _threads = threads if _config.build_info()["openmp"] else 1


def team(macs):
    """The threads for so many multiply-adds: one where starting others takes longer than they save."""
    return 1 if macs < ALONE else get_num_threads()
