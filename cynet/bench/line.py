"""What lies between the first two ranks of a job, as messages see it."""

import time

import numpy as np

from cynet.train.shards.world import BUCKETS

WHAT, TAG = "a measurement of the line", BUCKETS - 1
ROUNDS, TRIES = 20, 5
MANY = 200  # small messages
COUNT, SIZE = 8, 1 << 17  # messages that are under way at once, as of a few buckets, and the bytes of each


def measured(world):
    """The line between rank 0 and rank 1, which all ranks call for together.

    Returns
    -------
    list of float
        Seconds of a message without anything in it, bytes a second each way while both are full, and seconds
        of processor that a message costs; right in rank 0, and empty where there is one rank.
    """
    found = []
    if world.rank < 2 <= world.size:
        other, small = 1 - world.rank, np.zeros((2, 1, 1), np.uint8)
        there = [_there_and_back(world, other, small) for _ in range(ROUNDS)]
        latency, large = float(np.median(there)) / 2, np.zeros((2, COUNT, SIZE), np.uint8)
        across = [_crossing(world, other, large, small) for _ in range(TRIES)]
        many = np.zeros((2, MANY, 1), np.uint8)
        costs = [max(_crossing(world, other, many, small) - latency, 0) / MANY / 2 for _ in range(TRIES)]
        found = [latency, COUNT * SIZE / float(np.median(across)), float(np.median(costs))]
    world.gathered(b"", WHAT)
    return found


def _there_and_back(world, other, arrays):
    """Seconds from where rank 0 sends until the other's answer is there."""
    since = time.perf_counter()
    for sender in (0, 1):
        if sender == world.rank:
            world.wait([(world.send(arrays[0, 0], other, TAG), other)], WHAT)
        else:
            world.wait([(world.receive(arrays[1, 0], other, TAG), other)], WHAT)
    return time.perf_counter() - since


def _crossing(world, other, arrays, small):
    """Seconds in which both send each other some arrays at once; right in rank 0, where the other's, which
    began by a latency earlier, come at once."""
    _there_and_back(world, other, small)
    since = time.perf_counter()
    pending = [(world.receive(array, other, TAG), other) for array in arrays[1]]
    pending += [(world.send(array, other, TAG), other) for array in arrays[0]]
    world.wait(pending, WHAT)
    return time.perf_counter() - since
