"""First layers of eight filters: two neighbouring pixels fill the register that one leaves half empty."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen

from cynet.core import threads
from cynet.kernels.conv import thin_loops
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.thin import ThinConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")]
HALF = thin_loops.WIDEST // 2


def numbers(shape, seed):
    return frozen(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 3), (5, 2), (2, 5)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (1, 2), (3, 2), (1, 3)])
def test_they_are_the_twins_for_every_width_padding_and_filter_count(channels, kernel, stride):
    w = numbers((8, channels, *kernel), 1)
    for width in (16, 17, 18, 31, 34):
        for padding in ((0, 0, 0, 0), (1, 1, 0, 0), (0, 0, 0, 1)):
            side = (width - 1) * stride[1] + kernel[1] - padding[1] - padding[3]
            problem = Problem.of((2, 7, side, channels), 8, kernel, stride, padding)
            assert problem.out_shape[2] == width
            x, bias = numbers(problem.in_shape, 2), numbers(8, 3)
            y, _ = reference_weights.conv2d(*(a.astype(float) for a in (x, w, bias)), stride, padding, 1)
            found = []
            for count in (1, 2):
                threads.set_num_threads(count)
                way = ThinConvolution(problem)
                assert way.pairs == (HALF == 8 and width % 2 == 0 and kernel[1] > stride[1])
                found.append(way.forward(x, w, bias))
            np.testing.assert_allclose(found[0], y, rtol=0, atol=1e-4)
            assert found[0].tobytes() == found[1].tobytes()
            kept = np.full(problem.out_shape, np.nan, np.float32)
            scratch = np.empty(way.scratch_floats(1), np.float32)
            way.kept(way.pack(w), way.padded(bias), kept, scratch, 1, 1)(x)
            assert np.array_equal(kept, np.maximum(found[0], 0))
            np.testing.assert_allclose(way.forward(x, w), y - bias, rtol=0, atol=1e-4)


def test_one_picture_has_the_bytes_that_it_has_among_others():
    w, x = numbers((8, 3, 3, 3), 1), numbers((5, 32, 32, 3), 2)
    many = ThinConvolution(Problem.of(x.shape, 8, (3, 3), (1, 1), (1, 1, 1, 1))).forward(x, w)
    one = ThinConvolution(Problem.of((1, *x.shape[1:]), 8, (3, 3), (1, 1), (1, 1, 1, 1))).forward(x[3:4], w)
    assert one.tobytes() == many[3:4].tobytes()


@pytest.mark.parametrize("outputs", [16, 24, 32])
def test_full_registers_stay_as_they_are(outputs):
    assert not ThinConvolution(Problem.of((1, 32, 32, 3), outputs, (3, 3), (1, 1), (1, 1, 1, 1))).pairs


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("kernel", "across"), [(3, 1), (5, 1), (3, 2)])
def test_an_odd_number_reaches_its_windows_and_no_more_than_the_other_pixel_of_a_pair(odd, kernel, across):
    problem = Problem.of((1, 9, 40, 3), 8, (kernel,) * 2, (1, across), (1, 1, 1, 1))
    way, w, x = (
        ThinConvolution(problem),
        numbers((8, 3, kernel, kernel), 1),
        numbers(problem.in_shape, 2).copy(),
    )
    before = way.forward(x, w)
    x[0, 4, 17, 1] = odd
    y = way.forward(x, w)
    width = problem.out_shape[2]
    first, last = -(-(17 + 1 - kernel + 1) // across), (17 + 1) // across  # the windows that it lies in
    must = np.zeros(width, bool)
    must[first : last + 1] = True
    may = must | (must.reshape(-1, 2)[:, ::-1].reshape(-1) if way.pairs else False)
    rows = slice(4 + 1 - kernel + 1, 4 + 1 + 1)
    assert not np.isfinite(y[0, rows][:, must]).any()
    assert np.array_equal(y[0][:, ~may], before[0][:, ~may])
    assert np.array_equal(
        np.delete(y[0], range(rows.start, rows.stop), 0),
        np.delete(before[0], range(rows.start, rows.stop), 0),
    )
