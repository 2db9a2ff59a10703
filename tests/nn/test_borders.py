"""What a convolution's padding is filled with, and the paddings that are words."""

import numpy as np
import pytest
from examples import normal
from helpers import frozen

import cynet
from cynet import nn

MODES = "reflect", "replicate", "circular"
ROW = np.float32([1, 2, 3, 4]).reshape(1, 1, 4, 1)


def seen(mode, padding):
    """What a layer that copies each pixel makes of a row: the row with its border."""
    layer = nn.Conv2d(1, 1, 1, padding=(0, padding), bias=False, padding_mode=mode)
    layer.weight.data = np.ones((1, 1, 1, 1), np.float32)
    return layer(ROW)[0, 0, :, 0].tolist()


def test_the_image_goes_on_beyond_its_edges():
    assert seen("zeros", 2) == [0, 0, 1, 2, 3, 4, 0, 0]
    assert seen("reflect", 2) == [3, 2, 1, 2, 3, 4, 3, 2]
    assert seen("replicate", 2) == [1, 1, 1, 2, 3, 4, 4, 4]
    assert seen("circular", 2) == [3, 4, 1, 2, 3, 4, 1, 2]


def test_it_does_so_again_and_again():
    assert seen("reflect", 5)[:5] == [2, 3, 4, 3, 2]
    assert seen("circular", 5)[:5] == [4, 1, 2, 3, 4]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("training", [True, False])
def test_in_a_net_it_is_what_it_is_alone(mode, training):
    """A plan joins it with the batch norm and the ReLU behind, as any convolution, and a sum."""
    cynet.seed(3)
    conv = nn.Conv2d(4, 4, 3, padding="same", padding_mode=mode)
    norm = nn.BatchNorm2d(4)
    model = nn.Sequential(nn.Residual(nn.Sequential(conv, norm)), nn.ReLU(), nn.Conv2d(4, 2, 3)).train(
        training
    )
    x = frozen(normal((3, 6, 7, 4)))
    y, again = model(x), model(x)
    wanted = model.layers[2](nn.ReLU()(norm(conv(x)) + x))
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(y, again)
    found = cynet.check_gradients(model, x[:2])
    assert found.ok, found


def test_a_mode_that_is_set_counts_from_the_next_pass_on():
    cynet.seed(1)
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)).eval(), normal((2, 5, 6, 3))
    zeros = model(x)
    model.layers[0].padding_mode = "reflect"
    assert np.abs(model(x) - zeros).max() > 0.01
    np.testing.assert_array_equal(model(x)[:, 1:-1, 1:-1].shape, (2, 3, 4, 4))
    model.layers[0].padding_mode = "mirror"
    with pytest.raises(
        ValueError, match="padding_mode: wanted one of zeros, reflect, replicate, circular, got 'mirror'"
    ):
        model(x)
    model.layers[0].padding_mode = "zeros"
    np.testing.assert_array_equal(model(x), zeros)


def test_valid_is_no_padding():
    layer = nn.Conv2d(3, 4, 3, padding="valid")
    assert layer.padding == (0, 0, 0, 0) and layer.output_shape((1, 5, 6, 3)) == (1, 3, 4, 4)
    assert nn.Conv1d(3, 4, 3, padding="valid").output_shape((1, 5, 3)) == (1, 3, 4)
    assert nn.MaxPool2d(2, 1, "valid").output_shape((1, 5, 5, 3)) == (1, 4, 4, 3)
    assert nn.AvgPool1d(2, 1, "valid").output_shape((1, 5, 3)) == (1, 4, 3)
    for kind, arguments in (
        (nn.Conv2d, (3, 4, 3)),
        (nn.Conv1d, (3, 4, 3)),
        (nn.MaxPool2d, (2,)),
        (nn.MaxPool1d, (2,)),
    ):
        with pytest.raises(ValueError, match=r'wanted an int, .*"same" or "valid", got'):
            kind(*arguments, padding="full")
    with pytest.raises(ValueError, match="padding: wanted an int, a pair or a 4-tuple, got 'valid'"):
        nn.ConvTranspose2d(3, 4, 3, padding="valid")


def test_a_spec_and_a_repr_keep_the_mode():
    layer = nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular")
    assert "padding_mode='circular'" in repr(layer) and "padding_mode" not in repr(nn.Conv1d(3, 4, 3))
    assert nn.from_spec(nn.to_spec(nn.Sequential(layer))).layers[0].padding_mode == "circular"


@pytest.mark.torch
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(6))
def test_it_equals_pytorch(mode, seed):
    torch = pytest.importorskip("torch")
    rng, groups = np.random.default_rng(seed), seed % 2 + 1
    kernel, stride, dilation = (tuple(map(int, rng.integers(1, most, 2))) for most in (4, 3, 3))
    padding = ["same", "valid", tuple(map(int, rng.integers(0, 5, 2)))][seed % 3]
    stride = (1, 1) if padding == "same" else stride
    given = 4, 6, kernel, stride, padding, dilation, groups, True, mode
    cynet.seed(seed)
    ours, theirs = nn.Conv2d(*given), torch.nn.Conv2d(*given)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    x = frozen(normal((2, 9, 8, 4), seed))
    their_x = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    y, their_y = ours(x), theirs(their_x)
    dy = frozen(normal(y.shape, seed + 1))
    their_y.backward(torch.tensor(dy.transpose(0, 3, 1, 2).copy()))
    dx = ours.backward(dy).transpose(0, 3, 1, 2)
    near = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2), their_y.detach().numpy(), **near)
    np.testing.assert_allclose(dx, their_x.grad.numpy(), **near)
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), **near)
