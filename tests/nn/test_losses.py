"""The public losses: arguments, state, and agreement with PyTorch."""

import copy

import numpy as np
import pytest
import reference

from cynet.nn.losses import CrossEntropyLoss
from cynet.nn.passes import no_grad
from cynet.nn.squared_loss import MSELoss

LOGITS = np.zeros((3, 4), np.float32)


def test_cross_entropy_by_hand():
    criterion = CrossEntropyLoss()
    loss = criterion(LOGITS, np.array([0, 1, 3]))
    assert isinstance(loss, float) and loss == pytest.approx(np.log(4))
    gradient = criterion.backward()
    assert gradient.dtype == np.float32 and gradient.shape == (3, 4)
    np.testing.assert_allclose(gradient, (0.25 - np.eye(4)[[0, 1, 3]]) / 3, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, ">i8", np.int64, np.uint64])
def test_labels_of_any_integer_type(dtype):
    wanted = CrossEntropyLoss()(LOGITS, [0, 1, 3])
    assert CrossEntropyLoss()(LOGITS, np.array([0, 1, 3], dtype)) == wanted
    assert CrossEntropyLoss()(LOGITS, np.array([0, 9, 1, 9, 3, 9], dtype)[::2]) == wanted


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([0, -1, 2], r"labels\[1\]: wanted 0 to 3, got -1"),
        ([0, 1, 4], r"labels\[2\]: wanted 0 to 3, got 4"),
        ([2**62, 1, 1], r"labels\[0\]: wanted 0 to 3, got 4611686018427387904"),
        (np.array([0, 2**64 - 1, 1], np.uint64), r"labels\[1\]: wanted 0 to 3, got 18446744073709551615"),
        ([0, 1], r"labels: wanted shape \(3,\), got \(2,\)"),
        ([[0], [1], [2]], r"labels: wanted shape \(3,\), got \(3, 1\)"),
    ],
)
def test_bad_labels(labels, wanted):
    with pytest.raises(ValueError, match=wanted):
        CrossEntropyLoss()(LOGITS, labels)


@pytest.mark.parametrize("labels", [None, [0.0, 1.0, 2.0], [True, False, True], "012", [None] * 3])
def test_labels_that_are_no_integers(labels):
    with pytest.raises(TypeError, match="labels"):
        CrossEntropyLoss()(LOGITS, labels)


@pytest.mark.parametrize(
    ("logits", "error"),
    [
        (None, TypeError),
        ([[0.0, 1.0]], TypeError),
        (np.zeros((3, 4)), TypeError),
        (np.zeros((3, 4), ">f4"), TypeError),
        (np.zeros(3, np.float32), ValueError),
        (np.zeros((3, 2, 2), np.float32), ValueError),
        (np.zeros((3, 0), np.float32), ValueError),
    ],
)
def test_bad_logits(logits, error):
    with pytest.raises(error, match=r"logits|labels"):
        CrossEntropyLoss()(logits, [0, 1, 1])


def test_empty_batch():
    with pytest.raises(ValueError, match="batch of 0"):
        CrossEntropyLoss()(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="at least one element"):
        MSELoss()(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32))


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, "0", None, True])
def test_bad_label_smoothing(value):
    with pytest.raises((ValueError, TypeError), match="label_smoothing"):
        CrossEntropyLoss(value)


def test_non_contiguous_and_read_only_logits():
    wide = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    wide.flags.writeable = False
    wanted = CrossEntropyLoss()(wide[:, ::2].copy(), [0, 1, 2])
    assert CrossEntropyLoss()(wide[:, ::2], [0, 1, 2]) == wanted


@pytest.mark.parametrize("criterion", [CrossEntropyLoss(), MSELoss()])
def test_backward_needs_a_loss(criterion):
    with pytest.raises(RuntimeError, match="backward: wanted a loss before it"):
        criterion.backward()


def test_no_grad_keeps_nothing():
    criterion = CrossEntropyLoss()
    criterion(LOGITS, [0, 1, 2])
    with no_grad():
        criterion(LOGITS, [0, 1, 2])
    with pytest.raises(RuntimeError):
        criterion.backward()


def test_squared_error_by_hand():
    criterion = MSELoss()
    y = np.float32([[1, 2], [3, 4]])
    assert criterion(y, np.zeros((2, 2), np.float32)) == pytest.approx(7.5)
    np.testing.assert_allclose(criterion.backward(), y / 2)


@pytest.mark.parametrize(
    ("y", "target", "error"),
    [
        (None, LOGITS, TypeError),
        (LOGITS, None, TypeError),
        (LOGITS, LOGITS.astype(np.float64), TypeError),
        (LOGITS, LOGITS[:2], ValueError),
        (LOGITS, LOGITS[0], ValueError),
    ],
)
def test_bad_squared_error(y, target, error):
    with pytest.raises(error, match=r"y|target"):
        MSELoss()(y, target)


