"""All settings in one table: their defaults, which the weights depend on, what a checkpoint keeps of them."""

import json
import tomllib
from dataclasses import fields, replace

import numpy as np
import pytest
import tiny
from settings_table import SETTINGS

from cynet import data, models, nn
from cynet.models import registry
from cynet.runs import configuration
from cynet.runs.settings import FREE, data_options
from cynet.runs.state import frozen_changes
from cynet.runs.weights import digests
from cynet.train import Session, Settings, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
FEW = Settings(model="uwnet2", data="tiny", batch_size=8, steps=3, workers=0, threads=1)
BESIDE = {
    "sync_batch_norm": {"shards": 4},
    "split_seed": {"validation": 0.25},
    "model_option": {"model": "of_a_width"},
    "freeze_after": {"steps": 16},  # two epochs
}  # what it takes for a setting to matter
NOWHERE = {
    "skip_damaged": "there are no damaged pictures",
    "image_size": "there are no files, see tests/data/test_image_folder.py",
    "layout": "there are no files, see tests/data/test_any_samples.py",
    "task": "of classes there is one, see tests/runs/test_tasks.py",
    "sequence_length": "there is no text, see test_texts.py",
    "level": "there is no text, see test_texts.py",
    "fold": "there is no text, see test_texts.py",
    "random_starts": "there is no text, see test_texts.py",
    "loss": "there are no numbers, see tests/runs/test_tasks.py",
    "patience": "it ends a run, see test_recorder",
    "tta": "it chooses the best weights, see tests/cli/test_ways_to_train.py",
    "new_head": "see test_initial",
    "evaluate_every": "it chooses the best weights, see tests/train/test_loop.py",
    "whiten": "no first layer has as few filters, see test_whitening.py",
}
FROZEN = [name for name, promise in SETTINGS.items() if not promise.free]


@pytest.fixture(scope="module", autouse=True)
def registered():
    """A model with an option, within this file."""

    @models.register()
    def of_a_width(input_shape, classes, batch_norm=True, width=4):
        convolution = nn.Conv2d(input_shape[-1], width, 5, stride=4)
        return nn.Sequential(convolution, nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(width, classes))

    yield
    registry.model.remove("of_a_width")


def uneven(split="train"):
    """tiny's pictures without a third of the last class."""
    whole = tiny.tiny(split=split)
    kept = np.flatnonzero((whole.labels < 2) | (np.arange(len(whole.labels)) % 9 == 2))
    return data.ArrayDataset(whole.images[kept], whole.labels[kept], whole.classes)


def trained(settings, training=None):
    """The digests of the weights that are kept after a few steps."""
    training = uneven() if training is None else training
    with Session(settings.resolved(training), training, tiny.tiny(split="test")) as session:
        session.train()
        with session.trainer.evaluated_weights():
            return digests(session.model)


@pytest.fixture(scope="module")
def plain():
    return trained(FEW)


def test_the_table_has_every_setting_and_its_default():
    assert {field.name: field.default for field in fields(Settings)} == {
        name: promise.default for name, promise in SETTINGS.items()
    }
    assert set(FREE) == SETTINGS.keys() - set(FROZEN)


def test_a_run_repeats_itself(plain):
    assert trained(FEW) == plain
    assert trained(replace(FEW, threads=2, workers=1, checkpoint_every=1)) == plain


@pytest.mark.parametrize("name", [name for name in FROZEN if name not in NOWHERE])
def test_the_weights_depend_on_each_frozen_setting(plain, tmp_path, name):
    value, training, before = SETTINGS[name].given, None, plain
    if name == "init_from":
        value = tmp_path / "w.safetensors"
        training = uneven()
        with Session(replace(FEW, seed=5).resolved(training), training, tiny.tiny(split="test")) as other:
            save_weights(value, other.model, other.facts)
    if name == "data":
        training = tiny.tiny()  # more pictures of the last class
    if name in BESIDE:
        before = trained(replace(FEW, **BESIDE[name]))
        assert before != plain
    settings = replace(FEW, **BESIDE.get(name, {}) | {name: value})
    if name == "lr_steps":
        settings = replace(settings, schedule="steps")
    if name == "epochs":
        settings = replace(settings, steps=None)
    assert trained(settings, training) != before


@pytest.mark.parametrize("name", SETTINGS)
def test_a_change_is_seen_exactly_where_the_weights_depend_on_it(name):
    stored = Settings()
    now = replace(stored, **{name: SETTINGS[name].given})
    wanted = [] if SETTINGS[name].free else [name]
    assert [found[0] for found in frozen_changes(stored.flat(), now)] == wanted
    for _, before, after in frozen_changes(stored.flat(), now):
        assert (before, after) == (stored.flat()[name], now.flat()[name])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kept", ["toml", "json"])
def test_each_comes_back_from_a_file_with_every_digit(name, kept):
    values = {"other": SETTINGS[name].given}
    if isinstance(values["other"], float):
        values |= {"third": 1 / 3, "small": 1.2345678901234567e-7}
    if name == "lr_steps":
        values |= {"third": {7: 1 / 3, 1234567: 1.2345678901234567e-7, 1234568: 0.0}}
    if name in ("seed", "split_seed"):
        values |= {"last": 2**63 - 1}
    for value in values.values():
        settings = replace(Settings(), **{name: value})
        text = configuration.toml(settings.flat()) if kept == "toml" else json.dumps(settings.flat())
        found = Settings.unflat((tomllib if kept == "toml" else json).loads(text))
        assert getattr(found, name) == value and found == settings


