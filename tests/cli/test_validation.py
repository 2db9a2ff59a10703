"""`cynet train --validation SHARE`: the best weights are chosen on pictures held out, the test set waits."""

import contextlib
import csv
import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tiny

from cynet import cli, data
from cynet.data import DataLoader
from cynet.report import gather
from cynet.runs import contents as report_folder
from cynet.runs import ending
from cynet.runs.recorder import Recorder
from cynet.runs.weights import digests, file_of
from cynet.train import RunFolder, Session, Settings, Stopped, evaluate, load_weights, loop

FLAGS = (
    "--data", "tiny", "--model", "uwnet2", "--batch-size", 8, "--augment", "--workers", 0, "--lr", 0.01,
    "--steps", 21, "--validation", 0.25,
)  # fmt: skip
RESULTS = "last.safetensors", "best.safetensors", "metrics.csv", "steps.csv", "digests.csv", "test.json"

pytestmark = pytest.mark.usefixtures("one_thread")


def train(*arguments):
    return cli.main(["train", "--no-report", *map(str, arguments)])


def rows(run, name="metrics.csv"):
    with (Path(run) / name).open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def contents(run):
    return {
        name: rows(run, name) if name.endswith("csv") else (Path(run) / name).read_bytes() for name in RESULTS
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 21 steps, in epochs of 6, that nobody stopped."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert train(*FLAGS, "--run-dir", path) == 0
    return path


def session(**settings):
    """A session of the same pictures."""
    settings = Settings(**{"data": "tiny", "batch_size": 8, "workers": 0, "steps": 12} | settings)
    training, test = tiny.tiny(), tiny.tiny(split="test")
    samples = len(data.split(training, settings.validation, settings.split_seed)[0])
    return Session(settings.resolved(samples), training, test)


# -- what it says and keeps --------------------------------------------------------------------------------
def test_a_run_says_and_keeps_what_it_was_measured_on(tmp_path, capsys):
    run = tmp_path / "run"
    assert train(*FLAGS, "--run-dir", run) == 0
    out = capsys.readouterr().out
    assert "data tiny: 48 training, 16 validation and 20 test pictures of 3 classes" in out
    told = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert len(told) == 4 and all("validation loss" in line and "test" not in line for line in told)
    accuracies = [float(row["validation_accuracy"]) for row in rows(run)]
    best, last = max(accuracies), accuracies[-1]
    step = rows(run)[accuracies.index(best)]["step"]
    assert f"best validation accuracy {best:.4f}, after {step} steps: {run / 'best.safetensors'}; " in out
    assert f"of the last weights {last:.4f}" in out
    assert "the test set, looked at once, with the best weights:" in out and "chosen on the test" not in out
    tested = json.loads((run / "test.json").read_text())
    assert out.splitlines()[-1] == f"test accuracy {tested['accuracy']:.4f}"
    assert (tested["step"], tested["steps"], tested["samples"]) == (int(step), 21, 20)
    assert tested["sha256"] == hashlib.sha256((run / "best.safetensors").read_bytes()).hexdigest()
    config = tomllib.loads((run / "config.toml").read_text())
    assert (config["validation"], config["split_seed"]) == (0.25, 0)
    assert (config["origin"]["validation"], config["origin"]["split_seed"]) == ("flag", "default")
    kept, held_out = data.split(tiny.tiny(), 0.25)
    digest = hashlib.sha256(held_out.astype("<i8").tobytes()).hexdigest()[:16]
    assert json.loads((run / "env.json").read_text())["data"]["validation"] == {
        "share": 0.25, "seed": 0, "training": 48, "validation": 16, "sha256": digest
    }  # fmt: skip
    assert (len(kept), len(held_out)) == (48, 16)


def test_metrics_have_their_columns_where_they_were_under_the_name_of_the_measure(whole, tmp_path):
    assert train(*FLAGS[:-2], "--run-dir", tmp_path / "plain") == 0
    heads = [(run / "metrics.csv").read_text().splitlines()[0] for run in (whole, tmp_path / "plain")]
    assert heads[1] == "step,epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds"
    assert heads[0] == heads[1].replace("test_", "validation_")
    assert not (tmp_path / "plain" / "test.json").exists()


def test_without_it_the_run_says_at_its_end_what_the_best_was_chosen_on(tmp_path, capsys):
    assert train(*FLAGS[:-2], "--run-dir", tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert out.count("(chosen on the test set itself; --validation SHARE holds out pictures") == 1
    assert "validation loss" not in out and re.fullmatch(r"test accuracy [01]\.\d{4}", out.splitlines()[-1])


def test_the_best_weights_are_those_of_the_held_out_pictures(whole):
    training = tiny.tiny()
    with session(validation=0.25) as one:
        model, facts = load_weights(whole / "best.safetensors")
        found = evaluate(model, one.evaluation_batches)
    assert (facts.mean, facts.std) == (one.facts.mean, one.facts.std)
    assert found.samples.tolist() == np.bincount(training.labels[one.division.held_out]).tolist()
    best = max(float(row["validation_accuracy"]) for row in rows(whole))
    assert found.accuracy == pytest.approx(best, 1e-5)


def test_the_test_set_is_looked_at_once_and_last(tmp_path, monkeypatch, capsys):
    walk, walks = DataLoader.__iter__, []

    def noted(loader):
        walks.append(len(loader.dataset))
        return walk(loader)

    monkeypatch.setattr(DataLoader, "__iter__", noted)
    assert train(*FLAGS, "--steps", 40, "--run-dir", tmp_path / "run") == 0
    assert "estimate: " not in capsys.readouterr().out
    assert walks.count(20) == 1 and walks[-1] == 20 and walks.count(64) > 7
    del walks[:]
    assert train(*FLAGS, "--batch-size", 2, "--run-dir", tmp_path / "longer") == 0
    assert "estimate: " in capsys.readouterr().out  # that looks at pictures too
    assert walks.count(20) == 1 and walks[-1] == 20


# -- what is held out --------------------------------------------------------------------------------------
def test_held_out_pictures_take_no_part_in_training_at_all(monkeypatch):
    def trained(training):
        settings = Settings(data="tiny", batch_size=8, workers=0, steps=12, validation=0.25).resolved(48)
        with Session(settings, training, tiny.tiny(split="test")) as one:
            loop.train(one.trainer, one.batches, one.evaluation_batches, 12, measure=one.measure)
            return digests(one.model), one.facts

    plain, other = tiny.tiny(), tiny.tiny()
    other.images[data.split(other, 0.25)[1]] = 77
    assert trained(plain) == trained(other)
    other.images[data.split(other, 0.25)[0][:1]] = 77
    assert trained(plain) != trained(other)


def test_runs_of_different_seeds_are_compared_on_the_same_pictures():
    held_out = []
    for seeds in ({"seed": 0}, {"seed": 5}, {"split_seed": 1}):
        with session(validation=0.25, **seeds) as one:
            held_out.append(one.division.record()["sha256"])
            assert not set(one.division.held_out) & set(one.batches.order(3).tolist())
            assert len(one.batches.order(3)) == 48
    assert held_out[0] == held_out[1] != held_out[2]


def test_nothing_held_out_is_the_training_as_it_was():
    with session() as one:
        assert one.measure == "test" and one.evaluation_batches is one.test_batches
        assert one.division.record() is None and one.batches.sampler is None
        assert one.facts.mean == tuple(tiny.tiny().mean)


@pytest.mark.parametrize(("flags", "words"), [
    (("--validation", 1), "--validation: wanted a number of at least 0 and below 1, got '1'"),
    (("--validation", -0.1), "--validation: wanted a number of at least 0 and below 1, got '-0.1'"),
    (("--validation", "half"), "--validation: wanted a number of at least 0 and below 1, got 'half'"),
    (("--split-seed", -1), "--split-seed: wanted a whole number of at least 0, got '-1'"),
    (("--validation", 0.95), "--batch-size: wanted at most the 3 training samples, got 8"),
    (("--init-from", "x", "--validation", 0.2), "--init-from: cannot read x"),
])  # fmt: skip
def test_what_cannot_be_held_out_is_refused_in_one_line(tmp_path, capsys, flags, words):
    assert train(*FLAGS[:-2], *flags, "--run-dir", tmp_path / "run") == 2
    out, err = capsys.readouterr()
    assert words in err and (out, err.count("\n")) == ("", 1)
    assert not (tmp_path / "run").exists()


def test_a_set_of_single_pictures_has_none_to_hold_out():
    images = np.zeros((3, 3, 32, 32), np.uint8)
    single = data.ArrayDataset(images, [0, 1, 2], tuple("abc"))
    settings = Settings(batch_size=1, steps=2, workers=0, validation=0.5).resolved(3)
    with pytest.raises(ValueError, match=r"^validation: wanted a class with two pictures or more"):
        Session(settings, single, single)


# -- stopping and going on ---------------------------------------------------------------------------------
@pytest.fixture
def stop(monkeypatch):
    """A function: let the run be killed, or asked to stop, after this step."""
    stepped = Recorder.stepped

    def at(step, number=None):
        def stop(recorder, progress):
            stepped(recorder, progress)
            if progress.step == step:
                if number is None:
                    raise KeyError
                os.kill(os.getpid(), number)

        monkeypatch.setattr(Recorder, "stepped", stop)

    return at


@pytest.mark.parametrize("step", [1, 6, 7, 12, 20])
@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_a_run_that_was_stopped_comes_to_the_same_bytes(whole, tmp_path, stop, monkeypatch, step, number):
    run = tmp_path / "run"
    stop(step, number)
    if number is None:
        with pytest.raises(KeyError):
            train(*FLAGS, "--checkpoint-every", 5, "--run-dir", run)
    else:
        assert train(*FLAGS, "--run-dir", run) == 143
    monkeypatch.undo()
    assert train("--resume", run, "--threads", 2, "--workers", step % 3) == 0
    assert contents(run) == contents(whole)


def test_workers_do_not_change_a_byte(whole, tmp_path):
    assert train(*FLAGS, "--workers", 2, "--threads", 3, "--run-dir", tmp_path / "run") == 0
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize("error", [KeyError, Stopped(signal.SIGINT)])
def test_a_run_that_was_stopped_before_the_test_set_looks_at_it_when_it_goes_on(
    whole, tmp_path, monkeypatch, capsys, error
):
    run = tmp_path / "run"

    def stop(*_):
        raise error

    monkeypatch.setattr(ending, "tested", stop)
    if error is KeyError:
        with pytest.raises(KeyError):
            train(*FLAGS, "--run-dir", run)
    else:
        assert train(*FLAGS, "--run-dir", run) == 130
    monkeypatch.undo()
    assert not (run / "test.json").exists()
    capsys.readouterr()
    assert train("--resume", run) == 0
    out = capsys.readouterr().out
    assert "is finished" not in out and re.fullmatch(r"test accuracy [01]\.\d{4}", out.splitlines()[-1])
    assert contents(run) == contents(whole)
    assert out.splitlines()[-1] in (run / "log.txt").read_text()
    assert train("--resume", run) == 0
    assert "is finished: 21 of 21 steps" in capsys.readouterr().out
    assert train("--resume", run, "--steps", 24, "--allow-change", "steps") == 0
    assert json.loads((run / "test.json").read_text())["steps"] == 24


def test_best_weights_that_are_gone_are_told(whole, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    (run / "test.json").unlink()
    (run / "best.safetensors").unlink()
    assert train("--resume", run) == 1
    assert "error: the test set was not looked at: cannot read" in capsys.readouterr().err


@pytest.mark.parametrize(("flags", "words"), [
    (("--validation", 0.5), "--validation: wanted 0.25, as the run began, got 0.5: a picture that"),
    (("--validation", 0), "--validation: wanted 0.25, as the run began, got 0.0"),
    (("--split-seed", 3), "--split-seed: wanted 0, as the run began, got 3"),
])  # fmt: skip
@pytest.mark.parametrize("allowed", [False, True])
def test_what_is_held_out_is_settled_when_a_run_begins(whole, tmp_path, capsys, flags, words, allowed):
    run = shutil.copytree(whole, tmp_path / "run")
    more = ("--allow-change", flags[0][2:], "--steps", 30, "--allow-change", "steps") if allowed else ()
    assert train("--resume", run, *flags, *more) == 2
    assert words in capsys.readouterr().err


def test_another_way_of_drawing_is_refused(whole, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    environment = json.loads((run / "env.json").read_text())
    environment["data"]["validation"]["sha256"] = "0" * 16
    (run / "env.json").write_text(json.dumps(environment))
    assert train("--resume", run, "--steps", 30, "--allow-change", "steps") == 2
    assert "wanted the pictures held out that the run began with, digest 0000" in capsys.readouterr().err


def test_patience_is_that_of_the_held_out_pictures(tmp_path, capsys):
    flags = [0 if flag == 0.01 else flag for flag in FLAGS]
    assert train(*flags, "--no-augment", "--steps", 80, "--patience", 2, "--run-dir", tmp_path / "run") == 0
    out = capsys.readouterr().out
    steps = int(re.search(r"stopped after (\d+) steps: 2 epochs brought nothing better", out)[1])
    accuracies = [float(row["validation_accuracy"]) for row in rows(tmp_path / "run")]
    assert accuracies.index(max(accuracies)) == len(accuracies) - 3 and steps < 80
    assert json.loads((tmp_path / "run" / "test.json").read_text())["steps"] == steps
    assert train("--resume", tmp_path / "run") == 0
    assert "is finished" in capsys.readouterr().out


def test_learning_rates_are_found_without_the_held_out_pictures(tmp_path, capsys):
    assert train(*FLAGS, "--lr-find", "--run-dir", tmp_path / "run") == 0
    assert "suggestion: --lr" in capsys.readouterr().out


# -- the commands that read runs ---------------------------------------------------------------------------
def test_it_is_verified_and_compared(whole, tmp_path, capsys):
    assert cli.main(["verify", str(whole)]) == 0
    assert train(*FLAGS, "--run-dir", tmp_path / "again") == 0
    assert train(*FLAGS[:-2], "--run-dir", tmp_path / "plain") == 0
    assert train(*FLAGS, "--split-seed", 4, "--run-dir", tmp_path / "other") == 0
    capsys.readouterr()
    assert cli.main(["diff", str(whole), str(tmp_path / "again"), "--replay"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("equal: the losses of 21 steps")
    assert cli.main(["diff", str(whole), str(tmp_path / "plain")]) == 1
    out = capsys.readouterr().out
    assert "setting validation: 0.25 (flag) against 0.0 (default)" in out
    assert re.search(r"result validation_accuracy: [\d.]+ against none\n", out)
    assert cli.main(["diff", str(whole), str(tmp_path / "other")]) == 1
    out = capsys.readouterr().out
    assert "setting split_seed: 0 (default) against 4 (flag)" in out
    assert "environment pictures held out, digest: " in out


def test_evaluating_the_run_repeats_its_last_line(whole, capsys):
    assert cli.main(["evaluate", str(whole)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{whole / 'best.safetensors'}: ")
    accuracy = json.loads((whole / "test.json").read_text())["accuracy"]
    assert out.splitlines()[-1] == f"test accuracy {accuracy:.4f}"


def test_a_report_is_of_the_best_weights_and_names_the_measure(whole, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    plain = tmp_path / "plain"
    assert train(*FLAGS[:-2], "--run-dir", plain) == 0
    assert cli.main(["report", str(run), str(plain), "--no-timing"]) == 0
    text = (run / "report.html").read_text()
    found = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text)[1])
    assert found["file"] == "best.safetensors"
    assert found["test"]["accuracy"] == json.loads((run / "test.json").read_text())["accuracy"]
    assert [run["measure"] for run in found["runs"]] == ["validation", "test"]
    assert "validation_accuracy" in found["runs"][0]["epochs"] and found["missing"].keys() == {"layers"}
    assert found["command"].endswith("--validation 0.25 --batch-size 8 --steps 21 --lr 0.01")
    assert cli.main(["report", str(run), "--weights", "last", "--no-timing"]) == 0
    assert '"file":"last.safetensors"' in (run / "report.html").read_text()


def test_a_drawn_curve_names_the_measure(whole):
    pytest.importorskip("matplotlib")
    from cynet.report import plots

    run = gather._compared(report_folder.read(whole))
    loss, accuracy, _ = plots._curves(run).axes
    assert "validation" in [text.get_text() for text in loss.get_legend().get_texts()]
    assert accuracy.get_ylabel() == "validation accuracy, %"


def test_a_run_folder_knows_its_measure(whole, tmp_path):
    assert RunFolder.open(whole).measure == "validation"
    run = shutil.copytree(whole, tmp_path / "run")
    (run / "config.toml").write_text("no toml")
    assert RunFolder.open(run).measure == "test"  # until somebody reads it, and says so
    assert RunFolder(tmp_path / "new").measure == "test"


def test_a_loss_that_is_no_number_names_the_measure():
    settings = {"validation": 0.25, "lr": 1e30, "batch_norm": False, "batch_size": 48}
    with session(**settings) as one, pytest.raises(loop.Diverged, match="the validation loss is"):
        loop.train(one.trainer, one.batches, one.evaluation_batches, 1, measure=one.measure)


# -- its end, and from Python --------------------------------------------------------------------------------
def test_the_page_at_the_end_of_a_run_is_of_the_weights_that_it_came_to(tmp_path, monkeypatch):
    worse = iter([0.9, 0.1, 0.1, 0.1])
    monkeypatch.setattr(Recorder, "evaluated", _with_accuracy(Recorder.evaluated, worse))
    assert cli.main(["train", *map(str, FLAGS), "--run-dir", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert '"file":"best.safetensors"' in page
    tested = json.loads((tmp_path / "run" / "test.json").read_text())
    assert f'"accuracy":{tested["accuracy"]:.6g}' in page.replace(" ", "")


def _with_accuracy(evaluated, accuracies):
    """`Recorder.evaluated`, which is told of other accuracies: the first evaluation is the best."""

    def told(self, result):
        accuracy, samples = next(accuracies), result.test.samples
        right = np.minimum(np.round(samples * accuracy).astype(int), samples)
        test = dataclasses.replace(result.test, confusion=np.diag(right))
        evaluated(self, dataclasses.replace(result, test=test))

    return told


def test_another_look_at_the_test_set_is_called_one(whole, tmp_path, capsys):
    shutil.copytree(whole, tmp_path / "run")
    capsys.readouterr()
    assert train("--resume", tmp_path / "run", "--steps", 24, "--allow-change", "steps") == 0
    assert "the test set, looked at again (before: after 21 steps), with the best" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "test.json").read_text())["before"] == [21]


def test_a_session_trains_on_what_is_kept_and_measures_on_what_is_held_out(tmp_path):
    training, test = tiny.tiny(), tiny.tiny(split="test")
    settings = Settings(data="tiny", batch_size=8, workers=0, epochs=2, validation=0.25).resolved(training)
    assert settings.steps == 2 * (48 // 8)
    folder = RunFolder(tmp_path / "run")
    folder.write_config(settings.flat())
    with contextlib.closing(folder), Session(settings, training, test) as made:
        recorder = Recorder(folder, made)
        result = made.train([recorder])
        assert (result.measure, result.test.samples.sum()) == ("validation", 16)
        with pytest.raises(ValueError, match="measure: wanted evaluations on the validation pictures"):
            recorder.evaluated(dataclasses.replace(result, measure="test"))


@pytest.mark.parametrize("text", ["x = [", ""])
def test_what_a_run_came_to_is_known_without_its_configuration(whole, tmp_path, text):
    run = shutil.copytree(whole, tmp_path / "run")
    (run / "config.toml").write_text(text)
    assert file_of(run) == run / "best.safetensors"
    (run / "last.ckpt").write_bytes(b"damaged")
    assert file_of(run) == run / "best.safetensors"
    (run / "last.prev.ckpt").unlink()
    assert file_of(run) == run / "last.safetensors"
