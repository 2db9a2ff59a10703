"""Losses of single elements: values and gradients against their twins and PyTorch, refusals, attributes."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet.nn.elementwise_losses import BCEWithLogitsLoss, HuberLoss, L1Loss

SHAPES = [(1,), (3, 1), (5, 7), (2, 3, 4), (4097, 8)]
LOSSES = [L1Loss(), HuberLoss(), HuberLoss(delta=0.25), BCEWithLogitsLoss()]


def drawn(shape, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.standard_normal(shape)).astype(np.float32), rng.random(shape, np.float32)


def twin(criterion, y, target):
    y, target = y.astype(np.float64), target.astype(np.float64)
    if isinstance(criterion, L1Loss):
        return reference.absolute_error(y, target)
    if isinstance(criterion, HuberLoss):
        return reference.huber_error(y, target, criterion.delta)
    weights = [1.0 if w is None else w for w in (criterion.weight, criterion.pos_weight)]
    return reference.logistic_error(y, target, *weights)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("criterion", LOSSES, ids=repr)
def test_each_loss_and_its_gradient_are_the_twins(criterion, shape):
    y, target = drawn(shape, scale=3)
    y.flags.writeable = target.flags.writeable = False
    wanted, gradient = twin(criterion, y, target)
    assert criterion(y, target) == pytest.approx(wanted, rel=1e-10)
    np.testing.assert_allclose(criterion.backward(), gradient(), rtol=1e-5, atol=1e-9)


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 6), st.sampled_from([1e-3, 1, 30]), st.integers(0, 2**32))
def test_weights_of_labels_are_the_twins(rows, labels, scale, seed):
    x, target = drawn((rows, labels), seed, scale)
    rng = np.random.default_rng(seed + 1)
    criterion = BCEWithLogitsLoss(rng.random(labels) + 0.1, pos_weight=3 * rng.random(labels) + 0.1)
    for t in (target, np.rint(target)):
        wanted, gradient = twin(criterion, x, t)
        assert criterion(x, t) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(criterion.backward(), gradient(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("weighted", ["weight", "pos_weight"])
def test_weights_of_labels_go_on_from_one_work_item_to_the_next(weighted):
    x, target = drawn((11000, 3))  # no work item begins with the first label but one
    criterion = BCEWithLogitsLoss(**{weighted: np.array([0.1, 1.0, 10.0])})
    wanted, gradient = twin(criterion, x, target)
    assert criterion(x, target) == pytest.approx(wanted, rel=1e-9)
    np.testing.assert_allclose(criterion.backward(), gradient(), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("criterion", LOSSES, ids=repr)
def test_a_sum_is_the_mean_times_the_elements(criterion):
    y, target = drawn((5, 7))
    mean, gradient = criterion(y, target), criterion.backward().copy()
    criterion.reduction = "sum"
    try:
        assert criterion(y, target) == pytest.approx(35 * mean)
        np.testing.assert_allclose(criterion.backward(), 35 * gradient, rtol=1e-6)
        assert "reduction='sum'" in repr(criterion)
    finally:
        criterion.reduction = "mean"


@pytest.mark.parametrize("criterion", LOSSES, ids=repr)
def test_the_same_bytes_for_any_threads(criterion):
    y, target = drawn((20_000, 3), scale=5)
    before, found = cynet.get_num_threads(), set()
    try:
        for threads in (1, 2, 3, 4):
            cynet.set_num_threads(threads)
            found.add((criterion(y, target), criterion.backward().tobytes()))
    finally:
        cynet.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize("size", [0.0, 50.0, 1e4, 1e30, 3.4e38])
def test_extreme_logits_have_finite_losses(size):
    x, target = np.float32([[size, -size, size, -size]]), np.float32([[1, 0, 0, 1]])
    criterion = BCEWithLogitsLoss()
    assert criterion(x, target) == pytest.approx((2 * np.logaddexp(0, -size) + 2 * np.logaddexp(0, size)) / 4)
    assert np.isfinite(criterion.backward()).all()


def test_an_infinite_logit_that_is_right_costs_nothing():
    criterion = BCEWithLogitsLoss()
    assert criterion(np.float32([[np.inf, -np.inf]]), np.float32([[1, 0]])) == 0
    assert not criterion.backward().any()
    assert criterion(np.float32([[np.inf]]), np.float32([[0]])) == np.inf


@pytest.mark.parametrize("criterion", LOSSES, ids=repr)
def test_a_nan_comes_out_at_its_place(criterion):
    y, target = drawn((4, 3))
    y[2, 1] = np.nan
    assert np.isnan(criterion(y, target))
    assert np.argwhere(np.isnan(criterion.backward())).tolist() == [[2, 1]]


def test_equal_numbers_have_no_slope():
    y = np.float32([1.5, -2])
    for criterion in (L1Loss(), HuberLoss()):
        assert criterion(y, y.copy()) == 0 and not criterion.backward().any()


@pytest.mark.parametrize("criterion", LOSSES, ids=repr)
def test_what_is_no_pair_of_arrays_is_refused(criterion):
    y, target = drawn((4, 3))
    name = "logits" if isinstance(criterion, BCEWithLogitsLoss) else "y"
    with pytest.raises(ValueError, match=rf"target: wanted the shape of {name} \(4, 3\), got \(4,\)"):
        criterion(y, target[:, 0])
    with pytest.raises(ValueError, match=rf"{name}: wanted at least one element, got shape \(0, 3\)"):
        criterion(y[:0], target[:0])
    for bad in (None, y.astype(np.float64), y.tolist()):
        with pytest.raises(TypeError, match=f"{name}: wanted"):
            criterion(bad, target)
    with pytest.raises(TypeError, match="target: wanted dtype float32"):
        criterion(y, target.astype(int))


@pytest.mark.parametrize("value", [2, -1, np.nan])
def test_a_target_that_is_no_share_is_named(value):
    x, target = drawn((4, 3))
    target[3, 1] = value
    with pytest.raises(ValueError, match=r"target\[3, 1\]: wanted a number from 0 to 1, got "):
        BCEWithLogitsLoss()(x, target)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L1Loss("none"), "reduction: wanted 'mean' or 'sum', got 'none'"),
        (lambda: HuberLoss(delta=0), r"delta: wanted a number in \(0, inf\], got 0"),
        (lambda: HuberLoss(delta="1"), "delta: wanted a number, got '1'"),
        (lambda: BCEWithLogitsLoss([1, -1]), r"weight\[1\]: wanted a number in \[0, inf\], got -1"),
        (lambda: BCEWithLogitsLoss(pos_weight=[[1]]), "pos_weight: wanted a list of numbers, one a label"),
        (lambda: BCEWithLogitsLoss(pos_weight=[0, 0]), "pos_weight: wanted at least one above 0"),
        (
            lambda: BCEWithLogitsLoss(pos_weight=[1, 2])(*drawn((4, 3))),
            "pos_weight: wanted one for each of the 3 labels of the logits, got 2",
        ),
    ],
)
def test_odd_arguments_are_refused_by_name(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize("value", [0, -1, float("nan"), None, "x"], ids=repr)
def test_a_delta_that_is_set_is_checked_as_one_that_is_given(value):
    criterion = HuberLoss()
    criterion.delta = value
    with pytest.raises((TypeError, ValueError), match="delta: wanted a number"):
        criterion(*drawn((2, 2)))


def test_texts_build_the_losses_again():
    texts = [
        "MSELoss()",
        "MSELoss(reduction='sum')",
        "L1Loss()",
        "HuberLoss(delta=1)",
        "HuberLoss(reduction='sum', delta=0.5)",
    ]
    texts += ["BCEWithLogitsLoss()", "BCEWithLogitsLoss(weight=[1, 2], pos_weight=[0.5, 3])"]
    texts += ["BCEWithLogitsLoss(weight=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], reduction='sum')"]
    names = {name: getattr(cynet, name) for name in cynet.losses.__all__}
    for text in texts:
        assert repr(eval(text, names)) == text


def test_of_many_weights_ten_are_shown():
    many = cynet.BCEWithLogitsLoss(pos_weight=np.arange(11))
    assert repr(many) == "BCEWithLogitsLoss(pos_weight=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 11 labels])"


def test_a_single_logit_is_one_label():
    logit, target = np.array(0.5, np.float32), np.array(1, np.float32)
    criterion = cynet.BCEWithLogitsLoss([2.0], pos_weight=[3.0])
    assert criterion(logit, target) == pytest.approx(6 * np.log(1 + np.exp(-0.5)), rel=1e-6)
    assert criterion.backward() == pytest.approx(-6 / (1 + np.exp(0.5)), rel=1e-6)
    with pytest.raises(ValueError, match="weight: wanted one for each of the 1 labels of the logits, got 2"):
        cynet.BCEWithLogitsLoss([1, 2])(logit, target)


@pytest.mark.torch
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_they_are_pytorchs(reduction):
    torch = pytest.importorskip("torch")
    y, target = drawn((17, 5), scale=4)
    target[::2] = np.rint(target[::2])
    weight, positive = np.random.default_rng(1).random((2, 5)).astype(np.float32) * 3
    pairs = [
        (L1Loss(reduction), torch.nn.L1Loss(reduction=reduction)),
        (cynet.MSELoss(reduction), torch.nn.MSELoss(reduction=reduction)),
        (HuberLoss(reduction, 0.7), torch.nn.HuberLoss(reduction=reduction, delta=0.7)),
        (
            BCEWithLogitsLoss(weight, reduction, positive),
            torch.nn.BCEWithLogitsLoss(
                torch.tensor(weight), reduction=reduction, pos_weight=torch.tensor(positive)
            ),
        ),
    ]
    for ours, theirs in pairs:
        x = torch.tensor(y, requires_grad=True)
        wanted = theirs(x, torch.tensor(target))
        wanted.backward()
        assert ours(y, target) == pytest.approx(wanted.item(), rel=1e-5)
        np.testing.assert_allclose(ours.backward(), x.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [BCEWithLogitsLoss, cynet.CrossEntropyLoss])
def test_weights_are_looked_at_as_they_are_set_and_cannot_be_written(kind):
    """Else one below 0 would be taken in silence."""
    for name in ("weight", "pos_weight") if kind is BCEWithLogitsLoss else ("weight",):
        given = np.array([1.0, 2.0])
        criterion = kind(**{name: given})
        given[0] = -1
        assert getattr(criterion, name).tolist() == [1, 2]
        with pytest.raises(ValueError, match="read-only"):
            getattr(criterion, name)[0] = -1
        with pytest.raises(ValueError, match=name):
            setattr(criterion, name, given)
