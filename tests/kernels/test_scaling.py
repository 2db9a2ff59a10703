"""Products of arrays, and of images with factors, against NumPy: around the chunks that threads take."""

import numpy as np
import pytest
from helpers import frozen

from cynet.kernels.pointwise import factors, scaling

pytestmark = pytest.mark.kernels

CHUNK = 16384
SIZES = 0, 1, 7, 16, 33, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5
THREADS = pytest.mark.parametrize("threads", [1, 2, 5])


def drawn(*shape):
    return frozen(np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("size", SIZES)
@THREADS
def test_multiply(size, threads):
    a, b = drawn(2, size)
    out = np.full(size, 7, np.float32)
    scaling.multiply(a, b, out, threads)
    np.testing.assert_array_equal(out, a * b)
    for given in ((out, b), (b, out)):  # in place
        out[:] = a
        scaling.multiply(*given, out, threads)
        np.testing.assert_array_equal(out, a * b)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("samples", [1, 3])
@THREADS
def test_a_factor_for_each_sample(size, samples, threads):
    x, each = drawn(samples, size), drawn(samples)
    y = np.full(x.shape, 7, np.float32)
    scaling.scale_samples(x, each, y, threads)
    np.testing.assert_array_equal(y, x * each[:, None])
    y[:] = x
    scaling.scale_samples(y, each, y, threads)
    np.testing.assert_array_equal(y, x * each[:, None])


IMAGES = [
    (1, 1, 1), (2, 5, 3), (3, 7, 16), (2, 9, 17), (2, CHUNK - 1, 1), (2, CHUNK + 1, 1),
    (2, CHUNK // 16 + 1, 16),
    (3, 2 * CHUNK // 33 + 3, 33), (2, 2, CHUNK - 1), (2, 3, CHUNK + 1), (0, 4, 3), (2, 0, 3), (2, 4, 0),
]  # fmt: skip


@pytest.mark.parametrize("shape", IMAGES)
@THREADS
def test_a_factor_for_each_channel_of_each_sample(shape, threads):
    x, each = drawn(*shape), drawn(shape[0], shape[2])
    y = np.full(shape, 7, np.float32)
    scaling.scale_channels(x, each, y, threads)
    np.testing.assert_array_equal(y, x * each[:, None])
    y[:] = x
    scaling.scale_channels(y, each, y, threads)
    np.testing.assert_array_equal(y, x * each[:, None])


@pytest.mark.parametrize("shape", IMAGES)
@THREADS
def test_the_gradient_to_a_factor_is_a_sum_over_pixels(shape, threads):
    x, dy = drawn(*shape), drawn(*shape) + 1
    out = np.full((shape[0], shape[2]), 7, np.float32)
    scaling.channel_products(x, dy, out, threads)
    np.testing.assert_allclose(out, (x.astype(float) * dy).sum(axis=1), rtol=1e-6, atol=1e-5)


def test_what_is_no_number_stays_where_it_is():
    x = np.ones((2, 3, 17), np.float32)
    x[0, 1, 16], x[1, 2, 0] = np.nan, np.inf
    y = np.empty_like(x)
    scaling.scale_channels(x, np.zeros((2, 17), np.float32), y, 2)
    assert np.argwhere(np.isnan(y)).tolist() == [[0, 1, 16], [1, 2, 0]] and np.nansum(y) == 0


@pytest.mark.parametrize(("a", "b"), [
    ((2, 3, 4, 5), (2, 3, 4, 5)), ((2, 3, 4, 5), (2, 5)), ((2, 3, 4, 5), (2, 1, 1, 5)),
])  # fmt: skip
def test_the_product_of_an_image_and_what_is_given_for_its_pixels_or_its_channels(a, b):
    x, factor = drawn(*a), drawn(*b)
    out = np.full(a, 7, np.float32)
    found = factors.multiply(x, factor, out)
    wide = factor if b == a else factor.reshape(2, 1, 1, 5)
    np.testing.assert_array_equal(out, x * wide)
    assert found is out or found.base is out
