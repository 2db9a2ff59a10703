"""Layers at the edge of what they take: the last that is taken, and the first that is refused."""

import numpy as np
import pytest

import cynet
from cynet import nn
from cynet.core import random


def drawn(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("kind", [cynet.Dropout, nn.Dropout2d, nn.DropPath])
def test_a_key_is_drawn_in_training_alone_and_where_something_may_be_zeroed(kind):
    x = drawn(3, 4, 5)
    for layer, drawn_from in (
        (kind(0.0), False),
        (kind(0.5).eval(), False),
        (kind(0.5), True),
        (kind(1), True),
    ):
        before = random.get_state()
        y = layer(x)
        assert (random.get_state() != before) == drawn_from
        assert drawn_from or y is x
        assert layer.p < 1 or not y.any()
        np.testing.assert_array_equal(layer.backward(x), y)


def test_a_factor_beyond_all_numbers_is_refused_as_a_large_one():
    for factor in (1e300, 1e9, (2.0, 1e38)):
        with pytest.raises(ValueError, match="scale_factor: wanted an image of 1 to 16777216 pixels"):
            nn.Upsample(scale_factor=factor).output_shape((1, 4, 4, 1))
    with pytest.raises(ValueError, match="scale_factor: wanted an image of 1 to"):
        nn.Upsample(scale_factor=0.2).output_shape((1, 4, 4, 1))
    assert nn.Upsample(scale_factor=0.25).output_shape((1, 4, 4, 1)) == (1, 1, 1, 1)
    assert nn.Upsample(scale_factor=(2**22, 1)).output_shape((1, 4, 4, 1)) == (1, 2**24, 4, 1)
    with pytest.raises(ValueError, match="scale_factor: wanted"):
        nn.Upsample(scale_factor=(2**22 + 1, 1)).output_shape((1, 4, 4, 1))


@pytest.mark.parametrize(("padding", "shape"), [
    ((-4, 0, 0, 0), (1, 5, 1, 2)), ((-2, -2, 0, 0), (1, 5, 1, 2)), ((-5, 9, 0, 0), None),
    ((9, -5, 0, 0), None),
    ((-3, -2, 0, 0), None), ((0, 0, -5, 3), None), ((0, 0, 3, -5), None), ((0, 0, -4, 3), (1, 4, 5, 2)),
])  # fmt: skip
def test_a_pixel_of_each_side_is_left_whatever_is_put_around_it(padding, shape):
    layer = nn.ZeroPad2d(padding)
    if shape is not None:
        assert layer(drawn(1, 5, 5, 2)).shape == shape
        return
    with pytest.raises(ValueError, match="padding: wanted at least 1 pixel to be left of each side, got"):
        layer(drawn(1, 5, 5, 2))


@pytest.mark.parametrize(("dtype", "most"), [(np.int8, 127), (np.uint8, 255), (np.int64, 2**63 - 1)])
def test_batches_are_counted_to_the_end_of_their_dtype(dtype, most):
    norm = cynet.BatchNorm1d(2)
    norm.num_batches_tracked = np.array(most - 1, dtype)
    norm(drawn(3, 2))
    assert norm.num_batches_tracked == most
    with pytest.raises(
        ValueError, match=rf"num_batches_tracked: wanted less than {most} in {np.dtype(dtype)}"
    ):
        norm(drawn(3, 2))
    assert norm.num_batches_tracked == most and norm.eval()(drawn(3, 2)).shape == (3, 2)


@pytest.mark.parametrize("name", ["running_mean", "running_var"])
def test_statistics_that_cannot_be_written_serve_in_evaluation(name):
    norm, x = cynet.BatchNorm1d(2), drawn(3, 2)
    wanted = norm.eval()(x)
    getattr(norm, name).flags.writeable = False
    np.testing.assert_array_equal(norm(x), wanted)
    with pytest.raises(ValueError, match=f"{name}: wanted an array that can be written, got a read-only one"):
        norm.train()(x)


@pytest.mark.parametrize(("kernel", "padding", "bytes_each"), [
    ((51, 5), (25, 2), True), ((255, 1), (127, 0), True), ((16, 16), (8, 8), False),
    ((256, 1), (127, 0), False),
])  # fmt: skip
def test_winners_take_a_byte_up_to_255_cells(kernel, padding, bytes_each):
    pool = cynet.MaxPool2d(kernel, 1, padding)
    assert pool.small() == bytes_each == (pool.places((1, 9, 9, 2))[1].dtype == np.uint8)
    assert not cynet.MaxPool2d((2, 2), dilation=(1, 2)).small()


@pytest.mark.parametrize(
    ("padding", "taken"), [((2, 2), True), ((3, 0), False), ((0, 3), False), (2, True), (3, False)]
)
@pytest.mark.parametrize("kind", [nn.MaxPool1d, nn.AvgPool1d])
def test_the_padding_of_a_pool_over_sequences_is_less_than_its_window_on_both_sides(kind, padding, taken):
    if taken:
        assert kind(3, 1, padding)(drawn(2, 7, 4)).shape == (2, 9, 4)
        return
    with pytest.raises(ValueError, match="padding: wanted less than the kernel 3, got"):
        kind(3, 1, padding)


def test_an_array_has_31_axes_after_the_batch_at_most():
    assert nn.Reshape((1,) * 30 + (-1,))(drawn(2, 3)).shape == (2, *(1,) * 30, 3)
    for sizes in ((1,) * 32, ()):
        with pytest.raises(ValueError, match=f"shape: wanted 1 to 31 sizes, got {len(sizes)}"):
            nn.Reshape(sizes)


@pytest.mark.parametrize(("affine", "bias", "names"), [
    (True, True, ["weight", "bias"]), (True, False, ["weight"]), (False, True, []), (False, False, []),
])  # fmt: skip
def test_a_layer_norm_has_a_shift_only_beside_a_scale(affine, bias, names):
    layer = nn.LayerNorm(4, elementwise_affine=affine, bias=bias)
    assert [p.name for p in layer.parameters()] == names
    assert layer(drawn(3, 4)).std(axis=-1) == pytest.approx(1, rel=1e-3)


def test_a_container_takes_integers_where_a_layer_that_takes_its_input_does():
    embedding = nn.Embedding(5, 4)
    nets = {
        True: [
            cynet.Sequential(embedding, cynet.Tanh()), cynet.Concat(embedding, embedding),
            cynet.Sequential(cynet.Sequential(embedding)),
        ],
        False: [
            cynet.Sequential(cynet.Tanh(), embedding), cynet.Sequential(cynet.Tanh()), cynet.Sequential(),
            cynet.Residual(cynet.Sequential(cynet.Tanh(), embedding)),
        ],
    }  # fmt: skip
    for takes, models in nets.items():
        for model in models:
            assert model.takes_integers == takes, model
    with pytest.raises(TypeError, match="Sequential input: wanted"):
        nets[False][1](np.zeros((2, 3), np.int64))


@pytest.mark.parametrize(
    ("p", "refused"), [(0, False), (1, False), (-0.01, True), (1.01, True), (np.nan, True)]
)
@pytest.mark.parametrize("kind", [cynet.Dropout, nn.Dropout2d, nn.DropPath])
def test_a_probability_is_from_0_to_1_also_where_it_is_set(kind, p, refused):
    layer = kind(0.5)
    layer.p = p
    if not refused:
        assert kind(p).p == p and layer(drawn(2, 3, 4)).shape == (2, 3, 4)
        return
    for call in (lambda: kind(p), lambda: layer(drawn(2, 3, 4))):
        with pytest.raises(ValueError, match=r"p: wanted a number in \[0, 1\], got"):
            call()


def test_a_transposed_convolution_leaves_a_pixel():
    x = drawn(1, 1, 2, 3)  # 3 x 4 pixels before some are cut off
    assert nn.ConvTranspose2d(3, 2, 3, padding=(1, 1, 1, 2))(x).shape == (1, 1, 1, 2)
    for padding, words in (
        ((2, 0, 1, 0), "height: wanted padding of less than 3, the output's pixels, got 2 and 1"),
        ((0, 2, 0, 2), "width: wanted padding of less than 4, the output's pixels, got 2 and 2"),
    ):
        with pytest.raises(ValueError, match=words):
            nn.ConvTranspose2d(3, 2, 3, padding=padding)(x)
    large = nn.ConvTranspose2d(1, 1, 1, stride=2**14)
    assert large.output_shape((1, 1, 2**14, 1)) == (1, 1, 2**14 * (2**14 - 1) + 1, 1)
    with pytest.raises(ValueError, match="output: wanted at most 268435456 pixels with the padding, got 1 x"):
        large.output_shape((1, 1, 2**14 + 2, 1))
    doubled = nn.ConvTranspose2d(1, 1, 2, stride=2)  # four times as many as there are may be
    assert doubled.output_shape((1, 2**13, 2**13 + 1, 1)) == (1, 2**14, 2**14 + 2, 1)


@pytest.mark.parametrize(("ceil", "words"), [
    (False, "height: wanted a kernel of at most 5 pixels, the padded input (1 + 3 + 1), got a kernel of 7"),
    (True, "height: wanted a kernel of at most 6 pixels, the padded input (1 + 3 + 1) and stride - 1, "
           "got a kernel of 7"),
])  # fmt: skip
def test_a_window_that_is_too_large_is_told_with_what_there_is(ceil, words):
    with pytest.raises(ValueError) as caught:
        cynet.MaxPool2d((7, 1), 2, (1, 0), ceil_mode=ceil)(drawn(1, 3, 3, 1))
    assert str(caught.value).endswith(words)
