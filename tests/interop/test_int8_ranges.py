"""Ranges and factors of nets in eight bits, worked out a second time: by hand, and by brute force."""

import itertools
import weakref

import numpy as np
import pytest

import cynet
from cynet.interop.int8 import observing, quantizing, running
from cynet.interop.int8.arithmetic import multiplier, times
from cynet.interop.int8.quantities import Quantity, weights
from cynet.interop.int8.quantizing import quantized, with_levels
from cynet.interop.int8.running import run
from cynet.interop.program.lowering import lower

RNG = np.random.default_rng(11)
ONLY = cynet.Sequential(cynet.ReLU())  # a net of a curve


def ranges(values):
    """What is found for the input of a net that is given these numbers, one a sample."""
    program = lower(ONLY, (1,))
    return observing.ranges(program, np.asarray(values, np.float32)[:, None])[program.inputs[0]]


def best(counts, low, high):
    """The ends of least squared error: of each bin by its middle, a twelfth of a step squared within."""
    places = np.arange(30, 101, 2) / 100 if low < 0 else np.arange(30, 101) / 100
    middles = low + (high - low) * (2 * np.arange(2048) + 1) / 4096
    found = []
    for below in np.arange(30, 101) / 100 if low < 0 else [1.0]:
        for above in places:
            first, last = low * below, high * above
            clipped = np.clip(middles, first, last)
            inside = counts[clipped == middles].sum()
            error = (counts * (middles - clipped) ** 2).sum() + inside * ((last - first) / 255) ** 2 / 12
            found.append((error, -below, -above))
    _, below, above = min(found)
    return low * -below, high * -above


def spread(values):
    """(counts, low, high): the histogram that ranges are found by."""
    low, high = min(float(min(values)), 0.0), max(float(max(values)), 0.0)
    return np.histogram(np.float32(values), 2048, (low, high))[0], low, high


NORMAL = RNG.standard_normal(500).astype(np.float32)


@pytest.mark.parametrize("values", [
    NORMAL, NORMAL**3, np.abs(NORMAL), -np.abs(NORMAL), np.append(np.abs(NORMAL) * 0.01 + 3, 8), [5.0] * 200,
    [0.5],
], ids=range(7))  # fmt: skip
def test_ranges_are_those_of_least_squared_error(values):
    assert ranges(values) == pytest.approx(best(*spread(values)), rel=1e-9)


@pytest.mark.parametrize("scale", [1e3, 1e5, 1e9])
@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-2.0, 6.0), (-8.0, 1.0), (-3.0, 0.0)])
def test_what_is_rare_and_far_away_is_clipped(low, high, scale):
    """The more numbers there are, the less one of them counts."""
    middles = low + (high - low) * (np.arange(2048) + 0.5) / 2048
    counts = (scale * np.exp(-30 * np.abs(middles) / (high - low))).astype(np.int64) // 100 + (
        middles > 0.99 * high
    )
    found = observing._best(counts, low, high)
    assert found == pytest.approx(best(counts, low, high), rel=1e-9)
    assert found[1] - found[0] < high - low or scale == 1e3


def test_ranges_hold_zero_and_what_all_batches_hold():
    assert ranges(np.zeros(5)) == (0, 0)
    values = np.zeros(130, np.float32)
    values[[3, 70, 129]] = 1, -2, 3  # one in each batch
    low, high = ranges(np.repeat(values, 1))
    assert (low, high) == pytest.approx(best(*spread(values))) and low < 0 < high


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_no_infinity_of_either_sign_has_a_range(bad):
    with pytest.raises(ValueError, match=r"^samples: wanted finite numbers"):
        ranges([1.0, bad, 2.0])


@pytest.mark.parametrize("whole", [False, True], ids=["float32", "eight bits"])
def test_values_are_let_go_once_nobody_wants_them(whole, monkeypatch):
    """A deep net is not held with all its values at once."""
    layers = [cynet.ELU(alpha=1 + k) for k in range(8)]
    x = RNG.standard_normal((3, 4)).astype(np.float32)
    program = lower(cynet.Sequential(*layers), (4,))
    alive, most = [], 0

    def note(value):
        nonlocal most
        alive.append(weakref.ref(value))
        most = max(most, sum(one() is not None for one in alive))

    if whole:
        table = running.WHOLE["table"]

        def noted(*given):
            note(found := table(*given))
            return found

        monkeypatch.setitem(running.WHOLE, "table", noted)
        run(quantized(cynet.Sequential(*layers), (4,), x), x)
    else:
        for _, value in observing.values(program, x):
            note(value)
            del value
    assert len(alive) >= 8 and most <= 3


# -- the numbers of steps ------------------------------------------------------------------------------------
def made(model, shape, count=50):
    """(quantised program, its samples, the quantities of its values)"""
    samples = RNG.standard_normal((count, *shape)).astype(np.float32)
    program = quantized(model.eval(), shape, samples)
    return program, samples, program.quantities


