"""One rank of a training that is timed: `mpiexec -n N python -m cynet.bench.ranks JOB`; the first one prints.

Without "ranks" in the job it is one process that computes all shards, or with one shard as ever.
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

from . import setting, workload
from .child import resident

WARM = 2  # steps before those that are timed


def main(job):
    """What a rank measures, a dict; None in all but the first."""
    world = None
    if job["ranks"]:
        from cynet.distributed import start

        world = start.begin()
        world.allow_mixed = True  # times are asked for, not bits
    set_num_threads(job["threads"])
    model = workload.create(job["model"]).train()
    optimizer = SGD(model.parameters(), 0.01, 0.9)
    trainer = Trainer(model, CrossEntropyLoss(), optimizer, lambda step: 0.01)
    if job["shards"] > 1:
        trainer.sharding = Sharding(job["shards"], world, job.get("sync", False))
    x, y = setting.batch(job["batch_size"], workload.input_shape(job["model"]))
    times, rest = [], _timed(optimizer)
    for step in range(WARM + job["steps"]):
        if step == WARM:
            before = _counts(trainer)
        since = time.perf_counter()
        trainer.step(x, y)
        times.append(time.perf_counter() - since)
    found = {name: (value - before[name]) / job["steps"] for name, value in _counts(trainer).items()}
    found |= {"step": float(np.median(times[WARM:])), "peak": resident("VmHWM")}
    found |= {"rest": float(np.median(rest[WARM:])), "buckets": _buckets(trainer), "told": _told(model)}
    if world is not None:
        world.end()
        if world.rank:
            return None
    return found


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
    """What is counted from the beginning: messages, their bytes, seconds under way and waited for."""
    sharding = trainer.sharding
    if sharding is None or sharding.exchange is None:
        return {"bytes": 0, "messages": 0, "under_way": 0.0, "waited": 0.0}
    world, exchange = sharding.world, sharding.exchange
    return {
        "bytes": world.sent_bytes,
        "messages": world.sent_messages,
        "under_way": exchange.seconds,
        "waited": exchange.waited,
    }


def _buckets(trainer):
    """[(seconds from where a bucket is final to the end of the backward pass, its bytes), ...]"""
    if trainer.sharding is None or trainer.sharding.exchange is None:
        return []
    exchange = trainer.sharding.exchange
    return [[exchange.behind - at, size] for at, size in zip(exchange.final, exchange.sizes, strict=True)]


if __name__ == "__main__":
    told = main(json.loads(sys.argv[1]))
    if told is not None:
        print(json.dumps(told))
