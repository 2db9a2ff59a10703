"""What the peer PyTorch does in its turns: steps, passes, pictures and threads, where it is installed."""

import numpy as np
import pytest

import cynet
from cynet.bench import loading, setting, shape_speed, workload
from cynet.bench.peak import Peak
from cynet.nn.containers.container import Container
from cynet.nn.structure import Call

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.fixture
def peer():
    from cynet.bench import torch_peer

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch_peer
    torch.set_num_threads(before)


@pytest.mark.parametrize("layout", ["NCHW", "channels_last"])
def test_a_step_is_one_of_descent_with_momentum_in_the_layout_that_was_named(peer, layout):
    cynet.seed(0)
    model = cynet.Sequential(cynet.Conv2d(3, 8, 3), cynet.GlobalAvgPool2d(), cynet.Linear(8, 10))
    net, other = peer.converted(model), peer.converted(model)
    x, labels = setting.batch(4)
    step = peer.training_step(net.eval(), x, labels, layout)
    optimizer = torch.optim.SGD(other.parameters(), 0.01, 0.9, weight_decay=1e-4)
    for _ in range(3):
        step()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(other(peer.images(x, "NCHW")), torch.from_numpy(labels)).backward()
        optimizer.step()
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)
    assert net.training and peer.images(x, layout).is_contiguous(memory_format=peer.FORMATS[layout])
    assert net[0].weight.is_contiguous(memory_format=peer.FORMATS[layout])
    assert peer.images(x, "channels_last").stride() != peer.images(x, "NCHW").stride()


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "safe"),
    [(11, 1, 2, False), (32, 1, 2, True), (11, 1, 1, True), (11, 3, 2, True)],
)
def test_a_layer_whose_gradients_end_the_process_is_not_trained_with_channels_last(
    peer, channels, kernel, stride, safe
):
    net = torch.nn.Sequential(torch.nn.Conv2d(channels, 1, kernel, stride), torch.nn.ReLU())
    assert peer.trains_in(net, "channels_last") is safe
    assert peer.trains_in(net, "NCHW")


def test_a_shape_is_timed_beside_a_peer_in_the_layouts_that_are_left(peer):
    peak, only = Peak(1.0, 1.0, 1.0, 1.0, 2, 8), ["1x1/2 11-1 @18 (9)"]
    (report,) = shape_speed.measure(peak, "torch", 60, only=only, rounds=1)
    (row,) = report.rows
    assert set(row["forward_peer_ways"]) == set(peer.FORMATS)
    assert set(row["both_peer_ways"]) == {"NCHW"}


def test_a_pass_is_in_evaluation_mode_and_keeps_no_graph(peer):
    seen = []

    class Noting(torch.nn.Module):
        def forward(self, x):
            seen.append((self.training, torch.is_grad_enabled(), tuple(x.shape)))
            return x

    peer.inference(Noting(), setting.batch(2)[0], "NCHW")()
    assert seen == [(False, False, (2, 3, 32, 32))]


@pytest.mark.parametrize("layout", ["NCHW", "channels_last"])
def test_both_passes_give_the_gradients_that_cynets_do(peer, layout):
    cynet.seed(0)
    layer = cynet.Conv2d(3, 6, 3, 2, bias=False)
    x = setting.batch(2)[0]
    dy = np.random.default_rng(1).standard_normal(layer.output_shape(x.shape), dtype=np.float32)
    dx = workload.passes(layer, x, dy)()
    theirs, dw = peer.passes(peer.converted(layer), x, dy, layout)()
    assert theirs.is_contiguous(memory_format=peer.FORMATS[layout])
    np.testing.assert_allclose(np.moveaxis(theirs.numpy(), 1, -1), dx, atol=1e-4)
    np.testing.assert_allclose(dw.numpy(), layer.weight.grad, atol=1e-3)


def test_threads_are_those_that_are_set(peer):
    peer.set_num_threads(2)
    assert torch.get_num_threads() == 2


