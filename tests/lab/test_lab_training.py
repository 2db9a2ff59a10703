"""Nets with a student's functions in them: the same numbers as cynet's, and what is told of the curves."""

import json
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
from test_exercises import NAMES, SOLUTIONS, Messages, module_of, solution

from cynet import cli
from cynet.core import random
from cynet.lab import checking, figures, folder, grafts, handing, learning, training
from cynet.lab.learning import Learnt, Schooling
from cynet.lab.registry import find

PICTURES = 192


@pytest.fixture(autouse=True)
def one_at_a_time(one_thread):
    """Nets are small."""


def pictures(seed=0):
    """Of ten colours, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, PICTURES)
    x = (
        rng.standard_normal((PICTURES, 32, 32, 3)) * 0.3
        + np.random.default_rng(9).standard_normal((10, 1, 1, 3))[labels]
    )
    return x.astype(np.float32), labels


def steps_of(name, functions, count=2):
    random.seed(3)
    model, batches = grafts.net(name, functions, True), training._batches(pictures(), 0)
    train = training._trainer(name, functions, model, 0.05)
    return model, [train(*next(batches)) for _ in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_a_net_with_a_students_functions_learns_as_cynets_does(name):
    functions = grafts.Functions(find(name), module_of(solution(name)), "python")
    with np.errstate(all="ignore"):
        own, ours = steps_of(name, functions)
    cynets, theirs = steps_of(name, None)
    np.testing.assert_allclose(ours, theirs, rtol=2e-3)
    weights = [each.data for each in own.parameters()], [each.data for each in cynets.parameters()]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-3)
    x = pictures(1)[0][:5]
    np.testing.assert_allclose(own.eval()(x), cynets.eval()(x), atol=0.05)


def test_the_net_of_the_assignment_has_what_is_asked_for():
    kinds = [type(layer).__name__ for layer in grafts.net("batchnorm", None, True)]
    assert kinds == ["Conv2d", "BatchNorm2d", "LeakyReLU", "MaxPool2d"] * 2 + ["Flatten", "Linear"]
    assert "BatchNorm2d" not in [type(layer).__name__ for layer in grafts.net("batchnorm", None, False)]
    assert grafts.net("maxpool", None, True)(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 10)


def trained(monkeypatch, name, seconds, **more):
    monkeypatch.setattr(training, "_pictures", lambda job: (pictures(), pictures(1)))
    job = {"exercise": name, "language": "python", "threads": 1, "rates": [0.05, 1e9], "rounds": [0.1, 0.01],
           "steps": 12, "seconds": seconds, "seed": 0, **more}  # fmt: skip
    messages = Messages()
    with np.errstate(all="ignore"):
        training.train_all(job, module_of(solution(name)), messages)
    return messages.sent


def test_every_run_is_told_a_diverged_one_too(monkeypatch):
    plan, *runs = trained(monkeypatch, "batchnorm", 1000)
    assert (plan["steps"], plan["runs"]) == (12, 9)  # without batch norm there is nothing of the student's
    learnt = Learnt(Schooling(rates=(0.05, 1e9), rounds=(0.1, 0.01)), 12, [dict(run) for run in runs])
    assert [run["rate"] for run in learnt.chosen(True) if run["who"] == "yours"] == [0.1, 0.01]
    ended = {(run["who"], run["batch_norm"], run["rate"]): run["accuracy"] for run in learnt.runs}
    assert ended["cynet", False, 1e9] is None and ended["yours", True, 0.05] > 0.2
    rows = learning.table_of(learnt)[1]
    assert any("diverged at step" in row[2] for row in rows) and "differ" in learning.agreement(learnt)
    charts = dict(learning.sections(learnt))
    assert {"rate 0.05", "annealed through 0.1, 0.01"} < set(charts) and "<svg" in charts["rate 0.05"]


def test_the_numbers_of_the_runs_stand_in_words_table_and_file(tmp_path, monkeypatch):
    def run(who, rate, losses, accuracy=0.5, rounds=False):
        return {"who": who, "batch_norm": True, "rounds": rounds, "rate": rate, "losses": losses,
                "accuracy": accuracy, "seconds": 0.003}  # fmt: skip

    runs = [
        run("yours", 0.1, [2.0, 1.5, 1.0]), run("cynet", 0.1, [2.0, 1.25, 1.0], 0.25),
        run("yours", 0.5, [2.0, 9.0, None], None), run("cynet", 0.5, [2.0, 1.0, 0.5]),
        run("yours", 0.2, [4.0, 2.0, 3.0], rounds=True),
    ]  # fmt: skip
    learnt = Learnt(Schooling(rates=(0.5, 0.1), rounds=(0.2,)), 3, runs)
    assert "smallest rate your losses differ" in learning.agreement(learnt)
    assert "by at most 0.25;" in learning.agreement(learnt)
    assert learning.table_of(learnt)[1] == [
        ("yours, with batch norm", "rate 0.1", "1.500", "50.0 %", "1 ms"),
        ("cynet, with batch norm", "rate 0.1", "1.417", "25.0 %", "1 ms"),
        ("yours, with batch norm", "rate 0.5", "diverged at step 3", "", "1 ms"),
        ("cynet, with batch norm", "rate 0.5", "1.167", "50.0 %", "1 ms"),
        ("yours, with batch norm", "round at 0.2", "3.000", "50.0 %", "1 ms"),
    ]
    work = folder.start("sgd", tmp_path / "sgd", "python")
    monkeypatch.setattr(figures, "curves", lambda drawn: b"")
    learning.write(work, learnt)
    rows = (work.folder / "train" / "curves.csv").read_text().splitlines()
    assert rows[1:4] == ["yours,1,0,0.1,1,2", "yours,1,0,0.1,2,1.5", "yours,1,0,0.1,3,1"]
    assert rows[9] == "yours,1,0,0.5,3," and rows[-1] == "yours,1,1,0.2,3,3" and len(rows) == 16


def test_rounds_have_a_rate_each_and_all_are_trained(monkeypatch):
    """Between two of them the net is tested, and goes back to training."""
    steps = []

    class Net:
        training = True

        def train(self):
            self.training = True

        def eval(self):
            self.training = False

        def __call__(self, x):
            assert not self.training
            return np.zeros((len(x), 10), np.float32)

    def trainer(name, functions, model, rate):
        def train(x, labels):
            steps.append((train.optimizer.lr, model.training))
            return 1.0

        train.optimizer = SimpleNamespace(lr=rate)
        return train

    monkeypatch.setattr(grafts, "net", lambda *_: Net())
    monkeypatch.setattr(training, "_trainer", trainer)
    found = [*training.run("sgd", None, True, (0.1, 0.02), 2, pictures(), pictures(1), 0)]
    assert steps == [(0.1, True)] * 2 + [(0.02, True)] * 2
    assert [(each["rate"], each["losses"]) for each in found] == [(0.1, [1.0, 1.0]), (0.02, [1.0, 1.0])]
    assert found[0]["accuracy"] == (pictures(1)[1] == 0).mean()


def test_a_slow_solution_trains_fewer_steps(monkeypatch):
    plan, *_ = trained(monkeypatch, "activations", 1e-6, rates=[0.05], rounds=[])
    assert plan["steps"] == training.LEAST < plan["wanted"]


def test_smoothed_losses_are_means_of_those_before():
    assert learning.smooth([2.0, 4.0, None]) == [2.0, 3.0]
    assert learning.smooth([1.0] * 30) == [1.0] * 30


def test_curves_of_cynets_nets_are_dashed_upon_the_students(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(figures, "_png", lambda figure: figure)
    curves = [("yours", "#b24c08", [2.0, 1.0], False), ("cynet", "#1d5fb0", [2.0, 1.0], True)]
    one, other = figures.curves([("rate 0.1", curves)]).axes[0].lines
    assert (one.get_linestyle(), other.get_linestyle()) == ("-", "--")
    assert other.get_zorder() > one.get_zorder()


def test_a_student_trains_from_the_command_line_and_packs_it(tmp_path, capsys):
    """On a CIFAR-10 of a few pictures."""
    data = tmp_path / "data" / "cifar-10-batches-bin"
    data.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        records = rng.integers(0, 256, (20, 3073))
        records[:, 0] = np.arange(20) % 10
        (data / name).write_bytes(records.astype(np.uint8).tobytes())
    work = folder.start("sgd", tmp_path / "sgd", "python")
    work.tests.unlink()
    work.file.write_text((SOLUTIONS / "sgd.py").read_text())
    words = ["--steps", "10", "--rates", ".05", "--rounds", ".02,.01", "--threads", "1"]
    words += ["--data", "cifar10", "--data-dir", str(data.parent)]
    assert cli.main(["lab", "train", str(work.folder), *words]) == 0
    out, err = capsys.readouterr()
    assert "yours, with batch norm" in out and "In the first 20 steps" in out
    assert "yours, with batch norm, rate 0.05: " in err and "yours, with batch norm, round at 0.02: " in err
    kept = json.loads((work.folder / "train" / "train.json").read_text())
    assert len(kept["runs"]) == 12 and kept["source"] == work.digest()
    lines = (work.folder / "train" / "curves.csv").read_text().splitlines()
    assert lines[0] == "who,batch_norm,rounds,rate,step,loss" and len(lines) == 1 + 12 * 10
    path, missing = handing.write(work, checking.Verdict(work, []))
    assert "annealed through 0.02, 0.01" in path.read_text() and len(missing) == 1
    archive = tmp_path / "sgd.tar.gz"
    assert cli.main(["bundle", str(work.folder / "train"), "--output", str(archive)]) == 0
    with tarfile.open(archive) as packed:
        assert "runs/train/sgd.py" in packed.getnames()
