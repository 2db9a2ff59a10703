"""The fused loss kernels against their twins."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.kernels.loss import softmax, squared_error

pytestmark = pytest.mark.kernels


def cross_entropy(logits, labels, smoothing=0.0, threads=2):
    logits, labels = np.ascontiguousarray(logits, np.float32), np.array(labels, np.int64)
    logits.flags.writeable = labels.flags.writeable = False
    gradient = np.full(logits.shape, 7, np.float32)
    loss = softmax.cross_entropy(logits, labels, gradient, np.empty(len(labels)), smoothing, threads)
    return loss, gradient


@settings(max_examples=150)
@given(
    *(st.integers(1, high) for high in (9, 50)),
    st.sampled_from([0.1, 1, 30]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.integers(0, 2**32),
)
def test_cross_entropy(rows, classes, scale, smoothing, seed):
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((rows, classes)) * scale).astype(np.float32)
    labels = rng.integers(0, classes, rows)
    loss, gradient = cross_entropy(logits, labels, smoothing)
    wanted, backward = reference.cross_entropy(logits.astype(np.float64), labels, smoothing)
    assert loss == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(gradient, backward(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("size", [1e30, 3.4e38])
def test_extreme_logits_are_finite(smoothing, size):
    logits = np.float32([[size, -size, 0], [-size, size, -size], [size, size, size], [-size, -size, -size]])
    loss, gradient = cross_entropy(logits, [1, 1, 0, 2], smoothing)
    wanted, backward = reference.cross_entropy(logits.astype(np.float64), np.array([1, 1, 0, 2]), smoothing)
    assert np.isfinite(loss) and loss == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(gradient, backward(), atol=1e-7)


def test_impossible_class_costs_nothing():
    loss, gradient = cross_entropy([[-np.inf, 0, 0]], [1])
    assert loss == pytest.approx(np.log(2))
    np.testing.assert_allclose(gradient, [[0, -0.5, 0.5]])


def test_nan_comes_out_in_its_row_only():
    loss, gradient = cross_entropy([[0, np.nan, 1], [0, 1, 2]], [0, 0])
    assert np.isnan(loss) and np.isnan(gradient[0]).all() and np.isfinite(gradient[1]).all()


def test_cross_entropy_same_bytes_for_any_threads():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((5001, 13)), rng.integers(0, 13, 5001)
    results = {
        (loss, gradient.tobytes())
        for loss, gradient in (cross_entropy(logits, labels, 0.1, threads) for threads in (1, 2, 3, 4))
    }
    assert len(results) == 1


# -- with weights --------------------------------------------------------------------------------------------
def weighted(logits, labels, weights, smoothing=0.0, threads=2):
    logits, labels = np.ascontiguousarray(logits, np.float32), np.array(labels, np.int64)
    weights = np.array(weights, np.float64)
    logits.flags.writeable = labels.flags.writeable = weights.flags.writeable = False
    gradient, losses = np.full(logits.shape, 7, np.float32), np.empty(len(labels))
    divisor = float(weights[labels].sum())
    loss = softmax.weighted_cross_entropy(
        logits, labels, weights, gradient, losses, smoothing, divisor, threads
    )  # fmt: skip
    return loss, gradient


@settings(max_examples=150)
@given(
    *(st.integers(1, high) for high in (9, 50)),
    st.sampled_from([0.1, 1, 30]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([1, 1e-20, 1e20]),
    st.integers(0, 2**32),
)
def test_weighted_cross_entropy(rows, classes, scale, smoothing, size, seed):
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((rows, classes)) * scale).astype(np.float32)
    labels, weights = rng.integers(0, classes, rows), size * rng.random(classes)
    weights[rng.integers(classes)] *= rng.integers(2)
    weights[labels[0]] = size
    loss, gradient = weighted(logits, labels, weights, smoothing)
    wanted, backward = reference.cross_entropy(logits.astype(np.float64), labels, smoothing, weights)
    assert loss == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(gradient, backward(), rtol=1e-5, atol=1e-6)


def test_equal_weights_change_nothing():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((50, 7)), rng.integers(0, 7, 50)
    for smoothing in (0.0, 0.1):
        wanted = cross_entropy(logits, labels, smoothing)
        found = weighted(logits, labels, np.full(7, 0.25), smoothing)
        assert found[0] == pytest.approx(wanted[0], rel=1e-12)
        np.testing.assert_allclose(found[1], wanted[1], rtol=1e-5, atol=1e-8)


def test_a_class_without_weight_costs_nothing_whatever_its_logit():
    for smoothing in (0.0, 0.1):
        loss, gradient = weighted([[-np.inf, 0, 0], [0, 0, 0]], [0, 1], [0, 2, 1], smoothing)
        assert np.isfinite(loss) and np.isfinite(gradient).all()
    loss, gradient = weighted([[5, 0, 0], [0, 0, 0]], [0, 1], [0, 2, 1])
    assert loss == pytest.approx(np.log(3)) and not gradient[0].any()


def test_a_nan_comes_out_with_weights_too():
    loss, gradient = weighted([[0, np.nan, 1], [0, 1, 2]], [0, 0], [1, 2, 3], 0.1)
    assert np.isnan(loss) and np.isnan(gradient[0]).all() and np.isfinite(gradient[1]).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("size", [1e30, 3.4e38])
def test_extreme_logits_are_finite_with_weights_too(smoothing, size):
    logits = np.float32([[size, -size, 0], [-size, size, -size], [size, size, size], [-size, -size, -size]])
    weights, labels = np.array([1.0, 0.1, 9.0]), np.array([1, 1, 0, 2])
    loss, gradient = weighted(logits, labels, weights, smoothing)
    wanted, backward = reference.cross_entropy(logits.astype(np.float64), labels, smoothing, weights)
    assert np.isfinite(loss) and loss == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(gradient, backward(), atol=1e-7)


def test_weighted_cross_entropy_same_bytes_for_any_threads():
    rng = np.random.default_rng(0)
    logits, labels, weights = rng.standard_normal((5001, 13)), rng.integers(0, 13, 5001), rng.random(13)
    results = {
        (loss, gradient.tobytes())
        for loss, gradient in (weighted(logits, labels, weights, 0.1, threads) for threads in (1, 2, 3, 4))
    }
    assert len(results) == 1


# -- squared error -------------------------------------------------------------------------------------------
def mse(y, target, threads=2):
    gradient = np.full(y.shape, 7, np.float32)
    sums = np.empty(-(-len(y) // 16384))
    return squared_error.squared_error(y, target, gradient, sums, len(y), threads), gradient


@pytest.mark.parametrize("size", [1, 2, 17, 16384, 16385, 70_000])
def test_squared_error(size):
    y, target = np.random.default_rng(size).standard_normal((2, size)).astype(np.float32)
    y.flags.writeable = target.flags.writeable = False
    wanted, backward = reference.squared_error(y.astype(np.float64), target.astype(np.float64))
    loss, gradient = mse(y, target)
    assert loss == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(gradient, backward(), rtol=1e-6)
    results = [mse(y, target, threads) for threads in (1, 2, 3, 4)]
    assert len({(loss, gradient.tobytes()) for loss, gradient in results}) == 1


def test_a_squared_error_of_numbers_as_far_apart_as_floats_can_be():
    y, target = np.float32([2e38, -2e38, 1]), np.float32([-2e38, 2e38, 1])
    loss, gradient = mse(y, target)
    assert loss == pytest.approx(3.2e77 / 3, rel=1e-6)
    np.testing.assert_allclose(gradient, np.array([8e38, -8e38, 0]) / 3, rtol=1e-6)
    loss, gradient = mse(np.float32([16777216, 0]), np.float32([-1, 0]))
    assert loss == 16777217**2 / 2  # a float difference would have lost the 1
