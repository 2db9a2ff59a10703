"""A process that loads batches, to be killed or interrupted: prints its workers' pids, then loads on.

Its argument is the way in which workers are started.
"""

import signal
import sys

import numpy as np

from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import start


def main():
    images = np.random.default_rng(0).integers(0, 256, (500, 3, 32, 32), np.uint8)
    loader = DataLoader(ArrayDataset(images, np.arange(500) % 10, tuple("abcdefghij")), 10, workers=2)
    while True:
        for _ in loader:
            if loader.epoch == 0 and loader.state_dict()["batch"] == 1:
                print(*(m.process.pid for m in loader._feed.crew.members), flush=True)


if __name__ == "__main__":
    start.CONTEXT = sys.argv[1]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        main()
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
