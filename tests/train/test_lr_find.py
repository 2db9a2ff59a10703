"""The range test of learning rates."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny

import cynet
from cynet.nn import Linear
from cynet.optim import SGD
from cynet.runs.session import Session, Settings
from cynet.train import lr_find
from cynet.train.tasks import task_of
from cynet.train.trainer import Diverged, Trainer

BATCH = np.zeros((2, 3), np.float32), np.zeros(2, int)


class Scripted:
    """A trainer whose losses are known; after the last one it diverges."""

    columns = False

    def __init__(self, losses):
        self.losses, self.modes = iter(losses), []
        self.model = SimpleNamespace(train=lambda: self.modes.append("training"))
        self.optimizer, self.taken, self.schedule = SimpleNamespace(lr=None), 0, None

    def step(self, x, y):
        self.optimizer.lr = self.schedule(self.taken)
        self.taken += 1
        for loss in self.losses:
            return loss
        raise Diverged(self.taken, np.nan, "training loss")


def session(**settings):
    settings = {"data": "tiny", "batch_size": 8, "workers": 0} | settings
    return Session(Settings(**settings).resolved(64), tiny.tiny(), tiny.tiny(split="test"))


def test_rates_grow_evenly_until_the_loss_breaks_off():
    with session() as one:
        found = lr_find.lr_find(one.trainer, one.batches, steps=60)
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e5) / 59)
    assert found.rates[0] == pytest.approx(1e-4)
    assert len(found.rates) == len(found.losses) == len(found.smooth)
    assert found.smooth[0] == pytest.approx(found.losses[0])
    assert found.rates[0] < found.suggestion < found.rates[-1]


@pytest.mark.parametrize(("name", "loss"), [("multilabel", None), ("regress", "huber")])
@pytest.mark.parametrize("outputs", [1, 3])
def test_labels_in_columns_are_learnt_by_the_tasks_own_loss(name, loss, outputs):
    cynet.seed(0)
    random = np.random.default_rng(0)
    x = random.standard_normal((24, 5), dtype=np.float32)
    y = (x[:, :outputs] > 0).astype(np.float32)
    task, model = task_of(name, loss), Linear(5, outputs)
    trainer = Trainer(model, task.criterion(), SGD(model.parameters(), lr=0.1), lambda step: 0.1, task=task)
    before = task.evaluate(model, [(x, y)]).loss
    found = lr_find.lr_find(trainer, [(x, y)], steps=30)
    assert found.losses[0] == pytest.approx(before, rel=1e-6)
    assert found.smooth.min() < found.smooth[0] and 1e-4 < found.suggestion <= 10


def test_the_suggestion_is_where_the_loss_falls_fastest():
    rates = np.geomspace(1e-4, 10, 101)
    smooth = 2 - 1.5 / (1 + np.exp(-(np.log10(rates) + 2) * 6)) + 100 * (rates > 1)
    assert lr_find._steepest(rates, smooth) == pytest.approx(0.01, rel=0.3)


def test_what_falls_again_behind_the_least_loss_is_not_suggested():
    rates = np.geomspace(1e-4, 10, 101)
    smooth = np.interp(np.arange(101), [0, 30, 50, 70, 90, 100], [2, 2, 1, 2.9, 1.2, 1.2])
    assert lr_find._steepest(rates, smooth) == rates[40]  # the middle of steps 30 to 50


def test_rates_losses_and_their_average_are_those_of_each_step():
    losses = [2.0, 1.0, 1.5, 0.5]
    trainer = Scripted(losses)
    found = lr_find.lr_find(trainer, [BATCH], 0.001, 1.0, steps=7)
    np.testing.assert_allclose(found.rates, [1e-3, 10**-2.5, 1e-2, 10**-1.5])
    assert found.losses.tolist() == losses and trainer.modes == ["training"]
    weights = 0.9 ** np.arange(4)[::-1]  # the newest weighs the most
    means = [np.average(losses[: n + 1], weights=weights[3 - n :]) for n in range(4)]
    np.testing.assert_allclose(found.smooth, means)


def test_it_ends_where_the_average_is_three_times_the_least_one():
    found = lr_find.lr_find(Scripted([1.0, 20.9, 5.0]), [BATCH], steps=9)
    assert found.losses.tolist() == [1.0, 20.9]
    edge = (3 * 0.19 - 0.09) / 0.1  # whose average with a first loss of 1 is 3
    for second, count in ((edge - 0.001, 3), (edge + 0.001, 2)):
        assert len(lr_find.lr_find(Scripted([1.0, second, 1.0]), [BATCH], steps=9).losses) == count


def test_by_itself_it_takes_150_steps_from_a_ten_thousandth_to_ten():
    found = lr_find.lr_find(Scripted([1.0] * 500), [BATCH])
    assert len(found.rates) == 150 and found.rates[0] == 1e-4 and found.rates[-1] == pytest.approx(10)


@pytest.mark.parametrize(("options", "problem"), [
    ({"steps": 1}, "steps: wanted at least 2, got 1"),
    ({"steps": 0}, "steps: wanted at least 2, got 0"),
    ({"lowest": 0}, "lowest: wanted a number in .*, got 0"),
    ({"highest": -1}, "highest: wanted a number in .*, got -1"),
])  # fmt: skip
def test_a_range_that_cannot_be_walked_through_is_named(options, problem):
    with pytest.raises(ValueError, match=problem):
        lr_find.lr_find(Scripted([1.0]), [BATCH], **options)


def test_a_loss_that_is_never_finite_is_told():
    with session() as one:
        one.model[0].weight.data[:] = np.nan
        with pytest.raises(ValueError, match="lr_find: wanted a finite loss"):
            lr_find.lr_find(one.trainer, one.batches)


def test_a_suggestion_has_one_digit_and_the_table_six():
    found = lr_find.lr_find(Scripted([2.123456789, *np.linspace(2, 1, 30)]), [BATCH], 1e-4, 1.0, 31)
    rate = lr_find._steepest(found.rates, found.smooth)
    assert found.suggestion == float(f"{rate:.0e}") != rate
    first, second, *_ = lr_find.rows(found).splitlines()[1:]
    assert first == "1,0.0001,2.12346,2.12346" and second.startswith("2,0.000135936,2,")


def test_the_curve_as_a_table_and_a_picture(tmp_path):
    with session() as one:
        found = lr_find.lr_find(one.trainer, one.batches, steps=25)
    lines = lr_find.rows(found).splitlines()
    assert lines[0] == "step,lr,loss,smooth_loss" and len(lines) == 1 + len(found.rates)
    assert float(lines[1].split(",")[1]) == pytest.approx(1e-4)
    pytest.importorskip("matplotlib")
    lr_find.plot(found, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
