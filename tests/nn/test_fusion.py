"""Layers run as one step against the same layers one by one, and against the float64 twins."""

import contextlib
import copy
import pickle
from unittest import mock

import numpy as np
import pytest
import reference
import reference_weights
from helpers import frozen
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cynet
from cynet import BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Residual, Sequential
from cynet.core import threads
from cynet.kernels.common import geometry
from cynet.nn import ReLU6
from cynet.nn.compile import chains, training
from cynet.nn.parameter import Parameter
from cynet.nn.passes import layer_by_layer


class Alone(ReLU):
    """A ReLU that joins no other layer."""


class Alone6(ReLU6):
    """A ReLU6 that joins no other layer."""


@st.composite
def images(draw, most=9):
    """x (N, H, W, C), and a generator for what else is drawn."""
    size = st.integers(1, most)
    shape = draw(st.integers(2, 4)), draw(size), draw(size), draw(st.integers(1, 33))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal(shape) * draw(st.sampled_from([1, 20])) + draw(st.sampled_from([0, 5, -300]))
    kind = draw(st.sampled_from(["plain", "plain", "ties", "zeros", "bad"]))
    if kind == "ties":
        x = np.round(x)
    elif kind == "zeros":
        x = np.where(rng.random(shape) < 0.5, -0.0, 0.0)
    elif kind == "bad":
        for value in (np.nan, np.inf):
            x[tuple(rng.integers(shape))] = value
    return frozen(x), rng


@st.composite
def pools(draw):
    size, stride = st.integers(1, 3), st.integers(1, 4)
    kernel = draw(size), draw(size)
    top, left, bottom, right = (draw(st.integers(0, k - 1)) for k in kernel * 2)
    padding = draw(st.sampled_from(["same", (top, left, bottom, right)]))
    return MaxPool2d(kernel, (draw(stride), draw(stride)), padding)


AFFINE = st.sampled_from([True, False, "bias"])


def norm_of(rng, channels, affine, kind=BatchNorm2d):
    norm = kind(channels, affine=affine)
    if affine is True:
        norm.weight.data = rng.standard_normal(channels)
    if affine:
        norm.bias.data = rng.standard_normal(channels) - rng.choice([0, 100], channels, p=[0.9, 0.1])
    norm.running_mean[:], norm.running_var[:] = rng.standard_normal(channels), rng.random(channels) + 0.1
    return norm


def assert_same_training(joined, alone, x, rng, steps):
    """Both models give the same, to the bit, in two passes; the first has so many steps."""
    for _ in range(2):
        with layer_by_layer():  # in evaluation mode too
            y, wanted = joined(x), alone(x)
        assert len(chains.steps_of(joined).steps) == steps
        np.testing.assert_array_equal(y, wanted)
        assert (np.signbit(y) == np.signbit(wanted))[np.isfinite(y)].all()
        dy = frozen(rng.standard_normal(y.shape))
        np.testing.assert_array_equal(joined.backward(dy), alone.backward(dy))
    for a, b in zip(joined.parameters(), alone.parameters(), strict=True):
        np.testing.assert_array_equal(a.grad, b.grad)
    for (name, a), b in zip(joined.state_dict().items(), alone.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a, b, name)


@settings(max_examples=300)
@given(images(), st.booleans(), AFFINE, st.booleans(), st.sampled_from([(ReLU, Alone), (ReLU6, Alone6)]))
def test_norm_relu(case, training, affine, rows, curves):
    x, rng = case
    kind = BatchNorm1d if rows else BatchNorm2d
    x = x.reshape(-1, x.shape[3]) if rows else x
    norm = norm_of(rng, x.shape[-1], affine, kind)
    if affine:
        norm.bias.data[::3] += 5  # so that much of it passes 6
    joined, alone = Sequential(norm, curves[0]()), Sequential(copy.deepcopy(norm), curves[1]())
    assert_same_training(joined.train(training), alone.train(training), x, rng, 1)


