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
        {"kernel_size": 3, "padding": "full"},
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


@pytest.mark.parametrize(
    ("layer", "shape", "inner"),
    [
        (nn.Dropout2d(0.5), (20, 4, 5, 6), (1, 2)),
        (nn.Dropout2d(0.5), (20, 9, 7), (1,)),
        (nn.DropPath(0.5), (60, 4, 5, 3), (1, 2, 3)),
        (nn.DropPath(0.5), (60, 8), (1,)),
    ],
)
def test_whole_channels_and_samples_are_dropped_by_one_key(layer, shape, inner):
    random.seed(3)
    ones = np.ones(shape, np.float32)
    first, second = layer(ones), layer(ones)
    assert random.get_state()["draws"] == 2 and (first != second).any()
    for y in (first, second):
        assert (np.ptp(y, axis=inner) == 0).all() and set(np.unique(y)) == {0, 2}
    np.testing.assert_array_equal(layer.backward(ones), second)
    random.seed(3)
    np.testing.assert_array_equal(layer(ones), first)
    random.seed(3)
    dropped = nn.Dropout(0.5)(np.ones(first[(slice(None), *(0 for _ in inner))].shape, np.float32))
    np.testing.assert_array_equal(first[(slice(None), *(0 for _ in inner))], dropped)
    layer.eval()
    assert layer(ones) is ones and random.get_state()["draws"] == 1


@pytest.mark.parametrize("kind", [nn.Dropout2d, nn.DropPath])
def test_the_ends_of_whole_dropout(kind):
    x = np.ones((4, 2, 2, 3), np.float32)
    assert not kind(1.0)(x).any()
    assert kind(0.0)(x) is x
    x[0] = np.nan
    assert np.isnan(kind(0.9)(x)[0]).all()
    for p in (-0.1, 1.1, np.nan, None, "0.5", True):
        with pytest.raises((ValueError, TypeError), match="p: wanted"):
            kind(p)


def test_shares_of_what_is_dropped():
    random.seed(1)
    x = np.ones((2000, 1, 1, 3), np.float32)
    assert abs((nn.Dropout2d(0.3)(x) == 0).mean() - 0.3) < 0.03
    assert abs((nn.DropPath(0.3)(x) == 0).mean() - 0.3) < 0.03


@pytest.mark.parametrize("shape", [(3, 4), (3,), (1, 2, 3, 4, 5)])
def test_bad_shapes_of_channel_dropout(shape):
    with pytest.raises(ValueError, match=r"Dropout2d.*wanted \(N, H, W, C\) or \(N, L, C\)"):
        nn.Dropout2d()(np.zeros(shape, np.float32))


@pytest.mark.parametrize("beta", [0, -1, np.nan, None])
def test_bad_numbers_of_softplus_and_elu(beta):
    with pytest.raises((ValueError, TypeError), match="beta: wanted"):
        nn.Softplus(beta)
    with pytest.raises((ValueError, TypeError), match="threshold: wanted"):
        nn.Softplus(1, "20")
    with pytest.raises((ValueError, TypeError), match="alpha: wanted"):
        nn.ELU(np.inf)


def test_a_slope_for_each_channel_or_one():
    x = -np.ones((2, 3, 4), np.float32)
    assert nn.PReLU()(x)[0, 0].tolist() == [-0.25] * 4
    layer = nn.PReLU(4, init=0)
    layer.weight.data = [1, 2, 3, 4]
    assert layer(x)[0, 0].tolist() == [-1, -2, -3, -4]
    with pytest.raises(ValueError, match=r"PReLU\(4.*wanted \(N, \.\.\., 4\), got \(2, 3\)"):
        layer(x[:, :, 0].copy())


def test_flatten_of_rows_keeps_them():
    layer, x = nn.Flatten(), np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


def test_reprs():
    assert repr(nn.MaxPool2d(3, 2, "same")) == ("MaxPool2d(kernel_size=3, stride=2, padding='same')")
    assert repr(nn.LeakyReLU()) == "LeakyReLU(negative_slope=0.01)"
    assert repr(nn.Dropout(0.1)) == "Dropout(p=0.1)"
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(nn.Softplus()) == "Softplus(beta=1, threshold=20)" and repr(nn.ELU()) == "ELU(alpha=1)"
    assert repr(nn.PReLU()) == "PReLU(1, init=0.25)" and repr(nn.Dropout2d(0.1)) == "Dropout2d(p=0.1)"


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
        ("ReLU6", ()),
        ("Hardswish", ()),
        ("Hardsigmoid", ()),
        ("ELU", (0.6,)),
        ("ELU", (-0.6,)),
        ("Softplus", ()),
        ("Softplus", (0.5, 0.7)),
        ("PReLU", ()),
        ("PReLU", (11, -0.3)),
        ("GroupNorm", (11, 11)),
        ("GroupNorm", (1, 11, 0.1)),
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


