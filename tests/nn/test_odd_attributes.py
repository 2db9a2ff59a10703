"""Attributes that hold what no layer can use: each error names the attribute, and what was wanted."""

import numpy as np
import pytest

import cynet
from cynet import BatchNorm1d, Concat, Dropout, Linear, ReLU, Residual, Sequential

X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
GAPS = np.zeros(8, np.float32)[::2]
READ_ONLY = np.zeros(4, np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize(
    ("make", "name", "value", "message"),
    [
        (lambda: Concat(ReLU()), "branches", [], r"branches: wanted at least one Layer, got \[\]"),
        (lambda: Concat(ReLU()), "branches", (), r"branches: wanted at least one Layer, got \(\)"),
        (lambda: Concat(ReLU()), "branches", ReLU(), r"branches: wanted a Layer or more in a list, got ReLU"),
        (lambda: Concat(ReLU()), "branches", None, "branches: wanted a Layer or more in a list, got None"),
        (lambda: Sequential(ReLU()), "layers", ReLU(), r"layers: wanted a Layer or more in a list, got ReLU"),
        (lambda: Sequential(ReLU()), "layers", None, "layers: wanted a Layer or more in a list"),
        (lambda: Sequential(ReLU()), "layers", [ReLU(), 3], r"layers\[1\]: wanted a Layer, got 3"),
        (lambda: Residual(ReLU()), "body", [ReLU()], r"body: wanted a Layer, got \[ReLU\(\)\]"),
        (lambda: Residual(ReLU()), "shortcut", [ReLU()], r"shortcut: wanted a Layer, got \[ReLU\(\)\]"),
        (lambda: BatchNorm1d(4), "running_mean", GAPS, "running_mean: wanted a contig"),
        (lambda: BatchNorm1d(4), "running_var", GAPS, "running_var: wanted a contig"),
        (lambda: BatchNorm1d(4), "training", np.zeros(2), "training: wanted True or False, got array"),
        (lambda: Dropout(0.5), "training", np.zeros(2), "training: wanted True or False, got array"),
        (lambda: Sequential(ReLU()), "training", np.zeros(2), "training: wanted True or False, got array"),
    ],
)
def test_before_a_pass(make, name, value, message, mode):
    layer = make().train(mode)
    layer(X)
    setattr(layer, name, value)
    with pytest.raises((TypeError, ValueError), match=message):
        layer(X)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("running_mean", READ_ONLY, "running_mean: wanted an array that can be written"),
        ("running_var", READ_ONLY, "running_var: wanted an array that can be written"),
        ("num_batches_tracked", np.array(255, np.uint8), "wanted less than 255 in uint8, got 255"),
        ("num_batches_tracked", np.array(127, np.int8), "wanted less than 127 in int8, got 127"),
        ("num_batches_tracked", READ_ONLY[0], "num_batches_tracked: wanted an integer array"),
    ],
)
def test_statistics_that_training_cannot_move(name, value, message):
    layer = BatchNorm1d(4)
    setattr(layer, name, value)
    with pytest.raises(ValueError, match=message):
        layer(X)
    layer.eval()(X)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Linear(4, 4), lambda: BatchNorm1d(4), lambda: Residual(ReLU()), lambda: Concat(ReLU()),
        lambda: Sequential(Linear(4, 4)),
    ],
)  # fmt: skip
def test_input_grad_that_nobody_can_tell(make):
    layer = make()
    y = layer(X)
    layer.input_grad = np.zeros(2)
    with pytest.raises(ValueError, match="input_grad: wanted True or False, got array"):
        layer.backward(y)


@pytest.mark.parametrize(("value", "message"), [(None, "layers: wanted"), ([ReLU(), 3], r"layers\[1\]")])
def test_layers_set_between_the_passes_in_evaluation(value, message):
    model = Sequential(Linear(4, 4), ReLU()).eval()
    y = model(X)
    model.layers = value
    with pytest.raises(TypeError, match=message):
        model.backward(y)
    with pytest.raises(TypeError, match=message):
        model.parameters()


def test_a_list_is_no_body():
    with pytest.raises(TypeError, match=r"body: wanted a Layer, got \[ReLU\(\)\]"):
        cynet.Residual([ReLU()])


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("seen", [True, False])
def test_a_container_that_holds_itself(mode, seen):
    model = Sequential(ReLU(), Residual(Sequential(ReLU()))).train(mode)
    if seen:
        model(X)
    model[1].body.layers.append(model)
    with pytest.raises(ValueError, match=r"\.\w+: wanted another layer, got the \w+ around it"):
        model(X)
    block = Residual(ReLU()).train(mode)
    block.body = block
    with pytest.raises(ValueError, match=r"Residual\.body: wanted another layer, got the Residual"):
        block(X)
