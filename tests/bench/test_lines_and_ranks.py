"""What ranks measure: the line between the first two of them, their own shards, what they send."""

import copy
import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from thread_world import together

import cynet
from cynet.bench import line, ranks, workload
from cynet.core.threads import get_num_threads, set_num_threads


# -- the line ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rank", [0, 1])
def test_a_line_is_made_of_medians(monkeypatch, rank):
    there = iter([0.5, *[0.004] * 11, *[0.002] * 8])  # there and back
    across = iter([0.9, 0.5, 0.1, 0.4, 0.6])  # 8 arrays of 128 KiB
    costs = iter([0.4, 0.202, 0.002, 0.302, 0.001])  # 200 small ones, of which one arrives a latency later
    asked = []
    monkeypatch.setattr(line, "_there_and_back", lambda world, other, small: next(there))

    def crossing(world, other, arrays, small):
        asked.append((other, arrays.shape, arrays.dtype.name))
        return next(across if arrays.shape[2] > 1 else costs)

    monkeypatch.setattr(line, "_crossing", crossing)
    gathered = []
    world = SimpleNamespace(rank=rank, size=4, gathered=lambda *given: gathered.append(given))
    found = line.measured(world)
    assert found == [0.002, 8 * (1 << 17) / 0.5, pytest.approx(0.2 / 200 / 2)]
    assert asked == [(1 - rank, (2, 8, 1 << 17), "uint8")] * 5 + [(1 - rank, (2, 200, 1), "uint8")] * 5
    assert gathered == [(b"", line.WHAT)] and [*there, *across, *costs] == []


@pytest.mark.parametrize(("rank", "size"), [(0, 1), (2, 4)])
def test_others_than_the_first_two_measure_nothing_and_meet_them_at_the_end(monkeypatch, rank, size):
    gathered = []
    world = SimpleNamespace(rank=rank, size=size, gathered=lambda *given: gathered.append(given))
    assert line.measured(world) == [] and len(gathered) == 1


def test_messages_go_there_and_back_and_many_at_once():
    def run(world):
        there, back = np.zeros((2, 1, 1), np.uint8), np.zeros((2, 6, 40), np.uint8)
        there[0], back[0] = world.rank + 1, world.rank + 3
        before = world.sent_messages
        taken = line._there_and_back(world, 1 - world.rank, there)
        once = world.sent_messages - before
        crossed = line._crossing(world, 1 - world.rank, back, there)
        return (
            taken,
            once,
            crossed,
            world.sent_messages - before,
            there[1].item(),
            np.unique(back[1]).tolist(),
        )

    for rank, (taken, once, crossed, sent, got, many) in enumerate(together(2, run)):
        other = 1 - rank
        assert (once, sent, got, many) == (1, 1 + 1 + 6, other + 1, [other + 3])
        assert taken > 0 and crossed > 0


# -- ranks ---------------------------------------------------------------------------------------------------
JOB = {"model": "uwnet2", "batch_size": 32, "steps": 2, "shards": 4, "threads": 1}


@pytest.fixture
def ended(monkeypatch):
    """Ranks are threads; a list of those that have said that they are done."""
    found, here = [], threading.local()
    before = get_num_threads()
    model = workload.create(JOB["model"])
    monkeypatch.setattr("cynet.distributed.start.begin", lambda: here.world)
    # As in processes, where each draws the same ones.
    monkeypatch.setattr(ranks.workload, "create", lambda name: {JOB["model"]: copy.deepcopy(model)}[name])

    def main(world):
        here.world = world
        world.end = lambda: found.append(world.rank)
        told = ranks.main(JOB | {"ranks": world.size})
        return told, world.allow_mixed

    yield found, main
    set_num_threads(before)


def test_the_first_rank_tells_what_all_of_them_measured(ended, one_thread):
    found, main = ended
    (told, mixed), (nothing, other) = together(2, main)
    assert nothing is None and mixed and other and sorted(found) == [0, 1]
    model = workload.create("uwnet2")
    gradients = sum(parameter.size for parameter in model.parameters()) * 4
    statistics = sum(getattr(one, name).nbytes for _, one in model.walk() for name in one.buffers)
    assert statistics > 0
    assert told["told"] == 64 + statistics and told["told"] == ranks._told(model)
    assert sum(size for _, size in told["buckets"]) == gradients
    since = [seconds for seconds, _ in told["buckets"]]  # before the end of a backward pass
    assert since == sorted(since, reverse=True) and 0 <= since[-1] <= since[0] < told["own"]
    # Of each bucket half in the first round, and half in the second.
    assert gradients <= told["bytes"] < gradients + 4 * told["told"] and told["messages"] >= 3
    assert told["part"] > 0 and told["share"] == 0.5  # of a rank's 16 pictures eight: four a shard
    assert min(told["step"], told["own"], told["rest"], told["peak"]) > 0 and len(told["line"]) == 3


