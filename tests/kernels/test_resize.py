"""The kernels that change the size of images, and the tables that they take, against their twins."""

import numpy as np
import pytest
import reference
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.kernels.resize import padding, places
from cynet.kernels.resize.resizing import Areas, Bilinear, Nearest

pytestmark = pytest.mark.kernels


def ran(way, x, dy, threads=2):
    y, dx = np.full(dy.shape, 7, np.float32), np.full(x.shape, 7, np.float32)
    way.forward(frozen(x), y, threads)
    way.backward(frozen(dy), dx, threads)
    return y, dx


def sizes(least=1):
    return st.tuples(st.integers(least, 12), st.integers(least, 12))


def arrays(seed, n, in_hw, out_hw, channels):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, *in_hw, channels)), rng.standard_normal((n, *out_hw, channels))


def assert_near(found, wanted, backward, dy, long):
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1], backward(dy), rtol=1e-5, atol=1e-5 * long**0.5)


CASE = st.integers(0, 2), sizes(), sizes(), st.integers(1, 33), st.integers(0, 2**32)


@settings(max_examples=120)
@given(*CASE)
def test_areas(n, in_hw, out_hw, channels, seed):
    x, dy = arrays(seed, n, in_hw, out_hw, channels)
    found = ran(Areas(in_hw, out_hw), x, dy)
    assert_near(found, *reference.adaptive_avg_pool(x, out_hw), dy, 144)


@settings(max_examples=200)
@given(*CASE, st.sampled_from(["nearest", "bilinear", "corners"]))
def test_a_size_that_is_given(n, in_hw, out_hw, channels, seed, mode):
    x, dy = arrays(seed, n, in_hw, out_hw, channels)
    way = Nearest(in_hw, out_hw) if mode == "nearest" else Bilinear(in_hw, out_hw, corners=mode == "corners")
    found = ran(way, x, dy)
    wanted = reference.upsample(x, out_hw, (None, None), mode, mode == "corners")
    assert_near(found, *wanted, dy, 144)


@settings(max_examples=120)
@given(*CASE[:2], *[st.floats(0.3, 4) for _ in range(2)], *CASE[3:], st.booleans())
def test_a_factor_that_is_given(n, in_hw, down, right, channels, seed, near):
    out_hw = tuple(max(1, int(side * factor)) for side, factor in zip(in_hw, (down, right), strict=True))
    x, dy = arrays(seed, n, in_hw, out_hw, channels)
    found = ran((Nearest if near else Bilinear)(in_hw, out_hw, (down, right)), x, dy)
    wanted = reference.upsample(x, out_hw, (down, right), "nearest" if near else "bilinear", False)
    assert_near(found, *wanted, dy, 144)


@settings(max_examples=120)
@given(*CASE[:2], *[st.integers(-3, 4) for _ in range(4)], *CASE[3:])
def test_padding(n, in_hw, left, right, top, bottom, channels, seed):
    height, width = in_hw[0] + 6, in_hw[1] + 6
    out_hw = height + top + bottom, width + left + right
    x, dy = (a.astype(np.float32) for a in arrays(seed, n, (height, width), out_hw, channels))
    y, dx = np.full(dy.shape, 7, np.float32), np.full(x.shape, 7, np.float32)
    padding.placed(frozen(x), y, top, left, 2)
    padding.placed(frozen(dy), dx, -top, -left, 2)
    wanted, backward = reference.zero_pad(x, left, right, top, bottom)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(dx, backward(dy))


@pytest.mark.parametrize("kind", [Areas, Nearest, Bilinear])
@pytest.mark.parametrize("channels", [1, 8, 21])
def test_same_bytes_for_any_threads(kind, channels):
    x, dy = arrays(0, 3, (61, 67), (90, 40), channels)
    way = kind((61, 67), (90, 40))
    found = {tuple(a.tobytes() for a in ran(way, x, dy, threads)) for threads in (1, 2, 3, 4)}
    assert len(found) == 1


