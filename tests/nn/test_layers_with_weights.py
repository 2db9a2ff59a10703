"""Conv2d, Linear and batch norm as users call them: agreement with twins and PyTorch, states, refusals."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen

import cynet
from cynet import BatchNorm1d, BatchNorm2d, Conv2d, Linear

RNG = np.random.default_rng(0)


def wide(*arrays):
    return tuple(np.asarray(a, float) for a in arrays)


@pytest.mark.parametrize("padding", [0, 1, (1, 2), (2, 0, 1, 3), "same"])
def test_conv2d_equals_its_twin(padding):
    layer = Conv2d(4, 6, (3, 2), stride=(2, 1), padding=padding, groups=2)
    layer.bias.data = RNG.standard_normal(6)
    x = frozen(RNG.standard_normal((2, 9, 8, 4)))
    sides = {0: (0, 0, 0, 0), 1: (1, 1, 1, 1), (1, 2): (1, 2, 1, 2), "same": (1, 0, 1, 1)}.get(
        padding, padding
    )
    y = layer(x)
    dy = frozen(RNG.standard_normal(y.shape))
    wanted, backward = reference_weights.conv2d(
        *wide(x, layer.weight.data, layer.bias.data), (2, 1), sides, 2
    )
    dx, dw, db = backward(dy.astype(float))
    np.testing.assert_allclose(y, wanted, atol=1e-5)
    np.testing.assert_allclose(layer.backward(dy), dx, atol=1e-5)
    np.testing.assert_allclose(layer.weight.grad, dw, atol=1e-4)
    np.testing.assert_allclose(layer.bias.grad, db, atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 4, 7])
def test_same_padding_gives_ceil_of_in_over_stride(size, stride, side):
    assert Conv2d(1, 1, size, stride, "same").output_shape((1, side, side, 1))[1] == -(-side // stride)


@pytest.mark.parametrize("rows", [0, 1, 7, 130])
@pytest.mark.parametrize(("inputs", "outputs"), [(37, 11), (40, 11), (40, 64)])
def test_linear_equals_its_twin(rows, inputs, outputs):
    layer = Linear(inputs, outputs)
    layer.bias.data = RNG.standard_normal(outputs)
    x, dy = frozen(RNG.standard_normal((rows, inputs))), frozen(RNG.standard_normal((rows, outputs)))
    wanted, backward = reference_weights.linear(*wide(x, layer.weight.data, layer.bias.data))
    dx, dw, db = backward(dy.astype(float))
    np.testing.assert_allclose(layer(x), wanted, atol=1e-4)
    np.testing.assert_allclose(layer.backward(dy), dx, atol=1e-4)
    np.testing.assert_allclose(layer.weight.grad, dw, atol=1e-4)
    np.testing.assert_allclose(layer.bias.grad, db, atol=1e-4)


def test_gradients_add_up_until_zero_grad():
    layer = Conv2d(3, 8, 3, padding=1)
    x = RNG.standard_normal((2, 6, 6, 3)).astype(np.float32)
    for _ in range(2):
        layer.backward(layer(x))
    twice = layer.weight.grad.copy()
    layer.zero_grad()
    assert not layer.weight.grad.any() and not layer.bias.grad.any()
    layer.backward(layer(x))
    np.testing.assert_allclose(twice, 2 * layer.weight.grad, rtol=1e-5)


def test_input_gradient_is_spared_on_request():
    x = RNG.standard_normal((4, 5, 5, 3)).astype(np.float32)
    for layer in (Conv2d(3, 4, 3), BatchNorm2d(3), cynet.Sequential(Conv2d(3, 4, 3), cynet.ReLU())):
        layer.input_grad = False
        assert layer.backward(np.ones_like(layer(x))) is None
        assert all(p.grad.any() for p in layer.parameters() if p.name.endswith("bias"))


@pytest.mark.parametrize("affine", [True, False])
def test_running_statistics_are_pytorchs_convention(affine):
    layer = BatchNorm2d(5, momentum=0.3, affine=affine)
    x = (RNG.standard_normal((4, 3, 2, 5)) * 3 + 2).astype(np.float32)
    layer(x)
    rows = x.reshape(-1, 5).astype(float)
    np.testing.assert_allclose(layer.running_mean, 0.3 * rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var, 0.7 + 0.3 * rows.var(0, ddof=1), rtol=1e-5)
    assert layer.num_batches_tracked == 1
    layer.eval()(x)
    assert layer.num_batches_tracked == 1
    assert len(layer.parameters()) == (2 if affine else 0)


@pytest.mark.parametrize("layer, shape", [(BatchNorm2d(3), (1, 1, 1, 3)), (BatchNorm1d(3), (1, 3)),
                                          (BatchNorm1d(3), (0, 3))])  # fmt: skip
def test_one_value_a_channel_cannot_be_normalised_in_training(layer, shape):
    with pytest.raises(ValueError, match="more than 1 value per channel in training mode, got input"):
        layer(np.zeros(shape, np.float32))
    assert layer.eval()(np.zeros(shape, np.float32)).shape == shape


@pytest.mark.parametrize("maker, shape, problem", [
    (lambda: Conv2d(3, 8, 3), (1, 2, 5, 3), r"Conv2d\(3, 8.*height: wanted a kernel of at most 2.*of 3"),
    (lambda: Conv2d(3, 8, 3), (1, 5, 0, 3), "width: wanted at least 1 pixel, got 0"),
    (lambda: Conv2d(3, 8, 3), (1, 5, 5, 4), r"wanted \(N, H, W, 3\), got \(1, 5, 5, 4\)"),
    (lambda: Conv2d(3, 8, 3), (5, 5, 3), r"wanted \(N, H, W, 3\)"),
    (lambda: Linear(4, 2), (3, 5), r"Linear\(4, 2.*wanted \(N, 4\), got \(3, 5\)"),
    (lambda: Linear(4, 2), (4,), r"wanted \(N, 4\)"),
    (lambda: BatchNorm2d(4), (2, 3, 3, 5), r"BatchNorm2d\(4.*wanted \(N, H, W, 4\), got"),
    (lambda: BatchNorm1d(4), (2, 2, 3, 4), r"wanted \(N, 4\) or \(N, L, 4\)"),
])  # fmt: skip
def test_a_wrong_shape_names_layer_and_sizes(maker, shape, problem):
    with pytest.raises(ValueError, match=problem):
        maker()(np.zeros(shape, np.float32))


def test_strided_misaligned_and_read_only_inputs_give_the_same():
    x = RNG.standard_normal((2, 6, 6, 3)).astype(np.float32)
    layer = Conv2d(3, 5, 3)
    wanted = layer(x)
    raw = np.zeros(x.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(np.float32).reshape(x.shape)
    misaligned[...] = x
    assert not misaligned.flags.aligned
    for other in (frozen(x), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], misaligned):
        np.testing.assert_array_equal(layer(other), wanted)


@pytest.mark.torch
@pytest.mark.parametrize("padding, stride, groups", [(1, 1, 1), (0, 2, 1), (2, 3, 2), (1, 1, 4)])
def test_conv2d_with_pytorchs_weights(padding, stride, groups):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Conv2d(4, 8, 3, stride, padding, groups=groups)
    ours = Conv2d(4, 8, 3, stride, padding, groups=groups)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = RNG.standard_normal((2, 9, 9, 4)).astype(np.float32)
    images = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    wanted = theirs(images)
    wanted.sum().backward()
    y = ours(x)
    dx = ours.backward(np.ones_like(y))
    np.testing.assert_allclose(y, wanted.detach().numpy().transpose(0, 2, 3, 1), atol=1e-5)
    np.testing.assert_allclose(dx, images.grad.numpy().transpose(0, 2, 3, 1), atol=1e-5)
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), atol=1e-4)
    np.testing.assert_allclose(ours.bias.grad, theirs.bias.grad.numpy(), atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_pytorchs(training):
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.BatchNorm2d(6).train(training), BatchNorm2d(6).train(training)
    x = RNG.standard_normal((3, 5, 4, 6)).astype(np.float32) * 2 + 1
    dy = RNG.standard_normal(x.shape).astype(np.float32)
    images = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    wanted = theirs(images)
    wanted.backward(torch.tensor(dy.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(ours(x), wanted.detach().numpy().transpose(0, 2, 3, 1), atol=1e-5)
    np.testing.assert_allclose(ours.backward(dy), images.grad.numpy().transpose(0, 2, 3, 1), atol=1e-5)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), atol=1e-6)


@pytest.mark.parametrize("layer, x", [
    (Conv2d(3, 16, 3), np.zeros((1, 4, 4, 3), np.float32)), (Linear(5, 16), np.zeros((2, 5), np.float32)),
])  # fmt: skip
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_parameter_of_another_shape_is_refused_before_it_is_read(layer, x, name):
    kept = getattr(layer, name)
    setattr(layer, name, cynet.Parameter(np.ones(3)))
    with pytest.raises(ValueError, match=rf"{name}: wanted a parameter of shape .*, got \(3,\)"):
        layer(x)
    setattr(layer, name, kept)
    layer(x)


def test_what_is_spared_in_a_model_is_given_by_the_layer_alone():
    inner = Conv2d(3, 3, 1)
    model = cynet.Sequential(cynet.Residual(cynet.Sequential(inner)), cynet.Concat(cynet.ReLU()))
    model.input_grad = False
    x = np.ones((1, 2, 2, 3), np.float32)
    assert model.backward(model(x)) is None and inner.weight.grad.any()
    assert inner.backward(inner(x)).shape == x.shape
