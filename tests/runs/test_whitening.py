"""Filters set from the pictures, in a run; and a training of all that the recipe `cifar10-fast` has."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

import cynet
from cynet import data, models
from cynet.models import registry
from cynet.runs import checkpoint, whitening
from cynet.runs.state import capture, checked, restore
from cynet.runs.weights import digests
from cynet.train import Observer, Session, Settings, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
FAST = Settings(
    model="whitened", data="tiny", batch_size=16, steps=14, workers=0, threads=1,
    augment="crop:2:reflect,alternating-flip",
    whiten=True, freeze="0.weight", freeze_after="0.bias:2", optimizer="nesterov", momentum=0.85, lr=0.05,
    lr_factor="3.bias:64", no_decay="norm", schedule="triangular", label_smoothing=0.2, lookahead="5:.77:3",
    tta="flip,diagonal", evaluate_every=3,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def registered():
    """A small net with a first layer of 2x2 filters, within this file."""

    @models.register()
    def whitened(input_shape, classes, batch_norm=True, filters=24):
        return cynet.Sequential(
            cynet.Conv2d(input_shape[-1], filters, 2), cynet.GELU(), cynet.MaxPool2d(4),
            cynet.BatchNorm2d(filters, 1e-12, 0.4, "bias"), cynet.GlobalAvgPool2d(),
            cynet.Linear(filters, classes),
        )  # fmt: skip

    yield
    registry.model.remove("whitened")


def session(initial=True, **others):
    parts = tiny.tiny(), tiny.tiny(split="test")
    return Session(replace(FAST, **others).resolved(parts[0]), *parts, initial=initial)


@pytest.mark.parametrize("filters", [24, 6])
@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_what_comes_out_of_the_filters_is_white(filters, validation):
    with session(model_option=f'{{"filters": {filters}}}', validation=validation) as made:
        layer = next(layer for _, layer in made.model.walk() if isinstance(layer, cynet.Conv2d))
        x = (tiny.tiny().images[made.division.kept] / 255).transpose(0, 2, 3, 1)
        y = layer(((x - made.facts.mean) / made.facts.std).astype(np.float32)).reshape(-1, filters)
    half = filters // 2
    np.testing.assert_array_equal(layer.weight.data[half:], -layer.weight.data[:half])
    found = y[:, :half].astype(np.float64)
    moments, eps = found.T @ found / len(found), 5e-4
    assert np.abs(moments - np.diag(np.diag(moments))).max() < 1e-4
    assert (np.diag(moments) > 0.9).all() and (np.diag(moments) < 1 + eps).all()


def test_where_filters_cannot_be_set_it_is_said():
    for model, option, words in (
        ("whitened", '{"filters": 7}', "whiten: weight: wanted an even number of filters, at most 24, got 7"),
        ("uwnet0", None, r"whiten: wanted a first layer with weights that is a Conv2d, got Linear"),
    ):
        with pytest.raises(ValueError, match=words):
            session(model=model, model_option=option, freeze=None, freeze_after=None, lr_factor=None)
    rows = data.ArrayDataset(np.random.default_rng(0).random((40, 5)).astype(np.float32), np.arange(40) % 2)
    with pytest.raises(ValueError, match=r"whiten: wanted pictures of bytes, uint8, got .* of float32"):
        Session(
            Settings(model="uwnet0", whiten=True, batch_size=4, steps=1, workers=0).resolved(rows), rows, rows
        )


def test_a_run_that_goes_on_keeps_its_filters(tmp_path):
    with session() as made:
        save_weights(tmp_path / "a.safetensors", made.model, made.facts)
        with session(whiten=False, init_from=str(tmp_path / "a.safetensors")) as other:
            assert digests(other.model) == digests(made.model)


class Kept(Observer):
    """Keeps a checkpoint of each step."""

    def __init__(self, made):
        self.made, self.packed, self.losses = made, [], []

    def stepped(self, progress):
        self.losses.append(progress.loss)
        self.packed.append(checkpoint.pack(*capture(self.made)))


def test_all_parts_of_the_fast_recipe_go_on_to_the_same_bytes():
    """In the middle of epochs, after a step of the slow weights, before and after a bias is frozen."""
    with session() as whole:
        kept = Kept(whole)
        whole.train([kept])
        wanted, state = digests(whole.model), whole.trainer.optimizer.state_dict()
        frozen = [p.name for p in whole.model.parameters() if not p.requires_grad]
    assert kept.losses[-1] < kept.losses[0] and frozen == ["0.weight", "0.bias"]
    for step in (1, 5, 8, 11, 13):
        tensors, saved = checkpoint.unpack(kept.packed[step - 1])
        checked(tensors, saved)
        with session(initial=False) as again:
            restore(again, tensors, saved)
            more = Kept(again)
            again.train([more])
            assert more.losses == kept.losses[step:]
            assert digests(again.model) == wanted
            found = again.trainer.optimizer.state_dict()
            assert all(np.array_equal(found[name], array) for name, array in state.items())


def test_other_factors_take_the_place_of_those_of_the_checkpoint():
    with session() as made:
        contents = capture(made)
        with session(lr_factor="3.bias:8") as other:
            restore(other, *contents, changed={"lr_factor"})
            assert [group["ratio"] for group in other.trainer.optimizer.groups] == [1, 8, 1]


@pytest.mark.parametrize("count", [4, 5000, 5001, 12_000])
def test_five_thousand_pictures_spread_over_all_that_are_trained_on_are_looked_at(monkeypatch, count):
    seen, facts = [], SimpleNamespace(kind="uint8", picture_shape=(8, 8, 3), mean="the mean", std="the std")
    monkeypatch.setattr(whitening.patches, "moments", lambda *given: seen.append(given))
    monkeypatch.setattr(whitening.init, "whitening", lambda weight, moments: None)
    model = cynet.Sequential(cynet.ReLU(), cynet.Conv2d(3, 24, 2))
    kept = 3 * np.arange(count) + 7
    whitening.whiten(model, SimpleNamespace(images="the images"), kept, facts)
    ((images, few, *more),) = seen
    assert (images, more) == ("the images", [(2, 2), "the mean", "the std"])
    assert (len(few), few[0], few[-1]) == (min(5000, count), kept[0], kept[-1])
    assert np.isin(few, kept).all() and set(np.diff(few)) <= {
        3 * (count // 5000 or 1),
        3 * (count // 5000 + 1),
    }
