"""The state of a training, to a checkpoint and back."""

from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet.core import random
from cynet.data import ArrayDataset, DataLoader, RandomCrop, RandomFlip
from cynet.runs import checkpoint
from cynet.runs.state import capture, frozen_changes, restore
from cynet.runs.weights import digests
from cynet.train import Settings, Trainer, loop


def pictures(seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (40, 3, 8, 8)).astype(np.uint8)
    return ArrayDataset(images, np.arange(40) % 4, tuple("abcd"))


def session(width=5, settings=Settings, dataset=None, optimizer=cynet.Adam):
    """A small net with batch norm and dropout: all that has a state of its own."""
    cynet.seed(3)
    model = cynet.Sequential(
        cynet.Conv2d(3, width, 3), cynet.BatchNorm2d(width), cynet.ReLU(), cynet.Dropout(0.3),
        cynet.GlobalAvgPool2d(), cynet.Linear(width, 4),
    )  # fmt: skip
    rates = cynet.schedules.Cosine(0.01, 20, warmup=3)
    trainer = Trainer(model, cynet.CrossEntropyLoss(), optimizer(model.parameters(), 0.01), rates)
    transforms = [RandomCrop(2), RandomFlip()]
    batches = DataLoader(dataset or pictures(), 8, workers=0, seed=3, transforms=transforms, drop_last=True)
    facts = SimpleNamespace(picture_shape=(8, 8, 3))
    return SimpleNamespace(trainer=trainer, model=model, batches=batches, settings=settings(), facts=facts)


TEST = [(np.zeros((1, 8, 8, 3), np.float32), np.array([0]))]


def run(made, steps):
    losses = []
    log = loop.Observer()
    log.stepped = lambda progress: losses.append(progress.loss)
    loop.train(made.trainer, made.batches, TEST, steps, [log])
    return losses


class Enough(Exception):
    pass


def broken_off(made, steps):
    """`made` after so many steps of an epoch that was left in the middle."""

    def stop(progress):
        if progress.step == steps:
            raise Enough

    log = loop.Observer()
    log.stepped = stop
    with pytest.raises(Enough):
        loop.train(made.trainer, made.batches, TEST, 20, [log])
    return made


@pytest.mark.parametrize("steps", [1, 4, 5, 6, 13])
def test_a_restored_training_goes_on_to_the_same_bytes(steps):
    whole = session()
    losses = run(whole, 20)
    data = checkpoint.pack(*capture(broken_off(session(), steps)))
    cynet.seed(99)
    random.next_key()
    again = session()
    restore(again, *checkpoint.unpack(data))
    assert run(again, 20) == losses[steps:]
    assert digests(again.model) == digests(whole.model)
    assert again.trainer.place == whole.trainer.place
    ours, theirs = (made.trainer.optimizer.state_dict() for made in (again, whole))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_does_not_change_the_training():
    made, twin = broken_off(session(), 3), broken_off(session(), 3)
    capture(made)
    assert digests(made.model) == digests(twin.model)


def test_all_that_does_not_fit_is_listed_and_nothing_is_loaded():
    tensors, state = capture(broken_off(session(width=6), 3))
    tensors["model.9.weight"] = np.zeros(2)
    del tensors["model.5.bias"]
    made = session()
    before, key = digests(made.model), random.get_state()
    with pytest.raises(ValueError, match="the checkpoint does not fit the run: ") as caught:
        restore(made, tensors, state)
    for part in (
        "missing: model.5.bias",
        "unexpected: model.9.weight",
        "shape of model.0.weight: wanted (5, 3, 3, 3), got (6, 3, 3, 3)",
        "shape of optimizer.0.exp_avg: wanted",
    ):
        assert part in str(caught.value)
    assert (digests(made.model), random.get_state(), made.trainer.steps) == (before, key, 0)


def test_another_data_set_is_refused_before_anything_is_loaded():
    contents = capture(broken_off(session(), 3))
    made = session(dataset=pictures(1))
    before = digests(made.model)
    with pytest.raises(ValueError, match="the data are not those that the run began with"):
        restore(made, *contents)
    with pytest.raises(ValueError, match="the data are not those that the run began with"):
        restore(made, *contents, changed={"lr", "batch_size"})
    assert digests(made.model) == before
    restore(made, *contents, changed={"data"})
    assert (made.trainer.steps, made.trainer.place.epoch, made.trainer.place.batch) == (3, 1, 0)


def test_only_what_the_weights_depend_on_is_frozen():
    stored = Settings().resolved(4000).flat()
    other = Settings(threads=3, workers=4, checkpoint_every=7, data_dir="x").resolved(4000)
    assert frozen_changes(stored, other) == []
    other = Settings(momentum=0.5, epochs=3).resolved(4000)
    assert [name for name, *_ in frozen_changes(stored, other)] == ["steps", "lr_steps", "momentum"]
