"""Which algorithm is chosen for which problem; Winograd's and that of few channels against the twin."""

import numpy as np
import pytest
import reference_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from test_conv import products

from cynet.core import threads
from cynet.kernels.conv import convolution, winograd_loops
from cynet.kernels.conv.depthwise import DepthwiseConvolution
from cynet.kernels.conv.piecewise import PiecewiseConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.raised import RaisedConvolution
from cynet.kernels.conv.thin import ThinConvolution
from cynet.kernels.conv.tiled import TiledConvolution
from cynet.kernels.conv.winograd import WinogradConvolution

W, T = WinogradConvolution, ThinConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes")]


def drawn(seed, shape, w_shape, padding, stride=(1, 1)):
    """x, w, b, dy, the problem, stride and padding."""
    rng = np.random.default_rng(seed)
    problem = Problem.of(shape, w_shape[0], w_shape[2:], stride, padding)
    arrays = [rng.standard_normal(s) for s in (shape, w_shape, w_shape[0], problem.out_shape)]
    return [a.astype(np.float32) for a in arrays], problem, stride, padding


@st.composite
def winograd_cases(draw):
    inputs, outputs = (8 * draw(st.integers(1, 11)) for _ in range(2))
    padding = tuple(draw(st.integers(0, 4)) for _ in range(4))
    height, width = draw(st.integers(3, 14)), draw(st.integers(3, 14))
    shape = draw(st.integers(0, 4)), height, width, inputs
    return drawn(draw(st.integers(0, 2**32)), shape, (outputs, inputs, 3, 3), padding)


@st.composite
def thin_cases(draw):
    inputs, outputs = draw(st.integers(1, 4)), 8 * draw(st.integers(1, 5))
    kernel, stride = (tuple(draw(st.integers(1, n)) for _ in range(2)) for n in (5, 3))
    padding = tuple(draw(st.integers(0, 6)) for _ in range(4))
    height, width = draw(st.integers(5, 12)), draw(st.integers(8 * stride[1] + 4, 40))
    shape = draw(st.integers(0, 4)), height, width, inputs
    return drawn(draw(st.integers(0, 2**32)), shape, (outputs, inputs, *kernel), padding, stride)


def check(kind, case, error):
    (x, w, b, dy), problem, stride, padding = case
    y, dx, dw = products(kind(problem), x, w, b, dy)
    wanted, backward = reference_weights.conv2d(*(a.astype(float) for a in (x, w, b)), stride, padding, 1)
    wanted_dx, wanted_dw, _ = backward(dy.astype(float))
    taps = w.shape[2] * w.shape[3]
    for got, want, terms in (
        (y, wanted, w.shape[1] * taps),
        (dx, wanted_dx, w.shape[0] * taps),
        (dw, wanted_dw, max(1, dy[..., 0].size)),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=error * np.sqrt(terms))


@settings(max_examples=200)
@given(winograd_cases())
def test_winograd(case):
    check(WinogradConvolution, case, 1e-4)


@settings(max_examples=60)
@given(winograd_cases(), st.sampled_from([0, 1, 3]), st.integers(1, 3))
def test_winograd_by_tiles_and_by_lanes_gives_the_same_bytes(case, parts, count):
    """Of given filters and of those that are transformed in time; with a sum and a ReLU."""
    (x, w, b, _), problem, *_ = case
    algorithm, y = WinogradConvolution(problem), np.empty(problem.out_shape, np.float32)
    residual = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    packed, cut, found = algorithm.pack(w), algorithm.kept_pass.tiles, []
    lanes = parts * winograd_loops.WIDTH
    for part, fresh in ((0, False), (lanes, False), (lanes, True)):
        g = winograd_loops.Sharing(cut, x.shape[3], w.shape[0], part, fresh and part > 0)
        scratch = np.full(g.scratch_floats(count), np.nan, np.float32)
        filters = winograd_loops.Filters(cut, w, False)
        winograd_loops.convolve(g, x, packed, filters, b, y, scratch, True, residual, count)
        found.append(y.tobytes())
        y.fill(np.nan)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("n, side, inputs, outputs", [(3, 7, 64, 128), (1, 7, 136, 72), (20, 4, 64, 72)])
def test_winograd_where_filters_are_more_than_inputs(n, side, inputs, outputs):
    case = drawn(0, (n, side, side, inputs), (outputs, inputs, 3, 3), (1, 1, 1, 1))
    algorithm = WinogradConvolution(case[1])
    assert algorithm.forward_pass.fresh and algorithm.kept_pass.part and not algorithm.kept_pass.fresh
    assert algorithm.chunks == 1
    check(WinogradConvolution, case, 1e-4)
    (x, w, b, _), problem, *_ = case
    y, kept = algorithm.forward(x, w, b), np.full(problem.out_shape, np.nan, np.float32)
    scratch = np.full(algorithm.scratch_floats(2), np.nan, np.float32)
    algorithm.apply(x, algorithm.pack(w), b, kept, scratch, 2)
    assert np.array_equal(kept, y)


