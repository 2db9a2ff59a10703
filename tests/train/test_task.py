"""Tasks: what they measure, by hand and by slow definitions; a trainer of each."""

import warnings

import numpy as np
import pytest

import cynet
from cynet.train import LabelEvaluation, LabelTask, NumberEvaluation, NumberTask, Trainer, train
from cynet.train.diagnosis import Doctor
from cynet.train.label_metrics import average_precision
from cynet.train.loop import Result
from cynet.train.metrics import Evaluation
from cynet.train.task import Task
from cynet.train.tasks import task_of

RNG = np.random.default_rng(0)


def slow_average_precision(scores, truth):
    """The definition: over the thresholds, from high to low, precision times what recall grows by."""
    total = before = 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        said = scores >= threshold
        right = (said & (truth > 0)).sum()
        total += (right / truth.sum() - before) * right / said.sum()
        before = right / truth.sum()
    return total


@pytest.mark.parametrize("ties", [3, 1000])
def test_average_precision_is_its_definition(ties):
    for size in (1, 2, 7, 60):
        scores = RNG.integers(0, ties, size) / ties
        truth = RNG.integers(0, 2, size)
        truth[0] = 1
        assert average_precision(scores, truth) == pytest.approx(slow_average_precision(scores, truth))


def test_average_precision_by_hand():
    scores, truth = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0])
    assert average_precision(scores, truth) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.ones(4), truth) == 0.5
    assert np.isnan(average_precision(scores, np.zeros(4)))


def test_what_is_said_at_a_half_is_counted():
    truth = np.float32([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.2, 0.1], [0.4, 0.8, 0.1], [0.6, 0.5, 0.2], [0.1, 0.1, 0.3]])
    found = LabelEvaluation(0.5, probabilities, truth)
    np.testing.assert_allclose(found.precision, [0.5, 1, np.nan])
    np.testing.assert_allclose(found.recall, [0.5, 1, np.nan])
    np.testing.assert_allclose(found.label_f1, [0.5, 1, np.nan])
    assert found.f1 == 0.5 and found.accuracy == 0.5
    assert found.samples.tolist() == [2, 2, 0]
    assert found.ap == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    places, f1 = found.thresholds()
    assert len(places) == 99 and f1[places == 0.5][0].tolist() == [0.5, 1, 0]
    assert f1[places == 0.35][0, 0] == pytest.approx(0.8)


def test_a_sample_with_nan_comes_last_and_says_nothing():
    truth = np.float32([[1], [1], [0]])
    found = LabelEvaluation(0.0, np.array([[np.nan], [0.9], [0.6]]), truth)
    assert found.sure.tolist() == [False, True, True]
    assert found.ap == pytest.approx((1 + 2 / 3) / 2) and found.recall.tolist() == [0.5]
    assert found.accuracy == pytest.approx(1 / 3)
    nothing = LabelEvaluation(0.0, np.array([[np.nan, 0.1], [0.2, 0.1]]), np.zeros((2, 2), np.float32))
    assert nothing.accuracy == 0.5  # nothing is said of the first, which is not the same as saying no


@pytest.mark.parametrize("task", [Task(), LabelTask(), NumberTask()], ids=repr)
def test_a_score_that_is_not_known_is_never_the_better_one(task):
    for other in (None, 0.0, 0.5, np.nan):
        assert not task.measures.better(np.nan, other)
    assert task.measures.better(0.0, None)


def test_the_score_of_labels_that_no_sample_has_is_not_known():
    assert np.isnan(
        LabelTask().score(LabelEvaluation(0.0, np.full((2, 3), 0.5), np.zeros((2, 3), np.float32)))
    )


def test_how_far_numbers_are_off():
    labels, values = np.float32([[0, 5], [2, 5], [4, 5]]), np.array([[0.0, 6], [2, 4], [1, 5]])
    found = NumberEvaluation(0.1, values, labels)
    np.testing.assert_allclose(found.each_mae, [1, 2 / 3])
    np.testing.assert_allclose(found.each_rmse, [3**0.5, (2 / 3) ** 0.5])
    np.testing.assert_allclose(found.each_r2, [1 - 9 / 8, np.nan])
    assert found.mae == pytest.approx(5 / 6) and found.rmse == pytest.approx((11 / 6) ** 0.5)
    assert found.r2 == pytest.approx(-1 / 8)