SET = [
    (lambda: nn.LeakyReLU(0.1), "negative_slope", 0.7), (lambda: nn.ELU(0.5), "alpha", 2.0),
    (lambda: nn.Softplus(2.0, 1.0), "beta", 0.5), (lambda: nn.Softplus(2.0, 1.0), "threshold", -5.0),
    (lambda: nn.Dropout(0.5), "p", 0.1), (lambda: nn.Dropout2d(0.5), "p", 0.0),
    (lambda: nn.DropPath(0.5), "p", 1),
    (lambda: nn.Upsample(scale_factor=2), "scale_factor", 3), (lambda: nn.Upsample(9), "mode", "bilinear"),
    (lambda: nn.AvgPool2d(2), "divisor_override", 7),
    (lambda: nn.AvgPool2d(3, 2, 1), "count_include_pad", False),
    (lambda: nn.MaxPool2d(3, 1, 1), "padding", 0), (lambda: nn.MaxPool2d(2), "kernel_size", 3),
    (lambda: nn.ZeroPad2d(1), "padding", (0, 2, 1, 1)), (lambda: nn.ChannelShuffle(3), "groups", 4),
    (lambda: nn.AdaptiveAvgPool2d(2), "output_size", 3), (lambda: nn.GroupNorm(2, 12), "eps", 1.0),
    (lambda: nn.LayerNorm(12), "eps", 1.0), (lambda: nn.Reshape((12, -1)), "shape", (-1,)),
    (lambda: nn.MaxPool2d(3, 2), "ceil_mode", True), (lambda: nn.AvgPool2d(3, 2), "ceil_mode", True),
    (lambda: nn.MaxPool1d(3, 2), "ceil_mode", True), (lambda: nn.AvgPool1d(3, 2), "padding", 1),
    (lambda: nn.Upsample(9, mode="bilinear"), "align_corners", True),
    (lambda: nn.Upsample(9), "size", (7, 8)),
]  # fmt: skip
SEVERAL = pytest.mark.parametrize(("make", "name", "value"), SET)


def input_of(layer):
    shape = (4, 8, 12) if isinstance(layer, (nn.MaxPool1d, nn.AvgPool1d)) else (4, 8, 6, 12)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@SEVERAL
def test_backward_is_that_of_the_pass_that_was_made_whatever_was_set_since(make, name, value):
    found = []
    for changed in (False, True):
        random.seed(5)
        layer = make()
        y = layer(input_of(layer))
        if changed:
            setattr(layer, name, value)
        found.append(layer.backward(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)))
    np.testing.assert_array_equal(*found)


@SEVERAL
def test_what_was_set_counts_from_the_next_pass_on(make, name, value):
    late, early = make(), make()
    late(input_of(late))
    setattr(late, name, value)
    setattr(early, name, value)
    found = []
    for layer in (late, early):
        random.seed(5)
        y = layer(input_of(layer))
        dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
        found.append([y, layer.backward(dy)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [nn.MaxPool1d, nn.AvgPool1d])
@pytest.mark.parametrize(("padding", "sound"), [
    (1, True), ((2, 0), True), ((0, 2), True), (3, False), ((3, 0), False), ((0, 3), False), ((0, 9), False),
])  # fmt: skip
def test_the_padding_of_sequences_is_less_than_the_kernel(kind, padding, sound):
    if sound:
        layer = kind(3, 1, padding)
        assert layer.padding == padding and eval(repr(layer), vars(nn)).padding == padding
    else:
        with pytest.raises(ValueError, match="padding: wanted less than the kernel 3, got"):
            kind(3, 1, padding)


@pytest.mark.parametrize("size", [1, 3, (3, 4), (None, 4), (4, None), (None, None)])
def test_the_size_of_adaptive_pooling_stands_in_its_repr(size):
    layer = nn.AdaptiveAvgPool2d(size)
    again = eval(repr(layer), {"AdaptiveAvgPool2d": nn.AdaptiveAvgPool2d})
    wanted = size if isinstance(size, tuple) else (size, size)
    assert again.output_size == layer.output_size == wanted


@pytest.mark.parametrize("divisor", [0, -1, 1.5, True, "2"])
def test_a_divisor_of_windows_is_a_whole_number_from_1_on(divisor):
    assert nn.AvgPool2d(2, divisor_override=1).divisor_override == 1
    with pytest.raises((TypeError, ValueError), match="divisor_override: wanted"):
        nn.AvgPool2d(2, divisor_override=divisor)
    layer = nn.AvgPool2d(2)
    layer.divisor_override = divisor
    with pytest.raises((TypeError, ValueError), match="divisor_override: wanted"):
        layer(IMAGES)


@pytest.mark.parametrize("padding", [(-3, -4, 0, 0), (0, 0, -9, 0), (0, 0, -4, -5), (-7, 3, 0, 0)])
def test_a_pixel_is_left_of_each_side_of_what_is_cut_off(padding):
    assert nn.ZeroPad2d((-3, -3, -4, -4))(IMAGES).shape == (3, 1, 1, 11)
    with pytest.raises(ValueError, match="padding: wanted at least 1 pixel to be left of each side, got "):
        nn.ZeroPad2d(padding)(IMAGES)


def test_channels_of_which_there_are_none_are_shuffled_both_ways():
    layer, nothing = nn.ChannelShuffle(2), np.zeros((2, 3, 0), np.float32)
    assert layer(nothing).shape == layer.backward(nothing).shape == nothing.shape
