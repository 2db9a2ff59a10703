"""Sums, channel copies, transposes and dropout against NumPy."""

import numpy as np
import pytest
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.kernels.pointwise import dropout, elementwise

pytestmark = pytest.mark.kernels

MASKS = [(0, 0, "c3b43113be"), (1, 2, "15d15f6a83"), (2**62 + 5, 3, "8660e7d2d6")]  # seed, draw, bits


@pytest.mark.parametrize("size", [0, 1, 7, 16, 33, 16384, 50_001])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_add(size, threads):
    a, b = np.random.default_rng(size).standard_normal((2, size)).astype(np.float32)
    out = np.empty(size, np.float32)
    elementwise.add(frozen(a), frozen(b), out, threads)
    np.testing.assert_array_equal(out, a + b)
    elementwise.add(a, b, a, threads)  # in place
    np.testing.assert_array_equal(out, a)


def test_add_keeps_nan_and_inf():
    out = np.empty(3, np.float32)
    elementwise.add(np.float32([np.nan, np.inf, np.inf]), np.float32([1, 1, -np.inf]), out, 1)
    np.testing.assert_array_equal(out, np.float32([np.nan, np.inf, np.nan]))


@given(st.integers(0, 60), st.integers(1, 40), st.integers(1, 4))
def test_add_to_channels(pixels, channels, threads):
    y, bias = (np.random.default_rng(0).random((n, channels), np.float32) for n in (pixels, 1))
    y[pixels // 2 :, -1] = np.nan
    wanted = y + bias
    elementwise.add_to_channels(y, frozen(bias[0]), threads)
    np.testing.assert_array_equal(y, wanted)


@given(*(st.integers(0, high) for high in (60, 5, 33, 5, 5)), st.integers(1, 4))
def test_copy_channels(pixels, before, channels, after, dst_before, threads):
    src = np.random.default_rng(0).random((pixels, before + channels + after), np.float32)
    dst = np.full((pixels, dst_before + channels + 2), 7, np.float32)
    wanted = dst.copy()
    wanted[:, dst_before : dst_before + channels] = src[:, before : before + channels]
    elementwise.copy_channels(frozen(src), before, dst, dst_before, channels, threads)
    np.testing.assert_array_equal(dst, wanted)


@settings(max_examples=60)
@given(*(st.integers(0, high) for high in (3, 70, 70)), st.integers(1, 4))
def test_transpose(matrices, rows, columns, threads):
    x = np.random.default_rng(0).random((matrices, rows, columns), np.float32)
    y = np.full((matrices, columns, rows), 7, np.float32)
    elementwise.transpose(frozen(x), y, threads)
    np.testing.assert_array_equal(y, x.transpose(0, 2, 1))


def test_transpose_in_parallel():
    x = np.random.default_rng(0).random((3, 131, 257), np.float32)
    for threads in (1, 2, 3, 4):
        y = np.empty((3, 257, 131), np.float32)
        elementwise.transpose(x, y, threads)
        np.testing.assert_array_equal(y, x.transpose(0, 2, 1))


def mask(size, p, seed=1, draw=2, threads=2):
    y = np.empty(size, np.float32)
    dropout.dropout(frozen(np.ones(size)), y, p, seed, draw, threads)
    return y


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_dropout_rate_and_scale(p):
    y = mask(200_000, p)
    assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / len(y)) + 1e-12
    assert set(np.unique(y)) <= {np.float32(0), np.float32(1 / (1 - p) if p < 1 else 0)}


def test_dropout_same_bytes_for_any_threads():
    assert len({mask(100_003, 0.3, threads=threads).tobytes() for threads in (1, 2, 3, 4)}) == 1


def test_dropout_keys_give_independent_masks():
    masks = [mask(100_000, 0.5, seed, draw) > 0 for seed in (0, 1, 2**62) for draw in (0, 1, 2)]
    for i, a in enumerate(masks):
        assert abs(np.corrcoef(a[:-1], a[1:])[0, 1]) < 0.02  # neighbours
        assert abs(np.corrcoef(a[:16384], a[16384:32768])[0, 1]) < 0.05  # chunks
        for b in masks[:i]:
            assert abs(np.corrcoef(a, b)[0, 1]) < 0.02


def test_dropout_keeps_nan():
    x, y = np.full(1000, np.nan, np.float32), np.empty(1000, np.float32)
    dropout.dropout(x, y, 0.5, 0, 0, 1)
    assert np.isnan(y).all()


def test_dropout_of_nothing():
    assert mask(0, 0.5).shape == (0,)


def test_the_masks_of_a_key_are_for_ever():
    """A training that is repeated with a later version draws the same ones: 1 where the element stays."""
    for seed, draw, wanted in MASKS:
        y = mask(40_000, 0.5, seed, draw)
        bits = np.packbits((y > 0)[[*range(24), *range(16384, 16400)]])
        assert bits.tobytes().hex() == wanted, (seed, draw)
