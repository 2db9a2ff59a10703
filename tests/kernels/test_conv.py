"""Convolution, forward and backward, against its twin over drawn shapes."""

import numpy as np
import pytest
import reference
import reference_weights
from helpers import frozen
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cynet.core import threads
from cynet.kernels.conv.depthwise import DepthwiseConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes")]


def products(algorithm, x, w, b, dy):
    """y, dx and dw; dw starts from ones, to see that it is added to."""
    x, w, b, dy = map(frozen, (x, w, b, dy))
    dw = np.ones(w.shape, np.float32)
    algorithm.weight_gradient(x, dy, dw)
    return algorithm.forward(x, w, b), algorithm.input_gradient(dy, w), dw - 1


def algorithm_of(x, w, stride, padding, groups):
    problem = Problem.of(x.shape, len(w), w.shape[2:], stride, padding, groups)
    return next(kind for kind in (DepthwiseConvolution, TiledConvolution) if kind.suits(problem))(problem)


@st.composite
def convolutions(draw, depthwise=False):
    """x, w, b, dy, stride, padding, groups."""
    if depthwise:
        groups = inputs = outputs = draw(st.integers(2, 33))
    else:
        groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
        inputs, outputs = (
            groups * draw(st.integers(1, 33 // groups)),
            groups * draw(st.integers(1, 33 // groups)),
        )
    n, height, width = draw(st.integers(0, 3)), draw(st.integers(1, 11)), draw(st.integers(1, 11))
    kernel = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    stride = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    if draw(st.booleans()):
        top, bottom = reference.same_padding(height, kernel[0], stride[0])
        left, right = reference.same_padding(width, kernel[1], stride[1])
        padding = top, left, bottom, right
    else:
        padding = tuple(draw(st.integers(0, 6)) for _ in range(4))  # more than the kernel, too
    assume(kernel[0] <= padding[0] + height + padding[2] and kernel[1] <= padding[1] + width + padding[3])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal((n, height, width, inputs))
    w = rng.standard_normal((outputs, inputs // groups, *kernel))
    b = rng.standard_normal(outputs)
    algorithm = algorithm_of(x, w, stride, padding, groups)
    return x, w, b, rng.standard_normal(algorithm.out_shape), stride, padding, groups


def check(case):
    x, w, b, dy, stride, padding, groups = case
    x, w, b, dy = (np.asarray(a, np.float32) for a in (x, w, b, dy))
    y, dx, dw = products(algorithm_of(x, w, stride, padding, groups), x, w, b, dy)
    wanted, backward = reference_weights.conv2d(
        *(a.astype(float) for a in (x, w, b)), stride, padding, groups
    )
    wanted_dx, wanted_dw, _ = backward(dy.astype(float))
    taps = w.shape[2] * w.shape[3]
    for got, want, terms in (
        (y, wanted, w.shape[1] * taps),
        (dx, wanted_dx, w.shape[0] // groups * taps),
        (dw, wanted_dw, max(1, dy[..., 0].size)),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.sqrt(terms))


@settings(max_examples=400)
@given(convolutions())
def test_convolution(case):
    check(case)


@settings(max_examples=120)
@given(convolutions(depthwise=True))
def test_depthwise_convolution(case):
    check(case)


@pytest.mark.parametrize("images", [15, 16, 17, 33])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_each_image_counts_in_the_gradient_of_the_filters(images, groups):
    rng = np.random.default_rng(images)
    x, dy = (rng.standard_normal((images, 6, 6, 8)).astype(np.float32) for _ in range(2))
    w = rng.standard_normal((8, 8 // groups, 3, 3)).astype(np.float32)
    alone = np.zeros(w.shape)
    for one, d in zip(x, dy, strict=True):
        dw = np.zeros_like(w)
        algorithm_of(one[None], w, (1, 1), (1, 1, 1, 1), groups).weight_gradient(one[None], d[None], dw)
        alone += dw
    dw = np.zeros_like(w)
    algorithm_of(x, w, (1, 1), (1, 1, 1, 1), groups).weight_gradient(x, dy, dw)
    np.testing.assert_allclose(dw, alone, rtol=0, atol=1e-3)


LARGE = [
    # n, side, in, out, kernel, stride, padding: tiles of several rows, several images, and several chunks
    (5, 32, 16, 16, 3, 1, 1),
    (3, 40, 33, 9, 3, 2, 1),
    (70, 4, 8, 64, 3, 1, 1),
    (300, 1, 64, 40, 1, 1, 0),
    (2, 33, 3, 65, 7, 3, 3),
    # rows of whole register blocks, and rows that end within one; outputs that fill a block, and that do not
    (2, 38, 24, 32, 1, 2, 0),
    (2, 19, 16, 40, 3, 2, 1),
    (3, 20, 8, 24, 5, 1, 2),
]


@pytest.mark.parametrize("n, side, inputs, outputs, kernel, stride, pad", LARGE)
def test_convolution_over_many_tiles(n, side, inputs, outputs, kernel, stride, pad):
    rng = np.random.default_rng(0)
    x, w = (
        rng.standard_normal((n, side, side, inputs)),
        rng.standard_normal((outputs, inputs, kernel, kernel)),
    )
    window = (stride, stride), (pad,) * 4, 1
    dy = rng.standard_normal(algorithm_of(x, w, *window).out_shape)
    check((x, w, np.zeros(outputs), dy, *window))


@pytest.mark.parametrize("outputs", [8, 16, 32, 40])
@pytest.mark.parametrize("width", [3, 8, 13, 21])
def test_bytes_of_an_output_do_not_depend_on_the_width_of_its_image(width, outputs):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 6, 40, 8)).astype(np.float32)
    w, b = rng.standard_normal((outputs, 8, 2, 2)), rng.standard_normal(outputs)
    w, b = w.astype(np.float32), b.astype(np.float32)
    narrow = np.ascontiguousarray(x[:, :, : width + 1])
    whole, part = (algorithm_of(a, w, (1, 1), (0,) * 4, 1).forward(a, w, b) for a in (x, narrow))
    assert part.tobytes() == whole[:, :, :width].tobytes()


@pytest.mark.parametrize("groups, inputs, outputs", [(1, 3, 8), (1, 16, 33), (2, 8, 20), (12, 12, 12)])
def test_same_bytes_for_any_number_of_threads(groups, inputs, outputs):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((7, 19, 17, inputs)).astype(np.float32)
    w = rng.standard_normal((outputs, inputs // groups, 3, 3)).astype(np.float32)
    b, results = np.ones(outputs, np.float32), []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        algorithm = algorithm_of(x, w, (2, 1), (1, 1, 1, 1), groups)
        dy = np.random.default_rng(1).standard_normal(algorithm.out_shape).astype(np.float32)
        results.append([a.tobytes() for a in products(algorithm, x, w, b, dy)])
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_times_zero_is_nan(bad, depthwise):
    channels = 4
    x = np.ones((1, 5, 5, channels), np.float32)
    x[0, 2, 2, 1] = bad
    w = np.zeros((channels, 1 if depthwise else channels, 3, 3), np.float32)
    algorithm = algorithm_of(x, w, (1, 1), (1, 1, 1, 1), channels if depthwise else 1)
    y = algorithm.forward(x, w)
    reached = np.zeros((5, 5, channels), bool)
    reached[1:4, 1:4, 1 if depthwise else slice(None)] = True
    np.testing.assert_array_equal(np.isnan(y[0]), reached)
    dw = np.zeros_like(w)
    algorithm.weight_gradient(x, np.zeros(algorithm.out_shape, np.float32), dw)
    assert np.isnan(dw[1 if depthwise else slice(None), 0 if depthwise else 1]).all()


def test_batch_of_zero_leaves_the_weight_gradient_alone():
    x, w = np.empty((0, 6, 6, 3), np.float32), np.ones((8, 3, 3, 3), np.float32)
    algorithm = algorithm_of(x, w, (1, 1), (1, 1, 1, 1), 1)
    y, dx, dw = products(algorithm, x, w, np.ones(8), np.empty((0, 6, 6, 8)))
    assert y.shape == (0, 6, 6, 8) and dx.shape == (0, 6, 6, 3)
    np.testing.assert_array_equal(dw, 0)