def test_one_process_alone_sends_nothing(one_thread):
    before = get_num_threads()
    for shards in (1, 4):
        told = ranks.main(JOB | {"ranks": 0, "shards": shards, "threads": 2})
        assert set(told) == {*ranks.COUNTED, "step", "peak", "rest"} and get_num_threads() == 2
        assert [told[name] for name in ranks.COUNTED] == [0] * 4 and told["rest"] < told["step"]
    set_num_threads(before)


def test_the_slowest_rank_counts_in_each_turn_and_buckets_by_their_medians():
    own = ranks._OwnShards.__new__(ranks._OwnShards)
    own.times, own.parts = [1.0, 5.0, 2.0], [0.1, 0.2, 0.9]
    own.buckets = [[0.5, 0.2, 0.0], [0.7, 0.3, 0.1], [0.6, 0.1, 0.3]]
    own.sharding = SimpleNamespace(exchange=SimpleNamespace(sizes=[10, 20, 30]))
    own.batch, own.part = (np.zeros((32, 2)), None), (np.zeros((4, 2)), None)
    others = [json.dumps([[3.0, 1.0, 4.0], [0.3, 0.1, 0.1]]).encode()]
    world = SimpleNamespace(gathered=lambda told, what: [told, *others])
    assert own.found(world) == {
        "own": 4.0, "part": 0.3, "share": 0.125, "buckets": [(0.6, 10), (0.2, 20), (0.1, 30)],
    }  # fmt: skip


def test_a_ranks_own_step_is_timed_behind_one_like_it_and_tells_since_when_each_bucket_was_final(monkeypatch):
    own, steps = ranks._OwnShards.__new__(ranks._OwnShards), []
    trainer = SimpleNamespace(step=lambda *batch: steps.append(("untimed", trainer.sharding, *batch)))
    monkeypatch.setattr(
        ranks, "_seconds", lambda *given: steps.append(("timed", given[0].sharding, *given[1:])) or len(steps)
    )
    own.sharding = SimpleNamespace(exchange=SimpleNamespace(final=[0.0, 2.0, 5.0], behind=7.0))
    own.trainer, own.together, own.part, own.batch = trainer, "together", ("x", "y"), ("all x", "all y")
    own.times, own.parts, own.buckets = [], [], []
    own.step()
    assert steps == [
        (how, own.sharding, *batch) for batch in (own.part, own.batch) for how in ("untimed", "timed")
    ]
    assert (own.parts, own.times, own.buckets) == ([2], [4], [[7.0, 5.0, 2.0]])
    assert trainer.sharding == "together"


def test_steps_before_those_that_are_timed_do_not_count(monkeypatch, one_thread):
    monkeypatch.setattr(ranks, "_timed", lambda optimizer: [90.0, 80.0, 1.0, 5.0, 2.0])
    times = iter([3.0, 1.0, 2.0])
    steps = []
    monkeypatch.setattr(ranks, "_seconds", lambda trainer, *batch: steps.append(len(batch[0])) or next(times))
    told = ranks.main(JOB | {"ranks": 0, "shards": 1, "steps": 3})
    assert (told["step"], told["rest"], steps) == (2.0, 2.0, [32] * 3)


def test_each_step_of_an_optimiser_is_timed_and_taken(monkeypatch):
    now = iter([1.0, 3.0, 10.0, 10.5])
    monkeypatch.setattr(ranks.time, "perf_counter", lambda: next(now))
    parameter = cynet.Parameter(np.zeros(3, np.float32))
    optimizer = cynet.SGD([parameter], 0.5)
    taken = ranks._timed(optimizer)
    for _ in range(2):
        parameter.grad[...] = 1
        optimizer.step()
    assert taken == [2.0, 0.5] and parameter.data.tolist() == [-1.0] * 3