@settings(max_examples=300)
@given(images(), pools(), st.booleans(), AFFINE)
def test_norm_relu_pool(case, pool, training, affine):
    x, rng = case
    try:
        pool.output_shape(x.shape)
    except ValueError:
        assume(False)
    norm = norm_of(rng, x.shape[3], affine)
    joined = Sequential(norm, ReLU(), pool)
    alone = Sequential(copy.deepcopy(norm), Alone(), copy.deepcopy(pool))
    assert_same_training(joined.train(training), alone.train(training), x, rng, 1)


@settings(max_examples=150)
@given(images(), pools(), st.booleans(), AFFINE)
def test_norm_relu_pool_whose_gradient_takes_the_place_of_its_input(case, pool, training, affine):
    x, rng = case
    try:
        pool.output_shape(x.shape)
    except ValueError:
        assume(False)
    conv, norm = Conv2d(x.shape[3], x.shape[3], 1), norm_of(rng, x.shape[3], affine)
    joined = Sequential(conv, norm, ReLU(), pool)
    alone = Sequential(copy.deepcopy(conv), copy.deepcopy(norm), Alone(), copy.deepcopy(pool))
    with mock.patch("cynet.nn.compile.training.SPENT", 0):
        assert_same_training(joined.train(training), alone.train(training), x, rng, 2)


def test_steps_that_write_over_gradients_of_their_own_give_the_same_bits():
    def block(relu, shortcut=None):
        body = [Conv2d(6, 6, 3, padding=1), BatchNorm2d(6), relu(), Conv2d(6, 6, 1), BatchNorm2d(6)]
        return Residual(Sequential(*body), shortcut), relu()

    def net(relu, relu6):
        blocks = *block(relu), *block(relu, Sequential(Conv2d(6, 6, 1))), *block(relu)
        first, last = (Conv2d(3, 6, 3), BatchNorm2d(6), relu()), (Conv2d(6, 4, 1), BatchNorm2d(4), relu6())
        return Sequential(*first, *blocks, *last, MaxPool2d(2))

    rng = np.random.default_rng(0)
    joined, alone = net(ReLU, ReLU6), net(Alone, Alone6)
    alone.load_state_dict(joined.state_dict())
    assert_same_training(joined, alone, frozen(rng.standard_normal((3, 9, 9, 3))), rng, 8)


class Keeper(cynet.Layer):
    """A user's layer that keeps what it returns."""

    def output_shape(self, shape):
        return shape

    def forward(self, x):
        self.y = x + 1
        return self.y

    def backward(self, dy):
        self.dx = dy * 2
        return self.dx


@pytest.mark.parametrize(
    "behind",
    [
        [BatchNorm2d(4), ReLU()],
        [BatchNorm2d(4), ReLU(), MaxPool2d(2)],
        [Residual(BatchNorm2d(4)), ReLU()],
    ],
)
def test_arrays_that_a_users_layer_keeps_are_not_written_over(behind):
    before, after, rng = Keeper(), Keeper(), np.random.default_rng(0)
    model = Sequential(Conv2d(4, 4, 1), before, *behind, after)
    with mock.patch("cynet.nn.compile.training.SPENT", 0):
        y = model(rng.standard_normal((2, 4, 4, 4), dtype=np.float32))
        kept, dy = before.y.copy(), rng.standard_normal(y.shape, dtype=np.float32)
        model.backward(dy)
    np.testing.assert_array_equal(before.y, kept)
    np.testing.assert_array_equal(after.dx, dy * 2)


def test_a_gradient_lies_where_the_one_behind_it_or_the_input_was():
    norm, behind = BatchNorm2d(4), Conv2d(4, 4, 1)
    rng = np.random.default_rng(0)
    for layers, place in (([norm, ReLU(), behind], 0), ([behind, norm, ReLU(), MaxPool2d(2)], 1)):
        found, given, model = [], [], Sequential(*layers)
        step = chains.steps_of(model).steps[place]
        forward, backward = step.forward, step.backward
        step.forward = lambda x, forward=forward, given=given: given.append(x) or forward(x)

        def spy(dy, *owned, backward=backward, given=given, found=found):
            given.append(dy)
            found.append(backward(dy, *owned))
            return found[-1]

        step.backward = spy
        with mock.patch("cynet.nn.compile.training.SPENT", 0):
            y = model(frozen(rng.standard_normal((2, 4, 4, 4))))
            model.backward(frozen(rng.standard_normal(y.shape)))
        x, dy = given
        assert np.shares_memory(found[0], x if place else dy)


