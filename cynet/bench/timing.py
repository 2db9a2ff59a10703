"""Timing: medians of many, after a warm-up, with the garbage collector off; rivals take turns."""

import contextlib
import gc
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 0.02  # seconds of a turn, at least, unless so many steps are fewer:
LEAD = 0.01  # seconds before it that are not timed, at least
LONGEST_BLOCK = 20  # steps
ROUNDS = 5, 200  # the fewest and the most that are chosen
PAUSE, LONGEST_REST, UNTOLD_REST = 0.001, 1.0, 0.1  # seconds
TASKS = Path("/proc/self/task")  # where Linux tells of each thread


def nothing(*_):
    """Does nothing, with whatever it is given."""


@dataclass
class Contestant:
    """One of those whose times are compared: `prepare` opens its turn, `step` is timed."""

    name: object
    step: Callable
    prepare: Callable = nothing


def settle():
    """Wait until all other threads of this process sleep, twice in a row, but no longer than a second.

    Where the system does not tell, a tenth of a second.
    """
    if not TASKS.is_dir():
        time.sleep(UNTOLD_REST)
        return
    asleep = 0
    for _ in range(round(LONGEST_REST / PAUSE)):
        time.sleep(PAUSE)
        asleep = 0 if _others_run() else asleep + 1
        if asleep == 2:
            return


def _others_run():
    """Whether another thread of this process runs, or waits for a processor."""
    own = str(threading.get_native_id())
    for task in TASKS.iterdir():
        try:
            state = (task / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has ended
            continue
        if state == "R" and task.name != own:
            return True
    return False


@contextlib.contextmanager
def no_collection():
    """The garbage collector is off within."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def seconds(step):
    """How long one call takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def take_turns(contestants, rounds=None, budget=5.0, watch=nothing):
    """Time the contestants in turns, A B A B, so that what else the machine does meets all alike.

    A turn begins with steps that are not timed, for the caches hold the data of the one before, and its
    threads may spin on for milliseconds; then comes a block of steps.

    Parameters
    ----------
    contestants : list of Contestant
    rounds : int, optional
        Turns of each; default: as many as fit into `budget` seconds, 5 to 200.
    watch : callable, optional
        Gets the number of rounds done and of all.

    Returns
    -------
    dict of name to ndarray
        Seconds a step, one for each round.
    """
    with no_collection():
        leads, blocks, cost = [], [], 0.0
        for c in contestants:
            c.prepare()
            c.step()
            once = min(seconds(c.step), seconds(c.step))
            leads.append(max(1, math.ceil(LEAD / max(once, 1e-9))))
            blocks.append(min(LONGEST_BLOCK, max(1, math.ceil(BLOCK / max(once, 1e-9)))))
            cost += (leads[-1] + blocks[-1]) * once
        rounds = rounds or int(min(ROUNDS[1], max(ROUNDS[0], budget / max(cost, 1e-9))))
        times = np.empty((len(contestants), rounds))
        for turn in range(rounds):
            for i, c in enumerate(contestants):
                c.prepare()
                _block(c.step, leads[i])
                times[i, turn] = _block(c.step, blocks[i])
            watch(turn + 1, rounds)
    return {c.name: row for c, row in zip(contestants, times, strict=True)}


def _block(step, steps):
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


def repeated(run, prepare=nothing, repeat=None, budget=0.15):
    """Seconds of `run`, one for each repetition; `prepare` goes before each and is not timed.

    Parameters
    ----------
    repeat : int, optional
        Default: as many as fit into `budget` seconds, 5 to 200.

    Returns
    -------
    ndarray
    """
    with no_collection():
        whole = seconds(lambda: (prepare(), run()))
        whole = min(whole, seconds(lambda: (prepare(), run())))
        repeat = repeat or int(min(ROUNDS[1], max(ROUNDS[0], budget / max(whole, 1e-9))))
        times = np.empty(repeat)
        for i in range(repeat):
            prepare()
            times[i] = seconds(run)
    return times


def quartiles(values):
    """[lower quartile, upper quartile] as floats."""
    return [float(q) for q in np.percentile(values, (25, 75))]
