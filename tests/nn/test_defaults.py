"""What a layer is without arguments, and how it is written."""

import inspect

import numpy as np
import pytest

import cynet
from cynet import nn

DEFAULTS = {
    "Conv1d": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
    "Conv2d": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}, "Linear": {"bias": True},
    "ConvTranspose2d": {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "bias": True,
                        "dilation": 1},
    "BatchNorm1d": {"eps": 1e-5, "momentum": 0.1, "affine": True},
    "BatchNorm2d": {"eps": 1e-5, "momentum": 0.1, "affine": True},
    "MaxPool2d": {"stride": None, "padding": 0, "ceil_mode": False},
    "AvgPool2d": {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True,
                  "divisor_override": None},
    "MaxPool1d": {"stride": None, "padding": 0, "ceil_mode": False},
    "AvgPool1d": {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True},
    "Upsample": {"size": None, "scale_factor": None, "mode": "nearest", "align_corners": None},
    "LeakyReLU": {"negative_slope": 0.01}, "Dropout": {"p": 0.5}, "Residual": {"shortcut": None},
    "ELU": {"alpha": 1.0}, "Softplus": {"beta": 1.0, "threshold": 20.0}, "Dropout2d": {"p": 0.5},
    "PReLU": {"num_parameters": 1, "init": 0.25}, "GroupNorm": {"eps": 1e-5, "affine": True},
    "LayerNorm": {"eps": 1e-5, "elementwise_affine": True, "bias": True},
    "DropPath": {"p": 0.0},  # timm's
    "GRU": {"num_layers": 1}, "LSTM": {"num_layers": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", nn.__all__)
def test_defaults_are_pytorchs(name):
    arguments = inspect.signature(getattr(nn, name)).parameters.values()
    found = {one.name: one.default for one in arguments if one.default is not one.empty}
    assert found == DEFAULTS.get(name, {})
    assert getattr(nn, name).training is True and getattr(nn, name).input_grad is True


def test_what_the_defaults_do():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 5, 5, 3)).astype(np.float32) * 3 + 1
    norm = nn.BatchNorm2d(3)
    wide = x.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(
        norm(x).reshape(-1, 3), (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-5), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(norm.running_mean, 0.1 * wide.mean(0), rtol=1e-5)
    np.testing.assert_allclose(norm.running_var, 0.9 + 0.1 * wide.var(0, ddof=1), rtol=1e-5)
    for kind in (nn.MaxPool2d, nn.AvgPool2d):
        pool = kind((2, 3))
        assert (pool.kernel_size, pool.stride) == ((2, 3), (2, 3))
        assert pool(x).shape == (4, 2, 1, 3)
    assert nn.Conv2d(3, 2, 3)(x).shape == (4, 3, 3, 2)
    np.testing.assert_allclose(nn.LeakyReLU()(x), np.where(x > 0, x, 0.01 * x), rtol=1e-6)


@pytest.mark.parametrize("eps", [0, -1e-5, np.nan, np.inf])
@pytest.mark.parametrize("make", [
    lambda eps: nn.BatchNorm1d(3, eps), lambda eps: nn.BatchNorm2d(3, eps),
    lambda eps: nn.GroupNorm(3, 6, eps), lambda eps: nn.LayerNorm(4, eps),
], ids=["BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm"])  # fmt: skip
def test_no_norm_takes_an_eps_that_is_not_above_zero(make, eps):
    """A channel of equal values would be 0 / 0."""
    with pytest.raises(ValueError, match=rf"eps: wanted .*, got {eps}"):
        make(eps)
    layer = make(1e-5)
    layer.eps = eps
    with pytest.raises(ValueError, match=rf"eps: wanted .*, got {eps}"):
        layer(np.zeros((2, 2, 2, getattr(layer, "num_features", 4)), np.float32))


def test_the_smallest_variance_is_that_of_eps():
    """Where the inputs hardly differ eps decides, inside the root."""
    for eps in (1e-12, 1e-5, 1e-3, 1.0):
        norm, x = nn.BatchNorm1d(1, eps=eps), np.float32([[1e-3], [-1e-3]])
        np.testing.assert_allclose(norm(x), x / np.sqrt(1e-6 + eps), rtol=1e-5)
        norm.eval()
        norm.running_mean[:], norm.running_var[:] = 0, 1e-6
        np.testing.assert_allclose(norm(x), x / np.sqrt(1e-6 + eps), rtol=1e-5)
        with cynet.no_grad():
            model = cynet.Sequential(cynet.Linear(1, 1, bias=False), norm).eval()
            model[0].weight.data = [[1.0]]
            np.testing.assert_allclose(model(x), x / np.sqrt(1e-6 + eps), rtol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.25, 1.0])
