"""What is trained again, and compared, to the very step: the first that differs, the last that does not."""

import contextlib
import re
from dataclasses import replace

import numpy as np
import pytest
import tiny
from damages import bounded, damaged_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_replay import history, session

from cynet.core import random
from cynet.data import ArrayDataset
from cynet.runs import replay
from cynet.runs.replay import (
    Difference,
    History,
    Replay,
    first_difference,
    first_loss,
    first_settings,
    first_tensors,
    verify,
)
from cynet.train import Diverged, RunFolder, Session, Settings, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
LAST = 7


@pytest.fixture(scope="module")
def kept():
    return history(Replay(session()), LAST)


def other(kept, losses=(), tensors=()):
    """A history in which the losses of these steps, and the tensors (step, name), are others."""
    found = {step: loss + (step in losses) for step, loss in kept.losses.items()}
    digests = {
        step: {name: "0" * 64 if (step, name) in tensors else sha for name, sha in row.items()}
        for step, row in kept.digests.items()
    }
    return History(found, digests)


def told(differences):
    return [(each.step, each.what) for each in differences]


@pytest.mark.parametrize("step", range(1, LAST + 1))
def test_the_first_loss_that_differs_is_named_at_each_step(kept, step):
    changed = other(kept, losses=(step, step + 1))
    found = verify(Replay(session()), changed, LAST)
    assert told(found) == [(step, "loss")]
    assert (found[0].one, found[0].other) == (kept.losses[step] + 1, kept.losses[step])
    assert verify(Replay(session()), changed, step - 1) == []
    assert told([first_loss(kept, changed)]) == [(step, "loss")]
    assert (first_loss(kept, changed).one, first_loss(kept, changed).other) == (
        kept.losses[step], kept.losses[step] + 1
    )  # fmt: skip


@pytest.mark.parametrize("step", range(LAST + 1))
def test_the_first_tensors_that_differ_are_named_at_each_step(kept, step):
    changed = other(kept, tensors=[(step, "0.bias"), (step, "4.bias"), (step + 1, "0.weight")])
    found = verify(Replay(session()), changed, LAST)
    assert told(found) == [(step, "0.bias"), (step, "4.bias")]
    assert (found[0].one, found[0].other) == ("0" * 12, kept.digests[step]["0.bias"][:12])
    if step:
        assert verify(Replay(session()), changed, step - 1) == []
    equal, parted = first_tensors(kept, changed)
    assert equal == (step - 1 if step else None) and told(parted) == [(step, "0.bias"), (step, "4.bias")]
    assert (parted[0].one, parted[0].other) == (kept.digests[step]["0.bias"][:12], "0" * 12)


def test_losses_and_tensors_are_found_each_at_its_own_step(kept):
    changed = other(kept, losses=[2], tensors=[(5, "4.bias")])
    assert told(verify(Replay(session()), changed, LAST)) == [(2, "loss"), (5, "4.bias")]
    changed = other(kept, losses=[6], tensors=[(3, "4.bias")])
    assert told(verify(Replay(session()), changed, LAST)) == [(6, "loss"), (3, "4.bias")]


def test_tensors_are_compared_where_they_were_kept(kept):
    few = History(kept.losses, {step: kept.digests[step] for step in (0, 2, 5)})
    assert verify(Replay(session()), few, LAST) == []
    changed = other(few, tensors=[(5, "0.bias")])
    assert told(verify(Replay(session()), changed, LAST)) == [(5, "0.bias")]
    assert told(verify(Replay(session()), History(kept.losses, {}), LAST)) == []


def test_a_loss_that_was_not_kept_is_a_difference(kept):
    short = History({step: loss for step, loss in kept.losses.items() if step != 4}, kept.digests)
    found = verify(Replay(session()), short, LAST)
    assert told(found) == [(4, "loss")] and found[0].one is None


