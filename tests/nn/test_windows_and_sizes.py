"""Layers that pool, resize and reorder: what is theirs alone, besides what test_every_layer.py asks."""

import copy
import itertools
import tracemalloc
from math import prod

import numpy as np
import pytest
import reference
from examples import normal
from helpers import frozen

import cynet
from cynet import nn


def passed(layer, x):
    y = layer(x)
    layer.zero_grad()
    dx = layer.backward(frozen(normal(y.shape, 7)))
    return [y, dx, *(p.grad.copy() for p in layer.parameters())]


# -- windows -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("size", "arguments", "wanted"),
    [
        (224, (3, 2), 112),
        (111, (3, 2), 55),
        (112, (3, 2), 56),
        (5, (2, 5), 1),
        (6, (2, 5), 2),
        (2, (3, 2), 1),
    ],
)
def test_a_last_window_reaches_beyond_the_image_where_it_begins_in_it(size, arguments, wanted):
    """As squeezenet1_1 has its pools."""
    for kind in (nn.MaxPool2d, nn.AvgPool2d):
        assert kind(*arguments, ceil_mode=True).output_shape((1, size, size, 3)) == (1, wanted, wanted, 3)
    assert nn.MaxPool1d(*arguments, ceil_mode=True).output_shape((1, size, 3)) == (1, wanted, 3)


@pytest.mark.parametrize("size", range(4, 9))
@pytest.mark.parametrize("window", [(2, 2, 1), (3, 2, 1), (3, 3, 1), (2, 3, 1), (4, 4, 2)])
def test_a_window_beyond_the_image_that_would_hold_no_pixel_is_none(size, window):
    """With padding, too: windows begin before the padding after the pixels, as in PyTorch."""
    x = np.abs(normal((2, size, size + 1, 3))) + 1
    for kind, twin in ((nn.MaxPool2d, reference.max_pool), (nn.AvgPool2d, reference.avg_pool)):
        kernel, stride, padding = ((side, side) for side in window)
        wanted, backward = twin(x.astype(float), kernel, stride, padding * 2, True)
        y, dx = passed(kind(*window, ceil_mode=True), x)
        np.testing.assert_allclose(y, wanted, rtol=1e-6)
        dy = normal(y.shape, 7).astype(float)
        np.testing.assert_allclose(dx, backward(dy), rtol=1e-5, atol=1e-6)


def test_a_kernel_that_even_ceil_mode_does_not_take_is_refused_with_its_limit():
    with pytest.raises(
        ValueError, match=r"kernel of at most 3 pixels, the padded input .* and stride - 1, got"
    ):
        nn.MaxPool2d(4, 2, ceil_mode=True).output_shape((1, 2, 2, 3))


def test_what_the_divisor_counts():
    x = np.ones((1, 4, 4, 1), np.float32)
    corner = lambda *more: float(nn.AvgPool2d(3, 2, 1, *more)(x)[0, 0, 0, 0])  # noqa: E731
    beyond = lambda *more: float(nn.AvgPool2d(3, 2, 1, *more)(x)[0, 2, 2, 0])  # noqa: E731
    assert corner() == pytest.approx(4 / 9)
    assert corner(False, False) == 1
    assert corner(False, True, 2) == 2
    assert beyond(True) == pytest.approx(1 / 4)  # a pixel and three cells of the padding
    assert beyond(True, False) == 1


