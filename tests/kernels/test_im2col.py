"""im2col and col2im against their twin, and against each other."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen
from hypothesis import given
from test_conv import convolutions

import cynet

pytestmark = pytest.mark.kernels


@given(convolutions())
def test_im2col_copies_what_lies_under_each_tap(case):
    x, w, _, _, stride, padding, _ = case
    columns = cynet.im2col(frozen(x), w.shape[2:], stride, padding)
    wanted = reference_weights.im2col(x.astype(np.float32), w.shape[2:], stride, padding)
    np.testing.assert_array_equal(columns, wanted)


@given(convolutions())
def test_col2im_is_the_transpose_of_im2col(case):
    x, w, _, _, stride, padding, _ = case
    x = x.astype(np.float32)
    columns = cynet.im2col(x, w.shape[2:], stride, padding)
    other = np.random.default_rng(0).standard_normal(columns.shape).astype(np.float32)
    back = cynet.col2im(frozen(other), x.shape, w.shape[2:], stride, padding)
    one, two = np.vdot(columns.astype(float), other), np.vdot(x.astype(float), back)
    assert abs(one - two) <= 1e-5 * max(1, columns.size) ** 0.5 * 4


def test_convolution_is_a_product_with_the_columns():
    x = np.random.default_rng(0).standard_normal((2, 7, 6, 3)).astype(np.float32)
    layer = cynet.Conv2d(3, 5, 3, stride=2, padding=1, bias=False)
    w = layer.weight.data.transpose(2, 3, 1, 0).reshape(-1, 5)
    np.testing.assert_allclose(cynet.im2col(x, 3, 2, 1) @ w, layer(x), atol=1e-5)


def test_col2im_refuses_columns_of_another_shape():
    with pytest.raises(ValueError, match=r"columns: wanted shape \(1, 4, 4, 9\), got \(1, 4, 4, 8\)"):
        cynet.col2im(np.zeros((1, 4, 4, 8), np.float32), (1, 4, 4, 1), 3, padding=1)
