"""Many pictures decoded by a few worker processes, in order.

Design: a worker gets the paths of some pictures and sends their bytes back, which costs next to nothing
beside decoding them. The owner keeps only a few answers waiting, so memory does not grow with the data set.
A worker imports NumPy and Pillow alone, never the owner's script; it ignores Ctrl-C, which is its owner's to
handle, and dies with it.
"""

import ctypes
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cynet.core import checks
from cynet.core.threads import processors

from . import pictures

CONTEXT = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
CHUNK = 64  # pictures of a task
FEW = 512  # pictures that are decoded sooner than workers start
MOST_WORKERS = 8
PR_SET_PDEATHSIG = 1


def decoded(
    paths: Sequence[str],
    fit: pictures.Fit | None = None,
    workers: int | None = None,
    read: Callable[..., Any] = pictures.read,
) -> Iterator[list[Any]]:
    """The pictures of some files, in order.

    Parameters
    ----------
    paths : sequence of str
    fit : Fit, optional
        As for `pictures.read`.
    workers : int, optional
        Processes; 0 decodes in this one. Default: as many as there are processors, up to 8, and none for few
        pictures or in a daemonic process, which may start no others.
    read : {pictures.read, pictures.attempt}, optional
        What makes a picture of (path, fit).

    Yields
    ------
    list of ndarray of uint8 (channels, height, width)
        The next few pictures; with `attempt` a `PictureProblem` in the place of each that is none.

    Raises
    ------
    ValueError, OSError
        Naming the file that is no picture, or cannot be read, but with `attempt`.
    RuntimeError
        When a worker died, or this one is a worker that imports its owner's script.
    """
    from cynet.data.workers import portable

    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    if workers is None:
        few = len(paths) < FEW or portable.daemonic()
        workers = 0 if few else min(processors(), MOST_WORKERS)
    workers = checks.integer("workers", workers, 0, 1024)
    if workers:
        portable.refuse_import()
        portable.refuse_daemonic(workers)
        yield from _by_workers(chunks, fit, workers, read)
    else:
        yield from (_decode(chunk, fit, read) for chunk in chunks)


def _decode(paths: Sequence[str], fit: pictures.Fit | None, read: Callable[..., Any]) -> list[Any]:
    return [read(path, fit) for path in paths]


def _by_workers(
    chunks: list[Sequence[str]], fit: pictures.Fit | None, workers: int, read: Callable[..., Any]
) -> Iterator[list[Any]]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    from cynet.data.workers.start import limits_named, started

    context = multiprocessing.get_context(CONTEXT)
    with limits_named():
        pool = ProcessPoolExecutor(min(workers, len(chunks)), context, initializer=_begin)
    try:
        rest, waiting = iter(chunks), deque[Any]()
        while True:
            while len(waiting) < 3 * workers and (chunk := next(rest, None)):
                with started(lean=True):  # a task may start a worker
                    waiting.append(pool.submit(_decode, chunk, fit, read))
            if not waiting:
                return
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise RuntimeError(
            "a process that decodes pictures died, possibly out of memory; workers=0 decodes in this one"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """What a worker does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
