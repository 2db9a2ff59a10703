"""Graph: nets of any structure, against their layers one by one, and against PyTorch."""

import copy
import pickle

import drawn_graphs
import numpy as np
import pytest
from helpers import frozen

import cynet
from cynet import (
    Add,
    BatchNorm2d,
    Concatenate,
    Conv2d,
    Graph,
    Input,
    Linear,
    Multiply,
    ReLU,
    Sequential,
    Tanh,
)
from cynet.nn.compile import nesting
from cynet.nn.passes import layer_by_layer


def normal(shape, seed=0):
    return frozen(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def given(shapes, seed=0, batch=3):
    return [normal((batch, *shape), seed + i) for i, shape in enumerate(shapes)]


def several(value):
    return value if isinstance(value, tuple) else (value,)


def passes(model, xs):
    """(outputs, gradients to the inputs, of the parameters by name) of one pass."""
    model.zero_grad()
    ys = several(model(*xs))
    dxs = several(model.backward(*(normal(y.shape, 50 + i) for i, y in enumerate(ys))))
    return ys, dxs, {p.name: p.grad.copy() for p in model.parameters()}


def one_by_one(model, xs):
    """The same by the model's parts, nothing joined."""
    model.compiler = None
    with layer_by_layer():
        return passes(model, xs)


def assert_close(found, wanted, rtol=1e-3):
    for ours, theirs in zip(found[0] + found[1], wanted[0] + wanted[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * max(1, np.abs(theirs).max()))
    for name, array in wanted[2].items():
        np.testing.assert_allclose(
            found[2][name], array, rtol=rtol, atol=rtol * max(1, np.abs(array).max()), err_msg=name
        )


# -- numbers -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(60))
def test_it_gives_what_its_layers_give_one_by_one(seed):
    model, shapes = drawn_graphs.graph(seed)
    xs, again = given(shapes), copy.deepcopy(model)
    for training in (True, False):
        model.train(training)
        again.train(training)
        assert_close(passes(model, xs), one_by_one(again, xs))
        with cynet.no_grad():
            found, wanted = model(*xs), again(*xs)
        for y, other in zip(several(found), several(wanted), strict=True):
            np.testing.assert_allclose(y, other, rtol=1e-3, atol=1e-3 * max(1, np.abs(other).max()))


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_graph_builds_again_from_its_repr_and_its_pickle(seed):
    model, shapes = drawn_graphs.graph(seed)
    names = {name: getattr(cynet, name) for name in cynet.nn.__all__} | {"Input": Input}
    again = eval(repr(model), names)
    assert repr(again) == repr(model) and again.input_shapes == tuple(shapes)
    again.load_state_dict(model.state_dict())
    copied, xs = pickle.loads(pickle.dumps(model)), given(shapes)
    for one in (again, copied):
        for y, other in zip(several(one.eval()(*xs)), several(model.eval()(*xs)), strict=True):
            np.testing.assert_array_equal(y, other)


@pytest.mark.torch
@pytest.mark.parametrize("first", range(0, 500, 50))
def test_500_drawn_graphs_equal_pytorchs_in_float64(first):
    torch = pytest.importorskip("torch")
    from cynet.bench import torch_peer

    for seed in range(first, first + 50):
        model, shapes = drawn_graphs.graph(seed)
        net, xs = torch_peer.converted(model).double(), given(shapes, seed)
        for training in (True, False):
            model.train(training)
            net.train(training)
            theirs = [torch.tensor(np.moveaxis(x, -1, 1).astype(float), requires_grad=True) for x in xs]
            outputs = several(net(*theirs))
            net.zero_grad()
            dys = [
                normal(tuple(np.moveaxis(y.detach().numpy(), 1, -1).shape), 50 + i)
                for i, y in enumerate(outputs)
            ]
            torch.autograd.backward(
                outputs, [torch.tensor(np.moveaxis(dy, -1, 1).astype(float)) for dy in dys]
            )
            last = lambda t: np.moveaxis(t.detach().numpy(), 1, -1)  # noqa: E731
            wanted = (
                tuple(map(last, outputs)),
                tuple(last(x.grad) for x in theirs),
                {name: p.grad.numpy() for name, p in net.named_parameters()},
            )
            assert_close(passes(model, xs), wanted)


# -- what is joined ------------------------------------------------------------------------------------------
def block(x, channels=8):
    """Two convolutions with batch norm, and a way around them that is added."""
    y = ReLU()(BatchNorm2d(channels)(Conv2d(x.shape[-1], channels, 3, padding=1, bias=False)(x)))
    y = BatchNorm2d(channels)(Conv2d(channels, channels, 3, padding=1, bias=False)(y))
    return ReLU()(Add()(y, x))


def test_a_graph_of_blocks_is_a_chain_with_the_nested_nets_bytes():
    cynet.seed(1)
    x = Input((8, 8, 8))
    model = Graph(x, block(block(x)))
    layers = nesting.layers_of(model.parts(), model.ends())
    assert [type(layer).__name__ for layer in layers] == ["Residual", "ReLU"] * 2
    nested, a = Sequential(*layers), normal((4, 8, 8, 8))
    wanted = [(nested(a), nested.backward(a)), nested.eval()(a)]
    model.zero_grad()
    found = [(model.train()(a), model.backward(a)), model.eval()(a)]
    for one, other in zip(found[0], wanted[0], strict=True):
        np.testing.assert_array_equal(one, other)
    (plan,), (other,) = model._plans[a.shape], nested._plans[a.shape]
    assert [type(step) for step in plan._steps] == [type(step) for step in other._steps]


def test_what_is_no_chain_has_chains_for_parts():
    x = Input((8, 8, 4))
    h = Tanh()(Conv2d(4, 4, 1)(x))
    left, right = ReLU()(Conv2d(4, 4, 1)(h)), Conv2d(4, 4, 1)(ReLU()(h))
    model = Graph(x, Multiply()(Add()(left, right), left))
    (nested,) = nesting.layers_of(model.parts(), model.ends())
    found = [
        [type(layer).__name__ for layer in getattr(part.layer, "layers", [part.layer])]
        for part in nested.parts()
    ]
    assert found == [["Conv2d", "Tanh"], ["Conv2d", "ReLU"], ["ReLU", "Conv2d"], ["Add"], ["Multiply"]]


# -- structure -----------------------------------------------------------------------------------------------
def test_paths_are_names_or_numbers_in_the_order_of_first_calls():
    x = Input((4, 4, 3))
    stem, shared = Conv2d(3, 3, 1, name="stem"), Conv2d(3, 3, 1)
    h = shared(stem(x))
    model = Graph(x, Linear(3, 2, name="head.fc")(cynet.GlobalAvgPool2d()(Add()(shared(h), h))))
    assert list(model.layers) == ["stem", "1", "2", "3", "head.fc"]
    assert list(model.state_dict()) == [
        "stem.weight", "stem.bias", "1.weight", "1.bias", "head.fc.weight", "head.fc.bias",
    ]  # fmt: skip
    assert len(model.parameters()) == 6


def test_several_inputs_and_outputs():
    a, b = Input((4, 4, 2)), Input((4, 4, 3))
    joined = Concatenate()(a, b)
    model = Graph([a, b], [joined, Conv2d(5, 1, 1)(joined)])
    xs = given(model.input_shapes)
    y, z = model(*xs)
    np.testing.assert_array_equal(y, np.concatenate(xs, axis=-1))
    assert z.shape == (3, 4, 4, 1) and model.output_shape(xs[0].shape, xs[1].shape) == (y.shape, z.shape)
    da, db = model.backward(np.ones_like(y), np.zeros_like(z))
    assert (da == 1).all() and (db == 1).all() and (da.shape, db.shape) == (xs[0].shape, xs[1].shape)
    assert str(cynet.summary(model, (4, 4, 2))) if len(model.input_shapes) == 1 else True


def test_a_graph_stands_within_others():
    cynet.seed(3)
    x = Input((4, 4, 3))
    two = Graph(x, [ReLU()(x), Tanh()(x)])
    outer = Input((4, 4, 3))
    left, right = two(outer)
    model, a = Graph(outer, Add()(left, right)), normal((2, 4, 4, 3))
    np.testing.assert_allclose(model(a), np.maximum(a, 0) + np.tanh(a), rtol=1e-6)
    np.testing.assert_allclose(
        model.backward(np.ones_like(a)), (a > 0) + 1 - np.tanh(a) ** 2, rtol=1e-5, atol=1e-6
    )
    inside = Sequential(Conv2d(3, 3, 1), Graph(x, BatchNorm2d(3)(Conv2d(3, 3, 1)(x))), ReLU()).eval()
    wanted = inside[2](inside[1](inside[0](a)))
    np.testing.assert_allclose(inside(a), wanted, rtol=1e-4, atol=1e-5)
    assert [type(step).__name__ for step in inside._plans[a.shape][0]._steps] == ["Convolve", "Convolve"]


def test_what_is_within_a_graph_may_be_taken_for_its_input():
    x = Input((4, 4, 3))
    h = Conv2d(3, 2, 1)(x)
    y = Tanh()(h)
    a = normal((2, 4, 4, 2))
    np.testing.assert_allclose(Graph(h, y)(a), np.tanh(a), rtol=1e-6)
    np.testing.assert_array_equal(Graph(x, x)(normal((2, 4, 4, 3))), normal((2, 4, 4, 3)))


# -- what is refused -----------------------------------------------------------------------------------------
X, Y = Input((4, 4, 3)), Input((4, 4, 3))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Input(3), "shape: wanted a tuple of sizes"),
        (lambda: Input(()), "shape: wanted a tuple of sizes"),
        (lambda: Input((3, 0)), r"shape\[1\]: wanted at least 1, got 0"),
        (lambda: Graph(3, X), "inputs: wanted a symbol"),
        (lambda: Graph([], X), "inputs: wanted at least one"),
        (lambda: Graph(X, []), "outputs: wanted at least one"),
        (lambda: Graph(X, [X, None]), r"outputs\[1\]: wanted a symbol"),
        (lambda: Graph([X, X], ReLU()(X)), "inputs: wanted different symbols"),
        (lambda: Graph([X, Input((3,))], ReLU()(X)), r"inputs\[1\]: wanted one that an output depends on"),
        (lambda: Graph(Input((4, 4, 3)), ReLU()(X)), "inputs: wanted all that the outputs depend on"),
        (lambda: Conv2d(4, 4, 1)(X), r"Conv2d\(4, 4.*wanted \(N, H, W, 4\)"),
        (lambda: Add()(X), "wanted equal shapes to add, two or more"),
        (lambda: Add()(X, Input((4, 4, 2))), "wanted equal shapes to add"),
        (lambda: Multiply()(X, Input((4, 1, 3))), "Multiply.*wanted"),
        (lambda: Concatenate()(X, Input((4, 2, 3))), "wanted branches of equal shape"),
        (lambda: Add()(X, normal((1, 4, 4, 3))), "Add input 1: wanted a symbol as the others"),
        (lambda: ReLU()(X, X), "ReLU: wanted as many inputs as its forward takes, got 2"),
        (lambda: Graph(X, ReLU(name="a b")(X)), "name: wanted letters"),
        (lambda: Graph(X, ReLU(name=3)(X)), "name: wanted a str"),
        (lambda: Graph(X, ReLU(name="a")(Tanh(name="a")(X))), "name: wanted one of its own.* 'a'$"),
        (lambda: Graph(X, ReLU()(Tanh(name="1")(X))), "two called '1' .a layer without a name is called"),
        (lambda: Multiply()(Input((1, 1, 3)), X), r"wanted \(1, 1, 1, 3\) beside .*largest comes first"),
        (lambda: Multiply()(Input((4,)), Input((3,))), r"wanted \(1, 4\) beside \(1, 4\), got \(1, 3\)$"),
        (lambda: Concatenate(axis=1), "axis: wanted -1, that of the channels, .*got 1"),
        (lambda: Concatenate(axis=-1.0), "axis: wanted -1, that of the channels, .*got -1.0"),
        (lambda: Concatenate()(normal((3,)), normal((4,))), r"wanted branches of equal .*got \[\(3,\), \("),
        (lambda: np.asarray(X), "wanted an array, got <Symbol"),
        (lambda: Graph([X, Y], Add()(X, Y))(normal((1, 4, 4, 3))), "wanted 2 inputs, got 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()


# -- frozen parameters ---------------------------------------------------------------------------------------
def test_what_lies_below_frozen_layers_is_not_gone_back_to():
    cynet.seed(2)
    x = Input((6, 6, 3))
    model = Graph(
        x, Linear(4, 2, name="head")(cynet.GlobalAvgPool2d()(Tanh()(Conv2d(3, 4, 3, name="body")(x))))
    )
    a, wanted = normal((2, 6, 6, 3)), None
    for p in model.layers["body"].parameters():
        p.requires_grad = False
    model.input_grad = False
    y = model(a)
    went = []
    for name, layer in model.layers.items():
        layer.backward = lambda dy, layer=layer, name=name: (
            went.append(name) or type(layer).backward(layer, dy)
        )
    assert model.backward(np.ones_like(y)) is wanted
    assert went == ["head"]
    assert not any(p.grad.any() for p in model.layers["body"].parameters())
    assert all(p.grad.any() for p in model.layers["head"].parameters())


def test_a_frozen_parameter_stays_so_in_copies():
    layer = Conv2d(3, 4, 1)
    layer.weight.requires_grad = False
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert not copied.weight.requires_grad and copied.bias.requires_grad
    with pytest.raises(TypeError, match="requires_grad: wanted True or False, got 1"):
        layer.weight.requires_grad = 1


@pytest.mark.parametrize("which", [0, 1])
def test_the_repr_tells_which_of_the_last_values_is_the_output(which):
    x = Input((4, 4, 3))
    two = Graph(x, [ReLU()(x), Tanh()(x)])
    outer = Input((4, 4, 3))
    model, a = Graph(outer, two(outer)[which]), normal((2, 4, 4, 3))
    again = eval(repr(model), {name: getattr(cynet, name) for name in cynet.nn.__all__} | {"Input": Input})
    np.testing.assert_array_equal(again(a), model(a))
    np.testing.assert_array_equal(model(a), two(a)[which])


def test_a_graph_within_another_keeps_its_names_to_itself_in_the_repr():
    cynet.seed(5)
    x, a = Input((4, 4, 3)), normal((2, 4, 4, 3))
    inner = Graph(x, Add()(ReLU()(x), Tanh()(x)))
    outer = Input((4, 4, 3))
    h = Tanh()(outer)
    model = Graph(outer, Multiply()(Sequential(inner, ReLU())(h), h, inner(outer)))
    again = eval(repr(model), {name: getattr(cynet, name) for name in cynet.nn.__all__} | {"Input": Input})
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again(a), model(a))
