"""Embedding, and integers as inputs: of layers, of containers, of users' layers."""

import copy
import pickle

import numpy as np
import pytest
from examples import ALL, OF_NUMBERS, built
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet.core import threads

CALLS = [call for call in ALL if call.partition("(")[0] in OF_NUMBERS]
KINDS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, ">i4"]


def numbers(shape, most, seed=0):
    return np.random.default_rng(seed).integers(0, most, shape)


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def net():
    cynet.seed(3)
    return cynet.Sequential(cynet.Embedding(7, 4), cynet.GRU(4, 6), cynet.Linear(6, 7))


@pytest.mark.parametrize("call", CALLS)
def test_it_equals_its_twin_forward_and_backward(call):
    layer, shape = built(call), ALL[call]
    x = numbers(shape, layer.num_embeddings)
    y = layer(x)
    assert y.dtype == np.float32 and y.shape == layer.output_shape(shape) == (*shape, layer.embedding_dim)
    np.testing.assert_array_equal(y, layer.weight.data[x])
    dy, wanted = normal(y.shape), np.zeros(layer.weight.shape)
    np.add.at(wanted, x, dy.astype(float))
    assert layer.backward(frozen(dy)) is None
    np.testing.assert_allclose(layer.weight.grad, wanted, rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 200), st.integers(0, 700), st.integers(0, 2**32))
def test_drawn_sizes(most, width, count, seed):
    layer, x = cynet.Embedding(most, width), numbers(count, most, seed)
    dy, wanted = normal((count, width), seed), np.ones((most, width))
    np.testing.assert_array_equal(layer(x), layer.weight.data[x])
    np.add.at(wanted, x, dy.astype(float))
    layer.weight.grad = np.ones((most, width))  # added to
    layer.backward(dy)
    np.testing.assert_allclose(layer.weight.grad, wanted, rtol=1e-5, atol=1e-5 * max(1, count) ** 0.5)


@pytest.mark.usefixtures("threads_for_small_shapes")
def test_same_bytes_for_one_to_four_threads():
    x, dy, results = numbers((40, 50), 9), normal((40, 50, 200)), []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        cynet.seed(1)
        layer = cynet.Embedding(9, 200)
        y = layer(x)
        layer.backward(dy)
        results.append((y.tobytes(), layer.weight.grad.tobytes()))
    assert all(one == results[0] for one in results)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_integer_is_taken(kind):
    layer, x = cynet.Embedding(9, 3), numbers((4, 6), 9)
    given = x.astype(kind)
    for one in (given, frozen_numbers(given), np.asfortranarray(given), np.repeat(given, 2, axis=0)[::2]):
        np.testing.assert_array_equal(layer(one), layer.weight.data[x])


def frozen_numbers(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("wrong", [-1, 9, 2**40, -(2**63)])
def test_a_number_out_of_range_is_named(wrong):
    layer, x = cynet.Embedding(9, 3), numbers((4, 6), 9)
    x[2, 5] = wrong
    with pytest.raises(ValueError, match=rf"Embedding input\[2, 5\]: wanted 0 to 8, got {wrong}$"):
        layer(x)
    with pytest.raises(ValueError, match=rf"Embedding input\[2, 5\]: wanted 0 to 8, got {wrong}$"):
        layer(np.asfortranarray(x))
    with pytest.raises(ValueError, match=r"input\[0\]: wanted 0 to 8, got 18446744073709551615"):
        layer(np.array([2**64 - 1], np.uint64))


@pytest.mark.parametrize(
    "value",
    [None, 3, [[1, 2]], "text", np.zeros((2, 3), np.float32), np.zeros((2, 3)), np.zeros((2, 3), bool),
     np.zeros((2, 3), object), np.zeros((2, 3), complex)],
)  # fmt: skip
def test_what_are_no_integers_is_refused(value):
    with pytest.raises(TypeError, match=r"Embedding input: wanted .*got"):
        cynet.Embedding(9, 3)(value)


@pytest.mark.parametrize("shape", [(), (2, 3, 4)])
def test_other_shapes_are_refused_in_words(shape):
    with pytest.raises(ValueError, match=r"Embedding\(9, 3\): wanted \(N, L\) or \(N,\), got"):
        cynet.Embedding(9, 3)(np.zeros(shape, int))


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0)])
def test_a_batch_of_none(shape):
    layer = cynet.Embedding(9, 3)
    assert layer(np.zeros(shape, int)).shape == (*shape, 3)
    assert layer.backward(np.zeros((*shape, 3), np.float32)) is None
    assert not layer.weight.grad.any()


