"""NaN and infinity at every place of an array, in every kernel and every joined one: where they come out.

Places are laid out along the batch, an image or row for each, so that one call meets them all.
"""

import numpy as np
import pytest
import reference
import reference_weights
from cynet.kernels.norm.batchnorm import RELU, RELU6
from helpers import frozen
from test_pool import out_shape, run_avg, run_max

from cynet.core import threads
from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.loss import softmax
from cynet.kernels.norm import joined, normalization, single_steps
from cynet.kernels.optim import optim
from cynet.kernels.pointwise import activation, elementwise
from cynet.kernels.pool import avg_pool

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("dirty_memory")]

BAD = [np.nan, np.inf, -np.inf]
WIDTHS = (1, 7, 8, 9, 15, 16, 17, 24, 33, 40)  # channels: below, at and above one, two and more registers


def relu(x):
    return np.where(x <= 0, 0, x)


def scattered(height, width, channels, bad, seed=0):
    """An image for each pixel, in which that pixel is bad in one channel, another one each time."""
    count = height * width
    x = np.random.default_rng(seed).standard_normal((count, height, width, channels)).astype(np.float32)
    pixel = np.arange(count)
    x[pixel, pixel // width, pixel % width, (pixel * 5 + 3) % channels] = bad
    return x


# -- element by element --------------------------------------------------------------------------------------
@pytest.mark.parametrize("bad", BAD)
def test_sums_of_two_arrays(bad):
    for size in (1, 5, 16, 37, 64):
        a, b = np.ones((2, size), np.float32)
        for place in range(size):
            a[:], b[:] = 1, -3
            a[place] = bad
            for first, other in ((a, b), (b, a), (a, a)):
                out = np.empty(size, np.float32)
                elementwise.add(first, other, out, 1)
                np.testing.assert_array_equal(out, first + other)
                elementwise.add_relu(first, other, out, 1)
                np.testing.assert_array_equal(out, relu(first + other))


@pytest.mark.parametrize("name", [n for n in vars(activation) if f"{n}_backward" in vars(activation)])
@pytest.mark.parametrize("bad", BAD)
def test_activations_and_their_gradients(name, bad):
    extra = (0.01,) if name == "leaky_relu" else ()
    for size in (1, 15, 16, 17, 37):
        x, dy = np.random.default_rng(size).standard_normal((2, size)).astype(np.float32)
        y, dx, dirty = (np.full(size, 7, np.float32) for _ in range(3))
        getattr(activation, name)(x, y, *extra, 1)
        kept = y if name in ("sigmoid", "tanh") else x
        getattr(activation, f"{name}_backward")(kept, dy, dx, *extra, 1)
        for place in range(size):
            odd, other = x.copy(), dy.copy()
            odd[place] = other[place] = bad
            getattr(activation, name)(odd, dirty, *extra, 1)
            with np.errstate(all="ignore"):
                wanted = getattr(reference, name)(odd.astype(float))[0][place]
            np.testing.assert_allclose(dirty[place], wanted, rtol=1e-6)
            assert np.array_equal(np.delete(dirty, place), np.delete(y, place))
            getattr(activation, f"{name}_backward")(kept, other, dirty, *extra, 1)
            closed = name == "relu" and x[place] <= 0
            assert dirty[place] == 0 if closed else not np.isfinite(dirty[place])
            assert np.array_equal(np.delete(dirty, place), np.delete(dx, place))


# -- soft-max and its loss -----------------------------------------------------------------------------------
@pytest.mark.parametrize("classes", WIDTHS)
@pytest.mark.parametrize("bad", BAD)
def test_softmax_and_cross_entropy_at_every_class(classes, bad):
    x = np.random.default_rng(0).standard_normal((classes, classes)).astype(np.float32)
    x[np.arange(classes), np.arange(classes)] = bad
    plain = np.where(np.isfinite(x), x, 0)
    y = np.full(x.shape, 7, np.float32)
    softmax.softmax(x, y, 1)
    labels = np.arange(classes)[::-1].copy()
    for smoothing, weight in ((0.0, None), (0.1, None), (0.0, np.arange(1.0, classes + 1))):
        gradient, losses = np.full(x.shape, 7, np.float32), np.zeros(classes)
        if weight is None:
            loss = softmax.cross_entropy(x, labels, gradient, losses, smoothing, 1)
        else:
            rest = smoothing, weight.sum(), 1
            loss = softmax.weighted_cross_entropy(x, labels, weight, gradient, losses, *rest)
        if bad == -np.inf and classes > 1:
            safe = plain.astype(float)
            safe[~np.isfinite(x)] = -800  # of which nothing is left either
            hit = (labels == np.arange(classes)).any() or smoothing > 0
            assert not np.isfinite(loss) if hit else np.isfinite(loss)
            np.testing.assert_allclose(y, reference.normalised_exp(safe), rtol=1e-5, atol=1e-8)
            wanted = reference.cross_entropy(safe, labels, smoothing, weight)[1]()
            np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-6)
        else:
            assert np.isnan(loss) and np.isnan(y).any(1).all() and np.isnan(gradient).any(1).all()


