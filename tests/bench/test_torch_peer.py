"""The peer: the same net, the same logits, the same step."""

import pickle

import numpy as np
import pytest

import cynet
from cynet.bench import setting, speed, workload
from cynet.models import names
from cynet.nn.containers.container import Container
from cynet.nn.structure import Add, Call

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def peer():
    pytest.importorskip("torch")
    from cynet.bench import peers

    return peers.load("torch")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_converted_net_gives_the_same_logits(peer, name, batch_norm):
    model = workload.create(name, batch_norm)
    x, _ = setting.batch(3)
    net = peer.converted(model)
    for training in (True, False):
        peer.check_equal(model, net, x, training)


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
    [cynet.Dropout(), cynet.Conv2d(1, 1, 2, padding="same"), cynet.Conv2d(1, 1, 2, padding=(1, 1, 0, 0))],
    ids=["dropout", "even same", "uneven"],
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
        return Call("one", self.one), Call("other", self.other, 0), Add((1, 2))


@pytest.mark.parametrize("layer", [
    cynet.Concat(cynet.Conv2d(3, 4, 3, padding=1), cynet.Conv2d(3, 2, 1)),
    cynet.Residual(cynet.Conv2d(3, 3, 3, padding=1)), Sum(),
    cynet.Sequential(Sum(), cynet.Concat(cynet.ReLU(), cynet.Sequential(cynet.Conv2d(4, 4, 1)))),
], ids=["concat", "residual", "a user's", "within each other"])  # fmt: skip
def test_any_container_is_converted_by_its_parts(peer, layer):
    model = cynet.Sequential(layer, cynet.GlobalAvgPool2d())
    peer.check_equal(model, peer.converted(model), setting.batch(2)[0], True)


def test_a_converted_net_brings_no_layer_of_cynet_with_it(peer):
    net = pickle.dumps(peer.converted(workload.create("resnet20")))
    assert b"cynet.bench.torch_peer" in net and b"cynet.nn" not in net
