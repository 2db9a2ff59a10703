"""Convolutions whose lanes are pixels: every geometry against the float64 twin; which shapes they are for."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cynet
from cynet.core import threads
from cynet.kernels.conv import convolution, planes, planes_loops
from cynet.kernels.conv.piecewise import PiecewiseConvolution
from cynet.kernels.conv.planes import PlanarConvolution, PlanarGradient
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")]


def arrays(problem, seed=0):
    rng = np.random.default_rng(seed)
    shapes = problem.in_shape, problem.weight_shape, problem.out_shape[3:], problem.out_shape
    return [frozen(rng.standard_normal(shape)) for shape in shapes]


def near(got, want, terms):
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * max(1, terms) ** 0.5)


@st.composite
def geometries(draw):
    """(problem, padding): what the model would choose another way for, too."""
    sides, taps, steps = st.integers(1, 19), st.integers(1, 5), st.integers(1, 3)
    kernel, stride, apart = (draw(st.tuples(one, one)) for one in (taps, steps, steps))
    padding = draw(st.tuples(*4 * [st.integers(0, 4)]))
    shape = draw(st.integers(0, 3)), draw(sides), draw(sides), draw(st.integers(1, 19))
    outputs = draw(st.integers(planes_loops.FEWEST, 3 * planes_loops.MOST))
    try:
        return Problem.of(shape, outputs, kernel, stride, padding, 1, apart), padding
    except ValueError:
        assume(False)


@settings(max_examples=200)
@given(geometries(), st.integers(0, 3))
def test_both_passes_are_the_twins_whatever_the_tile(case, more_rows):
    problem, padding = case
    x, w, bias, dy = arrays(problem)
    wanted, backward = reference_weights.conv2d(
        *(a.astype(float) for a in (x, w, bias)), problem.stride, padding, 1, problem.dilation
    )
    sizes = problem.kernel, problem.stride, problem.before, problem.dilation
    rows = 1 + more_rows * max(1, problem.out_shape[1] // 3)
    g = planes_loops.Planes(problem.in_shape, problem.out_shape[1:], *sizes, rows)
    packed = np.empty(g.packed_floats, np.float32)
    planes_loops.pack(g, w, packed, False)
    found = set()
    for team in (1, 3):
        y, scratch = (
            np.full(problem.out_shape, np.nan, np.float32),
            np.full(team * g.each, np.nan, np.float32),
        )
        planes_loops.convolve(g, x, packed, bias, y, scratch, 0, team)
        near(y, wanted, w[0].size)
        found.add(y.tobytes())
    assert len(found) == 1
    if problem.stride == (1, 1) and problem.in_shape[3] >= planes_loops.FEWEST:
        around = zip(problem.kernel, problem.dilation, problem.before, strict=True)
        before = tuple((k - 1) * d - p for k, d, p in around)
        back = planes_loops.Planes(
            problem.out_shape, problem.in_shape[1:], problem.kernel, (1, 1), before, problem.dilation, rows
        )
        packed = np.empty(back.packed_floats, np.float32)
        planes_loops.pack(back, w, packed, True)
        dx, scratch = (
            np.full(problem.in_shape, np.nan, np.float32),
            np.full(2 * back.each, np.nan, np.float32),
        )
        none = np.zeros(problem.in_shape[3], np.float32)
        planes_loops.convolve(back, dy, packed, none, dx, scratch, 0, 2)
        near(dx, backward(dy.astype(float))[0], w[:, 0].size)


@pytest.mark.parametrize("relu", [0, 1, 6])
@pytest.mark.parametrize("outputs", range(planes_loops.FEWEST, planes_loops.MOST + 3))
def test_every_number_of_outputs_in_every_length_of_block(outputs, relu):
    """Each image is one tile, a pixel wider than the one before, with a NaN in the memory behind."""
    for width in range(1, 6 * planes_loops.LANES):
        problem = Problem.of((1, 1, width, 2), outputs, (1, 2), (1, 1), (0, 1, 0, 0))
        way, (x, w, bias, _) = PlanarConvolution(problem), arrays(problem, width)
        y, scratch = (
            np.full(size, np.nan, np.float32) for size in (problem.out_shape, way.scratch_floats(1))
        )
        way.apply(x, way.pack(w), bias, y, scratch, 1, relu)
        wanted = reference_weights.conv2d(*(a.astype(float) for a in (x, w, bias)), (1, 1), (0, 1, 0, 0), 1)[
            0
        ]
        near(y, np.clip(wanted, -np.inf if relu == 0 else 0, 6 if relu == 6 else np.inf), 4)


def of(shape, outputs, kernel, stride=1, padding=None):
    padding = (kernel - 1) // 2 if padding is None else padding
    return Problem.of(shape, outputs, (kernel, kernel), (stride, stride), 4 * (padding,))


FORWARD = [
    of((8, 28, 28, 1), 6, 5),
    of((7, 41, 41, 13), 5, 6, 2),
    of((12, 24, 24, 36), 6, 5),
    of((3, 36, 36, 30), 6, 3),
]
GRADIENT = [of((32, 14, 14, 6), 16, 5), of((15, 26, 26, 6), 48, 7)]
NEITHER = [
    of((8, 56, 56, 64), 64, 3), of((8, 56, 56, 32), 192, 1), of((8, 56, 56, 64), 128, 3, 2),  # full registers
    of((35, 19, 19, 78), 14, 3),  # by Winograd's way
    of((9, 24, 24, 9), 3, 3, 2),  # few outputs
    of((4, 197, 197, 400), 6, 5, 2),  # more planes than the cache holds
    of((99, 24, 24, 9), 6, 2, 2),  # each number is used but once
    of((0, 28, 28, 1), 6, 5),
]  # fmt: skip


def forward_way(problem):
    """What makes the forward pass, where Winograd's algorithm makes a gradient alone."""
    way = convolution.choose(problem)
    return way.beside if isinstance(way, PiecewiseConvolution) and "forward" not in way.own else way


