"""A model of a step by several machines: what their number, and the net between them, make of its time.

Design: a rank computes its shards; in the last one's backward pass buckets of gradients become final, one
after another. Each is sent in two rounds: to every other rank its part of it, and then the sum of one's own.
A rank's line takes one thing after another at its bandwidth; a message arrives a latency after it was sent,
and costs some processor time at both ends. The step ends when the last sum is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, sqrt
from typing import Any

import numpy as np

MOST = 1e4  # times the pictures of a shard, which are looked at


@dataclass(frozen=True)
class Link:
    """What lies between machines.

    Attributes
    ----------
    latency : float
        Seconds from one machine to another.
    bandwidth : float
        Bytes a second that one machine sends, and as many that it receives at the same time.
    message : float
        Seconds of processor that a message costs.
    """

    latency: float
    bandwidth: float
    message: float = 20e-6


@dataclass(frozen=True)
class Work:
    """What one machine does.

    Attributes
    ----------
    shard : float
        Seconds of one shard, forward and backward.
    rest : float
        Seconds of a step besides: the optimiser's, and what every rank does once.
    buckets : tuple of (float, int)
        Seconds before the end of a shard's backward pass at which a bucket is final, and its bytes.
    told : int
        Bytes of what each rank tells every other one of each shard.
    fixed : float
        Seconds of a shard that do not depend on how many pictures it has.
    """

    shard: float
    rest: float
    buckets: tuple[tuple[float, int], ...]
    told: int = 0
    fixed: float = 0.0

    def with_shards_of(self, part: float) -> Work:
        """The same, of shards that have this part of the pictures."""
        shard = self.fixed + (self.shard - self.fixed) * part
        buckets = tuple((before * shard / self.shard, size) for before, size in self.buckets)
        return replace(self, shard=shard, buckets=buckets)


def work_of(found: list[dict[str, Any]], shards: int) -> Work:
    """The `Work` of ranks whose own shards are so many, by what they measured (`ranks.py`)."""
    own, part, rest = (float(np.median([one[name] for one in found])) for name in ("own", "part", "rest"))
    shard, small = (own - rest) / shards, (part - rest) / shards
    share = found[0]["share"]
    fixed = min(max((small - shard * share) / (1 - share), 0.0), shard) if share < 1 else 0.0
    before = np.median([[since for since, _ in one["buckets"]] for one in found], axis=0).tolist()
    sizes = [size for _, size in found[0]["buckets"]]
    return Work(shard, rest, tuple(zip(before, sizes, strict=True)), found[0]["told"], fixed)


def line_of(found: list[dict[str, Any]]) -> Link | None:
    """The `Link` that ranks measured; None where there was one rank."""
    if not found[0]["line"]:
        return None
    return Link(*np.median([one["line"] for one in found], axis=0).tolist())


def step_seconds(work: Work, line: Link, ranks: int, shards: int) -> float:
    """The time of a step of so many ranks."""
    if ranks == 1:
        return shards * work.shard + work.rest
    each = shards // ranks
    end = each * work.shard
    others = ranks - 1
    told = work.told * each * others
    first = end - work.buckets[0][0] if work.buckets else end
    jobs: list[tuple[float, float, int]] = [(first, told, 1)]  # since when, bytes, whether that is all
    jobs += [(end - before, size * others / ranks, 0) for before, size in work.buckets]
    free, last, processor = 0.0, end, 0.0
    while jobs:
        jobs.sort()
        since, size, rounds = jobs.pop(0)
        free = max(free, since) + size / line.bandwidth
        arrived = free + line.latency
        processor += 2 * others * line.message
        if rounds:
            last = max(last, arrived)
        else:
            jobs.append((arrived, size, 1))
    return max(last, end + processor) + work.rest


def efficiency(work: Work, line: Link, ranks: int, shards: int, part: float = 1.0) -> float:
    """How much of `ranks` times one machine's speed so many of them reach, in shards that have this part of
    the measured ones' pictures; that machine has shards as they were measured."""
    alone = shards * part * work.shard + work.rest
    return alone / step_seconds(work.with_shards_of(part), line, ranks, shards) / ranks


def least_part(work: Work, line: Link, ranks: int, wanted: float) -> float:
    """The least part of a measured shard's pictures with which machines of one shard each are so efficient;
    infinity where it is beyond `MOST`."""
    low, high = 1 / MOST, MOST
    if efficiency(work, line, ranks, ranks, high) < wanted:
        return inf
    while high / low > 1.001:
        part = sqrt(low * high)
        low, high = (low, part) if efficiency(work, line, ranks, ranks, part) >= wanted else (part, high)
    return high
