"""The pool of buffers: reuse without ever overwriting what somebody holds."""

import threading
import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynet.core import workspace


@pytest.fixture
def pool(monkeypatch):
    pool = workspace.Pool()
    monkeypatch.setattr(workspace, "pool", pool)
    return pool


def test_a_dropped_buffer_is_used_again(pool):
    first = workspace.empty((3, 4))
    place = first.ctypes.data
    del first
    assert workspace.empty((4, 3)).ctypes.data == place
    assert pool.allocated == 64


def test_a_buffer_in_use_is_not(pool):
    first = workspace.empty((3, 4))
    view = first[1:]
    del first
    second = workspace.empty((3, 4))
    assert not np.shares_memory(view, second)


def test_a_memoryview_keeps_its_buffer(pool):
    view = memoryview(workspace.empty((5,)))
    assert not np.shares_memory(np.asarray(view), workspace.empty((5,)))


def test_buffers_are_aligned_and_of_the_asked_type(pool):
    for shape, dtype in (((7,), np.float32), ((3, 5), np.float64), ((11,), np.uint8)):
        array = workspace.empty(shape, dtype)
        assert array.shape == shape and array.dtype == dtype and array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous and array.flags.writeable


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty_shapes_take_nothing(pool, shape):
    assert workspace.empty(shape).shape == shape and pool.allocated == 0


def test_zeros_are_zeros_in_a_used_buffer(pool):
    workspace.empty((9,)).fill(7)
    assert not workspace.zeros((9,)).any()


def test_threads_do_not_share_buffers(pool):
    place = workspace.empty((6,)).ctypes.data
    found = []
    thread = threading.Thread(target=lambda: found.append(workspace.empty((6,)).ctypes.data))
    thread.start()
    thread.join()
    assert found != [place]
    assert workspace.empty((6,)).ctypes.data == place


def test_a_threads_buffers_go_with_it_though_it_was_the_last_to_ask(pool):
    buffers = []

    def take():
        buffers.append(weakref.ref(workspace.empty((6,)).base))

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert buffers[0]() is None
    workspace.empty((6,)).fill(1)


def test_what_a_caller_does_to_an_array_does_not_reach_the_next_one(pool):
    first = workspace.empty((3, 4))
    place = first.ctypes.data
    first.flags.writeable = False
    first.shape = 12
    del first
    again = workspace.empty((3, 4))
    assert again.ctypes.data == place and again.shape == (3, 4) and again.flags.writeable


def test_a_shape_may_be_a_list_that_changes_afterwards(pool):
    shape = [3, 4]
    workspace.empty(shape)
    shape.reverse()
    assert workspace.empty(shape).shape == (4, 3) and workspace.empty((3, 4)).shape == (3, 4)


def test_a_request_that_fails_leaves_the_buffer_as_it_was(pool):
    workspace.empty((2, 3))
    with pytest.raises(ValueError, match="negative"):
        workspace.empty((2, -1, -3))
    assert workspace.empty((2, 3)).shape == (2, 3)


def test_one_buffer_serves_several_types(pool):
    place = workspace.empty((4, 2)).ctypes.data
    for shape, dtype in (((4,), np.float64), ((32,), np.uint8), ((8,), np.float32)):
        array = workspace.empty(shape, dtype)
        assert array.ctypes.data == place and array.dtype == dtype and array.shape == shape
        del array


def test_clear_forgets_all_and_harms_nobody(pool):
    kept = workspace.zeros((4,))
    pool.clear()
    workspace.empty((4,)).fill(1)
    assert not kept.any()


def test_shapes_that_never_come_back_do_not_pile_up(pool, monkeypatch):
    monkeypatch.setattr(workspace, "SPARE", 1000)
    for size in range(1, 400):
        workspace.empty((size * 100,))
    assert pool.held() <= 2 * 4 * 399 * 100 + 1000


