"""The recipe `cifar10-fast`, step by step beside PyTorch's layers and optimiser, on a few pictures."""

import numpy as np
import pytest
import tiny  # noqa: F401  registers its data set

from cynet import data
from cynet.runs import recipes
from cynet.runs.origins import read
from cynet.runs.settings import DEFAULTS
from cynet.train import Observer, Session, Settings

LIKE = {"data": "tiny", "batch_size": 16, "lr": 1.5 * 16 / 1024, "workers": 0, "threads": 1}


class Losses(Observer):
    def __init__(self):
        self.found = []

    def stepped(self, progress):
        self.found.append(progress.loss)


def session(**others):
    given = DEFAULTS | read(recipes.file("cifar10-fast", "recipe"), "recipe") | LIKE | others
    parts = [data.load("tiny", None, split) for split in ("train", "test")]
    return Session(Settings(**given).resolved(parts[0]), *parts)


def test_three_epochs_of_the_recipe_learn():
    """The schedule fits any number of epochs: the rate has fallen, and the slow weights are the last ones."""
    with session(epochs=3, batch_size=32, lr=0.05, tta=None) as made:
        losses = Losses()
        made.train([losses])
        assert made.settings.steps == len(losses.found) == 6 and losses.found[-1] < losses.found[0] - 0.1
        assert made.trainer.optimizer.lr < 0.5 * made.settings.lr
        optimizer = made.trainer.optimizer
        for parameter, slow in zip(
            optimizer.params, optimizer.slow, strict=False
        ):  # running statistics follow
            assert np.array_equal(parameter.data, slow) or not parameter.requires_grad


@pytest.mark.torch
def test_losses_and_weights_are_pytorchs():
    """Over a whole training: both slopes of the rate, slow weights, a bias frozen, the last step."""
    pytest.importorskip("torch")
    from airbench94_in_pytorch import train

    with session(epochs=4.2) as ours, session(epochs=4.2) as theirs:
        lines, losses = [], Losses()
        training, _ = train(theirs, lines.append)
        ours.train([losses])
        wanted = [float(line.split()[5]) for line in lines]
        assert len(wanted) == 17
        np.testing.assert_allclose(losses.found, wanted, rtol=1e-5)
        state = {name: array.numpy() for name, array in training.net.state_dict().items()}
        state["fc.weight"] = state["fc.weight"] / 9
        for name, array in ours.model.state_dict().items():
            np.testing.assert_allclose(array, state[name], rtol=1e-3, atol=1e-3, err_msg=name)
