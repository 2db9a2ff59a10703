"""Nets in eight bits: arithmetic by exact fractions, steps by loops, numbers beside float32."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cynet
from cynet.interop.int8 import arithmetic, observing
from cynet.interop.int8.quantities import Quantity, weights
from cynet.interop.int8.quantizing import quantized, with_levels
from cynet.interop.int8.running import WHOLE, QuantizedNet, run
from cynet.interop.program import folding
from cynet.interop.program.lowering import lower

INTS = st.integers(-(2**31), 2**31 - 1)


# -- arithmetic ----------------------------------------------------------------------------------------------
def rounded(x, m, shift):
    """What gemmlowp's two steps come to, by fractions: halves upward, then halves away from zero."""
    high = floor(Fraction(x * 2 ** max(shift, 0) * m, 2**31) + Fraction(1, 2))
    part = Fraction(high, 2 ** max(-shift, 0))
    away = floor(abs(part) + Fraction(1, 2))
    return away if part >= 0 else -away


@given(x=INTS, m=st.integers(-(2**31) + 1, 2**31 - 1), shift=st.integers(-31, 0))
def test_products_are_rounded_as_in_tflite(x, m, shift):
    assert arithmetic.times(np.array([x]), m, shift)[0] == rounded(x, m, shift)


@given(x=st.integers(-(2**20), 2**20), m=st.integers(2**30, 2**31 - 1), shift=st.integers(1, 10))
def test_and_with_factors_above_one(x, m, shift):
    assert arithmetic.times(np.array([x]), m, shift)[0] == rounded(x, m, shift)


@given(st.floats(1e-9, 1e8) | st.floats(-1e8, -1e-9))
def test_a_factor_is_31_bits_and_a_shift(factor):
    m, shift = arithmetic.multiplier(factor)
    assert 2**30 <= abs(m) < 2**31 and abs(m * 2.0 ** (shift - 31) - factor) <= abs(factor) * 2.0**-31


@pytest.mark.parametrize(
    ("factor", "pair"),
    [
        (0.0, (0, 0)), (1.0, (2**30, 1)), (0.5, (2**30, 0)), (-0.75, (-3 * 2**29, 0)),
        (1 - 2.0**-40, (2**30, 1)), (2.0**-32, (2**30, -31)), (2.0**-33, (0, 0)),
    ],
)  # fmt: skip
def test_factors_at_the_ends(factor, pair):
    assert arithmetic.multiplier(factor) == pair


def test_sums_are_divided_half_away_from_zero():
    total = np.array([-5, -3, -2, -1, 0, 1, 2, 3, 5])
    assert arithmetic.divided(total, np.full(9, 2)).tolist() == [-3, -2, -1, -1, 0, 1, 1, 2, 3]
    assert arithmetic.divided(total, np.full(9, 3)).tolist() == [-2, -1, -1, 0, 0, 0, 1, 1, 2]


@given(low=st.floats(-1e6, 1e6), high=st.floats(-1e6, 1e6))
def test_a_range_holds_zero_exactly_and_its_ends_within_half_a_step(low, high):
    low, high = sorted((low, high))
    found = Quantity.of(low, high)
    assert found.real(found.quantized(np.zeros(1, np.float32)))[0] == 0
    ends = np.array([min(low, 0), max(high, 0)], np.float32)
    assert np.abs(found.real(found.quantized(ends)) - ends).max() <= found.scale * 1.001
    assert found.quantized(np.array([np.inf, -np.inf, np.nan], np.float32)).tolist() == [
        127,
        -128,
        found.zero,
    ]


def test_halves_are_rounded_away_from_zero():
    one = Quantity(1.0, 3)
    assert one.quantized(np.array([0.5, -0.5, 1.5, 0.49, -2.5], np.float32)).tolist() == [4, 2, 5, 3, 0]


def test_filters_have_a_scale_each_and_no_128():
    weight = np.array([[[[1.0, -2.0]]], [[[0.001, -0.0006]]], [[[0.0, 0.0]]]], np.float32)
    whole, scales = weights(weight)
    assert whole.reshape(3, 2).tolist() == [[64, -127], [127, -76], [0, 0]]
    np.testing.assert_allclose(scales[:2], [2 / 127, 0.001 / 127])