def test_equal_histories_have_no_difference(kept):
    assert first_loss(kept, kept) is None
    assert first_tensors(kept, kept) == (LAST, [])
    assert first_tensors(kept, History({}, {})) == (None, [])
    few = History({}, {step: kept.digests[step] for step in (0, 2, 5)})
    assert first_tensors(kept, few) == (5, [])


def test_a_tensor_of_one_alone_differs(kept):
    less = {
        step: {name: sha for name, sha in row.items() if name != "0.bias"}
        for step, row in kept.digests.items()
    }
    _, parted = first_tensors(kept, History({}, less))
    assert told(parted) == [(0, "0.bias")] and parted[0].other == "none"
    _, parted = first_tensors(History({}, less), kept)
    assert told(parted) == [(0, "0.bias")] and parted[0].one == "none"


@pytest.mark.parametrize("steps", [5, 6, 7, 12])
def test_trained_side_by_side_the_very_step_is_found(steps):
    """The rate differs from step 7 on, which is a difference after it."""
    found = first_difference(Replay(session()), Replay(session(lr=0.2)), steps)
    assert (found and told([found])) == (None if steps < 7 else [(7, "0.weight")])


def test_a_loss_that_differs_is_named_before_the_tensors():
    one, twin = Replay(session()), Replay(session())
    step = twin.step
    seen = []

    def louder():
        loss, batch = step()
        seen.append(loss)
        return loss + (len(seen) == 3), batch

    twin.step = louder
    found = first_difference(one, twin, 5)
    assert told([found]) == [(3, "loss")] and found.other == found.one + 1


def test_a_replay_takes_its_own_random_numbers():
    first, again = Replay(session()), None
    losses = [first.step()[0] for _ in range(3)]
    again = Replay(session())
    random.next_key()
    found = []
    for _ in range(3):
        found.append(again.step()[0])
        random.next_key()
    assert found == losses


@pytest.mark.parametrize("changed", ["pictures", "labels", "order"])
def test_a_batch_is_told_by_its_pictures_labels_and_their_order(changed):
    found = []
    for changes in (False, True):
        one = Replay(session())
        x, y = (array.copy() for array in next(one._batches))
        if changes and changed == "pictures":
            x[-1, -1, -1, -1] += 1
        elif changes and changed == "labels":
            y[-1] = (y[-1] + 1) % 2
        elif changes:
            x, y = np.ascontiguousarray(x[::-1]), np.ascontiguousarray(y[::-1])
        one._batches = iter([(x, y)])
        found.append(one.step()[1])
    assert found[0] != found[1] and all(len(digest) == 64 for digest in found)


def test_a_step_that_diverges_is_told_as_no_number():
    made = session()
    made.model[0].weight.data[:] = np.nan
    loss, batch = Replay(made).step()
    assert np.isnan(loss) and len(batch) == 64


def test_what_was_not_kept_is_a_gap():
    digests = {step: {} for step in (0, 1, 5, 10, 11)}
    assert History({}, digests).gaps(25) == [2, 20]
    assert History({}, digests).gaps(19) == [2]
    assert History({}, digests).gaps(1) == []
    assert History({}, {}).gaps(0) == []


def test_a_difference_says_when():
    assert str(Difference(1, "loss", 0.5, 0.25)) == "at step 1: loss: 0.5 against 0.25"
    assert str(Difference(0, "loss", 0.5, 0.25)).startswith("before the first step: ")


def test_the_settings_of_the_first_steps_are_those_before_the_first_change():
    now = Settings(momentum=0.3, seed=4)
    parts = [
        {"after_step": 3, "changed": {}}, {"after_step": 5, "changed": {"momentum": [0.9, 0.5]}},
        {"after_step": 8}, {"after_step": 9, "changed": {"momentum": [0.5, 0.3], "seed": [1, 4]}},
    ]  # fmt: skip
    assert first_settings(now, parts) == (replace(now, momentum=0.9, seed=1), 5)
    assert first_settings(now, parts[2:]) == (replace(now, momentum=0.5, seed=1), 9)
    assert first_settings(now, parts[:1]) == first_settings(now, []) == (now, None)
    changed = [{"after_step": 4, "changed": {"lr_steps": ["3:0.5", "4:0.25"]}}]
    assert first_settings(Settings(lr_steps={4: 0.25}), changed)[0].lr_steps == {3: 0.5}


