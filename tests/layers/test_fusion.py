"""Layers run as one give, bit for bit, what they give one by one."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet import layers
from cynet.core import threads
from cynet.layers import fusion


@pytest.fixture(autouse=True)
def _restore_threads():
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


class OtherReLU(layers.ReLU):
    """A subclass: it is never joined with what comes before it."""


def shaken(model, seed):
    """`model` with parameters and running statistics drawn anew."""
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data = rng.standard_normal(parameter.shape)
    for _, layer in model.walk():
        if isinstance(layer, layers.BatchNorm2d | layers.BatchNorm1d):
            layer.running_mean[:] = rng.standard_normal(layer.num_features)
            layer.running_var[:] = rng.random(layer.num_features) + 0.1
    return model


def passes(model, x, dy):
    """Everything a forward and a backward pass give."""
    model.zero_grad()
    y = model(x)
    dx = model.backward(dy)
    return [y, dx, *(p.grad for p in model.parameters()), *model.state_dict().values()]


def by_hand(model):
    """The same layers, each ReLU of a class that is not joined; the same arrays."""

    def plain(layer):
        if type(layer) is layers.Sequential:
            return layers.Sequential(*map(plain, layer.layers))
        if type(layer) is layers.Residual:
            return layers.Residual(plain(layer.body), layer.shortcut and plain(layer.shortcut))
        return OtherReLU() if type(layer) is layers.ReLU else layer

    return plain(copy.deepcopy(model))


def check(model, x, seed=0):
    model = shaken(model, seed)
    plain = by_hand(model)
    plain.train(model[0].training if len(model) else True)
    dy = np.random.default_rng(seed + 1).standard_normal(model.output_shape(x.shape)).astype(np.float32)
    assert len(model._steps()) < len(plain._steps()) == len(plain)
    for got, wanted in zip(passes(model, x, dy), passes(plain, x, dy), strict=True):
        np.testing.assert_array_equal(got, wanted)


@st.composite
def inputs(draw):
    shape = tuple(draw(st.integers(1, n)) for n in (4, 7, 7, 33))
    x = np.random.default_rng(draw(st.integers(0, 2**32))).standard_normal(shape)
    x = draw(st.sampled_from([1, 1, 1, 0, 1e6, 1e-6])) * x + draw(st.sampled_from([0, 0, 5, -1e4]))
    return np.round(x, draw(st.sampled_from([0, 3, 9]))).astype(np.float32)


@settings(max_examples=150, deadline=None)
@given(inputs(), st.booleans(), st.booleans())
def test_batch_norm_and_relu(x, training, affine):
    if training and x[..., 0].size < 2:
        return
    channels = x.shape[-1]
    norm = layers.BatchNorm2d(channels, affine=affine)
    check(layers.Sequential(norm, layers.ReLU()).train(training), x, x.shape[1])


@pytest.mark.parametrize("shape", [(40, 9), (3, 11, 5)])
def test_batch_norm_and_relu_of_rows(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    check(layers.Sequential(layers.BatchNorm1d(shape[-1]), layers.ReLU()), x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(bad):
    x = np.random.default_rng(0).standard_normal((4, 5, 5, 11)).astype(np.float32)
    x[1, 2, 3, 4] = bad
    check(layers.Sequential(layers.BatchNorm2d(11), layers.ReLU()), x)
    check(layers.Sequential(layers.BatchNorm2d(11), layers.ReLU()).eval(), x)
    check(layers.Sequential(residual(11, 11), layers.ReLU()), x)


def residual(inputs, outputs, stride=1, first=None, shortcut=None):
    first = first or layers.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    body = (first, layers.BatchNorm2d(outputs), layers.ReLU(), layers.Conv2d(outputs, outputs, 3, 1, 1))
    return layers.Residual(layers.Sequential(*body, layers.BatchNorm2d(outputs)), shortcut)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "block",
    [
        lambda: residual(8, 8),
        lambda: residual(8, 16, 2, shortcut=layers.Conv2d(8, 16, 1, 2)),
        lambda: residual(8, 8, first=layers.Conv2d(8, 8, 1)),
        lambda: residual(8, 8, first=layers.Tanh()),
        lambda: residual(
            8, 16, 2, shortcut=layers.Sequential(layers.Conv2d(8, 16, 1, 2), layers.BatchNorm2d(16))
        ),
    ],
)
def test_residual_blocks(block, training):
    x = np.random.default_rng(0).standard_normal((3, 12, 12, 8)).astype(np.float32)
    model = layers.Sequential(block(), layers.ReLU(), layers.Conv2d(block()(x).shape[3], 5, 3))
    check(model.train(training), x)


@pytest.mark.parametrize("name", ["uwnet1", "resnet20", "vgg_small"])
def test_models(name):
    x = np.random.default_rng(0).standard_normal((4, 32, 32, 3)).astype(np.float32)
    check(cynet.models.create(name), x)


def test_without_the_gradient_to_the_input_the_parameters_get_theirs():
    x = np.random.default_rng(0).standard_normal((3, 8, 8, 8)).astype(np.float32)
    for model in (
        layers.Sequential(layers.BatchNorm2d(8), layers.ReLU()),
        layers.Sequential(residual(8, 8), layers.ReLU()),
        layers.Sequential(residual(8, 16, 2, shortcut=layers.Conv2d(8, 16, 1, 2)), layers.ReLU()),
    ):
        wanted = passes(model, x, np.ones(model(x).shape, np.float32))
        found = [p.copy() for p in wanted[2 : 2 + len(model.parameters())]]
        model.input_grad = False
        assert passes(model, x, np.ones(model(x).shape, np.float32))[1] is None
        for parameter, gradient in zip(model.parameters(), found, strict=True):
            np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-5, atol=1e-5)


def test_steps_follow_the_list_of_layers():
    x = np.random.default_rng(0).standard_normal((3, 8, 8, 8)).astype(np.float32)
    model = layers.Sequential(residual(8, 8), layers.ReLU(), layers.BatchNorm2d(8), layers.ReLU())
    model(x)
    assert [type(s) for s in model._steps()] == [fusion.ResidualReLU, fusion.NormReLU]
    model.layers[1] = OtherReLU()
    assert [type(s) for s in model._steps()] == [layers.Residual, OtherReLU, fusion.NormReLU]
    model.layers[1] = layers.ReLU()
    model.layers[0].body.layers.append(layers.Tanh())
    assert [type(s) for s in model._steps()] == [layers.Residual, layers.ReLU, fusion.NormReLU]
    del model.layers[0].body.layers[-1], model.layers[-1]
    assert [type(s) for s in model._steps()] == [fusion.ResidualReLU, layers.BatchNorm2d]
    before = model(x)
    model.layers[0].shortcut = layers.Conv2d(8, 8, 1)
    assert not np.array_equal(model(x), before)


def test_same_bytes_for_any_number_of_threads():
    x = np.random.default_rng(0).standard_normal((9, 16, 16, 8)).astype(np.float32)
    found = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        model = shaken(
            layers.Sequential(residual(8, 8), layers.ReLU(), layers.BatchNorm2d(8), layers.ReLU()), 3
        )
        found.append([a.tobytes() for a in passes(model, x, np.ones(x.shape, np.float32))])
    assert all(one == found[0] for one in found)


def test_within_no_grad_nothing_is_kept():
    model = layers.Sequential(layers.BatchNorm2d(8), layers.ReLU())
    with cynet.no_grad():
        y = model(np.ones((2, 3, 3, 8), np.float32))
    with pytest.raises(RuntimeError, match=r"BatchNorm2d\.backward: wanted a forward pass before it"):
        model.backward(y)
