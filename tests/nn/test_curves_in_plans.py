"""Activations in plans for evaluation: they write over their input, but where somebody else needs it."""

import numpy as np
import pytest
from examples import normal

import cynet
from cynet import nn
from cynet.nn.compile import inference
from cynet.nn.compile.inference_steps import Convolve, Curve, Rows
from cynet.nn.registry import layer as layers

KINDS = [layers[name] for name in layers.names() if hasattr(layers[name], "curve")]
X = normal((2, 6, 6, 8))


def conv(seed):
    cynet.seed(seed)
    return nn.Conv2d(8, 8, 3, padding=1)


MODELS = {
    "chain": lambda curve: [conv(1), curve(), conv(2), curve(), curve()],
    "first": lambda curve: [curve(), conv(1)],
    "norm": lambda curve: [conv(1), nn.BatchNorm2d(8), curve(), nn.GroupNorm(2, 8), curve()],
    "body": lambda curve: [conv(1), nn.Residual(cynet.Sequential(curve(), conv(2), curve())), curve()],
    "shortcut": lambda curve: [conv(1), nn.Residual(curve(), curve()), curve()],
    "beside": lambda curve: [conv(1), nn.Concat(curve(), conv(2), cynet.Sequential(curve(), curve()))],
    "handed on": lambda curve: [conv(1), nn.Residual(nn.DropPath(0.5), curve()), nn.Dropout2d(0.5), curve()],
}


def alone(model, x):
    """The layers' own passes."""
    with cynet.nn.passes.layer_by_layer():
        y = model(x)
    model.backward(np.zeros_like(y))  # nothing stays open
    return y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_a_plan_gives_what_the_layers_give(name, kind):
    model = cynet.Sequential(*MODELS[name](kind)).eval()
    before = X.copy()
    wanted = alone(model, X)
    with cynet.no_grad():
        found = [model(X) for _ in range(3)]
    for y in found:
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(y, found[0])
    np.testing.assert_array_equal(X, before)


def test_no_layer_of_one_kernel_is_forgotten():
    assert {kind.__name__ for kind in KINDS} == {
        "GELU", "Hardsigmoid", "Hardswish", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Tanh"
    }  # fmt: skip


@pytest.mark.parametrize("curve", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("norm", [True, False])
def test_a_convolution_and_a_linear_layer_bend_what_they_write(curve, norm):
    cynet.seed(4)
    layers = [
        nn.Conv2d(8, 8, 3),
        curve(),
        nn.Conv2d(8, 16, 3, 2),
        curve(),
        nn.Flatten(),
        nn.Linear(16, 8),
        curve(),
    ]
    if norm:
        layers[1:1], layers[4:4], layers[-1:-1] = (
            [nn.BatchNorm2d(8)],
            [nn.BatchNorm2d(16)],
            [nn.BatchNorm1d(8)],
        )
    for layer in layers:
        if layer.parameters():
            layer.bias.data[::2] += 7  # so that some pass 6, and some lie below 0
            layer.bias.data[1::4] -= 5
    model = cynet.Sequential(*layers).eval()
    steps = inference.Plan(model, X.shape)._steps
    assert [type(step) for step in steps] == [Convolve, Convolve, Rows, Convolve]
    wanted = alone(model, X)
    assert wanted.min() == 0 and (wanted.max() == 6) == (curve is nn.ReLU6)
    with cynet.no_grad():
        np.testing.assert_allclose(model(X), wanted, rtol=1e-4, atol=1e-5)


def test_they_write_over_their_input():
    model = cynet.Sequential(conv(1), nn.Hardswish(), nn.SiLU()).eval()
    steps = inference.Plan(model, X.shape)._steps
    assert [type(step) for step in steps[1:]] == [Curve, Curve]
    assert steps[0].y is steps[1].y is steps[2].y


class Doubled(nn.ReLU6):
    def forward(self, x):
        return 2 * super().forward(x)


def test_a_subclass_and_a_forward_that_was_set_run_as_they_are():
    own = nn.ReLU6()
    own.forward = lambda x: x + 1
    for layer, wanted in ((Doubled(), 2 * np.clip(X, 0, 6)), (own, X + 1)):
        with cynet.no_grad():
            np.testing.assert_array_equal(cynet.Sequential(layer).eval()(X), wanted)


class Passing(nn.DropPath):
    def forward(self, x):
        return x + 1


def test_a_subclass_of_what_hands_on_its_input_runs_as_it_is():
    with cynet.no_grad():
        np.testing.assert_array_equal(cynet.Sequential(Passing(0.5)).eval()(X), X + 1)
        np.testing.assert_array_equal(cynet.Sequential(nn.DropPath(0.5), nn.Dropout2d(0.5)).eval()(X), X)