def test_nan_comes_out_where_it_stands():
    layer = cynet.Embedding(3, 4)
    layer.weight.data[1] = np.nan
    np.testing.assert_array_equal(np.isnan(layer(np.array([0, 1, 2])))[:, 0], [False, True, False])
    layer.backward(np.full((3, 4), np.nan, np.float32))
    assert np.isnan(layer.weight.grad).all()


def test_numbers_that_change_after_the_pass_do_no_harm():
    layer, x = cynet.Embedding(4, 2), np.array([1, 2, 1])
    layer(x)
    x[:] = 10**12
    layer.backward(np.ones((3, 2), np.float32))
    np.testing.assert_array_equal(layer.weight.grad[:, 0], [0, 2, 1, 0])


def test_initial_weights_are_standard_normal():
    cynet.seed(0)
    first = cynet.Embedding(300, 400).weight.data
    assert abs(first.mean()) < 0.01 and abs(first.std() - 1) < 0.01
    cynet.seed(0)
    np.testing.assert_array_equal(cynet.Embedding(300, 400).weight.data, first)


def test_the_initial_weights_of_a_seed_are_for_ever():
    cynet.seed(0)
    first = cynet.Embedding(2, 3).weight.data.ravel()
    wanted = [0.059911035, 0.015559634, -1.1644385, -0.13264713, 0.54387653, -0.20048697]
    np.testing.assert_allclose(first, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ["num_embeddings", "embedding_dim"])
@pytest.mark.parametrize("value", [None, 0, -1, 1.5, "x", True, 5])
def test_attributes_that_were_set_are_refused_by_name(name, value):
    layer = cynet.Embedding(9, 3)
    setattr(layer, name, value)
    with pytest.raises((TypeError, ValueError), match=f"{name}|weight"):
        layer(np.zeros((2, 3), int))
    layer = cynet.Embedding(9, 3)
    layer(np.zeros((2, 3), int))
    setattr(layer, name, value)  # the pass that was made
    layer.backward(np.ones((2, 3, 3), np.float32))
    assert layer.weight.grad[0, 0] == 6


def test_a_weight_set_between_the_passes_is_refused():
    layer, dy = cynet.Embedding(9, 3), np.ones((2, 3), np.float32)
    layer(np.zeros(2, int))
    layer.weight = cynet.Parameter(np.zeros((9, 3)))
    with pytest.raises(ValueError, match="weight: wanted a parameter"):
        layer.backward(dy)
    layer(np.zeros(2, int))
    layer.weight.data = np.ones((9, 3))
    with pytest.raises(RuntimeError, match="weight: wanted the values of the forward pass"):
        layer.backward(dy)


def test_a_frozen_table_gets_no_gradient():
    layer = cynet.Embedding(9, 3)
    layer.weight.requires_grad = False
    layer(np.zeros(2, int))
    assert layer.backward(np.ones((2, 3), np.float32)) is None and not layer.weight.grad.any()


# -- in nets -------------------------------------------------------------------------------------------------
def passed(model, x):
    model.zero_grad()
    y = model(x)
    assert model.backward(normal(y.shape)) is None
    return [y, *(parameter.grad.copy() for parameter in model.parameters())]


