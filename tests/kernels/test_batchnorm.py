"""Batch norm's kernels against the twin, and where single precision would fail."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.core import threads
from cynet.kernels.norm import normalization, single_steps
from cynet.nn import BatchNorm1d

pytestmark = pytest.mark.kernels


@st.composite
def batches(draw):
    """x, dy, gamma, beta as float32."""
    rows, channels = draw(st.integers(2, 300)), draw(st.integers(1, 33))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    center, spread = draw(st.sampled_from([(0, 1), (5, 0.1), (-300, 20), (1000, 1)]))
    x = rng.standard_normal((rows, channels)) * spread + center
    gamma, beta = rng.standard_normal((2, channels))
    return tuple(a.astype(np.float32) for a in (x, rng.standard_normal(x.shape), gamma, beta))


def layer_of(gamma, beta):
    layer = BatchNorm1d(len(gamma))
    layer.weight.data, layer.bias.data = gamma, beta
    return layer


@settings(max_examples=500)
@given(batches(), st.booleans())
def test_batch_norm(case, training):
    x, dy, gamma, beta = case
    layer = layer_of(gamma, beta).train(training)
    running = None
    if not training:
        layer.running_mean[:], layer.running_var[:] = x.mean(0) + 0.5, x.var(0) + 0.1
        running = layer.running_mean.astype(float), layer.running_var.astype(float)
    y, dx = layer(frozen(x)), layer.backward(frozen(dy))
    wanted, backward = reference_weights.batch_norm(
        *(a.astype(float) for a in (x, gamma, beta)), running=running
    )
    wanted_dx, wanted_gamma, wanted_beta = backward(dy.astype(float))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
    scale = np.abs(gamma) / np.sqrt((x.var(0) if training else layer.running_var) + 1e-5)
    assert (np.abs(dx - wanted_dx) <= 1e-5 * np.maximum(1, scale)).all()
    limit = 1e-5 * np.sqrt(len(x))
    np.testing.assert_allclose(layer.weight.grad, wanted_gamma, rtol=1e-5, atol=limit)
    np.testing.assert_allclose(layer.bias.grad, wanted_beta, rtol=1e-5, atol=limit)


@pytest.mark.parametrize("constant", [100, 1e4, 1e8, 1e10, 3e38, -7.25])
@pytest.mark.parametrize("rows", [2, 31, 1000])
def test_a_constant_channel_gives_exactly_beta(constant, rows):
    x = np.full((rows, 3), constant, np.float32)
    beta = np.array([0.3, -2, 0], np.float32)
    y = layer_of(np.array([1, 5, -3], np.float32), beta)(x)
    np.testing.assert_array_equal(y, np.broadcast_to(beta, y.shape))


def test_a_mean_of_a_million_is_taken_off_exactly():
    x = (np.random.default_rng(0).standard_normal((4096, 5)) + 1e6).astype(np.float32)
    wanted, _ = reference_weights.batch_norm(x.astype(float), 1.0, 0.0)
    assert np.abs(layer_of(np.ones(5), np.zeros(5))(x) - wanted).max() <= 1e-5


@pytest.mark.parametrize("scale", [1e-3, 1, 1e15, 1e25, 1e33])
def test_an_outlier_in_front_costs_no_precision(scale):
    x = np.random.default_rng(0).standard_normal((2000, 3)).astype(np.float32)
    x[0] = 1e4
    x *= np.float32(scale)
    mean, variance = single_steps.statistics(x)
    wide = x.astype(float)
    assert (np.abs(mean - wide.mean(0)) <= 1e-6 * wide.std(0)).all()  # the output sees it in these units
    np.testing.assert_allclose(variance, wide.var(0), rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_value_poisons_its_own_channel_only(bad):
    x = np.random.default_rng(0).standard_normal((100, 11)).astype(np.float32)
    x[40, 3] = bad
    layer = layer_of(np.ones(11), np.zeros(11))
    y = layer(x)
    assert np.isnan(y[:, 3]).all() and np.isfinite(np.delete(y, 3, 1)).all()
    assert not np.isfinite(layer.running_mean[3]) and np.isfinite(np.delete(layer.running_mean, 3)).all()
    dx = layer.backward(np.ones_like(x))
    assert np.isnan(dx[:, 3]).all() and np.isfinite(np.delete(dx, 3, 1)).all()


def test_same_bytes_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 9000, 11)).astype(np.float32)
    results = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        layer = layer_of(np.full(11, 0.7), np.ones(11))
        y, dx, bias = layer(x), layer.backward(dy), np.zeros(11, np.float32)
        normalization.add_channel_sums(dy, bias)
        arrays = (y, dx, layer.weight.grad, layer.bias.grad, layer.running_mean, layer.running_var, bias)
        results.append([a.tobytes() for a in arrays])
    assert all(r == results[0] for r in results)


@given(st.integers(0, 500), st.integers(1, 33))
def test_channel_sums(rows, channels):
    x = np.random.default_rng(rows).standard_normal((rows, channels)).astype(np.float32)
    out = np.ones(channels, np.float32)
    normalization.add_channel_sums(frozen(x), out)
    np.testing.assert_allclose(out, 1 + x.astype(float).sum(0), rtol=1e-6, atol=1e-5 * np.sqrt(rows + 1))
