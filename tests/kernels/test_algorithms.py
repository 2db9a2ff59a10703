"""Every registered algorithm of convolution against the float64 twin, over drawn problems that suit it.

Whoever adds an algorithm has it tested here: what it fuses, what is done for it, threads, scratch, packing.
"""

import itertools

import numpy as np
import pytest
import reference_weights
from helpers import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cynet
from cynet.core import threads
from cynet.kernels.common import geometry
from cynet.kernels.conv import algorithm, convolution, piecewise
from cynet.kernels.conv.algorithm import Algorithm, registered
from cynet.kernels.conv.bordered import BorderedConvolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution
from cynet.kernels.conv.winograd import WinogradConvolution

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")]

KINDS = [kind for _, kind in algorithm.REGISTRY]
FUSED = {"relu", "residual", "added"}
ERROR = {
    "WinogradConvolution": 1e-4,
    "PiecewiseConvolution": 1e-4,
}  # of the root of a sum's length; else 1e-5
EIGHTS = st.integers(1, 9).map(lambda n: 8 * n)
CHANNELS = st.one_of(st.integers(1, 33), EIGHTS)


@st.composite
def problems(draw):
    """(problem, padding) of any kind: few channels, channels by eights, groups, one filter a channel; single
    taps; taps apart."""
    groups, kernel, stride, dilation = 1, (3, 3), (1, 1), (1, 1)
    inputs, outputs = draw(CHANNELS), draw(CHANNELS)
    kind = draw(st.sampled_from(["any", "eights", "few", "groups", "each", "single"]))
    if kind == "eights":
        inputs, outputs = draw(EIGHTS), draw(EIGHTS)
    elif kind == "few":
        inputs, outputs = draw(st.integers(1, 4)), draw(EIGHTS)
    elif kind == "groups":
        groups = draw(st.sampled_from([2, 3]))
        inputs, outputs = groups * -(-inputs // groups), groups * -(-outputs // groups)
    elif kind == "each":
        groups = inputs = outputs = draw(st.integers(2, 33))
    if kind != "eights" or draw(st.booleans()):
        kernel, stride = (tuple(draw(st.integers(1, n)) for _ in range(2)) for n in (5, 3))
    if draw(st.integers(0, 2)) == 0:
        dilation = tuple(draw(st.integers(1, 6)) for _ in range(2))
    padding = tuple(draw(st.integers(0, 4)) for _ in range(4))
    if kind == "single":
        kernel, stride, padding = (1, 1), (1, 1), (0, 0, 0, 0)
    least = (d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    height, width = (
        draw(st.integers(max(1, e - padding[i] - padding[2 + i]), max(20, e))) for i, e in enumerate(least)
    )
    shape = draw(st.integers(0, 4)), height, width, inputs
    return Problem.of(shape, outputs, kernel, stride, padding, groups, dilation), padding


@st.composite
def alike(draw, kind):
    """(problem, padding) like an algorithm's example: other batches, sizes and paddings, more channels."""
    (_, height, width, inputs), outputs, kernel, stride, padding, groups, *more_of_it = kind.example
    times, more = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    if groups > 1:
        groups, more = groups * times, times
    if any(padding) or draw(st.integers(0, 3)) == 0:
        padding = tuple(draw(st.integers(0, side + 2)) for side in padding)
    height, width = (
        max(side + draw(st.integers(-4, 9)), kernel[i] - padding[i] - padding[2 + i], 1)
        for i, side in enumerate((height, width))
    )
    shape = draw(st.integers(0, 4)), height, width, inputs * times
    if more_of_it:
        more_of_it = [(1, 1), draw(st.sampled_from(geometry.BORDERS[1:]))]
    return Problem.of(shape, outputs * more, kernel, stride, padding, groups, *more_of_it), padding


def suited(kind):
    """Problems of any kind, and those like its example, that suit an algorithm."""
    return st.one_of(alike(kind), problems()).filter(lambda drawn: kind.suits(drawn[0]))


def drawn(problem, seed=0):
    """x, w, bias, dy, residual, added: float32, not to be written."""
    rng, y = np.random.default_rng(seed), problem.out_shape
    shapes = problem.in_shape, problem.weight_shape, y[3:], y, y, problem.in_shape
    return [frozen(rng.standard_normal(shape)) for shape in shapes]


def applied(way, x, w, bias, relu, residual, team):
    """What `apply` writes, given no more scratch than it asks for."""
    y = np.full(way.out_shape, np.nan, np.float32)
    scratch = np.full(way.scratch_floats(team), np.nan, np.float32)
    assert way.apply(x, way.pack(w), way.padded(bias), y, scratch, team, relu, residual) is None
    return y


def twin(problem, padding, x, w, bias):
    return reference_weights.bordered_conv2d(
        *(a.astype(float) for a in (x, w, bias)), problem.stride, padding, problem.groups, problem.dilation,
        problem.border,
    )  # fmt: skip


def check(kind, problem, padding, seed):
    x, w, bias, dy, residual, added = arrays = drawn(problem, seed)
    wanted, backward = twin(problem, padding, x, w, bias)
    wanted_dx, wanted_dw, _ = backward(dy.astype(float))
    way, taps = kind(problem), w[0, 0].size
    error = max(ERROR.get(type(each).__name__, 1e-5) for each in (way, getattr(way, "within", way)))

    def near(got, want, terms):
        assert got.dtype == np.float32 and got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=error * np.sqrt(terms))

    near(way.forward(x, w, bias), wanted, w[0].size)
    near(way.forward(x, w), wanted - bias, w[0].size)
    for relu in (0, 1, 6):
        for beside in (None, residual) if relu < 6 else (None,):
            want = wanted if beside is None else wanted + beside
            results = [applied(way, x, w, bias, relu, beside, team) for team in (1, 3)]
            near(results[0], np.clip(want, 0, 6 if relu == 6 else None) if relu else want, w[0].size)
            assert results[0].tobytes() == results[1].tobytes()
    near(way.input_gradient(dy, w), wanted_dx, len(w) // problem.groups * taps)
    near(way.input_gradient(dy, w, added), wanted_dx + added, len(w) // problem.groups * taps)
    dw = np.ones_like(w)
    way.weight_gradient(x, dy, dw)
    near(dw - 1, wanted_dw, max(1, dy[..., 0].size))
    for beside in (None, added):
        again = np.ones_like(w)
        assert (
            way.gradients(x, dy, w, again, True, beside).tobytes()
            == way.input_gradient(dy, w, beside).tobytes()
        )
        assert again.tobytes() == dw.tobytes()
    same_bytes(kind, problem, arrays)
    if wanted.size:
        nan_goes_through(way, problem, padding, arrays)


def nan_goes_through(way, problem, padding, arrays):
    """Whatever a NaN reaches by the twin's sums is NaN."""
    x, w, bias, dy, residual, added = arrays
    sick, ill = x.copy(), dy.copy()
    sick[-1, x.shape[1] // 2, -1, 0] = ill[0, -1, dy.shape[2] // 2, -1] = np.nan
    wanted, backward = twin(problem, padding, sick, w, bias)
    _, wanted_dw, _ = backward(dy.astype(float))
    wanted_dx, *_ = twin(problem, padding, x, w, bias)[1](ill.astype(float))
    dw = np.ones_like(w)
    way.weight_gradient(sick, dy, dw)
    for got, want in (
        (way.forward(sick, w, bias), wanted),
        (applied(way, sick, w, bias, True, None, 2), wanted),
        (applied(way, sick, w, bias, True, residual, 2), wanted),
        (way.input_gradient(ill, w), wanted_dx),
        (way.input_gradient(ill, w, added), wanted_dx),
        (dw, wanted_dw),
    ):
        assert np.isnan(got[np.isnan(want)]).all()


def same_bytes(kind, problem, arrays):
    """For any number of threads, and for an algorithm that was made anew."""
    x, w, bias, dy, _, added = arrays
    found = set()
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        way, dw = kind(problem), np.ones_like(w)
        results = way.forward(x, w, bias), way.gradients(x, dy, w, dw, True, added), dw
        found.add(tuple(a.tobytes() for a in results))
    assert len(found) == 1


@pytest.mark.parametrize("case", [((3, 7, 7, 64), 128), ((1, 8, 8, 128), 128), ((2, 5, 6, 136), 72)])
def test_winograd_by_lanes(case):
    """Of more filters than the drawn ones have: forward, and the gradients of both kinds."""
    problem = Problem.of(*case, (3, 3), (1, 1), (1, 1, 1, 1))
    way = WinogradConvolution(problem)
    assert way.forward_pass.fresh and way.kept_pass.part and (way.input_passes[0].part or case[1] == 72)
    check(WinogradConvolution, problem, (1, 1, 1, 1), 7)


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_the_twins_numbers_with_and_without_what_it_fuses(kind, monkeypatch):
    monkeypatch.setattr(piecewise, "GAIN", 0)  # all products, whatever they take

    @settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
    @given(suited(kind), st.integers(0, 2**32))
    def over_drawn_problems(case, seed):
        check(kind, *case, seed)

    over_drawn_problems()


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.usefixtures("fenced_memory")
def test_of_few_pixels_and_many_columns_each_groups_are_split(groups):
    padding = 1, 1, 1, 1
    problem = Problem.of((2, 5, 6, 16 * groups), 3 * groups, (3, 3), (1, 1), padding, groups)
    way = TiledConvolution(problem)
    assert way.chunks == 1 and way.splits > 1 and way.splits % groups == 0
    check(TiledConvolution, problem, padding, groups)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 2), (3, 1), (3, 3)])
@pytest.mark.usefixtures("fenced_memory")
def test_of_many_small_images_several_are_a_tile(stride):
    padding = 1, 0, 0, 1
    problem = Problem.of((150, 4, 2, 5), 6, (2, 2), stride, padding)
    way = TiledConvolution(problem)
    assert way.forward_pass.images > 1 and all(one.images > 1 for one, *_ in way.input_passes[0])
    check(TiledConvolution, problem, padding, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_it_fuses_and_refuses_other_shapes(kind):
    problem = Problem.of(*kind.example)
    assert kind.fuses <= FUSED
    x, w, bias, dy, residual, added = drawn(problem)
    way, y, one = kind(problem), np.empty_like(dy), np.empty(0, np.float32)
    assert way.problem == problem and way.weight_shape == problem.weight_shape and way.work >= problem.macs
    packed, padded = way.pack(w), way.padded(bias)
    for call, name in (
        (lambda: way.apply(x[1:], packed, padded, y, one, 1), "x"),
        (lambda: way.apply(x, packed, padded, y[1:], one, 1), "y"),
        (lambda: way.apply(x, packed, padded, y, one, 1, False, residual[1:]), "residual"),
        (lambda: way.apply(x, packed, padded, y, one, 1, False, residual.reshape(-1)), "residual"),
        (lambda: way.input_gradient(dy, w, added[1:]), "equal shapes to add"),
        (lambda: way.input_gradient(dy[1:], w), "dy"),
        (lambda: way.weight_gradient(x, dy, w[:, :, 1:]), "weight.grad"),
        (lambda: way.gradients(x, dy[1:], w, np.zeros_like(w)), "dy"),
        (lambda: way.gradients(x, dy, w[:, 1:], np.zeros_like(w)), "weight.data"),
        (lambda: way.gradients(x, dy, w, np.zeros_like(w)[1:]), "weight.grad"),
        (lambda: way.forward(x, w[:, :, 1:]), "weight.data"),
    ):
        with pytest.raises(ValueError, match=name):
            call()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_chosen_for_its_example(kind):
    assert type(convolution.choose(Problem.of(*kind.example))) is kind


OTHERWISE = {  # what is changed of an example, by the names of what `Problem.of` takes
    "groups": {"groups": 2}, "stride": {"stride": (2, 1)}, "padding": {"padding": (1, 0, 0, 2)},
    "dilation": {"dilation": (1, 2)}, "one channel": {"inputs": 1},
}  # fmt: skip


def otherwise(kind, changes):
    """(problem, padding) of an algorithm's example, of even channels, with some things changed."""
    names = "shape", "outputs", "kernel", "stride", "padding", "groups", "dilation", "border"
    of = dict(zip(names, kind.example, strict=False)) | changes
    batch, height, width, channels = of.pop("shape")
    inputs, outputs, groups = of.pop("inputs", channels), of.pop("outputs"), of["groups"]
    if groups > 1:
        inputs, outputs = 2 * inputs, 2 * outputs
    return Problem.of((batch, height, width, inputs), outputs, **of), of["padding"]


@pytest.mark.parametrize("changes", OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("kind", KINDS)
def test_beside_its_example_whatever_is_chosen_computes_it(kind, changes):
    """A condition that `suits` forgets is a wrong number here, or an error."""
    try:
        problem, padding = otherwise(kind, changes)
    except ValueError:  # there is no such convolution
        return
    if not any(n % problem.groups for n in (problem.in_shape[3], problem.out_shape[3])):
        check(type(convolution.choose(problem)), problem, padding, 1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not BorderedConvolution])
def test_a_border_goes_around_every_algorithm(kind):
    """Whatever the one within does by itself, and whatever it fuses."""
    problem, padding = otherwise(kind, {"padding": (1, 0, 1, 2), "border": "reflect"})
    assert set(BorderedConvolution(problem).fuses) <= FUSED
    check(BorderedConvolution, problem, padding, 2)


@given(problems())
def test_one_is_chosen_for_every_problem_and_the_last_suits_all(case):
    problem, _ = case
    ranks = [rank for rank, _ in algorithm.REGISTRY]
    assert ranks == sorted(set(ranks))
    assert KINDS[-1].suits(problem)
    assert type(convolution.choose(problem)) is next(kind for kind in KINDS if kind.suits(problem))


# -- one that does not exist yet -----------------------------------------------------------------------------
class Pointwise(Algorithm):
    """1x1 by NumPy's matrix product: for an algorithm without loops, packing or scratch of its own."""

    title = "toy conv"
    calls = 0

    @staticmethod
    def suits(problem):
        return problem.kernel == problem.stride == (1, 1) and problem.groups == 1 and problem.before == (0, 0)

    def pack(self, w):
        return np.ascontiguousarray(w[:, :, 0, 0].T)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        assert not relu and residual is None
        Pointwise.calls += 1
        np.matmul(x, packed, out=y)
        y += bias

    def _input_gradient(self, dy, w, dx, threads, added):
        assert added is None
        np.matmul(dy, w[:, :, 0, 0], out=dx)

    def _weight_gradient(self, x, dy, dw, threads):
        flat = dy.reshape(-1, dy.shape[3]).T @ x.reshape(-1, x.shape[3])
        dw += flat.reshape(dw.shape)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(algorithm, "REGISTRY", list(algorithm.REGISTRY))
    monkeypatch.setattr(Pointwise, "calls", 0)
    return registered(rank=1)(Pointwise)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 9), CHANNELS),
    CHANNELS,
    st.integers(0, 2**32),
)
def test_a_new_algorithm_is_tested_by_being_registered(shape, outputs, seed):
    check(Pointwise, Problem.of(shape, outputs, (1, 1), (1, 1), (0, 0, 0, 0)), (0, 0, 0, 0), seed)