def test_reprs():
    assert repr(CrossEntropyLoss(0.1)) == "CrossEntropyLoss(label_smoothing=0.1)"
    wanted = "CrossEntropyLoss(label_smoothing=0, weight=[1, 0, 2.5])"
    assert repr(CrossEntropyLoss(weight=[1, 0, 2.5])) == wanted
    many = repr(CrossEntropyLoss(weight=np.ones(100)))
    assert many.endswith("weight=[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ... 100 classes])")
    ten = repr(CrossEntropyLoss(weight=np.arange(10)))
    assert ten == "CrossEntropyLoss(label_smoothing=0, weight=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])"
    sums = repr(CrossEntropyLoss(0.25, [1, 2], reduction="sum"))
    assert sums == "CrossEntropyLoss(label_smoothing=0.25, weight=[1, 2], reduction='sum')"
    assert repr(MSELoss()) == "MSELoss()"


# -- weights -------------------------------------------------------------------------------------------------
def test_weights_by_hand():
    criterion = CrossEntropyLoss(weight=[1, 2, 0, 4])
    logits = np.float32([[1, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 2]])
    losses = [CrossEntropyLoss()(logits[i : i + 1], [label]) for i, label in enumerate((0, 1, 2))]
    assert criterion(logits, [0, 1, 2]) == pytest.approx((1 * losses[0] + 2 * losses[1] + 0) / 3)
    assert not criterion.backward()[2].any()


@pytest.mark.parametrize(
    "weight", [[1, 2, 3, 4], (1.0, 2, 3, 4), np.arange(1, 5), np.arange(1, 5, dtype=">f4")]
)
def test_weights_of_any_kind_of_numbers(weight):
    wanted = CrossEntropyLoss(weight=np.arange(1.0, 5))(LOGITS + np.eye(3, 4, dtype=np.float32), [0, 2, 3])
    assert CrossEntropyLoss(0, weight)(LOGITS + np.eye(3, 4, dtype=np.float32), [0, 2, 3]) == wanted


def test_weights_are_the_losss_own_and_may_be_set():
    given = np.ones(4)
    criterion = CrossEntropyLoss(weight=given)
    given[:] = 0
    assert criterion(LOGITS, [0, 1, 3]) == pytest.approx(np.log(4))
    with pytest.raises(ValueError, match="read-only"):
        criterion.weight[0] = 2
    criterion.weight = None
    assert repr(criterion) == "CrossEntropyLoss(label_smoothing=0)"
    with pytest.raises(ValueError, match=r"weight\[1\]: wanted a number in \[0, inf\], got -1"):
        criterion.weight = [1, -1]
    twin = copy.deepcopy(CrossEntropyLoss(0.1, [1, 2, 3, 4]))
    assert twin(LOGITS, [0, 1, 3]) == CrossEntropyLoss(0.1, [1, 2, 3, 4])(LOGITS, [0, 1, 3])


def test_weights_that_do_not_fit_the_batch():
    with pytest.raises(ValueError, match="weight: wanted one for each of the 4 classes of the logits, got 3"):
        CrossEntropyLoss(weight=[1, 2, 3])(LOGITS, [0, 1, 2])
    criterion = CrossEntropyLoss(weight=[1, 0, 0, 1])
    with pytest.raises(ValueError, match=r"weight: wanted one above 0 among .* got only labels \[1, 2\]"):
        criterion(LOGITS, [1, 2, 1])
    assert criterion(LOGITS, [1, 2, 0]) == pytest.approx(np.log(4))


@pytest.mark.torch
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_weighted_cross_entropy_is_pytorchs(smoothing):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((17, 10)).astype(np.float32) * 4, rng.integers(0, 10, 17)
    weight = rng.random(10).astype(np.float32) * 3
    weight[3] = 0
    criterion = CrossEntropyLoss(smoothing, weight)
    x = torch.tensor(logits, requires_grad=True)
    theirs = torch.nn.CrossEntropyLoss(torch.tensor(weight), label_smoothing=smoothing)
    wanted = theirs(x, torch.tensor(labels))
    wanted.backward()
    assert criterion(logits, labels) == pytest.approx(wanted.item(), rel=1e-6)
    np.testing.assert_allclose(criterion.backward(), x.grad.numpy(), atol=1e-7)


@pytest.mark.torch
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_cross_entropy_is_pytorchs(smoothing):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((17, 10)).astype(np.float32) * 4, rng.integers(0, 10, 17)
    criterion = CrossEntropyLoss(smoothing)
    x = torch.tensor(logits, requires_grad=True)
    wanted = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(x, torch.tensor(labels))
    wanted.backward()
    assert criterion(logits, labels) == pytest.approx(wanted.item(), rel=1e-6)
    np.testing.assert_allclose(criterion.backward(), x.grad.numpy(), atol=1e-7)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("weight", [None, [1, 2, 3, 4, 5], [0, 1, 0, 2, 0.5]])
