"""Deep nets, and a graph of one's own, are trained to the same bytes by any number of threads and workers."""

import hashlib

import numpy as np
import pytest

import cynet
from cynet.core import threads
from cynet.train import Session, Settings

random = np.random.default_rng(0)
LABELS = np.arange(24) % 3
PICTURES = random.integers(0, 256, (24, 3, 12, 12), np.uint8)


def branches(input_shape, classes):
    x = cynet.Input(input_shape)
    h = cynet.ReLU()(cynet.BatchNorm2d(8)(cynet.Conv2d(3, 8, 3, padding=1)(x)))
    same = cynet.Conv2d(8, 8, 3, padding=2, dilation=2)
    gate = cynet.Reshape((1, 1, 8))(cynet.Sigmoid()(cynet.Linear(8, 8)(cynet.GlobalAvgPool2d()(h))))
    h = cynet.Concatenate()(cynet.Multiply()(same(h), gate), cynet.Add()(same(cynet.Dropout(0.2)(h)), h))
    return cynet.Graph(x, cynet.Linear(16, classes)(cynet.GlobalMaxPool2d()(h)))


def digest(net, count, workers):
    """SHA-256 of the weights after two steps."""
    name = {"model": net} if isinstance(net, str) else {}
    settings = Settings(
        **name, batch_size=8, steps=2, lr=0.05, augment="crop:1,flip", threads=count, workers=workers
    )
    dataset = cynet.data.ArrayDataset(PICTURES, LABELS, ["a", "b", "c"])
    with Session(settings.resolved(dataset), dataset, dataset, model=None if name else net) as session:
        batches = iter(session.batches)
        for _ in range(2):
            session.trainer.step(*next(batches))
        state = session.model.state_dict()
    return hashlib.sha256(
        b"".join(name.encode() + state[name].tobytes() for name in sorted(state))
    ).hexdigest()


@pytest.mark.parametrize(
    "net",
    ["mobilenet_v2", "densenet_bc_40_12", "resnet18", branches],
    ids=lambda net: getattr(net, "__name__", net),
)
def test_the_weights_are_the_same_bytes_for_any_threads_and_workers(net):
    before = threads.get_num_threads()
    try:
        found = {digest(net, count, workers) for count, workers in ((1, 0), (2, 1), (3, 2), (2, 0))}
    finally:
        threads.set_num_threads(before)
    assert len(found) == 1