def test_shapes_that_never_come_back_do_not_pile_up_beside_what_is_kept(pool, monkeypatch):
    monkeypatch.setattr(workspace, "SPARE", 1000)
    kept = []
    for size in range(1, 400):
        passing = workspace.empty((size * 100,))
        kept.append(workspace.empty((10,)))
        kept[-1].fill(size)
        passing.fill(-1)
        del passing
    assert pool.held() <= 4 * (399 * 100 + 399 * 16) * 3
    assert [array[0] for array in kept] == list(range(1, 400))


def test_shapes_that_alternate_are_kept(pool, monkeypatch):
    monkeypatch.setattr(workspace, "SPARE", 0)
    for _ in range(3):
        training = [workspace.empty((1000,)) for _ in range(5)]
        del training
        evaluation = [workspace.empty((700,)) for _ in range(5)]
        del evaluation
    assert pool.allocated == 5 * (4032 + 2816)  # whole cache lines


KIB = 256  # float32


def test_large_ones_lie_over_small_ones_that_nobody_uses(pool):
    first = [workspace.empty((64 * KIB,)) for _ in range(4)]
    places = {array.ctypes.data for array in first}
    del first
    large = [workspace.empty((128 * KIB,)) for _ in range(2)]
    assert pool.allocated == 4 * 4 * 64 * KIB and {array.ctypes.data for array in large} < places
    small = workspace.empty((64 * KIB,))  # all of the others' memory is in use
    assert not any(np.shares_memory(small, array) for array in large)
    del large[0], small
    again = [workspace.empty((64 * KIB,)) for _ in range(3)]
    assert not any(np.shares_memory(array, large[0]) for array in again)
    assert pool.allocated == 4 * 5 * 64 * KIB


def test_a_small_one_takes_no_large_ones_place(pool):
    del_me = workspace.empty((1024 * KIB,))
    del del_me
    small = workspace.empty((64 * KIB,))
    assert pool.allocated == 4 * (1024 + 64) * KIB and small.nbytes == 4 * 64 * KIB


SIZES = st.one_of(st.integers(1, 400), st.integers(1, 40).map(lambda n: n * 64 * KIB))
MOVES = st.lists(st.one_of(SIZES, st.integers(-6, -1)), max_size=60)


@given(MOVES)
def test_no_two_that_are_held_have_memory_in_common_and_repetition_takes_nothing(moves):
    """A step takes arrays and, by a negative number, drops one of those it holds; in the end it drops all."""
    before, workspace.pool = workspace.pool, workspace.Pool()
    try:
        taken = []
        for _ in range(3):
            held, array = [], None
            for move in moves:
                if move > 0:
                    array = workspace.empty((move,))
                    array[[0, -1]] = len(held), move
                    spans = sorted((one.ctypes.data, one.ctypes.data + one.nbytes) for one in [*held, array])
                    assert all(a[1] <= b[0] for a, b in pairwise(spans))
                    held.append(array)
                elif held:
                    held.pop(move % len(held))
            for array in held:
                assert array[-1] == len(array)
            held = array = None
            taken.append(workspace.pool.allocated)
        assert taken[1:] == taken[:1] * 2
    finally:
        workspace.pool = before


def test_large_buffers_begin_with_a_huge_page(pool):
    for floats in (1 << 20, 3 << 20, 1 << 25):
        pool.clear()
        assert workspace.empty((floats,)).ctypes.data % (1 << 21) == 0


def test_of_free_buffers_some_are_always_put_up_with_and_no_more(pool):
    """Each is a little larger than those before, whose places are of no use to it; nothing is written."""
    most = 0
    for size in range(300):
        workspace.empty(((1 << 18) + 256 * size,))
        most = max(most, pool.held())
    assert 60 << 20 < most < 72 << 20


def test_a_size_that_numpy_refuses_is_refused_in_its_words(pool):
    for shape in ((1 << 62, 4), (2**40, 2**40), (-1,), (3, -2)):
        with pytest.raises((ValueError, MemoryError)):
            workspace.empty(shape)
    assert pool.allocated == 0 and workspace.empty((-2, 0)[1:]).shape == (0,)
