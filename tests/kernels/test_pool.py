"""Pooling kernels against their twins."""

import itertools

import numpy as np
import pytest
import reference
from helpers import frozen
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cynet.kernels.pool import avg_pool, large_max_pool, max_pool

pytestmark = pytest.mark.kernels


def out_shape(x, kernel, stride, padding, ceil=False, apart=(1, 1)):
    kernel = [step * (cells - 1) + 1 for cells, step in zip(kernel, apart, strict=True)]
    padding = reference.beyond(x.shape, kernel, stride, padding) if ceil else padding
    top, left, bottom, right = padding
    height = (top + x.shape[1] + bottom - kernel[0]) // stride[0] + 1
    width = (left + x.shape[2] + right - kernel[1]) // stride[1] + 1
    return x.shape[0], height, width, x.shape[3]


def run_max(x, dy, kernel, stride, padding, threads=2, ceil=False):
    shape = out_shape(x, kernel, stride, padding, ceil)
    y, winner = np.full(shape, 7, np.float32), np.full(shape, 255, np.uint8)
    max_pool.max_pool(frozen(x), y, winner, *kernel, *stride, *padding[:2], threads)
    alone = np.full(shape, 7, np.float32)  # as in evaluation: without the winners
    max_pool.PoolPass(alone, (*kernel, *stride, *padding[:2]), threads)(frozen(x))
    assert alone.tobytes() == y.tobytes()
    winner.flags.writeable = False
    dx = np.full(x.shape, 7, np.float32)
    max_pool.max_pool_backward(frozen(dy), winner, dx, *kernel, *stride, *padding[:2], threads)
    return y, dx


def run_large(x, dy, kernel, stride, padding, threads=2, ceil=False, apart=(1, 1)):
    """As `run_max`, by the kernel for windows of any number of cells, at any distance."""
    shape = out_shape(x, kernel, stride, padding, ceil, apart)
    y, winner = np.full(shape, 7, np.float32), np.full(shape, -1, np.int32)
    scratch = [np.full((threads, x.shape[2] * x.shape[3]), 7, dtype) for dtype in (np.float32, np.int32)]
    window = *kernel, *stride, *padding[:2], *apart
    large_max_pool.large_max_pool(frozen(x), y, winner, *window, *scratch, threads)
    winner.flags.writeable = False
    dx = np.full(x.shape, 7, np.float32)
    large_max_pool.large_max_pool_backward(frozen(dy), winner, dx, threads)
    return y, dx


def run_avg(x, dy, kernel, stride, padding, threads=2, ceil=False, counted=None, divisor=0):
    y = np.full(out_shape(x, kernel, stride, padding, ceil), 7, np.float32)
    window = *kernel, *stride, *padding[:2], *(padding if counted is None else counted), divisor
    avg_pool.avg_pool(frozen(x), y, *window, threads)
    dx = np.full(x.shape, 7, np.float32)
    avg_pool.avg_pool_backward(frozen(dy), dx, *window, threads)
    return y, dx


@st.composite
def pools(draw):
    """x, dy, kernel, stride, padding: odd sizes, 1x1 images, strides beyond the kernel, every padding."""
    n, height, width = draw(st.integers(0, 2)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    channels = draw(st.integers(1, 33))
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    stride = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    if draw(st.booleans()):
        top, bottom = reference.same_padding(height, kernel[0], stride[0])
        left, right = reference.same_padding(width, kernel[1], stride[1])
        padding = top, left, bottom, right
    else:
        padding = tuple(draw(st.integers(0, kernel[i % 2] - 1)) for i in range(4))
    assume(kernel[0] <= padding[0] + height + padding[2] and kernel[1] <= padding[1] + width + padding[3])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal((n, height, width, channels)).astype(np.float32)
    if draw(st.booleans()):
        x = np.round(x)  # many ties
    dy = rng.standard_normal(out_shape(x, kernel, stride, padding)).astype(np.float32)
    return x, dy, kernel, stride, padding


def assert_near(got, wanted, cells):
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-5 * np.sqrt(cells))


@settings(max_examples=300)
@given(pools())
def test_max_pool(case):
    x, dy, kernel, stride, padding = case
    y, dx = run_max(*case)
    wanted, backward = reference.max_pool(x.astype(np.float64), kernel, stride, padding)
    np.testing.assert_array_equal(y, wanted)
    assert_near(dx, backward(dy.astype(np.float64)), kernel[0] * kernel[1])


@settings(max_examples=200)
@given(pools(), st.booleans())
def test_large_windows_give_the_bytes_of_small_ones(case, rounded):
    case = (np.round(case[0]), *case[1:]) if rounded else case
    for found, wanted in zip(run_large(*case), run_max(*case), strict=True):
        assert found.tobytes() == wanted.tobytes()


