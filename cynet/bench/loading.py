"""How fast batches are loaded, also beside a peer's loader; what they cost in memory; what training loses."""

import json
import time
from functools import partial
from pathlib import Path

import numpy as np

from cynet.data import ArrayDataset, DataLoader, Normalize, RandomCrop, RandomFlip

from . import choices, peers, setting, workload
from .child import resident
from .processes import run_python
from .report import MEBIBYTES, MILLISECONDS, PERCENT, TIMES, Report, span
from .speed import compared
from .timing import Contestant, nothing, quartiles, take_turns

PICTURES, PADDING = choices.EPOCH, 4  # of an epoch; of the crop
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
WORKERS, MANY = (0, 1, 2), 4
ROUNDS, COST_ROUNDS, TRAINING_ROUNDS = 7, 5, 15
MODEL = "uwnet1"
STEPS = 40  # of training in a turn


def pictures(count=None):
    """(uint8 (count, 3, 32, 32), labels int64) as CIFAR has them, random."""
    count = PICTURES if count is None else count
    rng = np.random.default_rng(0)
    height, width, channels = setting.PICTURE
    labels = np.arange(count) % setting.CLASSES
    return rng.integers(0, 256, (count, channels, height, width), np.uint8), labels


def loader(workers, batch_size=choices.BATCH):
    """cynet's loader with a random crop, a flip, and normalised values."""
    images, labels = pictures()
    dataset = ArrayDataset(images, labels, tuple(map(str, range(setting.CLASSES))))
    transforms = [RandomCrop(PADDING), RandomFlip(), Normalize(MEAN, STD)]
    return DataLoader(dataset, batch_size, workers=workers, transforms=transforms, drop_last=True)


def _epoch(batches):
    for _ in batches:
        pass


def speed(batch_size=choices.BATCH, peer=None, repeat=None, watch=nothing):
    """Whole epochs of loading, in turns with the peer's.

    Parameters
    ----------
    batch_size : int, optional
    peer : str, optional
    repeat : int, optional
        Epochs of each.

    Returns
    -------
    Report
    """
    theirs = peer and partial(peers.load(peer).loader, *pictures(), PADDING, MEAN, STD, batch_size)
    images = PICTURES // batch_size * batch_size
    made = raced(lambda n: loader(n, batch_size), theirs, images, peer, repeat or ROUNDS, watch, "loader")
    notes = (
        f"Epochs of {PICTURES:,} pictures of 32x32 in memory: random crop, flip, normalise, batches of "
        f"{batch_size}; medians, in turns.",
    )
    return Report("loader", *made, notes)


def raced(ours, theirs, images, peer, repeat, watch, what):
    """The columns and rows of a report of loaders that take turns.

    Parameters
    ----------
    ours, theirs : callable
        A loader of so many workers; `theirs` is not called without a peer.
    images : int
        Pictures of an epoch.
    peer : str or None
    repeat : int
    watch : callable
    what : str
        What is measured, for `watch`.
    """
    kinds = {("cynet", n): ours(n) for n in WORKERS}
    if peer:
        kinds |= {(peer, n): theirs(n) for n in WORKERS}
    contestants = [Contestant(key, partial(_epoch, batches)) for key, batches in kinds.items()]
    try:
        times = take_turns(contestants, repeat, watch=lambda *at: watch(*at, what))
    finally:
        for n in WORKERS:
            kinds["cynet", n].close()
    best = min((key for key in times if key[0] == peer), key=lambda key: np.median(times[key]), default=None)
    rows = []
    for n in WORKERS:
        others = {f"{best[1]} workers": times[best]} if best else {}
        rows.append({"workers": n} | compared({"cynet": times["cynet", n]} | others, images))
        if peer:
            rows[-1]["peer_images_per_second"] = float(images / np.median(times[peer, n]))
    columns = (
        ("workers", "workers", str),
        ("images_per_second", "cynet images/s", "{:,.0f}".format),
        ("peer_images_per_second", f"{peer} images/s", "{:,.0f}".format),
        ("peer_way", f"best of {peer}", None),
        ("ratio", "cynet / that", TIMES),
        ("ratio_quartiles", "quartiles", span),
    )
    return columns, rows


COST_PROGRAM = """
import json, sys
from cynet.bench.loading import measure_cost
if __name__ == "__main__":
    print(json.dumps(measure_cost(*json.loads(sys.argv[1]))))
"""


