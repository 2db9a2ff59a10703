"""PyTorch's modules that stand for layers of cynet's: channels first, at any number of axes, chances."""

import weakref

import numpy as np
import pytest

from cynet.bench import setting

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def steps():
    from cynet.bench import torch_steps

    return torch_steps


def normal(*shape):
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def test_whole_samples_are_dropped_while_it_trains_and_the_rest_is_scaled(steps):
    torch.manual_seed(0)
    layer, x = steps.TorchDropPath(0.25), torch.ones(4000, 2, 3)
    y = layer.train()(x)
    kept = y.amax((1, 2))
    assert torch.equal(y, kept[:, None, None].expand_as(y)) and set(kept.tolist()) == {
        0.0,
        float(np.float32(4 / 3)),
    }
    assert 0.72 < (kept > 0).float().mean() < 0.78  # five deviations are .034
    assert torch.equal(layer.eval()(x), x)


def test_layers_of_features_take_them_where_the_channels_are(steps):
    x = normal(2, 5, 4, 3)  # five channels
    last = x.movedim(1, -1)
    linear = steps.TorchLinear(5, 7)
    torch.testing.assert_close(linear(x), (last @ linear.weight.T + linear.bias).movedim(-1, 1))
    torch.testing.assert_close(linear(x[:, :, 0, 0]), x[:, :, 0, 0] @ linear.weight.T + linear.bias)
    norm = steps.TorchLayerNorm(5, eps=0.5)
    centred = last - last.mean(-1, keepdim=True)
    wanted = centred / (last.var(-1, unbiased=False, keepdim=True) + 0.5).sqrt()
    torch.testing.assert_close(norm(x), wanted.movedim(-1, 1))
    pooled = steps.TorchGlobalAvgPool2d()
    torch.testing.assert_close(pooled(x), x.mean((2, 3)))
    torch.testing.assert_close(pooled(x[..., 0]), x[..., 0].mean(2))


def test_shapes_are_those_of_channels_last(steps):
    x = normal(2, 6, 4)  # six channels, four steps
    flat = x.movedim(1, -1).reshape(2, 24)
    assert torch.equal(steps.TorchReshape((24,))(x), flat)
    assert torch.equal(steps.TorchReshape((2, 3, 4))(x), flat.reshape(2, 2, 3, 4).movedim(-1, 1))
    assert torch.equal(steps.TorchReshape((8, 3))(flat), flat.reshape(2, 8, 3).movedim(-1, 1))


def test_recurrent_layers_and_embeddings_have_their_features_as_channels(steps):
    x = normal(2, 5, 4)
    for layer, plain in ((steps.TorchGRU, torch.nn.GRU), (steps.TorchLSTM, torch.nn.LSTM)):
        ours, theirs = layer(5, 3, batch_first=True), plain(5, 3, batch_first=True)
        theirs.load_state_dict(ours.state_dict())
        torch.testing.assert_close(ours(x), theirs(x.movedim(1, -1))[0].movedim(-1, 1))
    tokens, table = torch.tensor([[1, 2, 0], [4, 3, 4]]), steps.TorchEmbedding(5, 2)
    assert torch.equal(table(tokens), table.weight[tokens].movedim(-1, 1))
    assert torch.equal(table(tokens[0]), table.weight[tokens[0]])


def test_several_values_are_joined(steps):
    a, b, c = normal(2, 3, 4, 4), normal(2, 3, 4, 4) + 1, normal(2, 3, 1, 1)
    assert torch.equal(steps.TorchAdd()(a, b, a), a + b + a)
    assert torch.equal(steps.TorchConcatenate()(a, b), torch.cat([a, b], 1))
    assert torch.equal(steps.TorchMultiply()(a, b, c), a * b * c)


