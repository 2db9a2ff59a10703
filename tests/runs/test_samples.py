"""What a net of texts writes after each evaluation: the training is not touched, a kill changes nothing."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from own_nets import Doubled

import cynet
from cynet import runs
from cynet.core import random
from cynet.core.tasks import STRATEGIES
from cynet.data.text import Text, Vocabulary
from cynet.runs import contents, recorder, samples
from cynet.runs.writer import Writer
from cynet.train import Settings, load_weights
from cynet.train.generation import generate
from cynet.train.loop import Observer

pytestmark = pytest.mark.usefixtures("one_thread")
CONTENT = "the quick brown fox jumps over the lazy dog. " * 40
EPOCH = 36  # steps
PROMPT = "the quick brown fox jumps over the lazy "  # with which the last 360 of 1,800 letters begin


def started(folder, name="run", observers=(), **changes):
    (folder / "own.txt").write_text(CONTENT)
    values = {
        "model": "language_model", "model_option": '{"embedding": 6, "hidden": 8}', "data": "text",
        "data_dir": str(folder / "own.txt"), "batch_size": 4, "optimizer": "adam", "lr": 0.01,
        "steps": 3 * EPOCH, "sequence_length": 10, "seed": 5,
    }  # fmt: skip
    settings = Settings(**values | changes)
    return runs.start(settings, folder / name, report=False, say=None, observers=observers)


def rows(path):
    return [json.loads(line) for line in (path / "samples.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("samples")
    started(place)
    return place / "run"


def test_a_row_for_each_evaluation_from_one_prompt(run):
    found = rows(run)
    assert [(row["step"], row["epoch"]) for row in found] == [(36, 1), (72, 2), (108, 3)]
    assert {row["prompt"] for row in found} == {PROMPT} and len(PROMPT) == 40
    assert all(len(row[strategy]) == 160 for row in found for strategy in STRATEGIES)
    assert len({row["sample"] for row in found}) == 3
    assert contents.read(run).samples == {name: [row[name] for row in found] for name in found[0]}


def test_the_last_row_is_what_the_weights_write(run):
    writer, last = Writer(run), rows(run)[-1]
    for strategy in STRATEGIES:
        seed = samples.seed_of(5, 3)
        assert PROMPT + last[strategy] == "".join(writer.pieces(PROMPT, 160, strategy, 1.0, 4, seed)), (
            strategy
        )


def test_the_weights_and_the_random_state_are_what_they_were_without(run, tmp_path, monkeypatch):
    states = []
    observer = Observer()
    observer.evaluated = lambda result: states.append(random.get_state())
    started(tmp_path, "with", [observer])
    monkeypatch.setattr(recorder, "sampler_of", lambda session: None)
    started(tmp_path, "without", [observer])
    assert not (tmp_path / "without" / "samples.jsonl").exists() and states[:3] == states[3:]
    for name in ("last.safetensors", "best.safetensors", "steps.csv", "digests.csv"):
        one, other, third = ((path / name).read_text(errors="replace") for path in
                             (tmp_path / "with", tmp_path / "without", run))  # fmt: skip
        if name == "steps.csv":  # but for the seconds
            one, other, third = ([line.rpartition(",")[0] for line in text.splitlines()]
                                 for text in (one, other, third))  # fmt: skip
        assert one == other == third, name


def test_a_run_that_was_stopped_within_an_epoch_comes_to_the_same_rows(run, tmp_path):
    observer = Observer()

    def stop(progress):
        if progress.step == 80:
            os.kill(os.getpid(), signal.SIGTERM)

    observer.stepped = stop
    assert started(tmp_path, "run", [observer]).status == "stopped"
    assert len(rows(tmp_path / "run")) == 2
    assert runs.resume(tmp_path / "run", report=False, say=None).status == "finished"
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == (run / "samples.jsonl").read_bytes()


@pytest.mark.parametrize("torn", ["", '{"step": 144, "epoch": 4, "pro'])
def test_rows_after_the_checkpoint_come_again(run, tmp_path, torn):
    observer, kept = Observer(), []

    def keep(progress):
        if progress.step == 80 and not kept:
            kept.append(shutil.copytree(tmp_path / "run", tmp_path / "kill"))

    observer.stepped = keep
    started(tmp_path, "run", [observer], checkpoint_every=10)
    whole = (run / "samples.jsonl").read_text()
    assert (tmp_path / "run" / "samples.jsonl").read_text() == whole
    # as a kill leaves it: rows beyond the checkpoint of step 70 or 80, and one that was cut short
    (tmp_path / "kill" / "samples.jsonl").write_text(whole + torn)
    assert runs.resume(tmp_path / "kill", report=False, say=None).status == "finished"
    assert (tmp_path / "kill" / "samples.jsonl").read_text() == whole
    assert not list((tmp_path / "kill").glob("samples.set-aside*"))


def test_they_are_of_the_averaged_weights_where_these_are_kept(tmp_path):
    started(tmp_path, ema=0.9, steps=EPOCH)
    writer = Writer(tmp_path / "run")
    assert PROMPT + rows(tmp_path / "run")[0]["max"] == writer(PROMPT, 160, "max")


def test_of_words_there_are_fewer(tmp_path):
    started(tmp_path, level="word", steps=5)
    (row,) = [row for row in rows(tmp_path / "run") if row["step"] == 5]
    assert row["prompt"] == PROMPT.rstrip()
    for strategy in STRATEGIES:
        assert len(row[strategy].split(" ")) == 40


def test_seeds_differ_by_run_and_by_epoch():
    found = {samples.seed_of(seed, epoch) for seed in range(30) for epoch in range(30)}
    assert len(found) == 900 and all(0 <= seed < 2**63 for seed in found)
    assert samples.seed_of(0, 1) == 3344351381287272578  # the rows of a run are those of tomorrow's cynet


def test_the_prompt_is_short_where_the_text_is():
    cynet.seed(0)
    model = cynet.models.create("language_model", (4,), 3, embedding=2, hidden=3)
    made = samples.Sampler(model, Vocabulary("abc"), np.array([2, 0, 1]), 0)
    row = made.row(7, 1)
    assert row["prompt"] == "cab" and len(row["beam"]) == 160
    expected = Vocabulary("abc").decode(generate(model, [2, 0, 1], 160))
    assert row["max"] == expected and (row["step"], row["epoch"]) == (7, 1)


def test_a_net_that_cannot_be_gone_on_from_writes_none(tmp_path):
    (tmp_path / "own.txt").write_text(CONTENT)
    settings = Settings(
        data="text", data_dir=str(tmp_path / "own.txt"), batch_size=4, steps=4, sequence_length=10
    )
    runs.start(
        settings,
        tmp_path / "run",
        report=False,
        say=None,
        model=lambda input_shape, classes: Doubled(classes),
    )
    assert not (tmp_path / "run" / "samples.jsonl").exists()
    assert contents.read(tmp_path / "run").samples == {}


def test_a_link_in_its_place_is_refused_before_anything_is_trained(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    (tmp_path / "victim").write_text("kept")
    (other / "samples.jsonl").unlink()
    (other / "samples.jsonl").symlink_to("../victim")
    with pytest.raises(ValueError, match=r"samples\.jsonl: wanted a file"):
        runs.resume(other, report=False, say=None, allow_change=["steps"], steps=144)
    assert (tmp_path / "victim").read_text() == "kept"
    assert contents.read(other).samples == {}


def test_the_prompt_is_how_the_text_for_testing_begins(run):
    vocabulary = Vocabulary.from_dict(load_weights(run)[1].vocabulary)
    assert vocabulary.decode(Text.of(CONTENT).test[:40]) == PROMPT
