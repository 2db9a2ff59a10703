"""A depth-wise convolution between two of 1x1, by bands of rows: the bytes of the three one by one."""

import numpy as np
import pytest
from helpers import frozen
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cynet
from cynet import nn
from cynet.core import threads
from cynet.kernels.conv import banded
from cynet.kernels.conv.banded import Banded
from cynet.kernels.conv.depthwise import DepthwiseConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")]
RELUS = st.sampled_from([0, 1, 6])
AXIS = st.tuples(st.integers(1, 5), st.integers(1, 4))  # taps, stride


def layers_of(shape, inner, outputs, window, wide=True):
    """The algorithms of a block: images (N, H, W, C), windows (kernel, stride, padding)."""
    found = []
    if wide:
        problem = Problem.of(shape, inner, (1, 1), (1, 1), (0, 0, 0, 0))
        found, shape = [TiledConvolution(problem)], problem.out_shape
    deep = Problem.of(shape, inner, *window, inner)
    narrow = Problem.of(deep.out_shape, outputs, (1, 1), (1, 1), (0, 0, 0, 0))
    return [*found, DepthwiseConvolution(deep), TiledConvolution(narrow)]


def numbers(shape, seed):
    return frozen(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


def filters_of(layers):
    return [
        (layer.pack(numbers(layer.weight_shape, i)), layer.padded(numbers(layer.out_shape[3:], 9 + i)))
        for i, layer in enumerate(layers)
    ]


def one_by_one(layers, filters, relus, x, residual):
    for layer, (packed, bias), relu in zip(layers, filters, relus, strict=True):
        y = np.full(layer.out_shape, np.nan, np.float32)
        scratch = np.empty(layer.scratch_floats(1), np.float32)
        layer.apply(x, packed, bias, y, scratch, 1, relu, residual if layer is layers[-1] else None)
        x = y
    return x


def in_bands(layers, filters, relus, x, residual, count):
    block = Banded(layers, count)
    y = np.full(block.out_shape, np.nan, np.float32)
    edge = 64
    scratch = np.full(block.scratch_floats(count) + edge, np.nan, np.float32)
    block.kept(filters, relus, y, scratch, count)(x, residual)
    assert np.isnan(scratch[-edge:]).all()  # nobody wrote behind its scratch
    return y


@settings(max_examples=250)
@given(
    st.tuples(*[st.integers(1, n) for n in (5, 12, 13, 20)]), st.integers(1, 50), st.integers(1, 40),
    AXIS, AXIS, st.data(),
)  # fmt: skip
def test_it_gives_the_bytes_of_its_layers(shape, inner, outputs, vertical, horizontal, data):
    (taps_y, step_y), (taps_x, step_x) = vertical, horizontal
    padding = tuple(data.draw(st.integers(0, n - 1)) for n in (taps_y, taps_x, taps_y, taps_x))
    assume(shape[1] + padding[0] + padding[2] >= taps_y and shape[2] + padding[1] + padding[3] >= taps_x)
    wide = data.draw(st.booleans())
    window = (taps_y, taps_x), (step_y, step_x), padding
    layers = layers_of(shape if wide else (*shape[:3], inner), inner, outputs, window, wide)
    filters, relus = filters_of(layers), [data.draw(RELUS) for _ in layers]
    x, residual = numbers(layers[0].in_shape, 20), None
    if data.draw(st.booleans()):
        residual, relus[-1] = numbers(layers[-1].out_shape, 21), 0
    wanted = one_by_one(layers, filters, relus, x, residual)
    before = banded.BAND_FLOATS
    try:
        for banded.BAND_FLOATS in (1, data.draw(st.integers(2, 4000)), 10**6):
            for count in (1, 2, 3):
                found = in_bands(layers, filters, relus, x, residual, count)
                np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))
    finally:
        banded.BAND_FLOATS = before


def test_nan_and_infinity_reach_what_their_windows_reach():
    layers = layers_of((1, 9, 9, 8), 16, 8, ((3, 3), (1, 1), (1, 1, 1, 1)))
    filters, relus, x = filters_of(layers), [6, 6, 0], numbers((1, 9, 9, 8), 1).copy()
    x[0, 2, 3, 4], x[0, 7, 7, 1] = np.nan, np.inf
    wanted = one_by_one(layers, filters, relus, x, None)
    assert np.isnan(wanted).any() and not np.isnan(wanted).all()
    found = in_bands(layers, filters, relus, x, None, 2)
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


@pytest.mark.parametrize(
    ("batch", "count", "parts"),
    [
        (1, 1, 1),
        (1, 2, 2),
        (2, 2, 1),
        (3, 2, 2),
        (2, 4, 2),
        (3, 4, 4),
        (16, 4, 1),
        (17, 4, 1),
        (15, 4, 4),
        (0, 2, 1),
    ],
)
def test_images_are_cut_where_threads_would_not_have_as_many_of_them(batch, count, parts):
    layers = layers_of((batch, 12, 12, 8), 32, 8, ((3, 3), (1, 1), (1, 1, 1, 1)))
    assert Banded(layers, count).parts == parts


