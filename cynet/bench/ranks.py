"""One rank of a training that is timed: `mpiexec -n N python -m cynet.bench.ranks JOB`; the first one prints.

Without "ranks" in the job it is one process that computes all shards, or with one shard as ever. Ranks take
turns between steps that they make together and steps of their own shards alone, so that what the latter lack
is what the former cost; and they measure the line between the first two of them.
"""

import json
import sys
import time

import numpy as np

from cynet.core.threads import set_num_threads
from cynet.nn.losses import CrossEntropyLoss
from cynet.optim import SGD
from cynet.train.shards.sharding import Sharding
from cynet.train.trainer import Trainer

from . import line, setting, workload
from .child import resident

WARM = 2  # steps before those that are timed
RATE = 0.0  # of learning: with a few pictures a shard some net would lose its way
PART, LEAST = 8, 4  # a shard's time is also measured with one picture in so many, and no fewer
WHAT = "a measurement"
COUNTED = "bytes", "messages", "under_way", "waited"  # what is sent; seconds of it, and of waits for it


def main(job):
    """What a rank measures, a dict; None in all but the first."""
    world = None
    if job["ranks"]:
        from cynet.distributed import start

        world = start.begin()
        world.allow_mixed = True  # times are asked for, not bits
    set_num_threads(job["threads"])
    model = workload.create(job["model"]).train()
    optimizer = SGD(model.parameters(), RATE, 0.9)
    trainer = Trainer(model, CrossEntropyLoss(), optimizer, lambda step: RATE)
    x, y = setting.batch(job["batch_size"], workload.input_shape(job["model"]))
    rest = _timed(optimizer)
    if job["shards"] > 1:
        trainer.sharding = Sharding(job["shards"], world, job.get("sync", False))
    for _ in range(WARM):
        trainer.step(x, y)
    peak = resident("VmHWM")
    alone = _OwnShards(trainer, x, y) if world is not None else None
    times, counts = [], []
    for _ in range(job["steps"]):
        if alone is not None:
            alone.step()
            trainer.step(x, y)  # from whose end on all begin as in a training
        before = _counts(trainer)
        times.append(_seconds(trainer, x, y))
        counts.append([after - since for after, since in zip(_counts(trainer), before, strict=True)])
    found = dict(zip(COUNTED, np.mean(counts, axis=0).tolist(), strict=True))
    found |= {"step": float(np.median(times)), "peak": peak, "rest": float(np.median(rest[WARM:]))}
    if world is not None:
        found |= {"told": _told(model), "line": line.measured(world)} | alone.found(world)
        world.end()
        if world.rank:
            return None
    return found


def _seconds(trainer, x, y):
    since = time.perf_counter()
    trainer.step(x, y)
    return time.perf_counter() - since


class _OwnShards:
    """Steps of a rank's own shards, as if there were no others."""

    def __init__(self, trainer, x, y):
        self.trainer, self.together = trainer, trainer.sharding
        cut = self.together.cut(0, len(y))
        self.batch = x[cut], y[cut]
        self.sharding = Sharding(len(self.together.own), None, self.together.pool is not None)
        size = max(len(self.batch[0]) // PART, LEAST * self.sharding.shards)
        self.part = [array[:size] for array in self.batch]
        for _ in range(WARM):
            self.times, self.parts, self.buckets = [], [], []
            self.step()
        self.times, self.parts, self.buckets = [], [], []

    def step(self):
        """One of them, and one with a part of its pictures, each timed behind another that is like it."""
        self.trainer.sharding = self.sharding
        for batch, times in ((self.part, self.parts), (self.batch, self.times)):
            self.trainer.step(*batch)
            times.append(_seconds(self.trainer, *batch))
        self.trainer.sharding = self.together
        exchange = self.sharding.exchange
        self.buckets.append([exchange.behind - at for at in exchange.final])

    def found(self, world):
        """The times of the slowest of all ranks, and since when each bucket was final, with its bytes."""
        told = world.gathered(json.dumps([self.times, self.parts]).encode(), WHAT)
        own, part = np.median(np.max([json.loads(each) for each in told], axis=0), axis=1).tolist()
        before = np.median(self.buckets, axis=0).tolist()
        buckets = list(zip(before, self.sharding.exchange.sizes, strict=True))
        share = len(self.part[0]) / len(self.batch[0])
        return {"own": own, "part": part, "share": share, "buckets": buckets}


def _told(model):
    """Bytes that a rank tells of a shard: its batch norms' statistics, and a few numbers."""
    arrays = (getattr(layer, name) for _, layer in model.walk() for name in layer.buffers)
    return 64 + sum(array.nbytes for array in arrays)


def _timed(optimizer):
    """The seconds of each step of an optimiser from now on, a list that grows."""
    taken, step = [], optimizer.step

    def timed():
        since = time.perf_counter()
        step()
        taken.append(time.perf_counter() - since)

    optimizer.step = timed
    return taken


def _counts(trainer):
    """What is counted from the beginning, as `COUNTED`."""
    sharding = trainer.sharding
    if sharding is None or sharding.exchange is None:
        return [0] * len(COUNTED)
    world, exchange = sharding.world, sharding.exchange
    return [world.sent_bytes, world.sent_messages, exchange.seconds, exchange.waited]


if __name__ == "__main__":
    told = main(json.loads(sys.argv[1]))
    if told is not None:
        print(json.dumps(told))
