"""The modes of layers come again after a while in others, whatever ends it."""

import re
from pathlib import Path

import pytest

import cynet
from cynet import nn
from cynet.nn.modes import evaluating, kept


def net():
    made = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.5), nn.ReLU()), nn.BatchNorm1d(2))
    made.layers[1].eval()
    return made


def modes(model):
    return [layer.training for _, layer in model.walk()]


@pytest.mark.parametrize("ended", [None, KeyError, KeyboardInterrupt])
def test_within_it_all_are_in_evaluation_and_afterwards_as_before(ended):
    model = net()
    before = modes(model)
    try:
        with evaluating(model):
            assert not any(modes(model))
            model.layers[2].train()
            if ended:
                raise ended
    except (KeyError, KeyboardInterrupt):
        assert ended
    assert modes(model) == before and len(set(before)) == 2


def test_of_some_layers_only_these_are_given_back():
    model = net()
    with kept([model.layers[0]]):
        model.train(False)
    assert modes(model)[:2] == [False, True] and not any(modes(model)[2:])


def test_no_other_file_saves_modes_by_itself():
    for path in Path(cynet.__file__).parent.rglob("*.py"):
        if path.name not in ("modes.py", "layer.py"):
            assert not re.search(r"\.training = (?!True|False)", path.read_text()), path