def test_a_label_is_said_from_a_logit_of_0_on_and_all_of_a_sample_are_to_be_right():
    logits = np.float32([[0, -1], [0, -1], [1, 2], [-0.1, -3]])
    labels = np.float32([[1, 0], [1, 0], [1, 0], [0, 0]])
    assert LabelTask().right(logits, labels) == 3
    assert NumberTask().right(logits, labels) == 0 and Task().right(logits, np.array([0, 1, 1, 0])) == 3


def test_a_task_by_its_name_and_loss():
    assert [type(task_of(name)) for name in (None, "classify", "multilabel")] == [Task, Task, LabelTask]
    for loss in ("mse", "l1", "huber"):
        assert task_of("regress", loss).loss == loss
    assert task_of("regress").loss == "mse"
    assert NumberTask().loss == "mse"


def test_what_guessing_comes_to_and_what_is_known_count_the_classes_that_are_there():
    task, labels = Task(), np.array([0, 0, 0, 3])  # of classes 1 and 2 there are none
    assert task.chance(labels) == 0.5
    assert task.guessing(labels) == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    confusion = np.array([[3, 0, 0], [0, 0, 0], [1, 0, 0]])
    assert task.skill(Evaluation(0.1, confusion.sum(axis=1), confusion)) == 0.5  # and not 3 of 4
    numbers = np.float32([[0], [0], [0], [10]])
    huber = NumberTask("huber")
    assert huber.guessing(numbers) == huber.criterion()(np.full_like(numbers, 2.5), numbers)
    assert NumberTask("l1").guessing(numbers) == 2.5 and NumberTask().guessing(numbers) == 18.75
    assert LabelTask().chance(np.float32([[1, 0], [0, 0]])) == 0.25 and NumberTask().chance(numbers) == 0


class OneBuffer(cynet.Layer):
    """A user's model that hands out the same array each time."""

    def __init__(self):
        self.y = np.zeros((2, 2), np.float32)

    def forward(self, x):
        self.y[:] = x
        return self.y


