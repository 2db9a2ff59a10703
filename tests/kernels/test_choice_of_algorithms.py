"""Which algorithm convolves, on both sides of every limit, and into how many pieces its work is cut."""

import numpy as np
import pytest
from helpers import frozen

from cynet.core import threads
from cynet.kernels.conv import convolution, pointwise_loops, winograd_loops
from cynet.kernels.conv.depthwise import DepthwiseConvolution
from cynet.kernels.conv.pointwise import PointwiseConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.products import Products
from cynet.kernels.conv.thin import ThinConvolution
from cynet.kernels.conv.tiled import TiledConvolution
from cynet.kernels.conv.winograd import WinogradConvolution
from cynet.kernels.linear import linear
from cynet.kernels.linear.thin_linear import ThinLinear
from cynet.kernels.norm import group_norm, layer_norm, normalization
from cynet.kernels.norm.sample_normalization import GroupNormPass, LayerNormPass
from cynet.kernels.recurrent.recurrence import Embedded, GRUPass, Inputs, LSTMPass

pytestmark = pytest.mark.kernels

NONE = np.empty(0, np.float32)


def of(shape, outputs, kernel=3, stride=1, padding=None, groups=1, dilation=1, border="zeros"):
    """A problem; its padding keeps the size of an image, where the stride is 1."""
    kernel, stride, dilation = ((n, n) if isinstance(n, int) else n for n in (kernel, stride, dilation))
    sides = "same" if padding is None else (padding,) * 4
    return Problem.of(shape, outputs, kernel, stride, sides, groups, dilation, border)


