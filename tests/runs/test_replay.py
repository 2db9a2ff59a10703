"""A run's steps again."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np

import cynet
from cynet.data import ArrayDataset, DataLoader, RandomFlip
from cynet.runs.replay import (
    Difference,
    History,
    Replay,
    first_difference,
    first_loss,
    first_settings,
    verify,
)
from cynet.train import RunFolder, Settings, Trainer


def session(seed=1, lr=0.1, changed=None):
    """A small net with batch norm and dropout over 40 pictures."""
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8)).astype(np.uint8)
    if changed is not None:
        images[changed] ^= 1
    cynet.seed(seed)
    model = cynet.Sequential(
        cynet.Conv2d(3, 5, 3), cynet.BatchNorm2d(5), cynet.Dropout(0.3), cynet.GlobalAvgPool2d(),
        cynet.Linear(5, 4),
    )  # fmt: skip
    rates = cynet.schedules.MultiStep(0.1, {6: lr})
    trainer = Trainer(model, cynet.CrossEntropyLoss(), cynet.SGD(model.parameters(), 0.1), rates)
    dataset = ArrayDataset(images, np.arange(40) % 4, tuple("abcd"))
    batches = DataLoader(dataset, 8, workers=0, seed=3, transforms=[RandomFlip()], drop_last=True)
    return SimpleNamespace(trainer=trainer, model=model, batches=batches)


def history(made, steps):
    losses, digests = {}, {0: made.digests()}
    for step in range(1, steps + 1):
        losses[step], _ = made.step()
        digests[step] = made.digests()
    return History(losses, digests)


def test_replays_take_turns_without_disturbing_each_other():
    wanted = history(Replay(session()), 12)
    one = Replay(session())
    other = Replay(session())
    assert first_difference(one, other, 12) is None
    assert verify(Replay(session()), wanted, 12) == []


def test_the_first_difference_is_the_cause_and_not_its_effect():
    found = first_difference(Replay(session()), Replay(session(lr=0.2)), 12)
    assert (found.step, found.what) == (7, "0.weight")
    found = first_difference(Replay(session()), Replay(session(seed=2)), 12)
    assert (found.step, found.what) == (0, "0.weight")
    order = list(DataLoader(session().batches.dataset, 1, seed=3, workers=0).order(0))
    found = first_difference(Replay(session()), Replay(session(changed=order[17])), 12)
    assert (found.step, found.what) == (3, "the batch")


def test_what_was_kept_is_compared_step_by_step():
    wanted = history(Replay(session()), 12)
    found = verify(Replay(session(lr=0.2)), wanted, 12)
    assert {difference.what for difference in found if difference.step == 7} > {"0.weight", "4.bias"}
    assert str(found[0]).startswith("at step 8: loss: ")
    assert verify(Replay(session(lr=0.2)), wanted, 6) == []
    assert str(Difference(0, "0.weight", 1, 2)) == "before the first step: 0.weight: 1 against 2"


def test_a_training_that_ends_in_nan_differs(monkeypatch):
    wanted = history(Replay(session()), 3)
    made = session()
    made.model[0].weight.data[:] = np.nan
    found = verify(Replay(made), wanted, 3)
    assert found[0].step == 1 and np.isnan(found[0].other)


def test_the_first_settings_are_those_before_every_change():
    stages = [Settings(momentum=momentum, seed=seed) for momentum, seed in ((0.9, 0), (0.5, 0), (0.1, 4))]
    parts = [{"after_step": 0, "changed": {"seed": [7, 0]}}, {"after_step": 5, "changed": {}}]
    for after, (before, now) in zip((9, 20), pairwise(stages), strict=True):
        flat = before.flat(), now.flat()
        changed = {name: [flat[0][name], flat[1][name]] for name in flat[0] if flat[0][name] != flat[1][name]}
        parts.append({"after_step": after, "changed": changed})
    assert first_settings(stages[-1], parts) == (stages[0], 9)
    assert first_settings(stages[0], parts[:2]) == (stages[0], None)


def test_damaged_tables_are_named(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert History.of(folder) == History({}, {})
    steps, digests = tmp_path / "run" / "steps.csv", tmp_path / "run" / "digests.csv"
    steps.write_text("step,epoch,lr,loss,accuracy,seconds\n1,1,0.1,x,0,0\n2,1,0.1,0.5,0,0\n")
    digests.write_text(f"step,sha256\n0,{'0' * 64}\n")
    found = History.of(folder)
    assert (found.losses, found.digests) == ({2: 0.5}, {})
    assert found.notes == (
        f"{steps}: cells that hold no value of their column are left out, in 1 rows",
        f"{digests} has no column to read called tensor",
    )
    steps.write_text("step;loss\n1;0,5\n")
    digests.unlink()
    digests.mkdir()
    (first, second) = History.of(folder).notes
    assert first == (
        f"{steps}: wanted a heading of names with commas between them, step among them, got 'step;loss'"
    )
    assert f"{digests}: wanted a regular file, got a folder" in second


def test_a_step_beyond_all_runs_makes_no_endless_list():
    assert History({}, {}).gaps(2**53)[-1] == 5 * 10**15
    assert History({}, {}).gaps(20) == [1, 2, 5, 10, 20]
    assert History({}, {5: {}}).gaps(9) == [1, 2]


def test_a_loss_of_nan_is_that_of_another_run():
    nan, runs = float("nan"), []
    for last in (1.0, 1.0, 2.0):
        runs.append(History({1: nan, 2: last}, {}))
    assert first_loss(runs[0], runs[1]) is None
    assert first_loss(runs[0], runs[2]) == Difference(2, "loss", 1.0, 2.0)
    assert first_loss(runs[2], runs[0]) == Difference(2, "loss", 2.0, 1.0)
