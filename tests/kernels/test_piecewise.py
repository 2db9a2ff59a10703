"""Larger windows, strides and odd channels by Winograd's algorithm, in pieces: against the twin; and when."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet.core import threads
from cynet.kernels.conv import convolution, piecewise, winograd_pieces, winograd_tiles
from cynet.kernels.conv.piecewise import PiecewiseConvolution
from cynet.kernels.conv.planes import PlanarConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution
from cynet.kernels.conv.winograd import WinogradConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")]


@st.composite
def problems(draw):
    """(problem, padding): windows of 1 to 8 taps a side, strides up to that, any channels."""
    kernel = tuple(draw(st.integers(1, 8)) for _ in range(2))
    stride = tuple(draw(st.integers(1, min(4, k))) for k in kernel)
    padding = tuple(draw(st.integers(0, 5)) for _ in range(4))
    size = tuple(draw(st.integers(max(1, k - padding[i] - padding[2 + i]), 22)) for i, k in enumerate(kernel))
    channels = st.one_of(st.integers(1, 20), st.integers(21, 70))
    shape = draw(st.integers(0, 3)), *size, draw(channels)
    return Problem.of(shape, draw(channels), kernel, stride, padding), padding


def arrays(problem, seed=0):
    """x, w, bias, dy, residual, added."""
    rng, y = np.random.default_rng(seed), problem.out_shape
    shapes = problem.in_shape, problem.weight_shape, y[3:], y, y, problem.in_shape
    return [frozen(rng.standard_normal(shape)) for shape in shapes]


def near(got, want, terms):
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * max(1, terms) ** 0.5)


@settings(max_examples=150)
@given(problems(), st.integers(0, 2**32))
def test_all_three_products_of_any_window_are_the_twins(case, seed):
    problem, padding = case
    way, (x, w, bias, dy, residual, added) = WinogradConvolution(problem), arrays(problem, seed)
    wanted, backward = reference_weights.conv2d(
        *(a.astype(float) for a in (x, w, bias)), problem.stride, padding, 1
    )
    dx, dw, _ = backward(dy.astype(float))
    near(way.forward(x, w, bias), wanted, w[0].size)
    y, scratch = np.empty(problem.out_shape, np.float32), np.empty(way.scratch_floats(2), np.float32)
    way.apply(x, way.pack(w), way.padded(bias), y, scratch, 2, 1, residual)
    near(y, np.maximum(wanted + residual, 0), w[0].size)
    near(way.input_gradient(dy, w, added), dx + added, len(w) * w[0, 0].size)
    grad = np.ones_like(w)
    way.weight_gradient(x, dy, grad)
    near(grad - 1, dw, dy[..., 0].size)


@settings(max_examples=40)
@given(problems(), st.integers(0, 2**32))
def test_the_bytes_do_not_depend_on_the_threads(case, seed):
    problem, _ = case
    x, w, bias, dy, *_ = arrays(problem, seed)
    found = set()
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        way, dw = WinogradConvolution(problem), np.zeros_like(w)
        way.weight_gradient(x, dy, dw)
        results = way.forward(x, w, bias), way.input_gradient(dy, w), dw
        found.add(tuple(a.tobytes() for a in results))
    assert len(found) == 1


@settings(max_examples=200)
@given(problems())
def test_pieces_hold_each_tap_once(case):
    """And those of the gradient to the inputs, over all phases of the stride, too."""
    problem, _ = case
    (height, width), (down, across) = problem.kernel, problem.stride
    every = list(range(height * width))
    origins, taps = winograd_pieces.forward(problem)
    assert sorted(taps[taps >= 0]) == every
    side = round(taps.shape[1] ** 0.5)
    for (y, x), piece in zip(origins, taps.reshape(-1, side, side), strict=True):
        for (i, j), tap in np.ndenumerate(piece):
            place = y + i * down + problem.before[0], x + j * across + problem.before[1]
            assert tap == -1 or place == divmod(tap, width)
    phases = [winograd_pieces.backward(problem, (v, h))[1] for v in range(down) for h in range(across)]
    assert sorted(tap for taps in phases for tap in taps[taps >= 0]) == every


@pytest.mark.parametrize(("kernel", "stride", "points"), [
    (2, 1, 25), (3, 1, 36), (4, 1, 100), (5, 1, 144), (6, 1, 144), (7, 1, 324),
    (2, 2, 100), (3, 2, 100), (4, 2, 100), (5, 2, 144), (6, 2, 144), (7, 2, 324),
])  # fmt: skip
def test_products_of_a_tile_of_16_outputs(kernel, stride, points):
    """Where a window of 2 to 7 taps has 64 to 784."""
    problem = Problem.of((1, 20, 20, 8), 8, (kernel, kernel), (stride, stride), (0, 0, 0, 0))
    _, taps = winograd_pieces.forward(problem)
    assert len(taps) * (round(taps.shape[1] ** 0.5) + winograd_tiles.SIDE - 1) ** 2 == points


@pytest.mark.parametrize("wrong", [
    (np.zeros((0, 2), np.intp), np.zeros((0, 9), np.intp)),
    (np.zeros((1, 2), np.intp), np.zeros((1, 8), np.intp)),
    (np.zeros((2, 2), np.intp), np.zeros((1, 9), np.intp)),
    (np.zeros((1, 3), np.intp), np.zeros((1, 4), np.intp)),
])  # fmt: skip
def test_tiles_refuse_pieces_of_other_sizes(wrong):
    with pytest.raises(ValueError, match="taps: wanted 9 or 4 of each piece, which has an origin"):
        winograd_tiles.Tiles(1, (4, 4), (4, 4), *wrong, 8)


def of(shape, outputs, kernel, stride=1):
    padding = (kernel - 1) // 2
    return Problem.of(shape, outputs, (kernel, kernel), (stride, stride), 4 * (padding,))


ALL = {"forward", "input", "weight"}
GAINS = [
    (of((8, 53, 53, 409), 43, 6, 2), ALL), (of((4, 38, 38, 111), 248, 4, 2), ALL),
    (of((4, 40, 40, 64), 64, 4), ALL), (of((64, 16, 16, 50), 50, 3), ALL),
    (of((8, 56, 56, 64), 128, 3, 2), {"forward"}), (of((2, 71, 71, 9), 9, 7), set()),
    (of((1, 32, 32, 6), 12, 3), set()), (of((1, 8, 8, 30), 30, 3), {"forward", "input"}),
    (of((128, 32, 32, 16), 32, 3, 2), set()), (of((64, 32, 32, 64), 64, 2, 2), set()),
    (of((8, 56, 56, 64), 64, 1), set()), (of((0, 38, 38, 64), 64, 5), set()),
    (of((1, 7, 7, 512), 512, 5), set()), (of((64, 28, 28, 512), 512, 7), set()),
]  # fmt: skip


# The last two: few pixels and many filters; more than 67 MB of transformed ones.
@pytest.mark.parametrize(("problem", "own"), GAINS)
def test_what_gains_by_it(problem, own):
    way = convolution.choose(problem)
    assert (way.own if isinstance(way, PiecewiseConvolution) else set()) == own


@pytest.mark.parametrize(("kernel", "stride", "wanted"), [
    ((3, 3), (2, 2), True), ((3, 3), (1, 3), False), ((3, 3), (3, 1), False), ((3, 3), (1, 4), False),
    ((2, 2), (1, 1), True), ((1, 3), (1, 1), False), ((3, 1), (1, 1), False),
])  # fmt: skip
def test_strides_as_large_as_the_window_have_pieces_of_one_tap(kernel, stride, wanted, monkeypatch):
    """Which gain nothing, or none at all: they are refused whatever a model says."""
    monkeypatch.setattr(piecewise, "GAIN", 0)
    assert (
        PiecewiseConvolution.suits(Problem.of((16, 24, 24, 64), 64, kernel, stride, (1, 1, 1, 1))) == wanted
    )


def test_products_that_gain_nothing_are_made_the_other_way(monkeypatch):
    """With what that way fuses, filters as it packs them, and to its bytes."""
    for own in (set(), {"forward"}, {"input"}, {"weight"}):
        monkeypatch.setattr(piecewise, "_gains", lambda problem, name, own=own: name in own)
        problem = Problem.of((3, 13, 14, 9), 11, (4, 5), (1, 2), (1, 2, 2, 2))
        way = PiecewiseConvolution(problem)
        mine, other = WinogradConvolution(problem), way.beside
        assert type(other) in (PlanarConvolution, TiledConvolution)
        x, w, bias, dy, _, added = arrays(problem)
        forward, back, weight = (mine if name in own else other for name in ("forward", "input", "weight"))
        assert ("added" in way.fuses) == ("input" in own) and ("residual" in way.fuses) == ("forward" in own)
        assert np.array_equal(way.forward(x, w, bias), forward.forward(x, w, bias))
        assert np.array_equal(way.pack(w), forward.pack(w), equal_nan=True)
        assert way.scratch_floats(3) == forward.scratch_floats(3)
        assert np.array_equal(way.input_gradient(dy, w, added), back.input_gradient(dy, w, added))
        found, wanted = np.zeros_like(w), np.zeros_like(w)
        way.weight_gradient(x, dy, found)
        weight.weight_gradient(x, dy, wanted)
        assert np.array_equal(found, wanted)


def test_a_model_trains_and_evaluates_with_it():
    """Its plan and its layers give the same; a residual sum and a ReLU are joined."""
    block = cynet.Sequential(
        cynet.Conv2d(40, 40, 5, padding=2), cynet.ReLU(), cynet.Conv2d(40, 40, 4, padding=(1, 1, 2, 2))
    )
    model = cynet.Sequential(cynet.Conv2d(40, 40, 6, 2, 2), cynet.Residual(block), cynet.ReLU())
    x = frozen(np.random.default_rng(3).standard_normal((8, 40, 40, 40)))
    y = model(x)
    assert all(type(layer._worked_out[1]) is PiecewiseConvolution for layer in (model[0], block[0], block[2]))
    model.eval()
    with cynet.no_grad():
        np.testing.assert_allclose(model(x), y, rtol=0, atol=1e-4)
