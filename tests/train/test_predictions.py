"""What a model says of every sample, and the calibration of it, against their definitions."""

import numpy as np
import pytest

import cynet
from cynet import Flatten, Sequential
from cynet.train import evaluate, predict
from cynet.train.metrics import Evaluation
from cynet.train.predictions import Predictions, confused, f1, macro_f1, precision

RNG = np.random.default_rng(0)


def predictions(n=400, classes=4):
    logits = 3 * RNG.standard_normal((n, classes))
    rows = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return Predictions(rows, RNG.integers(0, classes, n))


def test_the_evaluation_counts_what_is_predicted():
    found = predictions()
    result = found.evaluation
    for label in range(4):
        for k in range(4):
            both = (found.labels == label) & (found.log_probabilities.argmax(1) == k)
            assert result.confusion[label, k] == both.sum()
    assert result.accuracy == found.right.mean()
    assert result.loss == pytest.approx(-np.mean(found.log_probabilities[np.arange(400), found.labels]))
    np.testing.assert_allclose(precision(result), np.diag(result.confusion) / result.confusion.sum(0))


def test_the_calibration_error_is_its_definition():
    found = predictions()
    calibration = found.calibration(bins=10)
    confidence, right, error = found.probabilities.max(1), found.right, 0.0
    for b in range(10):
        inside = (confidence > b / 10) & (confidence <= (b + 1) / 10)
        assert calibration.counts[b] == inside.sum()
        if inside.any():
            assert calibration.accuracy[b] == pytest.approx(right[inside].mean())
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration.error == pytest.approx(error) and error > 0.1  # random labels: far too sure


def test_a_perfect_and_a_sure_model():
    rows = np.log(np.clip(np.eye(3)[[0, 1, 2]], 1e-300, 1))
    found = Predictions(rows, np.array([0, 1, 2]))
    assert found.calibration().error == 0 and found.evaluation.accuracy == 1 and len(found.worst(5)) == 0


def test_the_worst_mistakes_are_the_surest():
    found = predictions()
    worst = found.worst(7)
    assert not found.right[worst].any()
    assert (np.diff(found.confidence[worst]) <= 0).all()
    others = np.setdiff1d(np.flatnonzero(~found.right), worst)
    assert found.confidence[others].max() <= found.confidence[worst].min()


def test_the_most_frequent_mistakes():
    result = predictions().evaluation
    wrong = [(i, j, result.confusion[i, j]) for i in range(4) for j in range(4) if i != j]
    assert [c for *_, c in confused(result, 3)] == sorted((c for *_, c in wrong), reverse=True)[:3]


def known(probabilities, labels):
    with np.errstate(divide="ignore"):
        return Predictions(np.log(np.array(probabilities)), np.array(labels))


def test_of_equal_ones_the_first_counts():
    found = known([[0.4, 0.2, 0.4], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [0.4, 0.2, 0.4]], [1, 2, 0, 1])
    assert found.predicted.tolist() == [0, 0, 1, 0] and found.worst(3).tolist() == [0, 1, 2]
    assert [k for k, _ in found.top(0, 3)] == [0, 2, 1] and [k for k, _ in found.top(2, 2)] == [1, 2]
    assert found.top(0, 1) == [(0, pytest.approx(0.4))]
    assert confused(found.evaluation, 9) == [(1, 0, 2), (0, 1, 1), (2, 0, 1)]  # and none that never came
    assert confused(found.evaluation, 2) == [(1, 0, 2), (0, 1, 1)]


def test_what_lies_on_an_edge_is_of_the_bin_below():
    found = known([[0.5, 0.5, 0], [0.75, 0.25, 0], [1, 0, 0]], [0, 1, 0]).calibration(bins=4)
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1] and found.counts.tolist() == [0, 1, 1, 1]
    np.testing.assert_array_equal(found.confidence, [np.nan, 0.5, 0.75, 1])
    np.testing.assert_array_equal(found.accuracy, [np.nan, 1, 0, 1])
    assert found.error == pytest.approx((0.5 + 0.75 + 0) / 3)
    assert len(known([[1.0, 0]], [0]).calibration().counts) == 15
    with pytest.raises(ValueError, match="bins: wanted at least 1, got 0"):
        known([[1.0, 0]], [0]).calibration(0)


def test_samples_without_a_prediction_are_in_no_bin_and_among_no_mistakes():
    found = known([[np.nan, np.nan], [0.1, 0.9]], [0, 0])
    assert found.worst(2).tolist() == [1] and found.calibration().counts.sum() == 1
    nothing = known([[np.nan, np.nan]], [0])
    assert np.isnan(nothing.calibration().error) and nothing.evaluation.accuracy == 0


def test_logits_of_any_size_give_probabilities():
    x = np.array([[1e30, 0, 0], [-1e30, -1e30, 0], [3e38, 3e38, -3e38]], np.float32)[:, None, :, None]
    found = predict(Sequential(Flatten()), [(x, np.array([0, 2, 1]))])
    np.testing.assert_array_equal(found.probabilities, [[1, 0, 0], [0, 0, 1], [0.5, 0.5, 0]])


