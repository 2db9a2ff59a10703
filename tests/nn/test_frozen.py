"""Parameters that are not trained: nothing is computed for them, and the others get what they got."""

import numpy as np
import pytest
from helpers import frozen

import cynet
from cynet import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Residual, Sequential
from cynet.optim import choosing

X = frozen(np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype(np.float32))


def net():
    cynet.seed(4)
    block = [
        Conv2d(8, 8, 3, padding=1, bias=False),
        BatchNorm2d(8),
        ReLU(),
        Conv2d(8, 8, 3, padding=1),
        BatchNorm2d(8),
    ]
    first = Conv2d(3, 8, 3, padding=1), BatchNorm2d(8), ReLU(), MaxPool2d(2)
    blocks = Residual(Sequential(*block)), ReLU(), Residual(Conv2d(8, 8, 1), Conv2d(8, 8, 1))
    return Sequential(*first, *blocks, GlobalAvgPool2d(), Linear(8, 5))


def gradients(model, dx=False):
    model.input_grad = dx
    y = model(X)
    model.zero_grad()
    found = model.backward(frozen(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)))
    return found, {p.name: p.grad.copy() for p in model.parameters()}


def freeze(model, *starts):
    for parameter in model.parameters():
        parameter.requires_grad = not parameter.name.startswith(starts)
    return model


@pytest.mark.parametrize(
    "starts", [("0.",), ("0.", "1."), ("0", "1", "4"), ("4.body.1", "8"), ("6.body", "1.b"), ("",)]
)
@pytest.mark.parametrize("dx", [False, True])
@pytest.mark.parametrize("training", [True, False])
def test_what_is_trained_gets_the_gradient_that_it_got(starts, dx, training):
    wanted, all_of_them = gradients(net().train(training), dx)
    found, gradient = gradients(freeze(net().train(training), *starts), dx)
    for name, array in gradient.items():
        if name.startswith(starts):
            assert not array.any(), name
        else:
            np.testing.assert_array_equal(array, all_of_them[name], err_msg=name)
    if dx:
        np.testing.assert_array_equal(found, wanted)
    else:
        assert found is None


def test_nothing_is_gone_back_to_below_the_last_that_is_trained(monkeypatch):
    model, went = freeze(net(), "0", "1", "4", "6"), []
    for kind in (Conv2d, BatchNorm2d, ReLU, MaxPool2d, GlobalAvgPool2d, Linear, Residual):
        own = kind.backward
        monkeypatch.setattr(
            kind, "backward", lambda self, dy, own=own: went.append(type(self)) or own(self, dy)
        )
    gradients(model)
    assert went == [Linear]


@pytest.mark.parametrize(
    "layer", [Conv2d(3, 4, 3), Linear(3, 4), BatchNorm2d(3)], ids=lambda layer: type(layer).__name__
)
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_single_layer_leaves_the_frozen_one_alone(layer, name):
    x = X.reshape(-1, 3) if isinstance(layer, Linear) else X
    other = {"weight": "bias", "bias": "weight"}[name]
    getattr(layer, name).requires_grad, getattr(layer, other).requires_grad = False, True
    y = layer(x)
    layer.zero_grad()
    layer.backward(np.ones_like(y) + 0.1 * y)
    assert not getattr(layer, name).grad.any() and getattr(layer, other).grad.any()


@pytest.mark.parametrize("name", ["resnet18", "resnet20", "densenet_bc_40_12", "uwnet2"])
def test_a_frozen_body_gives_in_training_what_it_gives_in_evaluation(name):
    cynet.seed(0)
    model = cynet.models.create(name, (32, 32, 3), classes=3)
    random = np.random.default_rng(0)
    x = random.standard_normal((4, 32, 32, 3), dtype=np.float32)
    model(x)  # statistics that are not those of the beginning
    choosing.freeze(model, [parameter.name for parameter in model.parameters()[:-2]])
    before = {key: value.copy() for key, value in model.state_dict().items()}
    model.train().input_grad = False
    trained = model(x)
    head, dy = model.parameters()[-2:], random.standard_normal(trained.shape, dtype=np.float32)
    model.backward(dy)
    after = model.state_dict()
    assert [key for key in after if not np.array_equal(before[key], after[key])] == []
    assert all(np.abs(parameter.grad).max() > 0 for parameter in head)
    np.testing.assert_allclose(head[1].grad, dy.sum(0), rtol=1e-4, atol=1e-5)
    with cynet.no_grad():
        np.testing.assert_allclose(model.eval()(x), trained, rtol=1e-3, atol=1e-4)
    still = [layer for _, layer in model.walk() if layer.buffers]
    assert still and not any(layer.training for layer in still) and model.train().training