def test_padding_gives_the_same_bytes_for_any_threads():
    x = np.random.default_rng(0).standard_normal((3, 61, 67, 5)).astype(np.float32)
    ys = [np.empty((3, 64, 69, 5), np.float32) for _ in range(4)]
    for threads, y in enumerate(ys, 1):
        padding.placed(x, y, 2, -1, threads)
    assert len({y.tobytes() for y in ys}) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_inf_come_where_the_pixel_is_used_and_nowhere_else(value):
    x, used = np.ones((1, 4, 4, 9), np.float32), np.zeros((1, 8, 8, 9), bool)
    x[0, 1, 2, 4] = value
    used[0, 2:4, 4:6, 4] = True
    y, _ = ran(Nearest((4, 4), (8, 8)), x, np.ones((1, 8, 8, 9)))
    np.testing.assert_array_equal(~np.isfinite(y), used)
    y, _ = ran(Bilinear((4, 4), (8, 8)), x, np.ones((1, 8, 8, 9)))
    used[0, 0:5, 3:7, 4] = True  # also in row 0, for a share of 0, as in PyTorch
    np.testing.assert_array_equal(~np.isfinite(y), used)
    y, _ = ran(Areas((4, 4), (2, 2)), x, np.ones((1, 2, 2, 9)))
    assert np.argwhere(~np.isfinite(y)).tolist() == [[0, 0, 1, 4]]


def test_large_areas_are_summed_line_by_line():
    x = np.full((1, 700, 700, 3), 0.1, np.float32)
    y, _ = ran(Areas((700, 700), (1, 1)), x, np.ones((1, 1, 1, 3)))
    np.testing.assert_allclose(y, np.float32(0.1), rtol=1e-5)


def test_a_nearest_pixel_is_found_in_float32_as_pytorch_finds_it():
    for size, out, one in ((2, 82, 41), (3, 123, 41), (3, 123, 82)):
        (first, _), _ = places.nearest(size, out)
        assert first[one] == one * size // out - 1 and first[one + 1] == one * size // out


@pytest.mark.parametrize("size", [(0, 4), (4, 2**24 + 1), (2**15, 2**14)])
def test_sizes_that_cannot_be_are_refused(size):
    with pytest.raises(
        ValueError, match=r"size: wanted an image of 1 to 16777216 pixels .*, got one of \d+ x"
    ):
        places.checked_size("size", size, (2, 2))


@pytest.mark.parametrize(("size", "in_hw"), [
    ((1, 1), (2, 2)), ((2**24, 1), (2, 2)), ((1, 2**24), (2, 2)), ((2**14, 2**14), (2, 2)),
    ((2**15, 2**15), (2**14, 2**14)), ((2**15, 2**15), (2**13, 2**15)),
])  # fmt: skip
def test_the_largest_sizes_that_can_be(size, in_hw):
    assert places.checked_size("size", size, in_hw) == size
    if size != (1, 1):
        larger = (size[0] + 1, size[1]) if size[0] > 1 else (size[0], size[1] + 1)
        with pytest.raises(ValueError) as caught:
            places.checked_size("size", larger, in_hw)
        most = max(2**28, 4 * in_hw[0] * in_hw[1])
        assert str(caught.value) == (
            f"size: wanted an image of 1 to 16777216 pixels along each side and at most {most} in all, "
            f"got one of {larger[0]} x {larger[1]} from {in_hw[0]} x {in_hw[1]}"
        )


@pytest.mark.parametrize("argument", range(2))
def test_none_is_a_type_error(argument):
    arrays = [np.zeros((1, 2, 2, 1), np.float32), np.zeros((1, 2, 2, 1), np.float32)]
    arrays[argument] = None
    with pytest.raises(TypeError):
        padding.placed(*arrays, 0, 0, 1)
    with pytest.raises(TypeError):
        Nearest((2, 2), (2, 2)).forward(*arrays, 1)
    with pytest.raises(TypeError):
        Bilinear((2, 2), (2, 2)).forward(*arrays, 1)