@pytest.mark.parametrize("problem", FORWARD)
def test_few_outputs_have_pixels_in_lanes(problem):
    assert type(forward_way(problem)) is PlanarConvolution


@pytest.mark.parametrize("problem", GRADIENT)
def test_few_inputs_have_them_in_the_gradient(problem):
    way = convolution.choose(problem)
    assert type(way) is PlanarGradient and way.input_pass is not None
    assert type(way.beside) is TiledConvolution and way.fuses == way.beside.fuses


@pytest.mark.parametrize("problem", NEITHER)
def test_others_have_not(problem):
    assert not isinstance(convolution.choose(problem), PlanarGradient)


def test_the_gradient_is_made_the_other_way_where_it_has_several_passes(monkeypatch):
    problem = of((7, 41, 41, 13), 5, 6, 2)
    way, (x, w, _, dy) = convolution.choose(problem), arrays(problem)
    monkeypatch.setattr(planes_loops, "convolve", None)
    assert way.input_pass is None
    other, grad, wanted = TiledConvolution(problem), np.zeros_like(w), np.zeros_like(w)
    assert np.array_equal(way.gradients(x, dy, w, grad), other.gradients(x, dy, w, wanted))
    assert np.array_equal(grad, wanted)


def test_a_model_trains_and_evaluates_with_both():
    """Its plan and its layers give the same, and its gradients are those of all other ways."""
    model = cynet.Sequential(
        cynet.Conv2d(5, 6, 5, padding=2), cynet.ReLU(), cynet.Conv2d(6, 32, 5, padding=2)
    )
    x = frozen(np.random.default_rng(3).standard_normal((4, 20, 20, 5)))
    y = model(x)
    kinds = [type(layer._worked_out[1]) for layer in (model[0], model[2])]
    assert kinds == [PlanarConvolution, PlanarGradient]
    model.eval()
    with cynet.no_grad():
        np.testing.assert_allclose(model(x), y, rtol=0, atol=1e-4)
    model.train()
    model.zero_grad()
    model(x)
    dx, grads = model.backward(y), [p.grad.copy() for p in model.parameters()]
    for layer in (model[0], model[2]):
        shape = x.shape if layer is model[0] else (*x.shape[:3], 6)
        layer._worked_out = layer._worked_out[0], TiledConvolution(layer.problem(shape))
    model.zero_grad()
    model(x)
    np.testing.assert_allclose(dx, model.backward(y), rtol=0, atol=1e-3)
    for p, grad in zip(model.parameters(), grads, strict=True):
        np.testing.assert_allclose(p.grad, grad, rtol=1e-4, atol=1e-2)


def test_a_tile_has_the_rows_that_fit_and_leave_work_for_every_thread():
    assert 4 < planes._plan(of((64, 32, 32, 12), 12, 3))[1] <= 32
    assert planes._plan(of((1, 64, 64, 6), 12, 3))[1] <= 2  # 32 tiles
    assert planes._plan(of((32, 64, 64, 50), 6, 5))[1] <= 3  # of 24,576 floats


def test_any_number_of_threads_gives_the_same_bytes():
    problem = of((3, 36, 36, 30), 6, 3)
    way, (x, w, bias, dy) = convolution.choose(problem), arrays(problem)
    found = set()
    for team in (1, 2, 5):
        threads.set_num_threads(team)
        found.add(way.forward(x, w, bias).tobytes() + way.input_gradient(dy, w).tobytes())
    assert len(found) == 1


@settings(max_examples=300)
@given(geometries())
def test_the_choice_does_not_depend_on_the_batch(case):
    """One image alone has the bytes that it has in a batch."""
    problem, padding = case
    alone, many = (
        Problem.of((n, *problem.in_shape[1:]), problem.out_shape[3], problem.kernel, problem.stride, padding)
        for n in (1, 8)
    )
    assert PlanarConvolution.suits(alone) == PlanarConvolution.suits(many)


@pytest.mark.parametrize(("side", "inputs", "outputs", "taps", "stride"), [
    (32, 2, 3, 2, 1), (48, 2, 2, 2, 1), (48, 2, 3, 2, 1), (48, 3, 2, 3, 2), (16, 6, 6, 3, 1),
    (24, 12, 11, 5, 1),
])  # fmt: skip
def test_an_image_alone_has_the_bytes_that_it_has_in_a_batch(side, inputs, outputs, taps, stride):
    found, padding = [], (taps // 2,) * 4
    for n in (1, 8):
        problem = Problem.of((n, side, side, inputs), outputs, (taps, taps), (stride, stride), padding)
        x, w, bias, _ = arrays(
            Problem.of((8, side, side, inputs), outputs, (taps, taps), (stride, stride), padding)
        )
        found.append(convolution.choose(problem).forward(frozen(x[:n]), w, bias)[0].tobytes())
    assert found[0] == found[1]
