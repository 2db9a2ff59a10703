"""The shapes of a model's arrays without making them: for any classes and channels, and what does not fit."""

import numpy as np
import pytest

import cynet
from cynet.core import random
from cynet.nn import init
from cynet.runs.layouts import ModelLayout, bounded_by, odd_statistics, told

MOST = 2**63 - 1 - (2**31 - 1)  # batches that were counted, so that a run can still count all of its steps


@pytest.fixture
def layout():
    """A stem of four filters a channel, a head of twice as many rows as classes, and a count."""

    def build(classes, channels):
        random.next_key()
        return {
            "stem": np.zeros((4 * channels, 3, channels), np.float32), "odd": np.zeros(7, np.float64),
            "head": np.zeros((8, 2 * classes + 1), np.float32), "count": np.array(0),
        }  # fmt: skip

    return ModelLayout(build)


def arrays(**shapes):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (1, 1), (10, 3), (1000, 256)])
def test_shapes_grow_with_classes_and_channels(layout, classes, channels):
    wanted = {"stem": (4 * channels, 3, channels), "odd": (7,), "head": (8, 2 * classes + 1), "count": ()}
    assert layout.shapes(classes, channels) == wanted
    made = {name: np.broadcast_to(np.float32(0), shape) for name, shape in wanted.items()}
    assert layout.counts(made) == (classes, channels)


def test_no_random_number_is_drawn_for_it():
    cynet.seed(3)
    ModelLayout(lambda classes, channels: {"a": np.zeros((int(random.next_key()[0]) % 1 + 2, 3))})
    assert random.get_state() == {"seed": 3, "draws": 0}


def test_counts_are_the_least_where_arrays_do_not_tell(layout):
    assert layout.counts({}) == layout.counts(arrays(odd=(7,))) == (2, 1)
    assert layout.counts(arrays(head=(8, 7, 1), stem=(8, 3))) == (2, 1)
    assert layout.counts(arrays(head=(8, 0), stem=(0, 3, 0))) == (1, 1)
    assert layout.counts(arrays(head=(8, 21))) == (10, 1) and layout.counts(arrays(stem=(12, 3, 3))) == (2, 3)


def test_what_does_not_fit_is_told_by_its_kind(layout):
    shapes = layout.shapes(3, 2)
    whole = {name: np.zeros(shape) for name, shape in shapes.items()}
    assert layout.misfits(whole, shapes) == []
    found = layout.misfits(whole, shapes, dtypes=True)
    assert sorted(found) == [
        "dtype of count: wanted int64, got float64", "dtype of head: wanted float32, got float64",
        "dtype of stem: wanted float32, got float64",
    ]  # fmt: skip
    other = {"odd": np.zeros(7), "head": np.zeros((8, 9)), "more": np.zeros(1)}
    assert layout.misfits(other, shapes) == [
        "missing: stem", "missing: count", "unexpected: more", "shape of head: wanted (8, 7), got (8, 9)",
    ]  # fmt: skip
    assert layout.misfits(other, shapes, spare="count")[1] == "unexpected: more"
    assert layout.misfits(other, shapes, spare=("stem", "count"))[0] == "unexpected: more"


@pytest.mark.parametrize("count", [0, 1, 10, 11, 30])
def test_ten_problems_are_told_and_the_others_counted(count):
    problems = [f"{number}{'x' * 300}" for number in range(count)]
    parts = [problem[:200] for problem in problems[:10]] + [f"and {count - 10} more"] * (count > 10)
    assert told(problems) == "; ".join(parts)


@pytest.mark.parametrize(("name", "value", "more", "words"), [
    ("a.num_batches_tracked", MOST, 0, None), ("a.num_batches_tracked", 0, 0, None),
    ("a.num_batches_tracked", MOST + 1, 0, f"wanted a whole number from 0 to {MOST}, got {MOST + 1}"),
    ("a.num_batches_tracked", MOST + 1, 1, None),
    ("a.num_batches_tracked", MOST + 5, 4, f"wanted a whole number from 0 to {MOST + 4}, got {MOST + 5}"),
    ("a.num_batches_tracked", -1, 0, f"wanted a whole number from 0 to {MOST}, got -1"),
    ("a.num_batches_tracked", [1, -1], 0,
     f"wanted a whole number from 0 to {MOST}, got an array of shape (2,)"),
    ("a.running_var", [0.0, 1.0, np.nan, np.inf], 0, None),
    ("a.running_var", [0.5, np.nan, -0.25, -0.125], 0, "wanted numbers of at least 0, got -0.25"),
    ("a.running_mean", [-5.0], 0, None), ("a.weight", [-5.0], 0, None),
])  # fmt: skip
def test_statistics_that_no_training_has_are_told(name, value, more, words):
    assert odd_statistics({name: np.array(value)}, more) == ([] if words is None else [f"{name}: {words}"])


def test_no_model_is_made_much_larger_than_the_arrays_at_hand():
    """Of eight times the values of the largest, and 4 Mi more: what a class or a channel more can take."""
    for size, most in ((1 << 20, 12 << 20), (0, 4 << 20)):
        arrays = {"a": np.broadcast_to(np.float32(0), (size,)), "b": np.zeros(3)} if size else {}
        with bounded_by(arrays):
            assert init.allowed.get()((most >> 10, 1 << 10)) == (most >> 10, 1 << 10)
            wanted = rf"^weights: wanted at most {most:,} values, got shape \(1, {most + 1}\)$"
            with pytest.raises(ValueError, match=wanted):
                cynet.Linear(most + 1, 1, bias=False)
    assert init.allowed.get()((1 << 40,)) == (1 << 40,)
