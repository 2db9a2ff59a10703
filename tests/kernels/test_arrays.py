"""Sums, gates and copies of whole arrays, PNGs, and thresholds of linear layers."""

import base64
import io
import itertools
import struct

import numpy as np
import pytest
import reference_weights

import cynet
from cynet.core import png, threads
from cynet.kernels.linear.thin_linear import ThinLinear
from cynet.kernels.norm import normalization, single_steps
from cynet.kernels.pointwise import arrays

ODD = np.float32([np.nan, np.inf, -np.inf, 0, -0.0, 1, -1, 1e-42, -1e-42, 3e38, -3e38])
SIZES = (1, 7, 8, 9, 15, 16, 17, 31, 33, 16383, 16384, 16385, 50_001)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.usefixtures("dirty_memory")
def test_sums_and_gates_at_every_length(size):
    rng = np.random.default_rng(size)
    a, b = rng.choice(ODD, (2, size, 1))
    with np.errstate(all="ignore"):
        total = a + b
    for count in (1, 3):
        threads.set_num_threads(count)
        np.testing.assert_array_equal(arrays.add(a, b), total)
        np.testing.assert_array_equal(arrays.add_relu(a, b), np.where(total <= 0, 0, total))
        np.testing.assert_array_equal(arrays.gate(a, b), np.where(a <= 0, 0, b))
    for call in (arrays.add, arrays.add_relu, arrays.matched):
        with pytest.raises(ValueError, match=rf"wanted equal shapes to add, got \({size}, 1\) and"):
            call(a, b[:, 0])


@pytest.mark.usefixtures("dirty_memory")
def test_every_pair_of_odd_numbers_is_added_at_every_lane():
    pairs = np.array(list(itertools.product(ODD, ODD)), np.float32)
    for lane in range(16):
        a, b = np.zeros((2, lane + len(pairs)), np.float32)
        a[lane:], b[lane:] = pairs.T
        with np.errstate(all="ignore"):
            total = a + b
        np.testing.assert_array_equal(arrays.add_relu(a, b), np.where(total <= 0, 0, total))
        np.testing.assert_array_equal(arrays.add(a, b), total)


def test_channels_are_copied_between_any_two_arrays():
    source = np.arange(2 * 3 * 2 * 5, dtype=np.float32).reshape(2, 3, 2, 5)
    target = np.full((2, 3, 2, 9), -1, np.float32)
    arrays.copy_channels(source, 1, target, 6, 3)
    wanted = np.full_like(target, -1)
    wanted[..., 6:9] = source[..., 1:4]
    np.testing.assert_array_equal(target, wanted)


# -- linear layers: which way is chosen, and that it is right on both sides of each threshold ---------------
@pytest.mark.parametrize("features", [1, 7, 8, 9, 12, 16, 31, 32, 33, 40])
@pytest.mark.parametrize("outputs", [1, 8, 31, 32, 33])
@pytest.mark.usefixtures("dirty_memory")
def test_linear_layers_around_the_thresholds(features, outputs):
    layer = cynet.Linear(features, outputs)
    assert layer.thin() == ThinLinear.suits(features, outputs) == (features % 8 == 0 and outputs <= 32)
    rng = np.random.default_rng(0)
    for rows in (1, 2, 5):
        x, dy = (rng.standard_normal((rows, n), dtype=np.float32) for n in (features, outputs))
        w, b = rng.standard_normal(layer.weight.shape), rng.standard_normal(outputs)
        layer.weight.data, layer.bias.data = w, b
        layer.weight.grad[:], layer.bias.grad[:] = 1, 2
        y, backward = reference_weights.linear(x.astype(float), w, b)
        dx, dw, db = backward(dy.astype(float))
        for passes in (1, 2):
            np.testing.assert_allclose(layer(x), y, atol=1e-4)
            np.testing.assert_allclose(layer.backward(dy), dx, atol=1e-4)
            np.testing.assert_allclose(layer.weight.grad - 1, passes * dw, atol=1e-4)
            np.testing.assert_allclose(layer.bias.grad - 2, passes * db, atol=1e-4)
        with cynet.no_grad():
            np.testing.assert_allclose(cynet.Sequential(layer).eval()(x), y, atol=1e-4)
    assert layer.macs((7, features)) == 7 * features * outputs