@pytest.mark.parametrize(("changed", "words"), [
    ({"model": ["x", "uwnet2"]}, "model: wanted one of uwnet0, "), ({"lr": [-1, 0.1]}, "lr: wanted a number"),
    ({"data": ["x", "tiny"]}, "data: wanted one of "), ({"warmup": [9**9, 0]}, "warmup: wanted less than"),
    ({"momentum": ["y", 0.9]}, "momentum: wanted a number"),
])  # fmt: skip
def test_settings_before_a_change_that_nothing_was_trained_with_are_named_by_their_entry(changed, words):
    parts = [{"after_step": 3, "changed": {}}, {"after_step": 5, "changed": changed}]
    with pytest.raises(ValueError, match=r"^resumed\[1\]\.changed: wanted the settings before") as caught:
        first_settings(Settings(data="tiny", model="uwnet2"), parts)
    assert words in str(caught.value)


# -- a divergence that is shown again ----------------------------------------------------------------------
def left_by(tmp_path, step, **settings):
    """A run folder as a training leaves it that broke at a step; and the trainer that meets it."""
    settings = {"data": "tiny", "batch_size": 8, "workers": 0, "lr": 0.05, "steps": 30} | settings
    training = tiny.tiny()
    one = Session(Settings(**settings).resolved(training), training, tiny.tiny(split="test"))
    folder = RunFolder(tmp_path / "run")
    folder.write_config(one.settings.flat())
    save_weights(folder.path / replay.WEIGHTS, one.model, one.facts)
    x, y = next(iter(one.batches))
    more = {} if one.class_weights is None else {"class_weights": one.class_weights}
    np.savez(folder.path / replay.BATCH, x=x, y=y, step=step, **more)
    one.trainer.steps = step - 1
    loss = one.trainer.step(np.array(x), np.array(y))
    return folder, loss, one.trainer.gradient_norm()


@pytest.mark.parametrize("settings", [
    {}, {"mixup": 0.5}, {"label_smoothing": 0.2}, {"clip_norm": 0.01}, {"class_weights": "balanced"},
    {"lr_steps": {4: 0.01}}, {"mixup": 0.5, "seed": 7},
])  # fmt: skip
@pytest.mark.parametrize("step", [1, 5])
def test_the_step_is_taken_again_as_it_was(tmp_path, capsys, settings, step):
    folder, loss, norm = left_by(tmp_path, step, **settings)
    replay.diverged(folder.path)
    assert capsys.readouterr().out == f"loss {loss:g}, norm of the gradient {norm:g}\n"


def test_what_diverges_does_so_again_at_its_step(tmp_path):
    folder, _, _ = left_by(tmp_path, 12)
    batch = dict(np.load(folder.path / replay.BATCH))
    batch["x"][2] = np.nan
    np.savez(folder.path / replay.BATCH, **batch)
    with pytest.raises(Diverged, match=re.escape("the training loss is nan at step 12")):
        replay.diverged(folder.path)


