"""What happens when in the loop: rates, numbers, sums, evaluations, what observers are told."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
from test_loop import Log, rows, trainer

import cynet
from cynet.train import Diverged, Observer, Stopped, evaluate, loop
from cynet.train.average import Average
from cynet.train.loop import Progress
from cynet.train.trainer import Place

UNEVEN = [rows(20, 20)[0], rows(20, 20, seed=1)[0], rows(5, 5, seed=2)[0]]
TEST = rows(50, 15, seed=3)


def rate(step):
    """Another one at every step."""
    return 0.001 * 2**step


def rates_in_use(made):
    """The rates at which the optimiser's steps are done, as they come."""
    used, step = [], made.optimizer.step

    def noted():
        used.append(made.optimizer.lr)
        step()

    made.optimizer.step = noted
    return used


def test_each_step_is_done_and_told_with_its_own_rate():
    log, made = Log(), trainer(schedule=rate)
    used = rates_in_use(made)
    loop.train(made, UNEVEN, TEST, 7, [log])
    assert used == [p.lr for p in log.steps] == [rate(step) for step in range(7)]
    assert [r.lr for r in log.results] == [rate(2), rate(5), rate(6)]


def test_a_training_that_goes_on_has_the_rates_of_its_steps():
    made = trainer(schedule=rate)
    loop.train(made, UNEVEN, TEST, 4)
    used = rates_in_use(made)
    loop.train(made, Rest(UNEVEN, 1), TEST, 6)
    assert used == [rate(4), rate(5)]


def test_steps_epochs_and_pictures_are_counted_from_one():
    log = Log()
    loop.train(trainer(), UNEVEN, TEST, 7, [log])
    assert [p.step for p in log.steps] == [1, 2, 3, 4, 5, 6, 7]
    assert [p.epoch for p in log.steps] == [1, 1, 1, 2, 2, 2, 3]
    assert [p.images for p in log.steps] == [20, 20, 5, 20, 20, 5, 20]
    assert [(r.step, r.epoch) for r in log.results] == [(3, 1), (6, 2), (7, 3)]


def test_sums_are_over_the_steps_since_the_evaluation_before():
    """The loss a mean over steps, the accuracy over samples: the last batch is a small one."""
    log, made = Log(), trainer()
    loop.train(made, UNEVEN, TEST, 7, [log])
    for result, part in zip(log.results, (log.steps[:3], log.steps[3:6], log.steps[6:]), strict=True):
        assert result.train_loss == pytest.approx(np.mean([p.loss for p in part]))
        assert result.train_accuracy == sum(p.right for p in part) / sum(p.images for p in part)
    assert made.place == Place(epoch=2, batch=1, evaluated=7)


def test_right_is_counted_before_the_step():
    log, made, twin = Log(), trainer(), trainer()
    loop.train(made, UNEVEN, TEST, 3, [log])
    for (x, y), progress in zip(UNEVEN, log.steps, strict=True):
        logits = twin.model(x)
        assert progress.right == (logits.argmax(axis=1) == y).sum()
        assert progress.loss == pytest.approx(twin.criterion(logits, y))
        twin.step(x, y)


def test_an_evaluation_weighs_every_sample_the_same():
    made = trainer()
    whole = [np.concatenate(part) for part in zip(*TEST, strict=True)]
    one, parts = evaluate(made.model, [whole]), evaluate(made.model, TEST)
    assert [len(y) for _, y in TEST] == [15, 15, 15, 5]
    assert parts.loss == pytest.approx(one.loss, rel=1e-6) and parts.accuracy == one.accuracy
    means = [evaluate(made.model, [batch]).loss for batch in TEST]
    assert parts.loss != pytest.approx(np.mean(means), rel=1e-6)


def test_a_training_puts_its_model_into_training_and_takes_a_step_at_least():
    made = trainer()
    made.model.eval()
    loop.train(made, UNEVEN, TEST, 2)
    assert all(layer.training for _, layer in made.model.walk()) and made.model.training
    assert made.model[1].num_batches_tracked == 2
    for steps in (2, 1, 0):
        with pytest.raises(ValueError, match=rf"steps: wanted .* 3.*, got {steps}"):
            loop.train(made, UNEVEN, TEST, steps)
    assert loop.train(made, Rest(UNEVEN, 2), TEST, 3).step == 3