CHOICES = [
    # one filter a channel, of which there are several, whose taps are neighbours
    (of((1, 8, 8, 2), 2, groups=2), "Depthwise"), (of((1, 8, 8, 1), 1), "Tiled"),
    (of((1, 8, 8, 4), 8, groups=4), "Tiled"), (of((1, 8, 8, 4), 4, groups=2), "Tiled"),
    (of((1, 9, 9, 4), 4, groups=4, dilation=(1, 2)), "Tiled"),
    (of((1, 8, 8, 16), 16, 5, 2, groups=16), "Depthwise"),
    # 3x3 by eights, of outputs that fill half of their tiles of 4x4 at least
    (of((1, 8, 8, 8), 8), "Winograd"), (of((1, 2, 4, 8), 8), "Winograd"), (of((1, 2, 3, 8), 8), "Tiled"),
    (of((1, 5, 5, 8), 8), "Tiled"), (of((1, 6, 6, 8), 8), "Winograd"), (of((1, 4, 5, 8), 8), "Winograd"),
    (of((1, 8, 8, 8), 8, dilation=2), "Tiled"), (of((1, 8, 8, 8), 8, (3, 5)), "Tiled"),
    (of((1, 8, 8, 8), 8, 3, (1, 2)), "Tiled"), (of((1, 8, 8, 16), 16, groups=2), "Tiled"),
    # of more than 64 pixels where there are 256 x 256 filters
    (of((1, 8, 8, 256), 256), "Tiled"), (of((1, 5, 13, 256), 256), "Winograd"),
    (of((2, 8, 8, 256), 256), "Winograd"), (of((1, 8, 8, 256), 248), "Winograd"),
    # up to four channels, eights of outputs, eight and more side by side, at most 256 entries a filter
    (of((1, 8, 8, 4), 8), "Thin"), (of((1, 8, 7, 4), 8), "Tiled"), (of((1, 8, 8, 5), 8), "Tiled"),
    (of((1, 20, 20, 4), 8, 8), "Thin"), (of((1, 20, 20, 4), 8, (8, 9)), "Tiled"),
    (of((1, 20, 20, 4), 32, (8, 9)), "Raised"), (of((1, 8, 8, 4), 12), "Tiled"),
    (of((1, 64, 64, 1), 8), "Thin"), (of((1, 64, 65, 1), 8), "Tiled"), (of((1, 64, 65, 1), 16), "Raised"),
    (of((1, 128, 128, 1), 8, 3, 2), "Thin"), (of((1, 9, 9, 2), 8, dilation=2), "Tiled"),
    (of((1, 8, 8, 4), 8, groups=2), "Tiled"),
    # by Winograd's way in pieces, where a model says so: two taps a side at least, no strides beyond
    (of((16, 8, 8, 30), 30), "Piecewise"), (of((1, 8, 8, 30), 30), "Piecewise"),
    (of((16, 5, 5, 30), 30), "Tiled"), (of((16, 8, 8, 9), 10), "Tiled"),
    (of((16, 8, 8, 30), 30, 5), "Piecewise"), (of((16, 16, 16, 64), 64, 2), "Piecewise"),
    (of((16, 16, 16, 64), 64, (1, 3)), "Tiled"), (of((16, 24, 24, 64), 64, 3, (1, 4)), "Tiled"),
    (of((16, 24, 24, 64), 64, 4, (1, 2)), "Piecewise"), (of((16, 24, 24, 64), 64, 5, groups=2), "Tiled"),
    (of((16, 24, 24, 64), 64, 5, dilation=2), "Tiled"), (of((16, 24, 24, 4), 63, 5), "Raised"),
    (of((16, 24, 24, 64), 64, 5, border="reflect"), "Bordered"), (of((16, 24, 24, 64), 3, 5), "Few"),
    # to three channels at most, from nine, or by one tap; of 48 columns and 12 in a row of taps
    (of((1, 9, 9, 9), 3), "Few"), (of((1, 9, 9, 8), 3), "Tiled"), (of((1, 9, 9, 9), 4), "Tiled"),
    (of((1, 9, 9, 12), 1, 2), "Few"), (of((1, 9, 9, 11), 1, 2), "Tiled"),
    (of((1, 9, 9, 12), 2, (6, 1)), "Few"), (of((1, 9, 9, 11), 2, (6, 1)), "Tiled"),
    (of((1, 9, 9, 48), 1, 1), "Few"), (of((1, 9, 9, 47), 1, 1), "Tiled"),
    (of((1, 9, 9, 9), 2, (4, 2), dilation=(2, 1)), "Few"),
    (of((1, 9, 9, 9), 2, (4, 2), dilation=(1, 2)), "Tiled"), (of((1, 9, 9, 12), 2, 3, groups=2), "Tiled"),
    # one pixel each, of 128 KB of images and gradients
    (of((1, 32, 32, 16), 16, 1), "Pointwise"), (of((1, 32, 32, 16), 15, 1), "Tiled"),
    (of((4, 16, 16, 12), 20, 1), "Pointwise"), (of((1, 32, 32, 16), 16, 1, 2), "Tiled"),
    (of((1, 32, 32, 16), 16, 1, padding=1), "Tiled"), (of((1, 32, 32, 16), 16, 1, groups=2), "Tiled"),
    (of((1, 32, 32, 16), 16, (1, 2)), "Tiled"),
    # borders
    (of((1, 9, 9, 8), 8, border="reflect"), "Bordered"), (of((1, 9, 9, 8), 8, border="circular"), "Bordered"),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "wanted"), CHOICES)
@pytest.mark.usefixtures("without_planes")
def test_what_convolves(problem, wanted):
    assert type(convolution.choose(problem)).__name__ == f"{wanted}Convolution"


@pytest.mark.parametrize(("features", "outputs", "wanted"), [
    (8, 32, ThinLinear), (8, 33, linear.WideLinear), (9, 32, linear.WideLinear), (4096, 1, ThinLinear),
    (4, 3, linear.WideLinear),
])  # fmt: skip
def test_what_multiplies_rows(features, outputs, wanted):
    assert type(linear.choose(3, features, outputs)) is wanted


