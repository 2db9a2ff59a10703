"""What every registered layer keeps, by the examples at its decorator: a new one is tested as it is added."""

import copy
import importlib
import inspect
import pickle

import numpy as np
import pytest
from examples import BUILDING, EXAMPLES, NAMES, built, made, normal, twin
from helpers import frozen

import cynet
from cynet import nn
from cynet.core import threads
from cynet.nn.parameter import Parameter
from cynet.nn.registry import layer as layers

CALLS = pytest.mark.parametrize("call", EXAMPLES)
MODES = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
NO_FLOAT32 = [
    None, 3.0, [[1.0]], "image", np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3), np.float16),
    np.zeros((2, 8, 8, 3), np.int32), np.zeros((2, 8, 8, 3), ">f4"), np.zeros((2, 8, 8, 3), complex),
    np.zeros((2, 8, 8, 3), object), np.zeros((2, 8, 8, 3), np.uint8),
]  # fmt: skip
UNEVEN = "'same'", "(0, 1, 2, 0)", "(2, 0, 1, 2)", "(4, 0)"  # paddings that PyTorch's layers do not take
ODD = [
    None, True, 0, -1, 1.5, 2**31, 2**63, float("nan"), float("inf"), "", "x", (), (0, 0), (1, 2, 3), (-1, 1),
    [], {}, object(), np.zeros(4), cynet.ReLU, 3, "same",
]  # fmt: skip


def ran(layer, x):
    """{"output": ..., "input": dx, name of a parameter: its gradient} of one pass."""
    cynet.seed(2)
    y = layer(x)
    layer.zero_grad()
    dx = layer.backward(frozen(normal(y.shape, 7)))
    return {"output": y, "input": dx} | {p.name: p.grad.copy() for p in layer.parameters()}


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


# -- names ---------------------------------------------------------------------------------------------------
def test_the_public_names_are_those_of_the_registry():
    """The one list of them is in cynet/nn/__init__.py."""
    assert sorted(nn.__all__) == sorted(layers.names())
    for name in layers.names():
        kind = layers[name]
        assert kind is getattr(nn, name) is getattr(cynet, name) is getattr(cynet.layers, name)
        assert name in cynet.__all__ and name in dir(cynet)


@pytest.mark.parametrize("name", layers.names())
def test_a_layer_is_told_of_and_has_examples_of_itself(name):
    assert layers[name].__doc__ and layers.facts(name)["examples"]
    for call in layers.facts(name)["examples"]:
        assert type(built(call)) is layers[name]


def test_every_layer_of_the_folders_is_registered():
    """Also one whose decorator was forgotten; what others derive from needs none."""
    for name in layers.names():
        importlib.import_module(layers.home(name)[0])
    kinds, found = [cynet.Layer], set()
    while kinds:
        below = kinds.pop().__subclasses__()
        kinds += below
        found |= {kind for kind in below if kind.__module__.startswith(("cynet.nn.layers.", "cynet.nn.con"))}
    bases = {base for kind in found for base in kind.__mro__[1:]}
    registered = {layers[name] for name in layers.names()}
    assert found - (bases - registered) == registered


# -- numbers -------------------------------------------------------------------------------------------------
@CALLS
@MODES
def test_it_equals_its_twin_forward_and_backward(call, training):
    layer, shape = made(call).train(training), EXAMPLES[call]
    x = frozen(normal(shape))
    cynet.seed(2)
    with cynet.no_grad():
        wanted, backward = twin(layer, x.astype(float))
    found = ran(layer, x)
    gradients = backward(normal(wanted.shape, 7).astype(float))
    assert gradients.keys() == found.keys() - {"output"}
    y, terms = found["output"], layer.macs(shape)
    lengths = {"output": terms / y.size, "input": terms / x.size}  # of the sums; a parameter's: its pixels
    for name, array in (("output", wanted), *gradients.items()):
        long = max(1, lengths.get(name, y.size / y.shape[-1]))
        near = {"rtol": 1e-5, "atol": 1e-6 if long == 1 else 1e-5 * long**0.5}
        assert found[name].dtype == np.float32 and found[name].shape == array.shape
        np.testing.assert_allclose(found[name], array, **near, err_msg=name)