def test_nets_that_differ_are_not_timed_and_dropout_is_back_afterwards(peer):
    cynet.seed(0)
    model = cynet.Sequential(cynet.Linear(4, 4), cynet.Dropout(0.5), cynet.Linear(4, 3))
    net, x = peer.converted(model), np.random.default_rng(0).standard_normal((6, 4), dtype=np.float32)
    peer.check_equal(model, net, x, True)
    assert net.training and net[1].training and model[1].training
    with torch.no_grad():
        net[2].bias += 0.01
    with pytest.raises(ValueError, match=r"same logits from cynet and torch, got a difference of 0\.01"):
        peer.check_equal(model, net, x, False)
    assert not net[1].training and not model[1].training


def test_a_layer_at_several_places_is_one_of_the_peer_too(peer):
    layer = cynet.Linear(4, 4)
    net = peer.converted(cynet.Sequential(layer, cynet.ReLU(), cynet.Residual(layer)))
    assert sum(weight.numel() for weight in net.parameters()) == 4 * 4 + 4


class Thrice(Container):
    """y = relu(x) + sigmoid(relu(x)), whose values are needed until the last step."""

    def __init__(self):
        self.one, self.other = cynet.ReLU(), cynet.Sigmoid()

    def parts(self):
        return Call("one", self.one), Call("other", self.other, 1), Call("", cynet.Add(), 1, 2)


def test_values_that_nobody_needs_any_more_are_dropped(peer):
    steps = peer.converted(Thrice()).steps
    assert [sorted(spent) for *_, spent in steps] == [[0], [], [1, 2]]


def test_padding_and_norms_are_those_of_the_layer(peer):
    same = peer.converted(cynet.Sequential(cynet.Conv2d(3, 4, 5, padding="same", dilation=2)))[0]
    assert same.padding == (4, 4)
    with pytest.raises(ValueError, match='wanted "same" padding around odd kernels only'):
        peer.converted(cynet.Conv2d(3, 4, 2, padding="same"))
    with pytest.raises(ValueError, match="wanted equal padding on opposite sides"):
        peer.converted(cynet.Conv2d(3, 4, 3, padding=(0, 1, 1, 1)))
    shifted = peer.converted(cynet.Sequential(cynet.BatchNorm2d(4, affine="bias")))[0]
    assert shifted.weight is None and shifted.bias.shape == (4,)


def test_pictures_are_cropped_flipped_and_normalised_at_random(peer):
    row = np.arange(1, 33, dtype=np.uint8)
    pictures = np.broadcast_to(row, (64, 3, 32, 32)).copy()
    mean, std = (0.5, 0.25, 0.0), (0.5, 0.25, 1.0)
    torch.manual_seed(0)
    given = pictures, np.arange(64), loading.PADDING, mean, std, 24, 0
    (x, y), _ = batches = list(peer.loader(*given))
    assert len(batches) == 2 and x.shape == (24, 3, 32, 32) and y.tolist() != list(range(24))
    values = torch.stack([(x[:, c] * std[c] + mean[c]) * 255 for c in range(3)], 1)
    torch.testing.assert_close(values.round(), values, rtol=0, atol=1e-3)
    middle = values[:, :, 12:20, 8:24]  # no padding reaches it
    steps = middle.diff(dim=-1).round().unique(dim=-1).flatten(1)[:, 0].tolist()
    assert set(steps) == {1.0, -1.0}  # some are mirrored
    assert len({float(one[0, 0, 0]) for one in middle}) > 8  # moved by up to four either way, or mirrored
    cut = peer.cutting_loader(pictures, np.arange(64), 12, mean, std, 24, 0)
    (x, _), _ = both = list(cut)
    assert len(both) == 2 and x.shape == (24, 3, 12, 12)
    values = (x[:, 0] * std[0] + mean[0]) * 255
    assert float(values.min()) > 0.9 and float(values.max()) < 32.1


def test_threads_are_those_within_an_operation(peer):
    for count in (3, 1, 2):
        peer.set_num_threads(count)
        assert torch.get_num_threads() == count