# -- steps ---------------------------------------------------------------------------------------------------
def layers():
    """Nets of one picture (6, 5, 4) each, of every step that there is."""
    yield (
        "conv",
        cynet.Sequential(
            cynet.Conv2d(4, 6, 3, stride=2, padding=(0, 1, 2, 1), dilation=(1, 2)), cynet.ReLU()
        ),
    )
    yield "depth-wise", cynet.Sequential(cynet.Conv2d(4, 4, 3, padding=1, groups=4), cynet.ReLU6())
    yield "groups", cynet.Conv2d(4, 6, 2, groups=2)
    yield "linear", cynet.Sequential(cynet.Flatten(), cynet.Linear(120, 5))
    yield "norm", cynet.Sequential(cynet.Tanh(), cynet.BatchNorm2d(4), cynet.ReLU())
    yield "folded norm", cynet.Sequential(cynet.Conv2d(4, 3, 1, bias=False), cynet.BatchNorm2d(3))
    yield (
        "pools",
        cynet.Sequential(cynet.MaxPool2d(3, 2, 1), cynet.AvgPool2d(2, 1, 1, count_include_pad=False)),
    )
    yield "ceil", cynet.Sequential(cynet.AvgPool2d(3, 2, 1, ceil_mode=True))
    yield "mean", cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(4, 3))
    yield "max", cynet.GlobalMaxPool2d()
    yield "prelu", cynet.Sequential(cynet.PReLU(4, init=-0.3))
    yield (
        "moves",
        cynet.Sequential(
            cynet.ChannelShuffle(2),
            cynet.ZeroPad2d((1, -1, 2, 0)),
            cynet.Upsample(scale_factor=2),
            cynet.Reshape((-1, 4)),
        ),
    )
    for curve in ("SiLU", "GELU", "Sigmoid", "Hardswish", "Hardsigmoid", "ELU", "Softplus", "LeakyReLU"):
        yield curve, getattr(cynet, curve)()
    x = cynet.Input((6, 5, 4))
    y = cynet.Conv2d(4, 4, 3, padding=1)(x)
    z = cynet.Add()(x, y, cynet.Sigmoid()(y))
    z = cynet.ReLU()(cynet.Add()(z, x))
    yield "graph", cynet.Graph(x, cynet.Concatenate()(cynet.Multiply()(z, y, x), z, y))


LAYERS = dict(layers())


def net(name):
    model = LAYERS[name].eval()
    rng = np.random.default_rng(3)
    for _, layer in model.walk():
        if "running_mean" in layer.buffers:
            layer.running_mean[...] = 0.3 * rng.standard_normal(layer.running_mean.shape)
            layer.running_var[...] = 0.5 + rng.random(layer.running_var.shape)
    return model, rng.standard_normal((40, 6, 5, 4), np.float32)