@CALLS
@MODES
def test_shapes_are_those_that_it_tells(call, training):
    layer, shape = made(call).train(training), EXAMPLES[call]
    found = ran(layer, frozen(normal(shape)))
    assert found["output"].shape == layer.output_shape(shape) and found["input"].shape == shape
    assert layer.macs(shape) >= 0
    assert [path for path, *_ in layer.trace(shape)]
    if len(shape) != 3:  # which is taken for that of one picture
        assert cynet.summary(layer, shape).parameters == sum(p.size for p in layer.parameters())


@CALLS
@MODES
@pytest.mark.usefixtures("threads_for_small_shapes")
def test_same_bytes_for_one_to_four_threads(call, training):
    """Over a batch of several chunks."""
    shape = EXAMPLES[call]
    large = (shape[0] * 5, *(side * 3 for side in shape[1:-1]), shape[-1])
    results = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        results.append(ran(made(call).train(training), frozen(normal(large))))
        assert_same(results[-1], results[0])


@CALLS
@MODES
def test_batches_of_other_sizes_come_one_after_another(call, training):
    layer, shape = made(call).train(training), EXAMPLES[call]
    for batch in (2, 5, 3):
        x = frozen(normal((batch, *shape[1:]), batch))
        assert_same(ran(layer, x), ran(made(call).train(training), x))


@CALLS
@MODES
def test_nan_comes_out(call, training):
    layer, shape = made(call).train(training), EXAMPLES[call]
    y = layer(np.full(shape, np.nan, np.float32))
    assert np.isnan(y).any() if "ZeroPad2d" in call else np.isnan(y).all()
    layer = made(call).train(training)
    y = layer(frozen(normal(shape)))
    dx = layer.backward(np.full(y.shape, np.nan, np.float32))
    assert np.isnan(dx).any()
    assert all(np.isnan(parameter.grad).all() for parameter in layer.parameters())


@CALLS
def test_nan_stays_in_its_image(call):
    layer, x = made(call).eval(), normal(EXAMPLES[call])
    x[(0,) * x.ndim] = np.nan
    y = layer(x)
    assert np.isnan(y[0]).any() and np.isfinite(y[1:]).all()


@CALLS
@MODES
def test_a_batch_of_none(call, training):
    layer, shape = made(call).train(training), (0, *EXAMPLES[call][1:])
    try:
        y = layer(np.empty(shape, np.float32))
    except ValueError as error:
        assert training and "wanted more than 1 value" in str(error)
        return
    assert y.shape == layer.output_shape(shape)
    assert layer.backward(np.empty(y.shape, np.float32)).shape == shape
    assert not any(parameter.grad.any() for parameter in layer.parameters())


@CALLS
@MODES
def test_inputs_of_other_strides_and_places_give_the_same(call, training):
    x = normal(EXAMPLES[call])
    raw = np.zeros(x.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(np.float32).reshape(x.shape)
    misaligned[...] = x
    wanted = ran(made(call).train(training), x)
    for other in (frozen(x), np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], misaligned):
        assert_same(ran(made(call).train(training), other), wanted)


@CALLS
@MODES
def test_outputs_are_never_overwritten(call, training):
    layer, x = made(call).train(training), normal(EXAMPLES[call])
    kept = ran(layer, x)
    before = copy.deepcopy(kept)
    for _ in range(3):
        ran(layer, x + 1)
    assert_same(kept, before)


@CALLS
@MODES
@pytest.mark.usefixtures("dirty_memory")
def test_nothing_is_read_before_it_is_written(call, training):
    found = ran(made(call).train(training), frozen(normal(EXAMPLES[call])))
    assert all(np.isfinite(array).all() for array in found.values())