def test_a_new_algorithm_is_chosen_and_used_by_layers_in_training_and_evaluation(toy):
    x, w, bias, dy, *_ = drawn(Problem.of((2, 5, 6, 7), 9, (1, 1), (1, 1), (0,) * 4))
    layer = cynet.Conv2d(7, 9, 1)
    layer.weight.data, layer.bias.data = w, bias
    model = cynet.Sequential(layer, cynet.ReLU())
    assert type(layer.convolution(x.shape)) is toy
    y = model(x)
    assert toy.calls == 1
    np.testing.assert_allclose(y, np.maximum(x @ w[:, :, 0, 0].T + bias, 0), rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.backward(dy), (dy * (y > 0)) @ w[:, :, 0, 0], rtol=0, atol=1e-5)
    with cynet.no_grad():
        evaluated = model.eval()(x)
    assert toy.calls == 2
    np.testing.assert_allclose(evaluated, y, rtol=0, atol=1e-6)


def test_a_new_algorithm_adds_in_residual_blocks(toy):
    """It fuses nothing: the sums are done for it."""
    x, w, bias, dy, *_ = drawn(Problem.of((3, 4, 5, 6), 6, (1, 1), (1, 1), (0,) * 4))
    inner = cynet.Conv2d(6, 6, 1)
    inner.weight.data, inner.bias.data = w, bias
    model = cynet.Sequential(cynet.Residual(cynet.Sequential(inner)), cynet.ReLU())
    y = model(x)
    np.testing.assert_allclose(y, np.maximum(x @ w[:, :, 0, 0].T + bias + x, 0), rtol=0, atol=1e-5)
    gated = dy * (y > 0)
    np.testing.assert_allclose(model.backward(dy), gated @ w[:, :, 0, 0] + gated, rtol=0, atol=1e-5)
    with cynet.no_grad():
        np.testing.assert_allclose(model.eval()(x), y, rtol=0, atol=1e-6)
    assert toy.calls == 2


