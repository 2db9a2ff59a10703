"""The nets beside those that PyTorch makes by the papers: names, shapes, a step's loss and gradients."""

import numpy as np
import pytest

import cynet
from cynet import models

pytestmark = pytest.mark.torch
OWN_NAMES = ("resnet20", "resnet32", "resnet44", "resnet56")  # numbers, as their states have always had
SMALL = ("wide_resnet_16_4", "densenet_bc_40_12", *OWN_NAMES)
LARGE = ("resnet18", "resnet34", "mobilenet_v2")
SHAPES = {"conv1d_small": (50, 2)} | dict.fromkeys(SMALL, (16, 8, 3)) | dict.fromkeys(LARGE, (48, 32, 3))
# Of norms: few inputs of a ReLU are so near 0 that they may round to the other side; some of a ReLU6 are cut.
SCALES, SHIFTS = {"mobilenet_v2": (1, 1.2)}, {"mobilenet_v2": (2.8, 3.2), "resnet34": (2, 3)}
NAMES = (
    "resnet18", "resnet34", "resnet20", "resnet32", "resnet44", "resnet56", "wide_resnet_16_4",
    "mobilenet_v2", "squeezenet1_1", "densenet_bc_40_12", "lenet5", "conv1d_small", "vgg_small",
)  # fmt: skip
TIMES = 6  # batches, of which one must agree: in others such an input may be


def made(name, classes):
    """(a net, PyTorch's with its weights in float64, {name of PyTorch's: of ours}, shape of an input)."""
    torch = pytest.importorskip("torch")
    from pytorch_models import MODELS

    options = {"dropout": 0.0} if "dropout" in models.options(name) else {}
    shape, rng = SHAPES.get(name, (32, 32, 3)), np.random.default_rng(1)
    cynet.seed(3)
    model, theirs = models.create(name, shape, classes, **options), MODELS[name](shape, classes).double()
    for _, layer in model.walk():  # with its first weights a norm's scale has no gradient to speak of
        if isinstance(layer, (cynet.BatchNorm1d, cynet.BatchNorm2d)):
            layer.weight.data = rng.uniform(*SCALES.get(name, (0.5, 1)), layer.num_features)
            layer.bias.data = rng.uniform(*SHIFTS.get(name, (1, 2)), layer.num_features)
    state = model.state_dict()
    keys = dict(zip(theirs.state_dict(), state, strict=True))
    theirs.load_state_dict({one: torch.from_numpy(state[other]) for one, other in keys.items()})
    return model, theirs, keys, shape


@pytest.mark.parametrize("name", NAMES)
def test_states_have_the_names_and_shapes_of_pytorchs(name):
    model, theirs, keys, _ = made(name, 10)
    if name not in OWN_NAMES:
        assert list(keys) == list(keys.values())
    shapes = {key: tuple(array.shape) for key, array in theirs.state_dict().items()}
    state = model.state_dict()
    assert shapes == {one: state[other].shape for one, other in keys.items()}


def step(model, theirs, keys, shape, seed):
    """{what: distance from PyTorch's, as a part of its length} of the loss and all gradients of a step."""
    torch = pytest.importorskip("torch")
    rng, criterion = np.random.default_rng(seed), cynet.CrossEntropyLoss()
    x, labels = rng.standard_normal((4, *shape)).astype(np.float32), rng.integers(0, 7, 4)
    model.zero_grad()
    theirs.zero_grad()
    loss = criterion(model(x), labels)
    dx = model.backward(criterion.backward())
    images = torch.from_numpy(np.moveaxis(x, -1, 1).astype(np.float64)).requires_grad_()
    wanted = torch.nn.functional.cross_entropy(theirs(images), torch.from_numpy(labels))
    wanted.backward()
    ours = {p.name: p.grad for p in model.parameters()}
    pairs = {key: (ours[keys[key]], p.grad.numpy()) for key, p in theirs.named_parameters()}
    assert len(pairs) == len(ours)
    pairs["x"] = dx, np.moveaxis(images.grad.numpy(), 1, -1)
    pairs["loss"] = np.array([loss]), np.array([wanted.item()])
    lengths = {key: np.linalg.norm(other) for key, (_, other) in pairs.items()}
    longest = max(lengths.values())  # by which those are measured that are 0, as before a norm
    return {
        key: np.linalg.norm(one - other) / (lengths[key] if lengths[key] > 1e-9 * longest else longest)
        for key, (one, other) in pairs.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_loss_and_gradients_of_a_step_are_pytorchs(name):
    """Each within 1e-4 of its length, of PyTorch's in float64."""
    net, tried = made(name, 7), []
    for seed in range(TIMES):
        apart = step(*net, seed)
        tried.append(max(apart.items(), key=lambda pair: pair[1]))
        assert apart["loss"] < 1e-4
        if tried[-1][1] < 1e-4:
            return
    pytest.fail(f"{name}: {tried}")
