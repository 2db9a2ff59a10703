"""The course's layers against float64 twins, and the rules of the course one by one."""

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet import uwnet
from cynet.uwnet import (
    LINEAR,
    LOGISTIC,
    LRELU,
    RELU,
    SOFTMAX,
    make_activation_layer,
    make_batchnorm_layer,
    make_connected_layer,
    make_convolutional_layer,
    make_maxpool_layer,
)

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}
DRAWS = settings(max_examples=100)


def draw(seed, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape) for shape in shapes]


def close(got, wanted, **tolerance):
    assert got.dtype == np.float32 and got.flags.c_contiguous
    np.testing.assert_allclose(got, wanted, **(tolerance or TOLERANCE))


windows = st.tuples(
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 5),
)  # rows, width, height, channels, size, stride


@DRAWS
@given(windows, st.integers(1, 18), st.integers(0, 2**32))
def test_convolution(shape, filters, seed):
    rows, w, h, c, size, stride = shape
    layer = make_convolutional_layer(w, h, c, filters, size, stride)
    out = twins.outputs(w, stride) * twins.outputs(h, stride)
    x, dy, weights, b = draw(
        seed, (rows, c * h * w), (rows, filters * out), (filters, c * size**2), (1, filters)
    )
    layer.w, layer.b = weights, b
    close(layer.forward(x), twins.convolution(x, weights, b, (w, h, c), size, stride))
    dx, dw, db = twins.convolution(x, weights, b, (w, h, c), size, stride, dy)
    close(layer.backward(dy), dx)
    close(layer.dw, dw)
    close(layer.db, db)
    layer.backward(dy)
    close(layer.dw, 2 * dw)
    close(layer.db, 2 * db)


@DRAWS
@given(windows, st.booleans(), st.integers(0, 2**32))
def test_max_pool(shape, ties, seed):
    rows, w, h, c, size, stride = shape
    layer = make_maxpool_layer(w, h, c, size, stride)
    out = twins.outputs(w, stride) * twins.outputs(h, stride)
    x, dy = draw(seed, (rows, c * h * w), (rows, c * out))
    x = np.float32(np.rint(x) if ties else x).astype(float)
    close(layer.forward(x), twins.max_pool(x, (w, h, c), size, stride))
    close(layer.backward(dy), twins.max_pool(x, (w, h, c), size, stride, dy))


@DRAWS
@given(st.integers(2, 9), st.integers(1, 20), st.integers(1, 30), st.integers(0, 2**32))
def test_batch_norm(rows, groups, n, seed):
    layer = make_batchnorm_layer(groups)
    x, other, dy = draw(seed, *[(rows, groups * n)] * 3)
    m = twins.mean(x, groups)
    v = twins.variance(x, m, groups)
    # Two near values make 1 / sigma large: the tolerance is relative to it.
    scale = 1e-4 * max(1, (1 / np.sqrt(v + twins.EPS)).max())
    close(layer.forward(x), twins.normalize(x, m, v, groups), rtol=1e-4, atol=scale)
    assert np.array_equal(layer.x, np.float32(x))
    close(layer.rolling_mean, 0.1 * m)
    close(layer.rolling_variance, 0.1 * v)
    close(layer.backward(dy), twins.batch_norm_gradient(x, dy, groups), rtol=1e-4, atol=scale)
    layer.forward(other)
    close(layer.rolling_mean, 0.9 * 0.1 * m + 0.1 * twins.mean(other, groups))


@DRAWS
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**32))
def test_connected(rows, inputs, outputs, seed):
    layer = make_connected_layer(inputs, outputs)
    x, dy, w, b, dw, db = draw(seed, (rows, inputs), (rows, outputs), *[(inputs, outputs), (1, outputs)] * 2)
    layer.w, layer.b, layer.dw, layer.db = w, b, dw, db
    close(layer.forward(x), x @ w + b)
    close(layer.backward(dy), dy @ w.T)
    close(layer.dw, dw + x.T @ dy)
    close(layer.db, db + dy.sum(0, keepdims=True))


def test_a_batch_of_one_row_uses_the_rolling_statistics():
    layer = make_batchnorm_layer(2)
    (many,) = draw(1, (5, 6))
    layer.forward(many + 3)
    before = layer.rolling_mean.copy(), layer.rolling_variance.copy()
    x, dy = draw(2, (1, 6), (1, 6))
    close(layer.forward(x), twins.normalize(x, *(np.float64(s) for s in before), 2))
    assert np.array_equal(layer.rolling_mean, before[0])
    assert np.array_equal(layer.rolling_variance, before[1])
    inverse = np.repeat(1 / np.sqrt(before[1][0] + 1e-5), 3)
    close(layer.backward(dy), dy * inverse)


