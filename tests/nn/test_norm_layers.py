"""GroupNorm, LayerNorm and a batch norm that only shifts: what is theirs alone."""

import numpy as np
import pytest
import reference_weights
from examples import normal

import cynet
from cynet import nn


# -- batch norm without a scale ------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_a_shift_alone(kind):
    norm = kind(4, affine="bias")
    assert norm.weight is None and norm.affine == "bias" and [p.name for p in norm.parameters()] == ["bias"]
    assert list(norm.state_dict()) == ["bias", "running_mean", "running_var", "num_batches_tracked"]
    assert repr(norm) == f"{kind.__name__}(4, eps=1e-05, momentum=0.1, affine='bias')"


def test_a_shift_alone_is_batch_norm_whose_scale_is_1():
    x, dy = normal((5, 3, 3, 4)), normal((5, 3, 3, 4), 1)
    shift, both = nn.BatchNorm2d(4, affine="bias"), nn.BatchNorm2d(4)
    for norm in (shift, both):
        norm.bias.data = [1, -2, 0.5, 3]
    for training in (True, False):
        np.testing.assert_array_equal(shift.train(training)(x), both.train(training)(x))
        np.testing.assert_array_equal(shift.backward(dy), both.backward(dy))
        np.testing.assert_array_equal(shift.bias.grad, both.bias.grad)


@pytest.mark.parametrize("before", [nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3, bias=False)])
@pytest.mark.parametrize("after", [[], [nn.ReLU()]])
def test_a_shift_alone_is_folded_into_a_convolution(before, after):
    norm, x = nn.BatchNorm2d(8, affine="bias"), normal((2, 7, 7, 3))
    norm.bias.data = np.arange(8) - 4
    norm.running_mean[:], norm.running_var[:] = np.linspace(-1, 1, 8), np.linspace(0.5, 2, 8)
    model = cynet.Sequential(before, norm, *after).eval()
    wanted = x
    for layer in model.layers:
        wanted = layer(wanted)
    with cynet.no_grad():
        for _ in range(2):
            np.testing.assert_allclose(model(x), wanted, rtol=1e-4, atol=1e-5)
        norm.bias.data += 1  # the plan follows
        np.testing.assert_allclose(model(x), after[0](before_relu(before, norm, x)) if after
                                   else before_relu(before, norm, x), rtol=1e-4, atol=1e-5)  # fmt: skip


def before_relu(layer, norm, x):
    return norm(layer(x))


@pytest.mark.parametrize(("value", "kind"), [("scale", TypeError), (None, TypeError), (1, TypeError)])
def test_another_affine_is_refused(value, kind):
    with pytest.raises(kind, match='affine: wanted True, False or "bias", got'):
        nn.BatchNorm2d(4, affine=value)


def test_a_scale_without_a_shift_is_refused():
    norm = nn.BatchNorm1d(4)
    norm.bias = None
    with pytest.raises(TypeError, match="bias: wanted a parameter of shape"):
        norm(normal((3, 4)))


# -- GroupNorm -----------------------------------------------------------------------------------------------
def test_groups_have_to_divide_the_channels():
    with pytest.raises(ValueError, match="num_groups: wanted a divisor of num_channels, 6, got 4"):
        nn.GroupNorm(4, 6)


def test_as_many_groups_as_channels_is_instance_normalisation():
    x = normal((3, 6, 5, 4)) * 3 + 2
    y = nn.GroupNorm(4, 4)(x)
    np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(y.std((1, 2)), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 5), (2, 5, 5, 3), (1, 2, 3, 3, 4), (4,), ()])
def test_other_shapes_are_refused_by_group_norm(shape):
    with pytest.raises(
        ValueError, match=r"GroupNorm\(2, 4.*wanted \(N, H, W, 4\), \(N, L, 4\) or \(N, 4\), got"
    ):
        nn.GroupNorm(2, 4)(np.zeros(shape, np.float32))