@pytest.mark.parametrize("of_the_class", [False, True])
def test_arrays_that_a_replaced_method_keeps_are_not_written_over(of_the_class):
    model = Sequential(
        Conv2d(4, 4, 1), BatchNorm2d(4), ReLU(), Conv2d(4, 4, 1), BatchNorm2d(4), ReLU(), MaxPool2d(2)
    )
    kept, rng, last = [], np.random.default_rng(0), model.layers[3]

    def keeping(method):
        def keeper(*inputs):
            kept.append(method(*inputs))
            kept.append(kept[-1].copy())
            return kept[-2]

        return keeper

    with mock.patch("cynet.nn.compile.training.SPENT", 0), contextlib.ExitStack() as replaced:
        if of_the_class:
            replaced.enter_context(mock.patch.object(Conv2d, "forward", keeping(Conv2d.forward)))
        y = model(rng.standard_normal((2, 4, 4, 4), dtype=np.float32))
        if of_the_class:
            replaced.enter_context(mock.patch.object(Conv2d, "backward", keeping(Conv2d.backward)))
        else:
            last.backward = keeping(last.backward)  # after the forward pass
        model.backward(rng.standard_normal(y.shape, dtype=np.float32))
    assert len(kept) == (8 if of_the_class else 2)
    for array, copied in zip(kept[::2], kept[1::2], strict=True):
        np.testing.assert_array_equal(array, copied)


@settings(max_examples=150)
@given(images(), st.booleans(), st.sampled_from(["norm", "conv norm", "conv", "layer"]), st.booleans())
def test_residual_relu(case, training, body, shortcut):
    x, rng = case
    channels = x.shape[3]
    conv, norm = Conv2d(channels, channels, 3, padding=1), norm_of(rng, channels, True)
    body = {"norm": [norm], "conv norm": [conv, norm], "conv": [conv], "layer": conv}[body]
    body = Sequential(*body) if isinstance(body, list) else body
    block = Residual(body, Sequential(Conv2d(channels, channels, 1)) if shortcut else None)
    joined, alone = Sequential(block, ReLU()), Sequential(copy.deepcopy(block), Alone())
    assert_same_training(joined.train(training), alone.train(training), x, rng, 1)