def test_eps_is_inside_the_root_and_statistics_start_at_zero():
    layer = make_batchnorm_layer(1)
    assert layer.rolling_mean.tolist() == layer.rolling_variance.tolist() == [[0]]
    close(layer.forward([[2.0]]), [[2 / np.sqrt(1e-5)]])
    close(layer.forward([[1e-3], [-1e-3]]), [[1e-3 / np.sqrt(1.1e-5)], [-1e-3 / np.sqrt(1.1e-5)]])


def test_the_rolling_variance_is_the_biased_one():
    layer = make_batchnorm_layer(1)
    layer.forward([[0.0], [2.0]])
    close(layer.rolling_variance, [[0.1]])


def test_rolling_statistics_can_be_assigned():
    layer = make_batchnorm_layer(2)
    layer.rolling_mean, layer.rolling_variance = [[1, 2]], [[4 - 1e-5, 1 - 1e-5]]
    close(layer.forward([[3, 3]]), [[1, 1]])


@pytest.mark.parametrize(
    "kind, function, slope",
    [
        (LINEAR, lambda x: x, lambda x: np.ones_like(x)),
        (LOGISTIC, lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
        (RELU, lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
        (LRELU, lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01)),
        (SOFTMAX, twins.softmax, lambda x: np.ones_like(x)),
    ],
)
def test_activations(kind, function, slope):
    layer = make_activation_layer(kind)
    x, dy = draw(kind, (7, 13), (7, 13))
    x = np.float32(x * 4).astype(float)
    close(layer.forward(x), function(x))
    close(layer.backward(dy), dy * slope(x))


def test_the_kinds_have_the_courses_numbers():
    assert (LINEAR, LOGISTIC, RELU, LRELU, SOFTMAX) == (0, 1, 2, 3, 4)


def test_linear_returns_its_own_array():
    x = np.ones((2, 2), np.float32)
    assert not np.shares_memory(make_activation_layer(LINEAR).forward(x), x)


@pytest.mark.parametrize(
    "make", [lambda: make_connected_layer(3, 2), lambda: make_convolutional_layer(1, 1, 3, 2, 1, 1)]
)
def test_update_rule(make):
    layer = make()
    w, dw = draw(3, layer.w.shape, layer.w.shape)
    b, db = draw(4, (1, 2), (1, 2))
    layer.w, layer.b, layer.dw, layer.db = w, b, dw, db
    rate, momentum, decay = 0.3, 0.9, 0.05
    layer.update(rate, momentum, decay)
    dw = dw + decay * w
    close(layer.w, w - rate * dw)
    close(layer.dw, dw * momentum)
    close(layer.b, b - rate * db)
    close(layer.db, db * momentum)


@pytest.mark.parametrize("kind", ["activation", "max-pool", "batch norm"])
def test_update_of_a_layer_without_weights_does_nothing(kind):
    layers = {
        "activation": make_activation_layer(RELU),
        "max-pool": make_maxpool_layer(4, 4, 1, 2, 2),
        "batch norm": make_batchnorm_layer(1),
    }
    assert layers[kind].update(1, 0.9, 0.5) is None
    assert not hasattr(layers[kind], "w")


def test_assigning_copies():
    layer = make_connected_layer(2, 2)
    mine = np.ones((2, 2), np.float32)
    layer.dw = mine
    layer.forward(mine)
    layer.backward(mine)
    assert (mine == 1).all()
    layer.w = [[1, 2], [3, 4]]
    assert layer.w.dtype == np.float32 and layer.w.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("size, stride", [(32, 1), (32, 2), (31, 2), (5, 3), (1, 4)])
def test_output_sizes(size, stride):
    side = (size - 1) // stride + 1
    x = np.zeros((1, size * size), np.float32)
    assert make_convolutional_layer(size, size, 1, 2, 3, stride).forward(x).shape == (1, 2 * side * side)
    assert make_maxpool_layer(size, size, 1, 2, stride).forward(x).shape == (1, side * side)


def test_windows_of_even_size_start_at_the_pixel_and_ignore_what_is_outside():
    layer = make_maxpool_layer(3, 3, 1, 2, 2)
    y = layer.forward(-np.arange(1.0, 10).reshape(1, 9))
    assert y.tolist() == [[-1, -3, -7, -9]]


def test_the_first_of_equals_wins():
    layer = make_maxpool_layer(2, 2, 1, 2, 2)
    layer.forward(np.full((1, 4), 5.0))
    assert layer.backward([[3.0]]).tolist() == [[3, 0, 0, 0]]


@pytest.mark.parametrize("make, fan_in", [
    (lambda: make_connected_layer(200, 100), 200), (lambda: make_convolutional_layer(8, 8, 8, 200, 3, 1), 72),
])  # fmt: skip
def test_initial_weights(make, fan_in):
    cynet.seed(5)
    w, bound = make().w, (2 / fan_in) ** 0.5
    assert np.abs(w).max() <= bound and np.abs(w).max() > 0.99 * bound
    assert abs(w.mean()) < 0.02 * bound and abs(w.std() - bound / 3**0.5) < 0.02 * bound
    cynet.seed(5)
    layer = make()
    assert np.array_equal(layer.w, w)
    assert not layer.b.any() and not layer.dw.any() and not layer.db.any()


@pytest.mark.parametrize("make", [
    lambda: make_connected_layer(4, 3), lambda: make_convolutional_layer(2, 2, 1, 3, 3, 1),
    lambda: make_maxpool_layer(2, 2, 1, 2, 2), lambda: make_activation_layer(LOGISTIC),
])  # fmt: skip
def test_an_empty_batch(make):
    layer = make()
    y = layer.forward(np.zeros((0, 4), np.float32))
    assert len(y) == 0
    assert layer.backward(y).shape == (0, 4)
    assert not any(getattr(layer, name).any() for name in ("dw", "db") if hasattr(layer, name))


def test_backward_before_forward():
    with pytest.raises(RuntimeError, match="connected layer 2 -> 3: backward wanted a forward pass"):
        make_connected_layer(2, 3).backward(np.zeros((1, 3)))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: uwnet.make_connected_layer(8, 8),
        lambda: uwnet.make_convolutional_layer(2, 4, 1, 1, 3, 1),
        lambda: uwnet.make_maxpool_layer(2, 4, 1, 1, 1),
        lambda: uwnet.make_batchnorm_layer(8),
        lambda: uwnet.make_batchnorm_layer(1),
        *(lambda kind=kind: uwnet.make_activation_layer(kind) for kind in range(5)),
    ],
)
def test_what_backward_needs_does_not_change_with_the_callers_arrays(layer):
    x, dy = np.random.default_rng(0).standard_normal((2, 4, 8)).astype(np.float32)
    cynet.seed(1)
    wanted = layer()
    wanted.forward(x)
    cynet.seed(1)
    found, mine = layer(), x.copy()
    y = found.forward(mine)
    mine *= -2
    y *= -2
    assert np.array_equal(found.backward(dy), wanted.backward(dy))
    assert np.array_equal(getattr(found, "dw", 0), getattr(wanted, "dw", 0))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda n: uwnet.make_connected_layer(n, n), r"inputs \* outputs: wanted at most"),
        (lambda n: uwnet.make_convolutional_layer(n, n, n, 1, 1, 1), r"w \* h \* c: wanted at most"),
        (lambda n: uwnet.make_convolutional_layer(1, 1, 2, n, 1, 1), "columns of the output: wanted at most"),
        (lambda n: uwnet.make_convolutional_layer(1, 1, 1, 9, n, 1), "wanted at most|wanted a kernel"),
        (lambda n: uwnet.make_maxpool_layer(n, n, 1, 2, 2), r"w \* h \* c: wanted at most"),
        (lambda n: uwnet.make_batchnorm_layer(n), "groups: wanted at most"),
    ],
)
def test_layers_too_large_are_refused_before_memory_is_taken(make, words):
    with pytest.raises(ValueError, match=words):
        make(2**31 - 1)