@settings(max_examples=200)
@given(thin_cases())
def test_few_channels(case):
    check(ThinConvolution, case, 1e-5)


@pytest.mark.parametrize("n, side, inputs, outputs", [(40, 16, 16, 8), (9, 33, 8, 24), (3, 30, 128, 72)])
def test_winograd_over_many_blocks(n, side, inputs, outputs):
    case = drawn(0, (n, side, side, inputs), (outputs, inputs, 3, 3), (1, 1, 1, 1))
    algorithm = WinogradConvolution(case[1])
    assert algorithm.chunks > 1 or algorithm.part != (inputs, outputs)
    check(WinogradConvolution, case, 1e-4)


@pytest.mark.parametrize(
    "shape, out_hw, outputs, kernel, stride, groups, wanted",
    [
        ((1, 32, 32, 16), (32, 32), 16, (3, 3), (1, 1), 1, WinogradConvolution),
        ((1, 4, 4, 16), (4, 4), 32, (3, 3), (1, 1), 1, WinogradConvolution),
        ((1, 2, 2, 16), (2, 2), 32, (3, 3), (1, 1), 1, TiledConvolution),  # tiles three quarters empty
        ((1, 32, 32, 16), (16, 16), 16, (3, 3), (2, 2), 1, TiledConvolution),
        ((1, 32, 32, 16), (32, 32), 16, (3, 3), (1, 1), 2, TiledConvolution),
        ((1, 32, 32, 6), (32, 32), 12, (3, 3), (1, 1), 1, TiledConvolution),  # of few channels
        ((16, 8, 8, 30), (8, 8), 30, (3, 3), (1, 1), 1, PiecewiseConvolution),
        ((16, 8, 8, 32), (8, 8), 30, (3, 3), (1, 1), 1, PiecewiseConvolution),
        ((1, 8, 8, 28), (8, 8), 30, (3, 3), (1, 1), 1, PiecewiseConvolution),
        ((1, 8, 8, 9), (8, 8), 10, (3, 3), (1, 1), 1, TiledConvolution),
        ((1, 8, 8, 60), (8, 8), 60, (3, 3), (1, 1), 2, TiledConvolution),
        ((1, 8, 8, 30), (4, 4), 30, (3, 3), (2, 2), 1, TiledConvolution),
        ((1, 32, 32, 16), (32, 32), 12, (3, 3), (1, 1), 1, PiecewiseConvolution),
        ((1, 32, 32, 16), (30, 30), 16, (5, 5), (1, 1), 1, PiecewiseConvolution),
        ((1, 32, 32, 16), (32, 32), 16, (3, 3), (1, 1), 16, DepthwiseConvolution),
        ((1, 32, 32, 3), (32, 32), 8, (3, 3), (1, 1), 1, ThinConvolution),
        ((1, 32, 32, 3), (16, 16), 16, (7, 7), (2, 2), 1, ThinConvolution),
        ((1, 32, 32, 3), (32, 32), 30, (3, 3), (1, 1), 1, RaisedConvolution),
        ((1, 32, 32, 3), (32, 32), 10, (3, 3), (1, 1), 1, TiledConvolution),
        ((1, 4, 4, 3), (4, 4), 8, (3, 3), (1, 1), 1, TiledConvolution),
        ((1, 224, 224, 3), (224, 224), 8, (3, 3), (1, 1), 1, TiledConvolution),
    ],
)
@pytest.mark.usefixtures("without_planes")
def test_the_algorithm_is_chosen_by_shape(shape, out_hw, outputs, kernel, stride, groups, wanted):
    problem = Problem(shape, (shape[0], *out_hw, outputs), kernel, stride, (1, 1), groups)
    assert type(convolution.choose(problem)) is wanted


OF_THREADS = [(T, s, n, m) for s in ((7, 18, 21),) for n, m in ((3, 16), (1, 8), (1, 16), (3, 24))]
OF_THREADS += [
    (W, (7, 18, 21), 16, 16),
    (W, (7, 18, 21), 72, 40),
    (W, (3, 7, 7), 72, 136),
    (W, (9, 20, 20), 64, 64),
]
OF_THREADS += [(PiecewiseConvolution, (7, 18, 21), 30, 30), (RaisedConvolution, (5, 40, 7), 2, 19)]


@pytest.mark.parametrize("kind, shape, inputs, outputs", OF_THREADS)
def test_same_bytes_for_any_number_of_threads(kind, shape, inputs, outputs):
    (x, w, b, dy), problem, _, _ = drawn(0, (*shape, inputs), (outputs, inputs, 3, 3), (1, 1, 1, 1))
    results = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        algorithm = convolution.choose(problem)
        assert type(algorithm) is kind
        results.append([a.tobytes() for a in products(algorithm, x, w, b, dy)])
    assert all(r == results[0] for r in results)


