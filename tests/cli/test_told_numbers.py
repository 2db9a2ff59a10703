"""Every number that commands print of a run, a comparison, a study and a range test, against what is true."""

import csv
import hashlib
import json
import math
import re

import numpy as np
import pytest
from uneven import CLASSES, COUNTS

from cynet import cli
from cynet.cli import lr_find as lr_find_command
from cynet.runs.session import Settings
from cynet.study import study, study_figures, study_report
from cynet.train import lr_find

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def told(capsys):
    def run(*arguments, status=0):
        assert cli.main([*map(str, arguments)]) == status
        return capsys.readouterr().out

    return run


def part(value):
    return "-" if value is None else f"{value:.4f}"


# -- evaluate ---------------------------------------------------------------------------------------------
def test_evaluate_prints_each_number_at_its_name(uneven_runs, truth, told):
    lines = told("evaluate", uneven_runs.one).splitlines()
    assert "test loss " + f"{truth.loss:.4f} on 27 pictures of uneven" in lines
    at = next(i for i, line in enumerate(lines) if line.startswith("class "))
    assert lines[at].split() == ["class", "recall", "precision", "count"]
    for k, name in enumerate(CLASSES):
        wanted = [part(truth.recall(k)), part(truth.precision(k)), str(COUNTS["test"][k])]
        assert lines[at + 1 + k].startswith(name) and lines[at + 1 + k].removeprefix(name).split() == wanted
    at = lines.index("confusion (row: label, column: prediction)")
    assert lines[at + 1].split() == ["0", "1", "2"]
    for k, name in enumerate(CLASSES):
        wanted = [str(n) if n else "." for n in truth.counts[k]]
        assert lines[at + 2 + k].removeprefix(f"{k} {name}").split() == wanted
    assert f"calibration error {truth.calibration()[0]:.4f} (expected, 15 bins)" in lines
    assert lines[-1] == f"test accuracy {truth.accuracy:.4f}"


def test_evaluate_writes_each_number_under_its_name(uneven_runs, truth, told):
    found = json.loads(told("evaluate", uneven_runs.one, "--json", "-"))
    assert (found["samples"], found["split"], found["flip"], found["data"]) == (27, "test", False, "uneven")
    assert found["accuracy"] == pytest.approx(truth.accuracy)
    assert found["loss"] == pytest.approx(truth.loss, rel=1e-5)
    for k, row in enumerate(found["classes"]):
        assert (row["class"], row["count"]) == (CLASSES[k], COUNTS["test"][k])
        assert part(row["recall"]) == part(truth.recall(k))
        assert part(row["precision"]) == part(truth.precision(k))
    assert found["confusion"] == truth.counts
    error, filled = truth.calibration()
    bins = found["calibration"]
    assert bins["error"] == pytest.approx(error, abs=1e-6) and bins["counts"] == [n for n, _, _ in filled]
    assert bins["edges"] == pytest.approx([k / 15 for k in range(16)])
    for place, name in ((1, "confidence"), (2, "accuracy")):
        for value, row in zip(bins[name], filled, strict=True):
            assert value is None if row[place] is None else value == pytest.approx(row[place], abs=1e-6)


# -- diff -------------------------------------------------------------------------------------------------
def last_row(path):
    with path.open() as file:
        return list(csv.DictReader(file))[-1]


def test_diff_gives_each_run_its_own_numbers(uneven_runs, told):
    pair = uneven_runs.one, uneven_runs.other
    for one, other in (pair, pair[::-1]):
        lines = told("diff", one, other, status=1).splitlines()
        assert lines[0] == f"{one} against {other}"
        here, there = last_row(one / "metrics.csv"), last_row(other / "metrics.csv")
        for name in ("step", "train_loss", "test_loss", "test_accuracy"):
            assert f"result {name}: {here[name]} against {there[name]}" in lines
        rates, steps = {pair[0]: 0.02, pair[1]: 0.01}, {pair[0]: 20, pair[1]: 12}
        assert f"setting lr: {rates[one]} (flag) against {rates[other]} (flag)" in lines
        assert f"setting steps: {steps[one]} (flag) against {steps[other]} (flag)" in lines
        first = [(path / "steps.csv").read_text().splitlines()[1].split(",")[3] for path in (one, other)]
        assert f"the losses part at step 1: loss: {first[0]} against {first[1]}" in lines


def test_diff_of_several_gives_each_column_its_run(uneven_runs, told):
    paths = uneven_runs.other, uneven_runs.one, uneven_runs.other
    rows = {line.split()[0]: line.split()[1:] for line in told("diff", *paths, status=1).splitlines()}
    assert rows["run"] == ["other", "one", "other"] and rows["lr"] == ["0.01", "0.02", "0.01"]
    for name in ("step", "train_loss", "test_loss", "test_accuracy"):
        assert rows[name] == [last_row(path / "metrics.csv")[name] for path in paths]


