"""Uneven classes: what a training says of them, `--balanced`, `--class-weights balanced`."""

import csv
import json
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tiny
from helpers import run_python

import cynet
from cynet import cli, data
from cynet.runs import remarks, replay
from cynet.runs.recorder import Recorder
from cynet.runs.watching import doctor_of
from cynet.train import Session, Settings, diagnosis, evaluate, loop

COUNTS = {"train": (60, 20, 4), "test": (8, 8, 8)}
FLAGS = (
    "--data", "unequal", "--batch-size", 8, "--augment", "--workers", 0, "--lr", 0.01, "--steps", 23,
)  # fmt: skip
RESULTS = "last.safetensors", "best.safetensors", "metrics.csv", "steps.csv", "digests.csv"

pytestmark = pytest.mark.usefixtures("one_thread")


def uneven(root=None, split="train", counts=COUNTS, classes=tiny.CLASSES):
    """Pictures as tiny's, so many of each class."""
    random = np.random.default_rng([3, split == "test"])
    labels = random.permutation(np.repeat(np.arange(len(counts[split])), counts[split]))
    images = random.integers(0, 120, (len(labels), 3, 32, 32)) + labels[:, None, None, None] * 60
    return data.ArrayDataset(images.clip(0, 255).astype(np.uint8), labels, classes)


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The data set "unequal", within this file."""
    from cynet.data import registry

    data.register("unequal", uneven)
    yield
    registry.dataset.remove("unequal")


def train(*arguments):
    return cli.main(["train", "--no-report", *map(str, arguments)])


def contents(run):
    found = {}
    for name in RESULTS:
        if name.endswith("csv"):
            with (Path(run) / name).open() as file:
                found[name] = [row | {"seconds": None} for row in csv.DictReader(file)]
        else:
            found[name] = (Path(run) / name).read_bytes()
    return found


def session(training=None, **settings):
    settings = Settings(**{"data": "unequal", "batch_size": 8, "workers": 0, "steps": 12} | settings)
    training, test = training or uneven(), uneven(split="test")
    samples = len(data.split(training, settings.validation, settings.split_seed)[0])
    return Session(settings.resolved(samples), training, test)


# -- what the start says -----------------------------------------------------------------------------------
def test_the_start_says_that_classes_are_uneven_and_what_to_do(tmp_path, capsys):
    assert train(*FLAGS, "--run-dir", tmp_path / "run") == 0
    told = "classes are uneven: 60 pictures of a, 4 of c"
    out = capsys.readouterr().out
    assert f"{told}; --balanced draws every class as often, --class-weights balanced weighs the rare" in out
    assert "--resume" not in out and train("--resume", tmp_path / "run") == 0
    assert told not in capsys.readouterr().out
    for flags in (("--balanced",), ("--class-weights", "balanced")):
        assert train(*FLAGS, *flags, "--run-dir", tmp_path / flags[0]) == 0
        assert f"{told}\n" in capsys.readouterr().out


def test_even_classes_are_not_spoken_of():
    with session(tiny.tiny(), data="tiny") as one:
        assert remarks.of(one) == []


def test_what_is_empty_single_or_not_held_out_is_named():
    counts = {"train": (60, 1, 0, 20), "test": COUNTS["test"]}
    dataset = uneven(counts=counts, classes=tuple("abcd"))
    with session(dataset, validation=0.2, class_weights="balanced") as one:
        lines = remarks.of(one)
    assert lines == [
        "classes are uneven: 48 pictures of a, 1 of b",
        "no pictures of: c; a single picture of: b",
        "validation has no pictures of: b; a class's only picture is trained on",
        "class weights in the loss of training: a 0.451, b 21.7, d 1.35, without pictures c 0; evaluations "
        "weigh every picture the same",
        "an epoch is 8 steps of 8 and leaves out 1 of 65 pictures: try --batch-size 5 (13 steps, none left "
        "out)",
    ]


def test_many_classes_are_told_by_the_ends_of_their_weights():
    counts, names = (40, *[20] * 10, 10), tuple("abcdefghijkl")
    with session(uneven(counts={"train": counts}, classes=names), class_weights="balanced") as one:
        *_, line = remarks.of(one)
    assert line.startswith("class weights in the loss of training: a 0.521 to l 2.08; evaluations")


def test_few_pictures_are_told_with_a_better_batch_size(tmp_path, capsys):
    assert train(*FLAGS, "--batch-size", 48, "--run-dir", tmp_path / "run") == 0
    wanted = "an epoch is 1 step of 48 and leaves out 36 of 84 pictures: try --batch-size 42 (2 steps, none"
    assert wanted in capsys.readouterr().out
    assert train(*FLAGS, "--batch-size", 48, "--balanced", "--run-dir", tmp_path / "drawn") == 0
    assert "leaves out 36 of 84 draws" in capsys.readouterr().out
    assert train(*FLAGS, "--batch-size", 85, "--run-dir", tmp_path / "none") == 2
    wanted = "--batch-size: wanted at most the 84 training samples, got 85 (7 makes 12 steps an epoch)\n"
    assert capsys.readouterr().err.endswith(wanted)


# -- balanced ----------------------------------------------------------------------------------------------
def test_balanced_draws_every_class_as_often():
    with session(balanced=True) as one:
        order = np.concatenate([one.batches.order(epoch) for epoch in range(100)])
        assert len(one.batches.order(0)) == 84 and len(one.batches) == 10
        counts = np.bincount(one.batches.dataset.labels[order])
        np.testing.assert_allclose(counts / counts.sum(), 1 / 3, atol=0.02)
    with session(balanced=True, validation=0.25) as one:
        drawn = set(np.concatenate([one.batches.order(epoch) for epoch in range(40)]).tolist())
        assert drawn == set(one.division.kept.tolist()) and len(one.batches.order(0)) == 63


@pytest.mark.parametrize("more", [(), ("--validation", 0.25), ("--mixup", 0.3, "--ema", 0.9)])
@pytest.mark.parametrize("flags", [("--balanced",), ("--class-weights", "balanced")])
def test_a_run_that_was_killed_comes_to_the_same_bytes(tmp_path, monkeypatch, flags, more):
    flags = (*FLAGS, *flags, *more)
    assert train(*flags, "--run-dir", tmp_path / "whole") == 0
    stepped = Recorder.stepped

    def stop(recorder, progress):
        stepped(recorder, progress)
        if progress.step == 14:
            raise KeyError

    monkeypatch.setattr(Recorder, "stepped", stop)
    with pytest.raises(KeyError):
        train(*flags, "--workers", 1, "--checkpoint-every", 3, "--run-dir", tmp_path / "run")
    monkeypatch.undo()
    assert train("--resume", tmp_path / "run", "--workers", 2, "--threads", 2) == 0
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert cli.main(["verify", str(tmp_path / "run"), "--steps", "23"]) == 0


def test_the_samples_of_a_step_that_broke_are_those_that_were_drawn():
    with session(balanced=True, validation=0.25, lr=1e30, batch_norm=False) as one:
        with pytest.raises(loop.Diverged) as caught:
            loop.train(one.trainer, one.batches, one.evaluation_batches, 100)
        indices = diagnosis.samples(one.trainer, one.batches)
        np.testing.assert_array_equal(one.batches.dataset.labels[indices], caught.value.batch[1])
        assert set(indices.tolist()) <= set(one.division.kept.tolist())


# -- class weights -----------------------------------------------------------------------------------------
def test_class_weights_are_those_of_the_pictures_that_are_trained_on_and_of_training_alone():
    with session(class_weights="balanced", validation=0.25, label_smoothing=0.1) as one:
        kept = one.batches.dataset.labels[one.division.kept]
        np.testing.assert_array_equal(one.class_weights, 63 / (3 * np.bincount(kept)))
        x, y = next(iter(one.batches))
        logits = one.model(x)
        weighted = cynet.CrossEntropyLoss(0.1, weight=one.class_weights)
        assert one.trainer.step(x, y) == pytest.approx(weighted(logits, y), 1e-5)
        found = evaluate(one.model, one.evaluation_batches)
        x, y = next(iter(one.evaluation_batches))
        with cynet.no_grad():
            logits = one.model.eval()(x)
        assert found.loss == pytest.approx(cynet.CrossEntropyLoss()(logits, y), 1e-5)


def test_class_weights_are_shown_and_recorded(tmp_path, capsys):
    run = tmp_path / "run"
    assert train(*FLAGS, "--class-weights", "balanced", "--run-dir", run) == 0
    assert (
        "class weights in the loss of training: a 0.467, b 1.4, c 7; evaluations weigh every picture the same"
        in capsys.readouterr().out
    )
    assert tomllib.loads((run / "config.toml").read_text())["class_weights"] == "balanced"
    weights = json.loads((run / "env.json").read_text())["data"]["class_weights"]
    assert weights == data.class_weights(uneven().labels, 3).tolist()


def test_the_step_of_a_diverged_run_is_taken_again_with_its_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = ("--no-batch-norm", "--lr", 1e30, "--class-weights", "balanced", "--run-dir", "run")
    assert train(*FLAGS, *flags) == 1
    out, err = capsys.readouterr()
    assert "the weights before that step are in run/diverged.safetensors, its batch in" in out
    [line] = [line for line in out.splitlines() if line.startswith("  python -c ")]
    with np.load(tmp_path / "run" / replay.BATCH) as kept:
        assert kept["class_weights"].tolist() == data.class_weights(uneven().labels, 3).tolist()
    again = run_python(*shlex.split(line)[1:])
    assert again.stderr.endswith(f"Diverged: {err.split('error: ')[1].split(';')[0]}\n")


# -- diagnosis ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("settings", "guessing"), [
    ({}, 0.727), ({"balanced": True}, np.log(3)), ({"class_weights": "balanced"}, np.log(3)),
])  # fmt: skip
def test_what_guessing_gives_is_as_the_loss_of_training_sees_it(settings, guessing):
    with session(**settings) as one:
        doctor = doctor_of(one, print)
        assert (doctor.guessing, doctor.chance) == (pytest.approx(guessing, abs=1e-3), 1 / 3)


def test_a_model_that_knows_the_classes_of_an_uneven_set_is_no_guesser():
    said = []
    with session(lr=0.01, steps=160) as one:
        doctor = doctor_of(one, said.append)
        loop.train(one.trainer, one.batches, one.evaluation_batches, 160, [doctor])
    assert said == []
    assert diagnosis.shuffled(0.1, 0.7, 0.9, 0.5) is None
    assert diagnosis.shuffled(0.1, 0.7, 0.55, 0.5) is not None
    assert diagnosis.shuffled(0.0, 0.0, 1.0, 1.0) is diagnosis.not_falling(200, 0.0, 0.0, 0.1) is None
