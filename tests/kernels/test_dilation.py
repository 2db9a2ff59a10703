"""Taps that lie apart: the choice of the algorithm, and the tiled one's tables against the float64 twin."""

from dataclasses import replace

import numpy as np
import pytest
import reference_weights
from helpers import frozen

from cynet.core import threads
from cynet.kernels.common import geometry
from cynet.kernels.conv import algorithm, convolution
from cynet.kernels.conv.bordered import BorderedConvolution
from cynet.kernels.conv.few import FewConvolution
from cynet.kernels.conv.planes import PlanarConvolution, PlanarGradient
from cynet.kernels.conv.pointwise import PointwiseConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")]

ANY = (
    BorderedConvolution,
    TiledConvolution,
    PointwiseConvolution,
    FewConvolution,
    PlanarConvolution,
    PlanarGradient,
)
SPECIAL = [kind for _, kind in algorithm.REGISTRY if kind not in ANY]
CASES = [
    # shape, outputs, kernel, stride, padding, groups, dilation
    ((2, 9, 9, 8), 8, (3, 3), (1, 1), (2, 2, 2, 2), 1, (2, 2)),
    ((2, 9, 8, 3), 5, (3, 2), (1, 1), (0, 0, 0, 0), 1, (1, 3)),
    ((2, 9, 8, 3), 5, (2, 3), (1, 1), (0, 3, 1, 0), 1, (4, 1)),
    ((1, 40, 37, 64), 24, (3, 3), (1, 1), (12, 12, 12, 12), 1, (12, 12)),  # a tile's rows lie between taps
    ((1, 60, 37, 64), 24, (3, 3), (2, 1), (0, 0, 0, 0), 1, (24, 1)),  # the same, read in place
    ((2, 41, 30, 48), 8, (3, 3), (3, 2), (9, 1, 4, 0), 2, (10, 3)),
    ((2, 11, 12, 6), 6, (3, 3), (2, 2), (2, 2, 2, 2), 1, (2, 2)),  # no tap reaches three pixels of four
    ((2, 11, 12, 6), 6, (3, 3), (2, 2), (1, 1, 2, 2), 3, (2, 2)),
    ((2, 13, 12, 6), 4, (3, 4), (4, 6), (3, 2, 2, 2), 1, (2, 3)),
    ((2, 13, 12, 6), 4, (3, 2), (6, 3), (3, 2, 2, 2), 2, (4, 2)),
    ((1, 1, 300, 4), 20, (1, 3), (1, 1), (0, 16, 0, 16), 1, (1, 16)),
    ((3, 5, 5, 4), 4, (2, 2), (1, 1), (0, 0, 0, 0), 4, (3, 2)),
    ((2, 1, 1, 4), 4, (3, 3), (7, 7), (4, 4, 4, 4), 1, (4, 4)),
    ((2, 3, 3, 4), 4, (2, 2), (5, 5), (3, 3, 1, 1), 1, (5, 5)),  # taps reach one pixel of nine
    ((0, 9, 9, 4), 4, (3, 3), (1, 1), (2, 2, 2, 2), 1, (2, 2)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.usefixtures("without_planes")
def test_all_products_are_the_twins_for_any_number_of_threads(case):
    problem, rng = Problem.of(*case), np.random.default_rng(0)
    shapes = problem.in_shape, problem.weight_shape, case[1], problem.out_shape
    x, w, b, dy = (frozen(rng.standard_normal(shape)) for shape in shapes)
    y, backward = reference_weights.conv2d(*(a.astype(float) for a in (x, w, b)), *case[3:])
    dx, dw, _ = backward(dy.astype(float))
    terms, found = w[0].size, set()
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        way, grad = convolution.choose(problem), np.zeros_like(w)
        assert type(way) is TiledConvolution
        way.weight_gradient(x, dy, grad)
        got = way.forward(x, w, b), way.input_gradient(dy, w), grad
        long = terms, w[:, 0].size // case[5], max(1, dy[..., 0].size)
        for one, want, length in zip(got, (y, dx, dw), long, strict=True):
            np.testing.assert_allclose(one, want, rtol=0, atol=1e-5 * length**0.5)
        found.add(tuple(a.tobytes() for a in got))
    assert len(found) == 1


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("dilation", [(2, 1), (1, 2), (3, 3)])
@pytest.mark.usefixtures("without_planes")
def test_what_computes_taps_side_by_side_refuses_others(kind, dilation):
    problem = Problem.of(*kind.example)
    assert kind.suits(problem) and problem.dilation == (1, 1)
    assert not kind.suits(replace(problem, dilation=dilation))
    shape, outputs, kernel, stride, padding, groups = kind.example
    shape = shape[0], 3 * shape[1], 3 * shape[2], shape[3]  # large enough
    assert kind.suits(Problem.of(shape, outputs, kernel, stride, padding, groups))
    apart = Problem.of(shape, outputs, kernel, stride, padding, groups, dilation)
    assert type(convolution.choose(apart)) is TiledConvolution


def test_one_tap_has_no_neighbours():
    plain = Problem.of((2, 5, 6, 8), 8, (1, 1), (1, 1), (0,) * 4)
    assert Problem.of((2, 5, 6, 8), 8, (1, 1), (1, 1), (0,) * 4, 1, (7, 2**31 - 1)) == plain
    assert Problem.of((2, 9, 6, 8), 8, (3, 1), (1, 1), (0,) * 4, 1, (2, 9)).dilation == (2, 1)


def test_rows_between_those_that_a_tile_reads_are_not_copied():
    near, far = (
        TiledConvolution(
            Problem.of((1, 200, 64, 32), 8, (3, 3), (1, 1), (d, 1, d, 1), 1, (d, 1))
        ).forward_pass
        for d in (8, 64)
    )
    assert far.rows > 1 and far.band_rows == 3 * far.rows and far.band_floats <= 24 * 1024
    assert near.band_floats <= 24 * 1024


def test_extent_and_same_padding():
    assert [geometry.extent(3, d) for d in (1, 2, 5)] == [3, 5, 11] and geometry.extent(1, 9) == 1
    assert geometry.output_size(20, 3, 2, 1, 0, dilation=4) == (1 + 20 - 9) // 2 + 1
    sides, out = geometry.window_grid((9, 8), (3, 2), (2, 1), "same", (2, 4))
    assert sides == (*(2, 2), *(2, 2)) and out == (5, 8)


@pytest.mark.parametrize(("dilation", "message"), [
    ((3, 1), r"height: wanted a kernel of at most 6 pixels.*got a kernel of 7, 3 with dilation 3$"),
    ((1, 3), r"width: wanted a kernel of at most 6 pixels.*got a kernel of 7, 3 with dilation 3$"),
])  # fmt: skip
def test_a_kernel_that_is_too_far_apart_is_refused_with_its_dilation(dilation, message):
    with pytest.raises(ValueError, match=message):
        Problem.of((1, 5, 5, 1), 1, (3, 3), (1, 1), (1, 0, 0, 1), 1, dilation)
