"""Steps of several ranks over MPI beside one process: efficiency, what is sent, what of it is hidden."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from math import ceil, isfinite
from pathlib import Path

import numpy as np

from . import scaling
from .processes import run_python
from .report import MEBIBYTES, MILLISECONDS, PERCENT, Report, scaled
from .timing import nothing

ROUNDS, STEPS = 3, 6
NEAR = scaling.Link(1e-3, 1e9 / 8)  # machines with 1 ms and 1 Gbit/s between them
MACHINES = 2, 4, 8, 16, 32, 64, 128, 256
WANTED = 0.9  # the efficiency for which pictures are told
LAUNCH = "mpiexec -n {}"


def launcher(text=None):
    """The words that start ranks, with {} for their number; by default the mpiexec beside this Python."""
    words = (text or LAUNCH).split()
    beside = Path(sys.executable).parent / words[0]
    return [str(beside) if not text and beside.exists() else words[0], *words[1:]]


@dataclass(frozen=True)
class RankedSetup:
    """What is measured.

    Attributes
    ----------
    ranks : tuple of int
        Divisors of `shards`.
    models : tuple of str
    batch_size, shards : int
    launch : str or None
        What starts ranks, with {} for their number.
    threads : int
        Of each rank.
    repeat : int
    line : Link
        What lies between the machines, for the model.
    """

    ranks: tuple
    models: tuple
    batch_size: int = 512
    shards: int = 8
    launch: str | None = None
    threads: int = 1
    repeat: int = ROUNDS
    line: scaling.Link = NEAR


def measure(setup, watch=nothing):
    """Steps of so many ranks, in turns with one process that has all their threads.

    Parameters
    ----------
    setup : RankedSetup
    watch : callable, optional

    Yields
    ------
    Report
        What was measured; what the model makes of it.

    Raises
    ------
    ValueError
        When there is no launcher, or a number of ranks does not divide the shards.
    ChildProcessError
        When the ranks fail.
    """
    words = launcher(setup.launch)
    if shutil.which(words[0]) is None:
        raise ValueError(f"launcher: wanted one that is installed (pip install mpich), got {words[0]}")
    for count in setup.ranks:
        if setup.shards % count:
            raise ValueError(f"ranks: wanted divisors of the {setup.shards} shards, got {count}")
    rows, works = [], {}
    for name in setup.models:
        for count in setup.ranks:
            found = _raced(setup, words, name, count, watch)
            row = {"model": name, "ranks": count, "threads": setup.threads} | _row(found)
            works[name] = work = scaling.work_of(found["ranks"], setup.shards // count)
            line = scaling.line_of(found["ranks"]) or setup.line
            row |= {"latency": line.latency, "bandwidth": line.bandwidth}
            rows.append(row | {"model_seconds": scaling.step_seconds(work, line, count, setup.shards)})
    yield _report(rows, setup, words)
    yield predicted(works, setup)


def _raced(setup, words, name, count, watch):
    """What each way gives, a list each: as ever, in shards, by ranks."""
    job = {"model": name, "batch_size": setup.batch_size, "steps": STEPS, "shards": setup.shards}
    threads, found = setup.threads, {}
    jobs = {
        "one": (None, job | {"ranks": 0, "threads": threads * count, "shards": 1}),
        "shards": (None, job | {"ranks": 0, "threads": threads * count}),
        "ranks": (words, job | {"ranks": count, "threads": threads}),
    }
    for turn in range(setup.repeat):
        for way, (start, each) in jobs.items():
            found.setdefault(way, []).append(_run(start, each))
        watch(turn + 1, setup.repeat, f"distributed {name}, {count} ranks")
    return found


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
        "seconds": float(np.median(seconds["ranks"])),
        "one_seconds": float(np.median(seconds["one"])),
        "shards_seconds": float(np.median(seconds["shards"])),
        "own_seconds": float(np.median([one["own"] for one in ranks])),
        "efficiency": float(np.median(seconds["one"] / seconds["ranks"])),
        "sent_bytes": ranks[0]["bytes"],
        "messages": ranks[0]["messages"],
        "hidden": 1 - waited / under_way if under_way else None,
        "peak_bytes": float(np.median([one["peak"] for one in ranks])),
        "buckets": ranks[0]["buckets"],
    }


def _report(rows, setup, words):
    columns = (
        ("model", "model", None),
        ("ranks", "ranks", str),
        ("threads", "threads each", str),
        ("seconds", "step ms", MILLISECONDS),
        ("one_seconds", "one process ms", MILLISECONDS),
        ("shards_seconds", "in shards ms", MILLISECONDS),
        ("efficiency", "efficiency %", PERCENT),
        ("own_seconds", "own shards ms", MILLISECONDS),
        ("latency", "latency ms", MILLISECONDS),
        ("bandwidth", "Mbit/s", scaled(8e-6, 0)),
        ("model_seconds", "by the model ms", MILLISECONDS),
        ("sent_bytes", "sent MiB a step", MEBIBYTES),
        ("messages", "messages", scaled(1, 0)),
        ("hidden", "hidden %", PERCENT),
        ("peak_bytes", "peak MiB a rank", MEBIBYTES),
    )
    notes = (
        f"Training steps of {setup.batch_size} pictures in {setup.shards} shards, started by "
        f"{' '.join(words)}; beside one process with as many threads, whose step is not cut, and cut. "
        "Efficiency: the time of the former over that of the ranks. Sent: by one rank. Hidden: what "
        "gradients are under way without anybody waiting for them. The model is told the time of a rank's "
        "own shards, without the others, and the line between the first two, as measured.",
    )
    return Report("distributed", columns, rows, notes, {"processors": os.cpu_count()})


def _told(line):
    return f"{1e3 * line.latency:g} ms and {8e-9 * line.bandwidth:g} Gbit/s"


def predicted(works, setup):
    """What the model says of many machines, each with the threads of a rank: a `Report`."""
    rows, pictures = [], setup.batch_size / setup.shards
    for name, work in works.items():
        for machines in MACHINES:
            shards = max(setup.shards, machines)
            cut = setup.shards / shards
            row = {"model": name, "machines": machines, "shards": shards}
            row["same_batch"] = scaling.efficiency(work, setup.line, machines, shards, cut)
            grown = machines * setup.shards  # shards as large as those that were measured
            row["batch_a_machine"] = scaling.efficiency(work, setup.line, machines, grown)
            least = scaling.least_part(work, setup.line, machines, WANTED) * pictures
            rows.append(row | {"pictures": ceil(least) if isfinite(least) else None})
    columns = (
        ("model", "model", None),
        ("machines", "machines", str),
        ("shards", "shards", str),
        ("same_batch", f"batch {setup.batch_size} in all, %", PERCENT),
        ("batch_a_machine", f"batch {setup.batch_size} a machine, %", PERCENT),
        ("pictures", f"pictures a machine for {100 * WANTED:g} %", scaled(1, 0)),
    )
    notes = (
        f"Efficiency by the model of cynet/bench/scaling.py, for machines {_told(setup.line)} apart: the "
        f"time of one of them that computes the same pictures in shards of {pictures:g}, over that of all, "
        "and their number. The last column: the fewest pictures of a step, in one shard a machine, with "
        "which they are as efficient.",
    )
    facts = {"batch_size": setup.batch_size, "a_machine": setup.shards, "wanted": WANTED}
    facts["line"] = _told(setup.line)
    return Report("distributed: the model", columns, rows, notes, facts)
