"""Steps of several ranks over MPI beside one process: efficiency, what is sent, what of it is hidden."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from .processes import run_python
from .report import MEBIBYTES, MILLISECONDS, PERCENT, Report, scaled
from .timing import nothing

ROUNDS, STEPS = 3, 10
LAUNCH = "mpiexec -n {}"


def launcher(text=None):
    """The words that start ranks, with {} for their number; by default the mpiexec beside this Python."""
    words = (text or LAUNCH).split()
    beside = Path(sys.executable).parent / words[0]
    return [str(beside) if not text and beside.exists() else words[0], *words[1:]]


def measure(ranks, models, batch_size, shards, launch=None, threads=None, repeat=None, watch=nothing):
    """Steps of ranks, in turns with one process that has all their threads.

    Parameters
    ----------
    ranks : sequence of int
        Divisors of `shards`.
    models : sequence of str
    batch_size, shards : int
    launch : str, optional
        What starts ranks, with {} for their number.
    threads : int, optional
        Of each rank; default: 1.
    repeat : int, optional
    watch : callable, optional

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        When there is no launcher, or a number of ranks does not divide the shards.
    ChildProcessError
        When the ranks fail.
    """
    words = launcher(launch)
    if shutil.which(words[0]) is None:
        raise ValueError(f"launcher: wanted one that is installed (pip install mpich), got {words[0]}")
    for count in ranks:
        if shards % count:
            raise ValueError(f"ranks: wanted divisors of the {shards} shards, got {count}")
    threads, rows = threads or 1, []
    for name in models:
        for count in ranks:
            job = {"model": name, "batch_size": batch_size, "steps": STEPS, "shards": shards}
            jobs = {
                "one": (None, job | {"ranks": 0, "threads": threads * count, "shards": 1}),
                "shards": (None, job | {"ranks": 0, "threads": threads * count}),
                "ranks": (words, job | {"ranks": count, "threads": threads}),
            }
            found = {way: [] for way in jobs}
            for turn in range(repeat or ROUNDS):
                for way, (start, each) in jobs.items():
                    found[way].append(_run(start, each))
                watch(turn + 1, repeat or ROUNDS, f"distributed {name}, {count} ranks")
            rows.append({"model": name, "ranks": count, "threads": threads} | _row(found))
    return _report(rows, batch_size, shards, words)


def _run(words, job):
    arguments = "-m", "cynet.bench.ranks", json.dumps(job)
    if words is None:
        return json.loads(run_python(*arguments))
    count = str(job["ranks"])
    with_ranks = [word.replace("{}", count) for word in words]
    return json.loads(run_python(*arguments, launch=with_ranks))


def _row(found):
    """Medians, and ratios of runs that took turns."""
    ranks = found["ranks"]
    seconds = {way: np.array([one["step"] for one in each]) for way, each in found.items()}
    under_way, waited = (float(np.median([one[name] for one in ranks])) for name in ("under_way", "waited"))
    return {
        "step_seconds": float(np.median(seconds["ranks"])),
        "one_seconds": float(np.median(seconds["one"])),
        "shards_seconds": float(np.median(seconds["shards"])),
        "efficiency": float(np.median(seconds["one"] / seconds["ranks"])),
        "sent_bytes": ranks[0]["bytes"],
        "messages": ranks[0]["messages"],
        "hidden": 1 - waited / under_way if under_way else None,
        "peak_bytes": float(np.median([one["peak"] for one in ranks])),
        "buckets": ranks[0]["buckets"],
    }


def _report(rows, batch_size, shards, words):
    columns = (
        ("model", "model", None),
        ("ranks", "ranks", str),
        ("threads", "threads each", str),
        ("step_seconds", "step ms", MILLISECONDS),
        ("one_seconds", "one process ms", MILLISECONDS),
        ("shards_seconds", "in shards ms", MILLISECONDS),
        ("efficiency", "efficiency %", PERCENT),
        ("sent_bytes", "sent MiB a step", MEBIBYTES),
        ("messages", "messages", scaled(1, 0)),
        ("hidden", "hidden %", PERCENT),
        ("peak_bytes", "peak MiB a rank", MEBIBYTES),
    )
    notes = (
        f"Training steps of {batch_size} pictures in {shards} shards, started by {' '.join(words)}; beside "
        "one process with as many threads, whose step is not cut, and cut. Efficiency: the time of the "
        "former over that of the ranks. Sent: by one rank. Hidden: what gradients are under way without "
        "anybody waiting for them.",
    )
    return Report("distributed", columns, rows, notes, {"processors": os.cpu_count()})
