"""The decode kernel against a slow twin, and its random numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynet.kernels import decode

pytestmark = pytest.mark.kernels
M = 2**64 - 1


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


def twin(images, indices, table, padding, flip, seed, epoch):
    out = []
    for index in indices:
        key = mix(mix(mix(seed) ^ epoch) ^ int(index))
        place = mix(key)
        down, right = (place & 0xFFFFFFFF) % (2 * padding + 1), (place >> 32) % (2 * padding + 1)
        picture = np.pad(images[index], ((0, 0), (padding, padding), (padding, padding)))
        _, height, width = images.shape[1:]
        picture = picture[:, down : down + height, right : right + width]
        if flip and mix((key + 1) & M) & 1:
            picture = picture[:, :, ::-1]
        out.append([table[c][picture[c]] for c in range(len(picture))])
    shape = (len(indices), images.shape[2], images.shape[3], images.shape[1])
    return (
        np.array(out, np.float32)
        .reshape(len(indices), *images.shape[1:])
        .transpose(0, 2, 3, 1)
        .reshape(shape)
    )


@st.composite
def pictures(draw):
    shape = tuple(draw(st.integers(1, 9)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = rng.integers(0, 256, shape, np.uint8)
    indices = rng.integers(0, shape[0], draw(st.integers(0, 7)))
    table = rng.standard_normal((shape[1], 256)).astype(np.float32)
    return images, indices, table


@given(pictures(), st.integers(0, 12), st.booleans(), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_decode_equals_its_twin(case, padding, flip, seed, epoch):
    images, indices, table = case
    for array in case:
        array.flags.writeable = False
    x = np.full((len(indices), images.shape[2], images.shape[3], images.shape[1]), 7, np.float32)
    decode.decode(images, indices, table, x, padding, flip, seed, epoch)
    np.testing.assert_array_equal(x, twin(images, indices, table, padding, flip, seed, epoch))


def test_every_offset_and_both_sides_are_drawn_evenly():
    n, padding = 20_000, 2
    images = np.zeros((n, 1, 5, 5), np.uint8)
    images[:, 0, 2, 2] = 1
    images[:, 0, 2, 3] = 2
    table = np.arange(256, dtype=np.float32)[None]
    x = np.empty((n, 5, 5, 1), np.float32)
    decode.decode(images, np.arange(n), table, x, padding, True, 3, 0)
    share = (x == 1).mean(axis=0)[..., 0]
    np.testing.assert_allclose(share, 1 / 25, atol=0.006)
    found = x.reshape(n, -1)
    flipped = (found.argmax(1) < np.where(found == 1, 1, 0).argmax(1))[(found == 2).any(1)]
    assert abs(flipped.mean() - 0.5) < 0.02
