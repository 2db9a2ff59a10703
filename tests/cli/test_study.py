"""The batch-norm study as a user runs it: tiny, in a process of its own and in this one."""

import contextlib
import csv
import io
import math
import os
import signal
import subprocess
import sys

import pytest
import tiny
from helpers import environment_of

from cynet import cli
from cynet.runs.session import Settings
from cynet.study import study, study_figures, study_report

pytest.importorskip("matplotlib")

TINY = ("--steps", "6", "--seeds", "2", "--batch-size", "16", "--rates", ".03,1", "--rounds", ".1,.01")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(folder, what was printed) of a tiny study."""
    folder = tmp_path_factory.mktemp("study") / "run"
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        assert cli.main(["batchnorm_study", "--data", "tiny", *TINY, "--run-dir", str(folder)]) == 0
    assert err.getvalue() == ""
    return folder, out.getvalue()


def rows_of(folder, name):
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def test_results_have_a_row_for_each_run(done):
    rows = rows_of(done[0], "results.csv")
    keys = [(row["phase"], row["batch_norm"], row["lr"], row["seed"], row["steps"]) for row in rows]
    sweep = [("sweep", net, lr, seed, "6") for net in "01" for lr in ("0.03", "1") for seed in "01"]
    rounds = (("0.1", "6"), ("0.01", "12"))
    anneal = [("anneal", net, lr, seed, steps) for net in "01" for lr, steps in rounds for seed in "01"]
    assert sorted(keys) == sorted(sweep + anneal)
    for row in rows:
        assert row["diverged"] == "0"
        assert float(row["final_loss"]) > 0 and 0 <= float(row["test_accuracy"]) <= 1


def test_curves_have_every_step_and_end_in_the_final_loss(done):
    curves, rows = (rows_of(done[0], name) for name in ("curves.csv", "results.csv"))
    assert len(curves) == 6 * len(rows)
    annealed = [c for c in curves if (c["phase"], c["batch_norm"], c["seed"]) == ("anneal", "1", "0")]
    assert [int(c["step"]) for c in annealed] == list(range(1, 13))
    last = next(
        r for r in rows if (r["phase"], r["batch_norm"], r["seed"], r["steps"]) == ("anneal", "1", "0", "12")
    )
    assert float(annealed[-1]["loss"]) == pytest.approx(float(last["final_loss"]), abs=1e-3)


def test_the_summary_has_the_numbers_of_the_table(done):
    text = (done[0] / "summary.md").read_text()
    for question in ("converge faster?", "How large a rate", "best this model reaches?"):
        assert question in text
    rows = rows_of(done[0], "results.csv")
    for phase, lr, net in {(row["phase"], row["lr"], row["batch_norm"]) for row in rows}:
        found = [r for r in rows if (r["phase"], r["lr"], r["batch_norm"]) == (phase, lr, net)]
        mean = sum(float(r["test_accuracy"]) for r in found) / len(found)
        part = text.partition("## What is the best")[2 if phase == "anneal" else 0]
        line = next(line for line in part.splitlines() if line.startswith(f"| {lr} |"))
        shown = line.split("|")[4 + int(net)].split("±")[0]
        assert float(shown) == pytest.approx(mean, abs=1.01e-4)


@pytest.mark.parametrize("name", ["loss.png", "accuracy.png"])
def test_figures_open_and_are_not_blank(done, name):
    from matplotlib.image import imread

    pixels = imread(done[0] / name)[..., :3]
    assert min(pixels.shape[:2]) > 150
    for color in study_figures.COLORS.values():
        wanted = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        assert (abs(pixels - wanted).max(axis=-1) < 0.02).sum() > 50, f"{name}: no line of {color}"


def test_each_run_is_a_line(done):
    lines = done[1].splitlines()
    assert lines[0].startswith("16 runs of 6 steps; folder ")
    assert [line.split()[0] for line in lines[1:17]] == [f"{n}/16" for n in range(1, 17)]
    assert lines[17].startswith("done after ")


def test_a_diverged_run_is_a_result():
    training, test = (tiny.tiny(split=split) for split in ("train", "test"))
    settings = Settings(batch_size=16, steps=40, workers=0)
    experiment = study.Experiment(settings, rates=(1e6,), rounds=(1e6, 1e5), seeds=1)
    runs = list(study.study(experiment, training, test))
    plain = [run for run in runs if not run.batch_norm]
    assert [run.phase for run in plain] == ["sweep", "anneal"], "a diverged round ends its annealing"
    assert all(run.diverged and math.isnan(run.accuracy) and run.steps < 40 for run in plain)
    assert study.stood(runs, False, 0.1) is None
    assert "sweep,0,1e+06,0," in study_report.results(runs)
    assert ",,,1\n" in study_report.results(runs)
    assert "1 of 1 diverged" in study_report.summary(experiment, runs, 10, 1.0)
    for png in (study_figures.loss(runs), study_figures.accuracy(runs, 0.1)):
        assert png.startswith(b"\x89PNG")


def test_the_first_round_is_the_run_at_its_rate():
    """An annealing differs from a run only in what follows."""
    training, test = (tiny.tiny(split=split) for split in ("train", "test"))
    settings = Settings(batch_size=16, steps=3, workers=0)
    experiment = study.Experiment(settings, rates=(0.1,), rounds=(0.1,), seeds=1)
    runs = list(study.study(experiment, training, test))
    assert runs[0].losses == runs[2].losses and runs[1].losses == runs[3].losses
    assert runs[0].losses != runs[1].losses


def test_numbers_of_hand_made_runs():
    def run(batch_norm, lr, accuracy, losses, seed=0):
        diverged = math.isnan(accuracy)
        return study.Trial("sweep", batch_norm, lr, seed, 4, losses[-1], accuracy, diverged, losses)

    runs = [
        run(False, 0.1, 0.5, (2.0, 1.5, 1.2, 1.0)),
        run(False, 0.1, 0.7, (2.0, 1.5, 1.2, 1.0), 1),
        run(False, 1.0, 0.9, (2.0, 1.5, 1.2, 0.9)),
        run(False, 1.0, math.nan, (2.0,), 1),
        run(True, 0.1, 0.8, (2.0, 0.9, 0.7, 0.5)),
        run(True, 1.0, 0.9, (2.0, 0.8, 0.6, 0.4)),
    ]
    assert study.best_rate(runs, "sweep", False) == 0.1
    assert study.best_rate(runs, "sweep", True) == 1.0
    assert study.stood(runs, False, 0.1) == 0.1
    assert study.stood(runs, True, 0.1) == 1.0
    assert study.mean_and_spread([0.5, 0.7, math.nan]) == pytest.approx((0.6, 0.2 / math.sqrt(2)))
    assert math.isnan(study.mean_and_spread([0.5])[1])
    assert study.steps_to((2.0, 0.9, 0.7, 0.5), 1.0) == 2
    assert study.steps_to((2.0, 0.9), 0.1) is None
    assert list(study.smooth([4.0, 2.0, 0.0], 2)) == [4.0, 3.0, 1.0]
    assert list(study.smooth([1e30, 2.0, 4.0], 2))[2] == 3.0, "an early peak leaves later means alone"
    text = study_report.summary(study.Experiment(Settings(steps=4), (0.1, 1.0), (0.1,), 2), runs, 10, 1.0)
    assert "(0.1), the net without batch norm comes to a loss of 1.000 in 4 steps" in text
    assert "(1), the net with batch norm is there after 2." in text
    assert "0.9000 (one run), 1 of 2 diverged" in text


def test_seeds_that_did_not_survive_are_not_passed_over():
    def run(lr, accuracy, seed, steps, batch_norm=False):
        return study.Trial(
            "anneal", batch_norm, lr, seed, steps, 1.0, accuracy, math.isnan(accuracy), (2.0, 1.0)
        )

    lost = [run(0.1, math.nan, 0, 1), run(0.1, math.nan, 1, 1), run(0.1, 0.8, 2, 2), run(0.01, 0.9, 2, 4)]
    runs = [*lost, *(run(0.1, 0.7, seed, 2, True) for seed in range(3))]
    text = study_report.summary(study.Experiment(Settings(steps=2), (0.1,), (0.1, 0.01), 3), runs, 10, 1.0)
    assert "0.9000 (one run), over the 1 of 3 seeds that had not diverged" in text
    assert "1 of 3 seeds learned" in text
    assert "0.8000 (one run), 2 of 3 diverged" in text and "0.9000 (one run), 2 of 3 diverged" in text
    assert "0.7000 ± 0.0000 after 2 steps" in text


def test_the_best_rate_is_one_that_the_net_stands():
    def run(lr, accuracy, seed):
        return study.Trial("sweep", True, lr, seed, 2, 1.0, accuracy, False, (2.0, 1.0))

    runs = [run(0.1, 0.5, 0), run(0.1, 0.5, 1), run(1.0, 0.1, 0), run(1.0, 0.95, 1)]
    text = study_report.summary(study.Experiment(Settings(steps=2), (0.1, 1.0), (), 2), runs, 10, 1.0)
    assert "with batch norm: at most 0.1; best at 0.1, with accuracy 0.5000" in text


def test_an_interrupted_study_writes_what_is_finished(tmp_path):
    command = [sys.executable, "-W", "error", tiny.__file__, "batchnorm_study", "--data", "tiny"]
    command += ["--steps", "6", "--seeds", "50", "--batch-size", "16", "--run-dir", tmp_path / "run"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment_of()
    )
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n")) == (130, 1) and err.startswith("stopping after this step")
    assert "stopped by SIGINT after " in out
    rows = rows_of(tmp_path / "run", "results.csv")
    assert 3 <= len(rows) < 1200
    assert "stopped before the end" in (tmp_path / "run" / "summary.md").read_text()
    assert len(os.listdir(tmp_path / "run")) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--rates", ".1,.1"],
            "--rates: wanted RATE,... such as .01,.1, all different and above 0, got '.1,.1'",
        ),
        (["--rates", "0"], "--rates: wanted RATE,..."),
        (["--rates", "fast"], "--rates: wanted RATE,..."),
        (["--rounds", ".1,.3"], "--rounds: wanted each rate less than the one before, got '.1,.3'"),
        (["--run-dir", "full"], "--run-dir: wanted a new or empty folder, full holds files"),
        (["--data", "shapes11"], "--data: wanted one of"),
        (["--batch-size", "1"], "--batch-size: wanted a whole number of at least 2"),
        (["--batch-size", "99999"], "--batch-size: wanted at most the 20000 training pictures, got 99999"),
    ],
)
def test_refusals(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert cli.main(["batchnorm_study", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["full"]


def test_without_matplotlib_the_extra_is_named_before_any_training(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["batchnorm_study"]) == 2
    assert "cynet[plots]" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