@pytest.mark.parametrize("task", [LabelTask(), NumberTask()], ids=repr)
def test_outputs_are_kept_where_a_model_writes_over_them_and_may_be_of_any_size(task):
    x, y = np.float32([[0, 1], [-2e4, 3e4]]), np.float32([[0, 1], [0, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = task.evaluate(OneBuffer(), [(x, y), (-x, y)])
    values = found.probabilities if task.name == "multilabel" else found.values
    wanted = np.concatenate([x, -x]).astype(float)
    if task.name == "multilabel":
        wanted = np.array([[0.5, 1 / (1 + np.exp(-1))], [0, 1], [0.5, 1 / (1 + np.exp(1))], [1, 0]])
    np.testing.assert_allclose(values, wanted, rtol=1e-6)


def test_the_spread_of_large_numbers_is_about_their_mean():
    labels = np.float32([[1e7], [1e7 + 1], [1e7 + 1], [1e7 + 2]])  # in single precision the mean may be none
    found = NumberEvaluation(0.1, labels.astype(float) + 0.5, labels)
    np.testing.assert_allclose(found.each_r2, [1 - 1 / 2])
    labels = np.float32([[1e7], [1e7 + 1]])
    found = NumberEvaluation(0.1, np.array([[1e7], [1e7 + 0.5]]), labels)
    np.testing.assert_allclose(found.each_r2, [1 - 0.25 / 0.5])


def test_a_sample_is_sure_where_none_of_its_numbers_is_nan():
    values = np.array([[np.nan, 1], [1, np.nan], [np.inf, 1], [2, 3], [np.nan, np.nan]])
    found = NumberEvaluation(0.1, values, np.zeros((5, 2), np.float32))
    assert found.sure.tolist() == [False, False, True, True, False] and found.samples.tolist() == [5, 5]


def batches(task, count=6):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((count * 16, 4)).astype(np.float32)
    y = x[:, :2] @ np.float32([[1, -1], [0.5, 2]])
    y = (y > 0).astype(np.float32) if task.name == "multilabel" else y
    return [(x[i : i + 16], y[i : i + 16]) for i in range(0, len(x), 16)]


@pytest.mark.parametrize("task", [LabelTask(), NumberTask(), NumberTask("l1"), NumberTask("huber")], ids=repr)
def test_a_model_learns_each_task(task):
    cynet.seed(0)
    model = cynet.Sequential(cynet.Linear(4, 16), cynet.ReLU(), cynet.Linear(16, 2))
    trainer = Trainer(
        model, task.criterion(), cynet.SGD(model.parameters(), 0.05), lambda step: 0.05, task=task
    )
    given = batches(task)
    first = trainer.evaluate(given)
    result = train(trainer, given, given, 150)
    assert result.test.loss < 0.7 * first.loss
    measures = task.measures
    assert measures.better(task.score(result.test), task.score(first))
    assert set(task.values(result.test)) == set(measures.columns)
    labels = np.concatenate([y for _, y in given])
    assert result.test.loss < task.guessing(labels)


def test_guessing_is_the_loss_of_a_constant():
    labels = np.float32([[1, 0], [1, 1], [0, 0], [0, 0]])
    logits = np.broadcast_to(np.float32([0, np.log(1 / 3)]), labels.shape).copy()
    assert LabelTask().guessing(labels) == pytest.approx(LabelTask().criterion()(logits, labels))
    numbers = RNG.standard_normal((50, 2)).astype(np.float32)
    assert NumberTask().guessing(numbers) == pytest.approx(numbers.var(axis=0).mean(), rel=1e-5)
    for loss in ("mse", "l1"):
        task = NumberTask(loss)
        others = [task.criterion()(np.full_like(numbers, c), numbers) for c in np.float32([-0.5, 0, 0.5])]
        assert task.guessing(numbers) <= min(others) + 1e-6
    assert task_of().guessing(np.array([0, 0, 1, 1])) == pytest.approx(np.log(2))


def test_labels_of_another_shape_than_the_output_are_named():
    model = cynet.Linear(4, 3)
    for task in (LabelTask(), NumberTask()):
        with pytest.raises(ValueError, match=r"model: wanted one that gives \(16, 2\), a number"):
            task.evaluate(model, batches(task))
        with pytest.raises(ValueError, match="batches: wanted at least one sample, got none"):
            task.evaluate(model, [])


def test_weights_let_a_1_count_as_much_as_all_0s():
    labels = np.float32([[1, 0], [0, 0], [0, 0], [0, 0]])
    assert LabelTask().weights(labels, 2).tolist() == [3, 1]


def test_the_doctor_knows_what_guessing_comes_to():
    found, task = [], LabelTask()
    labels = np.float32([[1, 0], [0, 1], [0, 0], [0, 0]])
    model = cynet.Sequential(cynet.Linear(4, 2))
    trainer = Trainer(
        model, task.criterion(), cynet.SGD(model.parameters(), 0.1), lambda step: 0.1, task=task
    )
    doctor = Doctor(trainer, found.append, labels, lambda count: np.zeros((1, 4), np.float32), task=task)
    guessed = LabelEvaluation(0.7, np.full((4, 2), 0.3), labels)
    for step in (200, 300):
        doctor.evaluated(Result(step, 1, 0.1, 0.01, guessed))
    assert [each.kind for each in found] == ["shuffled"]
    assert "but test average precision is 0.250, as by guessing" in found[0].seen
    doctor.evaluated(Result(400, 1, 0.1, 0.9, guessed))
    assert found[-1].kind == "not falling" and "guessing gives 0.5623" in found[-1].seen


@pytest.mark.parametrize("task", [LabelTask(), NumberTask()], ids=repr)
def test_with_flip_the_output_is_the_mean_of_that_of_the_picture_and_its_mirror_image(task):
    cynet.seed(0)
    model = cynet.Sequential(cynet.Flatten(), cynet.Linear(3 * 4 * 2, 2))
    x, y = RNG.standard_normal((5, 3, 4, 2), dtype=np.float32), RNG.integers(0, 2, (5, 2)).astype(np.float32)
    found = task.evaluate(model, [(x[:2], y[:2]), (x[2:], y[2:])], flip=True)
    wanted = (model(x).astype(float) + model(x[:, :, ::-1])) / 2
    if task.name == "multilabel":
        np.testing.assert_allclose(found.probabilities, 1 / (1 + np.exp(-wanted)), rtol=1e-5)
    else:
        np.testing.assert_allclose(found.values, wanted, rtol=1e-5, atol=1e-6)
    assert found.loss == pytest.approx(task.criterion()(wanted.astype(np.float32), y), rel=1e-5)
    plain = task.evaluate(model, [(x, y)])
    assert plain.loss == pytest.approx(task.criterion()(np.array(model(x)), y), rel=1e-6) != found.loss