def test_labels_are_kept_where_a_batch_is_filled_again():
    y, x = np.array([0, 1]), np.zeros((2, 1, 3, 1), np.float32)

    def reused():
        yield x, y
        y[:] = 2
        yield x, y

    assert predict(Sequential(Flatten()), reused()).labels.tolist() == [0, 1, 2, 2]


def test_a_model_that_gives_no_logits_is_named():
    x = np.zeros((2, 1, 3, 1), np.float32)
    with pytest.raises(ValueError, match=r"gives logits \(N, classes\), got an output \(2, 1, 3, 1\)"):
        predict(Sequential(cynet.ReLU()), [(x, np.array([0, 1]))])


def batches(n, size=4):
    for start in range(0, n, size):
        count = min(size, n - start)
        yield RNG.standard_normal((count, 1, 3, 1)).astype(np.float32), RNG.integers(0, 3, count)


def test_a_nan_is_no_prediction_and_counts_as_wrong():
    x, y = np.zeros((3, 1, 3, 1), np.float32), np.array([0, 0, 2])
    x[1, 0, 1, 0] = np.nan
    found = predict(Sequential(Flatten()), [(x, y)])
    assert found.sure.tolist() == [True, False, True] and found.right.tolist() == [True, False, False]
    assert found.evaluation.samples.tolist() == [2, 0, 1] and found.evaluation.confusion.sum() == 2


@pytest.mark.parametrize("how", [predict, evaluate])
def test_one_nan_among_the_logits_leaves_no_prediction(how):
    """Whichever it is: also one of a class that is not the greatest."""
    x = np.tile(np.float32([0, 3, 1])[None, None, :, None], (4, 1, 1, 1))
    for k in range(3):
        x[k, 0, k, 0] = np.nan
    found = how(Sequential(Flatten()), [(x, np.array([1, 1, 1, 1]))])
    found = found if how is evaluate else found.evaluation
    assert found.samples.tolist() == [0, 4, 0] and found.accuracy == 0.25
    assert found.confusion.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_mirrored_pictures_are_averaged():
    x, y = next(batches(4))
    found = predict(Sequential(Flatten()), [(x, y)], flip=True)
    parts = [np.exp(a.reshape(4, 3).astype(float)) for a in (x, x[:, :, ::-1])]
    wanted = sum(p / p.sum(1, keepdims=True) for p in parts) / 2
    np.testing.assert_allclose(found.probabilities, wanted, rtol=1e-6)


def test_modes_come_back_and_nothing_is_refused():
    model = Sequential(Flatten()).train()
    assert len(predict(model, batches(10)).labels) == 10 and model.training
    with pytest.raises(ValueError, match="wanted at least one sample, got none"):
        predict(model, [])
    with pytest.raises(ValueError, match="labels"):
        predict(model, [(np.zeros((1, 1, 3, 1), np.float32), np.array([3]))])


@pytest.mark.parametrize("how", [predict, evaluate])
def test_a_model_in_training_is_looked_at_in_evaluation_mode_and_left_as_it_was(how):
    cynet.seed(0)
    model = cynet.Sequential(
        cynet.Conv2d(3, 4, 3), cynet.BatchNorm2d(4), cynet.Dropout(0.5), cynet.GlobalAvgPool2d(),
        cynet.Linear(4, 3),
    ).train()  # fmt: skip
    model[2].eval()
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((5, 8, 8, 3), dtype=np.float32), rng.integers(0, 3, 5)) for _ in range(2)]
    before = model.state_dict()
    found = how(model, batches)
    assert [layer.training for layer in model.layers] == [True, True, False, True, True] and model.training
    after = model.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    whole = how(model.eval(), batches)
    if how is predict:
        np.testing.assert_array_equal(found.log_probabilities, whole.log_probabilities)
    else:
        assert found.loss == whole.loss and (found.confusion == whole.confusion).all()
    model.train()
    with pytest.raises(ValueError, match="wanted at least one sample"):
        how(model, [])
    assert model.training and model[1].training


def test_f1_by_hand_and_its_mean_over_the_classes_that_there_are():
    """Class 2 has neither samples nor predictions; class 3 has no samples, class 4 no predictions."""
    confusion = np.array([[3, 1, 0, 0, 0], [0, 2, 0, 2, 0], [0] * 5, [0] * 5, [0, 1, 0, 0, 0]])
    found = Evaluation(0.1, confusion.sum(axis=1), confusion)
    np.testing.assert_allclose(f1(found), [6 / 7, 4 / 8, np.nan, 0, 0])
    assert macro_f1(found) == pytest.approx((6 / 7 + 1 / 2) / 4)
    np.testing.assert_allclose(precision(found), [1, 0.5, np.nan, 0, np.nan])
    unsure = Evaluation(0.1, np.array([2, 2]), np.array([[1, 0], [0, 0]]))  # a NaN counts as wrong
    np.testing.assert_allclose(f1(unsure), [2 / 3, 0])


def test_the_label_is_among_so_many_of_the_most_probable():
    found = known([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [np.nan] * 3],
                  [0, 1, 2, 1, 0])  # fmt: skip
    assert [found.top_accuracy(count) for count in (1, 2, 3)] == [0.4, 0.6, 0.8]
    assert found.top_accuracy() == 0.8
    with pytest.raises(ValueError, match="count: wanted at least 1, got 0"):
        found.top_accuracy(0)
