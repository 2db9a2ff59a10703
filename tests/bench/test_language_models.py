"""The measurement of nets that learn from a text and write one."""

import numpy as np
import pytest

import cynet
from cynet.bench import child, setting, texts
from cynet.bench.compare import KINDS
from cynet.core.threads import get_num_threads, set_num_threads

SMALL = texts.Size(12, 3, 5), texts.Size(8, 2, 4), texts.Size(8, 1, 6)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(texts, "WRITTEN", 4)
    monkeypatch.setattr(texts, "peaks", lambda jobs, *_: {"peak_bytes": 1 << 20, "own_bytes": len(jobs)})


def test_training_every_size_writing_every_number_of_units_and_memory_of_the_first(few, one_thread):
    trained, written, memory = texts.measure(threads=1, repeat=2, sizes=SMALL)
    assert [report.command for report in (trained, written, memory)] == [
        "language-model", "language-model: writing", "language-model: memory",
    ]  # fmt: skip
    assert [(r["hidden"], r["batch_size"], r["length"]) for r in trained.rows] == [
        (12, 3, 5),
        (8, 2, 4),
        (8, 1, 6),
    ]
    for row in trained.rows:
        tokens = row["batch_size"] * row["length"]
        assert row["rounds"] == 2 and row["tokens_per_second"] == pytest.approx(tokens / row["seconds"])
    assert [row["hidden"] for row in written.rows] == [12, 8]
    assert all(row["tokens_per_second"] == pytest.approx(1 / row["seconds"]) for row in written.rows)
    (row,) = memory.rows
    assert (row["hidden"], row["batch_size"], row["length"], row["steps"]) == (12, 3, 5, texts.STEPS)
    for report in (trained, written, memory):
        keys, measures = KINDS[report.command]
        assert set(keys.split()) | set(measures) <= set(report.rows[0])


def test_the_threads_are_set_and_afterwards_those_before(few, one_thread, monkeypatch):
    seen = []
    monkeypatch.setattr(
        texts, "_trained", lambda peer, size, threads, *_: seen.append(get_num_threads()) or {}
    )
    set_num_threads(1)
    reports = texts.measure(threads=2, repeat=1, sizes=SMALL[:1])
    next(reports)
    reports.close()
    assert (seen, get_num_threads()) == ([2], 1)


def test_the_time_of_a_token_is_its_part_of_a_turn(few, clock, monkeypatch):
    monkeypatch.setattr(texts, "writing", lambda model: clock(2.0))
    monkeypatch.setattr(texts, "_trained", lambda *_: {})
    monkeypatch.setattr(texts, "_memory", lambda *_: None)
    _, written, _ = texts.measure(repeat=1, sizes=SMALL[:1])
    assert written.rows[0]["seconds"] == pytest.approx(2.0 / 4)


def test_a_step_carries_the_state_and_moves_the_weights():
    cynet.seed(3)
    model = texts.create(8)
    x, y = setting.text(2, 4)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    step = texts.training_step(model, x, y)
    step()
    first = model[1].carried.copy()
    step()
    assert not np.array_equal(first, model[1].carried)
    moved = [np.abs(array - before[name]).max() for name, array in model.state_dict().items()]
    assert min(moved) > 1e-3  # two steps of about the rate, 0.002


def test_tokens_are_followed_by_the_next_ones():
    x, y = setting.text(3, 50)
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    assert x.shape == y.shape == (3, 50) and 0 <= x.min() < 8 and 56 < x.max() < setting.CHARACTERS


def test_what_is_written_is_the_likeliest_each_time():
    cynet.seed(4)
    model = texts.create(8)
    found = texts.writing(model)(5)
    x = np.array([[0, *found[:-1]]])
    np.testing.assert_array_equal(model(x)[0].argmax(axis=-1), found)


def test_the_process_whose_memory_is_measured_trains_the_net_of_the_job(one_thread, monkeypatch):
    made = []
    monkeypatch.setattr(
        texts, "training_step", lambda model, x, y: made.append((model, x.shape)) or (lambda: None)
    )
    found = child.main(texts.Size(8, 3, 5).job | {"threads": 1, "steps": 1})
    ((model, shape),) = made
    assert (model[1].hidden_size, shape) == (8, (3, 5))
    assert found["peak"] >= found["imported"] > 0


@pytest.mark.torch
def test_pytorch_takes_the_same_steps_and_writes_the_same():
    pytest.importorskip("torch")
    from cynet.bench import torch_texts

    cynet.seed(5)
    model = texts.create(16)
    net = torch_texts.language_model(model.state_dict())
    x, y = setting.text(4, 6)
    assert texts.writing(model)(8) == torch_texts.writing(net)(8)
    ours, theirs = texts.training_step(model, x, y), torch_texts.training_step(net, x, y)
    for _ in range(3):
        ours()
        theirs()
    for name, array in torch_texts.language_model(model.state_dict()).state_dict().items():
        np.testing.assert_allclose(net.state_dict()[name].numpy(), array.numpy(), atol=1e-4)


@pytest.mark.torch
def test_beside_pytorch(few, one_thread):
    pytest.importorskip("torch")
    trained, written, memory = texts.measure("torch", threads=1, repeat=1, sizes=SMALL[:1])
    assert trained.rows[0]["ratio"] > 0 and written.rows[0]["ratio"] > 0
    assert memory.rows[0]["own_bytes"] == 2  # a process of each


@pytest.mark.torch
def test_a_net_that_gives_other_logits_is_refused(few, monkeypatch):
    pytest.importorskip("torch")
    from cynet.bench import torch_texts

    right = torch_texts.logits
    monkeypatch.setattr(torch_texts, "logits", lambda net, x: right(net, x) + 0.01)
    with pytest.raises(
        ValueError, match=r"wanted the same logits from cynet and its peer, got a difference of 0\.01"
    ):
        next(texts.measure("torch", repeat=1, sizes=SMALL[:1]))
