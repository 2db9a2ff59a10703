"""What takes a run's steps is made as the settings say, each of them."""

import numpy as np
import pytest

import cynet
from cynet.optim import SGD, Adam, AdamW, Lookahead
from cynet.runs.trainers import trainer_of
from cynet.train import Settings
from cynet.train.mixup import Cutmix, Mixup
from cynet.train.views import Views


def model():
    cynet.seed(0)
    return cynet.Sequential(
        cynet.Conv2d(3, 4, 3), cynet.BatchNorm2d(4), cynet.GlobalAvgPool2d(), cynet.Linear(4, 2)
    )


def made(weights=None, **settings):
    return trainer_of(model(), Settings(**{"steps": 10, **settings}).resolved(60_000), weights)


@pytest.mark.parametrize(("name", "kind"), [
    ("sgd", SGD), ("nesterov", SGD), ("adam", Adam), ("adamw", AdamW)
])  # fmt: skip
def test_the_optimiser_is_the_one_that_is_named(name, kind):
    found = made(optimizer=name, lr=0.25, momentum=0.75, weight_decay=0.125).optimizer
    assert type(found) is kind and found.lr == 0.25 and found.weight_decay == 0.125
    if kind is SGD:
        assert (found.momentum, found.nesterov) == (0.75, name == "nesterov")
    else:
        assert found.betas == (0.75, 0.999)


def test_slow_weights_have_their_period_and_decay():
    found = made(lookahead="7:0.75").optimizer
    assert type(found) is Lookahead and (found.period, found.decay) == (7, 0.75)
    assert type(found.optimizer) is SGD


@pytest.mark.parametrize(("no_decay", "spared"), [
    ("norm", {"1.weight", "1.bias"}), ("bias", {"0.bias", "1.bias", "3.bias"}),
    ("norm,bias", {"0.bias", "1.weight", "1.bias", "3.bias"}),
    ("bias,norm", {"0.bias", "1.weight", "1.bias", "3.bias"}),
])  # fmt: skip
def test_all_kinds_that_are_named_go_without_decay(no_decay, spared):
    groups = made(no_decay=no_decay).optimizer.groups
    assert {p.name for group in groups if group["weight_decay"] == 0 for p in group["params"]} == spared


def test_rates_have_the_factors_of_all_patterns_and_keep_what_decay_takes():
    found = made(lr_factor="*.bias:64,3.*:.5", no_decay="norm", lr=0.25, weight_decay=0.5, optimizer="adamw")
    rates = {p.name: (g["ratio"], g["weight_decay"]) for g in found.optimizer.groups for p in g["params"]}
    assert rates == {
        "0.weight": (1, 0.5), "0.bias": (64, 0.5 / 64), "1.weight": (1, 0), "1.bias": (64, 0),
        "3.weight": (0.5, 1), "3.bias": (0.5, 1),
    }  # fmt: skip
    assert found.optimizer.lr == 0.25
    assert made(lr_factor="*:2", lr=0.0).optimizer.groups[0]["ratio"] == 2


def test_a_lookahead_with_a_power_rises_and_ends_with_slow_weights():
    found = made(lookahead="7:0.75:2", steps=40).optimizer
    assert (found.period, found.last, found.decay(20)) == (7, 40, 0.75 / 4)
    assert found.model is not None and len(found.slow) == 6 + 2
    assert made(lookahead="7:0.75").optimizer.model is None


def test_what_is_to_freeze_later_does():
    found = made(freeze="1.*", freeze_after="0.bias:2,3.*:5")
    assert found.freezing.after == {"0.bias": 2, "3.*": 5} and made().freezing is None
    found.freezing(2)
    assert {p.name for p in found.model.parameters() if not p.requires_grad} == {
        "1.weight",
        "1.bias",
        "0.bias",
    }


def test_all_patterns_that_are_named_freeze():
    found = made(freeze="0.*,3.bias").model
    assert {p.name for p in found.parameters() if not p.requires_grad} == {"0.weight", "0.bias", "3.bias"}


def test_the_loss_has_the_smoothing_and_the_weights():
    weights = np.float64([1, 3])
    found = made(weights, label_smoothing=0.25).criterion
    wanted = cynet.CrossEntropyLoss(0.25, weight=weights)
    logits, labels = np.float32([[1, 2], [0, -1], [3, 3]]), np.array([0, 1, 1])
    assert found(logits, labels) == wanted(logits, labels) != cynet.CrossEntropyLoss(0.25)(logits, labels)
    assert found(logits, labels) != cynet.CrossEntropyLoss(weight=weights)(logits, labels)


@pytest.mark.parametrize(("settings", "kind", "alpha"), [
    ({"mixup": 0.3}, Mixup, 0.3), ({"augment": "mixup:0.5"}, Mixup, 0.5),
    ({"augment": "flip,cutmix"}, Cutmix, 1),
])  # fmt: skip
def test_pictures_are_mixed_by_the_seed_of_the_run(settings, kind, alpha):
    found = made(seed=11, **settings).mixup
    assert type(found) is kind and (found.alpha, found.seed) == (alpha, 11)
    assert made().mixup is None


def test_the_rest_of_a_trainer():
    found = made(clip_norm=2.5, accumulate=3, ema=0.75, tta="flip", lr=0.5, warmup=4, schedule="constant")
    assert (found.clip_norm, found.accumulate, found.average.decay) == (2.5, 3, 0.75)
    assert found.schedule(0) == 0.125 and found.schedule(9) == 0.5 and found.optimizer.lr == 0.125
    assert type(found.evaluated) is Views and found.evaluated.tta == "flip"
    plain = made()
    assert plain.average is None and plain.evaluated is plain.model and plain.accumulate == 1
