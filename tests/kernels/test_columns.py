"""im2col and col2im as users call them."""

import numpy as np
import pytest
import reference
import reference_weights

import cynet
from cynet.core import threads

CASES = [
    # shape, kernel, stride, padding, sides
    ((2, 5, 4, 3), 3, 1, 0, (0, 0, 0, 0)),
    ((1, 5, 4, 3), (3, 2), (2, 1), 1, (1, 1, 1, 1)),
    ((2, 6, 5, 1), (2, 3), 2, (1, 2), (1, 2, 1, 2)),
    ((2, 6, 5, 9), (4, 1), (1, 3), (2, 0, 1, 3), (2, 0, 1, 3)),
    ((3, 7, 6, 2), 3, 2, "same", (1, 1, 1, 0)),
    ((1, 2, 2, 17), 2, 5, 0, (0, 0, 0, 0)),
    ((0, 5, 4, 3), 3, 1, 1, (1, 1, 1, 1)),
]


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding", "sides"), CASES)
@pytest.mark.usefixtures("dirty_memory")
def test_columns_and_their_transpose(shape, kernel, stride, padding, sides):
    rng = np.random.default_rng(0)
    x, pair = rng.standard_normal(shape).astype(np.float32), lambda n: n if isinstance(n, tuple) else (n, n)
    for count in (1, 2):
        threads.set_num_threads(count)
        columns = cynet.im2col(x, kernel, stride, padding)
        wanted = reference_weights.im2col(x, pair(kernel), pair(stride), sides)
        np.testing.assert_array_equal(columns, wanted)
        back = cynet.col2im(columns, shape, kernel, stride, padding)
        np.testing.assert_array_equal(cynet.col2im(columns, list(shape), kernel, stride, padding), back)
        cells = wanted.reshape(*wanted.shape[:3], *pair(kernel), shape[3]).transpose(0, 1, 2, 5, 3, 4)
        np.testing.assert_allclose(back, reference.scatter(cells, shape, pair(stride), sides), rtol=1e-5)


def test_nan_goes_to_its_columns_alone():
    for y in range(4):
        for x in range(4):
            image = np.zeros((1, 4, 4, 2), np.float32)
            image[0, y, x, 1] = np.nan
            assert np.isnan(cynet.im2col(image, 2, 2)).sum() == 1
            assert np.isnan(cynet.col2im(cynet.im2col(image, 2, 2), image.shape, 2, 2)).sum() == 1


@pytest.mark.parametrize(("call", "error", "word"), [
    (lambda x: cynet.im2col(x[0], 3), ValueError, "x: wanted 4 dimensions"),
    (lambda x: cynet.im2col(x.astype(float), 3), TypeError, "x: wanted dtype float32"),
    (lambda x: cynet.im2col(x, 0), ValueError, "kernel_size: wanted at least 1, got 0"),
    (lambda x: cynet.im2col(x, 3, 0), ValueError, "stride: wanted at least 1, got 0"),
    (lambda x: cynet.im2col(x, 3, 1, -1), ValueError, "padding: wanted at least 0"),
    (lambda x: cynet.im2col(x, (6, 5)), ValueError, "height: wanted a kernel of at most 5 pixels"),
    (lambda x: cynet.im2col(x, (5, 6)), ValueError, "width: wanted a kernel of at most 5 pixels"),
    (lambda x: cynet.col2im(x, 5, 3), TypeError, "shape: wanted"),
    (lambda x: cynet.col2im(x, (5, 5, 3), 3), ValueError, "shape: wanted"),
    (lambda x: cynet.col2im(x, (1, 5, 5, -1), 3), ValueError, r"shape\[3\]: wanted at least 0"),
    (lambda x: cynet.col2im(np.zeros((2, 3, 3, 27), np.float32), (1, 5, 5, 3), 3), ValueError,
     r"columns: wanted shape \(1, 3, 3, 27\), got \(2, 3, 3, 27\)"),
    (lambda x: cynet.col2im(x, (1, 5, 5, 3), 3), ValueError, r"columns: wanted shape \(1, 3, 3, 27\), got"),
])  # fmt: skip
def test_refusals(call, error, word):
    with pytest.raises(error, match=word):
        call(np.zeros((1, 5, 5, 3), np.float32))