@pytest.mark.parametrize(("curve", "high"), [(cynet.ReLU, None), (cynet.ReLU6, 6.0), (None, None)])
def test_the_numbers_of_a_product(curve, high):
    linear = cynet.Linear(5, 4)
    linear.weight.data *= 9
    linear.bias.data[:] = RNG.standard_normal(4)
    program, _, known = made(cynet.Sequential(linear, *([curve()] if curve else [])), (5,))
    first, step = program.steps
    given, own = known[first.output], known[step.output]
    whole, scales = weights(linear.weight.data[:, :, None, None])
    assert (step.operation, first.numbers) == ("conv", {"scale": given.scale, "out": given.zero})
    np.testing.assert_array_equal(step.arrays["weight"], whole)
    wanted = linear.bias.data.astype(float) / (given.scale * scales)
    np.testing.assert_array_equal(step.arrays["bias"], np.round(wanted))
    pairs = [multiplier(given.scale * scale / own.scale) for scale in scales]
    assert list(zip(step.arrays["m"].tolist(), step.arrays["shift"].tolist(), strict=True)) == pairs
    low = own.zero if curve else -128
    most = 127 if high is None else min(127, own.zero + round(high / own.scale))
    assert [step.numbers[name] for name in ("zero", "out", "low", "high")] == [
        given.zero,
        own.zero,
        low,
        most,
    ]
    assert curve is not cynet.ReLU6 or own.real(np.array([most], np.int8)) == pytest.approx(6, abs=own.scale)


def test_the_numbers_of_sums_products_and_concatenations():
    x = cynet.Input((3,))
    y, z = cynet.Tanh()(x), cynet.Softplus()(x)
    for layer, operation in (
        (cynet.Add(), "add"), (cynet.Multiply(), "multiply"), (cynet.Concatenate(), "concat"),
    ):  # fmt: skip
        program, _, known = made(cynet.Graph(x, layer(y, z)), (3,))
        step = program.steps[-1]
        one, two, own = *(known[value] for value in step.inputs), known[step.output]
        assert step.operation == operation and step.arrays["zero"].tolist() == [one.zero, two.zero]
        assert step.numbers["out"] == own.zero
        if operation == "multiply":
            pair = multiplier(one.scale * two.scale / own.scale)
            assert (step.numbers["m"], step.numbers["shift"]) == pair
            continue
        whole = 2 * max(one.scale, two.scale) if operation == "add" else own.scale
        found = zip(step.arrays["m"].tolist(), step.arrays["shift"].tolist(), strict=True)
        assert list(found) == [multiplier(one.scale / whole), multiplier(two.scale / whole)]
        if operation == "add":
            pair = multiplier(whole / (2**20 * own.scale))
            assert (step.numbers["m"], step.numbers["shift"]) == pair


def test_the_numbers_of_means_and_of_what_keeps_its_scale():
    layers = cynet.Softplus(), cynet.ZeroPad2d(1), cynet.AvgPool2d(2, padding=1), cynet.GlobalAvgPool2d()
    program, _, known = made(cynet.Sequential(*layers), (4, 3, 2))
    curve, pad, pool, mean = program.steps[1:]
    kept = known[curve.output]
    assert kept.zero != 0 and known[pad.output] == known[pool.output] == kept != known[mean.output]
    assert pad.numbers["fill"] == pool.numbers["zero"] == mean.numbers["zero"] == kept.zero
    count = np.prod(program.shapes[pool.output][:2])
    pair = multiplier(kept.scale / (known[mean.output].scale * count))
    assert (mean.numbers["m"], mean.numbers["shift"]) == pair
    assert mean.numbers["out"] == known[mean.output].zero


@pytest.mark.parametrize("layer", ["Add", "Multiply"])
def test_sums_of_many_are_sums_of_two_and_only_the_last_is_bent(layer):
    x = cynet.Input((4,))
    parts = [cynet.Tanh()(x), cynet.Sigmoid()(x), cynet.ELU()(x)]
    y = cynet.ReLU()(getattr(cynet, layer)()(x, *parts))
    program, samples, known = made(cynet.Graph(x, y), (4,))
    steps = [step for step in program.steps if step.operation == layer.lower()]
    assert [len(step.inputs) for step in steps] == [2, 2, 2]
    for before, step in itertools.pairwise(steps):
        assert step.inputs[0] == before.output
    values = [step.output for step in program.steps]
    assert len(set(values)) == len(values) and not {*values} & {*program.inputs}
    if layer == "Add":
        clamped = [step.numbers["low"] == known[step.output].zero for step in steps]
        assert clamped == [False, False, True] and [step.numbers["low"] for step in steps[:2]] == [-128, -128]
    wanted = cynet.Graph(x, y)(samples)
    found = program.answer.real(run(program, samples))
    assert np.abs(found - wanted).max() <= 0.04 * np.ptp(wanted)


