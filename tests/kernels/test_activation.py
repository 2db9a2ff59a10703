"""Activation and soft-max kernels against their twins."""

import numpy as np
import pytest
import reference
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.kernels.loss import softmax
from cynet.kernels.pointwise import activation, other_activation

pytestmark = pytest.mark.kernels

KERNELS = vars(activation) | vars(other_activation)
NAMES = [name for name in KERNELS if f"{name}_backward" in KERNELS]
NUMBERS = {"leaky_relu": (0.01,), "elu": (1.0,), "softplus": (1.0, 20.0)}
FROM_OUTPUT = {"sigmoid", "tanh"}
SPECIAL = np.float32([np.nan, np.inf, -np.inf, 0, -0.0, 1e-40, -1e-40, 1e-7, 90, -90, 104, -104, 1e30, -1e30])
CORNERS = np.float32([-3, 3, 6, 2.9999998, -2.9999998, 5.9999995, -0.35, -1e-4, 19.9, 20, 20.1])


def test_every_activation_is_here():
    assert len(NAMES) >= 11 and {"relu", "gelu", "hardswish", *NUMBERS} < set(NAMES)


def run(name, x, dy, threads=2, numbers=None):
    extra = NUMBERS.get(name, ()) if numbers is None else numbers
    y, dx = np.full(x.shape, 7, np.float32), np.full(x.shape, 7, np.float32)
    KERNELS[name](frozen(x), y, *extra, threads)
    kept = frozen(y) if name in FROM_OUTPUT else frozen(x)
    KERNELS[f"{name}_backward"](kept, frozen(dy), dx, *extra, threads)
    return y, dx


