"""Convolutions as they are chosen: around every threshold of the choice, against the float64 twin."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen

import cynet
from cynet.core import threads
from cynet.kernels.conv import convolution, thin_loops
from cynet.kernels.conv.depthwise import DepthwiseConvolution
from cynet.kernels.conv.piecewise import PiecewiseConvolution
from cynet.kernels.conv.pointwise import PointwiseConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.raised import RaisedConvolution
from cynet.kernels.conv.thin import ThinConvolution
from cynet.kernels.conv.tiled import TiledConvolution
from cynet.kernels.conv.winograd import WinogradConvolution

pytestmark = pytest.mark.usefixtures("dirty_memory")

W, T, D, C = WinogradConvolution, ThinConvolution, DepthwiseConvolution, TiledConvolution
R, S = RaisedConvolution, PiecewiseConvolution
# images (N, H, W, C), channels out, kernel, stride, padding (top, left, bottom, right), groups
WINOGRAD = ((2, 6, 6, 8), 16, (3, 3), (1, 1), (1, 1, 1, 1), 1)
THIN = ((2, 6, 17, 3), 16, (3, 2), (2, 1), (0, 1, 1, 0), 1)
DEPTHWISE = ((2, 6, 5, 12), 12, (3, 2), (1, 2), (1, 0, 0, 1), 12)


def changed(case, **changes):
    """A case with some of it replaced."""
    names = ("shape", "outputs", "kernel", "stride", "padding", "groups")
    return tuple({**dict(zip(names, case, strict=True)), **changes}.values())


def images(height, width, channels, batch=2):
    return {"shape": (batch, height, width, channels), "padding": (0, 0, 0, 0)}


CASES = [
    # Winograd: 3 x 3, stride 1, one group, channels in and out by eights, tiles of 4 x 4 half full at least
    (W, WINOGRAD),
    *((C, changed(WINOGRAD, groups=g)) for g in (2, 4, 8)),
    *((C, changed(WINOGRAD, shape=(2, 6, 6, n))) for n in (7, 9, 10, 12)),
    *((W, changed(WINOGRAD, shape=(2, 6, 6, n))) for n in (16, 24, 72, 80)),
    *((C, changed(WINOGRAD, outputs=n)) for n in (7, 9, 10, 12, 20)),
    *((W, changed(WINOGRAD, outputs=n)) for n in (8, 24, 72, 88)),
    *((C, changed(WINOGRAD, kernel=k)) for k in ((3, 2), (2, 3), (1, 3), (3, 1), (4, 4), (5, 3), (1, 1))),
    *((C, changed(WINOGRAD, stride=s)) for s in ((1, 2), (2, 1), (2, 2), (3, 3))),
    *((W, changed(WINOGRAD, padding=p)) for p in ((0, 0, 0, 0), (2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 2, 0),
                                                  (0, 0, 0, 2), (3, 4, 2, 1))),
    *((W, changed(WINOGRAD, **images(h + 2, w + 2, 8))) for h, w in ((2, 4), (4, 2), (3, 3), (5, 4), (4, 4),
                                                                     (6, 3), (8, 8))),
    *((C, changed(WINOGRAD, **images(h + 2, w + 2, 8))) for h, w in ((1, 4), (2, 3), (3, 2), (5, 5), (5, 3),
                                                                     (1, 1), (1, 7))),
    # few channels in, channels out by eights, one group, rows not too short, filters and images not too large
    (T, THIN),
    *((T, changed(THIN, shape=(2, 6, 17, n))) for n in (1, 2, 4)),
    *((C, changed(THIN, shape=(2, 6, 17, n))) for n in (5, 6)),
    *((C, changed(THIN, shape=(2, 6, 17, 4), groups=g)) for g in (2, 4)),
    *((T, changed(THIN, outputs=n)) for n in (8, 24, 40)),
    *((C, changed(THIN, outputs=n)) for n in (1, 4, 7, 9, 10, 12, 17)),
    *((T, changed(THIN, kernel=k)) for k in ((3, 3), (5, 3), (1, 1), (1, 5), (5, 1), (6, 7))),
    *((T, changed(THIN, stride=s)) for s in ((1, 1), (3, 1), (1, 2))),
    *((T, changed(THIN, padding=p)) for p in ((0, 0, 0, 0), (3, 0, 0, 0), (0, 3, 0, 0), (0, 0, 3, 0),
                                              (0, 0, 0, 3), (5, 4, 3, 2))),
    (T, changed(THIN, **images(6, thin_loops.LEAST_WIDTH + 1, 3))),
    (C, changed(THIN, **images(6, thin_loops.LEAST_WIDTH, 3))),
    (T, changed(THIN, **images(12, 28, 1, 1), kernel=(12, thin_loops.MOST_ENTRIES // 12))),
    (C, changed(THIN, **images(13, 24, 3, 1), kernel=(11, 11))),
    (
        R,
        changed(
            THIN, **images(6, 8 + thin_loops.MOST_ENTRIES, 1, 1), kernel=(1, thin_loops.MOST_ENTRIES + 1)
        ),
    ),
    (T, changed(THIN, **images(64, 64, 1, 1), kernel=(1, 1), stride=(1, 1), outputs=8)),
    (PointwiseConvolution, changed(THIN, **images(65, 64, 1, 1), kernel=(1, 1), stride=(1, 1), outputs=8)),
    # few channels, more filters
    *((R, changed(THIN, shape=(2, 6, 7, n), outputs=8 * n + 9)) for n in (1, 2, 4)),
    (R, changed(THIN, shape=(2, 6, 7, 1), outputs=17, kernel=(5, 2))),
    (C, changed(THIN, shape=(2, 6, 7, 1), outputs=15)),
    # channels that are no eights, and larger windows
    *((S, changed(WINOGRAD, shape=(32, 8, 8, n), outputs=m))
      for n, m in ((31, 32), (30, 30), (48, 19), (19, 48))),
    (C, changed(WINOGRAD, shape=(2, 6, 6, 29), outputs=31)),
    (S, changed(WINOGRAD, shape=(16, 8, 8, 30), outputs=31, kernel=(5, 5), padding=(2, 2, 2, 2))),
    (S, changed(WINOGRAD, shape=(16, 19, 18, 48), outputs=40, kernel=(4, 6), stride=(2, 1),
                padding=(1, 0, 3, 5))),
    # one filter a channel
    (D, DEPTHWISE),
    (C, changed(DEPTHWISE, outputs=24)),
    (C, changed(DEPTHWISE, groups=6)),
    (C, changed(DEPTHWISE, groups=4)),
    (C, changed(DEPTHWISE, shape=(2, 6, 5, 1), outputs=1, groups=1)),
    (C, changed(DEPTHWISE, shape=(2, 6, 5, 24), groups=12)),
    *((D, changed(DEPTHWISE, shape=(2, 6, 5, n), outputs=n, groups=n)) for n in (2, 8, 17, 33)),
    *((D, changed(DEPTHWISE, shape=(n, 6, 5, 12))) for n in (1, 16, 17)),
    *((D, changed(DEPTHWISE, stride=s)) for s in ((1, 1), (4, 4))),
    # pixels that no tap reaches, with one group and with several: strides beyond the kernel
    *((C, changed(WINOGRAD, kernel=(1, 1), stride=s, padding=(0, 0, 0, 0), groups=g))
      for s in ((2, 2), (3, 1), (1, 3), (5, 4)) for g in (1, 2, 8)),
    *((C, changed(WINOGRAD, kernel=(1, 2), stride=(2, 3), padding=p, groups=g))
      for p in ((1, 0, 0, 1), (0, 1, 2, 0)) for g in (1, 2)),
    # the same of rows and columns of many pixels, as of sequences: blocks that reach into the next row
    *((C, changed(WINOGRAD, shape=shape, outputs=n, kernel=(1, 1), stride=s, padding=(0, 0, 0, 0)))
      for shape, s in (((3, 1, 50, 8), (1, 3)), ((3, 50, 1, 8), (3, 1)), ((2, 3, 34, 5), (2, 2)),
                       ((3, 2, 7, 4), (2, 3))) for n in (5, 16, 33)),
    (C, changed(WINOGRAD, shape=(3, 1, 61, 8), kernel=(1, 2), stride=(1, 4), padding=(0, 1, 0, 0))),
    # the last row or column of pixels lies behind the last window
    *((C, changed(WINOGRAD, **images(h, w, 8), kernel=(2, 2), stride=(2, 2), groups=g))
      for h, w in ((7, 6), (6, 7), (7, 7)) for g in (1, 4)),
    # padding on one side alone
    *((C, changed(WINOGRAD, kernel=(2, 2), padding=p)) for p in np.eye(4, dtype=int).tolist()),
    *((C, changed(WINOGRAD, kernel=(1, 1), padding=p)) for p in np.eye(4, dtype=int).tolist()),
]  # fmt: skip


def arrays(case, seed=0):
    """x, w, b, dy of a case as float32, and its problem."""
    rng, problem = np.random.default_rng(seed), Problem.of(*case)
    shapes = problem.in_shape, problem.weight_shape, case[1], problem.out_shape
    return [frozen(rng.standard_normal(s)) for s in shapes], problem


def twin(case, x, w, b, dy):
    """y, dx, dw, db in float64."""
    y, backward = reference_weights.conv2d(*(a.astype(float) for a in (x, w, b)), case[3], case[4], case[5])
    return y, *backward(dy.astype(float))


def near(got, wanted, what, error=1e-4):
    limit = error * max(1, np.abs(wanted).max())
    np.testing.assert_allclose(got, wanted, rtol=0, atol=limit, err_msg=what)


def named(value):
    return value.__name__ if isinstance(value, type) else "-".join(map(str, value)).replace(" ", "")


@pytest.mark.parametrize(("kind", "case"), CASES, ids=named)
@pytest.mark.usefixtures("without_planes")
def test_the_chosen_algorithm_gives_the_twins_numbers_through_the_layer(kind, case):
    (x, w, b, dy), problem = arrays(case)
    shape, outputs, kernel, stride, padding, groups = case
    assert type(convolution.choose(problem)) is kind
    layer = cynet.Conv2d(shape[3], outputs, kernel, stride, tuple(padding), groups=groups)
    layer.weight.data, layer.bias.data = w, b
    wanted = twin(case, x, w, b, dy)
    layer.weight.grad[:], layer.bias.grad[:] = 1, 2
    for passes in (1, 2):  # gradients add up; the input's does not
        y, dx = layer(x), layer.backward(dy)
        assert type(layer._worked_out[1]) is kind
        near(y, wanted[0], "y")
        near(dx, wanted[1], "dx")
        near(layer.weight.grad - 1, passes * wanted[2], "dw")
        near(layer.bias.grad - 2, passes * wanted[3], "db")
    near(np.maximum(wanted[0], 0), evaluated(layer, x), "evaluation")


def evaluated(layer, x):
    with cynet.no_grad():
        return cynet.Sequential(layer, cynet.ReLU()).eval()(x)


@pytest.mark.parametrize("case", [WINOGRAD, THIN, DEPTHWISE, changed(WINOGRAD, groups=2)], ids=named)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_at_every_place_reach_what_the_twin_says(case, bad):
    """An image for each pixel, and channels in turn: nothing else changes, ReLU or not."""
    _, height, width, channels = case[0]
    case = changed(case, shape=(height * width, height, width, channels))
    (x, w, b, dy), problem = arrays(case)
    pixels, out = np.arange(height * width), problem.out_shape[1:3]
    x, dy = x.copy(), dy.copy()
    algorithm = convolution.choose(problem)
    before = algorithm.forward(x, w, b), algorithm.input_gradient(dy, w)
    x[pixels, pixels // width, pixels % width, pixels % channels] = bad
    cells = np.arange(min(len(dy), out[0] * out[1]))
    dy[cells, cells // out[1], cells % out[1], cells % case[1]] = bad
    y, relu = algorithm.forward(x, w, b), np.empty(algorithm.out_shape, np.float32)
    team = threads.get_num_threads()
    scratch = np.empty(algorithm.scratch_floats(team), np.float32)
    algorithm.apply(x, algorithm.pack(w), algorithm.padded(b), relu, scratch, team, True)
    with np.errstate(invalid="ignore"):
        wanted = twin(case, x, w, b, dy)
        np.testing.assert_array_equal(np.isnan(relu), np.isnan(y))
        np.testing.assert_array_equal(relu, np.where(y <= 0, 0, y))
    dx = algorithm.input_gradient(dy, w)
    for got, want, old in ((y, wanted[0], before[0]), (dx, wanted[1], before[1])):
        touched = ~np.isfinite(want)
        assert touched.any() and not np.isfinite(got[touched]).any()
        if not isinstance(algorithm, WinogradConvolution):  # whose tiles are lost as a whole
            np.testing.assert_array_equal(got[~touched], old[~touched])
    dw, ones = np.zeros_like(w), np.ones_like(dy)
    algorithm.weight_gradient(x, ones, dw)
    with np.errstate(invalid="ignore"):
        touched = ~np.isfinite(twin(case, x, w, b, ones)[2])
    assert touched.any() and not np.isfinite(dw[touched]).any()


@pytest.mark.usefixtures("threads_for_small_shapes")
@pytest.mark.parametrize("case", [WINOGRAD, THIN, DEPTHWISE, changed(WINOGRAD, groups=2)], ids=named)
@pytest.mark.parametrize("batch", [0, 1, 3, 31, 33])
def test_batches_of_every_size_and_number_of_threads_give_the_same(case, batch):
    case = changed(case, shape=(batch, *case[0][1:]))
    (x, w, b, dy), problem = arrays(case)
    wanted = twin(case, x, w, b, dy) if batch else [dy, x, np.zeros_like(w)]
    found = set()
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        algorithm, dw = convolution.choose(problem), np.zeros_like(w)
        algorithm.weight_gradient(x, dy, dw)
        got = algorithm.forward(x, w, b), algorithm.input_gradient(dy, w), dw
        for one, want, what in zip(got, wanted, ("y", "dx", "dw"), strict=False):
            assert one.shape == want.shape
            if one.size:
                near(one, want, what)
        found.add(tuple(a.tobytes() for a in got))
    assert len(found) == 1


@pytest.mark.parametrize(("kind", "case"), CASES[::7], ids=named)
def test_multiply_adds_are_counted_as_the_sum_is_written(kind, case):
    (x, w, _, dy), _ = arrays(case)
    layer = cynet.Conv2d(x.shape[3], *case[1:4], tuple(case[4]), groups=case[5])
    wanted = dy.size * w[0].size
    assert layer.macs(x.shape) == layer.convolution(x.shape).problem.macs == wanted


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 2), (5, 5)], ids=str)
@pytest.mark.parametrize("changes", [
    {"kernel": (1, 1), "stride": (2, 2), "padding": (0, 0, 0, 0)},
    {"kernel": (1, 1), "stride": (3, 1), "padding": (0, 0, 0, 0)},
    {"kernel": (2, 1), "stride": (2, 3), "padding": (1, 0, 0, 0)}, {"kernel": (3, 3), "stride": (2, 1)},
    {"kernel": (2, 2), "padding": (1, 1, 0, 1), "groups": 2},
], ids=str)  # fmt: skip
def test_many_small_images_of_which_a_tile_takes_several(size, changes):
    """And the last tile fewer; without and with pixels that no tap reaches."""
    for batch in (64, 129, 200):
        case = changed(WINOGRAD, shape=(batch, *size, 8), outputs=12, **changes)
        (x, w, b, dy), problem = arrays(case)
        algorithm, dw = convolution.choose(problem), np.zeros_like(w)
        assert type(algorithm) is C
        algorithm.weight_gradient(x, dy, dw)
        wanted = twin(case, x, w, b, dy)
        got = algorithm.forward(x, w, b), algorithm.input_gradient(dy, w), dw
        for one, want, what in zip(got, wanted, ("y", "dx", "dw"), strict=False):
            near(one, want, what)
