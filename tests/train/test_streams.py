"""Random numbers: no use of a seed draws those of another use, and each follows its own seed."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny

import cynet
from cynet.data import holdout
from cynet.nn import gradients
from cynet.train import Session, Settings

ALL = Settings(
    model="uwnet2", data="tiny", batch_size=8, steps=24, workers=0, augment=True, mixup=0.4, validation=0.25,
)  # fmt: skip


@pytest.fixture
def streams(monkeypatch):
    """{module: the (key, counter) of each generator that it made}."""
    found, philox = {}, np.random.Philox

    def noted(seed=None, counter=None, key=None):
        module = sys._getframe(1).f_globals["__name__"]
        made = philox(counter=counter, key=key)
        state = made.state["state"]
        found.setdefault(module, set()).add((tuple(state["key"]), tuple(state["counter"])))
        return made

    monkeypatch.setattr(np.random, "Philox", noted)
    return found


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 5])
def test_no_use_of_a_seed_draws_the_numbers_of_another(streams, seed):
    training = tiny.tiny()
    settings = replace(ALL, seed=seed, split_seed=seed).resolved(training)
    with Session(settings, training, tiny.tiny(split="test")) as session:
        session.train()
    cynet.seed(seed)
    layer = cynet.Linear(3, 2)
    cynet.check_gradients(layer, np.zeros((2, 3), np.float32))
    assert {"cynet.train.mixup", "cynet.data.sampler", "cynet.core.random"} <= set(streams)
    assert {holdout.__name__, gradients.__name__} <= set(streams)
    apart = [name for name in streams if name not in ("cynet.core.random", "cynet.data.sampler")]
    for name in apart:
        for other in streams.keys() - {name}:
            assert not streams[name] & streams[other], (name, other)


def session(**settings):
    training = tiny.tiny()
    return Session(replace(ALL, **settings).resolved(training), training, tiny.tiny(split="test"))


def facts(**settings):
    """What a seed may decide of: weights, order, pictures, mixtures, held out."""
    with session(**settings) as one:
        x, _ = next(iter(one.batches))
        mixed = one.trainer.mixup(x, np.arange(len(x)), 3)
        return {
            "weights": one.model.parameters()[0].data.copy(),
            "order": one.batches.order(0),
            "pictures": np.array(x),
            "mixture": np.array([mixed[2], *mixed[1]]),
            "held out": one.division.held_out,
        }


@pytest.mark.parametrize(
    "more", [{}, {"balanced": True}, {"validation": 0.0}, {"validation": 0.0, "balanced": True}]
)
def test_the_seed_decides_all_but_what_is_held_out(more):
    one, same, other = facts(seed=1, **more), facts(seed=1, **more), facts(seed=2, **more)
    for name, value in one.items():
        np.testing.assert_array_equal(value, same[name])
        assert np.array_equal(value, other[name]) == (name == "held out"), name


def test_the_seed_of_the_split_decides_what_is_held_out_and_no_weight():
    one, other = facts(split_seed=1), facts(split_seed=2)
    assert not np.array_equal(one["held out"], other["held out"])
    np.testing.assert_array_equal(one["weights"], other["weights"])
    assert one["mixture"][0] == other["mixture"][0]


def test_each_epoch_and_each_step_has_numbers_of_its_own():
    with session() as one:
        orders = [one.batches.order(epoch) for epoch in range(3)]
        x, y = np.zeros((8, 2), np.float32), np.arange(8)
        mixtures = [one.trainer.mixup(x, y, step) for step in range(3)]
    assert len({tuple(order) for order in orders}) == len({share for *_, share in mixtures}) == 3
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert len({tuple(labels) for _, labels, _ in mixtures}) == 3


def test_dropout_draws_a_mask_for_each_step_that_follows_the_seed():
    def masks(seed):
        cynet.seed(seed)
        layer = cynet.Dropout(0.5).train()
        return [layer(np.ones((1, 64), np.float32)).copy() for _ in range(3)]

    one, same, other = masks(1), masks(1), masks(2)
    np.testing.assert_array_equal(one, same)
    assert not any(np.array_equal(a, b) for a, b in ((one[0], one[1]), (one[1], one[2]), (one[0], other[0])))
