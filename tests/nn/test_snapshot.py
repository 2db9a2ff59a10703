"""Snapshots notice every byte, and attributes by identity."""

import numpy as np
import pytest
from cynet.nn.compile.snapshot import Snapshot, same_attributes, same_items, same_types

pytestmark = pytest.mark.kernels


def test_every_element_of_every_array_counts():
    arrays = [np.zeros(shape, np.float32) for shape in ((1,), (3, 5), (0, 4), (17,), (2, 2, 2), ())]
    snapshot = Snapshot(arrays)
    assert snapshot.holds()
    for array in arrays:
        flat = array.reshape(-1)
        for i in range(len(flat)):
            for value in (1e-45, np.nan, -0.0):  # the least number, what is not itself, what equals 0
                flat[i] = value
                assert not snapshot.holds()
                snapshot.take()
                assert snapshot.holds()
                flat[i] = 0
                assert not snapshot.holds()
                snapshot.take()
    assert Snapshot([]).holds()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", [700, 100])  # more than 2 MB are compared by sums, fewer by their bytes
def test_every_change_of_many_bytes_counts(threads, rows):
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal(shape, np.float32) for shape in ((700, 401), (3,), (0,), (123_457,), (130_001,))
    ]
    snapshot, size = Snapshot(arrays), rows * 401
    places = [(0, 0), (0, size - 1), (1, 0), (1, 2), (3, 16_383), (3, 123_456), (4, 0), (4, 130_000)]
    places += [(0, int(i)) for i in rng.integers(size, size=40)]
    for number, i in places:
        flat = arrays[number].reshape(-1)
        before = flat[i]
        for value in (-before, np.nextafter(before, np.float32(9)), np.nan):
            flat[i] = value
            assert not snapshot.holds(threads), (number, i)
        flat[i] = before
        assert snapshot.holds(threads)
    flat = arrays[0].reshape(-1)
    for first, second in ((0, 1), (0, 16), (1, 17), (5, 200), (16_383, 16_384), (3, size - 1)):
        kept = flat[[first, second]]
        flat[[first, second]] = kept[::-1]
        assert not snapshot.holds(threads), "exchanged"
        flat[[first, second]] = -kept
        assert not snapshot.holds(threads), "both signs"
        flat[[first, second]] = kept
    for first in range(34):
        for second in range(first + 1, 68):  # all pairs of words that meet in a sum within a few steps
            flat[[first, second]] *= -1
            assert not snapshot.holds(threads), (first, second)
            flat[[first, second]] *= -1
    arrays[4][7] = 2
    snapshot.take()
    assert snapshot.holds(threads) and snapshot.holds(1 + threads)


def test_what_is_no_float32_array_in_one_piece_is_refused():
    for wrong in (np.zeros(3), [1.0], None, np.zeros(3, np.int32)):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            Snapshot([wrong])


def test_attributes_are_compared_by_identity():
    one, value = {"a": 1000.5, "b": None}, [1]
    other = {"l": value}
    asked = [one, one, other, other], ["a", "b", "l", "none"], [one["a"], None, value, None]
    assert same_attributes(*asked) and same_attributes([], [], [])
    for owner, name, new in ((one, "a", float("1000.5")), (one, "b", 0), (other, "l", [1]),
                             (other, "none", 0)):  # fmt: skip
        old = owner.get(name)
        owner[name] = new
        assert not same_attributes(*asked), name
        owner[name] = old
        assert same_attributes(*asked)
    del one["a"]
    assert not same_attributes(*asked)
    for i in range(3):
        with pytest.raises(TypeError):
            same_attributes(*(None if i == j else part for j, part in enumerate(asked)))


def test_the_copies_are_what_was_taken_and_read_only():
    arrays = [np.ones(shape, np.float32) for shape in ((2, 3), (0,), ())]
    snapshot = Snapshot(arrays)
    for array in arrays:
        array[...] = 2
    assert [copy.shape for copy in snapshot.copies] == [(2, 3), (0,), ()]
    assert all((copy == 1).all() and not copy.flags.writeable for copy in snapshot.copies)
    snapshot.take()
    assert all((copy == 2).all() for copy in snapshot.copies)


def test_items_and_classes_are_compared_by_identity():
    things = [1000.5, "text", None]
    lists, copies = [things, []], [list(things), []]
    assert same_items(lists, copies) and same_types(things, [float, str, type(None)])
    things[0] = float("1000.5")
    assert not same_items(lists, copies)
    things.pop()
    assert not same_items([things], [[*things, None]]) and not same_types([True], [int])
    for call in (same_items, same_types):
        for given in ((None, []), ([], None)):
            with pytest.raises(TypeError):
                call(*given)
