"""What a process has one of, while an estimator is at work: its random numbers and its number of threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from cynet.core import checks, random, threads


class Mutex:
    """A lock that the same thread may take again. A copy, a pickle and a child by fork begin with it free."""

    def __init__(self) -> None:
        self._locks: dict[
            int, threading.RLock
        ] = {}  # forks -> lock: a child has none of its parent's threads

    def __enter__(self) -> None:
        self._locks.setdefault(threads.forks(), threading.RLock()).acquire()

    def __exit__(self, *error: object) -> None:
        self._locks[threads.forks()].release()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Mutex, ()


PROCESS = Mutex()


@contextlib.contextmanager
def running(n_jobs: int | None) -> Iterator[None]:
    """A context in which kernels use so many threads; None: as many as before.

    Parameters
    ----------
    n_jobs : int or None
        At least 1, or as in scikit-learn: -1 for all processors, -2 for all but one.

    Raises
    ------
    TypeError, ValueError
        When it is none of these.
    """
    if n_jobs is None:
        yield
        return
    count = checks.integer("n_jobs", n_jobs, -threads.MOST, threads.MOST)
    if not count:
        raise ValueError("n_jobs: wanted None, a number from 1, or -1 for all processors, got 0")
    with PROCESS:
        before = threads.get_num_threads()
        threads.set_num_threads(count if count > 0 else max(1, threads.processors() + 1 + count))
        try:
            yield
        finally:
            threads.set_num_threads(before)


@contextlib.contextmanager
def fitting(n_jobs: int | None) -> Iterator[None]:
    """A context for one training at a time, at the end of which the random state is again what it was.

    Threads that train at once, as those of joblib, wait for each other: each gets the weights that it gets
    alone, and the kernels use the processors anyway.
    """
    with PROCESS, random.kept(), running(n_jobs):
        yield
