"""How often bench measures where nobody says: seconds of each kind, turns, and what those of a peer add."""

import inspect
import json

import numpy as np
import pytest

from cynet.bench import (
    cutting,
    distributed,
    growth,
    line,
    loading,
    peak,
    per_layer,
    ranks,
    scaling,
    shape_speed,
    shapes,
    speed,
    texts,
    timing,
)
from cynet.bench.peak import Peak
from cynet.bench.timing import Contestant, repeated, take_turns

PEAK = Peak(1e9, 1e9, 1e9, 1e9, 1, 1)


@pytest.fixture
def asked(monkeypatch):
    """The (rounds, budget) of every race, which is not run."""
    seen = []

    def race(contestants, rounds=None, budget=5.0, watch=None):
        seen.append((rounds, budget))
        return {one.name: np.array([1.0, 2.0]) for one in contestants}

    for module in (growth, loading, shape_speed, speed, texts):
        monkeypatch.setattr(module, "take_turns", race)
    return seen


@pytest.mark.parametrize("repeat", [None, 4])
def test_speed_has_four_seconds_for_two_contestants(asked, peer, repeat):
    peer.training_step = lambda *_: None
    for threads, other, budget in (((1,), None, 2.0), ((1, 2), None, 4.0), ((1, 2), "other", 12.0)):
        speed.measure(speed.Setup(True, ("uwnet0",), (2,), threads, peer=other, rounds=repeat))
        assert asked.pop() == (repeat, budget)


def test_a_shape_has_four_tenths_of_a_second_for_each_contestant(asked, monkeypatch, peer):
    monkeypatch.setattr(shapes, "NAMED", (shapes.ConvShape(1, 1, 2, 2, 7, 1),))
    peer.inference = peer.passes = lambda *_: None
    for other, budget in ((None, 0.4), ("other", pytest.approx(1.2))):
        list(shape_speed.measure(PEAK, other, 0, rounds=3))
        assert asked == [(3, budget)] * 2
        asked.clear()


def test_a_text_has_twenty_seconds_and_writing_five(asked, monkeypatch):
    given = []
    monkeypatch.setattr(texts, "peaks", lambda jobs, repeat, *_: given.append(repeat) or {})
    sizes = texts.Size(8, 1, 2), texts.Size(6, 1, 2)
    for repeat, processes in ((None, 3), (2, 2)):
        list(texts.measure(repeat=repeat, sizes=sizes))
        assert asked == [(repeat, 20.0)] * 2 + [(repeat, 5.0)] * 2 and given == [processes]
        asked.clear(), given.clear()


def test_growth_has_two_seconds_for_each_size(asked, monkeypatch):
    monkeypatch.setattr(growth, "_steps", lambda *_: (None, None))
    growth._row("uwnet0", 32, 2, True, None)
    assert asked == [(None, 2.0)]


def test_loaders_have_their_turns(asked, monkeypatch):
    monkeypatch.setattr(loading, "PICTURES", 16)
    monkeypatch.setattr(cutting, "COUNT", 64)
    monkeypatch.setattr(cutting, "KEPT", 8)
    for call in (lambda n: loading.speed(8, repeat=n), lambda n: cutting.speed(repeat=n)):
        call(None), call(3)
    loading.training(8), loading.training(8, 3)
    assert [rounds for rounds, _ in asked] == [7, 3, 7, 3, 15, 3]


def test_the_cost_of_loading_is_of_five_processes(monkeypatch):
    told = {"first": 1.0, "grown": 1, "ring": 0, "members": []}
    jobs = []
    monkeypatch.setattr(loading, "run_python", lambda *given: jobs.append(given[2]) or json.dumps(told))
    for repeat, count in ((None, 5), (2, 2)):
        loading.cost(8, repeat)
        assert [json.loads(job) for job in jobs] == [[n, 8] for n in (0, 1, 2, 4) for _ in range(count)]
        jobs.clear()


def test_the_usual_budget_of_turns_is_five_seconds_and_of_repetitions_some_tenths(clock):
    assert len(take_turns([Contestant("a", clock(0.1))])["a"]) == 25  # a lead and a step of a tenth each
    assert len(repeated(clock(0.001))) in (149, 150)


def test_what_a_machine_measures_by_default():
    assert growth.BATCHES == (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    sizes = [(size.hidden, size.batch, size.length) for size in texts.SIZES]
    assert sizes == [(512, 256, 100), (256, 64, 100), (128, 64, 64)]
    assert (texts.WRITTEN, texts.STEPS) == (200, 3)
    assert (loading.PICTURES, loading.PADDING, loading.WORKERS, loading.STEPS) == (12_800, 4, (0, 1, 2), 40)
    assert (distributed.ROUNDS, distributed.STEPS, scaling.MOST) == (3, 6, 1e4)
    assert (ranks.RATE, ranks.WARM, ranks.PART, ranks.LEAST) == (0.0, 2, 8, 4)
    assert (line.ROUNDS, line.TRIES, line.MANY, line.COUNT, line.SIZE) == (20, 5, 200, 8, 1 << 17)
    assert (cutting.KEPT, cutting.SIZE, cutting.COUNT, cutting.BATCH) == (256, 224, 1024, 64)


def test_a_layers_passes_are_as_many_as_steps_fit_into_a_second_and_a_half(monkeypatch):
    asked = []
    monkeypatch.setattr(
        per_layer, "repeated", lambda step, **how: asked.append(how) or np.array([1.0, 2.0, 3.0, 4.0])
    )
    monkeypatch.setattr(
        per_layer,
        "times",
        lambda leaves, x, repeat, watch: asked.append(repeat) or np.ones((len(leaves), repeat, 2)),
    )
    for repeat, passes in ((None, 4), (2, 2)):
        per_layer.measure("uwnet0", PEAK, 2, repeat=repeat)
        assert asked == [{"repeat": repeat, "budget": 1.5}, passes]
        asked.clear()


def test_how_long_a_turn_waits_for_others_and_a_peak_is_looked_for():
    assert (timing.BLOCK, timing.LEAD, timing.LONGEST_BLOCK, timing.ROUNDS) == (0.02, 0.01, 20, (5, 200))
    assert (timing.PAUSE, timing.LONGEST_REST, timing.UNTOLD_REST) == (0.001, 1.0, 0.1)
    assert {name: one.default for name, one in inspect.signature(peak.measure).parameters.items()} == {
        "array_bytes": None, "repeat": 30, "steps": 100_000, "watch": timing.nothing,
    }  # fmt: skip