def test_a_rank_that_is_taken_is_refused(toy):
    with pytest.raises(ValueError, match="rank: wanted one of its own for Other, got 1, which is taken"):
        registered(rank=1)(type("Other", (Pointwise,), {}))


@pytest.mark.parametrize("kernel", [*itertools.product((1, 2, 3, 4, 5, 7, 9, 10), repeat=2)], ids=str)
def test_a_kernel_of_any_sides_has_the_twins_numbers(kernel):
    """Also those of as many cells as another, for channels that suit every algorithm."""
    problem = Problem.of((2, 11, 12, 8), 8, kernel, (1, 1), (1, 2, 0, 1))
    x, w, bias, dy, *_ = drawn(problem)
    twins = [a.astype(float) for a in (x, w, bias)]
    wanted, backward = reference_weights.conv2d(*twins, problem.stride, (1, 2, 0, 1), 1)
    wanted_dx, wanted_dw, _ = backward(dy.astype(float))
    way, dw = convolution.choose(problem), np.zeros_like(w)
    way.weight_gradient(x, dy, dw)
    error, taps = ERROR.get(type(way).__name__, 1e-5), w[0, 0].size
    for got, want, terms in (
        (way.forward(x, w, bias), wanted, w[0].size),
        (way.input_gradient(dy, w), wanted_dx, len(w) * taps),
        (dw, wanted_dw, dy[..., 0].size),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=error * np.sqrt(terms))