@pytest.mark.parametrize(("make", "text"), [
    (lambda: uwnet.make_convolutional_layer(5, 4, 3, 2, 7, 2),
     "convolutional layer 5 x 4 x 3 (w x h x c), size 7, stride 2"),
    (lambda: uwnet.make_maxpool_layer(5, 4, 3, 2, 1),
     "max-pool layer 5 x 4 x 3 (w x h x c), size 2, stride 1"),
    (lambda: uwnet.make_connected_layer(6, 2), "connected layer 6 -> 2"),
    (lambda: uwnet.make_batchnorm_layer(3), "batch-norm layer of 3 groups"),
    (lambda: uwnet.make_activation_layer(uwnet.LRELU), "LRELU layer"),
])  # fmt: skip
def test_a_layer_shows_what_it_was_made_with(make, text):
    cynet.seed(0)
    layer = make()
    assert repr(layer) == text
    assert repr(uwnet.make_net([layer, layer])) == f" 0 {text}\n 1 {text}"


def test_a_kind_of_activation_that_is_none_is_shown_as_it_is():
    layer = uwnet.make_activation_layer(uwnet.RELU)
    for kind in (5, -1, "x"):
        layer.kind = kind
        assert repr(layer) == f"{kind!r} layer"


@pytest.mark.parametrize("momentum", [-0.5, 0.0, 1.0])
def test_gradients_are_kept_by_any_momentum(momentum):
    layer = uwnet.make_connected_layer(2, 1)
    layer.dw = [[1], [2]]
    layer.update(0.0, momentum, 0.0)
    assert layer.dw.tolist() == [[momentum], [2 * momentum]]