# -- a training -------------------------------------------------------------------------------------------
def test_a_training_prints_its_numbers_as_it_goes_and_at_the_end(uneven_runs, truth):
    lines = uneven_runs.said.splitlines()
    metrics = truth.metrics
    shown = [line for line in lines if line.startswith("epoch ")]
    assert len(shown) == len(metrics["step"])
    for i, line in enumerate(shown):
        row = {name: values[i] for name, values in metrics.items()}
        assert line.startswith(
            f"epoch {row['epoch']:.0f}  step {row['step']:.0f}/20  loss {row['train_loss']:.4f}  "
            f"accuracy {row['train_accuracy']:.4f}  test loss {row['test_loss']:.4f}  "
            f"test accuracy {row['test_accuracy']:.4f}  lr {row['lr']:.3g}  "
        )
        assert re.search(r"  [\d,]+ images/s  [\d.e-]+ s left$", line)
    assert "data uneven: 64 training and 27 test pictures of 3 classes" in lines
    parameters = sum(p.data.size for p in truth.model.parameters())
    wanted = f"model uwnet2 with batch norm: {parameters:,} parameters, 204,288 MACs and "
    assert any(line.startswith(wanted) for line in lines)
    best = max(metrics["test_accuracy"])
    at = metrics["step"][metrics["test_accuracy"].index(best)]
    assert any(line.startswith(f"best test accuracy {best:.4f}, after {at:.0f} steps: ") for line in lines)
    sha256 = hashlib.sha256((uneven_runs.one / "last.safetensors").read_bytes()).hexdigest()
    assert f"weights in {uneven_runs.one / 'last.safetensors'}, SHA-256 {sha256}" in lines
    width = max(map(len, CLASSES))
    assert lines[-4:] == [
        *(f"{CLASSES[k]:<{width}}  {truth.recall(k):.4f}  of {COUNTS['test'][k]}" for k in range(3)),
        f"test accuracy {truth.accuracy:.4f}",
    ]


# -- a study ----------------------------------------------------------------------------------------------
def made(batch_norm, lr, seed, losses, accuracy, phase=study.SWEEP, steps=None):
    losses = tuple(map(float, losses))
    diverged = not math.isfinite(accuracy)
    loss = math.nan if diverged else study.final_loss(losses)
    return study.Trial(phase, batch_norm, lr, seed, steps or len(losses), loss, accuracy, diverged, losses)


@pytest.fixture(scope="module")
def runs():
    """Two rates and seeds; the net with batch norm comes down four times as fast, and is better."""
    slow, fast = np.linspace(2, 1, 40), np.maximum(2 - np.arange(40) / 10, 0.5)
    found = []
    for seed in range(2):
        for lr, more in ((0.1, 0.0), (1.0, 0.25)):
            found.append(made(False, lr, seed, slow + more, 0.5 + 0.1 * seed - more))
            found.append(made(True, lr, seed, fast + more, 0.7 + 0.1 * seed - more))
    for net, accuracy in ((False, 0.6), (True, 0.8)):
        found += [made(net, lr, 0, slow, accuracy + lr / 10, study.ANNEAL, steps)
                  for lr, steps in ((0.1, 40), (0.01, 80))]  # fmt: skip
    return found


def test_a_study_says_after_how_many_steps_a_loss_is_reached():
    losses = [4, 3, 2, 1] * 10
    assert study.window(losses) == 2
    means = [4.0, *((losses[i - 1] + losses[i]) / 2 for i in range(1, 40))]
    for target in (4, 3.5, 2.5, 1.5, 1.4):
        first = next((i + 1 for i, mean in enumerate(means) if mean <= target), None)
        assert study.steps_to(losses, target) == first
    np.testing.assert_allclose(study.smooth(losses, 2), means)
    assert study.final_loss(range(40)) == (36 + 37 + 38 + 39) / 4


def test_the_tables_of_a_study_have_each_number_in_its_column(runs):
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
            for line in study_report.table(runs, study.SWEEP).splitlines()[2:]}  # fmt: skip
    heading = study_report.table(runs, study.SWEEP).splitlines()[0]
    assert [cell.strip() for cell in heading.split("|")[1:-1]] == [
        "rate", "loss without", "loss with", "accuracy without", "accuracy with"
    ]  # fmt: skip
    for lr in (0.1, 1.0):
        wanted = []
        for name, form in (("loss", ".3f"), ("accuracy", ".4f")):
            for net in (False, True):
                found = [run for run in runs if (run.phase, run.batch_norm, run.lr) == ("sweep", net, lr)]
                values = [getattr(run, name) for run in found]
                mean = sum(values) / 2
                spread = math.sqrt(sum((value - mean) ** 2 for value in values))
                wanted.append(f"{mean:{form}} ± {spread:{form}}")
        assert rows[f"{lr:g}"] == wanted


