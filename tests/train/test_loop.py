"""One step, the walk through the epochs, and evaluation."""

import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

import cynet
from cynet.optim.schedules import Constant, MultiStep
from cynet.train import Diverged, Observer, Signals, Stopped, Trainer, evaluate, loop


def rows(count, batch, seed=0, features=6, classes=3):
    """Separable rows in batches, the last one as small as it comes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, count)
    x = (np.eye(classes, features)[y] * 3 + random.normal(size=(count, features))).astype(np.float32)
    return [(x[i : i + batch], y[i : i + batch]) for i in range(0, count, batch)]


def trainer(lr=0.1, schedule=None):
    cynet.seed(0)
    model = cynet.Sequential(cynet.Linear(6, 8), cynet.BatchNorm1d(8), cynet.ReLU(), cynet.Linear(8, 3))
    optimizer = cynet.SGD(model.parameters(), lr, momentum=0.9)
    return Trainer(model, cynet.CrossEntropyLoss(), optimizer, schedule or Constant(lr))


class Log(Observer):
    def __init__(self):
        self.steps, self.results = [], []

    def stepped(self, progress):
        self.steps.append(progress)

    def evaluated(self, result):
        self.results.append(result)


def test_training_learns_and_tells():
    log, made = Log(), trainer(schedule=MultiStep(0.1, {7: 0.01}))
    result = loop.train(made, rows(80, 20), rows(50, 15, seed=1), 10, [log])
    assert [p.step for p in log.steps] == list(range(1, 11))
    assert [p.epoch for p in log.steps] == [1] * 4 + [2] * 4 + [3] * 2
    assert [p.lr for p in log.steps] == [0.1] * 7 + [0.01] * 3
    assert [r.step for r in log.results] == [4, 8, 10]
    assert result is log.results[-1]
    assert result.train_loss == pytest.approx(np.mean([p.loss for p in log.steps[8:]]))
    assert result.train_accuracy == sum(p.right for p in log.steps[8:]) / 40
    assert log.steps[0].right < log.steps[-1].right <= log.steps[-1].images == 20
    assert result.test.samples.sum() == 50
    assert result.test.accuracy > 0.5
    assert log.steps[-1].loss < log.steps[0].loss
    assert made.model.training


@pytest.mark.parametrize(
    ("every", "evaluated"), [(1, [4, 8, 12, 14]), (2, [8, 14]), (3, [12, 14]), (9, [14])]
)
def test_evaluations_may_be_some_epochs_apart_and_the_weights_are_the_same(every, evaluated):
    log, made, plain = Log(), trainer(), trainer()
    result = loop.train(made, rows(80, 20), rows(50, 15, seed=1), 14, [log], every=every)
    loop.train(plain, rows(80, 20), rows(50, 15, seed=1), 14)
    assert [r.step for r in log.results] == evaluated and [r.epoch for r in log.results][-1] == 4
    assert [p.epoch for p in log.steps] == [1 + step // 4 for step in range(14)]
    before = evaluated[-2] if len(evaluated) > 1 else 0
    assert result.train_loss == pytest.approx(np.mean([p.loss for p in log.steps[before:]]))
    for one, other in zip(made.model.parameters(), plain.model.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    with pytest.raises(ValueError, match="every: wanted"):
        loop.train(made, rows(80, 20), rows(50, 15, seed=1), 15, every=0)


@pytest.mark.parametrize(("steps", "every", "evaluated"), [
    (8, 3, [(8, 2)]), (8, 2, [(8, 2)]), (12, 2, [(8, 2), (12, 3)]), (4, 9, [(4, 1)]),
])  # fmt: skip
def test_the_last_epoch_is_evaluated_as_what_it_is_wherever_the_evaluations_lie(steps, every, evaluated):
    log, made = Log(), trainer()
    loop.train(made, rows(80, 20), rows(50, 15, seed=1), steps, [log], every=every)
    assert [(r.step, r.epoch) for r in log.results] == evaluated
    assert (made.place.epoch, made.place.batch, made.place.count) == (steps // 4, 0, 0)


def test_one_step_is_the_textbook_one():
    made, (x, y) = trainer(), rows(20, 20)[0]
    twin = trainer()
    loss = made.step(x, y)
    criterion = cynet.CrossEntropyLoss()
    assert criterion(twin.model(x), y) == loss
    twin.model.zero_grad()
    twin.model.backward(criterion.backward())
    twin.optimizer.step()
    for a, b in zip(made.model.parameters(), twin.model.parameters(), strict=True):
        assert np.array_equal(a.data, b.data)


def test_gradients_do_not_add_up_over_steps():
    made, (x, y) = trainer(lr=0.0), rows(20, 20)[0]
    made.step(x, y)
    first = made.model.parameters()[0].grad.copy()
    made.step(x, y)
    assert np.array_equal(made.model.parameters()[0].grad, first)


def test_a_nan_loss_stops_before_the_weights_change():
    made, (x, y) = trainer(), rows(20, 20)[0]
    made.step(x, y)
    before = made.model.state_dict()
    x = x.copy()
    x[3, 2] = math.nan
    with pytest.raises(Diverged, match="training loss is nan at step 2") as caught:
        made.step(x, y)
    assert caught.value.step == 2
    for p in made.model.parameters():
        assert np.array_equal(before[p.name], p.data)


def test_a_nan_test_loss_is_no_result():
    x, y = rows(20, 20)[0]
    bad, log = x.copy(), Log()
    bad[0] = math.nan
    with pytest.raises(Diverged, match="test loss is nan at step 1"):
        loop.train(trainer(), [(x, y)], [(bad, y)], 1, [log])
    assert not log.results


def test_a_test_loss_beyond_all_numbers_is_no_result(monkeypatch):
    made, log = trainer(), Log()
    found = made.evaluate(rows(20, 20))
    monkeypatch.setattr(made, "evaluate", lambda batches: replace(found, loss=math.inf))
    with pytest.raises(Diverged, match="validation loss is inf at step 1"):
        loop.train(made, rows(20, 20), rows(20, 20), 1, [log], measure="validation")
    assert not log.results


def test_no_batches_is_an_error_and_no_endless_loop():
    with pytest.raises(ValueError, match="at least one batch an epoch"):
        loop.train(trainer(), [], rows(5, 5), 3)
    with pytest.raises(ValueError, match="at least one sample"):
        evaluate(trainer().model, [])


def test_evaluation_counts_every_sample_and_leaves_the_model_as_it_was():
    made = trainer()
    made.model[1].eval()
    before = made.model.state_dict()
    batches = rows(53, 8)
    result = evaluate(made.model, batches)
    assert [layer.training for layer in made.model] == [True, False, True, True]
    assert all(np.array_equal(before[n], a) for n, a in made.model.state_dict().items())
    made.model.eval()
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    logits = made.model(x)
    guess = logits.argmax(1)
    assert result.accuracy == np.mean(guess == y)
    assert result.loss == pytest.approx(cynet.CrossEntropyLoss()(logits, y))
    for label in range(3):
        assert result.class_accuracy[label] == np.mean(guess[y == label] == label)
        for other in range(3):
            assert result.confusion[label, other] == np.sum((y == label) & (guess == other))


def test_a_nan_logit_is_no_right_answer():
    x, y = rows(10, 10)[0]
    x[:] = math.nan
    result = evaluate(trainer().model, [(x, y)])
    assert math.isnan(result.loss)
    assert result.accuracy == 0
    assert result.samples.sum() == 10
    assert result.confusion.sum() == 0


def test_a_class_without_samples_has_no_accuracy():
    x, y = rows(10, 10)[0]
    result = evaluate(trainer().model, [(x, np.ones_like(y))])
    assert np.isnan(result.class_accuracy[[0, 2]]).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_after_the_step(number):
    class Press(Observer):
        def stepped(self, progress):
            if progress.step == 3:
                os.kill(os.getpid(), number)

    made, before = trainer(), signal.getsignal(number)
    with Signals() as signals, pytest.raises(Stopped) as caught:
        loop.train(made, rows(80, 20), rows(5, 5), 10, [Press()], signals.watch)
    assert made.steps == 3
    assert caught.value.signal == number
    assert signal.getsignal(number) is before


def test_a_closed_terminal_that_is_told_of_twice_is_one_wish():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may be ignored where the tests run
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.pending == signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_second_signal_stops_at_once():
    with pytest.raises(KeyboardInterrupt), Signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("last", [1, 3])
def test_a_signal_in_a_step_ends_the_walk_before_another_batch_is_fetched(last):
    fetched, seen = [], []

    def items():
        for number in (1, 2, 3):
            fetched.append(number)
            yield number

    signals = Signals()
    with pytest.raises(Stopped) as caught:
        for item in signals.watch(items()):
            seen.append(item)
            if item == last:
                signals.pending = signal.SIGTERM
    assert seen == fetched == list(range(1, last + 1)) and caught.value.signal == signal.SIGTERM
    with pytest.raises(Stopped):
        next(signals.watch(iter([1])))  # one that came before


def test_the_wish_is_told_once_on_standard_error_and_what_telling_raises_is_nobodys(capfd):
    with Signals() as signals:
        signals._note(signal.SIGINT, None)
    assert capfd.readouterr() == ("", "stopping after this step, and saving; once more stops at once\n")

    def failing(line):
        raise RuntimeError(line)

    with Signals(failing) as signals:
        signals._note(signal.SIGINT, None)
        assert signals.pending == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signals._note(signal.SIGINT, None)
