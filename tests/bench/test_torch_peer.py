"""The peer: the same net, the same logits, the same step."""

import pickle

import numpy as np
import pytest
from examples import EXAMPLES, made, normal
from helpers import run_python

import cynet
from cynet.bench import setting, speed, workload
from cynet.models import names, options
from cynet.nn.containers.container import Container
from cynet.nn.registry import layer as layers
from cynet.nn.structure import Call

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("one_thread")]
UNEVEN = "'same'", "(0, 1, 2, 0)", "(2, 0, 1, 2)", "(4, 0)"  # paddings


class Strange(cynet.Layer):
    """A user's, of which nobody knows what PyTorch has for it."""


class Skip(Container):
    """Three layers, with a way around the last two."""

    def __init__(self, *layers):
        self.layers = layers

    def parts(self):
        calls = [Call(name, layer, i) for i, (name, layer) in enumerate(zip("abc", self.layers, strict=True))]
        return *calls, Call("", cynet.Add(), 3, 1)


class Fork(Container):
    """A layer, of whose output several make something, which are joined."""

    def __init__(self, trunk, *arms):
        self.trunk, self.arms = trunk, arms

    def parts(self):
        arms = [Call(f"arm{i}", arm, 1) for i, arm in enumerate(self.arms)]
        return Call("trunk", self.trunk), *arms, Call("", cynet.Concatenate(), *range(2, len(arms) + 2))


@pytest.fixture(scope="module")
def peer():
    pytest.importorskip("torch")
    from cynet.bench import peers

    return peers.load("torch")


@pytest.mark.parametrize(
    "name", [name for name in names() if "batch_norm" in options(name) and "1d" not in name]
)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_converted_net_gives_the_same_logits(peer, name, batch_norm):
    model = workload.create(name, batch_norm)
    x, _ = setting.batch(3)
    net = peer.converted(model)
    for training in (True, False):
        peer.check_equal(model, net, x, training)


@pytest.mark.parametrize("call", EXAMPLES)
@pytest.mark.parametrize("training", [True, False])
def test_every_registered_layer_has_a_peer(peer, call, training):
    """But for paddings that `UNEVEN` names, some of which PyTorch's layers do not take."""
    layer, x = made(call), normal(EXAMPLES[call])
    try:
        net = peer.converted(layer)
    except ValueError as error:
        assert any(text in call for text in UNEVEN) and "wanted" in str(error)
        return
    peer.check_equal(layer, net, x, training)


def test_every_leaf_is_in_the_table_and_nothing_else(peer):
    leaves = {name for name in layers.names() if ".containers." not in layers.home(name)[0]}
    assert set(peer.LEAVES) == leaves


@pytest.mark.parametrize("training", [True, False])
def test_a_container_that_is_nowhere_known_has_a_peer(peer, training):
    shared = cynet.Conv2d(4, 4, 1)
    model = cynet.Sequential(
        cynet.Conv2d(3, 4, 3),
        Skip(shared, cynet.Sequential(cynet.BatchNorm2d(4), cynet.SiLU()), shared),
        Fork(cynet.GELU(), cynet.Conv2d(4, 2, 1), cynet.Sequential(), cynet.Dropout()),
    )
    net = pickle.loads(pickle.dumps(peer.converted(model)))  # as a process gets it
    peer.check_equal(model, net, normal((2, 8, 8, 3)), training)
    assert net.state_dict().keys() == model.state_dict().keys()


def test_a_process_that_is_measured_loads_no_layers_of_cynets():
    pytest.importorskip("torch")
    program = "import sys; from cynet.bench import peers; peers.load('torch', 'steps')\n"
    program += "print('cynet.nn' in sys.modules)"
    assert run_python("-W", "default", "-c", program).stdout == "False\n"


def test_other_weights_are_noticed(peer):
    model, x = workload.create("uwnet2"), setting.batch(2)[0]
    with pytest.raises(ValueError, match="wanted the same logits from cynet and torch"):
        peer.check_equal(model, peer.converted(workload.create("uwnet2")), x, True)


def test_a_step_of_training_is_the_same(peer):
    model, (x, labels) = workload.create("uwnet2"), setting.batch(8)
    nets = {layout: peer.converted(model) for layout in peer.FORMATS}
    steps = [peer.training_step(net, x, labels, layout) for layout, net in nets.items()]
    for step in (workload.training_step(model, x, labels), *steps):
        for _ in range(3):
            step()
    for net in nets.values():
        for name, wanted in net.state_dict().items():
            np.testing.assert_allclose(model.state_dict()[name], wanted.numpy(), atol=1e-3)