@pytest.mark.parametrize("name", LAYERS)
def test_the_values_that_ranges_are_taken_of_are_those_of_the_net(name):
    model, x = net(name)
    program = folding.with_curves(folding.folded(lower(model, (6, 5, 4))), ("relu", "relu6"))
    *_, (_, y) = observing.values(program, x)
    np.testing.assert_allclose(y, model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_eight_bits_are_near_the_net(name):
    """Within some steps of 255 of the range of what it gives."""
    model, x = net(name)
    wanted = model(x)
    found = QuantizedNet(quantized(model, (6, 5, 4), x))(x)
    assert found.shape == wanted.shape
    span = np.ptp(wanted)
    assert (
        np.abs(found - wanted).mean() <= 0.02 * span
        and np.quantile(np.abs(found - wanted), 0.99) <= 0.1 * span
    )


def looped(step, x, out):
    """A conv of one picture, number by number."""
    numbers, weight = step.numbers, step.arrays["weight"]
    filters, depth, rows, columns = weight.shape
    y = np.zeros((*out[:2], filters), np.int64)
    for i, j, o in np.ndindex(*y.shape):
        total = int(step.arrays["bias"][o])
        first = o // (filters // numbers["groups"]) * depth
        for r, c, d in np.ndindex(rows, columns, depth):
            row = i * numbers["stride"][0] + r * numbers["dilation"][0] - numbers["padding"][0]
            column = j * numbers["stride"][1] + c * numbers["dilation"][1] - numbers["padding"][1]
            if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
                total += (int(x[row, column, first + d]) - numbers["zero"]) * int(weight[o, d, r, c])
        found = rounded(total, int(step.arrays["m"][o]), int(step.arrays["shift"][o])) + numbers["out"]
        y[i, j, o] = min(max(found, numbers["low"]), numbers["high"])
    return y


@pytest.mark.parametrize("name", ["conv", "depth-wise", "groups"])
def test_a_convolution_is_its_loops_to_the_bit(name):
    model, x = net(name)
    program = quantized(model, (6, 5, 4), x)
    first, step = program.steps
    q = program.quantities[first.output].quantized(x[:3])
    wanted = [looped(step, one, program.shapes[step.output]) for one in q]
    np.testing.assert_array_equal(run(program, x[:3]), wanted)


def test_sums_and_means_are_their_loops_to_the_bit():
    model, x = net("graph")
    program = quantized(model, (6, 5, 4), x)
    step = next(step for step in program.steps if step.operation == "add")
    a, b = (int(one) for one in np.random.default_rng(0).integers(-128, 128, 2))
    terms = zip((a, b), *(step.arrays[name].tolist() for name in ("zero", "m", "shift")), strict=True)
    total = sum(rounded((q - zero) * 2**20, m, shift) for q, zero, m, shift in terms)
    wanted = rounded(total, step.numbers["m"], step.numbers["shift"]) + step.numbers["out"]
    found = WHOLE["add"](program, step, [np.array([[a]], np.int8), np.array([[b]], np.int8)])
    assert found.item() == min(max(wanted, step.numbers["low"]), step.numbers["high"])


def test_bytes_and_what_a_loader_makes_of_them_give_the_same_whole_numbers():
    model, _ = net("conv")
    levels = np.linspace(-2, 2.5, 256 * 4, dtype=np.float32).reshape(256, 4)
    pictures = np.random.default_rng(0).integers(0, 256, (9, 6, 5, 4), np.uint8)
    x = levels[pictures, np.arange(4)]
    program = quantized(model, (6, 5, 4), x)
    np.testing.assert_array_equal(run(with_levels(program, levels), pictures), run(program, x))


def test_no_sample_gives_none():
    model, x = net("mean")
    program = quantized(model, (6, 5, 4), x)
    assert run(program, x[:0]).shape == (0, 3)
    with pytest.raises(ValueError, match=r"wanted \(N, 6, 5, 4\), got \(2, 5, 5, 4\)"):
        QuantizedNet(program)(np.zeros((2, 5, 5, 4), np.float32))


# -- what is refused -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        (
            cynet.Sequential(cynet.Softmax(), cynet.LayerNorm(4)),
            (4,),
            r"eight bits, got 0 \(softmax\), 1 \(layer_norm\)",
        ),
        (
            cynet.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
            (6, 5, 4),
            "eight bits, got conv2d \\(reflect padding\\)",
        ),
        (cynet.Linear(70_000, 1), (70_000,), "wanted sums of at most 65,793 products, got 70,000"),
    ],
)
def test_what_there_is_not_in_eight_bits_is_named(model, shape, text):
    with pytest.raises(ValueError, match=text):
        quantized(model.eval(), shape, np.ones((2, *shape), np.float32))


def test_samples_of_another_shape_are_refused():
    for samples in (np.ones((3, 5), np.float32), np.ones((0, 4), np.float32), np.ones(4, np.float32)):
        with pytest.raises(ValueError, match=r"samples: wanted shape \(N, 4,\), got"):
            quantized(cynet.Linear(4, 2), (4,), samples)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    net, x = (
        cynet.Sequential(cynet.Conv2d(2, 3, 3), cynet.ReLU(), cynet.Flatten()),
        np.ones((2, 4, 4, 2), np.float32),
    )
    x[1, 2, 2, 0] = bad
    with pytest.raises(ValueError, match=r"^samples: wanted finite numbers, got NaN or Inf among them$"):
        quantized(net, (4, 4, 2), x)
    net.parameters()[0].data[...] = bad
    with pytest.raises(ValueError, match=r"^model: wanted a net whose values are finite .* after 1$"):
        quantized(net, (4, 4, 2), np.ones_like(x))
