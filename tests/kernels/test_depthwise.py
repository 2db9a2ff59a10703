"""Depth-wise convolution of whole registers of channels: windows and strides with loops of their own."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen

from cynet.core import threads
from cynet.kernels.conv.depthwise import DepthwiseConvolution
from cynet.kernels.conv.problem import Problem

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")]


@pytest.mark.parametrize("channels", [16, 40, 51])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 3), (3, 2), (3, 4), (5, 5)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2), (2, 1), (3, 3)])
def test_all_three_products_are_the_twins_at_every_width(channels, kernel, stride):
    """Rows of 1 to 26 windows: one by one, in runs of four to nine, and with some of them made twice."""
    rng = np.random.default_rng(0)
    w, bias = (frozen(rng.standard_normal(s)) for s in ((channels, 1, *kernel), channels))
    for width in (*range(1, 22), 27):
        padding = (1, 1, 0, 2)
        if width + 3 < kernel[1]:
            continue
        problem = Problem.of((2, 7, width, channels), channels, kernel, stride, padding, channels)
        x, dy = (frozen(rng.standard_normal(shape)) for shape in (problem.in_shape, problem.out_shape))
        y, backward = reference_weights.conv2d(
            *(a.astype(float) for a in (x, w, bias)), stride, padding, channels
        )
        dx, dw, _ = backward(dy.astype(float))
        found = []
        for count in (1, 3):
            threads.set_num_threads(count)
            way, grad = DepthwiseConvolution(problem), np.zeros_like(w)
            way.weight_gradient(x, dy, grad)
            found.append((way.forward(x, w, bias), way.input_gradient(dy, w), grad))
        for got, same, want in zip(*found, (y, dx, dw), strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)
            assert got.tobytes() == same.tobytes()


@pytest.mark.parametrize(
    ("kernel", "stride"), [((3, 3), (1, 1)), ((3, 3), (2, 2)), ((5, 4), (1, 1)), ((1, 2), (3, 2))]
)
@pytest.mark.parametrize("channels", [64, 48, 19])
def test_images_written_past_the_caches_have_the_bytes_that_each_has_by_itself(kernel, stride, channels):
    """More than 16 MB of several images, less of one."""
    side = 20 + int((2**22 / 3 / channels) ** 0.5)
    alone = Problem.of(
        (1, side * stride[0], side * stride[1], channels), channels, kernel, stride, (0,) * 4, channels
    )
    together = Problem.of((4, *alone.in_shape[1:]), channels, kernel, stride, (0,) * 4, channels)
    of_one, of_all = np.prod(alone.out_shape), np.prod(together.out_shape)
    assert of_one < 2**22 <= of_all
    rng = np.random.default_rng(0)
    w, bias = (frozen(rng.standard_normal(s, dtype=np.float32)) for s in ((channels, 1, *kernel), channels))
    x, dy = (
        rng.standard_normal(shape, dtype=np.float32) for shape in (together.in_shape, together.out_shape)
    )
    whole, part = DepthwiseConvolution(together), DepthwiseConvolution(alone)
    y, dx = whole.forward(x, w, bias), whole.input_gradient(dy, w)
    assert y.ctypes.data % 64 == dx.ctypes.data % 64 == 0
    room = np.empty(y.size + 16, np.float32)
    odd = room[(room.ctypes.data % 64 == 0) :][: y.size].reshape(y.shape)  # at no multiple of a vector
    assert odd.ctypes.data % 64
    whole.apply(x, whole.pack(w), whole.padded(bias), odd, np.empty(0, np.float32), 2)
    assert np.array_equal(odd, y)
    for i in range(4):
        one = slice(i, i + 1)
        assert np.array_equal(part.forward(x[one], w, bias), y[one])
        assert np.array_equal(part.input_gradient(dy[one], w), dx[one])
