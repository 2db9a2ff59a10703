"""The functions of the assignments against float64 twins."""

import numpy as np
import pytest
import twins
from hypothesis import given
from hypothesis import strategies as st

from cynet import uwnet

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


@given(
    st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 4),
    st.integers(0, 2**32),
)  # fmt: skip
def test_im2col_and_col2im(channels, height, width, size, stride, seed):
    generator = np.random.default_rng(seed)
    image = generator.standard_normal((channels, height, width)).astype(np.float32)
    col = uwnet.im2col(image, size, stride)
    wanted = twins.im2col(image, size, stride)
    assert col.shape == wanted.shape and np.array_equal(col, np.float32(wanted))
    weights = generator.standard_normal(col.shape)
    back = uwnet.col2im(width, height, channels, weights, size, stride)
    assert back.shape == image.shape
    np.testing.assert_allclose(
        back, twins.col2im(width, height, channels, weights, size, stride), **TOLERANCE
    )


def test_im2col_by_hand():
    col = uwnet.im2col(np.arange(1.0, 5).reshape(1, 2, 2), 3, 2)
    assert col.tolist() == [[0], [0], [0], [0], [1], [2], [0], [3], [4]]


@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_batch_norm_functions(rows, groups, n, seed):
    x, d = np.random.default_rng(seed).standard_normal((2, rows, groups * n))
    m, v = np.random.default_rng(seed + 1).uniform(0.1, 2, (2, 1, groups))
    dm, dv = np.random.default_rng(seed + 2).standard_normal((2, 1, groups))
    for name, arguments in [
        ("mean", (x, groups)), ("variance", (x, m, groups)), ("normalize", (x, m, v, groups)),
        ("delta_mean", (d, v)), ("delta_variance", (d, x, m, v)), ("delta_batch_norm", (d, dm, dv, m, v, x)),
    ]:  # fmt: skip
        got, wanted = getattr(uwnet, name)(*arguments), getattr(twins, name)(*arguments)
        assert got.dtype == np.float32 and got.shape == wanted.shape, name
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_functions_make_the_layer():
    x, dy = np.random.default_rng(0).standard_normal((2, 6, 12))
    layer = uwnet.make_batchnorm_layer(4)
    m = uwnet.mean(x, 4)
    v = uwnet.variance(x, m, 4)
    np.testing.assert_allclose(layer.forward(x), uwnet.normalize(x, m, v, 4), atol=1e-5)
    dm, dv = uwnet.delta_mean(dy, v), uwnet.delta_variance(dy, x, m, v)
    np.testing.assert_allclose(layer.backward(dy), uwnet.delta_batch_norm(dy, dm, dv, m, v, x), atol=1e-5)


def test_the_twins_gradient_is_the_slope():
    """Finite differences of the batch norm twin, which judges the layer."""
    x, dy = np.random.default_rng(1).standard_normal((2, 3, 4))

    def loss(x):
        m = twins.mean(x, 2)
        return (dy * twins.normalize(x, m, twins.variance(x, m, 2), 2)).sum()

    slope = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        slope[place] = (loss(x + step) - loss(x - step)) / 2e-6
    np.testing.assert_allclose(twins.batch_norm_gradient(x, dy, 2), slope, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 6), (5, 5), (4, 5), (20,), (1, 25)])
def test_gradients_of_another_shape_than_x_are_refused(shape):
    x, row = np.ones((5, 6)), np.ones((1, 2))
    for function in (
        lambda d: uwnet.delta_variance(d, x, row, row),
        lambda d: uwnet.delta_batch_norm(d, row, row, row, row, x),
    ):
        with pytest.raises(ValueError, match=r"^d: wanted "):
            function(np.ones(shape))
