"""`requires_grad = False`: a frozen parameter's gradient is left alone, and all others are what they were."""

import pickle

import numpy as np
import pytest
from examples import LEAVES, made, normal

import cynet
from cynet.kernels.norm import normalization

KINDS = "BatchNorm", "Linear", "GroupNorm", "LayerNorm", "PReLU"
CALLS = [call for call in LEAVES if call.startswith(KINDS)]
MODELS = {
    "norm, ReLU": (lambda: [cynet.BatchNorm2d(4), cynet.ReLU()], (2, 6, 6, 4)),
    "norm, ReLU6": (lambda: [cynet.BatchNorm2d(4), cynet.nn.ReLU6()], (2, 6, 6, 4)),
    "shift, ReLU": (lambda: [cynet.BatchNorm2d(4, affine="bias"), cynet.ReLU()], (2, 6, 6, 4)),
    "norm, ReLU, pool": (lambda: [cynet.BatchNorm2d(4), cynet.ReLU(), cynet.MaxPool2d(2)], (2, 6, 6, 4)),
    "sum, ReLU": (
        lambda: [cynet.Residual(cynet.Sequential(cynet.Linear(4, 4), cynet.BatchNorm1d(4))), cynet.ReLU()],
        (5, 4),
    ),
    "flatten, linear": (lambda: [cynet.Flatten(), cynet.Linear(16, 3)], (3, 2, 2, 4)),
}


def gradients(model, x):
    cynet.seed(2)
    y = model(x)
    for parameter in model.parameters():
        parameter.grad = np.full(parameter.shape, 0.5)
    dx = model.backward(normal(y.shape, 7))
    return dx, {parameter.name: parameter.grad.copy() for parameter in model.parameters()}


def assert_frozen(build, x):
    """Each parameter alone, and all of them."""
    wanted_dx, wanted = gradients(build(), x)
    for frozen in [[name] for name in wanted] + [list(wanted)]:
        model = build()
        for parameter in model.parameters():
            parameter.requires_grad = parameter.name not in frozen
        dx, found = gradients(model, x)
        np.testing.assert_array_equal(dx, wanted_dx)
        for name, array in found.items():
            np.testing.assert_array_equal(array, 0.5 if name in frozen else wanted[name], err_msg=name)
        model.input_grad = False
        _, spared = gradients(model, x)
        for name, array in spared.items():
            np.testing.assert_array_equal(array, found[name], err_msg=name)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_of_each_layer(call, training):
    assert_frozen(lambda: made(call).train(training), normal(LEAVES[call]))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_in_steps_that_join_layers(name, training):
    layers, shape = MODELS[name]

    def build():
        cynet.seed(1)
        return cynet.Sequential(*layers()).train(training)

    assert_frozen(build, normal(shape))


def test_it_may_be_set_between_the_passes():
    layer, x = cynet.Linear(4, 3), normal((5, 4))
    y = layer(x)
    layer.weight.requires_grad = False
    layer.backward(y)
    assert not layer.weight.grad.any() and layer.bias.grad.any()


class Silent(normalization.NormPass):
    sums = None


def test_nothing_is_summed_for_nobody():
    """A frozen batch norm that is the first layer, in training, whose input's gradient nobody wants."""
    layer, x = cynet.BatchNorm2d(4), normal((2, 3, 3, 4))
    for parameter in layer.parameters():
        parameter.requires_grad = False
    layer.input_grad = False
    y = layer(x)
    [(shape, stats)] = layer.last_pass.kept
    silent = Silent(stats.x, stats.terms, stats.state, True)
    silent.held = stats.held
    layer.last_pass.kept[:] = [(shape, silent)]
    assert layer.backward(y) is None


def test_one_that_was_pickled_is_known_to_be_frozen_where_none_ever_was(monkeypatch):
    layer = cynet.Linear(3, 2)
    layer.weight.requires_grad = layer.bias.requires_grad = False
    sent = pickle.dumps(layer)
    monkeypatch.setattr(cynet.Parameter, "frozen", False)  # as in a new process
    assert not pickle.loads(sent).is_trained()
