"""Linear layers with few outputs: agreement with the float64 twin, order of features, NaN, threads."""

import numpy as np
import pytest
import reference_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.core import threads
from cynet.kernels.linear import linear, thin_linear_loops
from cynet.kernels.linear.thin_linear import ThinLinear

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes")]


def drawn(rng, rows, channels, pixels, outputs):
    """x (rows, pixels * channels), w, b, dy."""
    features = channels * pixels
    shapes = (rows, features), (outputs, features), (outputs,), (rows, outputs)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def flattened(x, pixels):
    """x in the order of the weights' columns: channel by channel."""
    images = x.reshape(len(x), pixels, x.shape[1] // pixels)
    return np.ascontiguousarray(images.transpose(0, 2, 1)).reshape(x.shape)


def products(way, x, w, b, dy):
    """y, dx, and the gradient of w added to ones."""
    dw = np.ones_like(w)
    way.weight_gradient(x, dy, dw)
    return way.forward(x, w, b), way.input_gradient(dy, w), dw


@settings(max_examples=300)
@given(
    st.integers(0, 40),
    st.integers(1, 20),
    st.sampled_from([1, 1, 2, 8, 9, 49]),
    st.integers(1, thin_linear_loops.MOST_OUTPUTS),
    st.integers(0, 2**32),
)
def test_the_three_products_equal_their_twins(rows, eighths, pixels, outputs, seed):
    channels = 8 * eighths
    x, w, b, dy = drawn(np.random.default_rng(seed), rows, channels, pixels, outputs)
    y, dx, dw = products(ThinLinear(rows, channels * pixels, outputs, pixels), x, w, b, dy)
    wanted, backward = reference_weights.linear(*(a.astype(float) for a in (flattened(x, pixels), w, b)))
    wanted_dx, wanted_dw, _ = backward(dy.astype(float))
    for got, want, terms in (
        (y, wanted, w.shape[1]),
        (flattened(dx, pixels), wanted_dx, outputs),
        (dw - 1, wanted_dw, max(rows, 1)),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.sqrt(terms))


@settings(max_examples=20)
@given(st.integers(1, 3), st.integers(1, 32), st.integers(0, 2**32))
def test_features_of_channels_that_are_no_multiple_of_eight(channels, outputs, seed):
    x, w, b, dy = drawn(np.random.default_rng(seed), 5, channels, 8, outputs)
    one_by_one = products(ThinLinear(5, 8 * channels, outputs), flattened(x, 8), w, b, dy)
    y, dx, dw = products(ThinLinear(5, 8 * channels, outputs, 8), x, w, b, dy)
    for got, want in zip((y, flattened(dx, 8), dw), one_by_one, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pixels", [1, 6])
@pytest.mark.parametrize("rows", [512, 513, 1300])
def test_more_rows_than_are_summed_at_a_time(rows, pixels):
    x, w, b, dy = drawn(np.random.default_rng(0), rows, 8, pixels, 3)
    _, _, dw = products(ThinLinear(rows, 8 * pixels, 3, pixels), x, w, b, dy)
    wanted = dy.astype(float).T @ flattened(x, pixels) + 1
    np.testing.assert_allclose(dw, wanted, rtol=0, atol=1e-5 * np.sqrt(rows))


def test_nan_and_infinity_come_out():
    x, w, b, dy = drawn(np.random.default_rng(0), 6, 8, 4, 5)
    w[2, 7] = 0
    flat = flattened(x, 4)
    flat[3, 7], flat[4, 0] = np.inf, np.nan
    x = np.ascontiguousarray(flat.reshape(6, 8, 4).transpose(0, 2, 1)).reshape(x.shape)
    y, _, dw = products(ThinLinear(6, 32, 5, 4), x, w, b, dy)
    assert np.isnan(y[3, 2]) and np.isinf(np.delete(y[3], 2)).all() and np.isnan(y[4]).all()
    assert np.isfinite(np.delete(y, [3, 4], 0)).all()
    assert np.isinf(dw[:, 7]).all() and np.isnan(dw[:, 0]).all()
    assert np.isfinite(np.delete(dw, [0, 7], 1)).all()


@pytest.mark.parametrize(("rows", "channels", "pixels", "outputs"), [(129, 16, 64, 10), (37, 200, 1, 32)])
def test_same_bytes_for_any_number_of_threads(rows, channels, pixels, outputs):
    case, results = drawn(np.random.default_rng(0), rows, channels, pixels, outputs), []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        way = ThinLinear(rows, channels * pixels, outputs, pixels)
        assert threads.team(way.work) == count
        results.append([a.tobytes() for a in products(way, *case)])
    assert all(r == results[0] for r in results)


def test_rows_of_several_pixels_are_refused_where_there_are_many_outputs():
    """The order of their weights is another one: the numbers would be wrong."""
    with pytest.raises(ValueError, match="pixels: wanted 1 for 64 outputs, got 4"):
        linear.choose(3, 16, 64, 4)