@pytest.mark.parametrize("scale", [1e-3, 1, 50, 1000])
def test_every_setting_of_cross_entropy_is_its_twin(smoothing, weight, scale):
    rng = np.random.default_rng(0)
    criterion = CrossEntropyLoss(smoothing, weight)
    wide = None if weight is None else np.array(weight, float)
    for rows in (1, 2, 7):
        logits = (scale * rng.standard_normal((rows, 5))).astype(np.float32)
        for labels in (rng.integers(0, 5, rows), np.full(rows, 4), np.full(rows, 3)):
            wanted, gradient = reference.cross_entropy(logits.astype(float), labels, smoothing, wide)
            if not np.isfinite(wanted):  # the logarithm of 0, in the twin
                continue
            assert criterion(logits, labels) == pytest.approx(wanted, rel=1e-5, abs=1e-6)
            np.testing.assert_allclose(criterion.backward(), gradient(), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25)])
def test_bounds_of_smoothing(value):
    assert CrossEntropyLoss(value).label_smoothing == value


@pytest.mark.parametrize("size", [1, 2, 1000, 16384, 16385, 40_000])
def test_squared_errors_of_every_length_are_their_twins(size):
    y, target = np.random.default_rng(size).standard_normal((2, size)).astype(np.float32)
    wanted, gradient = reference.squared_error(y.astype(float), target.astype(float))
    criterion = MSELoss()
    assert criterion(y, target) == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(criterion.backward(), gradient(), rtol=1e-5)
    total = MSELoss("sum")
    assert total(y, target) == pytest.approx(size * wanted, rel=1e-6)
    np.testing.assert_allclose(total.backward(), size * gradient(), rtol=1e-5)
    for place in {0, size // 2, size - 1}:
        y[place] = np.nan
        assert np.isnan(criterion(y, target)) and np.isnan(criterion.backward()).sum() == 1
        y[place] = 1


@pytest.mark.parametrize("value", [-1, 1.5, float("nan"), True, None, "x", [0.1], np.zeros(2)], ids=repr)
def test_label_smoothing_that_is_set_is_checked_as_one_that_is_given(value):
    criterion = CrossEntropyLoss()
    criterion.label_smoothing = value
    with pytest.raises((TypeError, ValueError), match="label_smoothing: wanted a number"):
        criterion(LOGITS, [0, 1, 3])
    with pytest.raises((TypeError, ValueError), match="label_smoothing: wanted a number"):
        CrossEntropyLoss(label_smoothing=value)


@pytest.mark.parametrize("weight", [None, [1, 2, 0, 4]])
def test_a_sum_is_divided_by_nothing(weight):
    labels = [0, 1, 3]
    loss = CrossEntropyLoss(0.1, weight, reduction="sum")
    wanted, gradient = reference.cross_entropy(LOGITS.astype(float), labels, 0.1, weight and np.array(weight))
    times = 3 if weight is None else sum(weight[label] for label in labels)
    assert loss(LOGITS, labels) == pytest.approx(wanted * times, rel=1e-6)
    np.testing.assert_allclose(loss.backward(), gradient() * times, rtol=1e-5, atol=1e-6)
    assert "reduction='sum'" in repr(loss)


def test_a_sum_of_labels_that_count_nothing_is_0():
    loss = CrossEntropyLoss(weight=[1, 0, 0, 0], reduction="sum")
    assert loss(LOGITS, [1, 2, 3]) == 0 and not loss.backward().any()


@pytest.mark.parametrize("value", ["none", "", None, 1])
def test_a_reduction_that_is_none_is_refused_also_where_it_was_set(value):
    wanted = "reduction: wanted 'mean' or 'sum', got"
    with pytest.raises(ValueError, match=wanted):
        CrossEntropyLoss(reduction=value)
    loss = CrossEntropyLoss()
    loss.reduction = value
    with pytest.raises(ValueError, match=wanted):
        loss(LOGITS, [0, 1, 2])


@pytest.mark.torch
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.0, 4.0]])
def test_the_sum_is_pytorchs(weight):
    torch = pytest.importorskip("torch")
    x, labels = torch.tensor(LOGITS, requires_grad=True), [0, 1, 3]
    given = None if weight is None else torch.tensor(weight)
    wanted = torch.nn.CrossEntropyLoss(given, label_smoothing=0.1, reduction="sum")(x, torch.tensor(labels))
    wanted.backward()
    loss = CrossEntropyLoss(0.1, weight, reduction="sum")
    assert loss(LOGITS, labels) == pytest.approx(wanted.item(), rel=1e-5)
    np.testing.assert_allclose(loss.backward(), x.grad.numpy(), rtol=1e-5, atol=1e-6)
