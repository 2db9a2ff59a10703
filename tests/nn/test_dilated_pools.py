"""Max-pooling by windows whose cells lie apart, and the order of its arguments."""

import numpy as np
import pytest
from examples import normal
from helpers import frozen

import cynet
from cynet import nn


def test_cells_lie_apart():
    x = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    layer = nn.MaxPool2d(2, 1, dilation=(2, 3))
    assert layer(x)[0, :, :, 0].tolist() == [[13, 14], [18, 19], [23, 24]]
    dx = layer.backward(np.ones((1, 3, 2, 1), np.float32))
    assert np.argwhere(dx[0, :, :, 0]).tolist() == [[2, 3], [2, 4], [3, 3], [3, 4], [4, 3], [4, 4]]
    assert nn.MaxPool1d(2, dilation=3)(np.float32([5, 0, 0, 4, 9, 9]).reshape(1, 6, 1))[0, :, 0].tolist() == [
        5,
        9,
    ]


def test_a_window_between_two_cells_of_which_the_image_lies_gives_nobody_a_gradient():
    """PyTorch gives -Inf, too, and its backward writes beyond the image."""
    layer = nn.MaxPool2d(2, 1, 1, 3)
    x = normal((2, 2, 2, 9))
    y = layer(x)
    assert y.shape == (2, 1, 1, 9) and (y == -np.inf).all()
    assert not layer.backward(np.ones_like(y)).any()
    x = normal((1, 2, 9, 3))
    y = nn.MaxPool2d((1, 2), 1, (0, 1), (1, 10))(x)
    assert y.shape == (1, 2, 1, 3) and (y == -np.inf).all()


def test_the_fifth_argument_is_pytorchs_return_indices_and_not_ceil_mode():
    for kind in (nn.MaxPool2d, nn.MaxPool1d):
        assert kind(3, 2, 1, 2).dilation in (2, (2, 2))
        with pytest.raises(TypeError, match="positional"):
            kind(3, 2, 1, 1, True)
        with pytest.raises(TypeError, match="return_indices"):
            kind(3, return_indices=True)
        assert kind(3, 2, ceil_mode=True).ceil_mode


@pytest.mark.parametrize("training", [True, False])
def test_dilation_that_is_set_counts_from_the_next_pass_on(training):
    """Also where batch norm and ReLU are joined with the pool, or a plan was made."""
    cynet.seed(1)
    pool, x = nn.MaxPool2d(2), normal((2, 9, 8, 5))
    model = nn.Sequential(nn.BatchNorm2d(5), nn.ReLU(), pool).train(training)
    before = model(x)
    pool.dilation = 3
    y = model(x)
    assert y.shape == (2, 3, 3, 5)
    alone = nn.MaxPool2d(2, dilation=3)(nn.ReLU()(model.layers[0](x)))
    np.testing.assert_allclose(y, alone, rtol=1e-5, atol=1e-6)
    pool.dilation = "odd"
    with pytest.raises(TypeError, match="dilation: wanted an int, got 'odd'"):
        model(x)
    pool.dilation = (1, 1)
    np.testing.assert_allclose(model(x), before, rtol=1e-5, atol=1e-6)


def test_a_window_that_reaches_too_far_is_refused_with_its_dilation():
    with pytest.raises(ValueError, match="got a kernel of 9, 3 with dilation 4"):
        nn.MaxPool2d(3, dilation=4).output_shape((1, 8, 8, 3))


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(20))
def test_it_equals_pytorch(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    kernel, stride, dilation = (tuple(map(int, rng.integers(1, most, 2))) for most in (5, 4, 4))
    padding = tuple(int(rng.integers(0, side // 2 + 1)) for side in kernel)
    more = {"dilation": dilation, "ceil_mode": bool(seed % 2)}
    x = np.round(normal((2, 13, 14, 5), seed) * 2)  # many ties
    ours, theirs = (module.MaxPool2d(kernel, stride, padding, **more) for module in (nn, torch.nn))
    their_x = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    y, their_y = ours(x), theirs(their_x)
    np.testing.assert_array_equal(y.transpose(0, 3, 1, 2), their_y.detach().numpy())
    dy = frozen(normal(y.shape, seed + 1))
    their_y.backward(torch.tensor(dy.transpose(0, 3, 1, 2).copy()))
    dx = ours.backward(dy).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(dx, their_x.grad.numpy(), rtol=1e-5, atol=1e-6)
