"""The decode kernel against a slow twin, and its random numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynet.data.images import decode

pytestmark = pytest.mark.kernels
M = 2**64 - 1


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


def factor(amount, bits):
    return 65536 - amount + ((2 * amount + 1) * bits >> 32)


def with_levels_moved(picture, brightness, contrast, bits):
    picture = picture.astype(object)  # Python's integers
    picture = np.minimum((picture * factor(brightness, bits & 0xFFFFFFFF) + 32768) >> 16, 255)
    if contrast:
        f, n = factor(contrast, bits >> 32), picture.size
        mean = (2 * picture.sum() + n) // (2 * n)
        picture = np.clip((picture * f + mean * (65536 - f) + 32768) >> 16, 0, 255)
    return picture.astype(np.uint8)


def twin(images, rows, indices, table, augment, seed, epoch):
    a, out = {**NOTHING, **augment}, []
    _, channels, height, width = images.shape
    for row, index in zip(rows, indices, strict=True):
        key = mix(mix(mix(seed) ^ epoch) ^ int(index))
        place, padding = mix(key), a["padding"]
        down, right = (place & 0xFFFFFFFF) % (2 * padding + 1), (place >> 32) % (2 * padding + 1)
        picture = with_levels_moved(images[row], a["brightness"], a["contrast"], mix((key + 3) & M))
        border = ((0, 0), (padding, padding), (padding, padding))
        picture = np.pad(picture, border, "reflect" if a["reflect"] else "constant")
        picture = picture[:, down : down + height, right : right + width]
        odd = {0: 0, 1: mix((key + 1) & M), 2: mix(mix(seed ^ M) ^ int(index)) + epoch}[a["flip"]] & 1
        if odd:
            picture = picture[:, :, ::-1]
        y = np.stack([table[c][picture[c]] for c in range(channels)], axis=-1)
        if a["cutout"]:
            bits = mix((key + 2) & M)
            top = (bits & 0xFFFFFFFF) % height - a["cutout"] // 2
            left = (bits >> 32) % width - a["cutout"] // 2
            r, c = np.mgrid[:height, :width]
            y[(r >= top) & (r < top + a["cutout"]) & (c >= left) & (c < left + a["cutout"])] = 0
        out.append(y)
    return np.array(out, np.float32).reshape(len(indices), height, width, channels)


NOTHING = dict.fromkeys(("padding", "reflect", "flip", "cutout", "brightness", "contrast"), 0)


@st.composite
def augments(draw, shape):
    reflect = draw(st.booleans())
    return {
        "padding": draw(st.integers(0, min(shape[2:]) - 1 if reflect else 12)),
        "reflect": int(reflect),
        "flip": draw(st.integers(0, 2)),
        "cutout": draw(st.integers(0, 12)),
        "brightness": draw(st.sampled_from([0, 1, 30_000, 65536])),
        "contrast": draw(st.sampled_from([0, 1, 30_000, 65536])),
    }


@st.composite
def pictures(draw):
    shape = tuple(draw(st.integers(1, 9)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = rng.integers(0, 256, shape, np.uint8)
    indices = rng.integers(0, shape[0], draw(st.integers(0, 7)))
    table = rng.standard_normal((shape[1], 256)).astype(np.float32)
    return images, indices, table


@given(pictures(), st.data(), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_decode_equals_its_twin(case, data, seed, epoch):
    images, indices, table = case
    augment = data.draw(augments(images.shape))
    for array in case:
        array.flags.writeable = False
    x = np.full((len(indices), images.shape[2], images.shape[3], images.shape[1]), 7, np.float32)
    decode.decode(images, indices, indices, table, x, augment, seed, epoch)
    np.testing.assert_array_equal(x, twin(images, indices, indices, table, augment, seed, epoch))


@pytest.mark.parametrize("threads", [1, 3])
def test_rows_say_where_and_indices_what_is_drawn(threads):
    rng = np.random.default_rng(0)
    images, table = rng.integers(0, 256, (9, 3, 6, 5), np.uint8), rng.random((3, 256), np.float32)
    augment = {**NOTHING, "padding": 2, "flip": 1, "cutout": 3, "brightness": 20_000, "contrast": 20_000}
    whole, part = np.empty((9, 6, 5, 3), np.float32), np.empty((2, 6, 5, 3), np.float32)
    decode.decode(images, np.arange(9), np.arange(9), table, whole, augment, 1, 2)
    decode.decode(images[[7, 4]], np.arange(2), np.array([7, 4]), table, part, augment, 1, 2, threads)
    np.testing.assert_array_equal(part, whole[[7, 4]])


def test_augment_names_what_is_missing():
    images, table = np.zeros((1, 1, 2, 2), np.uint8), np.zeros((1, 256), np.float32)
    row, x = np.zeros(1, np.int64), np.empty((1, 2, 2, 1), np.float32)
    with pytest.raises(ValueError, match="padding"):
        decode.decode(images, row, row, table, x, {k: 0 for k in NOTHING if k != "padding"}, 0, 0)


def test_every_offset_and_both_sides_are_drawn_evenly():
    n, padding = 20_000, 2
    images = np.zeros((n, 1, 5, 5), np.uint8)
    images[:, 0, 2, 2] = 1
    images[:, 0, 2, 3] = 2
    table = np.arange(256, dtype=np.float32)[None]
    x = np.empty((n, 5, 5, 1), np.float32)
    augment = {**NOTHING, "padding": padding, "flip": 1}
    decode.decode(images, np.arange(n), np.arange(n), table, x, augment, 3, 0)
    share = (x == 1).mean(axis=0)[..., 0]
    np.testing.assert_allclose(share, 1 / 25, atol=0.006)
    found = x.reshape(n, -1)
    flipped = (found.argmax(1) < np.where(found == 1, 1, 0).argmax(1))[(found == 2).any(1)]
    assert abs(flipped.mean() - 0.5) < 0.02


def draws_of(augment, epoch=0, images=None, n=20_000):
    """Pictures of 4 x 4, of one channel and bytes of 100, after `augment`."""
    images = np.full((n, 1, 4, 4), 100, np.uint8) if images is None else images
    table, x = np.arange(256, dtype=np.float32)[None], np.empty((n, 4, 4, 1), np.float32)
    decode.decode(images, np.arange(n), np.arange(n), table, x, {**NOTHING, **augment}, 5, epoch)
    return x[..., 0]


def test_an_alternating_flip_shows_both_sides_in_two_epochs():
    images = np.zeros((20_000, 1, 4, 4), np.uint8)
    images[..., 0] = 1
    left = [draws_of({"flip": 2}, epoch, images)[:, 0, 0] == 1 for epoch in range(4)]
    assert (left[0] != left[1]).all() and (left[0] == left[2]).all() and (left[1] == left[3]).all()
    assert abs(left[0].mean() - 0.5) < 0.02


def test_the_centre_of_a_cutout_is_drawn_evenly():
    share = (draws_of({"cutout": 1}) == 0).mean(0)
    np.testing.assert_allclose(share, 1 / 16, atol=0.008)


def test_factors_are_drawn_evenly_and_do_not_go_together():
    bright = draws_of({"brightness": 32768})[:, 0, 0]
    assert bright.min() == 50 and bright.max() == 150 and abs(bright.mean() - 100) < 1
    images = np.full((20_000, 1, 4, 4), 100, np.uint8)
    images[:, 0, :2] = 140
    both = draws_of({"brightness": 6554, "contrast": 65536}, 0, images)
    middle, spread = both.mean((1, 2)), both[:, 0, 0] - both[:, 3, 0]
    assert spread.min() == 0 and 76 <= spread.max() <= 88 and abs(np.corrcoef(middle, spread)[0, 1]) < 0.15


@pytest.mark.parametrize("count", [0, 1, 7, 50])
def test_same_bytes_for_any_number_of_threads(count):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 3, 9, 7), np.uint8)
    table = rng.standard_normal((3, 256), dtype=np.float32)
    augment = {"padding": 2, "reflect": 1, "flip": 2, "cutout": 3, "brightness": 9000, "contrast": 20000}
    indices, results = rng.permutation(50)[:count], []
    for threads in (1, 2, 3, 4):
        x = np.full((count, 9, 7, 3), np.nan, np.float32)
        decode.decode(images, indices, indices, table, x, augment, 3, 4, threads)
        results.append(x.tobytes())
    assert all(result == results[0] for result in results)
