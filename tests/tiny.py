"""`cynet` with one more data set, "tiny": a few pictures that are there at once.

As a script it takes the arguments of `cynet`.
"""

import os
import signal
import sys

import numpy as np

from cynet import cli, data
from cynet.data import ArrayDataset

CLASSES = ("a", "b", "c")


def tiny(root=None, split="train"):
    """64 and 20 pictures of 32 x 32 in three classes; TINY_SEED in the environment makes others."""
    random = np.random.default_rng([int(os.environ.get("TINY_SEED", 0)), split == "test"])
    count = {"train": 64, "test": 20}[split]
    labels = np.arange(count) % len(CLASSES)
    images = random.integers(0, 120, (count, 3, 32, 32)) + labels[:, None, None, None] * 60
    return ArrayDataset(images.astype(np.uint8), labels, CLASSES)


data.register("tiny", tiny)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    sys.exit(cli.main())
