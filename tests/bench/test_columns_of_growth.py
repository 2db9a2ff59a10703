"""What stands in each column of `cynet bench growth`, and what its model is fed with, by stand-ins."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet.bench import growth
from cynet.bench.growth import Machine, StepCost
from cynet.bench.peak import Peak
from cynet.core.threads import get_num_threads, set_num_threads

TRAIN, INFER = np.array([0.3, 0.1, 0.2]), np.array([0.04, 0.05, 0.09])


@pytest.fixture
def turns(monkeypatch):
    """(Names, rounds, budget) of who took turns; it takes them TRAIN, INFER, or with n threads TRAIN / n."""
    seen = []

    def take_turns(contestants, rounds, budget):
        names = [one.name for one in contestants]
        for one in contestants:
            one.prepare()
        seen.append((names, rounds, budget))
        known = {"train": TRAIN, "infer": INFER}
        return {name: known[name] if name in known else TRAIN / name for name in names}

    monkeypatch.setattr(growth, "take_turns", take_turns)
    return seen


@pytest.fixture
def steps(monkeypatch):
    """The (model, side, batch, batch norm) that steps were made for; they do nothing."""
    made = []
    monkeypatch.setattr(
        growth, "_steps", lambda *given: made.append(given) or (lambda: ("train", given), lambda: "infer")
    )
    return made


def test_what_grows_is_measured_at_every_size(steps, turns, monkeypatch, shown):
    monkeypatch.setattr(growth, "_threads", lambda *given: given)
    told = []
    watch = lambda *at: told.append(at)  # noqa: E731
    batch, side, depth, threads = growth.measure("uwnet2", False, 3, watch)
    batches = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    sides = [(16, 512), (32, 128), (64, 32), (96, 14), (128, 8), (192, 3), (256, 2)]
    depths = ["resnet20", "resnet32", "resnet44", "resnet56"]
    assert steps == [
        *(("uwnet2", 32, size, False) for size in batches), *(("uwnet2", *size, False) for size in sides),
        *((name, 32, 128, False) for name in depths),
    ]  # fmt: skip
    assert turns == [(["train", "infer"], 3, growth.SECONDS)] * len(steps)
    assert [report.command for report in (batch, side, depth)] == [
        f"growth: {w}" for w in ("batch", "side", "depth")
    ]
    assert threads == ("uwnet2", False, 3, watch)
    assert told == [
        (i, count, f"growth: {what}")
        for what, count in (("batch", 11), ("side", 7), ("depth", 4)) for i in range(count)
    ]  # fmt: skip
    assert shown(side)[2] == {
        "model": "uwnet2", "side": "64", "batch": "32", "training ms/step": "200", "µs/picture": "6,250",
        "ns/pixel": "1,525.9", "inference ms/pass": "50.0", "µs/picture 2": "1,562", "ns/pixel 2": "381.5",
    }  # fmt: skip
    assert [row["threads"] for row in batch.rows] == [get_num_threads()] * 11
    assert batch.notes == (f"Medians, {get_num_threads()} threads.",)


def test_the_net_of_a_size_is_made_for_it_and_the_pool_begins_anew(monkeypatch):
    made, cleared = [], []
    monkeypatch.setattr(growth.workspace.pool, "clear", lambda: cleared.append(True))
    monkeypatch.setattr(growth.workload, "training_step", lambda *given: made.append(given) or "train")
    monkeypatch.setattr(growth.workload, "inference", lambda *given: made.append(given) or "infer")
    assert growth._steps("uwnet2", 48, 2, False) == ("train", "infer") and cleared == [True]
    (trained, x, labels), (passed, again) = made
    assert x.shape == (2, 48, 48, 3) and x is again and labels.shape == (2,) and trained is not passed
    assert trained.output_shape(x.shape) == (2, 10) and trained.input_grad is False


MACHINE = Machine({1: 1e9, 2: 1.6e9}, {1: 4e9, 2: 5e9}, {1: 0.0, 2: 2e-5})
COST = StepCost(0.001, 0.002, 0.25, 10)


def test_threads_are_measured_as_far_as_there_are_processors_and_else_by_the_model(
    steps, turns, monkeypatch, shown
):
    seen, before = [], get_num_threads()
    monkeypatch.setattr(growth, "processors", lambda: 2)
    monkeypatch.setattr(growth, "_cases", lambda model: ())
    monkeypatch.setattr(growth, "_machine", lambda counts: seen.append(counts) or MACHINE)
    monkeypatch.setattr(growth, "_work", lambda *given: seen.append(given) or COST)
    told = []
    (report,) = growth.measure("uwnet2", True, 5, lambda *at: told.append(at))
    assert get_num_threads() == before
    assert steps == [("uwnet2", 32, 128, True)] and turns == [([1, 2], 5, 2 * growth.SECONDS)]
    assert seen == [[1, 2], ("uwnet2", 32, True, MACHINE)]
    assert told == [(1, 3, "growth: the machine"), (2, 3, "growth: one thread")]
    counts = [1, 2, 4, 8, 16, 32, 64]
    apart = Machine(MACHINE.flops, MACHINE.bandwidth, MACHINE.join, False)
    ours, theirs = ([COST.seconds(each, n, 128) for n in counts] for each in (MACHINE, apart))
    assert [row["threads"] for row in report.rows] == counts and theirs[-1] > ours[-1]
    assert [row["model"] for row in report.rows] == ours
    assert [row["model_one_memory"] for row in report.rows] == theirs
    assert [row["speed_up"] for row in report.rows] == [ours[0] / each for each in ours]
    assert [row["one_memory_speed_up"] for row in report.rows] == [theirs[0] / each for each in theirs]
    assert [row["seconds"] for row in report.rows] == [0.2, 0.1, *[None] * 5]
    assert [row["off"] for row in report.rows] == [ours[0] / 0.2, ours[1] / 0.1, *[None] * 5]
    assert list(shown(report)[1].items())[:4] == [
        ("threads", "2"), ("measured ms", "100"), ("model ms", f"{1e3 * ours[1]:.0f}"),
        ("model / measured", f"{ours[1] / 0.1:.2f}"),
    ]  # fmt: skip
    assert report.extra == {"work": {"serial": 0.001, "picture": 0.002, "memory": 0.25, "joins": 10}}
    assert report.notes[0] == (
        "uwnet2, a training step of 128. Of one thread: 1.00 ms a step whatever its batch, 2000 µs a picture,"
        " 25% of it waiting for memory; 10 joins a step of 20.0 µs each with 2 threads."
    )


def test_more_joins_than_were_measured_take_as_the_logarithm_of_threads():
    """A step that does nothing but wait: of two threads 10 microseconds, of eight three times as many."""
    machine = Machine({1: 1.0, 2: 2.0}, {1: 1.0, 2: 2.0}, {1: 7.0, 2: 1e-5})
    assert [machine.joined(n) for n in (1, 2, 8)] == [7.0, 1e-5, pytest.approx(3e-5)]
    four = Machine({}, {}, {1: 0.0, 4: 1e-5})
    assert four.joined(64) == pytest.approx(3e-5)
    assert Machine({}, {}, {1: 1e-6}).joined(4) == pytest.approx(2e-6)


def test_a_machine_is_what_was_measured_with_each_number_of_threads(monkeypatch):
    before, chained = get_num_threads(), []

    def repeated(run):
        run()
        return np.array([3e-6, 1e-6, 2e-6]) * get_num_threads()

    monkeypatch.setattr(growth, "repeated", repeated)
    monkeypatch.setattr(
        growth.peak, "measure", lambda: Peak(1e9 * get_num_threads(), 1.0, 3.0 * get_num_threads(), 2.0, 1, 1)
    )
    monkeypatch.setattr(growth.peak_loops, "chains", lambda out, *given: chained.append((len(out), *given)))
    found = growth._machine([1, 2])
    assert (found.flops, found.bandwidth) == ({1: 1e9, 2: 2e9}, {1: 3.0, 2: 6.0})
    assert found.join == {1: pytest.approx(2e-6), 2: pytest.approx(4e-6)} and found.memory
    assert chained == [
        (n, 1, 0.999, 0.001, n) for n in (1, 2)
    ]  # one multiply-add each: nothing but the joins
    set_num_threads(before)


def profile(rows):
    total = {"layer": "all layers", "forward": 99.0, "backward": 99.0, "total": 198.0}
    return SimpleNamespace(rows=[*rows, total])


def layer(forward, backward, one, other):
    return {"forward": forward, "backward": backward, "total": forward + backward, "forward_bound": one,
            "backward_bound": other}  # fmt: skip


def test_a_step_is_a_line_over_the_batches_and_waits_where_its_layers_do(steps, monkeypatch):
    before, given = get_num_threads(), []
    set_num_threads(2)
    rows = [layer(1.0, 2.0, "memory", "compute"), layer(3.0, 4.0, "overhead", "memory")]

    def repeated(step, budget):
        assert get_num_threads() == 1 and budget == growth.SECONDS
        size = step()[1][2]
        return np.array([0.0, 0.003 + 0.0005 * size, 9.0])

    monkeypatch.setattr(growth, "repeated", repeated)
    monkeypatch.setattr(
        growth.per_layer, "measure", lambda *of, **more: given.append((of, more)) or profile(rows)
    )
    found = growth._work("uwnet2", 32, False, MACHINE)
    assert steps == [("uwnet2", 32, size, False) for size in (16, 32, 64, 128)]
    assert (found.serial, found.each) == (pytest.approx(0.003), pytest.approx(0.0005))
    assert (found.memory, found.joins) == (0.5, 6)  # (1 + 4) of 10 seconds; three of each layer
    (((name, roof), more),) = given
    assert (name, roof.flops, roof.bandwidth) == ("uwnet2", 1e9, 4e9)
    assert more == {"batch_norm": False, "repeat": 3}
    set_num_threads(before)


def test_no_step_takes_less_than_nothing_of_its_own_and_small_batches_count_as_much_as_large_ones(
    steps, monkeypatch
):
    """The times of 16 to 128 pictures are off by a tenth in turn: each weighs by its own size."""
    sizes = np.array([16, 32, 64, 128])
    times = 0.001 * sizes * [0.9, 1.1, 0.9, 1.1] - 0.004
    by_size = dict(zip(sizes.tolist(), times, strict=True))
    monkeypatch.setattr(growth, "repeated", lambda step, budget: np.array([by_size[step()[1][2]]]))
    monkeypatch.setattr(
        growth.per_layer, "measure", lambda *_, **__: profile([layer(1.0, 1.0, "memory", "memory")])
    )
    before = get_num_threads()
    found = growth._work("uwnet2", 32, True, MACHINE)
    set_num_threads(before)
    # The least squares of (each b + serial) / time - 1.
    a = np.stack([sizes / times, 1 / times], axis=1)
    each, serial = np.linalg.lstsq(a, np.ones(4), rcond=None)[0]
    assert found.each == pytest.approx(each) and serial < 0 and found.serial == 0.0 and found.memory == 1.0
