"""Layers without weights: what is theirs alone, besides what tests/nn/test_every_layer.py asks of all."""

import numpy as np
import pytest

from cynet import nn
from cynet.core import random

IMAGES = np.random.default_rng(0).standard_normal((3, 9, 7, 11)).astype(np.float32)


@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 0},
        {"kernel_size": -1},
        {"kernel_size": (2, 0)},
        {"kernel_size": (2, 2, 2)},
        {"kernel_size": 2.0},
        {"kernel_size": None},
        {"kernel_size": True},
        {"kernel_size": "2"},
        {"kernel_size": 2, "stride": 0},
        {"kernel_size": 2, "stride": -1},
        {"kernel_size": 2, "stride": (1, 0)},
        {"kernel_size": 2, "stride": 1.5},
        {"kernel_size": 2, "padding": -1},
        {"kernel_size": 2, "padding": 2},
        {"kernel_size": 3, "padding": (0, 3)},
        {"kernel_size": 3, "padding": (0, 0, 0, 3)},
        {"kernel_size": 3, "padding": (0, 0, -1, 0)},
        {"kernel_size": 3, "padding": (1, 1, 1)},
        {"kernel_size": 3, "padding": "valid"},
        {"kernel_size": 3, "padding": None},
    ],
)
def test_bad_pool_arguments(kind, arguments):
    with pytest.raises((ValueError, TypeError), match=list(arguments)[-1]):
        kind(**arguments)


def test_flatten_of_sequences_is_channel_by_channel():
    layer, x = nn.Flatten(), np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    np.testing.assert_array_equal(layer(x), x.transpose(0, 2, 1).reshape(2, 12))
    np.testing.assert_array_equal(layer.backward(layer(x)), x)


@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
@pytest.mark.parametrize(
    "shape", [(2, 2, 5, 3), (2, 5, 2, 3), (2, 0, 5, 3), (2, 5, 0, 3), (2, 5, 5), (5, 5), (), (1, 2, 5, 5, 3)]
)
def test_bad_pool_shapes_name_layer_and_sizes(kind, shape):
    with pytest.raises(ValueError, match=rf"{kind.__name__}.*wanted"):
        kind(3)(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(2, 0, 5, 3), (2, 5, 0, 3), (2, 5), (2, 0, 3), ()])
@pytest.mark.parametrize("kind", [nn.GlobalAvgPool2d, nn.GlobalMaxPool2d, nn.GlobalAvgPool1d])
def test_bad_global_pool_shapes(kind, shape):
    with pytest.raises(ValueError, match=kind.__name__):
        kind()(np.zeros(shape, np.float32))


def test_no_classes():
    with pytest.raises(ValueError, match=r"Softmax.*at least one class"):
        nn.Softmax()(np.zeros((2, 0), np.float32))


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan, None, "0.5", True])
def test_bad_dropout(p):
    with pytest.raises((ValueError, TypeError), match="p: wanted"):
        nn.Dropout(p)


@pytest.mark.parametrize("slope", [np.nan, np.inf, None, "0.1"])
def test_bad_slope(slope):
    with pytest.raises((ValueError, TypeError), match="negative_slope: wanted"):
        nn.LeakyReLU(slope)


def test_dropout_takes_one_key_for_each_training_pass():
    random.seed(3)
    layer, ones = nn.Dropout(0.5), np.ones((50, 60), np.float32)
    first, second = layer(ones), layer(ones)
    assert random.get_state()["draws"] == 2
    assert (first != second).any()
    np.testing.assert_array_equal(layer.backward(ones), second)
    random.seed(3)
    np.testing.assert_array_equal(layer(ones), first)
    layer.eval()
    assert layer(ones) is ones and random.get_state()["draws"] == 1
    np.testing.assert_array_equal(layer.backward(ones * 2), ones * 2)


def test_flatten_of_rows_keeps_them():
    layer, x = nn.Flatten(), np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


def test_reprs():
    assert repr(nn.MaxPool2d(3, 2, "same")) == ("MaxPool2d(kernel_size=3, stride=2, padding='same')")
    assert repr(nn.LeakyReLU()) == "LeakyReLU(negative_slope=0.01)"
    assert repr(nn.Dropout(0.1)) == "Dropout(p=0.1)"
    assert repr(nn.ReLU()) == "ReLU()"


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("MaxPool2d", (3, 2, 1)),
        ("MaxPool2d", ((2, 3), None, (1, 0))),
        ("AvgPool2d", (3, 2, 1)),
        ("ReLU", ()),
        ("LeakyReLU", (0.3,)),
        ("LeakyReLU", (-0.3,)),
        ("Sigmoid", ()),
        ("Tanh", ()),
        ("GELU", ()),
        ("Flatten", ()),
    ],
)
def test_equals_pytorch(name, arguments):
    torch = pytest.importorskip("torch")
    layer = getattr(nn, name)(*arguments)
    x = torch.tensor(IMAGES.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    wanted = getattr(torch.nn, name)(*arguments)(x)
    dy = np.random.default_rng(1).standard_normal(wanted.shape).astype(np.float32)
    wanted.backward(torch.tensor(dy))
    images = dy.ndim == 4
    y = layer(IMAGES)
    dx = layer.backward(dy.transpose(0, 2, 3, 1) if images else dy)
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2) if images else y, wanted.detach(), atol=1e-6)
    np.testing.assert_allclose(dx.transpose(0, 3, 1, 2), x.grad, atol=1e-6)
