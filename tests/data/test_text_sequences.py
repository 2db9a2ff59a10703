"""Sequences: rows that go on from batch to batch, and go on exactly from a state, against a slow twin."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.data import fingerprint
from cynet.data.text import Sequences, TokenSet, Vocabulary, token_set

TWENTY = np.arange(1, 21)


def lists(batches):
    return [(x.tolist(), y.tolist()) for x, y in batches]


def test_batches_of_twenty_tokens_are_those_of_the_assignment():
    with Sequences(TWENTY, 2, 4) as batches:
        assert len(batches) == 3 and lists(batches) == [
            ([[1, 2, 3, 4], [11, 12, 13, 14]], [[2, 3, 4, 5], [12, 13, 14, 15]]),
            ([[5, 6, 7, 8], [15, 16, 17, 18]], [[6, 7, 8, 9], [16, 17, 18, 19]]),
            ([[9], [19]], [[10], [20]]),
        ]
        assert batches.epoch == 1 and len(lists(batches)) == 3


def slow(tokens, size, length):
    """Batches by slices of lists."""
    chunk = len(tokens) // size
    rows = [tokens[row * chunk : (row + 1) * chunk] for row in range(size)]
    return [
        ([row[start : min(start + length, chunk - 1)] for row in rows],
         [row[start + 1 : min(start + length, chunk - 1) + 1] for row in rows])
        for start in range(0, chunk - 1, length)
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(2, 120), size=st.integers(1, 9), length=st.integers(1, 40),
    dtype=st.sampled_from(["i1", "u1", "<i4", ">i4", "u8", "i8"]),
)  # fmt: skip
def test_batches_are_those_of_the_slow_twin(count, size, length, dtype):
    if count < 2 * size:
        with pytest.raises(ValueError, match=rf"batch_size: wanted at most {count // 2}, .* got {size}"):
            Sequences(np.arange(count), size, length)
        return
    batches = Sequences(np.arange(count).astype(dtype), size, length)
    found = list(batches)
    assert lists(found) == slow(list(range(count)), size, length) and len(batches) == len(found)
    for x, y in found:
        assert x.dtype == y.dtype == np.int64 and x.flags.c_contiguous and y.flags.c_contiguous
        assert x.flags.owndata and y.flags.owndata
    assert [batches.begins(number) for number in range(len(batches))] == [True] + [False] * (len(batches) - 1)


@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(2, 200),
    size=st.integers(1, 5),
    length=st.integers(1, 7),
    seed=st.integers(0, 2**63 - 1),
)
def test_random_rows_go_on_for_ten_sequences(count, size, length, seed):
    if count < 2 * size:
        return
    if count <= 10 * length:
        with pytest.raises(ValueError, match=rf"sequence_length: wanted at most {(count - 1) // 10}, .* got"):
            Sequences(np.arange(count), size, length, random_starts=True)
        return
    batches = Sequences(np.arange(count), size, length, random_starts=True, seed=seed)
    assert len(batches) == len(Sequences(np.arange(count), size, length))
    last = None
    for number, (x, y) in enumerate(batches):
        assert x.shape == y.shape == (size, length) and (y - x == 1).all() and (np.diff(x, axis=1) == 1).all()
        if not batches.begins(number):
            assert (x[:, 0] == last).all()
        last = y[:, -1]
    assert [batches.begins(number) for number in range(21)] == [True, *[False] * 9, True, *[False] * 9, True]


def test_random_places_are_everywhere_and_of_seed_and_epoch():
    batches = Sequences(np.arange(45), 4, 4, random_starts=True)
    starts = np.concatenate([batches.order(epoch).reshape(-1, 4)[0] for epoch in range(200)])
    assert set(starts) == {0, 1, 2, 3, 4}  # the last from which 41 tokens are there
    again = Sequences(np.arange(45), 4, 4, random_starts=True)
    other = Sequences(np.arange(45), 4, 4, random_starts=True, seed=1)
    orders = [[each.order(epoch).tolist() for epoch in range(20)] for each in (batches, again, other)]
    assert orders[0] == orders[1] != orders[2] and len(set(map(tuple, orders[0]))) > 10


def test_random_places_are_what_they_were():
    batches = Sequences(np.arange(1000), 3, 5, random_starts=True, seed=7)
    assert batches.order(3)[:6].tolist() == [931, 846, 813, 936, 851, 818]


@pytest.mark.parametrize("random_starts", [False, True])
def test_a_state_goes_on_in_the_middle_of_an_epoch(random_starts):
    def new(seed=5):
        return Sequences(np.arange(300), 3, 4, random_starts, seed)

    one = new()
    whole = [lists(one) for _ in range(3)]
    flat = list(itertools.chain.from_iterable(whole))
    for steps in range(0, len(flat), 7):
        stopped = new()
        for _ in range(steps // len(stopped)):
            lists(stopped)
        first = list(itertools.islice(stopped, steps % len(stopped)))
        state = json.loads(json.dumps(stopped.state_dict()))
        resumed = new(seed=0)
        resumed.load_state_dict(state)
        left = [*lists(resumed), *lists(resumed)][: len(flat) - steps]
        assert left == flat[steps : steps + len(left)] and lists(first) == flat[steps - len(first) : steps]
        assert (state["epoch"], state["batch"]) == divmod(steps, len(stopped)) and state["seed"] == 5


def test_a_batch_is_a_function_of_its_number():
    batches = Sequences(np.arange(300), 3, 4, random_starts=True, seed=2)
    found = [lists(batches), lists(batches)]
    for epoch, number in ((1, 3), (0, 24), (0, 0), (1, 11)):
        assert lists([batches.batch(epoch, number)])[0] == found[epoch][number]
    for bad, error in ((25, ValueError), (-1, ValueError), (1.0, TypeError)):
        with pytest.raises(error, match="batch: wanted"):
            batches.batch(0, bad)
    with pytest.raises(ValueError, match="batch: wanted at least 0, got -1"):
        batches.begins(-1)


def test_a_pass_goes_on_and_ends_as_a_loaders():
    batches = Sequences(TWENTY, 2, 4)
    first = iter(batches)
    next(first)
    second = iter(batches)
    assert next(second)[0].tolist() == [[5, 6, 7, 8], [15, 16, 17, 18]]
    with pytest.raises(RuntimeError, match="ended when another one was started"):
        next(first)
    batches.close()
    with pytest.raises(RuntimeError, match="ended when they were closed"):
        next(second)
    third = iter(batches)
    assert next(third)[1].tolist() == [[10], [20]]
    batches.load_state_dict(Sequences(TWENTY, 2, 4).state_dict())
    with pytest.raises(RuntimeError, match="ended when a state was loaded"):
        next(third)
    assert len(lists(batches)) == 3


@pytest.mark.parametrize(("change", "problem"), [
    ({"batch_size": 3}, "state: wanted batch_size=3, got 2"),
    ({"random_starts": True}, "state: wanted random_starts=True, got False"),
    ({"batch": 4}, "batch: wanted at most 3, got 4"),
    ({"epoch": -1}, "epoch: wanted at least 0, got -1"),
    ({"seed": "x"}, "seed: wanted an int, got 'x'"),
    ({"fingerprint": Sequences(TWENTY[:19], 2, 4).fingerprint()}, r"number of tokens \(19 then, 20 now\)"),
    ({"fingerprint": Sequences(TWENTY, 2, 5).fingerprint()},
     r"changed: sequence length \(1 x 1 x length\) \(1x1x5 then, 1x1x4 now\)$"),
    ({"fingerprint": Sequences(TWENTY[::-1], 2, 4).fingerprint()}, "changed: tokens$"),
    ({"fingerprint": None}, "wanted the text with fingerprint None"),
])  # fmt: skip
def test_a_state_that_does_not_fit_changes_nothing(change, problem):
    batches = Sequences(TWENTY, 2, 4)
    before = batches.state_dict()
    with pytest.raises((TypeError, ValueError), match=problem):
        batches.load_state_dict(before | {"epoch": 7} | change)
    assert batches.state_dict() == before


def test_a_state_names_what_is_missing():
    batches = Sequences(TWENTY, 2, 4)
    with pytest.raises(ValueError, match=r"state: wanted seed, .*, got no \['batch', 'seed'\]"):
        batches.load_state_dict({"epoch": 0, "batch_size": 2, "fingerprint": ""})
    state = batches.state_dict() | {"epoch": 4, "batch": 3}
    del state["random_starts"]
    batches.load_state_dict(state)
    assert (batches.state_dict()["epoch"], batches.state_dict()["batch"]) == (
        5,
        0,
    )  # the epoch was at its end


@pytest.mark.parametrize(("make", "error", "problem"), [
    (lambda: Sequences([1], 1, 1), ValueError, "tokens: wanted at least 2, got 1"),
    (lambda: Sequences([], 1, 1), TypeError, r"tokens: wanted integers \(n,\)"),
    (lambda: Sequences("abc", 1, 1), TypeError, "tokens: wanted integers"),
    (lambda: Sequences(None, 1, 1), TypeError, "tokens: wanted integers"),
    (lambda: Sequences([[1, 2]], 1, 1), TypeError, "tokens: wanted integers"),
    (lambda: Sequences([1.0, 2.0], 1, 1), TypeError, "tokens: wanted integers"),
    (lambda: Sequences([0, -1], 1, 1), ValueError, r"tokens\[1\]: wanted 0 to 65535, got -1"),
    (lambda: Sequences([0, 2**40], 1, 1), ValueError, r"tokens\[1\]: wanted 0 to 65535"),
    (lambda: Sequences([0, 2], 1, 1, vocabulary=Vocabulary("ab")), ValueError, r"tokens\[1\]: wanted 0 to 1"),
    (lambda: Sequences([0, 1], 1, 1, vocabulary="ab"), TypeError, "vocabulary: wanted a Vocabulary"),
    (lambda: Sequences(TWENTY, 0, 4), ValueError, "batch_size: wanted at least 1"),
    (lambda: Sequences(TWENTY, 2.0, 4), TypeError, "batch_size: wanted an int"),
    (lambda: Sequences(TWENTY, 2, 0), ValueError, "sequence_length: wanted at least 1"),
    (lambda: Sequences(TWENTY, 2, None), TypeError, "sequence_length: wanted an int"),
    (lambda: Sequences(TWENTY, 2, 1, 1), TypeError, "random_starts: wanted True or False"),
    (lambda: Sequences(TWENTY, 2, 1, seed=-1), ValueError, "seed: wanted at least 0"),
])  # fmt: skip
def test_bad_arguments_are_named(make, error, problem):
    with pytest.raises(error, match=problem):
        make()


def test_the_data_set_has_what_a_training_asks_of_one():
    dataset = Sequences([0, 1, 2, 1, 0], 1, 2, vocabulary=Vocabulary("\nab")).dataset
    assert isinstance(dataset, TokenSet) and dataset.picture_shape == (2,) and dataset.task == "language"
    assert (
        dataset.labels.tolist() == [1, 2, 1, 0] and len(dataset) == 4 and dataset.classes == ("\\n", "a", "b")
    )
    assert TokenSet([0, 3]).classes == ("0", "1", "2", "3")
    assert repr(dataset) == "TokenSet(5 tokens, 3 different)"


def test_a_fingerprint_is_of_the_form_of_every_data_set_and_of_no_dtype():
    marks = {Sequences(TWENTY.astype(kind), 2, 4).fingerprint() for kind in ("u1", ">i2", "i8")}
    assert len(marks) == 1 and fingerprint.FORM.fullmatch(marks.pop())
    words = Vocabulary(["a", "b"], "word"), Vocabulary("ab")
    assert len({TokenSet([0, 1, 0], 1, each).fingerprint() for each in (*words, Vocabulary("ac"), None)}) == 4
    before, now = (TokenSet([0, 1, 0], 1, each).fingerprint() for each in words)
    assert fingerprint.changes(before, now, token_set.PARTS) == "vocabulary"


@pytest.mark.parametrize("random_starts", [False, True])
def test_a_state_that_does_not_tell_where_rows_begin_is_taken(random_starts):
    """Those of before there was a choice do not."""
    one, other = (Sequences(np.arange(99) % 7, 2, 4, random_starts, seed=seed) for seed in (3, 4))
    walk = iter(one)
    next(walk)
    state = one.state_dict()
    assert state.pop("random_starts") is random_starts
    other.load_state_dict(state)
    for (x, y), (x_too, y_too) in zip(walk, other, strict=True):
        np.testing.assert_array_equal(x, x_too)
        np.testing.assert_array_equal(y, y_too)
    problem = f"state: wanted random_starts={not random_starts}, got {random_starts}$"
    with pytest.raises(ValueError, match=problem):
        other.load_state_dict(state | {"random_starts": not random_starts})