def test_no_images_are_none():
    layers = layers_of((0, 12, 12, 8), 32, 8, ((3, 3), (1, 1), (1, 1, 1, 1)))
    assert in_bands(layers, filters_of(layers), [0, 0, 0], numbers((0, 12, 12, 8), 1), None, 2).shape == (
        0,
        12,
        12,
        8,
    )


def test_it_suits_large_images_whose_parts_have_rows_enough():
    window = (3, 3), (1, 1), (1, 1, 1, 1)
    assert Banded.suits(layers_of((1, 12, 12, 16), 128, 16, window), 4)
    assert not Banded.suits(layers_of((1, 12, 12, 16), 128, 16, window), 5)
    assert Banded.suits(layers_of((8, 12, 12, 16), 128, 16, window), 8)
    assert not Banded.suits(layers_of((1, 12, 12, 16), 64, 16, window), 1)
    assert Banded.suits(layers_of((1, 12, 12, 128), 128, 16, window, wide=False), 2)
    three = layers_of((1, 12, 12, 16), 128, 16, window)
    assert not Banded.suits(three[:1] + three[2:], 1) and not Banded.suits(three[::2] + three[1:2], 1)
    strided = TiledConvolution(Problem.of(three[1].out_shape, 16, (1, 1), (2, 2), (0, 0, 0, 0)))
    padded = TiledConvolution(Problem.of(three[1].out_shape, 16, (1, 1), (1, 1), (1, 0, 0, 1)))
    larger = TiledConvolution(Problem.of(three[1].out_shape, 16, (1, 3), (1, 1), (0, 1, 0, 1)))
    grouped = TiledConvolution(Problem.of(three[1].out_shape, 16, (1, 1), (1, 1), (0, 0, 0, 0), 2))
    for other in (strided, padded, larger, grouped):
        assert not Banded.suits([*three[:2], other], 1)


# -- in plans ------------------------------------------------------------------------------------------------
def inverted(inputs, inner, outputs, stride=1, relu=nn.ReLU6, norm=True):
    def normed(channels):
        return [nn.BatchNorm2d(channels)] if norm else []

    layers = [nn.Conv2d(inputs, inner, 1, bias=not norm), *normed(inner), relu()] if inner != inputs else []
    layers += [nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=not norm), *normed(inner), relu()]
    return cynet.Sequential(*layers, nn.Conv2d(inner, outputs, 1, bias=not norm), *normed(outputs))


def evaluated(model, x, monkeypatch, least):
    monkeypatch.setattr(banded, "LEAST_FLOATS", least)
    vars(model).pop("_plans", None)
    with cynet.no_grad():
        y = model.eval()(x)
    (plan,) = model._plans[x.shape]
    return y, plan


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("relu", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_plan_runs_blocks_in_bands_and_gives_what_it_gave(monkeypatch, batch, relu, norm):
    cynet.seed(1)
    model = cynet.Sequential(
        nn.Conv2d(3, 32, 3, 2, 1),
        relu(),
        inverted(32, 32, 8, relu=relu, norm=norm),
        nn.Residual(inverted(8, 48, 8, relu=relu, norm=norm)),
        inverted(8, 48, 16, 2, relu=relu, norm=norm),
        nn.Residual(inverted(16, 96, 16, relu=relu, norm=norm)),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Linear(16, 4),
    )
    x = numbers((batch, 48, 40, 3), 3)
    for _ in range(3):
        model.train()(x)
    y, plan = evaluated(model, x, monkeypatch, 1)
    kinds = [type(step).__name__ for step in plan._convolutions]
    assert kinds == ["Convolve", "InBands", "InBands", "InBands", "InBands", "Convolve"]
    wanted, plan = evaluated(model, x, monkeypatch, 10**9)
    assert not any(type(step).__name__ == "InBands" for step in plan._convolutions)
    assert y.tobytes() == wanted.tobytes()
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        assert evaluated(model, x, monkeypatch, 1)[0].tobytes() == wanted.tobytes()


def test_changed_weights_of_a_block_are_seen(monkeypatch):
    cynet.seed(1)
    model = inverted(8, 48, 8)
    x = numbers((1, 16, 16, 8), 3)
    model(x)
    before, plan = evaluated(model, x, monkeypatch, 1)
    assert [type(step).__name__ for step in plan._steps] == ["InBands"]
    for at, name in (
        (0, "weight"),
        (1, "bias"),
        (3, "weight"),
        (4, "running_mean"),
        (6, "weight"),
        (7, "running_var"),
    ):
        array = getattr(model[at], name)
        array = array if isinstance(array, np.ndarray) else array.data
        array[...] = array + 0.5
        with cynet.no_grad():
            after = model(x)
        assert not np.array_equal(after, before)
        assert np.array_equal(after, evaluated(model, x, monkeypatch, 10**9)[0])
        before = evaluated(model, x, monkeypatch, 1)[0]


def test_a_block_in_bands_needs_no_memory_for_what_lies_between(monkeypatch):
    model, x = inverted(8, 64, 8), numbers((1, 32, 32, 8), 3)
    _, plan = evaluated(model, x, monkeypatch, 1)
    assert not plan._spare
    _, plan = evaluated(model, x, monkeypatch, 10**9)
    assert [buffer.size for buffer in plan._spare] == [32 * 32 * 64]
