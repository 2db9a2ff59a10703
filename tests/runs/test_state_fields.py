"""Every field of a saved state is read back, and matters: none is kept in vain, none is made up."""

import copy
import json
from dataclasses import fields

import numpy as np
import pytest
import tiny
from test_state import TEST, Enough, broken_off, run, session

import cynet
from cynet.core import random
from cynet.nn.spec import from_spec
from cynet.runs import checkpoint
from cynet.runs.saved import ENTRIES
from cynet.runs.state import capture, frozen_changes, restore
from cynet.runs.weights import digests
from cynet.train import Session, Settings, loop
from cynet.train.average import Average
from cynet.train.mixup import Mixup
from cynet.train.trainer import Place


def rich():
    """A session with all that has a state."""
    made = session()
    made.trainer.average, made.trainer.mixup = Average(made.model, 0.9), Mixup(0.4, 3)
    made.trainer.clip_norm = 0.5
    return made


def stopped(made, step):
    """What a checkpoint has of a training that stands after so many steps."""
    tensors, state = checkpoint.unpack(
        checkpoint.pack(*capture(broken_off(made, step), {"lr": "flag"}, None, 7.5))
    )
    return tensors, state


@pytest.fixture
def kept():
    return stopped(rich(), 7)


def restored(tensors, state, changed=()):
    cynet.seed(99)
    random.next_key()
    made = rich()
    restore(made, tensors, state, changed)
    return made


def ends(made):
    """All that a training came to: losses, weights, the average, the optimiser's state."""
    losses = run(made, 15)
    optimizer = made.trainer.optimizer.state_dict()
    arrays = {**optimizer, **{f"average {name}": a for name, a in made.trainer.average.arrays.items()}}
    return (
        losses,
        digests(made.model),
        {name: array.tobytes() for name, array in arrays.items()},
        made.trainer.place,
    )


def test_what_is_kept_comes_back_whole(kept):
    tensors, state = kept
    again, other = capture(restored(*kept), state["origin"], state["best"], state["seconds"])
    assert other == state
    assert again.keys() == tensors.keys()
    for name, array in tensors.items():
        assert array.dtype == again[name].dtype
        np.testing.assert_array_equal(array, again[name])


def test_a_training_with_everything_goes_on_to_the_same_bytes(kept):
    whole = rich()
    wanted = ends(whole)
    losses, *rest = ends(restored(*kept))
    assert losses == wanted[0][7:] and rest == list(wanted[1:])


def test_the_state_says_what_the_training_stands_at(kept):
    tensors, state = kept
    assert tuple(name for name in state if name not in ("input_shape", "net")) == ENTRIES
    assert state["input_shape"] == [8, 8, 3]
    assert from_spec(state["net"]).state_dict().keys() == rich().model.state_dict().keys()
    assert state["step"] == 7 and state["seconds"] == 7.5 and state["origin"] == {"lr": "flag"}
    place = state["place"]
    assert (place["epoch"], place["batch"], place["count"], place["images"], place["evaluated"]) == (
        1,
        2,
        2,
        16,
        5,
    )
    assert place["loss"] > 0 and 0 <= place["right"] <= 16
    assert (state["loader"]["epoch"], state["loader"]["batch"], state["loader"]["seed"]) == (1, 2, 3)
    assert state["random"]["draws"] > 0 and state["schedule"].startswith("Cosine(")
    assert state["config"] == {name: value for name, value in Settings().flat().items() if value is not None}
    kinds = {name.split(".")[0] for name in tensors}
    assert kinds == {"model", "optimizer", "average"}


def test_what_was_captured_stays_as_it_is_while_the_training_goes_on():
    """Also in the one that it was read into."""
    made = broken_off(rich(), 7)
    tensors, state = capture(made)
    before = checkpoint.pack(tensors, state)
    run(made, 9)
    run(restored(tensors, state), 9)
    assert checkpoint.pack(tensors, state) == before


@pytest.mark.parametrize("name", ENTRIES)
def test_a_state_without_an_entry_is_refused(kept, name):
    tensors, state = kept
    del state[name]
    made = rich()
    before = digests(made.model)
    with pytest.raises(ValueError, match=f"missing: {name}"):
        restore(made, tensors, state)
    assert digests(made.model) == before and made.trainer.steps == 0


def test_a_state_without_a_tensor_or_with_another_one_is_refused(kept):
    tensors, state = kept
    for name in tensors:
        with pytest.raises(ValueError, match=f"missing: {name}"):
            restore(rich(), {key: array for key, array in tensors.items() if key != name}, state)
        with pytest.raises(ValueError, match=f"dtype of {name}: wanted {tensors[name].dtype}, got float16"):
            restore(rich(), tensors | {name: tensors[name].astype(np.float16)}, state)
    with pytest.raises(ValueError, match=r"unexpected: model\.x"):
        restore(rich(), tensors | {"model.x": np.zeros(1)}, state)