@settings(max_examples=150)
@given(
    st.integers(0, 9),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([8, 16, 40]),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_flatten_linear(n, height, width, channels, outputs, bias, seed):
    rng = np.random.default_rng(seed)
    linear = Linear(height * width * channels, outputs, bias=bias)
    joined, alone = Sequential(Flatten(), linear), [Flatten(), copy.deepcopy(linear)]
    x, dy = (frozen(rng.standard_normal(shape)) for shape in ((n, height, width, channels), (n, outputs)))
    rows, w = np.abs(alone[0](x)), np.abs(linear.weight.data)
    for passes in (1, 2):  # gradients add up
        y, wanted = joined(x), alone[1](alone[0](x))
        assert len(chains.steps_of(joined).steps) == (1 if outputs <= 32 else 2)
        dx, wanted_dx = joined.backward(dy), alone[0].backward(alone[1].backward(dy))
        # Two orders of a sum differ by roundings of its terms, however much these cancel.
        in_y = rows @ w.T + (np.abs(linear.bias.data) if bias else 0)
        in_dx = (np.abs(dy) @ w).reshape(n, channels, height, width).transpose(0, 2, 3, 1)
        in_dw = passes * np.abs(dy).T @ rows
        assert np.all(np.abs(y - wanted) <= 1e-6 * in_y)
        assert np.all(np.abs(dx - wanted_dx) <= 1e-6 * in_dx)
        assert np.all(np.abs(linear.weight.grad - alone[1].weight.grad) <= 1e-6 * in_dw)
    if bias:
        np.testing.assert_array_equal(linear.bias.grad, alone[1].bias.grad)


@settings(max_examples=100)
@given(st.integers(2, 4), st.integers(3, 9), st.integers(1, 33), st.integers(0, 2**32), st.booleans())
def test_the_twin(n, size, channels, seed, pooled):
    rng = np.random.default_rng(seed)
    rows = n * size * size
    # Values far enough from each other that float32 finds the same winners.
    x = np.stack([rng.permutation(rows) for _ in range(channels)], 1) * (4 / rows)
    x = frozen(x.reshape(n, size, size, channels))
    norm = norm_of(rng, channels, True)
    gamma, beta = (p.data.astype(float) for p in (norm.weight, norm.bias))
    z, norm_back = reference_weights.batch_norm(x.reshape(-1, channels).astype(float), gamma, beta)
    assume(np.abs(z).min() > 1e-5 and np.abs(gamma).min() > 1e-2)
    wanted, relu_back = reference.relu(z.reshape(x.shape))
    layers = [norm, ReLU()]
    if pooled:
        layers.append(MaxPool2d(3, 2, padding="same"))
        sides = geometry.resolve_padding("same", (3, 3), (2, 2), x.shape[1:3])
        wanted, pool_back = reference.max_pool(wanted, (3, 3), (2, 2), sides)
    model = Sequential(*layers)
    y = model(x)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
    dy = frozen(rng.standard_normal(y.shape))
    dz = relu_back(pool_back(dy.astype(float)) if pooled else dy.astype(float))
    dx, dgamma, dbeta = norm_back(dz.reshape(-1, channels))
    limit = 1e-5 * np.sqrt(rows)
    np.testing.assert_allclose(model.backward(dy).reshape(-1, channels), dx, rtol=1e-5, atol=1e-5 * 4)
    np.testing.assert_allclose(norm.weight.grad, dgamma, rtol=1e-5, atol=limit)
    np.testing.assert_allclose(norm.bias.grad, dbeta, rtol=1e-5, atol=limit)


def block():
    body = Sequential(Conv2d(4, 4, 3, padding=1), BatchNorm2d(4), ReLU(), Conv2d(4, 4, 1), BatchNorm2d(4))
    return Sequential(
        Conv2d(3, 4, 3), BatchNorm2d(4), ReLU(), MaxPool2d(2), Residual(body), ReLU(), cynet.Flatten()
    )


IMAGES = np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype(np.float32)


def test_steps_follow_the_list_of_layers():
    model = block()
    model(IMAGES)
    kinds = [type(step).__name__ for step in chains.steps_of(model).steps]
    assert kinds == ["Conv2d", "NormReLUPool", "SumReLU", "Flatten"]
    model.layers[3] = cynet.AvgPool2d(2)
    model[4].body.layers.append(Alone())
    model(IMAGES)
    kinds = [type(step).__name__ for step in chains.steps_of(model).steps]
    assert kinds == ["Conv2d", "NormReLU", "AvgPool2d", "SumReLU", "Flatten"]
    assert chains.steps_of(model).steps[3].norm is None
    model[4].body = ReLU()
    y = model(IMAGES)
    np.testing.assert_array_equal(y, Sequential(*model.layers[:5], Alone(), cynet.Flatten())(IMAGES))


def test_a_subclass_runs_as_it_is():
    assert training.Steps([BatchNorm2d(3), Alone()]).steps[1].__class__ is Alone


def test_the_model_looks_as_before():
    model = block()
    text, names = repr(model), list(model.state_dict())
    layers = [path for path, _ in model.walk()]
    model(IMAGES)
    assert (repr(model), list(model.state_dict()), [p for p, _ in model.walk()]) == (text, names, layers)
    other = pickle.loads(pickle.dumps(model))
    assert "_training_steps" not in vars(other)
    np.testing.assert_array_equal(other(IMAGES), copy.deepcopy(model)(IMAGES))
    assert cynet.summary(model, IMAGES.shape).parameters == sum(p.size for p in model.parameters())


def test_a_layer_whose_forward_is_set_on_the_object_runs_as_it_is():
    norm, relu = BatchNorm2d(8), ReLU()
    model, x = Sequential(norm, relu), np.random.default_rng(0).standard_normal((2, 4, 4, 8), np.float32)
    model(x)
    relu.forward = lambda y: y + 7
    assert np.array_equal(model(x), norm(x) + 7)
    del relu.forward
    assert np.array_equal(model(x), relu(norm(x)))


def test_no_grad_keeps_nothing():
    model = block()
    dy = np.ones_like(model(IMAGES))
    with cynet.no_grad():
        model(IMAGES)
    for step in chains.steps_of(model).steps:
        with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
            step.backward(dy)


def test_errors_name_the_layer():
    model = Sequential(Conv2d(3, 4, 3), BatchNorm2d(5), ReLU())
    with pytest.raises(ValueError, match=r"^layer 1: BatchNorm2d\(5"):
        model(IMAGES)
    with pytest.raises(ValueError, match=r"BatchNorm2d\(5"):
        model.forward(IMAGES)
    with pytest.raises(ValueError, match="wanted more than 1 value per channel"):
        Sequential(BatchNorm2d(3), ReLU())(IMAGES[:1, :1, :1])
    model = Sequential(BatchNorm2d(3), ReLU())
    model(IMAGES)
    with pytest.raises(ValueError, match="wanted dy of shape"):
        model.backward(IMAGES[:2])


def test_the_gradient_of_the_input_is_spared():
    for layers in ([BatchNorm2d(3), ReLU()], [BatchNorm2d(3), ReLU(), MaxPool2d(2)],
                   [Conv2d(3, 8, 1), Flatten(), Linear(512, 5)],
                   [Residual(Sequential(Conv2d(3, 3, 1), BatchNorm2d(3)), Conv2d(3, 3, 1)), ReLU()],
                   [Residual(Sequential(BatchNorm2d(3))), ReLU()]):  # fmt: skip
        model = Sequential(*layers)
        dy = np.ones_like(model(IMAGES))
        assert model.backward(dy) is not None
        wanted = [p.grad.copy() for p in model.parameters()]
        model.zero_grad()
        model.input_grad = False
        model(IMAGES)
        assert model.backward(dy) is None
        for p, grad in zip(model.parameters(), wanted, strict=True):
            np.testing.assert_array_equal(p.grad, grad)


@pytest.mark.parametrize("channels", [3, 8, 16, 24])
def test_same_bytes_for_any_number_of_threads(channels):
    rng = np.random.default_rng(0)
    x, results = frozen(rng.standard_normal((9, 33, 31, channels))), []
    body = Sequential(Conv2d(channels, channels, 1), BatchNorm2d(channels))
    model = Sequential(
        BatchNorm2d(channels), ReLU(), Residual(body), ReLU(), BatchNorm2d(channels), ReLU(), MaxPool2d(3, 2),
        Flatten(), Linear(240 * channels, 10),
    )  # fmt: skip
    dy = frozen(rng.standard_normal(model.output_shape(x.shape)))
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        one = copy.deepcopy(model)
        arrays = [one(x), one.backward(dy), *one.state_dict().values(), *(p.grad for p in one.parameters())]
        results.append([a.tobytes() for a in arrays])
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("mode", [True, False])
def test_a_linear_layer_that_is_made_wide_is_joined_no_more(mode):
    model = Sequential(Flatten(), Linear(64, 8)).train(mode)
    x, weight = np.random.default_rng(0).standard_normal((2, 4, 4, 4)).astype(np.float32), np.zeros((40, 64))
    model(x)
    weight[:, 5] = 1
    model[1].out_features, model[1].weight, model[1].bias = 40, Parameter(weight), None
    y = model(x)
    np.testing.assert_allclose(y, np.repeat(Flatten()(x)[:, 5:6], 40, 1))
    assert model.backward(y).shape == x.shape
    model[1].out_features = "x"
    with pytest.raises(TypeError, match="out_features: wanted an int"):
        model(x)