def measure_cost(workers, batch_size):
    """In a fresh process: seconds to the first batch, and bytes of memory when two epochs are done."""
    batches = loader(workers, batch_size)
    before = resident("VmRSS")
    start = time.perf_counter()
    walk = iter(batches)
    next(walk)
    first = time.perf_counter() - start
    for _ in walk:
        pass
    _epoch(batches)
    feed = batches._feed
    members = [_private(member.process.pid) for member in feed.crew.members] if feed else []
    grown = resident("VmHWM") - before
    result = {"first": first, "grown": grown, "ring": feed.ring_bytes if feed else 0, "members": members}
    batches.close()
    return result


def _private(pid):
    """Bytes that a process alone has in memory; all that is resident where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def cost(batch_size=choices.BATCH, repeat=None, watch=nothing):
    """Time to the first batch and memory of fresh processes, with 0, 1, 2 and 4 workers.

    Returns
    -------
    Report
    """
    rows = []
    for i, workers in enumerate((*WORKERS, MANY)):
        found = [
            json.loads(run_python("-c", COST_PROGRAM, json.dumps([workers, batch_size])))
            for _ in range(repeat or COST_ROUNDS)
        ]
        members = [size for one in found for size in one["members"] if size is not None]
        rows.append({
            "workers": workers,
            "first_seconds": float(np.median([one["first"] for one in found])),
            "grown_bytes": float(np.median([one["grown"] for one in found])),
            "ring_bytes": found[0]["ring"],
            "worker_bytes": max(members, default=None),
        })  # fmt: skip
        watch(i + 1, len(WORKERS) + 1, "loader: cost")
    columns = (
        ("workers", "workers", str),
        ("first_seconds", "first batch ms", MILLISECONDS),
        ("grown_bytes", "owner grows MiB", MEBIBYTES),
        ("ring_bytes", "of it ring MiB", MEBIBYTES),
        ("worker_bytes", "a worker's own MiB", MEBIBYTES),
    )
    store = pictures(1)[0].nbytes * PICTURES / 2**20
    notes = (
        f"Fresh processes; the pictures ({store:.1f} MiB) are there before. With workers they move into "
        "shared memory, which the owner's growth holds for the moment of the move; a worker's own memory is "
        "what it shares with no other process, the most of all.",
    )
    return Report("loader: cost", columns, rows, notes)


def training(batch_size=choices.BATCH, repeat=None, watch=nothing):
    """Training from the loader against training on one fixed batch, in turns.

    Returns
    -------
    Report
    """
    x, y = setting.batch(batch_size)
    fixed = workload.training_step_on(workload.create(MODEL))
    contestants = [Contestant("fixed", lambda: _steps(fixed, ((x, y) for _ in range(STEPS))))]
    loaders = {n: loader(n, batch_size) for n in WORKERS}
    for n, batches in loaders.items():
        step, endless = workload.training_step_on(workload.create(MODEL)), _endless(batches)
        contestants.append(
            Contestant(n, lambda step=step, it=endless: _steps(step, (next(it) for _ in range(STEPS))))
        )
    try:
        times = take_turns(
            contestants, repeat or TRAINING_ROUNDS, watch=lambda *at: watch(*at, "loader: training")
        )
    finally:
        for batches in loaders.values():
            batches.close()
    images, rows = STEPS * batch_size, []
    for n in WORKERS:
        shares = times["fixed"] / times[n]
        rows.append({
            "workers": n,
            "images_per_second": float(images / np.median(times[n])),
            "fixed_images_per_second": float(images / np.median(times["fixed"])),
            "share": float(np.median(shares)),
            "share_quartiles": [100 * q for q in quartiles(shares)],
        })  # fmt: skip
    columns = (
        ("workers", "workers", str),
        ("images_per_second", "from the loader, images/s", "{:,.0f}".format),
        ("fixed_images_per_second", "one fixed batch, images/s", "{:,.0f}".format),
        ("share", "share %", PERCENT),
        ("share_quartiles", "quartiles", span),
    )
    notes = (f"Training {MODEL}, batches of {batch_size}, with all its threads; medians, in turns.",)
    return Report("loader: training", columns, rows, notes)


def _steps(step, batches):
    for x, y in batches:
        step(x, y)


def _endless(batches):
    while True:
        yield from batches
