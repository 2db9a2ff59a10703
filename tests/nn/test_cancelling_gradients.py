"""Batch norm behind a 1x1 convolution from one channel: a gradient that is a difference of nearly equal sums.

Every channel of that convolution is one picture times a number, which batch norm takes away again but
for `eps`. So the gradient to the weight is near 0, and its error is measured by the terms that are summed.
"""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import reference
import reference_weights
from examples import normal

import cynet
from cynet import nn

CASES = range(40)


def passed(case):
    """A stack in training after both passes, the same layers one by one, its first state, x and dy."""
    cynet.seed(case)
    rng = np.random.default_rng(case)
    channels, shape = int(rng.choice([1, 3, 4, 8, 16, 17])), (*rng.integers((2, 2, 2), (5, 12, 12)), 1)
    layers = nn.Conv2d(1, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()
    joined = nn.Sequential(*layers, *([nn.MaxPool2d(2)] if case % 2 else []))
    alone, state = copy.deepcopy(joined), joined.state_dict()
    x = normal(shape, case)
    y, z = joined(x), x
    for layer in alone.layers:
        z = layer(z)
    dy = dz = normal(y.shape, case + 1)
    joined.zero_grad(), alone.zero_grad()
    joined.backward(dy)
    for layer in reversed(alone.layers):
        dz = layer.backward(dz)
    return SimpleNamespace(joined=joined, alone=alone, state=state, x=x, dy=dy)


def exact(found):
    """(the gradient to the convolution's weight in float64, the sum of the magnitudes of its terms)."""
    x, (weight, bias, gamma, beta) = found.x.astype(float), [
        found.state[name].astype(float) for name in ("0.weight", "0.bias", "1.weight", "1.bias")
    ]  # fmt: skip
    y, of_conv = reference_weights.conv2d(x, weight, bias, (1, 1), (0, 0, 0, 0))
    normed, of_norm = reference_weights.batch_norm(y.reshape(-1, y.shape[-1]), gamma, beta)
    bent, of_relu = reference.relu(normed.reshape(y.shape))
    dy = found.dy.astype(float)
    if len(found.joined.layers) > 3:
        dy = reference.max_pool(bent, (2, 2), (2, 2), (0, 0, 0, 0))[1](dy)
    dy = of_norm(of_relu(dy).reshape(-1, y.shape[-1]))[0].reshape(y.shape)
    return of_conv(dy)[1].reshape(-1), np.einsum("nhwc,nhwi->c", np.abs(dy), np.abs(x))


def gradients():
    """For each case: what was passed, the gradient to the weight, the exact one, the terms' magnitudes."""
    for case in CASES:
        found = passed(case)
        yield found, found.joined.layers[0].weight.grad.reshape(-1), *exact(found)


def test_the_error_is_that_of_the_terms_that_are_summed():
    small = 0
    for found, gradient, wanted, terms in gradients():
        np.testing.assert_array_equal(gradient, found.alone.layers[0].weight.grad.reshape(-1))
        assert (np.abs(gradient - wanted) <= 1e-6 * terms).all()
        small += (np.abs(wanted) < 1e-3 * terms).all()
    assert small > len(CASES) / 2  # there is such a cancellation


@pytest.mark.torch
def test_pytorch_is_as_far_from_the_exact_gradient():
    """In float32; of all cases together, since in a single one an error may be 0 by chance."""
    torch = pytest.importorskip("torch")
    ours, theirs = [], []
    for found, gradient, wanted, terms in gradients():
        channels = len(gradient)
        pool = [torch.nn.MaxPool2d(2)] if len(found.joined.layers) > 3 else []
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, channels, 1), torch.nn.BatchNorm2d(channels), torch.nn.ReLU(), *pool
        )
        net.load_state_dict({name: torch.tensor(array) for name, array in found.state.items()})
        first = lambda a: torch.tensor(np.ascontiguousarray(np.moveaxis(a, -1, 1)))  # noqa: E731
        net(first(found.x)).backward(first(found.dy))
        ours.append(np.abs(gradient - wanted) / terms)
        theirs.append(np.abs(net[0].weight.grad.numpy().reshape(-1) - wanted) / terms)
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    assert ours.max() <= 4 * theirs.max() and np.median(ours) <= 4 * np.median(theirs)
