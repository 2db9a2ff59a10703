"""Kill workers at random while batches are loaded: no hang, no leak, no wrong batch.

Run by hand with a number of kills, 200 where none is given: ``python tests/data/kill_workers.py 200``.
A thread kills at random moments: workers that start, fill a batch, wait, or have just been replaced.
"""

import argparse
import contextlib
import faulthandler
import hashlib
import math
import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np

from cynet.data import ArrayDataset, DataLoader, RandomCrop, RandomFlip
from cynet.data.workers import crew, start

LONGEST = 10  # seconds that a batch may take
SETTLED = 2  # seconds that the system may take to clear away what was killed
PAUSE = 0.1  # seconds between kills, at most


def brightened(picture, rng):
    """A transform in Python."""
    return np.minimum(picture, 235) + rng.integers(0, 20, dtype=np.uint8)


def loader_of(dataset, workers):
    transforms = [RandomCrop(2), RandomFlip(), brightened]
    return DataLoader(dataset, 16, seed=5, workers=workers, transforms=transforms)


def digest(x, y):
    return hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()


def family():
    """The states of this process and all below it (the workers are children of the fork server), by id."""
    parents, states = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
            parents[int(stat.parent.name)], states[int(stat.parent.name)] = int(parent), state
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: states[pid] for pid in found}


def held():
    """What could be left behind by this process and all below it.

    The shared memory has no name; of memory with one, Python's resource tracker would tell on stderr.
    """
    facts = dict.fromkeys(("processes", "zombies", "descriptors", "maps of shared memory"), 0)
    for pid, state in family().items():
        facts["processes"] += 1
        facts["zombies"] += state == "Z"
        with contextlib.suppress(OSError):
            facts["descriptors"] += len(os.listdir(f"/proc/{pid}/fd"))
            facts["maps of shared memory"] += Path(f"/proc/{pid}/maps").read_text().count("memfd:cynet")
    return facts


def assert_nothing_left(before):
    """Compare with `before`, once what was killed has had time to go."""
    deadline = time.monotonic() + SETTLED
    while (now := held()) != before:
        assert time.monotonic() < deadline, f"left behind: {now}, {before} at first"


class Killer(threading.Thread):
    """Kills workers of a loader at random moments until it is told to stop."""

    def __init__(self, loader, rng, most):
        super().__init__()
        self.loader, self.rng, self.most = loader, rng, most
        self.done, self.stopped = 0, threading.Event()

    def run(self):
        while self.done < self.most and not self.stopped.wait(self.rng.uniform(0, PAUSE)):
            team = self.loader._feed.crew
            # One that was just killed and is not replaced yet: there is none, or its process is closed.
            with contextlib.suppress(ProcessLookupError, ValueError, AttributeError, IndexError):
                os.kill(self.rng.choice(team.members).process.pid, signal.SIGKILL)
                self.done += 1


def epoch(dataset, wanted, rng, kills):
    """Load an epoch while workers are killed; (kills done, longest wait for a batch)."""
    longest = 0.0
    with loader_of(dataset, 2) as loader:
        killer = Killer(loader, rng, kills)
        killer.start()
        try:
            before = time.monotonic()
            faulthandler.dump_traceback_later(LONGEST, exit=True)  # a hang ends the script
            for number, batch in enumerate(loader):
                longest = max(longest, time.monotonic() - before)
                assert digest(*batch) == wanted[number], f"batch {number} is wrong after {killer.done} kills"
                faulthandler.dump_traceback_later(LONGEST, exit=True)
                before = time.monotonic()
            assert number + 1 == len(wanted)
        finally:
            killer.stopped.set()
            killer.join()
    faulthandler.cancel_dump_traceback_later()
    return killer.done, longest


def main(kills):
    crew.LOSSES = math.inf  # more than a run may lose
    rng = random.Random(0)
    images = np.random.default_rng(0).integers(0, 256, (640, 3, 32, 32), np.uint8)
    dataset = ArrayDataset(images, np.arange(640) % 10, tuple("abcdefghij"))
    wanted = [digest(*batch) for batch in loader_of(dataset, 0)]
    epoch(dataset, wanted, rng, 0)  # starts the fork server and moves the pictures
    before, done, longest = held(), 0, 0.0
    while done < kills:
        killed, waited = epoch(dataset, wanted, rng, kills - done)
        done, longest = done + killed, max(longest, waited)
        assert_nothing_left(before)
    assert longest < LONGEST, f"a batch took {longest:.1f} s"
    print(f"{done} kills ({start.CONTEXT}), longest wait {longest:.2f} s, nothing left, all batches right")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kills", type=int, nargs="?", default=200, help="how many (default: 200)")
    main(parser.parse_args().kills)
