"""How convolutions share their items among threads: every item once, a thread's own ones first."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from c_programs import needs_compiler, run
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet.core import threads
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.tiled import TiledConvolution

MOST = 64  # parts
WRAPPED = """
#include "turns.h"
size_t size(void) { return sizeof(ItemTurns); }
void begin(ItemTurns *turns, long items, int threads) { share_out(turns, items, threads); }
long next(ItemTurns *turns, int thread) { return take(turns, thread); }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("turns")
    (folder / "turns.c").write_text(WRAPPED)
    common = Path(cynet.__file__).parent / "kernels/common"
    run(
        "gcc",
        "-O1",
        "-Wall",
        "-Werror",
        f"-I{common}",
        "-shared",
        "-fPIC",
        "-o",
        folder / "turns.so",
        folder / "turns.c",
    )
    return ctypes.CDLL(str(folder / "turns.so"))


def shared_out(library, items, team):
    """A function of a thread's number: the item that it takes."""
    turns = ctypes.create_string_buffer(library.size())
    library.begin(turns, ctypes.c_long(items), team)
    return lambda thread: library.next(turns, thread)


@needs_compiler
@settings(max_examples=200)
@given(st.integers(0, 200), st.integers(1, 80), st.data())
def test_whoever_takes_them_every_item_is_taken_once(library, items, team, data):
    take, taken = shared_out(library, items, team), []
    present = data.draw(st.lists(st.integers(0, team - 1), min_size=1, max_size=team, unique=True))
    while True:
        item = take(data.draw(st.sampled_from(present)))
        if item < 0:
            break
        taken.append(item)
    assert sorted(taken) == list(range(items))
    assert all(take(thread) == -1 for thread in range(team))


@needs_compiler
@pytest.mark.parametrize(("items", "team"), [(10, 2), (7, 3), (200, MOST), (1 << 31, 4)])
def test_a_thread_begins_with_its_own_part_from_its_first(library, items, team):
    take = shared_out(library, items, team)
    assert [take(thread) for thread in range(team)] == [items * i // team for i in range(team)]
    assert [take(thread) for thread in range(team)] == [items * i // team + 1 for i in range(team)]


@needs_compiler
def test_one_that_is_done_takes_from_the_end_of_the_next_ones(library):
    take = shared_out(library, 9, 3)
    assert [take(1) for _ in range(6)] == [3, 4, 5, 8, 7, 6]
    assert [take(0), take(2), take(0), take(2), take(0)] == [0, 2, 1, -1, -1]


def test_more_threads_than_parts_give_the_same_bytes():
    problem = Problem.of((8, 12, 12, 3), 5, (3, 3), (1, 1), (1, 1, 1, 1))
    rng = np.random.default_rng(0)
    x, w = (
        rng.standard_normal(shape).astype(np.float32) for shape in (problem.in_shape, problem.weight_shape)
    )
    found = []
    for team in (1, MOST + 6):
        threads.set_num_threads(team)
        found.append(TiledConvolution(problem).forward(x, w).tobytes())
    assert found[0] == found[1]