@settings(max_examples=300)
@given(pools(), st.tuples(st.integers(1, 5), st.integers(1, 5)), st.booleans(), st.booleans())
def test_cells_that_lie_apart(case, apart, ceil, rounded):
    """A window may have none in the image, as of two cells around an image of one pixel."""
    x, _, kernel, stride, padding = case
    extents = [step * (cells - 1) + 1 for cells, step in zip(kernel, apart, strict=True)]
    room = [extent - size for extent, size in zip(extents, x.shape[1:3], strict=True)]
    padding = tuple(max(side, -(-room[i % 2] // 2)) for i, side in enumerate(padding))
    x = np.round(x) if rounded else x
    window = kernel, stride, padding
    dy = np.random.default_rng(1).standard_normal(out_shape(x, *window, ceil, apart)).astype(np.float32)
    y, dx = run_large(x, dy, *window, ceil=ceil, apart=apart)
    wanted, backward = reference.max_pool(x.astype(np.float64), *window, ceil, apart)
    np.testing.assert_array_equal(y, wanted)
    assert_near(dx, backward(dy.astype(np.float64)), kernel[0] * kernel[1])


@settings(max_examples=150)
@given(pools(), st.booleans(), st.booleans(), st.integers(0, 3))
def test_windows_that_reach_beyond_the_padding(case, counts, large, divisor):
    x, dy, *window = case
    dy = np.random.default_rng(1).standard_normal(out_shape(x, *window, ceil=True)).astype(np.float32)
    cells = window[0][0] * window[0][1]
    y, dx = (run_large if large else run_max)(x, dy, *window, ceil=True)
    wanted, backward = reference.max_pool(x.astype(np.float64), *window, ceil=True)
    np.testing.assert_array_equal(y, wanted)
    assert_near(dx, backward(dy.astype(np.float64)), cells)
    y, dx = run_avg(x, dy, *window, ceil=True, counted=None if counts else (0, 0, 0, 0), divisor=divisor)
    wanted, backward = reference.avg_pool(x.astype(np.float64), *window, True, counts, divisor or None)
    assert_near(y, wanted, cells)
    assert_near(dx, backward(dy.astype(np.float64)), cells)


@settings(max_examples=80)
@given(pools(), st.integers(0, 2**32), st.sampled_from([run_max, run_large]))
def test_max_pool_of_nan_and_inf(case, seed, run):
    x, dy, kernel, stride, padding = case
    x = np.random.default_rng(seed).choice(np.float32([np.nan, np.inf, -np.inf, 0, 1]), x.shape)
    y, dx = run(x, dy, kernel, stride, padding)
    wanted, backward = reference.max_pool(x.astype(np.float64), kernel, stride, padding)
    np.testing.assert_array_equal(y, wanted)
    assert_near(dx, backward(dy.astype(np.float64)), kernel[0] * kernel[1])


@settings(max_examples=250)
@given(pools())
def test_avg_pool(case):
    x, dy, kernel, stride, padding = case
    y, dx = run_avg(*case)
    wanted, backward = reference.avg_pool(x.astype(np.float64), kernel, stride, padding)
    assert_near(y, wanted, kernel[0] * kernel[1])
    assert_near(dx, backward(dy.astype(np.float64)), kernel[0] * kernel[1])


@settings(max_examples=80)
@given(*(st.integers(low, high) for low, high in [(0, 3), (1, 9), (1, 9), (1, 150), (0, 2**32)]))
def test_global_avg_pool(n, height, width, channels, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((n, height, width, channels)), rng.standard_normal((n, channels))
    y, dx = np.empty((n, channels), np.float32), np.empty((n, height * width, channels), np.float32)
    avg_pool.global_avg_pool(frozen(x.reshape(dx.shape)), y, 2)
    avg_pool.global_avg_pool_backward(frozen(dy), dx, 2)
    wanted, backward = reference.global_avg_pool(x)
    assert_near(y, wanted, height * width)
    assert_near(dx.reshape(x.shape), backward(dy), 1)


@pytest.mark.parametrize("run", [run_max, run_avg, run_large])
@pytest.mark.parametrize("channels", [3, 8, 21])
def test_same_bytes_for_any_threads(run, channels):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 61, 67, channels)).astype(np.float32)
    case = (3, 3), (2, 2), (1, 1, 1, 1)
    dy = rng.standard_normal(out_shape(x, *case)).astype(np.float32)
    one = [a.tobytes() for a in run(x, dy, *case, threads=1)]
    for threads in (2, 3, 4):
        assert [a.tobytes() for a in run(x, dy, *case, threads=threads)] == one


def test_global_avg_pool_same_bytes_for_any_threads():
    x = frozen(np.random.default_rng(0).standard_normal((3, 400, 77)))
    ys = [np.empty((3, 77), np.float32) for _ in range(4)]
    for threads, y in enumerate(ys, 1):
        avg_pool.global_avg_pool(x, y, threads)
    assert len({y.tobytes() for y in ys}) == 1


def one_window(values, padding=(0, 0, 0, 0)):
    """Max-pool of one window over a 2 x 2 image; the gradient shows the winner."""
    x = np.float32(values).reshape(1, 2, 2, 1)
    size = 2 + padding[0] + padding[2], 2 + padding[1] + padding[3]
    y, dx = run_max(x, np.ones((1, 1, 1, 1)), size, (1, 1), padding)
    return y.item(), dx.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("values", "padding", "y", "dx"),
    [
        ([1, 3, 3, 2], (0, 0, 0, 0), 3, [0, 1, 0, 0]),
        ([5, 5, 5, 5], (1, 1, 0, 0), 5, [1, 0, 0, 0]),
        ([-4, -3, -2, -9], (1, 1, 1, 1), -2, [0, 0, 1, 0]),
        ([-np.inf] * 4, (0, 0, 0, 0), -np.inf, [1, 0, 0, 0]),
        ([-np.inf] * 4, (1, 1, 0, 0), -np.inf, [1, 0, 0, 0]),
        ([1, np.nan, 3, np.inf], (0, 0, 0, 0), np.nan, [0, 1, 0, 0]),
        ([1, 2, 3, np.nan], (1, 0, 0, 1), np.nan, [0, 0, 0, 1]),
        ([np.nan, 2, 3, 4], (0, 0, 0, 0), np.nan, [1, 0, 0, 0]),
        ([0, np.inf, 3, np.inf], (0, 0, 0, 0), np.inf, [0, 1, 0, 0]),
    ],
)
def test_winner_rules(values, padding, y, dx):
    got_y, got_dx = one_window(values, padding)
    assert got_y == y or (np.isnan(got_y) and np.isnan(y))
    assert got_dx == dx


def test_nan_poisons_only_its_windows_and_channel():
    x = np.zeros((1, 5, 5, 9), np.float32)
    x[0, 0, 0, 4] = np.nan
    dy = np.ones((1, 2, 2, 9), np.float32)
    for run in (run_max, run_avg, run_large):
        y, _ = run(x, dy, (3, 3), (2, 2), (0, 0, 0, 0))
        assert np.argwhere(np.isnan(y)).tolist() == [[0, 0, 0, 4]]


def test_widest_winner_byte():
    x = np.zeros((1, 15, 17, 1), np.float32)
    x[0, 14, 16] = 1
    y, dx = run_max(x, np.ones((1, 1, 1, 1)), (15, 17), (1, 1), (0, 0, 0, 0))
    assert y.item() == 1 and dx[0, 14, 16] == 1 and dx.sum() == 1


def test_a_window_of_more_cells_than_a_byte_numbers():
    x = np.zeros((1, 40, 300, 2), np.float32)
    x[0, 39, 299, 1], x[0, 20, 7] = 1, 0.5
    y, dx = run_large(x, np.ones((1, 1, 1, 2)), (40, 300), (1, 1), (0, 0, 0, 0))
    assert y.reshape(-1).tolist() == [0.5, 1] and np.argwhere(dx).tolist() == [[0, 20, 7, 0], [0, 39, 299, 1]]


@pytest.mark.parametrize("argument", range(3))
def test_none_is_a_type_error(argument):
    arrays = [np.zeros((1, 2, 2, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32)]
    arrays.append(np.zeros((1, 1, 1, 1), np.uint8))
    arrays[argument] = None
    with pytest.raises(TypeError):
        max_pool.max_pool(*arrays, 2, 2, 2, 2, 0, 0, 1)


@pytest.mark.parametrize("channels", [3, 8, 17])
@pytest.mark.parametrize("k", [2, 3])
def test_images_narrower_than_a_window_in_every_way(channels, k):
    """One side or both; a window that begins inside may end beyond the image, where the next row lies."""
    rng = np.random.default_rng(0)
    for height, width, left, right in itertools.product((1, 2, 4), (1, 2, 3), range(k), range(k)):
        if left + width + right < k:
            continue
        for stride, top in itertools.product((1, 2, 3), (0, k - 1)):
            window = (k, k), (stride, stride), (top, left, k - 1, right)
            if top + height + k - 1 < k:
                continue
            x = rng.standard_normal((2, height, width, channels)).astype(np.float32)
            dy = rng.standard_normal(out_shape(x, *window)).astype(np.float32)
            for run, twin in ((run_max, reference.max_pool), (run_avg, reference.avg_pool)):
                y, dx = run(x, dy, *window, threads=1)
                wanted, backward = twin(x.astype(np.float64), *window)
                assert_near(y, wanted, k * k)
                assert_near(dx, backward(dy.astype(np.float64)), k * k)


def test_the_mean_of_a_large_image_is_summed_in_double():
    x = (np.random.default_rng(0).random((2, 60_000, 3)) + 1e4).astype(np.float32)
    y = np.empty((2, 3), np.float32)
    avg_pool.global_avg_pool(x, y, 2)
    np.testing.assert_array_equal(y, x.mean(1, dtype=np.float64).astype(np.float32))