@CALLS
@MODES
@pytest.mark.usefixtures("fenced_memory", "threads_for_small_shapes")
def test_nothing_is_written_beyond_its_arrays(call, training):
    x = normal((13, *EXAMPLES[call][1:]))  # of no whole number of groups of rows
    for count in (1, 3):
        threads.set_num_threads(count)
        ran(made(call).train(training), x)
        with cynet.no_grad():
            cynet.Sequential(made(call).eval()).eval()(x)


@CALLS
def test_in_a_model_it_does_what_it_does_alone(call):
    """In training to the bit; in evaluation, where a plan is made, to rounding."""
    x = frozen(normal(EXAMPLES[call]))
    alone = ran(made(call), x)
    found = ran(cynet.Sequential(made(call)), x)
    assert_same({name.removeprefix("0."): array for name, array in found.items()}, alone)
    with cynet.no_grad():
        wanted, y = made(call).eval()(x), cynet.Sequential(made(call)).eval()(x)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


# -- what is refused -----------------------------------------------------------------------------------------
@CALLS
def test_what_is_no_float32_array_is_refused_by_name(call):
    layer = made(call)
    for value in NO_FLOAT32:
        with pytest.raises(TypeError, match=f"{type(layer).__name__} input: wanted .*got"):
            layer(value)
    layer(normal(EXAMPLES[call]))
    for value in NO_FLOAT32:
        with pytest.raises(TypeError, match=r"\.backward dy: wanted .*got"):
            layer.backward(value)
        layer(normal(EXAMPLES[call]))


@CALLS
def test_a_shape_is_taken_or_refused_in_words(call):
    own, named = EXAMPLES[call], [name for name in NAMES if name in call]
    shapes = [(), (2,), (0,), (2, 5), (2, 0), (2, 5, 4), (2, 5, 5, 4), (2, 0, 5, 4), (2, 5, 0, 4)]
    shapes += [(2, 5, 5, 0), (1, 2, 5, 5, 3), (*own[:-1], own[-1] + 1), (*own, 1), own[:-1]]
    for shape in shapes:
        layer, x = made(call).eval(), np.zeros(shape, np.float32)
        try:
            y = layer(x)
        except ValueError as error:
            assert any(name in str(error) for name in named) and "wanted" in str(error), (shape, error)
            with pytest.raises(ValueError, match="wanted"):
                layer.output_shape(shape)
        else:
            assert y.shape == layer.output_shape(shape)


@CALLS
def test_a_gradient_of_another_shape_is_refused(call):
    layer = made(call)
    y = layer(normal(EXAMPLES[call]))
    with pytest.raises(ValueError, match=r"\.backward: wanted dy of shape|wanted dy of shape"):
        layer.backward(np.zeros((1, *y.shape), np.float32))


@CALLS
def test_backward_follows_one_forward_pass(call):
    layer, x = made(call), normal(EXAMPLES[call])
    dy = normal(layer.output_shape(x.shape))
    with pytest.raises(RuntimeError, match="forward pass"):
        layer.backward(dy)
    with cynet.no_grad():
        layer(x)
    with pytest.raises(RuntimeError, match="forward pass"):
        layer.backward(dy)
    layer(x)
    layer.backward(dy)
    with pytest.raises(RuntimeError, match="forward pass"):
        layer.backward(dy)


@CALLS
def test_other_values_or_parameters_between_the_passes_are_refused(call):
    """Activations and weights would not belong together: of a layer, and of those in it."""
    model, x = made(call), normal(EXAMPLES[call])
    for _, layer in model.walk():
        for name, parameter in layer._own():
            y = model(x)
            parameter.data = parameter.data * 2
            with pytest.raises(RuntimeError, match=f"{name}: wanted the values of the forward pass"):
                model.backward(y)
            y = model(x)
            setattr(layer, name, Parameter(parameter.data))
            with pytest.raises(
                ValueError, match=f"{name}: wanted a parameter of shape .* forward pass, got "
            ):
                model.backward(y)
            setattr(layer, name, parameter)