@settings(max_examples=100)
@given(thin_cases(), st.sampled_from([(1, 1), (1, 2), (2, None), (3, None)]))
def test_input_gradients_by_columns(case, at_once):
    """Of some images or rows at a time, and of any shape, also where it is not chosen."""
    (_, w, _, dy), problem, stride, padding = case
    way, dx = RaisedConvolution(problem), np.full(problem.in_shape, np.nan, np.float32)
    way.images, way.rows = at_once[0], at_once[1] or way.rows
    way._input_gradient(dy, w, dx, 2, None)
    x = np.zeros(problem.in_shape)
    _, backward = reference_weights.conv2d(x, w.astype(float), np.zeros(len(w)), stride, padding, 1)
    error = 1e-5 * np.sqrt(len(w) * w.shape[2] * w.shape[3])
    np.testing.assert_allclose(dx, backward(dy.astype(float))[0], rtol=0, atol=error)


@pytest.mark.parametrize("shape, images, rows", [
    ((200, 28, 28, 1), 2**21 // (28 * 28 * 9), 28), ((8, 512, 512, 3), 1, 2**21 // (512 * 27)),
    ((0, 5, 5, 3), 2**21 // (5 * 5 * 27), 5), ((2, 3, 2**20, 1), 1, 1),
])  # fmt: skip
def test_columns_of_two_million_numbers_are_made_at_once(shape, images, rows):
    way = RaisedConvolution(Problem.of(shape, 32, (3, 3), (1, 1), (1, 1, 1, 1)))
    assert (way.images, way.rows) == (images, rows)


@pytest.mark.parametrize("problem, wanted", [
    (Problem.of((2, 9, 9, 3), 24, (3, 3), (2, 2), (1, 1, 1, 1)), True),
    (Problem.of((2, 9, 9, 3), 23, (3, 3), (2, 2), (1, 1, 1, 1)), False),
    (Problem.of((2, 9, 9, 1), 16, (3, 3), (2, 2), (1, 1, 1, 1)), True),
    (Problem.of((2, 9, 9, 1), 15, (3, 3), (2, 2), (1, 1, 1, 1)), False),
    (Problem.of((2, 9, 9, 5), 64, (3, 3), (1, 1), (1, 1, 1, 1)), False),
    (Problem.of((2, 9, 9, 2), 32, (1, 1), (1, 1), (0, 0, 0, 0)), False),
    (Problem.of((2, 9, 9, 2), 32, (3, 3), (1, 1), (1, 1, 1, 1), 2), False),
    (Problem.of((2, 9, 9, 2), 32, (3, 3), (1, 1), (1, 1, 1, 1), 1, (2, 2)), False),
])  # fmt: skip
def test_where_input_gradients_are_made_by_columns(problem, wanted):
    assert RaisedConvolution.suits(problem) == wanted


@pytest.mark.parametrize("side, inputs, outputs, kernel, stride", [
    (20, 3, 16, 3, 1), (20, 16, 16, 3, 1), (8, 64, 128, 3, 1), (9, 30, 30, 3, 1), (8, 60, 60, 3, 1),
    (9, 2, 30, 3, 1), (12, 32, 40, 5, 1), (20, 40, 24, 4, 2), (9, 16, 9, 7, 1),
])  # fmt: skip
def test_one_image_alone_and_in_a_batch_gives_the_same_bytes(side, inputs, outputs, kernel, stride):
    """Its outputs, and its gradient, which is the output of a transposed convolution."""
    taps, shape, around = (kernel, kernel), (70, side, side, inputs), 4 * (kernel // 2,)
    (x, w, b, dy), problem, _, _ = drawn(0, shape, (outputs, inputs, *taps), around, (stride, stride))
    many = convolution.choose(problem)
    alone = convolution.choose(Problem.of((1, *x.shape[1:]), outputs, taps, (stride, stride), around))
    whole, back = many.forward(x, w, b), many.input_gradient(dy, w)
    if inputs == 64:
        assert alone.forward_pass.part and not many.forward_pass.part
    for i in (0, 33, 69):
        assert np.array_equal(alone.forward(x[i : i + 1], w, b), whole[i : i + 1])
        assert np.array_equal(alone.input_gradient(dy[i : i + 1], w), back[i : i + 1])


@pytest.mark.parametrize("inputs", [3, 16])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_come_through(inputs, bad):
    """Also where the filters are zero; other images stay as they were."""
    (x, w, b, dy), problem, _, _ = drawn(0, (3, 12, 12, inputs), (8, inputs, 3, 3), (1, 1, 1, 1))
    w[:] = 0
    x[1, 5, 6, inputs - 1] = bad
    y, _, dw = products(convolution.choose(problem), x, w, b, dy)
    assert np.isnan(y[1, 4:7, 5:8]).all()
    assert np.array_equal(y[[0, 2]], np.broadcast_to(b, y[[0, 2]].shape))
    assert not np.isfinite(dw[:, inputs - 1]).any()
