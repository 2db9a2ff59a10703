"""The pool of buffers: reuse without ever overwriting what somebody holds."""

import threading

import numpy as np
import pytest

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
    assert pool.allocated == 48


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


def test_clear_forgets_all_and_harms_nobody(pool):
    kept = workspace.zeros((4,))
    pool.clear()
    workspace.empty((4,)).fill(1)
    assert not kept.any()


def test_shapes_that_never_come_back_do_not_pile_up(pool, monkeypatch):
    monkeypatch.setattr(workspace, "SPARE", 1000)
    for size in range(1, 400):
        workspace.empty((size * 100,))
    held = sum(size * len(shelf) for size, shelf in pool.buffers.items())
    assert held <= 2 * 4 * 399 * 100 + 1000


def test_shapes_that_alternate_are_kept(pool, monkeypatch):
    monkeypatch.setattr(workspace, "SPARE", 0)
    for _ in range(3):
        training = [workspace.empty((1000,)) for _ in range(5)]
        del training
        evaluation = [workspace.empty((700,)) for _ in range(5)]
        del evaluation
    assert pool.allocated == 4 * 5 * 1700