@pytest.mark.parametrize("kernel", [(15, 17), (16, 16), (1, 256), (40, 1), (31, 33)])
@pytest.mark.parametrize("channels", [3, 16])
def test_windows_of_any_size_find_the_greatest_and_give_it_the_gradient(kernel, channels):
    x = np.round(normal((2, 33, 40, channels)) * 3)  # many ties
    padding = tuple(side // 2 for side in kernel)
    y, dx = passed(nn.MaxPool2d(kernel, (14, 15), padding), x)
    wanted, backward = reference.max_pool(x.astype(float), kernel, (14, 15), padding * 2)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_allclose(dx, backward(normal(y.shape, 7).astype(float)), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kernel", [3, 17, (16, 16)])
def test_behind_batch_norm_large_windows_give_what_the_single_layers_give(kernel, training):
    cynet.seed(3)
    pool = nn.MaxPool2d(kernel, 2, 1)
    model = nn.Sequential(nn.BatchNorm2d(5), nn.ReLU(), pool, nn.Flatten()).train(training)
    alone = copy.deepcopy(model)
    x = normal((3, 20, 22, 5))
    found = passed(model, x)
    y = x
    for layer in alone.layers:
        y = layer(y)
    dy = frozen(normal(y.shape, 7))
    alone.zero_grad()
    for layer in reversed(alone.layers):
        dy = layer.backward(dy)
    for one, other in zip(found, [y, dy, *(p.grad for p in alone.parameters())], strict=True):
        if training:
            np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    with cynet.no_grad():
        np.testing.assert_allclose(model.eval()(x), alone.eval()(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sizes", [*itertools.permutations([2, 17, 3], 2)])
def test_a_window_that_is_set_larger_or_smaller_is_the_one_that_pools(training, sizes):
    model = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(sizes[0], 1)).train(training)
    twin = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(sizes[1], 1)).train(training)
    x = normal((2, 18, 19, 4))
    passed(model, x)
    with cynet.no_grad():
        model(x)
    model[2].kernel_size = sizes[1]
    twin.load_state_dict(model.state_dict())
    for one, other in zip(passed(model, x), passed(twin, x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_window_that_is_set_between_the_passes_changes_nothing_of_them():
    x = normal((2, 18, 19, 4))
    for sizes in ((2, 17), (17, 2)):
        layer = nn.MaxPool2d(sizes[0], 1)
        wanted = passed(layer, x)
        y = layer(x)
        layer.kernel_size = sizes[1]
        np.testing.assert_array_equal(layer.backward(frozen(normal(y.shape, 7))), wanted[1])


# -- sequences ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("padding", [0, 1, (0, 2), (2, 1), "same"])
@pytest.mark.parametrize("kind", ["MaxPool", "AvgPool"])
def test_a_pool_over_sequences_is_that_over_images_one_pixel_high(kind, padding):
    x = normal((3, 10, 5))
    layer = getattr(nn, f"{kind}1d")(3, 2, padding)
    image = padding
    if padding != "same":
        before, after = padding if isinstance(padding, tuple) else (padding, padding)
        image = 0, before, 0, after
    y, dx = passed(layer, x)
    wide = getattr(nn, f"{kind}2d")((1, 3), (1, 2), image)
    wanted = wide(x[:, None])
    np.testing.assert_array_equal(y, wanted[:, 0])
    np.testing.assert_array_equal(dx, wide.backward(normal(y.shape, 7)[:, None])[:, 0])
    assert (layer.kernel_size, layer.stride, layer.padding) == (3, 2, padding)


def test_a_gradient_of_a_sequence_is_refused_by_the_shape_of_sequences():
    layer = nn.MaxPool1d(2)
    layer(normal((2, 6, 3)))
    with pytest.raises(
        ValueError, match=r"MaxPool1d.backward: wanted dy of shape \(2, 3, 3\), got \(2, 1, 3, 3\)"
    ):
        layer.backward(normal((2, 1, 3, 3)))


@pytest.mark.parametrize("outputs", [3, 40])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(12, 5), (12, 8), (8, 16), (3, 4, 16), (3, 2, 2, 16)])
def test_behind_flatten_a_linear_layer_sees_sequences_channel_by_channel(outputs, training, shape):
    """And arrays of more dimensions; of few outputs and whole vectors of channels in one step."""
    cynet.seed(1)
    features, pixels, channels = prod(shape), prod(shape[:-1]), shape[-1]
    model = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(features, outputs)).train(training)
    x = normal((4, *shape))
    y, dx, dw, db = passed(model, x)
    planes = np.maximum(x, 0).reshape(4, pixels, channels).transpose(0, 2, 1)
    weight, rows = model[2].weight.data, planes.reshape(4, features)
    np.testing.assert_allclose(y, rows @ weight.T + model[2].bias.data, rtol=1e-4, atol=1e-5)
    dy = normal(y.shape, 7)
    wanted = (dy @ weight).reshape(4, channels, pixels).transpose(0, 2, 1).reshape(x.shape) * (x > 0)
    np.testing.assert_allclose(dx, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dw, dy.T @ rows, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(db, dy.sum(0), rtol=1e-4, atol=1e-5)
    with cynet.no_grad():
        np.testing.assert_allclose(model.eval()(x), y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("end", [nn.GlobalAvgPool1d, nn.Flatten])
def test_a_classifier_of_signals_learns(end):
    cynet.seed(0)
    features = 6 if end is nn.GlobalAvgPool1d else 48
    model = nn.Sequential(nn.MaxPool1d(2), nn.AvgPool1d(2), end(), nn.Linear(features, 2))
    x, labels = normal((64, 32, 6)), np.arange(64) % 2
    x[labels == 1, :, 2] += 1
    criterion, optimizer = cynet.CrossEntropyLoss(), cynet.SGD(model.parameters(), lr=0.3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(criterion(model(x), labels))
        model.backward(criterion.backward())
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


# -- sizes -------------------------------------------------------------------------------------------------
def test_upsample_repeats_pixels_or_goes_from_one_to_the_next():
    x = np.float32([[0, 4]]).reshape(1, 1, 2, 1)
    row = lambda layer: layer(x)[0, 0, :, 0].tolist()  # noqa: E731
    assert row(nn.Upsample(scale_factor=(1, 2))) == [0, 0, 4, 4]
    assert nn.Upsample(scale_factor=(1, 2)).scale_factor == (1, 2)
    assert row(nn.Upsample((1, 3))) == [0, 0, 4]
    assert row(nn.Upsample((1, 4), mode="bilinear")) == [0, 1, 3, 4]
    assert row(nn.Upsample((1, 5), mode="bilinear", align_corners=True)) == [0, 1, 2, 3, 4]
    assert row(nn.Upsample(1, mode="bilinear", align_corners=True)) == [0]


def test_corners_that_are_said_to_be_free_are_as_by_default_and_stand_in_the_repr():
    x = normal((2, 5, 6, 3))
    for more in ({"size": (9, 11)}, {"scale_factor": 1.7}):
        default, free, kept = (
            nn.Upsample(**more, mode="bilinear", align_corners=corners) for corners in (None, False, True)
        )
        np.testing.assert_array_equal(free(x), default(x))
        assert (kept(x) != default(x)).any()
        for layer in (default, free, kept):
            again = eval(repr(layer), {"Upsample": nn.Upsample})
            assert again.align_corners is layer.align_corners


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "size, scale_factor: wanted one of the two, got neither"),
        ({"size": 4, "scale_factor": 2}, "size, scale_factor: wanted one of the two, got 4 and 2"),
        ({"size": (4, 0)}, r"size\[1\]: wanted at least 1, got 0"),
        ({"scale_factor": 0}, r"scale_factor: wanted a number in \(0, inf\], got 0.0"),
        ({"scale_factor": (1, 2, 3)}, "scale_factor: wanted a number or a pair"),
        ({"size": 4, "mode": "bicubic"}, "mode: wanted one of nearest, bilinear, got 'bicubic'"),
        ({"size": 4, "align_corners": True}, 'align_corners: wanted it with mode "bilinear" alone, got True'),
        ({"size": 4, "align_corners": False}, 'wanted it with mode "bilinear" alone, got False'),
        ({"size": 4, "mode": "bilinear", "align_corners": 1}, "align_corners: wanted True or False, got 1"),
    ],
)
def test_what_upsample_refuses(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        nn.Upsample(**arguments)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.Upsample(scale_factor=0.1), "scale_factor"), (nn.Upsample(scale_factor=1e300), "scale_factor"),
        (nn.Upsample(2**31 - 1), "size"), (nn.AdaptiveAvgPool2d(2**31 - 1), "output_size"),
        (nn.ZeroPad2d(2**31 - 1), "padding"), (nn.ZeroPad2d((0, 0, -2, -2)), "padding"),
        (nn.ZeroPad2d((-9, 9, 0, 0)), "padding"),
    ],
)  # fmt: skip
def test_a_size_that_cannot_be_is_refused_before_anything_is_allocated(layer, name):
    with pytest.raises(ValueError, match=f"{name}: wanted"):
        layer(normal((1, 4, 4, 3)))