@pytest.mark.parametrize(("problem", "chunks", "splits"), [
    (of((1, 8, 8, 16), 12), 1, 9),  # 144 columns, 16 of which are worth a split
    (of((1, 8, 8, 15), 12), 1, 8), (of((1, 8, 8, 1), 12, 1), 1, 1), (of((1, 8, 8, 64), 12), 1, 16),
    (of((1, 8, 8, 64), 12, groups=2), 1, 8), (of((1, 8, 8, 64), 12, groups=4), 1, 4),
    (of((2, 16, 16, 12), 12), 2, 6), (of((2, 16, 15, 12), 12), 1, 6), (of((64, 32, 32, 12), 12), 16, 1),
])  # fmt: skip
def test_into_how_many_pieces_a_weight_gradient_is_cut(problem, chunks, splits):
    way = TiledConvolution(problem)
    assert (way.chunks, way.splits) == (chunks, splits)


@pytest.mark.parametrize(
    ("batch", "height", "chunks"), [(1, 4, 1), (1, 5, 2), (2, 8, 4), (16, 4, 16), (9, 90, 16)]
)
def test_rows_of_windows_that_make_a_partial_gradient(batch, height, chunks):
    assert DepthwiseConvolution(of((batch, height, 7, 6), 6, groups=6)).chunks == chunks


@pytest.mark.parametrize(("batch", "chunks"), [(0, 1), (1, 1), (2, 1), (5, 2), (31, 15), (33, 16), (90, 16)])
def test_images_of_few_channels_that_make_a_partial_gradient(batch, chunks):
    assert ThinConvolution(of((batch, 8, 8, 3), 8)).chunks == chunks


@pytest.mark.parametrize(("batch", "channels", "outputs", "part", "chunks"), [
    (1, 8, 8, (8, 8), 1), (1, 64, 64, (32, 64), 1), (64, 64, 64, (64, 64), 4), (64, 128, 64, (64, 64), 4),
    (32, 72, 8, (40, 8), 2), (64, 512, 512, (64, 64), 1), (1, 40, 104, (24, 56), 1),
])  # fmt: skip
def test_channels_of_a_work_item_of_winograds_weight_gradient(batch, channels, outputs, part, chunks):
    way = WinogradConvolution(of((batch, 8, 8, channels), outputs))
    assert (way.part, way.chunks) == (part, chunks)


def test_slow_multiply_adds_count_for_more_of_those_that_tell_how_many_threads_there_are():
    deep, tiled = of((2, 9, 9, 6), 6, groups=6), of((2, 9, 9, 10), 8)
    assert convolution.choose(deep).work == 4 * deep.macs == 4 * 2 * 9 * 9 * 6 * 9
    assert TiledConvolution(tiled).work == tiled.macs == 2 * 9 * 9 * 8 * 90
    assert linear.choose(5, 16, 3).work == 16 * 5 * 16 * 3


@pytest.mark.parametrize(
    ("outputs", "groups", "lanes"), [(1, 1, 8), (4, 1, 8), (8, 1, 8), (9, 1, 16), (24, 4, 32)]
)
def test_lanes_of_a_register_that_are_left_empty_count_as_multiply_adds(outputs, groups, lanes):
    problem = of((2, 9, 9, 8), outputs, 1, padding=0, groups=groups)
    assert TiledConvolution(problem).work == 2 * 9 * 9 * 8 // groups * lanes


