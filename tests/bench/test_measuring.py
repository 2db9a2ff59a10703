"""What is measured as a call from Python, and the numbers that nobody has to give."""

import inspect
import json

import numpy as np
import pytest

from cynet import cli
from cynet.bench import (
    choices,
    loading,
    measuring,
    peak,
    peers,
    per_layer,
    processes,
    setting,
    speed,
)
from cynet.bench.compare import compare
from cynet.core import threads


def test_what_is_wanted_is_measured_from_python(one_thread):
    wanted = measuring.Wanted("infer", ("uwnet1",), (2,), threads=(1,), repeat=1)
    (report,) = measuring.reports(wanted)
    assert report.command == "infer"
    assert [(row["model"], row["batch_size"], row["threads"]) for row in report.rows] == [("uwnet1", 2, 1)]
    assert np.isfinite(report.rows[0]["seconds"])


def test_the_greatest_of_several_numbers_of_threads_is_set(one_thread, monkeypatch):
    seen = []
    monkeypatch.setitem(measuring.RUNS, "train", lambda *_: seen.append(threads.get_num_threads()) or ())
    for count in ((1, 2), 2, (2, 1)):
        threads.set_num_threads(1)
        assert list(measuring.reports(measuring.Wanted("train", threads=count))) == []
    assert seen == [2, 2, 2]


def test_each_measurement_has_a_name_that_the_command_knows():
    assert [*measuring.RUNS, "compare"] == list(choices.WHAT)


@pytest.mark.parametrize(("function", "name", "value"), [
    (peak.measure, "repeat", choices.REPEATS["peak"]),
    (processes.memory, "repeat", choices.REPEATS["memory"]),
    (processes.memory, "steps", choices.STEPS), (processes.imports, "repeat", choices.REPEATS["import"]),
    (loading.speed, "batch_size", choices.BATCH), (per_layer.measure, "batch_size", choices.BATCH),
    (compare, "tolerance", choices.TOLERANCE), (speed.Setup, "models", choices.MODELS),
])  # fmt: skip
def test_python_and_the_command_line_begin_with_the_same_numbers(function, name, value):
    assert inspect.signature(function).parameters[name].default == value


def test_a_table_measures_what_its_four_commands_do(monkeypatch):
    seen = []
    for what in ("speed.measure", "processes.memory", "processes.imports"):
        module, name = what.split(".")
        monkeypatch.setattr(
            getattr(measuring, module), name, lambda *given, what=what: seen.append((what, given[:-1]))
        )
    list(measuring.reports(measuring.Wanted("table", ("uwnet1",), against="torch")))
    plan = {"models": ("uwnet1",), "peer": "torch"}
    assert seen == [
        ("speed.measure", (speed.Setup(True, batch_sizes=(128,), **plan),)),
        ("speed.measure", (speed.Setup(False, batch_sizes=(128, 1), **plan),)),
        ("processes.memory", (speed.Setup(True, batch_sizes=(128,), **plan), 3, 10)),
        ("processes.imports", ("torch", 15)),
    ]


def test_what_is_wanted_is_handed_on_in_bytes_and_seconds(monkeypatch):
    seen = []

    def noted(module, name, found=()):
        monkeypatch.setattr(module, name, lambda *given, **more: seen.append((name, given)) or found)

    noted(measuring.peak, "measure", "roof")
    noted(measuring.peak, "report", "report")
    noted(measuring.kernels, "chosen", "cases")
    noted(measuring.kernels, "measure", "report")
    noted(measuring.distributed, "measure")
    assert list(measuring.reports(measuring.Wanted("peak", array_size=1.5, repeat=2))) == ["report"]
    assert seen == [("measure", (3 * 2**19, 2)), ("report", ("roof",))]
    for largest, size in ((64.0, 2**26), (0.0, 0), (None, None)):
        seen.clear()
        wanted = measuring.Wanted("kernels", ("a",), 4, False, repeat=3, largest=largest, only=("x",))
        list(measuring.reports(wanted))
        assert seen[0] == ("chosen", (("a",), 4, False, size))
        assert seen[2][1][:4] == ("cases", "roof", ("x",), 3)
    seen.clear()
    wanted = measuring.Wanted("distributed", ("a",), 64, ranks=[1, 2], shards=4, latency=0.5, bandwidth=8.0)
    list(measuring.reports(wanted))
    line = measuring.scaling.Link(0.0005, 1e9)
    ((_, (setup, _)),) = seen
    assert setup == measuring.distributed.RankedSetup((1, 2), ("a",), 64, 4, line=line)


