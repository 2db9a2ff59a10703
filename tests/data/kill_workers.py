"""Kill workers at random while batches are loaded: no hang, no leak, no wrong batch.

Run by hand with a number of kills, 200 where none is given: ``python tests/data/kill_workers.py 200``.
"""

import contextlib
import hashlib
import math
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from cynet.data import ArrayDataset, DataLoader, RandomCrop, RandomFlip, crew, start

LONGEST = 10  # seconds that a batch may take


def brightened(picture, rng):
    """A transform in Python."""
    return np.minimum(picture, 235) + rng.integers(0, 20, dtype=np.uint8)


def loader_of(dataset, workers):
    transforms = [RandomCrop(2), RandomFlip(), brightened]
    return DataLoader(dataset, 16, seed=5, workers=workers, transforms=transforms)


def digest(x, y):
    return hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()


def held():
    """What could be left behind: open descriptors, maps of shared memory (it has no name), processes."""
    maps = Path("/proc/self/maps").read_text().count("memfd:cynet")
    return {"descriptors": len(os.listdir("/proc/self/fd")), "maps": maps, "processes": processes()}


def processes():
    """How many children this process and its fork server have, whose children the workers are."""
    family, found = {os.getpid(), getattr(start.forkserver._forkserver, "_forkserver_pid", None)}, 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            found += int(stat.read_text().rsplit(")", 1)[1].split()[1]) in family
    return found


def epoch(dataset, wanted, rng, kills):
    """Load an epoch while workers are killed; (kills done, longest wait for a batch)."""
    done, longest = 0, 0.0
    with loader_of(dataset, 2) as loader:
        loader._feed.start()
        before = time.monotonic()
        for number, batch in enumerate(loader):
            longest = max(longest, time.monotonic() - before)
            assert digest(*batch) == wanted[number], f"batch {number} is wrong after {done} kills"
            if rng.random() < 0.3 and done < kills:
                with contextlib.suppress(ProcessLookupError):  # it was just killed, and not replaced yet
                    os.kill(rng.choice(loader._feed.crew.members).process.pid, signal.SIGKILL)
                    done += 1
            before = time.monotonic()
        assert number + 1 == len(wanted)
    return done, longest


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
        assert (now := held()) == before, f"left behind: {now}, {before} at first"
    assert longest < LONGEST, f"a batch took {longest:.1f} s"
    print(f"{done} kills ({start.CONTEXT}), longest wait {longest:.2f} s, nothing left, all batches right")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
