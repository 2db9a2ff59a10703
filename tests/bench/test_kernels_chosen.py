"""Which layers, losses and optimisers `cynet bench kernels` times, in which shapes, and what a case runs."""

from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet import data
from cynet.bench import cases
from cynet.nn import registry

POINTWISE = [f"{registry.layer[name]()!r}" for name in registry.layer.those(pointwise=True)]
SWEPT = [  # with 64 channels
    cynet.BatchNorm2d(64), cynet.GroupNorm(8, 64), cynet.LayerNorm(64), cynet.PReLU(64), *POINTWISE,
    cynet.MaxPool2d(2), cynet.AvgPool2d(2), cynet.GlobalAvgPool2d(), cynet.Softmax(), cynet.Flatten(),
    cynet.Dropout(0.5), cynet.Dropout2d(0.5), cynet.DropPath(0.5), cynet.GlobalMaxPool2d(),
    cynet.AdaptiveAvgPool2d(4), cynet.ZeroPad2d(1), cynet.ChannelShuffle(4),
    cynet.Upsample(scale_factor=2, mode="bilinear"),
]  # fmt: skip


@pytest.mark.parametrize(("size", "batch"), [(1, 1), (1 << 14, 1), (1 << 15, 2), (2**18 - 1, 15)])
def test_the_sweep_has_every_kernel_that_moves_data_at_its_size(monkeypatch, size, batch):
    passes, shape = [], (batch, 16, 16, 64)
    monkeypatch.setattr(cases, "_passes", lambda layer, shape: passes.append((repr(layer), shape)) or ())
    found = [(case.kernel, case.shape, case.place) for case in cases.sweep((size,))]
    assert passes == [(each if isinstance(each, str) else repr(each), shape) for each in SWEPT]
    assert len(POINTWISE) > 5 and repr(cynet.ReLU()) in POINTWISE
    elements, rows = batch << 14, max(1, size // 1024)
    assert found == [
        ("add", str(shape), "sweep"),
        *((kind, f"({elements},)", "sweep") for kind in ("SGD", "Adam", "AdamW")),
        ("cross-entropy and gradient", f"({rows}, 1024)", "sweep"),
    ]


def test_the_optimisers_of_the_sweep_have_their_settings(monkeypatch):
    made = []
    monkeypatch.setattr(cases, "of_optimizer", lambda *given: made.append(given) or ())
    list(cases._swept_optimizers(5))
    (sgd, *first), (adam, *second), (adamw, *third) = made
    assert [first, second, third] == [[5, "(5,)"], [7, "(5,)"], [7, "(5,)"]]
    assert (sgd.lr, sgd.momentum, sgd.weight_decay) == (0.01, 0.9, 1e-4)
    assert [type(each) for each in (sgd, adam, adamw)] == [cynet.SGD, cynet.Adam, cynet.AdamW]
    assert adam.lr == adamw.lr == 1e-3 and all(each.params[0].size == 5 for each in (sgd, adam, adamw))


def test_what_no_model_of_pictures_has_is_timed_in_its_shapes(monkeypatch):
    layers = []

    def of_layer(layer, shape):
        layers.append((repr(layer), shape))
        return [cases.Case("conv forward", "s", None, 0, 0)]

    monkeypatch.setattr(cases, "of_layer", of_layer)
    monkeypatch.setattr(cases, "of_embedding", lambda layer, shape: layers.append((repr(layer), shape)) or ())
    found = [(case.kernel, case.shape) for case in cases.others(3)]
    assert layers == [
        (repr(cynet.Conv2d(64, 64, 3, padding=1, groups=64)), (3, 16, 16, 64)),
        (repr(cynet.Embedding(65, 256)), (3, 32)),
        (repr(cynet.GRU(256, 256)), (3, 32, 256)), (repr(cynet.LSTM(256, 256)), (3, 32, 256)),
    ]  # fmt: skip
    assert found == [
        ("depth-wise conv forward", "s"), ("conv forward", "s"), ("conv forward", "s"),
        ("squared error and gradient", "(3, 16, 16, 64)"), ("im2col 3x3", "(3, 16, 16, 16)"),
        ("col2im 3x3", "(3, 16, 16, 16)"),
    ]  # fmt: skip


def test_each_of_them_runs_what_it_is_called(monkeypatch):
    ran = []
    columns = SimpleNamespace(
        im2col=lambda x, *how: ran.append(("im2col", x.shape, how)),
        col2im=lambda cells, *how: ran.append(("col2im", cells.shape, how)),
    )
    monkeypatch.setattr(cases, "columns", columns)
    monkeypatch.setattr(cases, "MSELoss", lambda: lambda y, t: ran.append(("loss", y.shape, t.shape, y is t)))
    found = {case.kernel: case for case in cases.others(2)}
    for name in ("im2col 3x3", "col2im 3x3", "squared error and gradient"):
        found[name].run()
    image, large = (2, 16, 16, 16), (2, 16, 16, 64)
    assert ran == [
        ("im2col", image, (3, 1, 1)), ("col2im", (2, 16, 16, 144), (image, 3, 1, 1)),
        ("loss", large, large, False),
    ]  # fmt: skip
    tokens = []

    class Noting(cynet.Embedding):
        def __call__(self, x):
            tokens.append(x)
            return super().__call__(x)

    forward, backward = cases.of_embedding(Noting(7, 3), (50, 4))
    forward.run(), backward.prepare(), backward.run()
    assert len(tokens) == 2 and set(np.unique(tokens)) == set(range(7))
    assert (forward.shape, backward.shape) == ("(50, 4) to 3",) * 2


def test_the_loaders_step_crops_flips_and_normalises_every_picture(monkeypatch):
    made, filled = [], []

    class Noting:
        def __init__(self, transforms, shape):
            made.append((transforms, shape))

        def fill(self, images, indices, x, *more):
            filled.append((images.shape, images.dtype, indices.tolist(), x.shape, x.dtype, more[:2]))

    monkeypatch.setattr(cases, "Pipeline", Noting)
    (case,) = cases.of_decode(5)
    case.run()
    ((transforms, shape),) = made
    wanted = [data.RandomCrop(4), data.RandomFlip(), data.Normalize([0.5] * 3, [0.25] * 3)]
    assert list(map(repr, transforms)) == list(map(repr, wanted)) and shape == (3, 32, 32)
    assert filled == [((5, 3, 32, 32), np.uint8, [0, 1, 2, 3, 4], (5, 32, 32, 3), np.float32, (0, 0))]
    assert (case.kernel, case.shape) == ("decode (1 thread)", "(5, 3, 32, 32)")


def test_a_pools_name_is_of_its_windows():
    for layer, shape, name in (
        (cynet.MaxPool2d(3, 2), (1, 8, 8, 2), "MaxPool2d 3x3/2"),
        (cynet.AvgPool2d((1, 2)), (1, 8, 8, 2), "AvgPool2d 1x2/1"), (cynet.Tanh(), (2, 3), "Tanh"),
        (cynet.MaxPool1d(3, 2), (1, 8, 2), "MaxPool1d 3/2"),
        (cynet.ConvTranspose2d(2, 3, 4, 2), (1, 8, 8, 2), "ConvTranspose2d 4x4/2"),
    ):  # fmt: skip
        forward, backward = cases.of_layer(layer, shape)
        assert (forward.kernel, backward.kernel) == (f"{name} forward", f"{name} backward")
        assert forward.shape == backward.shape == str(shape)


def test_random_numbers_are_the_same_every_time():
    found = cases.random((40, 50))
    np.testing.assert_array_equal(found, np.random.default_rng(0).standard_normal((40, 50), np.float32))
    assert found.ctypes.data % 64 == 0


def test_labels_of_the_loss_are_of_all_its_classes(monkeypatch):
    given = []
    monkeypatch.setattr(cases, "CrossEntropyLoss", lambda: lambda *both: given.append(both))
    (case,) = cases.of_loss(500, 7)
    case.run()
    ((logits, labels),) = given
    assert logits.shape == (500, 7) and labels.shape == (500,) and set(labels.tolist()) == set(range(7))
    assert case.shape == "(500, 7)"