def test_a_peer_that_takes_no_part_is_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setitem(measuring.RUNS, "peak", lambda *_: pytest.fail("it was begun"))
    for repeat in (None, 3):
        with pytest.raises(ValueError, match="for peak, got torch, which takes part in train, infer"):
            list(measuring.reports(measuring.Wanted("peak", against="torch", repeat=repeat)))


def test_no_more_pictures_fit_a_batch_than_the_loader_walks_over(capsys):
    assert cli.main(["bench", "loader", "--batch-size", str(choices.EPOCH + 1)]) == 2
    assert "from 1 to 12800" in capsys.readouterr().err


def test_what_is_measured_where_nobody_says():
    models = ("uwnet1", "uwnet2", "resnet20", "vgg_small")
    kinds = {
        "kernels": ("uwnet0", *models),
        "distributed": ("resnet20",),
        "growth": ("resnet20",),
        "profile": ("uwnet2",),
    }
    for what in choices.WHAT:
        assert choices.models(what) == kinds.get(what, models)
        assert choices.batches(what) == ((128, 1) if what == "infer" else (128,))
    assert (choices.RANKS, choices.SHARDS, choices.BATCH_OF_RANKS) == ((1, 2), 8, 512)
    assert (choices.LATENCY, choices.BANDWIDTH, choices.EPOCH) == (1.0, 1.0, 12_800)
    assert (choices.SHAPES, choices.STEPS, choices.TOLERANCE) == (60, 10, 0.97)
    assert choices.REPEATS == {"peak": 30, "memory": 3, "import": 15}
    assert setting.OPTIMIZER == {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}
    assert setting.TEXT_OPTIMIZER == {"lr": 0.002, "weight_decay": 5e-4}


def test_the_same_batch_in_every_process():
    rng = np.random.default_rng(0)
    x, labels = setting.batch(50, (3, 2), 4)
    np.testing.assert_array_equal(x, rng.standard_normal((50, 3, 2), dtype=np.float32))
    np.testing.assert_array_equal(labels, rng.integers(0, 4, 50))
    assert set(labels.tolist()) == {0, 1, 2, 3}
    x, labels = setting.batch(3)
    assert x.shape == (3, 32, 32, 3) and setting.batch(300)[1].max() == 9


@pytest.mark.parametrize(("scale", "off", "same"), [(1, 9e-4, True), (1, 1.1e-3, False), (100, 0.09, True),
                                                    (100, 0.11, False), (1, np.nan, False),
                                                    (0.1, 9e-4, True), (0.1, 1.1e-3, False)])  # fmt: skip
def test_outputs_are_the_same_to_a_thousandth_of_the_largest(scale, off, same):
    ours = np.array([[0.0, scale, -scale / 2]], np.float32)
    if same:
        peers.check_close("torch", ours, ours + np.float32(off))
        peers.check_close("torch", ours, ours - np.float32(off))
    else:
        with pytest.raises(ValueError, match="the same logits from cynet and torch, got a difference of"):
            peers.check_close("torch", ours, ours + np.float32(off))


def test_the_peers_best_way_is_the_one_of_the_smallest_peak(monkeypatch):
    sizes = {"cynet": 10, "a": 50, "b": 20, "c": 30}
    monkeypatch.setattr(
        processes, "run_python",
        lambda *given: json.dumps(
            dict.fromkeys(("peak", "imported", "own"), sizes[json.loads(given[2])["way"]])
        ),
    )  # fmt: skip
    row = processes.peaks({way: {"way": way} for way in sizes}, 2, lambda *_: None, "x")
    assert (row["peer_way"], row["ratio"], row["own_ratio"]) == ("b", 2.0, 2.0)