@CALLS
@MODES
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_open_passes_are_followed_each_by_its_own_backward(call, training, order):
    layer, shape = made(call).train(training), EXAMPLES[call]
    inputs, others = [frozen(normal(shape, seed)) for seed in (3, 4)], [copy.deepcopy(layer) for _ in "12"]
    cynet.seed(2)
    outputs = [other(x) for other, x in zip(others, inputs, strict=True)]
    cynet.seed(2)
    passes = []
    for x, y in zip(inputs, outputs, strict=True):
        np.testing.assert_array_equal(layer(x), y)
        passes.append(layer.last_pass)
    for i in order:
        layer.zero_grad()
        dy = frozen(normal(outputs[i].shape, 7 + i))
        np.testing.assert_array_equal(passes[i].backward(dy), others[i].backward(dy))
        for parameter, own in zip(layer.parameters(), others[i].parameters(), strict=True):
            np.testing.assert_array_equal(parameter.grad, own.grad)


class Twice(cynet.Layer):
    """One layer at two places, or two: f(x) + g(x / 2)."""

    def __init__(self, one, other):
        self.one, self.other = one, other

    def output_shape(self, shape):
        return self.one.output_shape(shape)

    def forward(self, x):
        return self.one(x) + self.other(x / 2)

    def backward(self, dy):
        other = self.other.backward(dy)
        return self.one.backward(dy) + other / 2


@CALLS
@MODES
def test_at_two_places_of_a_net_its_parameters_get_the_sum_of_both_gradients(call, training):
    layer, x = made(call), frozen(normal(EXAMPLES[call]))
    shared = Twice(layer, layer).train(training)
    apart = Twice(copy.deepcopy(layer), copy.deepcopy(layer)).train(training)
    found, wanted = ran(shared, x), ran(apart, x)
    for name in ("output", "input"):
        np.testing.assert_array_equal(found[name], wanted[name])
    pairs = zip(apart.one.parameters(), apart.other.parameters(), strict=True)
    for parameter, (one, other) in zip(layer.parameters(), pairs, strict=True):
        sums = one.grad + other.grad
        np.testing.assert_allclose(parameter.grad, sums, rtol=1e-5, atol=1e-5 * np.abs(sums).max())


def arguments():
    for name in layers.names():
        for parameter in inspect.signature(layers[name]).parameters:
            yield pytest.param(name, parameter, id=f"{name}-{parameter}")


@pytest.mark.parametrize(("name", "argument"), [*arguments()])
def test_an_odd_argument_is_taken_or_refused_by_name(name, argument):
    signature, refused = inspect.signature(layers[name]), 0
    call = next(iter(layers.facts(name)["examples"]))
    several = signature.parameters[argument].kind is inspect.Parameter.VAR_POSITIONAL
    for value in ODD:
        given = eval(f"given{call.removeprefix(name)}", BUILDING | {"given": signature.bind})
        given.arguments[argument] = (value,) if several else value
        try:
            layers[name](*given.args, **given.kwargs)
        except (TypeError, ValueError) as error:
            assert argument in str(error) and "wanted" in str(error), (value, error)
            refused += 1
    assert refused > len(ODD) // 2


# -- copies and states ---------------------------------------------------------------------------------------
@CALLS
@MODES
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_are_equal_and_independent(call, training, copied):
    layer, x = made(call).train(training), frozen(normal(EXAMPLES[call]))
    ran(layer, x)  # it has plans and a pass
    twin, state = copied(layer), layer.state_dict()
    assert twin.training == training and repr(twin) == repr(layer)
    assert_same(ran(twin, x), ran(layer, x))
    layer.load_state_dict(state)
    for parameter in twin.parameters():
        parameter.data += 1
        parameter.grad += 1
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    with pytest.raises(RuntimeError, match="forward pass"):
        copied(layer).backward(normal(layer(x).shape))


