"""The registered layers by the examples at their decorators, for the tests that walk through all of them."""

import functools
import inspect

import numpy as np
import reference
import reference_layers

import cynet
from cynet.models.registry import model as models
from cynet.nn.registry import layer as layers

ALL = {call: shape for name in layers.names() for call, shape in layers.facts(name)["examples"].items()}
SEVERAL = {call: shapes for call, shapes in ALL.items() if isinstance(shapes[0], tuple)}  # of several inputs
OF_NUMBERS = [
    name for name in layers.names() if layers[name].takes_integers is True
]  # tests/nn/test_embedding.py
EXAMPLES = {
    call: tuple(shape) for call, shape in ALL.items()
    if call not in SEVERAL and call.partition("(")[0] not in OF_NUMBERS
}  # fmt: skip
LEAVES = {
    call: EXAMPLES[call]
    for name in layers.names() if ".containers." not in layers.home(name)[0]
    for call in layers.facts(name)["examples"] if call in EXAMPLES
}  # fmt: skip
NAMES = {name: layers[name] for name in layers.names()}
NETS = [  # (name, options) of every registered net of pictures
    (name, {"batch_norm": norm})
    if "batch_norm" in cynet.models.options(name) else (name, {})
    for name in models.those(tokens=None) if name != "conv1d_small"
    for norm in ((True, False) if "batch_norm" in cynet.models.options(name) else (True,))
]  # fmt: skip
BUILDING = NAMES | {"Input": cynet.Input}


def built(call, seed=1):
    """The layer that a text builds, with the same weights each time."""
    cynet.seed(seed)
    return eval(_code(call), dict(BUILDING))


@functools.cache
def _code(call):
    return compile(call, call, "eval")


def made(call, seed=1):
    """The layer that a text builds, with parameters and statistics of which none is 0 or 1."""
    layer, rng = built(call, seed), np.random.default_rng(seed)
    for parameter in layer.parameters():
        parameter.data += (0.3 * rng.standard_normal(parameter.shape)).astype(np.float32)
    for name, array in layer.state_dict().items():
        if "running" in name:
            owner = dict(layer.walk())[name.rpartition(".")[0]]
            getattr(owner, name.rpartition(".")[2])[...] += rng.random(array.shape).astype(np.float32)
    return layer


def normal(shape, seed=0):
    return _drawn(tuple(np.atleast_1d(shape).tolist()), seed).copy()


@functools.cache
def _drawn(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_same(one, other, what):
    """As NumPy's `assert_array_equal`, which takes its time where both are equal, too."""
    if not (np.shape(one) == np.shape(other) and np.array_equal(one, other, equal_nan=True)):
        np.testing.assert_array_equal(one, other, err_msg=what)


def twin(layer, *xs):
    """(output, function from dy to {"input": dx, name of a parameter: its gradient}) of a layer, in float64.

    For several inputs dx is a tuple.

    It is the function of the class's name in tests/reference_layers.py, for layers with attributes; else that
    in tests/reference.py, by the name in small letters.
    """
    name = type(layer).__name__
    of_layer = getattr(reference_layers, name, None)
    if of_layer is not None:
        return of_layer(layer, *xs, twin)
    plain = {key.replace("_", ""): f for key, f in vars(reference).items() if inspect.isfunction(f)}
    assert name.lower() in plain, f"{name} has no twin in tests/reference.py or tests/reference_layers.py"
    y, backward = plain[name.lower()](*xs)
    return y, lambda dy: {"input": backward(dy)}