@pytest.mark.parametrize(
    "layer",
    [Strange(), cynet.Conv2d(1, 1, 2, padding="same"), cynet.Conv2d(1, 1, 2, padding=(1, 1, 0, 0))],
    ids=["a user's", "even same", "uneven"],
)
def test_what_has_no_counterpart_is_refused(peer, layer):
    with pytest.raises(ValueError, match="wanted"):
        peer.converted(cynet.Sequential(layer))


def test_a_comparison_has_a_ratio_for_each_row(peer):
    import torch

    before = torch.get_num_threads()
    try:
        report = speed.measure(speed.Setup(False, ("uwnet2",), (2, 1), (1,), peer="torch", rounds=2))
    finally:
        torch.set_num_threads(before)
    for row in report.rows:
        assert row["ratio"] > 0 and row["peer_way"] in peer.FORMATS
        assert row["ratio_quartiles"][0] <= row["ratio"] <= row["ratio_quartiles"][1]
        assert set(row["peer_ways"]) == set(peer.FORMATS)


def test_memory_beside_the_peer(peer, monkeypatch):
    from cynet.bench import processes

    monkeypatch.delitem(peer.FORMATS, "channels_last")
    plan = speed.Setup(True, ("uwnet2",), (2,), (1,), peer="torch")
    (row,) = processes.memory(plan, repeat=1, steps=1).rows
    assert row["peer_peak_bytes"] > row["peer_imported_bytes"] > 0 and row["ratio"] > 0


class Sum(Container):
    """A user's container."""

    def __init__(self):
        self.one, self.other = cynet.Conv2d(3, 4, 3, padding=1), cynet.Conv2d(3, 4, 1)

    def parts(self):
        return Call("one", self.one), Call("other", self.other, 0), Call("", cynet.Add(), 1, 2)


@pytest.mark.parametrize("layer", [
    cynet.Concat(cynet.Conv2d(3, 4, 3, padding=1), cynet.Conv2d(3, 2, 1)),
    cynet.Residual(cynet.Conv2d(3, 3, 3, padding=1)), Sum(),
    cynet.Sequential(Sum(), cynet.Concat(cynet.ReLU(), cynet.Sequential(cynet.Conv2d(4, 4, 1)))),
], ids=["concat", "residual", "a user's", "within each other"])  # fmt: skip
def test_any_container_is_converted_by_its_parts(peer, layer):
    model = cynet.Sequential(layer, cynet.GlobalAvgPool2d())
    peer.check_equal(model, peer.converted(model), setting.batch(2)[0], True)


@pytest.mark.parametrize("layers", [
    [cynet.MaxPool2d(3, 2, 1, ceil_mode=True), cynet.AvgPool2d(3, 2, 1, True, False)],
    [cynet.AvgPool2d(2, divisor_override=3), cynet.AdaptiveAvgPool2d((3, None)), cynet.Flatten()],
    [cynet.Upsample(scale_factor=2), cynet.Upsample(20, mode="bilinear"), cynet.GlobalMaxPool2d()],
    [cynet.ZeroPad2d((1, 2, 0, 1)), cynet.Conv2d(3, 6, 1), cynet.ChannelShuffle(2)],
    [cynet.Reshape((-1, 6)), cynet.MaxPool1d(3, 2, "same"), cynet.AvgPool1d(2, 2, 1, True), cynet.Flatten()],
    [cynet.Reshape((32, 96)), cynet.GlobalAvgPool1d(), cynet.Reshape((4, 8, 3))],
], ids=lambda layers: type(layers[0]).__name__)  # fmt: skip
def test_layers_that_pool_and_resize_are_converted(peer, layers):
    model = cynet.Sequential(*layers)
    peer.check_equal(model, peer.converted(model), setting.batch(2)[0], True)


def test_padding_that_pytorch_has_not_is_refused(peer):
    for layer in (
        cynet.MaxPool1d(3, 2, (0, 1)),
        cynet.MaxPool1d(2, 2, "same"),
        cynet.AvgPool2d(3, 1, (0, 0, 1, 1)),
    ):
        with pytest.raises(ValueError, match="padding"):
            peer.converted(layer)


def test_a_converted_net_brings_no_layer_of_cynet_with_it(peer):
    net = pickle.dumps(peer.converted(workload.create("resnet20")))
    assert b"cynet.bench.torch_steps" in net and b"cynet.nn" not in net
