"""What every registered layer of several inputs keeps, by the examples at its decorator."""

import copy
import pickle

import numpy as np
import pytest
from examples import SEVERAL, built, normal, twin
from helpers import frozen

import cynet
from cynet.core import threads

CALLS = pytest.mark.parametrize("call", SEVERAL)


def inputs(call, scale=1):
    shapes = SEVERAL[call]
    return [
        frozen(normal((s[0] * scale, *(n * scale if n > 1 else n for n in s[1:-1]), s[-1]), i))
        for i, s in enumerate(shapes)
    ]


def ran(layer, xs):
    y = layer(*xs)
    return y, layer.backward(frozen(normal(y.shape, 7)))


@CALLS
def test_it_equals_its_twin_forward_and_backward(call):
    xs = inputs(call)
    wanted, backward = twin(built(call), *(x.astype(float) for x in xs))
    y, dxs = ran(built(call), xs)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    for dx, other, x in zip(dxs, backward(normal(y.shape, 7).astype(float))["input"], xs, strict=True):
        assert dx.shape == x.shape and dx.dtype == np.float32
        np.testing.assert_allclose(dx, other, rtol=1e-5, atol=1e-5)


@CALLS
def test_its_twin_is_the_derivative(call):
    xs = [x.astype(float) for x in inputs(call)]
    y, backward = twin(built(call), *xs)
    dy = normal(y.shape, 7).astype(float)
    for i, dx in enumerate(backward(dy)["input"]):
        step = 1e-6 * normal(xs[i].shape, 20 + i)
        moved = twin(built(call), *(x + step if j == i else x for j, x in enumerate(xs)))[0]
        before = twin(built(call), *(x - step if j == i else x for j, x in enumerate(xs)))[0]
        np.testing.assert_allclose(
            (dy * (moved - before)).sum(), 2 * (dx * step).sum(), rtol=1e-6, atol=1e-12
        )


@CALLS
def test_three_inputs_are_as_two_and_one(call):
    layer, xs = built(call), inputs(call)
    y = layer(*xs, xs[1])
    np.testing.assert_array_equal(y, layer(layer(*xs), xs[1]))
    found = layer(*xs, xs[1])
    dxs = layer.backward(frozen(normal(found.shape, 7)))
    wanted = twin(layer, *(x.astype(float) for x in (*xs, xs[1])))[1](normal(found.shape, 7).astype(float))[
        "input"
    ]
    for dx, other in zip(dxs, wanted, strict=True):
        np.testing.assert_allclose(dx, other, rtol=1e-5, atol=1e-5)


@CALLS
@pytest.mark.usefixtures("threads_for_small_shapes")
def test_same_bytes_for_one_to_four_threads(call):
    results = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        y, dxs = ran(built(call), inputs(call, 4))
        results.append((y, *dxs))
        for one, other in zip(results[-1], results[0], strict=True):
            np.testing.assert_array_equal(one, other)


@CALLS
def test_an_empty_batch_and_nan(call):
    layer = built(call)
    empty = [np.zeros((0, *x.shape[1:]), np.float32) for x in inputs(call)]
    y, dxs = ran(layer, empty)
    assert [dx.shape for dx in dxs] == [x.shape for x in empty] and len(y) == 0
    xs = [np.full(x.shape, np.nan, np.float32) for x in inputs(call)]
    assert np.isnan(ran(layer, xs)[0]).all()


@CALLS
def test_what_is_no_array_is_refused_by_its_place(call):
    layer, (x, y) = built(call), inputs(call)
    name = type(layer).__name__
    with pytest.raises(TypeError, match=f"{name} input 1: wanted .*got"):
        layer(x, y.astype(float))
    with pytest.raises(ValueError, match=f"{name}.*wanted"):
        layer(x, y[:1])
    made = layer(x, y)
    with pytest.raises(ValueError, match="wanted dy of shape"):
        layer.backward(np.zeros((1, *made.shape), np.float32))


@CALLS
def test_copies_and_passes(call):
    layer, xs = built(call), inputs(call)
    with pytest.raises(RuntimeError, match="forward pass"):
        layer.backward(normal(layer.output_shape(*(x.shape for x in xs))))
    wanted = ran(layer, xs)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), built(repr(layer))):
        found = ran(copied, xs)
        np.testing.assert_array_equal(found[0], wanted[0])
    first, second = layer(*xs), layer.last_pass
    np.testing.assert_array_equal(first, wanted[0])
    for dx, other in zip(second.backward(frozen(normal(first.shape, 7))), wanted[1], strict=True):
        np.testing.assert_array_equal(dx, other)


@CALLS
def test_its_gradients_are_those_of_differences(call):
    found = cynet.check_gradients(built(call), tuple(inputs(call)), projections=1)
    assert found.ok and sum(row.name.startswith("input ") for row in found.rows) == len(SEVERAL[call]), found


def test_sums_and_products_are_of_two_arrays_or_more():
    x = np.ones((2, 3, 3, 4), np.float32)
    with pytest.raises(ValueError, match=r"equal shapes to add, two or more, got \(2, 3, 3, 4\) alone"):
        cynet.Add()(x)
    with pytest.raises(ValueError, match=r"Multiply\(\): wanted .* beside \(2, 3, 3, 4\), got nothing"):
        cynet.Multiply()(x)
    np.testing.assert_array_equal(cynet.Concatenate()(x), x)