def test_values_that_are_spent_are_let_go_before_the_next_step(steps):
    """The first step's value is there for the second step, and gone at the third."""
    alive = []

    class Noting(torch.nn.Module):
        def forward(self, x):
            alive.append(kept())
            return x + 1

    class First(torch.nn.Module):
        def forward(self, x):
            y = x + 1
            self.finalizer = weakref.finalize(y, lambda: None)
            return y

    first = First()
    net = steps.TorchParts(
        [("", first), ("", Noting()), ("", Noting())], [(0,), (1,), (2,)], (1, (3,))
    )  # fmt: skip
    kept = lambda: first.finalizer.alive  # noqa: E731
    assert torch.equal(net(torch.zeros(2)), torch.full((2,), 3.0))
    assert alive == [True, False]


def test_several_outputs_come_as_a_tuple_and_paths_are_modules(steps):
    net = steps.TorchParts(
        [("a.b", torch.nn.ReLU()), ("a.c", torch.nn.Sigmoid()), ("", steps.TorchAdd())],
        [(0,), (0,), (1, 2, 0)], (1, (3, 1)),
    )  # fmt: skip
    x = normal(3, 2)
    total, relu = net(x)
    assert torch.equal(relu, x.relu()) and torch.equal(total, x.relu() + x.sigmoid() + x)
    assert isinstance(net.a.b, torch.nn.ReLU) and isinstance(net.a.c, torch.nn.Sigmoid)


def test_parts_are_cut_at_random_and_may_be_small(steps):
    """Of pictures that are a ramp from left to right: how much of it is seen, and which way round."""
    ramp = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8), (300, 3, 64, 64)).copy()
    torch.manual_seed(0)
    pictures = steps._Cut(ramp, np.arange(300), 16, (0.0,) * 3, (1.0,) * 3)
    seen = torch.stack([pictures[i][0] for i in range(300)])
    assert seen.shape == (300, 3, 16, 16) and seen.min() >= 0 and seen.max() <= 1
    width = (
        (seen[:, 0, 0, -1] - seen[:, 0, 0, 0]) * 16 / 15
    )  # about the part of the width, negative if mirrored
    assert 0.35 < (width < 0).float().mean() < 0.65
    part = width.abs()
    assert part.min() < 0.4 and part.max() > 0.9  # areas from .08 on, whose roots are from .28 on
    assert [pictures[i][1] for i in (0, 299)] == [0, 299]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_loaders_workers_stay_from_epoch_to_epoch(steps, workers):
    pictures = np.zeros((6, 3, 8, 8), np.uint8)
    for make in (steps.loader, steps.cutting_loader):
        batches = make(pictures, np.arange(6), 2, (0.5,) * 3, (0.5,) * 3, 4, workers)
        assert (batches.num_workers, batches.persistent_workers) == (workers, workers > 0)
        assert batches.drop_last and batches.batch_size == 4 and len(batches) == 1
        assert isinstance(batches.sampler, torch.utils.data.RandomSampler)


def test_a_text_is_learned_with_the_state_of_the_step_before():
    from cynet.bench import torch_texts

    torch.manual_seed(0)
    net, other = torch_texts.TorchLanguageModel(6), torch_texts.TorchLanguageModel(6)
    other.load_state_dict(net.state_dict())
    x, y = setting.text(2, 4)
    step, state = torch_texts.training_step(net.eval(), x, y), None
    optimizer = torch.optim.Adam(other.parameters(), lr=0.002, weight_decay=5e-4)
    for _ in range(4):
        step()
        optimizer.zero_grad()
        found, after = other(torch.from_numpy(x), state)
        torch.nn.functional.cross_entropy(found.reshape(-1, 65), torch.from_numpy(y).reshape(-1)).backward()
        optimizer.step()
        state = after.detach()
    assert net.training
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_the_peers_optimisers_take_all_parameters_at_once(monkeypatch, steps):
    from cynet.bench import torch_texts

    asked = []
    for name in ("SGD", "Adam"):
        monkeypatch.setattr(torch.optim, name, lambda params, name=name, **how: asked.append((name, how)))
    x, labels = setting.batch(2)
    steps.training_step(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1)), x, labels, "NCHW")
    torch_texts.training_step(torch_texts.TorchLanguageModel(4), *setting.text(1, 2))
    assert asked == [
        ("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "foreach": True}),
        ("Adam", {"lr": 0.002, "weight_decay": 5e-4, "foreach": True}),
    ]
