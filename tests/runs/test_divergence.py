"""A training that came to no number: what is kept of it, and the ways out that are said."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet.cli.gathering import Flags
from cynet.runs import divergence
from cynet.train.tasks import task_of


@pytest.fixture
def run(tmp_path):
    """A session of three classes and its folder, of which the last row and the files are told."""

    def make(loss=0.5, checkpoint="last.ckpt", best=False, **settings):
        place = tmp_path / "a run"
        place.mkdir(exist_ok=True)
        if best:
            (place / "best.safetensors").touch()
        row = None if loss is None else {"train_loss": loss}
        folder = SimpleNamespace(
            path=place, checkpoint=checkpoint and place / checkpoint, best=place / "best.safetensors",
            metrics=SimpleNamespace(last=lambda: row), own=lambda name: place / name,
        )  # fmt: skip
        settings = {"schedule": "constant", "lr_steps": {}} | settings
        facts = SimpleNamespace(classes=("a", "b", "c"))
        session = SimpleNamespace(
            task=task_of(),
            settings=SimpleNamespace(**settings),
            facts=facts,
            model="the model",
            class_weights=None,
            trainer="the trainer",
            batches="the batches",
        )
        return session, folder

    return make


def ways_out(session, folder):
    said = []
    divergence._ways_out(session, folder, said.append, Flags())
    return [line.replace(str(folder.path), "RUN") for line in said]


GUESSING = np.log(3)


@pytest.mark.parametrize(("settings", "change"), [
    ({}, "--lr RATE --allow-change lr"),
    ({"schedule": "cosine", "lr_steps": {5: 0.1}}, "--lr RATE --allow-change lr"),
    ({"schedule": "steps", "lr_steps": {}}, "--lr RATE --allow-change lr"),
    ({"schedule": "steps", "lr_steps": {5: 0.1}}, "--lr-steps STEP:RATE,... --allow-change lr-steps"),
])  # fmt: skip
@pytest.mark.parametrize("loss", [None, 0.5, 2 * GUESSING])
def test_a_sound_checkpoint_goes_on_with_a_lower_rate(run, loss, settings, change):
    assert ways_out(*run(loss, **settings)) == [
        "the last checkpoint, RUN/last.ckpt, is from before, and by itself would come to the same end; "
        f"with a lower rate: cynet train --resume 'RUN' {change}"
    ]


@pytest.mark.parametrize("best", [False, True])
def test_a_checkpoint_that_is_spoilt_is_told_with_its_loss(run, best):
    said = ways_out(*run(2 * GUESSING + 0.01, best=best))
    assert (
        said[0] == f"the last checkpoint, RUN/last.ckpt, is spoilt too: its loss is {2 * GUESSING + 0.01:g}"
    )
    anew = "better begin anew from the best weights: cynet train --init-from 'RUN/best.safetensors' --lr RATE"
    assert said[1:] == [anew] * best


def test_without_a_checkpoint_there_is_no_way(run):
    assert ways_out(*run(9.0, checkpoint=None)) == []


@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 0.5])])
def test_what_shows_it_again_is_kept(run, monkeypatch, weights):
    session, folder = run()
    session.class_weights, kept, said = weights, [], []
    monkeypatch.setattr(divergence, "save_weights", lambda *given: kept.append(given))
    monkeypatch.setattr(divergence.diagnosis, "samples", lambda trainer, batches: np.array([4, 5]))
    monkeypatch.setattr(divergence.diagnosis, "not_finite", lambda *given: "the finding")
    x, y = np.ones((2, 3), np.float32), np.array([1, 2])
    broken = SimpleNamespace(step=7, batch=(x, y), carried={})
    advice = divergence.explain(session, folder, broken, said.append, Flags())
    ((place, *what),) = kept
    assert what == ["the model", session.facts] and place.parent == folder.path
    with np.load(folder.path / divergence.replay.BATCH) as batch:
        found = {name: batch[name].tolist() for name in batch}
    wanted = {"x": x.tolist(), "y": [1, 2], "step": 7, "samples": [4, 5]}
    assert found == wanted | ({} if weights is None else {"class_weights": weights.tolist()})
    assert said[0] == "the finding" and "its batch in" in said[1] and "replay.diverged(" in said[2]
    assert tuple(said[3:]) == advice and len(advice) == 1


def test_without_a_batch_the_weights_alone_are_kept(run, monkeypatch):
    session, folder = run()
    kept, said = [], []
    monkeypatch.setattr(divergence, "save_weights", lambda *given: kept.append(given))
    divergence._keep(session, folder, SimpleNamespace(step=7, batch=None), said.append)
    assert len(kept) == 1 and said == [] and not (folder.path / divergence.replay.BATCH).exists()


def test_a_full_disk_is_noted_and_the_ways_out_are_said(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    session, folder = run()
    monkeypatch.setattr(divergence, "save_weights", full)
    monkeypatch.setattr(divergence.diagnosis, "not_finite", lambda *given: "the finding")
    said = []
    broken = SimpleNamespace(step=7, batch=None)
    advice = divergence.explain(session, folder, broken, said.append, Flags())
    assert said == ["the finding", "note: what shows it again is not kept: No space left on device", *advice]


@pytest.mark.parametrize(("task", "labels", "guessing"), [
    ("multilabel", [[0, 1], [1, 1], [0, 1], [1, 1]], np.log(2) / 2),
    ("regress", np.float32([[0], [4], [0], [4]]), 4.0),
])  # fmt: skip
def test_what_guessing_comes_to_is_that_of_the_task(run, task, labels, guessing):
    for loss, spoilt in ((2 * guessing - 0.01, False), (2 * guessing + 0.01, True)):
        session, folder = run(loss)
        session.task = task_of(task)
        session.batches = SimpleNamespace(dataset=SimpleNamespace(labels=np.array(labels)))
        assert ("is spoilt too" in ways_out(session, folder)[0]) == spoilt


def test_without_a_checkpoint_no_way_out_is_said(run):
    assert ways_out(*run(checkpoint=None)) == ways_out(*run(9.0, checkpoint=None, best=True)) == []