# -- LayerNorm -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_over_several_axes(axes):
    x, dy = normal((3, 4, 5, 6)), normal((3, 4, 5, 6), 1)
    layer = nn.LayerNorm(x.shape[-axes:])
    layer.weight.data, layer.bias.data = normal(layer.weight.shape, 2), normal(layer.weight.shape, 3)
    numbers = layer.weight.data.astype(float), layer.bias.data.astype(float)
    wanted, backward = reference_weights.layer_norm(x.astype(float), axes, *numbers)
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-5, atol=1e-5)
    found = layer.backward(dy), layer.weight.grad, layer.bias.grad
    for one, other in zip(found, backward(dy.astype(float)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5)


@pytest.mark.torch
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_over_several_axes_it_is_pytorchs(axes):
    torch = pytest.importorskip("torch")
    x, dy = normal((3, 4, 5, 6)), normal((3, 4, 5, 6), 1)
    ours, theirs = nn.LayerNorm(x.shape[-axes:]), torch.nn.LayerNorm(x.shape[-axes:])
    their_x = torch.tensor(x, requires_grad=True)
    wanted = theirs(their_x)
    wanted.backward(torch.tensor(dy))
    np.testing.assert_allclose(ours(x), wanted.detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.backward(dy), their_x.grad.numpy(), rtol=1e-5, atol=1e-5)
    for name, parameter in theirs.named_parameters():
        np.testing.assert_allclose(getattr(ours, name).grad, parameter.grad.numpy(), rtol=1e-5, atol=1e-5)


def test_what_a_layer_norm_has():
    assert nn.LayerNorm(4).normalized_shape == nn.LayerNorm([4]).normalized_shape == (4,)
    assert [p.name for p in nn.LayerNorm(4, bias=False).parameters()] == ["weight"]
    assert nn.LayerNorm(4, elementwise_affine=False).parameters() == []
    assert repr(nn.LayerNorm((2, 3), bias=False)) == (
        "LayerNorm((2, 3), eps=1e-05, elementwise_affine=True, bias=False)"
    )


@pytest.mark.parametrize("sizes", [0, (), (3, 0), -1, 1.5, "4", None, True, (2, None)])
def test_bad_sizes(sizes):
    with pytest.raises((TypeError, ValueError), match=r"normalized_shape.*wanted"):
        nn.LayerNorm(sizes)


def test_a_layer_norms_shift_without_a_scale_is_refused():
    layer = nn.LayerNorm(4)
    layer.weight = None
    with pytest.raises(TypeError, match="weight: wanted a parameter of shape"):
        layer(normal((3, 4)))


# -- in models -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("norm", [lambda: nn.GroupNorm(2, 8), lambda: nn.LayerNorm(8), lambda: nn.PReLU(8)])
def test_a_plan_follows_new_weights(norm):
    cynet.seed(0)
    model, x = (
        cynet.Sequential(nn.Conv2d(3, 8, 3), norm(), nn.ReLU6(), nn.Flatten(), nn.Linear(72, 3)),
        normal((2, 5, 5, 3)),
    )
    model.eval()
    with cynet.no_grad():
        before = model(x)
        model[1].weight.data *= -3
        wanted = x
        for layer in model.layers:
            wanted = layer(wanted)
        np.testing.assert_allclose(model(x), wanted, rtol=1e-4, atol=1e-5)
    assert not np.allclose(before, wanted)


@pytest.mark.parametrize("outputs", [3, 70])
def test_linear_layers_of_sequences_in_plans_and_training(outputs):
    cynet.seed(0)
    model, x = cynet.Sequential(nn.Linear(6, outputs), nn.BatchNorm1d(outputs), nn.ReLU()), normal((4, 5, 6))
    rows = cynet.Sequential(*(layer for layer in model.layers))
    y, dy = model(x), normal((4, 5, outputs), 1)
    assert (
        y.shape == (4, 5, outputs) == model.output_shape(x.shape)
        and model[0].macs(x.shape) == 20 * 6 * outputs
    )
    dx, grad = model.backward(dy), model[0].weight.grad.copy()
    rows.zero_grad()
    np.testing.assert_array_equal(rows(x.reshape(20, 6)), y.reshape(20, outputs))
    np.testing.assert_array_equal(rows.backward(dy.reshape(20, outputs)), dx.reshape(20, 6))
    np.testing.assert_array_equal(model[0].weight.grad, grad)
    model.eval()
    with cynet.no_grad():
        np.testing.assert_allclose(model(x), model[2](model[1](model[0](x))), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("make", "gone"), [
    (lambda: nn.GroupNorm(2, 4), "weight"), (lambda: nn.GroupNorm(2, 4), "bias"),
    (lambda: nn.LayerNorm(4), "weight"),
])  # fmt: skip
def test_a_norm_whose_weight_or_bias_was_taken_away_is_refused_and_not_run_without_the_other(make, gone):
    layer = make()
    setattr(layer, gone, None)
    with pytest.raises(TypeError, match=rf"{gone}: wanted a parameter of shape \(4,\), got None"):
        layer(np.ones((2, 4), np.float32))


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.LayerNorm(4), (4,)), (nn.LayerNorm((3, 4)), (3, 4)), (nn.LayerNorm((3, 4)), (4,)),
    (nn.LayerNorm(4), ()),
    (nn.LayerNorm((3, 4)), (2, 4, 3)), (nn.GroupNorm(2, 4), (4,)), (nn.GroupNorm(2, 4), (1, 2, 3, 2, 4)),
], ids=str)  # fmt: skip
def test_a_norm_wants_a_batch_before_what_it_normalises(layer, shape):
    with pytest.raises(ValueError, match=r"wanted \(N, "):
        layer(np.zeros(shape, np.float32))
