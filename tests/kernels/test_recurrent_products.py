"""The products of recurrent layers: drawn sizes and strides against NumPy's in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.core import threads
from cynet.kernels.recurrent import embedding, products

pytestmark = pytest.mark.kernels
SIZES = st.integers(1, 90) | st.sampled_from([255, 256, 257, 300, 513])


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def wide(array, more):
    """The same numbers, in rows that lie further apart."""
    found = np.full((len(array), array.shape[1] + more), np.nan, np.float32)
    found[:, : array.shape[1]] = array
    return found[:, : array.shape[1]]


@settings(max_examples=100, deadline=None)
@given(SIZES, SIZES, SIZES, st.integers(0, 5), st.booleans(), st.booleans(), st.integers(0, 2**32))
def test_rows_times_weights(rows, terms, lanes, more, transposed, add, seed):
    a, weight, out = drawn(
        seed, (rows, terms), (lanes, terms) if transposed else (terms, lanes), (rows, lanes)
    )
    weight = weight.T if transposed else weight
    wanted = a.astype(float) @ weight.astype(float) + (out.astype(float) if add else 0)
    target = wide(out, more)
    products.multiply(wide(a, more), weight, target, add=add)
    np.testing.assert_allclose(target, wanted, rtol=1e-5, atol=1e-5 * terms**0.5)
    if more:
        assert np.isnan(target.base[:, lanes:]).all()


@settings(max_examples=100, deadline=None)
@given(SIZES, SIZES, st.integers(1, 700), st.integers(0, 5), st.integers(0, 2**32))
def test_sums_over_rows(rows, lanes, terms, more, seed):
    a, b, out = drawn(seed, (terms, rows), (terms, lanes), (rows, lanes))
    wanted = a.astype(float).T @ b.astype(float) + out
    products.add_sums(wide(a, more), wide(b, more), out)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5 * terms**0.5)


@pytest.mark.usefixtures("threads_for_small_shapes")
def test_same_bytes_for_any_number_of_threads():
    a, weight, dy, start = drawn(0, (700, 90), (90, 140), (700, 140), (90, 140))
    numbers, results = np.arange(700) % 13, []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        out, sums, table = np.empty((700, 140), np.float32), start.copy(), np.zeros((13, 140), np.float32)
        products.multiply(a, weight, out)
        products.add_sums(a, dy, sums)
        embedding.add_rows(numbers, dy, table, count)
        results.append([array.tobytes() for array in (out, sums, table)])
    assert all(one == results[0] for one in results)


def test_a_row_does_not_depend_on_those_beside_it():
    a, weight = drawn(0, (70, 300), (300, 50))
    out = np.empty((70, 50), np.float32)
    products.multiply(a, weight, out)
    for first, count in ((0, 1), (3, 5), (60, 10)):
        some = np.empty((count, 50), np.float32)
        products.multiply(a[first : first + count], weight, some)
        np.testing.assert_array_equal(some, out[first : first + count])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_number_stays_in_its_row(bad):
    a, weight = drawn(0, (20, 30), (30, 10))
    a[7, 3], out = bad, np.empty((20, 10), np.float32)
    products.multiply(a, weight, out)
    np.testing.assert_array_equal(np.isfinite(out).all(1), np.arange(20) != 7)


def test_nothing_times_something_is_nothing():
    out = np.ones((3, 4), np.float32)
    products.multiply(
        np.zeros((0, 5), np.float32), np.zeros((5, 4), np.float32), np.zeros((0, 4), np.float32)
    )
    products.add_sums(np.zeros((0, 3), np.float32), np.zeros((0, 4), np.float32), out)
    assert (out == 1).all()