@CALLS
def test_a_state_goes_into_another_layer_and_comes_out(call):
    layer, other, x = made(call, 1), made(call, 5), frozen(normal(EXAMPLES[call]))
    state = layer.state_dict()
    assert list(other.state_dict()) == list(state)
    assert set(state) >= {p.name for p in layer.parameters()}
    other.load_state_dict(state)
    assert_same(ran(other.eval(), x), ran(layer.eval(), x))
    for array in state.values():
        array[...] = 7  # a copy of its own
    assert_same(ran(other, x), ran(layer, x))
    for wrong in ({**state, "none such": np.zeros(1)}, {k: np.zeros((9, 9)) for k in state} or {"x": 1}):
        with pytest.raises(ValueError, match="state does not fit the model"):
            layer.load_state_dict(wrong)
    assert_same(ran(other, x), ran(layer, x))


@CALLS
def test_its_repr_builds_it_again(call):
    layer = built(call)
    again = built(repr(layer))
    assert repr(again) == repr(layer)
    assert_same(ran(again, normal(EXAMPLES[call])), ran(layer, normal(EXAMPLES[call])))


# -- PyTorch -------------------------------------------------------------------------------------------------
def of_torch(torch, call):
    """PyTorch's layer by the same call, or None: some layers and some paddings are cynet's alone."""
    names = {name: getattr(torch.nn, name) for name in NAMES if hasattr(torch.nn, name)}
    names["Softmax"] = lambda: torch.nn.Softmax(1)  # of channels: NumPy's last axis
    names |= {name: batch_first(torch, names[name]) for name in ("GRU", "LSTM")}
    names |= {name: of_last_axis(torch, names[name]) for name in ("LayerNorm", "Linear")}
    names["BatchNorm2d"] = lambda *given, **options: only_shift(torch.nn.BatchNorm2d, *given, **options)
    if any(f"{name}(" in call for name in NAMES.keys() - names) or any(text in call for text in UNEVEN):
        return None
    try:
        return eval(call, names)
    except (TypeError, ValueError):
        return None


def of_last_axis(torch, kind):
    """PyTorch's layer of the last axis, to be given channels first, as the others are."""

    class Moved(kind):
        def forward(self, x):
            return super().forward(x.movedim(1, -1)).movedim(-1, 1)

    return Moved


def batch_first(torch, kind):
    """PyTorch's recurrent layer, to be given channels first, as the others are."""

    class Moved(kind):
        def forward(self, x):
            return super().forward(x.movedim(1, -1))[0].movedim(-1, 1)

    return lambda *given, **options: Moved(*given, batch_first=True, **options)


def only_shift(kind, *given, affine=True, **options):
    """PyTorch's batch norm, with `affine="bias"` without its weight."""
    found = kind(*given, affine=bool(affine), **options)
    if affine == "bias":
        found.weight = None
    return found


@pytest.mark.torch
@CALLS
@MODES
def test_it_equals_pytorchs_layer_of_its_name(call, training):
    torch = pytest.importorskip("torch")
    theirs = of_torch(torch, call)
    if theirs is None or ("Dropout" in call and training):
        words = "Graph", "Global", "Residual", "Concat", "Dropout", "DropPath", "Reshape", *UNEVEN
        assert any(word in call for word in words), "what PyTorch has not is listed here"
        return
    ours, x = made(call).train(training), normal(EXAMPLES[call])
    theirs.train(training).load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    first = lambda a: np.ascontiguousarray(np.moveaxis(a, -1, 1) if a.ndim > 2 else a)  # noqa: E731
    their_x = torch.tensor(first(x), requires_grad=True)
    wanted = theirs(their_x)
    found = ran(ours, x)
    y = found["output"]
    dy = normal(y.shape, 7)
    wanted.backward(torch.tensor(first(dy)))
    long = max(1, ours.macs(x.shape) / y.size, y.size / y.shape[-1] if ours.parameters() else 1)
    close = {"rtol": 1e-5, "atol": 1e-6 if long == 1 else 1e-5 * long**0.5}
    np.testing.assert_allclose(first(y), wanted.detach().numpy(), **close)
    np.testing.assert_allclose(first(found["input"]), their_x.grad.numpy(), **close)
    for name, parameter in theirs.named_parameters():
        np.testing.assert_allclose(found[name], parameter.grad.numpy(), **close, err_msg=name)
    for name, array in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], array.numpy(), rtol=1e-5, atol=1e-6)