def run_softmax(x, dy, threads=2):
    y, dx = np.full(x.shape, 7, np.float32), np.full(x.shape, 7, np.float32)
    softmax.softmax(frozen(x), y, threads)
    softmax.softmax_backward(y, frozen(dy), dx, threads)
    return y, dx


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(st.integers(0, 200), st.sampled_from([0.1, 1, 10, 100]), st.integers(0, 2**32))
def test_activation(name, size, scale, seed):
    rng = np.random.default_rng(seed)
    x, dy = (rng.standard_normal((2, size)) * [[scale], [1]]).astype(np.float32)
    y, dx = run(name, x, dy)
    wanted, backward = getattr(reference, name)(x.astype(np.float64))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(dx, backward(dy.astype(np.float64)), rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("name", NAMES)
def test_special_values(name):
    special = SPECIAL if name in vars(activation) else np.concatenate([SPECIAL, CORNERS])
    y, dx = run(name, special, np.ones_like(special))
    with np.errstate(all="ignore"):
        wanted, backward = getattr(reference, name)(special.astype(np.float64))
        wanted, wanted_dx = wanted.astype(np.float32), backward(np.ones(len(special)))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(dx, wanted_dx, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "numbers"), [
    ("leaky_relu", (0.3,)), ("leaky_relu", (-2.0,)), ("leaky_relu", (0.0,)), ("elu", (2.5,)),
    ("elu", (-0.5,)), ("softplus", (2.5, 1.0)), ("softplus", (0.5, 1.0)), ("softplus", (4.0, 20.0)),
    ("softplus", (0.25, -1.0)),
])  # fmt: skip
def test_curves_with_other_numbers_than_their_layers_have_by_default(name, numbers):
    """On a grid without the points where a line begins; the threshold of softplus is one of beta times x."""
    x = np.arange(-120, 121, dtype=np.float32) / 16 + np.float32(1 / 64)
    y, dx = run(name, x, np.full_like(x, 1.5), numbers=numbers)
    wanted, backward = getattr(reference, name)(x.astype(np.float64), *numbers)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, backward(np.full(x.shape, 1.5)), rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize(("name", "numbers", "places", "slopes"), [
    ("elu", (0.5,), [0.0, -0.0, 1e-40, -1e-40], [0.5, 0.5, 1, 0.5]),
    ("leaky_relu", (0.25,), [0.0, -0.0, 1e-40, -1e-40], [0.25, 0.25, 1, 0.25]),
    ("softplus", (2.0, 1.0), [0.5, 0.50000006], [1 / (1 + np.exp(-1)), 1]),
])  # fmt: skip
def test_the_slope_at_the_very_place_where_a_curve_changes(name, numbers, places, slopes):
    """Above it, not at it: as PyTorch has it."""
    x = np.float32(places)
    np.testing.assert_allclose(run(name, x, np.ones_like(x), numbers=numbers)[1], slopes, rtol=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize("name", NAMES)
def test_special_values_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    special = np.delete(SPECIAL, 1) if name == "gelu" else SPECIAL  # of Inf its vectors say NaN
    special = special if name in vars(activation) else np.concatenate([special, CORNERS])
    x = torch.tensor(special, requires_grad=True)
    wanted = getattr(torch.nn.functional, name, getattr(torch, name, None))(x)
    wanted.sum().backward()
    y, dx = run(name, special, np.ones_like(special))
    np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=1e-5, atol=1e-30)
    slopes = x.grad.numpy()
    told = ~(np.isnan(special) & np.isnan(slopes))  # of NaN its vectors of AVX2 say NaN
    np.testing.assert_allclose(dx[told], slopes[told], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_nan_comes_out_wherever_it_lies(name):
    x = np.zeros(70, np.float32)
    for index in range(70):
        x[:] = 0
        x[index] = np.nan
        y, _ = run(name, x, x)
        assert np.flatnonzero(np.isnan(y)).tolist() == [index]


def test_relu_gradient_passes_where_the_input_is_nan():
    _, dx = run("relu", np.float32([np.nan, -1, 0, 2]), np.float32([1, 2, 3, 4]))
    assert dx.tolist() == [1, 0, 0, 4]


@pytest.mark.parametrize("name", NAMES)
def test_gradient_keeps_nan_of_dy(name):
    _, dx = run(name, np.ones(40, np.float32), np.full(40, np.nan, np.float32))
    assert np.isnan(dx).all()


@pytest.mark.parametrize("name", NAMES)
def test_same_bytes_for_any_threads(name):
    x, dy = np.random.default_rng(0).standard_normal((2, 100_003)).astype(np.float32)
    one = [a.tobytes() for a in run(name, x, dy, 1)]
    for threads in (2, 3, 4):
        assert [a.tobytes() for a in run(name, x, dy, threads)] == one


def test_denormals_stay():
    y, _ = run("relu", np.float32([1e-40, -1e-40]), np.float32([1, 1]))
    assert y.tolist() == [np.float32(1e-40), 0]


@settings(max_examples=100)
@given(st.integers(0, 5), st.integers(1, 70), st.sampled_from([0.1, 1, 30]), st.integers(0, 2**32))
def test_softmax(rows, classes, scale, seed):
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((rows, classes)) * scale).astype(np.float32)
    dy = rng.standard_normal((rows, classes)).astype(np.float32)
    y, dx = run_softmax(x, dy)
    wanted, backward = reference.softmax(x.astype(np.float64))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(dx, backward(dy.astype(np.float64)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("rows", "classes"), [(8, 10), (13, 10), (17, 255), (5, 700), (9, 1025), (3, 3000)])
def test_softmax_of_groups_of_rows_and_nothing_beyond_them(rows, classes):
    x = np.random.default_rng(0).standard_normal((rows, classes)).astype(np.float32)
    room = np.full((rows + 8, classes), 7, np.float32)
    softmax.softmax(x, room[:rows], 2)
    np.testing.assert_allclose(room[:rows], reference.softmax(x.astype(float))[0], rtol=1e-5, atol=1e-9)
    assert (room[rows:] == 7).all()


def test_the_gradient_of_equal_classes_however_many_is_zero():
    y, dx = run_softmax(np.zeros((2, 3001), np.float32), np.full((2, 3001), 0.1, np.float32))
    assert np.abs(dx).max() <= 1e-7 * y.min()


def test_softmax_of_extremes():
    x = np.float32([[1e30, -1e30, 0], [3e38, -3e38, 3e38], [-np.inf, 0, 0], [np.nan, 0, 0], [np.inf, 0, 0]])
    y, _ = run_softmax(x, np.ones_like(x))
    np.testing.assert_array_equal(y[:3], [[1, 0, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    assert np.isnan(y[3]).all() and np.isnan(y[4, 0])


def test_softmax_same_bytes_for_any_threads():
    x, dy = np.random.default_rng(0).standard_normal((2, 4001, 11)).astype(np.float32)
    one = [a.tobytes() for a in run_softmax(x, dy, 1)]
    for threads in (2, 3, 4):
        assert [a.tobytes() for a in run_softmax(x, dy, threads)] == one


@pytest.mark.parametrize("name", NAMES)
def test_none_is_a_type_error(name):
    extra = NUMBERS.get(name, ())
    x = np.zeros(3, np.float32)
    for arguments in ((None, x), (x, None)):
        with pytest.raises(TypeError):
            KERNELS[name](*arguments, *extra, 1)


@pytest.mark.parametrize("name", NAMES)
def test_long_arrays_have_the_twins_numbers_in_every_chunk(name):
    x, dy = np.random.default_rng(1).standard_normal((2, 3 * 16384 + 7)).astype(np.float32)
    y, dx = run(name, x, dy)
    wanted, backward = getattr(reference, name)(x.astype(np.float64))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, backward(dy.astype(np.float64)), rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sigmoid"])
def test_small_numbers_keep_their_relative_accuracy(name):
    """Of y, which is about a slope times x there: a difference of two numbers near 1 would have lost it."""
    x = np.concatenate([sign * np.logspace(-30, -1, 301) for sign in (1, -1)]).astype(np.float32)
    y, _ = run(name, x, np.ones_like(x))
    np.testing.assert_allclose(y, getattr(reference, name)(x.astype(np.float64))[0], rtol=1e-6)


@pytest.mark.parametrize("slope", [0.0, 1.0, -0.5, 3.0])
def test_every_slope_of_the_leaky_relu(slope):
    x = np.float32([-2, -1e-30, 0, 1e-30, 3, np.nan])
    y, dx = (np.full(x.shape, 7, np.float32) for _ in range(2))
    activation.leaky_relu(x, y, slope, 1)
    activation.leaky_relu_backward(x, np.full_like(x, 4), dx, slope, 1)
    np.testing.assert_array_equal(y, np.float32([-2 * slope, -1e-30 * slope, 0, 1e-30, 3, np.nan]))
    np.testing.assert_array_equal(dx[:-1], np.float32([4 * slope] * 3 + [4, 4]))


def test_the_gradient_of_softmax_adds_in_double():
    """Of ten thousand classes whose gradients are nearly one number, which is taken off."""
    rng = np.random.default_rng(0)
    y, dx = rng.dirichlet(np.ones(10_000), 2).astype(np.float32), np.full((2, 10_000), 7, np.float32)
    dy = (1000 + rng.standard_normal(y.shape)).astype(np.float32)
    softmax.softmax_backward(y, dy, dx, 2)
    wide, sums = dy.astype(np.float64), (y.astype(np.float64) * dy).sum(1, keepdims=True)
    assert np.abs(dx / y.astype(np.float64) - (wide - sums)).max() <= 1e-4


@pytest.mark.parametrize(("name", "of_y", "of_dx"), [
    ("sigmoid", 2e-7, 2e-7), ("tanh", 2e-7, 2e-7), ("gelu", 3e-7, 4e-7), ("silu", 2.5e-7, 1.2e-6),
])  # fmt: skip
def test_curves_are_as_near_as_is_said_of_them(name, of_y, of_dx):
    """Wherever x lies: y to so many parts of the greater of 1 and x, the slope to so much."""
    x = np.linspace(-12, 12, 40_001).astype(np.float32)
    y, dx = run(name, x, np.ones_like(x))
    wanted, backward = getattr(reference, name)(x.astype(np.float64))
    assert (np.abs(y - wanted) / np.maximum(1, np.abs(x))).max() <= of_y
    assert np.abs(dx - backward(np.ones(len(x)))).max() <= of_dx
