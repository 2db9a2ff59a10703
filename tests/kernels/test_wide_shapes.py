"""Shapes beyond every block and register: many channels, rows, classes, features, and large images."""

import numpy as np
import pytest
import reference
import reference_weights
from cynet.kernels.norm.batchnorm import PLAIN, RELU, RELU6
from test_pool import out_shape, run_avg, run_max

from cynet.core import threads
from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.linear import linear
from cynet.kernels.loss import softmax
from cynet.kernels.norm import joined, normalization, single_steps

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("dirty_memory", "threads_for_small_shapes")]

CHANNELS = (32, 48, 63, 64, 65, 79, 80, 96, 100, 128, 130, 200)  # one vector of lanes, two, four, and rests


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def relu(x):
    return np.where(x <= 0, 0, x)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("rows", [2, 33, 131])
def test_batch_norm_alone_with_a_relu_and_with_a_sum(rows, channels):
    x, dy, other, parameters = drawn(rows, *[(rows, channels)] * 3, (2, channels))
    x += np.arange(channels, dtype=np.float32)  # every channel has a mean of its own
    weight, bias = parameters
    bias[::2] += 5  # so that some of it passes 6
    for training in (True, False):
        mean, variance = x.mean(0) + 1, x.var(0) + 0.5
        running = None if training else (mean.astype(float), variance.astype(float))
        wide = [a.astype(float) for a in (x, weight, bias)]
        wanted, backward = reference_weights.batch_norm(*wide, running=running)
        count = [mean.copy(), variance.copy()]
        stats = normalization.NormPass.of(x, weight, bias, *count, 1e-5, 0.25, training)
        plain, bent, added = stats.output(), stats.output(RELU), joined.output_add(stats, other)
        np.testing.assert_allclose(plain, wanted, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(bent, relu(plain))
        clipped = stats.output(RELU6)
        np.testing.assert_array_equal(clipped, np.clip(plain, 0, 6))
        np.testing.assert_allclose(added, relu(wanted + other), rtol=1e-5, atol=1e-5)
        sums_add, gated = joined.sums_add(stats, dy, added)
        np.testing.assert_array_equal(gated, np.where(added > 0, dy, 0))
        for sums, dz, mode in (
            (stats.sums(dy), dy, PLAIN), (stats.sums(dy, RELU), np.where(bent > 0, dy, 0), RELU),
            (stats.sums(dy, RELU6), np.where((clipped > 0) & (clipped < 6), dy, 0), RELU6),
            (sums_add, gated, PLAIN),
        ):  # fmt: skip
            dweight, dbias = np.ones((2, channels), np.float32)
            stats.finish(sums, weight, dweight, dbias)
            wanted_dx, wanted_dweight, wanted_dbias = backward(dz.astype(float))
            limit = 2e-5 * np.sqrt(rows)
            np.testing.assert_allclose(dweight - 1, wanted_dweight, rtol=1e-4, atol=limit)
            np.testing.assert_allclose(dbias - 1, wanted_dbias, rtol=1e-4, atol=limit)
            got = stats.input_gradient(dy if mode else dz, mode)
            np.testing.assert_allclose(got, wanted_dx, rtol=1e-4, atol=1e-4)
        if training:
            for moved, old, new in zip(count, (mean, variance), (x.mean(0), x.var(0, ddof=1)), strict=True):
                np.testing.assert_allclose(moved, 0.75 * old + 0.25 * new, rtol=1e-5)
    out = np.ones(channels, np.float32)
    normalization.add_channel_sums(x, out)
    np.testing.assert_allclose(out, 1 + x.astype(float).sum(0), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("channels", CHANNELS)
def test_pools(channels):
    for window in (
        ((2, 2), (2, 2), (0, 0, 0, 0)), ((3, 3), (2, 2), (1, 0, 1, 1)), ((3, 2), (1, 2), (0, 1, 1, 0)),
    ):  # fmt: skip
        (x,) = drawn(0, (2, 7, 6, channels))
        (dy,) = drawn(1, out_shape(x, *window))
        for run, twin in ((run_max, reference.max_pool), (run_avg, reference.avg_pool)):
            y, dx = run(x, dy, *window)
            wanted, backward = twin(x.astype(float), *window)
            np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(dx, backward(dy.astype(float)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rows", "classes"), [
    (9, 255), (9, 256), (9, 257), (7, 682), (7, 1024), (7, 1025), (5, 2047), (5, 2049), (3, 5000), (400, 100),
])  # fmt: skip
def test_softmax_and_its_loss_of_many_classes(rows, classes):
    x, dy = drawn(0, (rows, classes), (rows, classes))
    y, dx, gradient = (np.full(x.shape, np.nan, np.float32) for _ in range(3))
    softmax.softmax(x, y, 2)
    softmax.softmax_backward(y, dy, dx, 2)
    wanted, backward = reference.softmax(x.astype(float))
    np.testing.assert_allclose(y, wanted, rtol=1e-5)
    np.testing.assert_allclose(dx, backward(dy.astype(float)), rtol=1e-4, atol=1e-8)
    labels = np.random.default_rng(2).integers(0, classes, rows)
    for smoothing in (0.0, 0.1):
        loss = softmax.cross_entropy(x, labels, gradient, np.empty(rows), smoothing, 2)
        wanted, backward = reference.cross_entropy(x.astype(float), labels, smoothing)
        assert loss == pytest.approx(wanted, rel=1e-6)
        np.testing.assert_allclose(gradient, backward(), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(("rows", "features", "outputs", "pixels"), [
    (513, 16, 10, 1), (1030, 24, 3, 3), (512, 8, 32, 1), (600, 136, 17, 1), (33, 1160, 9, 1),
    (17, 392, 25, 49), (300, 130, 70, 1), (3, 1000, 500, 1), (700, 9, 40, 1), (1, 3, 2000, 1),
])  # fmt: skip
def test_linear_layers_of_many_rows_features_and_outputs(rows, features, outputs, pixels):
    x, w, b, dy = drawn(0, (rows, features), (outputs, features), (outputs,), (rows, outputs))
    order = np.arange(features).reshape(-1, pixels).T.reshape(-1)  # where each of x stands in w
    found = set()
    for count in (1, 3):
        threads.set_num_threads(count)
        way, dw = linear.choose(rows, features, outputs, pixels), np.ones_like(w)
        way.weight_gradient(x, dy, dw)
        got = way.forward(x, w, b), way.input_gradient(dy, w), dw
        found.add(tuple(a.tobytes() for a in got))
    assert len(found) == 1
    y, backward = reference_weights.linear(x.astype(float), w[:, order].astype(float), b.astype(float))
    wanted_dx, wanted_dw, _ = backward(dy.astype(float))
    for one, want, terms in (
        (got[0], y, features), (got[1], wanted_dx, outputs), (got[2][:, order] - 1, wanted_dw, rows),
    ):  # fmt: skip
        np.testing.assert_allclose(one, want, rtol=0, atol=1e-5 * np.sqrt(terms))


@pytest.mark.parametrize(("shape", "outputs", "kernel", "stride", "padding", "groups"), [
    ((1, 70, 66, 40), 20, (3, 3), (2, 2), (1, 1, 1, 1), 1),
    ((1, 90, 80, 9), 5, (5, 3), (1, 1), (2, 1, 2, 1), 1),
    ((2, 40, 44, 48), 48, (3, 3), (1, 1), (1, 1, 1, 1), 3),
    ((1, 64, 60, 64), 33, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    ((1, 65, 33, 24), 24, (3, 3), (1, 1), (1, 1, 1, 1), 24),
    ((1, 64, 64, 3), 24, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    ((2, 3, 300, 17), 9, (2, 5), (1, 3), (1, 2, 0, 2), 1),
    ((2, 300, 3, 17), 9, (5, 2), (3, 1), (2, 1, 2, 0), 1),
    ((3, 9, 10, 120), 70, (3, 3), (1, 1), (1, 1, 1, 1), 1),
])  # fmt: skip
def test_convolutions_of_large_images_and_of_many_channels(shape, outputs, kernel, stride, padding, groups):
    problem = Problem.of(shape, outputs, kernel, stride, padding, groups)
    x, w, b, dy = drawn(0, shape, problem.weight_shape, (outputs,), problem.out_shape)
    found = set()
    for count in (1, 3):
        threads.set_num_threads(count)
        way, dw = convolution.choose(problem), np.ones_like(w)
        way.weight_gradient(x, dy, dw)
        got = way.forward(x, w, b), way.input_gradient(dy, w), dw
        found.add(tuple(a.tobytes() for a in got))
    assert len(found) == 1
    y, backward = reference_weights.conv2d(*(a.astype(float) for a in (x, w, b)), stride, padding, groups)
    wanted_dx, wanted_dw, _ = backward(dy.astype(float))
    for one, want in ((got[0], y), (got[1], wanted_dx), (got[2] - 1, wanted_dw)):
        np.testing.assert_allclose(one, want, rtol=0, atol=2e-5 * np.abs(want).max())


def test_sums_of_many_rows_are_taken_in_double():
    x = (np.random.default_rng(0).random((200_000, 3)) + 1e4).astype(np.float32)
    out, wanted = np.zeros(3, np.float32), x.sum(0, dtype=np.float64)
    normalization.add_channel_sums(x, out)
    np.testing.assert_allclose(out, wanted, rtol=1.2e-7)
    mean, _ = single_steps.statistics(x)
    np.testing.assert_allclose(mean, wanted / len(x), rtol=1e-10)