def test_every_tensor_decides_what_comes_out(kept):
    """But what each step sets anew: the optimiser's rate, and the average of a count, which is the count."""
    tensors, state = kept
    wanted = ends(restored(tensors, state))
    for name, array in tensors.items():
        other = array + 1 if array.dtype.kind in "iu" else array + np.float32(0.25)
        found = ends(restored(tensors | {name: other.astype(array.dtype)}, state))
        assert (found == wanted) == (name in ("optimizer.lr", "average.1.num_batches_tracked")), name


CHANGES = [("step", 8), ("random", "draws"), ("random", "seed")] + [
    ("place", field.name) for field in fields(Place)
]


@pytest.mark.parametrize(("entry", "name"), CHANGES)
def test_every_number_decides_what_comes_out(kept, entry, name):
    tensors, state = kept
    other, change = copy.deepcopy(state), -1 if name in ("count", "evaluated") else 1  # at most the step
    if entry == "step":
        other[entry] = name
    else:
        other[entry][name] += change
    made = restored(tensors, other)
    if entry == "place":
        assert getattr(made.trainer.place, name) == state[entry][name] + change
    found, log, wanted = capture(made)[1], Results(), Results()
    assert found != state
    loop.train(made.trainer, made.batches, TEST, 15, [log])
    twin = restored(tensors, state)
    loop.train(twin.trainer, twin.batches, TEST, 15, [wanted])
    same = log.seen == wanted.seen and digests(made.model) == digests(twin.model)
    assert same == (name == "evaluated")  # which says what rows come again, see test_rundir
    restored(tensors, state)


class Results(loop.Observer):
    def __init__(self):
        self.seen = []

    def stepped(self, progress):
        self.seen.append((progress.step, progress.epoch, progress.loss, progress.lr))

    def evaluated(self, result):
        self.seen.append(
            (result.step, result.epoch, result.train_loss, result.train_accuracy, result.test.loss)
        )


def test_the_loader_is_told_where_the_training_stands_and_not_where_it_is_itself():
    """A batch that was made, and that no step has used, comes again."""
    made = rich()

    def watch(items):
        for number, item in enumerate(items):
            if number == 3 and len(items) > 1:
                raise Enough
            yield item

    with pytest.raises(Enough):
        loop.train(made.trainer, made.batches, TEST, 20, watch=watch)
    _, state = capture(made)
    assert (state["step"], state["place"]["batch"], state["loader"]["batch"]) == (3, 3, 3)
    assert made.batches.state_dict()["batch"] != 3, "it is not ahead: this shows nothing"
    kept = capture(made)
    losses, *rest = ends(restored(*kept))
    whole, *wanted = ends(rich())
    assert losses == whole[3:] and rest == wanted


@pytest.mark.parametrize(("step", "changed", "place"), [
    (7, (), (1, 2)), (7, ("lr", "steps", "augment", "mixup"), (1, 2)),
    (7, ("data",), (2, 0)), (7, ("batch_size",), (2, 0)), (7, ("balanced",), (2, 0)),
    (7, ("lr", "data"), (2, 0)),
    (10, ("batch_size",), (2, 0)), (10, ("data", "balanced"), (2, 0)), (10, (), (1, 5)),
])  # fmt: skip
def test_where_a_training_goes_on_after_a_change(step, changed, place):
    """In the next epoch where the order of this one is another; after a whole epoch nothing is left out."""
    kept = stopped(rich(), step)
    made = restored(*kept, changed)
    assert (made.trainer.place.epoch, made.trainer.place.batch) == place
    loader = made.batches.state_dict()
    assert (loader["epoch"], loader["batch"]) == ((2, 0) if place == (1, 5) else place)
    assert made.trainer.steps == step


@pytest.mark.parametrize("settings", [
    {"ema": 0.9}, {"momentum": 0.0}, {"mixup": 0.5, "clip_norm": 0.1}, {"class_weights": "balanced"},
    {"balanced": True, "augment": True}, {"validation": 0.25, "label_smoothing": 0.1, "warmup": 5},
])  # fmt: skip
def test_a_session_of_any_settings_goes_on_to_the_same_bytes(settings):
    def made():
        training = tiny.tiny()
        whole = Settings(data="tiny", batch_size=8, workers=0, threads=1, steps=12, **settings)
        return Session(whole.resolved(training), training, tiny.tiny(split="test"))

    def stop(progress):
        if progress.step == 5:
            raise Enough

    with made() as one, made() as other, made() as whole:
        observer = loop.Observer()
        observer.stepped = stop
        with pytest.raises(Enough):
            one.train([observer])
        tensors, state = checkpoint.unpack(checkpoint.pack(*capture(one)))
        assert Settings.unflat(state["config"]) == whole.settings
        assert frozen_changes(state["config"], whole.settings) == []
        cynet.seed(99)
        restore(other, tensors, json.loads(json.dumps(state)))
        assert np.array_equal(other.train().test.confusion, whole.train().test.confusion)
        assert digests(other.model) == digests(whole.model)
