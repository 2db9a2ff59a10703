"""How time grows: what is measured, and the model of more threads than there are."""

import struct
import sys

import pytest

from cynet.bench import growth, peak
from cynet.bench.growth import Machine, StepCost, busiest
from cynet.cli import main
from cynet.core import threads

EVEN = Machine({1: 1.0, 2: 2.0}, {1: 1.0, 2: 2.0}, {1: 0.0, 2: 0.5})
ONE_MEMORY = Machine(EVEN.flops, EVEN.bandwidth, EVEN.join, False)


@pytest.mark.parametrize(
    ("chunks", "count", "share"), [(16, 1, 1), (16, 4, 0.25), (16, 5, 0.25), (3, 8, 1 / 3)]
)
def test_the_busiest_thread_has_whole_chunks(chunks, count, share):
    assert busiest(chunks, count) == share


@pytest.mark.parametrize(
    ("work", "machine", "count", "batch", "seconds"),
    [
        (StepCost(1, 2, 0, 0), EVEN, 1, 16, 33),
        (StepCost(1, 2, 0, 0), EVEN, 4, 16, 9),
        (StepCost(1, 2, 0.5, 0), EVEN, 32, 96, 1 + 192 * (0.5 * (2 / 32 + 1 / 16) / 3 + 0.5 / 32)),
        (StepCost(1, 2, 0.5, 0), ONE_MEMORY, 4, 16, 1 + 32 * (0.125 + 0.25)),
        (StepCost(1, 2, 0, 10), EVEN, 2, 16, 1 + 16 + 5),
        (StepCost(1, 2, 0, 10), EVEN, 8, 16, 1 + 4 + 15),
        (StepCost(0, 1, 0, 10), EVEN, 1, 16, 16),
    ],
    ids=["one", "four", "parts of weight gradients", "one memory", "joined", "joined by more", "alone"],
)  # fmt: skip
def test_a_step_is_serial_work_and_a_share_of_the_rest(work, machine, count, batch, seconds):
    assert work.seconds(machine, count, batch) == pytest.approx(seconds)


def test_two_threads_that_share_a_processor_are_slower_than_two():
    shared = Machine({1: 1.0, 2: 1.25}, EVEN.bandwidth, EVEN.join)
    assert StepCost(0, 1, 0, 0).seconds(shared, 2, 16) == pytest.approx(16 / 1.25)
    assert shared.rate(4) == 2.5


@pytest.fixture
def small(monkeypatch):
    found = {"BATCHES": (1, 16, 32), "SIDES": (16, 32), "SIDE_PIXELS": 2048, "DEPTHS": ("uwnet0", "uwnet2")}
    for name, value in (found | {"THREADS": (1, 2, 4), "SECONDS": 0.01}).items():
        monkeypatch.setattr(growth, name, value)
    monkeypatch.setattr(growth.choices, "BATCH", 32)
    monkeypatch.setattr(growth, "processors", lambda: 2)
    roofs = {n: peak.Peak(1e10 * n, 1e10, 1e10, 1e10, n, 0) for n in (1, 2)}
    monkeypatch.setattr(growth.peak, "measure", lambda: roofs[threads.get_num_threads()])


def test_each_report_has_its_sizes(small):
    threads.set_num_threads(2)
    batch, side, depth, more = growth.measure("uwnet2", repeat=1)
    assert [row["batch_size"] for row in batch.rows] == [1, 16, 32]
    assert [(row["side"], row["batch_size"]) for row in side.rows] == [(16, 8), (32, 2)]
    assert [row["model"] for row in depth.rows] == ["uwnet0", "uwnet2"]
    for row in (*batch.rows, *side.rows, *depth.rows):
        assert row["train_picture"] * row["batch_size"] == pytest.approx(row["train"])
        assert row["infer_pixel"] * row["side"] ** 2 == pytest.approx(row["infer_picture"])
    assert [row["threads"] for row in more.rows] == [1, 2, 4]
    assert all(row["seconds"] for row in more.rows[:2]) and more.rows[2]["seconds"] is None
    assert more.rows[0]["speed_up"] == 1 and more.rows[0]["model"] == pytest.approx(
        more.rows[0]["model_one_memory"]
    )
    assert more.rows[2]["model_one_memory"] >= more.rows[2]["model"]
    assert more.rows[1]["off"] == pytest.approx(more.rows[1]["model"] / more.rows[1]["seconds"])
    work = more.extra["work"]
    assert work["picture"] > 0 and 0 <= work["memory"] <= 1 and work["joins"] > 10
    assert threads.get_num_threads() == 2


def test_the_command_draws_four_figures(small, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    target = tmp_path / "growth.png"
    assert main(["bench", "growth", "--model", "uwnet2", "--repeat", "1", "--plot", str(target)]) == 0
    assert "growth: threads" in capsys.readouterr().out
    drawn = target.read_bytes()
    assert drawn[1:4] == b"PNG" and struct.unpack(">2I", drawn[16:24]) == (1080, 840)


def test_without_matplotlib_it_is_refused_before_anything_is_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(growth, "measure", None)
    assert main(["bench", "growth", "--plot", str(tmp_path / "a.png")]) == 2
    assert "cynet[plots]" in capsys.readouterr().err
