"""Kill workers at random while batches are loaded: no hang, no leak, no wrong batch.

Run by hand with a number of kills: ``python tests/data/kill_workers.py 200``.
"""

import contextlib
import hashlib
import os
import random
import signal
import sys
import time

import numpy as np

from cynet.data import ArrayDataset, DataLoader, RandomCrop, RandomFlip, crew


def loader_of(dataset, workers):
    return DataLoader(dataset, 16, seed=5, workers=workers, transforms=[RandomCrop(2), RandomFlip()])


def digest(x, y):
    return hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()


def main(kills):
    rng = random.Random(0)
    images = np.random.default_rng(0).integers(0, 256, (640, 3, 32, 32), np.uint8)
    dataset = ArrayDataset(images, np.arange(640) % 10, tuple("abcdefghij"))
    wanted = [digest(*batch) for batch in loader_of(dataset, 0)]
    descriptors = None
    done, longest = 0, 0.0
    while done < kills:
        loader = loader_of(dataset, 2)
        loader._start()
        loader._crew.losses = -(10**9)  # more than a run may lose
        before = time.monotonic()
        for number, batch in enumerate(loader):
            longest = max(longest, time.monotonic() - before)
            assert digest(*batch) == wanted[number], f"batch {number} is wrong after {done} kills"
            if rng.random() < 0.3 and done < kills:
                with contextlib.suppress(ProcessLookupError):  # it was just killed, and not replaced yet
                    os.kill(rng.choice(loader._crew.members).process.pid, signal.SIGKILL)
                    done += 1
            before = time.monotonic()
        pids = [m.process.pid for m in loader._crew.members]
        loader.close()
        for pid in pids:
            assert not os.path.exists(f"/proc/{pid}"), f"worker {pid} is still there"
        found = len(os.listdir("/proc/self/fd"))
        descriptors = descriptors or found
        assert found <= descriptors, f"{found} descriptors are open, {descriptors} after the first epoch"
    assert longest < 10, f"a batch took {longest:.1f} s"
    print(f"{done} kills ({crew.CONTEXT}), longest wait {longest:.2f} s, all batches right")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