# -- sums that float32 cannot hold ---------------------------------------------------------------------------
@pytest.mark.parametrize("groups", [1, 2])
def test_sums_beyond_what_float32_has_are_exact(groups):
    model = cynet.Conv2d(600, 4, 3, groups=groups)
    model.weight.data[:] = np.abs(model.weight.data) + 0.5  # all of a sign, near the largest
    program, samples, known = made(model, (3, 3, 600), 4)
    first, step = program.steps
    q = known[first.output].quantized(np.abs(samples) * 3).astype(np.int64) - step.numbers["zero"]
    weight = step.arrays["weight"].astype(np.int64)
    assert 255 * np.abs(weight.reshape(4, -1)).sum(axis=1).max() >= 2**24
    each = 600 // groups
    total = np.stack([
        np.einsum("nhwc,chw->n", q[..., o * groups // 4 * each :][..., :each], weight[o]) for o in range(4)
    ], axis=1) + step.arrays["bias"]  # fmt: skip
    assert np.abs(total).max() > 2**24 and (total % 2).any()
    found = times(total, step.arrays["m"], step.arrays["shift"]) + step.numbers["out"]
    wanted = np.clip(found, step.numbers["low"], step.numbers["high"])
    np.testing.assert_array_equal(run(program, np.abs(samples) * 3).reshape(4, 4), wanted)


def test_as_many_products_as_32_bits_hold_and_no_more():
    assert quantizing.MOST_TERMS == 65_793
    linear = cynet.Linear(65_793, 1)
    samples = np.ones((1, 65_793), np.float32)
    assert run(quantized(linear, (65_793,), samples), samples).shape == (1, 1)
    with pytest.raises(ValueError, match=r"^linear: wanted sums of at most 65,793 products, got 65,794$"):
        quantized(cynet.Linear(65_794, 1), (65_794,), np.ones((1, 65_794), np.float32))


def test_biases_are_bounded_below_what_a_sum_may_take():
    linear = cynet.Linear(2, 2)
    linear.weight.data[:] = 1e-6
    linear.bias.data[:] = 1e9, -1e9
    program, _, _ = made(linear, (2,))
    assert program.steps[-1].arrays["bias"].tolist() == [2**30, -(2**30)]


# -- bytes, refusals -----------------------------------------------------------------------------------------
def test_levels_stand_by_channel():
    program, _, known = made(cynet.Sequential(cynet.ReLU()), (2, 2, 3))
    levels = RNG.standard_normal((256, 3)).astype(np.float32)
    found = with_levels(program, levels)
    first = found.steps[0]
    assert first.operation == "levels" and found.dtype(found.inputs[0]) == "uint8"
    np.testing.assert_array_equal(first.arrays["table"], known[first.output].quantized(levels).T)
    assert found.steps[1:] == program.steps[1:]


def test_every_stranger_is_named_up_to_ten():
    model = cynet.Sequential(*(cynet.Softmax() for _ in range(12)))
    names = ", ".join(f"{k} (softmax)" for k in range(10))
    with pytest.raises(ValueError) as caught:
        quantized(model, (4,), np.ones((1, 4), np.float32))
    assert str(caught.value) == f"model: wanted layers that there are in eight bits, got {names}"


def test_nets_of_several_ends_or_of_integers_are_refused():
    x, y = cynet.Input((3,)), cynet.Input((3,))
    several = cynet.Graph(x, [cynet.ReLU()(x), cynet.Tanh()(x)])
    tokens = cynet.Sequential(cynet.Embedding(5, 3), cynet.Linear(3, 2))
    for model, shape in ((several, (3,)), (tokens, (4,))):
        with pytest.raises(
            ValueError, match=r"^model: wanted a net of one input, of numbers, and one output"
        ):
            quantized(model, shape, np.ones((2, *shape), np.float32))
    assert y.shape == (3,)


def test_a_quantity_of_nothing_and_of_one_sign():
    assert Quantity.of(0.0, 0.0) == Quantity(float(np.float32(1e-30)), -128)
    assert Quantity.of(2.0, 51.0) == Quantity(float(np.float32(0.2)), -128)
    assert Quantity.of(-51.0, -3.0) == Quantity(float(np.float32(0.2)), 127)
    whole, scales = weights(np.array([[1.27, -0.004], [0.0, 0.0]], np.float32))
    assert whole.tolist() == [[127, 0], [0, 0]] and scales[1] == 1e-30 / 127
    assert weights(np.array([[1.27, 0.016, -0.016]], np.float32))[0].tolist() == [[127, 2, -2]]


def test_the_error_function_between_the_places_of_a_grid():
    from math import erf

    x = np.linspace(-7, 7, observing.GRID + 2)
    wanted = np.array([erf(one) for one in x])
    np.testing.assert_allclose(observing._erf(x), wanted, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(observing._erf(x[::2]), wanted[::2])


@pytest.mark.parametrize(("beta", "threshold"), [(1.0, 20.0), (4.0, 2.0), (0.25, 1.0)])
def test_softplus_is_straight_beyond_its_threshold(beta, threshold):
    x = np.array([-3, 0, 0.4, 0.6, 3, 5, 90], np.float32)
    found = observing.curve({"kind": "softplus", "beta": beta, "threshold": threshold}, x)
    bent = np.log1p(np.exp(np.float64(beta) * x)) / beta
    np.testing.assert_allclose(found, np.where(beta * x > threshold, x, bent), rtol=1e-6)