def test_the_answers_of_a_study(runs):
    settings = Settings(steps=40, batch_size=16)
    experiment = study.Experiment(settings, rates=(0.1, 1.0), rounds=(0.1, 0.01), seeds=2)
    text = study_report.summary(experiment, runs, 10, 12.0)
    slow = np.linspace(2, 1, 40)
    target = (slow[-1] + slow[-2]) / 2
    fast = [max(2 - k / 10, 0.5) for k in range(40)]
    first = next(k + 1 for k in range(40) if (fast[k] + fast[max(0, k - 1)]) / 2 <= target)
    assert f"({0.1:g}), the net without batch norm comes to a loss of {target:.3f} in 40 steps." in text
    assert f"(0.1), the net with batch norm is there after {first}." in text
    assert "12 runs, each of 40 steps of 16 pictures, in 12 s; 2 seeds" in text
    assert "- without batch norm: at most 1; best at 0.1, with accuracy 0.5500 ± 0.0707" in text
    assert "- with batch norm: at most 1; best at 0.1, with accuracy 0.7500 ± 0.0707" in text
    for name, accuracy in (("without", 0.61), ("with", 0.81)):
        line = f"- {name} batch norm: test accuracy {accuracy:.4f} (one run) after 40 steps, the round at"
        assert line in text


def test_the_files_of_a_study_have_each_number_in_its_column(runs):
    results = list(csv.DictReader(study_report.results(runs).splitlines()))
    curves = list(csv.DictReader(study_report.curves(runs).splitlines()))
    for run, row in zip(runs, results, strict=True):
        assert (row["phase"], int(row["batch_norm"]), float(row["lr"])) == (run.phase, run.batch_norm, run.lr)
        assert (int(row["seed"]), int(row["steps"]), row["diverged"]) == (run.seed, run.steps, "0")
        assert float(row["final_loss"]) == pytest.approx(run.loss, abs=1e-4)
        assert float(row["test_accuracy"]) == pytest.approx(run.accuracy, abs=1e-4)
    assert len(curves) == 40 * len(runs)
    for run, begin in zip(runs, range(0, len(curves), 40), strict=True):
        part = curves[begin : begin + 40]
        assert [int(row["step"]) for row in part] == list(range(run.steps - 39, run.steps + 1))
        assert [float(row["loss"]) for row in part] == pytest.approx(run.losses, rel=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", [3e38, 0.0, 1e-320])
def test_the_figures_of_a_study_take_any_finite_loss(odd):
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    for losses in ([odd], [odd, 2, 1], [odd] * 3):
        for accuracy in (0.5, math.nan):
            runs = [made(net, 0.1, seed, losses, accuracy) for net in (False, True) for seed in range(2)]
            experiment = study.Experiment(Settings(steps=len(losses)), rates=(0.1,), rounds=(), seeds=2)
            study_report.summary(experiment, runs, 10, 1.0)
            assert study_figures.loss(runs)[:4] == study_figures.accuracy(runs, 0.1)[:4] == b"\x89PNG"


# -- a range test -----------------------------------------------------------------------------------------
def found_rates(losses):
    rates = np.geomspace(1e-4, 10, len(losses))
    return lr_find.Found(rates, np.array(losses, float), np.array(losses, float), float(rates[0]))


def test_the_curve_of_a_range_test_has_each_number_in_its_column():
    found = lr_find.Found(np.array([0.1, 0.2]), np.array([3.0, 1.0]), np.array([3.0, 2.0]), 0.1)
    assert lr_find.rows(found) == "step,lr,loss,smooth_loss\n1,0.1,3,3\n2,0.2,1,2\n"
    lines = list(lr_find_command.drawn(found))
    assert [line.split()[:4] for line in lines] == [["lr", "0.1", "loss", "3"], ["lr", "0.2", "loss", "2"]]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("losses", [[0.0], [0.0, 0.0], [1e38, 1.0], [2.0], [3e38] * 3, [1e-300, 1e-320]])
def test_a_range_test_of_any_losses_is_drawn(losses, tmp_path):
    pytest.importorskip("matplotlib")
    found = found_rates(losses)
    lr_find.plot(found, tmp_path / "x.png")
    assert len(list(lr_find_command.drawn(found))) == len(losses)
    assert lr_find._steepest(found.rates, found.smooth) in found.rates