@pytest.mark.parametrize(("rows", "channels", "each"), [
    (1, 8, 512), (100_000, 8, 1568), (100, 4096, 32), (7, 1, 4096), (10**6, 1, 15648), (1024, 10**6, 32),
    (2049, 10**6, 64), (1024 * 64, 256, 1024),
])  # fmt: skip
def test_rows_of_a_work_item_of_batch_norm(rows, channels, each):
    """At least 4,096 numbers and a 64th of the rows, in runs of 32."""
    assert normalization.chunk_rows(rows, channels) == each
    assert normalization.cut(rows, channels)[:2] == (each, max(1, -(-rows // each)))


def test_both_gradients_of_a_pointwise_convolution_are_made_in_one_walk(monkeypatch):
    problem = of((8, 32, 32, 16), 16, 1)
    way, rng = convolution.choose(problem), np.random.default_rng(0)
    assert type(way) is PointwiseConvolution
    shapes = problem.in_shape, problem.out_shape, problem.weight_shape
    x, dy, w = (frozen(rng.standard_normal(shape)) for shape in shapes)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(1)
        dx, alone = way.input_gradient(dy, w), np.zeros_like(w)
        way.weight_gradient(x, dy, alone)
        np.testing.assert_array_equal(way.gradients(x, dy, w, None), dx)
        once = np.zeros_like(w)
        assert way.gradients(x, dy, w, once, wants_dx=False) is None
        np.testing.assert_array_equal(once, alone)
        calls = []
        kernel = pointwise_loops.gradients
        monkeypatch.setattr(pointwise_loops, "gradients", lambda *a: calls.append(kernel(*a)))
        monkeypatch.setattr(Products, "input_gradient", None)
        together = np.zeros_like(w)
        np.testing.assert_array_equal(way.gradients(x, dy, w, together), dx)
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_allclose(way.gradients(x, dy, w, together, added=x), dx + x, atol=1e-6)
        assert len(calls) == 2
    finally:
        threads.set_num_threads(before)


@pytest.mark.parametrize(("shape", "each", "chunks"), [
    ((2, 5, 8), 2048, 1), ((2, 2048, 8), 2048, 1), ((2, 2049, 8), 2048, 2), ((1, 33, 4096), 32, 2),
])  # fmt: skip
def test_pixels_of_a_work_item_of_group_norm(shape, each, chunks):
    found = GroupNormPass(np.zeros(shape, np.float32), 1, NONE, NONE, 1e-5)
    assert (found.each, found.chunks) == (each, chunks)


@pytest.mark.parametrize(("width", "each"), [(1, 16384), (16384, 1), (16385, 1), (5000, 3)])
def test_rows_of_a_work_item_of_layer_norm(width, each):
    assert LayerNormPass(np.zeros((1, width), np.float32), NONE, NONE, 1e-5).each == each


@pytest.fixture
def four_threads():
    before = threads.get_num_threads()
    threads.set_num_threads(4)
    if threads.get_num_threads() < 4:
        pytest.skip("a build without OpenMP")
    yield
    threads.set_num_threads(before)


class Told(Products):
    """Products that compute nothing and tell how many threads each was given."""

    def __init__(self, work):
        super().__init__((2, 3), (2, 4), (4, 3), work)
        self.told = []

    def _forward(self, x, w, bias, y, threads):
        self.told.append(("forward", threads))

    def _input_gradient(self, dy, w, dx, threads, added):
        self.told.append(("input", threads))

    def _weight_gradient(self, x, dy, dw, threads):
        self.told.append(("weight", threads))


@pytest.mark.parametrize(("work", "wanted"), [(2**20 - 1, 1), (2**20, 4)])
def test_products_of_a_million_multiply_adds_have_all_threads(four_threads, work, wanted):
    way = Told(work)
    x, dy, w = (np.zeros(shape, np.float32) for shape in (way.in_shape, way.out_shape, way.weight_shape))
    way.forward(x, w)
    way.input_gradient(dy, w)
    way.weight_gradient(x, dy, w)
    assert way.told == [("forward", wanted), ("input", wanted), ("weight", wanted)]


def test_normalisation_has_as_many_threads_as_there_are_pieces(four_threads):
    def of_rows(rows):
        return normalization.NormPass(np.zeros((rows, 8), np.float32), None, None)

    assert [of_rows(rows).threads for rows in (0, 512, 513, 1537, 9999)] == [1, 1, 2, 4, 4]
    group = [
        GroupNormPass(np.zeros((n, 2048, 8), np.float32), 1, NONE, NONE, 1e-5).threads for n in (1, 7, 8, 9)
    ]
    assert group == [1, 1, 4, 4]  # by eight operations a number
    one = GroupNormPass(np.zeros((1, 3 * 2048, 64), np.float32), 1, NONE, NONE, 1e-5)
    assert (one.chunks, one.threads) == (24, 4)
    layer = LayerNormPass(np.zeros((16, 8192), np.float32), NONE, NONE, 1e-5)
    assert [layer.threads(items) for items in (0, 1, 3, 8)] == [1, 1, 3, 4]
    small = LayerNormPass(np.zeros((15, 8192), np.float32), NONE, NONE, 1e-5)
    assert small.threads(8) == 1


@pytest.mark.parametrize("stride", [1, 2])
def test_a_pass_has_tiles_for_every_thread_where_there_are_pixels_enough(stride):
    way = TiledConvolution(of((1, 64, 64, 12), 12, stride=stride))
    assert way.forward_pass.tiles >= 32
    passes, gaps = way.input_passes
    assert len(passes) == stride**2 and not gaps
    assert all(found.tiles >= 32 for found, *_ in passes)


def test_products_of_columns_are_worked_out_once():
    problem = of((3, 12, 12, 2), 19)
    way, rng = convolution.choose(problem), np.random.default_rng(0)
    dy, w = (frozen(rng.standard_normal(shape)) for shape in (problem.out_shape, problem.weight_shape))
    way.input_gradient(dy, w)
    before = dict(way._products)
    way.input_gradient(dy, w)
    assert before and way._products.keys() == before.keys()
    assert all(way._products[pixels] is product for pixels, product in before.items())


@pytest.mark.parametrize(("kind", "gates", "hidden", "wanted"), [
    (GRUPass, 3, 104, 1), (GRUPass, 3, 105, 4), (LSTMPass, 4, 90, 1), (LSTMPass, 4, 91, 4),
])  # fmt: skip
def test_units_of_a_million_multiply_adds_have_all_threads(four_threads, kind, gates, hidden, wanted):
    shapes = (gates * hidden, 3), (gates * hidden, hidden), gates * hidden, gates * hidden
    weights, start = [np.zeros(shape, np.float32) for shape in shapes], np.zeros((4, hidden), np.float32)
    found = kind(Inputs(np.zeros((4, 8, 3), np.float32)), weights, (start,) * (gates - 2))
    assert found._threads() == wanted and (4 * 8 * hidden**2 * gates >= 2**20) == (wanted == 4)


@pytest.mark.parametrize(("count", "small"), [(5, True), (6, False)])
def test_a_table_of_half_as_many_rows_as_there_are_numbers_is_multiplied_as_a_whole(count, small):
    numbers = np.arange(10) % count
    rng = np.random.default_rng(0)
    table, weight = (frozen(rng.standard_normal((n, 3))) for n in (count, 4))
    found, out = Embedded(numbers, (2, 5), table), np.zeros((10, 4), np.float32)
    assert found.small == small
    found.multiply(weight, out)
    np.testing.assert_allclose(out, table[numbers] @ weight.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("shape", "outputs", "part"), [
    ((1, 16, 16, 128), 32, winograd_loops.WIDTH), ((1, 16, 16, 120), 32, 0), ((1, 16, 17, 128), 32, 0),
    ((2, 16, 16, 128), 32, 0),
    ((2, 8, 8, 512), 512, 32), ((1, 9, 9, 64), 64, winograd_loops.WIDTH),
    ((1, 9, 9, 64), 56, 0),
])  # fmt: skip
def test_winograds_work_is_cut_by_lanes_where_there_are_more_filters_than_inputs(shape, outputs, part):
    """4,096 and more of them, and as many lanes as twice the tiles of 4x4."""
    assert WinogradConvolution(of(shape, outputs)).forward_pass.part == part


def test_sums_that_nobody_wants_are_not_taken(monkeypatch):
    x, dy = (frozen(np.random.default_rng(seed).standard_normal((2, 5, 4))) for seed in (0, 1))
    group, layer = GroupNormPass(x, 2, NONE, NONE, 1e-5), LayerNormPass(x.reshape(-1, 4), NONE, NONE, 1e-5)
    layer.output()
    wanted = layer.gradients(dy.reshape(-1, 4), NONE, NONE, True)
    monkeypatch.setattr(group_norm, "gradient_sums", None)
    monkeypatch.setattr(layer_norm, "column_sums", None)
    assert group.gradients(dy, NONE, NONE, False) is None
    np.testing.assert_array_equal(layer.gradients(dy.reshape(-1, 4), NONE, NONE, True), wanted)