@pytest.mark.parametrize("shape", [(2, 0, 4, 3), (2, 4, 0, 3)])
@pytest.mark.parametrize("layer", [nn.Upsample(2), nn.Upsample(scale_factor=2), nn.AdaptiveAvgPool2d(1),
                                   nn.AdaptiveAvgPool2d((None, None))], ids=repr)  # fmt: skip
def test_images_of_no_rows_or_no_columns_are_refused(layer, shape):
    with pytest.raises(ValueError, match=r"wanted an input .* with H and W at least 1, got shape"):
        layer(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("size", "small"), [((5, 51), True), ((16, 16), False), ((1, 255), True), ((2, 128), False)]
)
def test_the_last_cell_of_a_window_wins_on_both_sides_of_what_a_byte_can_number(size, small):
    layer = nn.MaxPool2d(size)
    x = np.arange(2 * size[0] * 2 * size[1] * 3, dtype=np.float32).reshape(1, 2 * size[0], 2 * size[1], 3)
    y = layer(x)
    assert layer.small() == small
    np.testing.assert_array_equal(y, x[:, size[0] - 1 :: size[0], size[1] - 1 :: size[1]])
    dx, wanted = layer.backward(1 + y), np.zeros_like(x)
    wanted[:, size[0] - 1 :: size[0], size[1] - 1 :: size[1]] = 1 + y
    np.testing.assert_array_equal(dx, wanted)