@pytest.mark.parametrize("classes", WIDTHS)
def test_softmax_subtracts_the_largest_wherever_it_stands(classes):
    x = np.zeros((classes, classes), np.float32)
    x[np.arange(classes), np.arange(classes)] = 1000  # of which exp is infinite
    y, gradient = np.full(x.shape, 7, np.float32), np.full(x.shape, 7, np.float32)
    softmax.softmax(x, y, 1)
    assert np.array_equal(y, np.eye(classes, dtype=np.float32))
    for place in range(classes):
        labels = np.full(classes, place)
        loss = softmax.cross_entropy(x, labels, gradient, np.zeros(classes), 0.0, 1)
        assert loss == pytest.approx(1000 * (classes - 1) / classes)
        wanted = (np.eye(classes) - np.eye(classes)[place]) / classes
        np.testing.assert_allclose(gradient, wanted, atol=1e-7)


# -- pooling -------------------------------------------------------------------------------------------------
POOLS = [
    ((2, 2), (2, 2), (0, 0, 0, 0)), ((3, 3), (2, 2), (1, 1, 1, 1)), ((3, 3), (2, 2), (0, 0, 0, 0)),
    ((3, 3), (1, 1), (1, 1, 1, 1)), ((2, 2), (1, 1), (1, 0, 0, 1)), ((3, 3), (3, 3), (0, 2, 2, 0)),
    ((2, 3), (2, 1), (0, 1, 1, 0)), ((4, 4), (2, 2), (1, 1, 2, 2)), ((1, 1), (2, 2), (0, 0, 0, 0)),
    ((6, 7), (1, 1), (0, 0, 0, 0)), ((2, 2), (3, 3), (0, 0, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("bad", BAD)
def test_pools_at_every_cell_of_their_windows(channels, bad):
    for window in POOLS:
        x = scattered(6, 7, channels, bad)
        dy = np.random.default_rng(1).standard_normal(out_shape(x, *window)).astype(np.float32)
        for run, twin in ((run_max, reference.max_pool), (run_avg, reference.avg_pool)):
            y, dx = run(x, dy, *window, threads=1)
            with np.errstate(invalid="ignore"):
                wanted, backward = twin(x.astype(float), *window)
            np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(dx, backward(dy.astype(float)), rtol=1e-5, atol=1e-5)
        odd = scattered(*dy.shape[1:], bad)
        plain = scattered(6, 7, channels, 1.0)[: len(odd)]
        odd = odd[: len(plain)]
        for run, twin in ((run_max, reference.max_pool), (run_avg, reference.avg_pool)):
            got = run(plain, odd, *window, threads=1)[1]
            touched = twin(plain.astype(float), *window)[1](np.where(np.isfinite(odd), 0.0, 1.0)) > 0
            assert np.array_equal(~np.isfinite(got), touched)


@pytest.mark.parametrize("channels", [*WIDTHS, 63, 64, 65, 130])
@pytest.mark.parametrize("bad", BAD)
def test_the_global_mean_at_every_pixel(channels, bad):
    x = scattered(3, 5, channels, bad).reshape(15, 15, channels)
    y, dx = np.full((15, channels), 7, np.float32), np.full_like(x, 7)
    avg_pool.global_avg_pool(x, y, 1)
    np.testing.assert_allclose(y, x.astype(float).mean(1), rtol=1e-5, atol=1e-5)
    avg_pool.global_avg_pool_backward(y, dx, 1)
    np.testing.assert_allclose(dx, np.broadcast_to(y[:, None] / np.float32(15), x.shape), rtol=1e-6)


# -- batch norm, and what is joined to it --------------------------------------------------------------------
def fixed_pass(x, rng):
    """A pass by running statistics, and the same in float64: (x - mean) * scale + shift."""
    channels = x.shape[1]
    weight, bias, mean = rng.standard_normal((3, channels)).astype(np.float32)
    variance = rng.random(channels, np.float32) + 0.5
    stats = normalization.NormPass.of(x, weight, bias, mean, variance, 1e-5, 0.1, False)
    return stats, weight, weight / np.sqrt(variance.astype(float) + 1e-5), bias, mean


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("bad", BAD)
def test_batch_norm_with_a_relu_or_a_sum_at_every_element(channels, bad):
    rng, rows = np.random.default_rng(channels), 67
    for place in sorted({0, 1, channels * rows // 2, *range(channels * (rows - 1) - 9, channels * rows)}):
        x, dy, other = rng.standard_normal((3, rows, channels)).astype(np.float32)
        if place < 0:
            continue
        x.reshape(-1)[place] = bad
        stats, weight, scale, bias, mean = fixed_pass(x, rng)
        wanted = (x.astype(float) - mean) * scale + bias
        y = stats.output()
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(stats.output(RELU), relu(y))
        np.testing.assert_array_equal(stats.output(RELU6), np.clip(y, 0, 6))
        added = joined.output_add(stats, other)
        np.testing.assert_allclose(added, relu(wanted + other), rtol=1e-4, atol=1e-4)
        gate = ~(y <= 0)
        sums = stats.sums(dy, RELU).sum(0)
        dz = np.where(gate, dy, 0).astype(float)
        centred = np.where(np.isfinite(x), x.astype(float) - mean, 0)
        fine = np.isfinite(x).all(0)
        np.testing.assert_allclose(sums[0], dz.sum(0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(sums[1][fine], (dz * centred).sum(0)[fine], rtol=1e-4, atol=1e-3)
        partial, kept = joined.sums_add(stats, dy, added)
        np.testing.assert_array_equal(kept, np.where(~(added <= 0), dy, 0))
        np.testing.assert_allclose(partial.sum(0)[0], kept.astype(float).sum(0), rtol=1e-4, atol=1e-4)
        dweight, dbias = np.ones((2, channels), np.float32)
        stats.finish(stats.sums(dy, RELU), weight, dweight, dbias)
        np.testing.assert_allclose(dbias - 1, dz.sum(0), rtol=1e-4, atol=1e-4)
        got = stats.input_gradient(dy, RELU)
        np.testing.assert_allclose(got[:, fine], (dz * scale)[:, fine], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("channels", WIDTHS)
def test_one_element_of_a_batch_spoils_its_channel_alone(channels, bad):
    for rows in (2, 31, 32, 33, 100):
        for place in {0, rows - 1, rows // 2}:
            x, dy = np.random.default_rng(rows).standard_normal((2, rows, channels)).astype(np.float32)
            column = (place * 3 + rows) % channels
            x[place, column] = bad
            weight, bias, mean, dweight, dbias = np.ones((5, channels), np.float32)
            variance = np.ones(channels, np.float32)
            stats = normalization.NormPass.of(x, weight, bias, mean, variance, 1e-5, 0.1, True)
            y, joined = stats.output(), stats.output(RELU)
            stats.finish(stats.sums(dy, RELU), weight, dweight, dbias)
            dx = stats.input_gradient(dy, RELU)
            for array in (y, joined, dx):
                assert np.isnan(array[:, column]).all()
                assert np.isfinite(np.delete(array, column, 1)).all()
            for array in (mean, variance, dweight):
                assert not np.isfinite(array[column]) and np.isfinite(np.delete(array, column)).all()


# -- products ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("outputs", WIDTHS)
@pytest.mark.parametrize("inputs", [3, 8])
def test_the_relu_that_a_convolution_writes_keeps_nan(inputs, outputs):
    for kernel in ((3, 3), (2, 1), (1, 1)):
        x = scattered(4, 9, inputs, np.nan)
        rng = np.random.default_rng(0)
        w = rng.standard_normal((outputs, inputs, *kernel)).astype(np.float32)
        b = rng.standard_normal(outputs).astype(np.float32)
        algorithm = convolution.choose(Problem.of(x.shape, outputs, kernel, (1, 1), (0, 0, 0, 0)))
        for count in (1, 2):
            y = np.full(algorithm.out_shape, 7, np.float32)
            scratch = np.full(algorithm.scratch_floats(count), np.nan, np.float32)
            algorithm.apply(x, algorithm.pack(w), algorithm.padded(b), y, scratch, count, True)
            plain = algorithm.forward(x, w, b)
            np.testing.assert_array_equal(y, relu(plain))
        wanted = reference_weights.conv2d(*(a.astype(float) for a in (x, w, b)), (1, 1), (0,) * 4)[0]
        assert np.isnan(plain[np.isnan(wanted)]).all()


@pytest.mark.parametrize("kernel", ["sgd", "momentum", "nesterov", "adam"])
@pytest.mark.parametrize("array", [0, 1])  # the parameter, its gradient
def test_a_step_spoils_the_element_of_a_bad_gradient_alone(kernel, array):
    size = 37
    for place in range(size):
        row = [frozen(a).copy() for a in np.random.default_rng(0).random((4, size))]
        row[array][place] = np.nan
        table = optim.ParameterTable([tuple(row[: {"sgd": 2, "adam": 4}.get(kernel, 3)])])
        if kernel == "adam":
            table.adam(0.1, 0.9, 0.999, 1e-8, 0.01, True, 3, 1)
        else:
            table.sgd(0.1, 0 if kernel == "sgd" else 0.9, 0.01, kernel == "nesterov", 1)
        assert np.flatnonzero(np.isnan(row[0])).tolist() == [place]


def test_threads_do_not_hide_a_nan():
    threads.set_num_threads(3)
    x = np.ones((200, 5), np.float32)
    x[199, 4] = np.nan
    mean, variance = single_steps.statistics(x)
    assert np.flatnonzero(np.isnan(mean)).tolist() == np.flatnonzero(np.isnan(variance)).tolist() == [4]
