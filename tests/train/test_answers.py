"""What a model says of pictures, against definitions; the search for a rate; sizes of batches."""

import math

import numpy as np
import pytest

import cynet
from cynet.runs import predictor
from cynet.runs.facts import Facts
from cynet.runs.predictor import Answer, Predicted, best
from cynet.train import batching, lr_find, predict, save_weights
from cynet.train.predictions import Calibration, Predictions, confused, precision
from cynet.train.trainer import Diverged

RNG = np.random.default_rng(1)
CLASSES = ("zebra", "ant", "bee")
MEAN, STD = (0.5, 0.25, 0.125), (0.5, 0.25, 2.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A predictor with another mean and deviation for each channel."""
    facts = Facts("uwnet2", True, "x", CLASSES, MEAN, STD)
    path = tmp_path_factory.mktemp("w") / "w.safetensors"
    cynet.seed(4)
    save_weights(path, facts.create(), facts)
    return cynet.Predictor(path)


def test_each_channel_has_its_own_mean_and_deviation(made):
    pictures = RNG.integers(0, 256, (3, 32, 32, 3), np.uint8)
    x = ((pictures / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32)
    with cynet.no_grad():
        logits = made.model(x).astype(np.float64)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made(pictures).probabilities, wanted, rtol=1e-4)
    turned = x[..., ::-1] + 0.0
    with cynet.no_grad():
        assert not np.allclose(made.model(np.ascontiguousarray(turned)), logits, rtol=1e-3)


def test_batches_are_as_large_as_asked_and_answers_come_one_by_one(made, monkeypatch):
    sizes, predicted = [], predictor.predict
    monkeypatch.setattr(
        predictor,
        "predict",
        lambda model, batches, **more: sizes.append(batches.batch_size) or predicted(model, batches, **more),
    )
    one = cynet.Predictor(made.path, batch_size=2)
    pictures = list(RNG.integers(0, 256, (5, 32, 32, 3), np.uint8))
    answers = one.answers(pictures)
    assert next(answers).name == "picture 0" and sizes == [2]
    assert [answer.name for answer in answers] == [f"picture {k}" for k in (1, 2, 3, 4)] and sizes == [
        2,
        2,
        1,
    ]
    assert cynet.Predictor(made.path).batch_size == 32
    with pytest.raises(ValueError, match="batch_size: wanted"):
        cynet.Predictor(made.path, batch_size=0)


def test_classes_keep_the_order_of_the_training(made):
    found = made(RNG.integers(0, 256, (4, 32, 32, 3), np.uint8))
    assert found.classes == CLASSES and repr(found) == "Predicted(4 pictures, 3 classes)"
    for k, row in enumerate(found.probabilities):
        assert found.predicted[k] == CLASSES[int(row.argmax())]
        assert found.top(k) == sorted(zip(CLASSES, row.tolist(), strict=True), key=lambda pair: -pair[1])
        assert found.top(k, 2) == found.top(k)[:2]


def test_of_equal_ones_the_first_is_the_best():
    rows = np.array([[0.25, 0.5, 0.25], [0.4, 0.2, 0.4]])
    found = Predicted(CLASSES, rows, ("a", "b"))
    assert found.labels.tolist() == [1, 0] and found.predicted == ("ant", "zebra")
    assert found.top(0) == [("ant", 0.5), ("zebra", 0.25), ("bee", 0.25)]
    assert best(CLASSES, rows[1], 2) == [("zebra", 0.4), ("bee", 0.4)]
    six = Predicted(tuple("abcdef"), np.full((1, 6), 1 / 6), ("x",))
    assert [name for name, _ in six.top(0)] == list("abcde")


def test_what_is_broken_among_others_is_named_with_its_number(made, monkeypatch):
    errors = {k: ValueError(f"e{k}") for k in range(12)}

    def answers(pictures):
        return [Answer(str(k), None if k in errors else np.ones(3) / 3, errors.get(k)) for k in range(14)]

    monkeypatch.setattr(made, "answers", answers)
    with pytest.raises(ValueError, match=r"12 of 14 pictures: e0; .*; e9; and 2 more$"):
        made([])
    for k in range(10, 12):
        del errors[k]
    with pytest.raises(ValueError, match=r"10 of 14 pictures: e0; .*; e9$"):
        made([])
    for k in range(1, 10):
        del errors[k]
    with pytest.raises(ValueError, match=r"^e0$"):
        made([])


# -- predictions -------------------------------------------------------------------------------------------
def rows(*probabilities):
    return np.log(np.array(probabilities))


def test_counts_loss_and_mistakes_of_a_few_predictions():
    found = Predictions(
        rows([0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.25, 0.5, 0.25], [0.1, 0.8, 0.1], [np.nan] * 3),
        np.array([0, 1, 2, 1, 0]),
    )
    assert found.predicted[:4].tolist() == [0, 0, 1, 1]
    assert found.right.tolist() == [True, False, False, True, False]
    assert found.sure.tolist() == [True] * 4 + [False]
    np.testing.assert_allclose(found.confidence[:4], [0.7, 0.6, 0.5, 0.8])
    result = found.evaluation
    assert result.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0]] and result.samples.tolist() == [
        2,
        2,
        1,
    ]
    assert result.accuracy == 2 / 5 and math.isnan(result.loss)
    assert result.class_accuracy.tolist() == [0.5, 0.5, 0.0]
    np.testing.assert_array_equal(precision(result), [0.5, 0.5, np.nan])
    assert found.worst(5).tolist() == [1, 2] and found.worst(1).tolist() == [1]
    assert confused(result, 5) == [(1, 0, 1), (2, 1, 1)] and confused(result, 1) == [(1, 0, 1)]
    assert found.top(2, 2) == [(1, pytest.approx(0.5)), (0, pytest.approx(0.25))]


def test_the_loss_is_the_mean_over_the_samples():
    found = Predictions(rows([0.7, 0.3], [0.6, 0.4], [0.25, 0.75]), np.array([0, 1, 1]))
    assert found.evaluation.loss == pytest.approx(-np.mean(np.log([0.7, 0.4, 0.75])))


def test_a_bin_holds_its_upper_edge_and_the_error_weighs_pictures():
    found = Predictions(
        rows([0.5, 0.5], [0.5, 0.5], [0.75, 0.25], [0.8, 0.2], [1.0, 1e-300]), np.array([0, 1, 0, 1, 0])
    )
    bins = found.calibration(bins=4)
    assert bins.edges.tolist() == [0, 0.25, 0.5, 0.75, 1] and bins.counts.tolist() == [0, 2, 1, 2]
    np.testing.assert_allclose(bins.confidence[1:], [0.5, 0.75, 0.9])
    np.testing.assert_allclose(bins.accuracy[1:], [0.5, 1.0, 0.5])
    assert np.isnan(bins.confidence[0]) and np.isnan(bins.accuracy[0])
    assert bins.error == pytest.approx((2 * 0 + 0.25 + 2 * 0.4) / 5)
    assert len(found.calibration().counts) == 15
    assert math.isnan(Calibration(np.arange(3), np.zeros(2, int), *np.full((2, 2), np.nan)).error)


@pytest.mark.parametrize("logits", [[1.0, 2.0, -1.0], [1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]])
def test_probabilities_are_the_softmax(logits):
    class Fixed(cynet.Layer):
        def output_shape(self, shape):
            return (shape[0], 3)

        def forward(self, x):
            return np.tile(np.array(logits, np.float32), (len(x), 1))

    found = predict(Fixed(), [(np.zeros((2, 1), np.float32), np.array([0, 1]))])
    wanted = np.exp(np.array(logits) - max(logits))
    np.testing.assert_allclose(found.probabilities, np.tile(wanted / wanted.sum(), (2, 1)), rtol=1e-6)


def test_the_mirror_image_is_turned_about_the_vertical_and_counts_half():
    class Left(cynet.Layer):
        """Logits from the left edge and the top edge."""

        def output_shape(self, shape):
            return (shape[0], 2)

        def forward(self, x):
            return np.stack([x[:, :, 0].sum(axis=(1, 2)), x[:, 0].sum(axis=(1, 2))], axis=1)

    x = np.zeros((1, 2, 3, 1), np.float32)
    x[0, 0, 0] = 2
    y = np.array([0])
    plain, turned = predict(Left(), [(x, y)]), predict(Left(), [(np.ascontiguousarray(x[:, :, ::-1]), y)])
    found = predict(Left(), [(x, y)], flip=True)
    np.testing.assert_allclose(
        found.probabilities, (plain.probabilities + turned.probabilities) / 2, rtol=1e-12
    )
    assert plain.probabilities[0, 0] == pytest.approx(0.5) and found.probabilities[0, 0] < 0.4


def test_a_model_is_left_in_the_modes_it_was_in(made):
    model = made.model
    model[1].train()
    try:
        predict(model, [(np.zeros((1, 32, 32, 3), np.float32), np.array([0]))])
        assert [layer.training for _, layer in model.walk()].count(True) == 1 and model[1].training
        with pytest.raises(ValueError, match="batches: wanted at least one sample"):
            predict(model, [])
        assert model[1].training
    finally:
        model.eval()


# -- the search for a rate ---------------------------------------------------------------------------------
class Scripted:
    """A trainer whose losses are told."""

    columns = False

    def __init__(self, losses):
        self.losses, self.steps, self.rates = iter(losses), 0, []
        self.model = cynet.Sequential(cynet.Linear(1, 1)).eval()
        self.optimizer = type("Optimizer", (), {"lr": None})()

    def step(self, x, y):
        assert self.model.training
        self.optimizer.lr = self.schedule(self.steps)
        self.rates.append(self.optimizer.lr)
        self.steps += 1
        loss = next(self.losses)
        if loss != loss:
            raise Diverged(self.steps, loss, "training loss")
        return loss


BATCHES = [(np.zeros((1, 1), np.float32), np.array([0]))]


def test_rates_go_from_the_lowest_to_the_highest_by_equal_factors():
    made = Scripted([1.0] * 5)
    found = lr_find.lr_find(made, BATCHES, 0.01, 100.0, 5)
    assert made.rates == pytest.approx([0.01, 0.1, 1, 10, 100]) and found.rates == pytest.approx(made.rates)
    assert found.smooth == pytest.approx([1.0] * 5) and found.losses.tolist() == [1.0] * 5
    assert (lr_find.LOWEST, lr_find.HIGHEST, lr_find.STEPS) == (1e-4, 10.0, 150)


def test_the_smooth_loss_is_an_average_without_the_bias_of_its_start():
    losses = [4.0, 2.0, 1.0, 3.0]
    found = lr_find.lr_find(Scripted(losses), BATCHES, steps=4)
    for n in range(1, 5):
        weights = 0.1 * 0.9 ** np.arange(n)[::-1]
        assert found.smooth[n - 1] == pytest.approx(np.dot(weights, losses[:n]) / (1 - 0.9**n))


def test_the_search_ends_where_the_loss_is_lost():
    found = lr_find.lr_find(Scripted([1.0, 1.0, math.nan, 1.0]), BATCHES, steps=4)
    assert len(found.rates) == len(found.losses) == 2
    found = lr_find.lr_find(Scripted([1.0, 1.0, 1e3, 1.0]), BATCHES, steps=4)
    assert found.losses.tolist() == [1.0, 1.0, 1e3]  # the smooth one is more than three times the least
    second = (3 - 0.09 / 0.19) / (0.1 / 0.19)  # makes the second smooth loss three times the first
    for loss, count in ((second - 0.01, 3), (second + 0.01, 2)):
        assert len(lr_find.lr_find(Scripted([1.0, loss, 1.0]), BATCHES, steps=3).losses) == count
    found = lr_find.lr_find(Scripted([9.0] + [1.0] * 30 + [25.0] * 9), BATCHES, steps=40)
    assert len(found.losses) == 32  # more than three times the least, though less than at first
    with pytest.raises(ValueError, match="batches: wanted some that can be walked through again"):
        lr_find.lr_find(Scripted([1.0]), [], steps=3)


def test_the_suggestion_is_in_the_middle_of_the_steepest_part():
    rates = np.arange(100.0)
    for first in (0, 30, 60):
        smooth = 10 - np.clip(rates - first, 0, 20) / 4
        smooth[90:] = 20.0  # what comes after the least loss does not count
        assert lr_find._steepest(rates, smooth) == first + 10
    assert lr_find._steepest(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == 2.0
    assert lr_find._steepest(np.array([1.0]), np.array([3.0])) == 1.0


def test_the_table_of_the_search_has_its_numbers():
    found = lr_find.Found(np.array([1e-4, 1 / 3]), np.array([2.5, 1.25]), np.array([2.5, 2.125]), 0.3)
    assert lr_find.rows(found) == "step,lr,loss,smooth_loss\n1,0.0001,2.5,2.5\n2,0.333333,1.25,2.125\n"
    made = lr_find.lr_find(Scripted([4.0, 3.0, 2.0, 1.0]), BATCHES, 0.0123, 0.0987, 4)
    assert made.suggestion == float(f"{made.rates[1]:.0e}")


# -- batch sizes -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("samples", "most", "wanted"), [
    (100, 10, 10), (99, 10, 9), (97, 10, 8), (7, 2, 2), (7, 1, None), (64, 3, 2), (60, 12, 12), (61, 12, 12),
])  # fmt: skip
def test_a_suited_batch_leaves_out_the_fewest_and_is_the_largest_of_equals(samples, most, wanted):
    assert batching.suited(samples, most) == wanted
    if wanted:
        left = [samples % size for size in range(max(2, -(-most // 2)), most + 1)]
        assert samples % wanted == min(left)


@pytest.mark.parametrize(("samples", "wanted"), [
    (10_000, 125), (1280, 128), (80, 8), (79, 39), (4, 2), (3, None), (2, None),
])  # fmt: skip
def test_what_is_suggested_has_ten_steps_or_two(samples, wanted):
    assert batching.suggestion(samples) == wanted


def test_advice_is_given_below_ten_steps_alone():
    assert batching.advice(80, 8) is None and batching.advice(89, 8) is None
    assert batching.advice(79, 8) == (
        "an epoch is 9 steps of 8 and leaves out 7 of 79 pictures: try --batch-size 6 (13 steps, 1 left out)"
    )
    assert batching.advice(8, 8, "draws").startswith(
        "an epoch is 1 step of 8: try --batch-size 4 (2 steps, none"
    )


def test_a_refusal_names_what_would_do():
    assert batching.refusal(100, 128) == (
        "wanted at most the 100 training samples, got 128 (10 makes 10 steps an epoch)"
    )
    assert batching.refusal(3, 128, "pictures") == "wanted at most the 3 training pictures, got 128"