def test_what_a_file_has_besides_settings_is_no_setting():
    assert Settings.unflat({"cynet": "1", "model": "uwnet0"}) == Settings(model="uwnet0")


def test_what_reads_the_pictures_is_told_what_concerns_it():
    values = Settings(split_seed=4, skip_damaged=True, seed=9).flat()
    assert data_options(values) == {"split_seed": 4, "skip_damaged": True}
    assert data_options(Settings().flat()) == {}


# -- what is left open is settled ---------------------------------------------------------------------------
@pytest.mark.parametrize(("given", "wanted"), [
    ({}, {"steps": 1500, "lr": 0.1, "schedule": "steps", "lr_steps": {900: 0.01, 1260: 0.001}}),
    ({"steps": 100}, {"steps": 100, "lr_steps": {60: 0.01, 84: 0.001}}),
    ({"steps": 1}, {"lr_steps": {}}),
    ({"steps": 2}, {"lr_steps": {1: 0.001}}),  # both at step 1: the last one counts
    ({"steps": 5}, {"lr_steps": {3: 0.01, 4: 0.001}}),
    ({"lr": 0.1}, {"schedule": "constant", "lr_steps": {}}),
    ({"lr": 0.3, "schedule": "steps"}, {"lr_steps": {900: 0.03, 1260: 0.003}}),
    ({"lr": 0.3, "lr_steps": {5: 1.0}}, {"schedule": "steps", "lr_steps": {5: 1.0}}),
    ({"lr_steps": {1499: 1.0}}, {"lr": 0.1, "lr_steps": {1499: 1.0}}),
    ({"schedule": "cosine"}, {"lr": 0.1, "lr_steps": {}}),
    ({"epochs": 3, "batch_size": 100}, {"steps": 30, "epochs": None}),
    ({"epochs": 1, "batch_size": 1050}, {"steps": 1}),
    ({"warmup": 1499}, {"warmup": 1499}),
    ({"threads": 3, "workers": 2}, {"threads": 3, "workers": 2}),
])  # fmt: skip
def test_what_is_left_open_follows_from_the_rest(given, wanted):
    settings = Settings(**given).resolved(1050)
    assert {name: getattr(settings, name) for name in wanted} == wanted
    assert settings.resolved(1050) == settings


@pytest.mark.parametrize(("given", "words"), [
    ({"batch_size": 1051}, "batch_size: wanted at most the 1050 training samples, got 1051"),
    ({"lr_steps": {1500: 1.0}}, "lr_steps: wanted steps less than the run's 1500, got 1500"),
    ({"warmup": 1500}, "warmup: wanted less than the run's 1500 steps, got 1500"),
    ({"balanced": True, "class_weights": "balanced"}, "balanced: not allowed with class_weights"),
    ({"class_weights": "even"}, "class_weights: wanted one of none, balanced, got 'even'"),
    ({"warmup": 30, "epochs": 3, "batch_size": 100}, "warmup: wanted less than the run's 30 steps, got 30"),
])  # fmt: skip
def test_what_contradicts_itself_is_refused_at_the_very_number(given, words):
    with pytest.raises(ValueError, match=words):
        Settings(**given).resolved(1050)


@pytest.mark.parametrize(("given", "rates"), [
    ({"schedule": "constant", "lr": 0.5}, [0.5] * 8),
    ({"schedule": "constant", "lr": 0.5, "warmup": 2}, [0.25] + [0.5] * 7),
    ({"lr_steps": {2: 0.25, 6: 0.125}, "lr": 0.5}, [0.5] * 2 + [0.25] * 4 + [0.125] * 2),
    ({"lr_steps": {2: 0.25}, "lr": 0.5, "warmup": 4}, [0.125, 0.25, 0.1875, 0.25, 0.25, 0.25, 0.25, 0.25]),
    ({"schedule": "cosine", "lr": 0.5}, [0.25 * (1 + np.cos(np.pi * i / 8)) for i in range(8)]),
    ({"schedule": "cosine", "lr": 0.5, "warmup": 4},
     [0.125, 0.25, 0.375, 0.5, *(0.25 * (1 + np.cos(np.pi * i / 4)) for i in range(4))]),
])  # fmt: skip
def test_the_rates_are_those_of_the_schedule_that_is_named(given, rates):
    schedule = Settings(steps=8, **given).resolved(2000).learning_rates()
    assert [schedule(step) for step in range(8)] == pytest.approx(rates)


def test_one_cycle_rises_to_the_rate_and_falls_within_the_run():
    schedule = Settings(steps=100, lr=0.5, schedule="one-cycle").resolved(2000).learning_rates()
    rates = [schedule(step) for step in range(100)]
    assert max(rates) == pytest.approx(0.5) and 25 <= int(np.argmax(rates)) <= 35
    assert rates[0] == pytest.approx(0.02) and rates[-1] < 1e-4
    warm = Settings(steps=100, lr=0.5, schedule="one-cycle", warmup=10).resolved(2000).learning_rates()
    assert warm(4) == pytest.approx(rates[4] / 2) and warm(50) == rates[50]