def test_zeros_go_where_pytorch_puts_them():
    y = nn.ZeroPad2d((1, 2, 3, 0))(np.ones((1, 1, 1, 1), np.float32))
    assert y.shape == (1, 4, 4, 1) and np.argwhere(y).tolist() == [[0, 3, 1, 0]]
    x = normal((2, 4, 5, 3))
    layer = nn.ZeroPad2d((-1, 0, 1, -2))
    np.testing.assert_array_equal(layer(x)[:, 1:], x[:, :2, 1:])
    dx = layer.backward(np.ones((2, 3, 4, 3), np.float32))
    assert dx[:, :2, 1:].all() and dx.sum() == 2 * 2 * 4 * 3


def test_adaptive_pooling_keeps_a_side_that_none_stands_for():
    x = normal((2, 6, 9, 3))
    np.testing.assert_allclose(nn.AdaptiveAvgPool2d((None, 1))(x)[:, :, 0], x.mean(2), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(nn.AdaptiveAvgPool2d((None, None))(x), x)
    assert repr(nn.AdaptiveAvgPool2d((None, None))) == "AdaptiveAvgPool2d(output_size=(None, None))"
    with pytest.raises(TypeError, match="output_size: wanted an int, got None"):
        nn.AdaptiveAvgPool2d(None)


def test_channels_of_groups_take_turns():
    x = np.arange(6, dtype=np.float32).reshape(1, 6)
    layer = nn.ChannelShuffle(2)
    assert layer(x).tolist() == [[0, 3, 1, 4, 2, 5]]
    np.testing.assert_array_equal(layer.backward(layer(x)), x)
    with pytest.raises(ValueError, match=r"C a multiple of groups 4, got shape \(1, 6\)"):
        nn.ChannelShuffle(4)(x)


def test_reshape_gives_samples_another_shape_and_their_gradient_the_old_one():
    x = normal((2, 24))
    layer = nn.Reshape((2, -1, 4))
    assert layer.output_shape((7, 24)) == (7, 2, 3, 4)
    np.testing.assert_array_equal(layer(x), x.reshape(2, 2, 3, 4))
    np.testing.assert_array_equal(layer.backward(layer(x)), x)
    with pytest.raises(
        ValueError, match=r"shape: wanted a multiple of 8 numbers a sample for \(2, -1, 4\), got shape"
    ):
        layer(normal((2, 23)))
    with pytest.raises(ValueError, match="shape: wanted 6 numbers a sample"):
        nn.Reshape((2, 3))(x)
    for wrong in ((-1, -1), (0, 3), (), (1,) * 32):
        with pytest.raises(ValueError, match="shape: wanted"):
            nn.Reshape(wrong)


def test_an_autoencoder_of_these_layers_runs_backward():
    cynet.seed(0)
    model = nn.Sequential(
        nn.ZeroPad2d(1), nn.Conv2d(3, 8, 3), nn.ChannelShuffle(2), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(128, 32), nn.Reshape((4, 4, 2)), nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(2, 3, 1),
    )  # fmt: skip
    x = normal((2, 8, 8, 3))
    found = cynet.check_gradients(model, x)
    assert found.ok, found


@pytest.mark.parametrize(
    "layer", [cynet.AdaptiveAvgPool2d(2**24), cynet.Upsample(2**24), cynet.Upsample(2**24, mode="bilinear")]
)
def test_who_asks_for_a_shape_alone_pays_for_no_tables(layer):
    """A file may tell of a net with such sizes, and is read without any memory for them."""
    tracemalloc.start()
    try:
        assert layer.checked_shape((1, 2**24, 2**24, 1)) == (1, 2**24, 2**24, 1)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
