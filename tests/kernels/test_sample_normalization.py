"""Group and layer norm, and the parametric ReLU, against their twins; where single precision would fail."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.core import threads
from cynet.kernels.norm import normalization, single_steps
from cynet.kernels.norm.sample_normalization import GroupNormPass, LayerNormPass
from cynet.kernels.pointwise import prelu
from cynet.kernels.pointwise.slopes import PReLUPass

pytestmark = pytest.mark.kernels
NONE = np.empty(0, np.float32)


@st.composite
def samples(draw):
    """(x, dy, groups), float32 (samples, pixels, channels)."""
    groups, each = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 150)), groups * each
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    center, spread = draw(st.sampled_from([(0, 1), (5, 0.1), (-300, 20), (1000, 1)]))
    x = rng.standard_normal(shape) * spread + center
    return x.astype(np.float32), rng.standard_normal(shape).astype(np.float32), groups


@st.composite
def rows(draw):
    """(x, dy), float32 (rows, width)."""
    shape = draw(st.integers(1, 120)), draw(st.sampled_from([1, 2, 3, 7, 8, 16, 31, 64, 65, 200, 1100]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    center, spread = draw(st.sampled_from([(0, 1), (5, 0.1), (-300, 20), (1000, 1)]))
    x = rng.standard_normal(shape) * spread + center
    return x.astype(np.float32), rng.standard_normal(shape).astype(np.float32)


def numbers(size):
    return np.random.default_rng(3).standard_normal((2, size)).astype(np.float32)


def by_groups(x, dy, groups, weight, bias, eps=1e-5):
    """(y, dx, weight's gradient, bias's)."""
    found = GroupNormPass(frozen(x), groups, weight, bias, eps)
    dw, db = np.zeros((2, x.shape[2]), np.float32)
    return found.output(), found.gradients(frozen(dy), dw, db, True), dw, db


def by_rows(x, dy, weight, bias, eps=1e-5):
    found = LayerNormPass(frozen(x), weight, bias, eps)
    dw, db = np.zeros((2, x.shape[1]), np.float32)
    return found.output(), found.gradients(frozen(dy), dw, db, True), dw, db


def assert_near(found, wanted, scale, count):
    """y and dx to 1e-5 where they are about 1; sums over so many numbers to as much times their root."""
    y, dx, dw, db = found
    (wanted_y, backward), dy = wanted
    wanted_dx, wanted_dw, wanted_db = backward(dy.astype(float))
    np.testing.assert_allclose(y, wanted_y, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(dx, wanted_dx, rtol=1e-5, atol=2e-5 * max(1, scale))
    for one, other in ((dw, wanted_dw), (db, wanted_db)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * count**0.5)


@settings(max_examples=200)
@given(samples())
def test_group_norm(case):
    x, dy, groups = case
    weight, bias = numbers(x.shape[2])
    wanted = reference_weights.group_norm(x.astype(float), groups, weight.astype(float), bias.astype(float))
    split = x.astype(float).reshape(*x.shape[:2], groups, -1)
    scale = np.abs(weight).max() / np.sqrt(split.var((1, 3)).min() + 1e-5)
    assert_near(by_groups(x, dy, groups, weight, bias), (wanted, dy), scale, len(x) * x.shape[1])


@pytest.mark.parametrize("channels", [1, 4, 12, 34])
@pytest.mark.parametrize("more", [-1, 0, 1, 5])
@pytest.mark.parametrize("chunks", [1, 3])
def test_group_norm_of_more_pixels_than_one_work_item_takes(channels, more, chunks):
    groups, weight_and_bias = 1 if channels == 1 else 2, numbers(channels)
    each = GroupNormPass(np.zeros((1, 1, channels), np.float32), groups, NONE, NONE, 1e-5).each
    rng = np.random.default_rng(channels)
    x = (rng.standard_normal((2, chunks * each + more, channels)) * 3).astype(np.float32)
    x[:, -7:] += 50  # what lies at the end counts
    dy = rng.standard_normal(x.shape).astype(np.float32)
    weight, bias = weight_and_bias
    y, dx, dw, db = by_groups(x, dy, groups, weight, bias)
    wanted, backward = reference_weights.group_norm(
        x.astype(float), groups, weight.astype(float), bias.astype(float)
    )
    wanted_dx, wanted_dw, wanted_db = backward(dy.astype(float))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(dx, wanted_dx, rtol=1e-4, atol=2e-5)
    for one, other in ((dw, wanted_dw), (db, wanted_db)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * x[:, :, 0].size ** 0.5)


@settings(max_examples=200)
@given(rows())
def test_layer_norm(case):
    x, dy = case
    weight, bias = numbers(x.shape[1])
    wanted = reference_weights.layer_norm(x.astype(float), 1, weight.astype(float), bias.astype(float))
    scale = np.abs(weight).max() / np.sqrt(x.astype(float).var(1).min() + 1e-5)
    assert_near(by_rows(x, dy, weight, bias), (wanted, dy), scale, len(x))


@settings(max_examples=100)
@given(st.integers(0, 300), st.integers(1, 70), st.booleans(), st.integers(0, 2**32))
def test_prelu(count, channels, one, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((2, count, channels)).astype(np.float32)
    slope = rng.standard_normal(1 if one else channels).astype(np.float32)
    found, grad = PReLUPass(frozen(x), slope), np.ones_like(slope)
    found.add_slope_gradient(frozen(dy), grad)
    wanted, backward = reference_weights.prelu(x.astype(float), slope.astype(float))
    wanted_dx, wanted_grad = backward(dy.astype(float))
    np.testing.assert_allclose(found.output(), wanted, rtol=1e-6)
    np.testing.assert_allclose(found.input_gradient(frozen(dy)), wanted_dx, rtol=1e-6)
    long = count * (channels if one else 1)
    np.testing.assert_allclose(grad, 1 + wanted_grad, rtol=1e-5, atol=1e-5 * max(1, long) ** 0.5)


@pytest.mark.parametrize("count", [0, 1, 70])
def test_sums_of_slopes_replace_what_was_there(count):
    x, dy = np.random.default_rng(0).standard_normal((2, count, 5)).astype(np.float32)
    total, chunks = np.full(5, 7.0), -(-count // 32)
    prelu.slope_gradient(x, dy, np.full((chunks, 5), 7.0), total, 32, 1)
    wanted = np.where(x > 0, 0, x.astype(float) * dy).sum(0)
    np.testing.assert_allclose(total, wanted, rtol=1e-5, atol=1e-6)


def test_sums_over_very_many_rows_are_as_exact_as_those_of_few():
    count, channels = 2**17, 17
    tenth = np.full((count, channels), 0.1, np.float32)
    one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    signs = np.where(np.arange(count)[:, None] % 2, tenth, -tenth)
    of_each, of_squares = (count * float(np.float32(0.1)) ** power for power in (1, 2))

    sums = np.zeros((3, channels), np.float32)
    normalization.add_channel_sums(tenth, sums[0])
    norm = LayerNormPass(signs, one, zero, 1e-5)
    norm.output()
    norm.gradients(tenth, NONE, sums[1], False)
    PReLUPass(-tenth, one).add_slope_gradient(tenth, sums[2])
    np.testing.assert_allclose(sums[:2], of_each, rtol=2e-6)
    np.testing.assert_allclose(-sums[2], of_squares, rtol=2e-6)
    np.testing.assert_allclose(single_steps.statistics(signs)[1], of_squares / count, rtol=2e-6)
    np.testing.assert_allclose(single_steps.gradient_sums(tenth, tenth, zero)[1], of_squares, rtol=2e-6)


@pytest.mark.parametrize("constant", [100, 1e4, 1e8, 1e10, 3e38, -7.25])
def test_constants_give_exactly_beta(constant):
    weight, bias = numbers(12)
    x = np.full((3, 70, 12), constant, np.float32)
    y, *_ = by_groups(x, x, 3, weight, bias)
    np.testing.assert_array_equal(y, np.broadcast_to(bias, y.shape))
    y, *_ = by_rows(x[0], x[0], weight, bias)
    np.testing.assert_array_equal(y, np.broadcast_to(bias, y.shape))


def test_a_mean_of_a_million_is_taken_off_exactly():
    x = (np.random.default_rng(0).standard_normal((4, 1000, 6)) + 1e6).astype(np.float32)
    wanted, _ = reference_weights.group_norm(x.astype(float), 2, 1.0, 0.0)
    assert np.abs(by_groups(x, x, 2, NONE, NONE)[0] - wanted).max() <= 1e-5
    x = x.reshape(4, -1)
    wanted, _ = reference_weights.layer_norm(x.astype(float), 1, 1.0, 0.0)
    assert np.abs(by_rows(x, x, NONE, NONE)[0] - wanted).max() <= 1e-5


@pytest.mark.parametrize("scale", [1e-3, 1e25, 1e33])
def test_squares_beyond_single_precision(scale):
    x = np.random.default_rng(0).standard_normal((2, 90, 8)).astype(np.float32) * np.float32(scale)
    wanted, _ = reference_weights.group_norm(x.astype(float), 4, 1.0, 0.0)
    np.testing.assert_allclose(by_groups(x, x, 4, NONE, NONE)[0], wanted, rtol=1e-5, atol=1e-5)
    wanted, _ = reference_weights.layer_norm(x[0].astype(float), 1, 1.0, 0.0)
    np.testing.assert_allclose(by_rows(x[0], x[0], NONE, NONE)[0], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_value_poisons_its_own_group_or_row(bad):
    x = np.random.default_rng(0).standard_normal((3, 40, 8)).astype(np.float32)
    x[1, 7, 5] = bad
    for array in by_groups(x, np.ones_like(x), 4, NONE, NONE)[:2]:
        there = np.zeros(x.shape, bool)
        there[1, :, 4:6] = True
        np.testing.assert_array_equal(np.isnan(array), there)
    for array in by_rows(x[1], np.ones_like(x[1]), NONE, NONE)[:2]:
        np.testing.assert_array_equal(np.isnan(array).all(1), np.arange(40) == 7)
        assert np.isnan(array).sum() == 8


@pytest.mark.usefixtures("threads_for_small_shapes")
def test_same_bytes_for_any_number_of_threads():
    x, dy = np.random.default_rng(0).standard_normal((2, 5, 3000, 12)).astype(np.float32)
    weight, bias = numbers(12)
    results = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        arrays = [*by_groups(x, dy, 3, weight, bias), *by_rows(x[0], dy[0], weight, bias)]
        arrays += by_rows(x.reshape(5, -1), dy.reshape(5, -1), *numbers(36000))
        for slope in (weight, weight[:1]):
            found, grad = PReLUPass(x, slope), np.zeros_like(slope)
            found.add_slope_gradient(dy, grad)
            arrays += [found.output(), found.input_gradient(dy), grad]
        results.append([array.tobytes() for array in arrays])
    assert all(one == results[0] for one in results)


def test_the_numbers_are_added_to_what_is_there():
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype(np.float32)
    for found in (GroupNormPass(x, 2, NONE, NONE, 1e-5), LayerNormPass(x[0], NONE, NONE, 1e-5)):
        found.output()
        first, second = np.zeros(4, np.float32), np.full(4, 10, np.float32)
        for places in (0, 1), (1, 0):  # of the weight, and of the bias
            grads = [[NONE, one] for one in (first, second)]
            for pair in grads:
                found.gradients(np.ones_like(found.x), *(pair[i] for i in places), False)
            np.testing.assert_allclose(second, first + 10, rtol=1e-6)


@pytest.mark.parametrize("width", [3, 24, 500, 3000])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e15, 1e25])
def test_an_outlier_in_front_costs_no_precision(width, scale):
    x = np.random.default_rng(0).standard_normal((5, width)).astype(np.float32)
    x[:, 0] = 1e4
    x *= np.float32(scale)
    wanted, _ = reference_weights.layer_norm(x.astype(float), 1, 1.0, 0.0, 1e-12)
    np.testing.assert_allclose(by_rows(x, x, NONE, NONE, 1e-12)[0], wanted, rtol=1e-5, atol=1e-5)


def test_long_sums_keep_their_digits():
    """Lanes of single precision are emptied into double before they are large."""
    x = np.full((200_000, 4), -0.1, np.float32)
    dy, grad = np.full_like(x, 0.3), np.zeros(4, np.float32)
    PReLUPass(x, np.ones(4, np.float32)).add_slope_gradient(dy, grad)
    np.testing.assert_allclose(grad, (x.astype(float) * dy).sum(0), rtol=1.5e-6)
    x = np.random.default_rng(0).standard_normal((40_000, 8)).astype(np.float32)
    dy, (dw, db) = np.full_like(x, 0.3), np.zeros((2, 8), np.float32)
    found = LayerNormPass(x, NONE, NONE, 1e-5)
    found.output()
    found.gradients(dy, dw, db, False)
    np.testing.assert_allclose(db, dy.sum(0, dtype=float), rtol=1.5e-6)
    x = x.reshape(1, -1)
    found = LayerNormPass(x, NONE, NONE, 1e-5)
    found.output()
    dx = found.gradients(np.full_like(x, 0.3), NONE, NONE, True)
    assert np.abs(dx).max() < 1e-6  # the mean is taken off


@pytest.mark.parametrize("slope", [0.25, -2.0, 0.0])
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_the_slope_of_a_parametric_relu_begins_at_0(slope, channels):
    """At 0 the gradient is that of below, as PyTorch has it; NaN stays NaN."""
    x = np.float32([0.0, -0.0, 1e-40, -1e-40, np.inf, np.nan, 3, -3])[:, None].repeat(channels, axis=1)
    found = PReLUPass(x, np.full(channels, slope, np.float32))
    with np.errstate(invalid="ignore"):
        wanted, backward = reference_weights.prelu(x.astype(float), np.full(channels, slope))
        wanted_dx, _ = backward(np.full(x.shape, 2.0))
    np.testing.assert_allclose(found.output(), wanted, rtol=1e-6, atol=1e-38)
    dx = found.input_gradient(np.full_like(x, 2))
    np.testing.assert_allclose(dx, wanted_dx, rtol=1e-6)
    assert dx[:3, 0].tolist() == [2 * slope, 2 * slope, 2]
