"""What comes out of each layer: by its path, which samples are bad, which channels are dead."""

import numpy as np

import cynet
from cynet import Concat, Conv2d, Flatten, Layer, Linear, ReLU, Residual, Sequential, Tanh
from cynet.nn import activity

X = np.random.default_rng(0).standard_normal((5, 4, 3, 2)).astype(np.float32)


class Writes(Layer):
    """Hands out one array again and again, as a layer with a buffer of its own."""

    def __init__(self):
        self.array = np.zeros(X.shape, np.float32)

    def forward(self, x):
        self.array[...] = x
        return self.array


def test_every_layer_is_told_by_its_path_and_the_last_has_the_output():
    cynet.seed(0)
    blocks = Residual(Sequential(ReLU())), Concat(Tanh(), ReLU())
    model = Sequential(Conv2d(2, 2, 1), *blocks, Flatten()).eval()
    found = list(activity.outputs(model, X, "net"))
    assert [path for path, *_ in found] == [
        "net.0", "net.1.body.0", "net.1", "net.2.0", "net.2.1", "net.2", "net.3",
    ]  # fmt: skip
    assert [path for path, *_ in activity.outputs(model, X)][:3] == ["0", "1.body.0", "1"]
    kinds = ["Conv2d", "ReLU", "Residual", "Tanh", "ReLU", "Concat", "Flatten"]
    assert [type(layer).__name__ for _, layer, _ in found] == kinds
    np.testing.assert_allclose(found[-1][2], model(X), atol=1e-6)
    np.testing.assert_allclose(found[2][2], found[0][2] + np.maximum(found[0][2], 0), atol=1e-6)


def test_nothing_is_kept_for_a_backward_pass_and_each_output_is_one_of_its_own():
    writes = Writes()
    model = Sequential(writes, ReLU(), writes)
    before = model(X), model.last_pass
    (_, _, first), _, (_, _, last) = activity.outputs(model, X)
    assert model.last_pass is before[1]
    assert [layer.last_pass for _, layer in model.walk()][1:] == [None] * 3
    np.testing.assert_array_equal(first, X)
    np.testing.assert_array_equal(last, np.maximum(X, 0))


def test_the_first_layer_with_bad_numbers_and_the_samples_that_have_them():
    linear = Linear(24, 3)
    model = Sequential(Flatten(), linear, ReLU())
    assert activity.first_not_finite(model, X) is None
    bad = X.copy()
    bad[1, 0, 0, 0], bad[3, 3, 2, 1] = np.nan, -np.inf
    path, layer, samples = activity.first_not_finite(model, bad)
    assert (path, type(layer), samples.tolist()) == ("0", Flatten, [1, 3])
    linear.bias.data[2] = np.inf
    path, layer, samples = activity.first_not_finite(model, X)
    assert (path, layer, samples.tolist()) == ("1", linear, [0, 1, 2, 3, 4])


def test_a_channel_is_dead_where_it_is_zero_at_every_place_of_every_sample():
    x = np.abs(X) + 1
    x[..., 1] = 0
    relus = ReLU(), ReLU()
    model = Sequential(relus[0], Tanh(), relus[1])
    found = [("0", relus[0], 1, 2), ("2", relus[1], 1, 2)]
    assert activity.dead_channels(model, x, ReLU) == found
    assert [path for path, *_ in activity.dead_channels(model, x, (ReLU, Tanh))] == ["0", "1", "2"]
    for place in ((0, 0, 0), (4, 3, 2), (2, 1, 1)):
        alive = x.copy()
        alive[(*place, 1)] = 0.5
        assert activity.dead_channels(model, alive, ReLU) == []
    assert activity.dead_channels(Tanh(), -x, Tanh)[0][2:] == (1, 2), "below 0 is not dead"
    rows = Sequential(ReLU())
    assert activity.dead_channels(rows, np.float32([[0, 1, -2], [-1, 0, 3]]), ReLU) == [("0", rows[0], 1, 3)]