def test_all_walks_are_watched_and_in_turn():
    seen = []

    def watch(items):
        seen.append("test" if items is TEST else "training")
        yield from items

    loop.train(trainer(), UNEVEN, TEST, 5, watch=watch)
    assert seen == ["training", "test", "training", "test"]


@pytest.mark.parametrize("walk", [0, 1, 2, 3])
def test_a_wish_to_stop_is_heard_in_every_walk_and_cost_no_step(walk):
    """Also in an evaluation, which is then made anew."""
    walks = []

    def watch(items):
        walks.append(items)
        for number, item in enumerate(items):
            if len(walks) == walk + 1 and number == 2:
                raise Stopped(15)
            yield item

    log, twin = Log(), Log()
    made = trainer()
    with pytest.raises(Stopped):
        loop.train(made, UNEVEN, TEST, 6, [log], watch)
    assert made.steps == (2, 3, 5, 6)[walk] and len(log.results) == walk // 2
    left = made.place.batch % 3
    if made.place.count and made.place.batch == 3:  # nothing but the evaluation is left of this epoch
        result = loop.train(made, UNEVEN, TEST, made.steps, [log])
        assert log.results[-1] is result and result.step == made.steps
    loop.train(made, Rest(UNEVEN, left), TEST, 6, [log]) if made.steps < 6 else None
    loop.train(trainer(), UNEVEN, TEST, 6, [twin])
    assert [p.loss for p in log.steps] == [p.loss for p in twin.steps]
    assert [(r.step, r.epoch, r.train_loss, r.test.loss) for r in log.results] == [
        (r.step, r.epoch, r.train_loss, r.test.loss) for r in twin.results
    ]


class Rest:
    """Batches whose first walk begins with a later one."""

    def __init__(self, batches, first):
        self.batches, self.first = batches, first

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        first, self.first = self.first, 0
        return iter(self.batches[first:])


def test_observers_are_told_in_their_order_and_asked_after_all_were_told():
    told = []

    class Named(Observer):
        def __init__(self, name):
            self.name = name

        def stepped(self, progress):
            told.append((self.name, "step", progress.step, made.steps, made.place.batch))

        def evaluated(self, result):
            told.append((self.name, "evaluation", result.step, made.place.count, made.place.epoch))

        def enough(self):
            told.append((self.name, "asked"))
            return self.name == "b" and made.steps == 3

    made = trainer()
    loop.train(made, UNEVEN, TEST, 9, [Named("a"), Named("b"), Named("c")])
    steps = [(name, "step", step, step, step) for step in (1, 2, 3) for name in "abc"]
    assert told == [
        *steps, ("a", "evaluation", 3, 0, 1), ("b", "evaluation", 3, 0, 1), ("c", "evaluation", 3, 0, 1),
        ("a", "asked"), ("b", "asked"),
    ]  # fmt: skip


def test_the_average_is_what_is_evaluated_and_the_weights_are_what_is_trained():
    log, made = Log(), trainer()
    made.average = Average(made.model, 0.9)
    plain = trainer()
    other = Log()
    loop.train(made, UNEVEN, TEST, 6, [log])
    loop.train(plain, UNEVEN, TEST, 6, [other])
    assert [p.loss for p in log.steps] == [p.loss for p in other.steps]
    assert [r.train_loss for r in log.results] == [r.train_loss for r in other.results]
    assert log.results[-1].test.loss != other.results[-1].test.loss
    plain.model.load_state_dict(made.average.arrays)
    assert log.results[-1].test.loss == evaluate(plain.model, TEST).loss
    assert made.average.steps == 6


def test_what_is_evaluated_has_its_name_in_results_and_errors():
    assert loop.train(trainer(), UNEVEN, TEST, 1).measure == "test"
    assert loop.train(trainer(), UNEVEN, TEST, 1, measure="validation").measure == "validation"
    bad = [(np.full_like(TEST[0][0], np.nan), TEST[0][1])]
    with pytest.raises(Diverged, match=r"the validation loss is nan at step 2$"):
        loop.train(trainer(), UNEVEN, bad, 2, measure="validation")


