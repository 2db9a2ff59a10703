"""The beginning of a training by several processes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from cynet.core import checks
from cynet.core.processors import processors
from cynet.core.threads import VARIABLE, set_num_threads
from cynet.data.workers import auto
from cynet.train.shards.sharding import Sharding
from cynet.train.shards.world import World
from cynet.train.trainer import Trainer

from . import mpi

SHARDS = 8
TIMEOUT = 120.0  # seconds

_world: mpi.MpiWorld | None = None


def current() -> World | None:
    """The processes that train together.

    Returns
    -------
    World or None
        None before `init`.
    """
    return _world


def init(
    shards: int = SHARDS, timeout: float = TIMEOUT, sync_batch_norm: bool = False, allow_mixed: bool = False
) -> World:
    """Train together with all processes that mpiexec started.

    From then on every `Trainer` of this process computes its steps in shards, with the others: all must make
    the same calls, with the same settings and data. To print, and to write files, is for rank 0 alone.
    Kernels get the processors of this machine divided by the ranks on it, unless OMP_NUM_THREADS says how
    many threads.

    Parameters
    ----------
    shards : int, optional
        Into how many parts a batch is cut; a multiple of the number of ranks. Weights after a training depend
        on it, and not on the number of ranks.
    timeout : float, optional
        Seconds that a rank waits for another one before it ends all of them.
    sync_batch_norm : bool, optional
        Whether batch norm knows the whole batch, not a shard of it.
    allow_mixed : bool, optional
        Whether processors may be of several kinds, with other last bits; else the first step refuses.

    Returns
    -------
    World
        With `rank` and `size`.

    Raises
    ------
    ImportError
        Without mpi4py, naming the extra; or where it finds no MPI.
    TypeError, ValueError
        When an argument is none of these.

    Examples
    --------
    >>> world = cynet.distributed.init()
    >>> trainer = cynet.train.Trainer(model, criterion, optimizer, schedule)
    >>> result = cynet.train.train(trainer, batches, test_batches, 1000)
    >>> if world.rank == 0:
    ...     print(result.test.accuracy)
    """
    world = begin(timeout)
    world.allow_mixed = checks.flag("allow_mixed", allow_mixed)
    if getattr(sys.excepthook, "func", None) is not _ended:  # else it is there from a call before
        sys.excepthook = functools.partial(_ended, world, sys.excepthook)
    Trainer.sharding = Sharding(shards, world, sync_batch_norm)
    return world


def _ended(world: World, before: Callable[..., object], kind: Any, error: Any, trace: Any) -> None:
    """What an error that nobody catches comes to: it is printed, and all processes end."""
    before(kind, error, trace)
    world.fail(f"{kind.__name__}: {error}")
    world.leave(1)


def begin(timeout: float = TIMEOUT) -> World:
    """The processes that mpiexec started, which from now on are `current`; nothing else is changed but the
    number of threads."""
    global _world
    timeout = checks.number("timeout", timeout, 0, open_low=True)
    if _world is None:
        _world = mpi.world(timeout)
        auto.share(_world.local)
        mpi.set_threads(_world, processors(), set_num_threads, VARIABLE)
    _world.timeout = timeout
    return _world