@pytest.mark.parametrize("rows", [2, 3, 50])
def test_running_statistics_over_several_batches(momentum, rows):
    norm, rng = nn.BatchNorm1d(2, momentum=momentum), np.random.default_rng(0)
    mean, variance = np.zeros(2), np.ones(2)
    for step in range(1, 5):
        x = rng.standard_normal((rows, 2)).astype(np.float32) * [1, 5] + [0, 3]
        norm(x.astype(np.float32))
        mean = (1 - momentum) * mean + momentum * x.mean(0)
        variance = (1 - momentum) * variance + momentum * x.var(0, ddof=1)
        np.testing.assert_allclose(norm.running_mean, mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(norm.running_var, variance, rtol=1e-5)
        assert norm.num_batches_tracked == step
    norm.eval()(x.astype(np.float32))
    with cynet.no_grad():
        norm.train()(x.astype(np.float32))
    assert norm.num_batches_tracked == 5


CASES = [
    (lambda: nn.BatchNorm2d(5), (3, 4, 4, 5)), (lambda: nn.Conv2d(5, 8, 3), (3, 4, 4, 5)),
    (lambda: nn.Conv2d(8, 8, 3, padding=1), (3, 8, 8, 8)), (lambda: nn.Linear(40, 8), (3, 40)),
    (lambda: nn.Conv2d(6, 6, 3, groups=6), (3, 4, 4, 6)), (lambda: nn.Linear(7, 40), (3, 7)),
    (lambda: cynet.Sequential(nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2)), (3, 4, 4, 5)),
    (lambda: cynet.Sequential(nn.Flatten(), nn.Linear(80, 4)), (3, 4, 4, 5)),
    (lambda: cynet.Sequential(nn.Residual(cynet.Sequential(nn.Conv2d(8, 8, 3, padding=1),
                              nn.BatchNorm2d(8))), nn.ReLU()), (3, 8, 8, 8)),
    (lambda: nn.Concat(nn.Conv2d(5, 4, 1), nn.ReLU()), (3, 4, 4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CASES)))
@pytest.mark.usefixtures("dirty_memory")
def test_gradients_add_to_what_is_there_whatever_memory_holds(number):
    make, shape = CASES[number]
    layer, x = make(), np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    y = layer(x)
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    dx = layer.backward(dy)
    assert np.isfinite(y).all() and np.isfinite(dx).all()
    once = [p.grad.copy() for p in layer.parameters()]
    for p in layer.parameters():
        p.grad[...] = 100
    again = layer(x)
    np.testing.assert_array_equal(again, y)
    np.testing.assert_array_equal(layer.backward(dy), dx)
    for p, first in zip(layer.parameters(), once, strict=True):
        np.testing.assert_allclose(p.grad, 100 + first, rtol=1e-5)
        p.grad[...] = np.nan
    layer.backward_spared(dy) if layer(x) is not None else None
    assert all(np.isnan(p.grad).all() for p in layer.parameters())
    layer.zero_grad()
    layer(x)
    layer.backward_spared(dy)
    for p, first in zip(layer.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad, first)