def test_time_is_that_of_the_step_and_of_the_wait_before_it(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def slow():
        for batch in UNEVEN:
            now[0] += 3  # the wait
            yield batch

    made, log = trainer(), Log()
    step = made.step

    def slower(x, y):
        now[0] += 4  # the step
        return step(x, y)

    made.step = slower
    batches = type("Batches", (), {"__len__": lambda self: 3, "__iter__": lambda self: slow()})()
    loop.train(made, batches, TEST, 3, [log])
    assert [(p.waited, p.seconds) for p in log.steps] == [(3, 7)] * 3


# -- one step ----------------------------------------------------------------------------------------------
class Fixed(cynet.Layer):
    """Gives logits that are told."""

    def __init__(self, logits):
        self.weight = cynet.Parameter(np.array(logits, np.float32))

    def output_shape(self, shape):
        return self.weight.shape

    def forward(self, x):
        return self.weight.data.copy()

    def backward(self, dy):
        self.weight.grad += dy
        return dy


def mixed(share, others, y=(0, 1, 2), logits=(0, 1, 2)):
    """How many are called right of three samples with these predictions, and the loss."""
    seen = []

    def mixup(x, y, step):
        seen.append(step)
        return x, np.array(others), share

    model = cynet.Sequential(Fixed(3 * np.eye(3)[list(logits)]))
    optimizer = cynet.SGD(model.parameters(), 0.0)
    made = loop.Trainer(model, cynet.CrossEntropyLoss(), optimizer, lambda step: 0.0, mixup=mixup)
    made.steps = 5
    loss = made.step(np.zeros((3, 1), np.float32), np.array(y))
    assert seen == [5] and made.steps == 6
    return made.right, loss


@pytest.mark.parametrize(("share", "right"), [(0.51, 3), (0.5, 3), (0.49, 1), (0.01, 1), (0.99, 3)])
def test_with_mixup_a_picture_is_what_it_shows_most(share, right):
    assert mixed(share, others=(0, 2, 1))[0] == right


def test_the_loss_of_mixup_weighs_both_labels_by_their_share():
    same, other = mixed(1.0, (1, 2, 0))[1], mixed(0.0, (1, 2, 0))[1]
    assert same < other
    assert mixed(0.25, (1, 2, 0))[1] == pytest.approx(0.25 * same + 0.75 * other)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_at_its_bound_is_left_alone(clip):
    class Slope:
        def __call__(self, logits, y):
            return 1.0

        def backward(self):
            return np.array([[0.6, 0.8]], np.float32)

    model = cynet.Sequential(Fixed(np.zeros((1, 2))))
    made = loop.Trainer(model, Slope(), cynet.SGD(model.parameters(), 1.0), lambda _: 1.0, clip_norm=clip)
    made.step(np.zeros((1, 1), np.float32), np.array([0]))
    np.testing.assert_allclose(model[0].weight.data, [[-0.6, -0.8]], rtol=1e-6)


def test_what_diverged_is_told_with_its_batch_and_leaves_all_as_it_was():
    made = trainer()
    made.average = Average(made.model, 0.9)
    made.step(*UNEVEN[0])
    x, y = UNEVEN[1][0].copy(), UNEVEN[1][1]
    x[0] = np.inf
    parameters = [p.data.copy() for p in made.model.parameters()]
    with pytest.raises(Diverged) as caught, np.errstate(all="ignore"):
        made.step(x, y)
    assert (caught.value.step, made.steps, made.average.steps, made.optimizer.steps) == (2, 1, 1, 1)
    np.testing.assert_array_equal(caught.value.batch[0], x)
    np.testing.assert_array_equal(caught.value.batch[1], y)
    assert caught.value.batch[0] is not x and caught.value.batch[1] is not y
    for before, parameter in zip(parameters, made.model.parameters(), strict=True):
        np.testing.assert_array_equal(before, parameter.data)


def test_progress_and_observers_have_plain_defaults():
    assert Progress(1, 1, 0.1, 2.0, 8) == Progress(1, 1, 0.1, 2.0, 8, 0, 0.0, 0.0)
    observer = Observer()
    assert observer.stepped(None) is observer.evaluated(None) is None and observer.enough() is False
    with contextlib.nullcontext(trainer()) as made, made.evaluated_weights():
        assert (made.steps, made.place, made.clip_norm, made.average, made.mixup) == (
            0,
            Place(),
            None,
            None,
            None,
        )
        assert made.model.input_grad is False


def test_what_diverged_with_mixup_is_told_with_the_batch_before_it_was_mixed():
    made = trainer()
    made.mixup = lambda x, y, step: (x * np.float32(np.nan), y[::-1], 0.5)
    with pytest.raises(Diverged) as caught:
        made.step(*UNEVEN[0])
    for told, given in zip(caught.value.batch, UNEVEN[0], strict=True):
        np.testing.assert_array_equal(told, given)