# -- batch norm's pieces -------------------------------------------------------------------------------------
@pytest.mark.parametrize("channels", [1, 7, 8, 16, 33, 4096, 5000])
def test_work_items_are_whole_runs_and_not_too_many(channels):
    for rows in (1, 2, 31, 32, 33, 2047, 2048, 2049, 100_000):
        each = normalization.chunk_rows(rows, channels)
        assert each % normalization.table.RUN == 0 and each * channels >= 4096
        assert -(-rows // each) <= normalization.CHUNKS


@pytest.mark.usefixtures("dirty_memory")
@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 63, 64, 65, 511, 512, 513, 1100])
@pytest.mark.parametrize("channels", [1, 3, 8, 15, 16, 17])
def test_statistics_and_sums_of_rows_at_every_end_of_a_chunk(rows, channels):
    x, dy = np.random.default_rng(rows).standard_normal((2, rows, channels), dtype=np.float32) + 3
    wide, wide_dy = x.astype(float), dy.astype(float)
    mean, variance = single_steps.statistics(x)
    np.testing.assert_allclose(mean, wide.mean(0), rtol=1e-7)
    np.testing.assert_allclose(variance, wide.var(0), rtol=1e-5, atol=1e-9)
    sums = single_steps.gradient_sums(x, dy, mean)
    np.testing.assert_allclose(sums[0], wide_dy.sum(0), rtol=1e-6)
    np.testing.assert_allclose(sums[1], (wide_dy * (wide - mean)).sum(0), rtol=1e-4, atol=1e-4 * rows**0.5)
    out = np.ones(channels, np.float32)
    normalization.add_channel_sums(x, out)
    np.testing.assert_allclose(out, 1 + wide.sum(0), rtol=1e-5)
    scale, shift = np.arange(1.0, channels + 1), np.arange(channels) - 2.0
    np.testing.assert_allclose(single_steps.normalize(x, mean, scale, shift), (wide - mean) * scale + shift,
                               rtol=1e-4, atol=1e-4)  # fmt: skip
    got = single_steps.input_gradient(x, dy, mean, scale, shift, 0.5)
    np.testing.assert_allclose(got, scale * dy + shift * (wide - mean) + 0.5, rtol=1e-4, atol=1e-4)


# -- PNG -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3, 3), (1, 300), (300, 1, 3)])
def test_a_png_is_read_back_by_another_program(shape):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    address = png.address(pixels)
    assert address.startswith("data:image/png;base64,")
    for data in (png.encode(pixels), base64.b64decode(address.partition(",")[2])):
        picture = image.open(io.BytesIO(data))
        picture.load()
        assert picture.mode == ("RGB" if len(shape) == 3 else "L")
        np.testing.assert_array_equal(np.asarray(picture), pixels)
        facts = shape[1], shape[0], 8, 2 if len(shape) == 3 else 0, 0, 0, 0  # the only ones that there are
        assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">IIBBBBB", data[16:29]) == facts


@pytest.mark.parametrize("pixels", [
    np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((2, 2, 1), np.uint8),
    np.zeros((1, 2, 2, 3), np.uint8),
])  # fmt: skip
def test_no_picture(pixels):
    with pytest.raises(ValueError, match="pixels: wanted uint8"):
        png.encode(pixels)


@pytest.mark.parametrize(
    "shape", [(0,), (7,), (1_100_000,), (3, 7), (7000, 151), (1, 900, 1251), (2, 150, 501, 7), (0, 9, 9, 3)]
)
@pytest.mark.usefixtures("dirty_memory")
def test_copies_of_every_size_are_their_own(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for given in (x, x.astype(np.float64), x.swapaxes(0, -1)):
        for count in (1, 3):
            threads.set_num_threads(count)
            y = arrays.copied(given)
            assert y.dtype == given.dtype and not np.shares_memory(y, given)
            np.testing.assert_array_equal(y, given)