def rewritten(path, **changes):
    """The arrays of a batch with others in their place; None: without it."""
    arrays = dict(np.load(path)) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(("name", "value"), [
    ("x", None), ("y", None), ("step", None), ("x", np.zeros((8, 32, 32, 3))), ("x", np.zeros(3, np.float32)),
    ("x", np.array(["a"])), ("x", np.array([{}], object)), ("y", np.zeros(8)), ("y", np.full(8, -1)),
    ("y", np.full(8, 99)), ("y", np.zeros((8, 1), np.int64)), ("y", np.zeros(0, np.int64)),
    ("y", np.int64(3)), ("step", 0), ("step", -(2**63)), ("step", 2**62), ("step", 1.5), ("step", [1, 2]),
    ("class_weights", np.zeros(3)), ("class_weights", np.full(3, np.nan)), ("class_weights", np.ones(9)),
    ("class_weights", np.ones(3, np.float32)),
])  # fmt: skip
def test_a_batch_that_no_run_left_is_refused_by_file_and_array(tmp_path, name, value):
    folder, _, _ = left_by(tmp_path, 3)
    rewritten(folder.path / replay.BATCH, **{name: value})
    with bounded(), pytest.raises(ValueError, match="wanted ") as caught:
        replay.diverged(folder.path)
    assert str(folder.path / replay.BATCH) in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_batch_of_drawn_damage_is_taken_or_refused_in_a_sentence(left, data):
    path, whole = left
    (path / replay.BATCH).write_bytes(data.draw(damaged_bytes(whole)))
    with bounded(), contextlib.suppress(Diverged):
        try:
            replay.diverged(path)
        except ValueError as error:
            assert str(path / replay.BATCH) in str(error)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    folder, _, _ = left_by(tmp_path_factory.mktemp("left"), 3)
    return folder.path, (folder.path / replay.BATCH).read_bytes()


def test_a_batch_that_unpacks_to_more_than_one_may_have_is_refused_before(tmp_path, monkeypatch):
    folder, _, _ = left_by(tmp_path, 3)
    monkeypatch.setattr(replay, "MOST_BATCH", 1_000)
    with pytest.raises(ValueError, match=r"diverged\.npz:x: wanted at most 1,000 bytes, got "):
        replay.diverged(folder.path)


def test_an_empty_batch_is_refused(tmp_path):
    folder, _, _ = left_by(tmp_path, 3)
    (folder.path / replay.BATCH).write_bytes(b"")
    with pytest.raises(ValueError, match=r"diverged\.npz: wanted a \.npz file, got a damaged one"):
        replay.diverged(folder.path)


@pytest.fixture(params=["multilabel", "regress"])
def left_columns(request, tmp_path):
    """As `left_by`, of a run whose labels are columns; with the loss of its step."""
    rng = np.random.default_rng(0)
    labels = (
        rng.integers(0, 2, (16, 2)) if request.param == "multilabel" else 9 * rng.standard_normal((16, 2))
    )
    images = rng.integers(0, 256, (16, 32, 32, 3), np.uint8)
    samples = ArrayDataset(images, labels, layout="NHWC")
    plain = Settings(data="arrays", model="uwnet1", batch_size=8, workers=0, lr=0.05, steps=30)
    folder = RunFolder(tmp_path / "run")
    with Session(plain.resolved(samples), samples, samples) as one:
        folder.write_config(one.settings.flat())
        save_weights(folder.path / replay.WEIGHTS, one.model, one.facts)
        x, y = next(iter(one.batches))
        np.savez(folder.path / replay.BATCH, x=x, y=y, step=4)
        one.trainer.steps = 3
        return folder.path, one.trainer.step(np.array(x), np.array(y)), one.trainer.gradient_norm()


def test_a_step_of_columns_is_taken_again_as_it_was(left_columns, capsys):
    path, loss, norm = left_columns
    replay.diverged(path)
    assert capsys.readouterr().out == f"loss {loss:g}, norm of the gradient {norm:g}\n"


@pytest.mark.parametrize(("value", "words"), [
    (np.zeros((8, 3), np.float32), r"y: wanted float32 \(8, 2\), got float32 \(8, 3\)$"),
    (np.zeros(8, np.float32), r"y: wanted float32 \(8, 2\), got float32 \(8,\)$"),
    (np.zeros((8, 2), np.int64), "y"),
    (np.full((8, 2), np.inf, np.float32), "y: wanted finite numbers, got others$"),
    (np.full((8, 2), np.nan, np.float32), "y: wanted finite numbers, got others$"),
])  # fmt: skip
def test_columns_that_no_run_left_are_refused(left_columns, value, words):
    path, _, _ = left_columns
    rewritten(path / replay.BATCH, y=value)
    with pytest.raises(ValueError, match=rf"diverged\.npz.*{words}"):
        replay.diverged(path)