@pytest.mark.parametrize("training", [True, False])
def test_containers_take_integers_where_their_first_layer_does(training):
    model, x = net().train(training), numbers((3, 5), 7)
    embedding, gru, linear = model.layers
    t = cynet.Input((5,))
    others = [
        cynet.Sequential(cynet.Sequential(embedding, gru), linear),
        cynet.Graph(t, linear(gru(embedding(t)))),
        Language(model),
    ]
    wanted = passed(model, x)
    for other in others:
        for one, two in zip(passed(other.train(training), x.astype(np.int16)), wanted, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_a_graph_adds_what_two_tables_make_of_one_input():
    x, t = numbers((3, 5), 7), cynet.Input((5,))
    one, other = cynet.Embedding(7, 4), cynet.Embedding(7, 4)
    model = cynet.Graph(t, cynet.Add()(one(t), other(t)))
    np.testing.assert_array_equal(model(x), one.weight.data[x] + other.weight.data[x])
    assert model.backward(np.ones((3, 5, 4), np.float32)) is None
    np.testing.assert_array_equal(one.weight.grad, other.weight.grad)
    assert one.weight.grad.sum() == 60


class Language(cynet.Layer):
    """A user's model."""

    takes_integers = True

    def __init__(self, inner):
        self.inner = inner

    def output_shape(self, shape):
        return self.inner.output_shape(shape)

    def forward(self, x):
        assert x.dtype.kind == "i"
        return self.inner(x)

    def backward(self, dy):
        return self.inner.backward(dy)


def test_other_layers_and_containers_take_no_integers():
    for layer in (cynet.Linear(4, 3), cynet.Sequential(cynet.ReLU(), cynet.Linear(4, 3)), cynet.Sequential()):
        with pytest.raises(TypeError, match="input: wanted dtype float32"):
            layer(np.zeros((2, 4), int))


def test_floats_are_refused_within_a_net_too():
    with pytest.raises(TypeError, match="Embedding input: wanted an array of integers, got float32"):
        net()(np.zeros((2, 4), np.float32))


def test_evaluation_is_planned_and_never_stale():
    model, x = net().eval(), numbers((3, 5), 7)
    with cynet.no_grad():
        first = model(x)
        model[0].weight.data[...] *= 2
        second = model(x)
    np.testing.assert_array_equal(second, net_of(model)(x))
    assert not np.array_equal(first, second)


def net_of(model):
    other = net()
    other.load_state_dict(model.state_dict())
    return other.eval()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_and_specs(copied):
    model, x = net(), numbers((3, 5), 7)
    model(x)
    np.testing.assert_array_equal(copied(model)(x), model(x))
    other = cynet.nn.from_spec(cynet.nn.to_spec(model))
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(other(x), model(x))
    assert repr(other) == repr(model)


def test_gradients_of_the_net_are_right():
    found = cynet.check_gradients(net(), numbers((3, 5), 7))
    assert found.ok and found.rows[0].name == "0.weight", found


def test_summary_counts_it():
    found = cynet.summary(net(), (3, 5))
    assert [row.output_shape for row in found.rows] == [(3, 5, 4), (3, 5, 6), (3, 5, 7)]
    assert found.parameters == sum(parameter.size for parameter in net().parameters())


@pytest.mark.torch
def test_it_equals_pytorchs():
    torch = pytest.importorskip("torch")
    layer, x = cynet.Embedding(9, 5), numbers((4, 6), 9)
    theirs = torch.nn.Embedding(9, 5)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in layer.state_dict().items()})
    y, dy = layer(x), normal((4, 6, 5))
    wanted = theirs(torch.tensor(x))
    wanted.backward(torch.tensor(dy))
    layer.backward(dy)
    np.testing.assert_array_equal(y, wanted.detach().numpy())
    np.testing.assert_allclose(layer.weight.grad, theirs.weight.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("given", "got"), [
    (np.zeros((1, 2)), "float64"), (np.zeros((1, 2), bool), "bool"), ([[0, 1]], "list"), (None, "NoneType"),
    (np.zeros((1, 2), np.float32), "float32"), (np.zeros((1, 2), ">f4"), ">f4"),
])  # fmt: skip
def test_integers_are_asked_for_whatever_was_given(given, got):
    layer = cynet.Embedding(5, 3)
    for one in (layer, cynet.Sequential(layer)):
        with pytest.raises(TypeError, match=f"input: wanted an array of integers, got {got}$"):
            one(given)
