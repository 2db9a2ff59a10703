"""What a training says at its beginning of labels that are no classes: labels of 0 and 1, and numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet.data import ArrayDataset
from cynet.runs import remarks
from cynet.runs.settings import Settings
from cynet.train import Session

pytestmark = pytest.mark.usefixtures("one_thread")


def flat(input_shape, classes):
    return cynet.Linear(*input_shape, classes)


def said(labels, classes=None, **settings):
    """The lines of a run on rows of these labels, each of its own two features."""
    rows = np.random.default_rng(0).random((len(labels), 2), np.float32)
    samples = ArrayDataset(rows, labels, classes, layout="NF")
    settings = {
        "data": "arrays",
        "model": "mlp",
        "batch_size": 4,
        "workers": 0,
        "steps": 2,
        "lr": 0.1,
    } | settings
    with Session(Settings(**settings).resolved(samples), samples, samples, model=flat) as made:
        return remarks.of(made)


def ones(*counts, of=40):
    """Labels (of, len(counts)), each with so many ones."""
    return (np.arange(of)[:, None] < np.array(counts)).astype(np.int64)


def test_labels_that_are_never_or_always_there_are_named():
    assert said(ones(10, 20), ("a", "b")) == []
    assert said(ones(1, 39), ("a", "b")) == []
    assert said(ones(0, 40, 20, 0), tuple("abcd")) == [
        "no sample of training has: a, d",
        "every sample of it has: b",
    ]


def test_the_weights_of_labels_are_told_of_ten_of_them():
    """A label's 1 weighs as its zeros are to its ones."""
    weighed = {"class_weights": "balanced"}
    assert said(ones(10, 32), ("left", "up"), **weighed) == [
        "a label's 1 counts in the loss of training: left 3, up 0.25"
    ]
    names = tuple("abcdefghijkl")
    (line,) = said(ones(*[4] * 12), names, **weighed)
    shown = ", ".join(f"{name} 9" for name in names[:10])
    assert line == f"a label's 1 counts in the loss of training: {shown}"


def numbers(*moments):
    """Labels (40, n) of these means and deviations."""
    signs = np.where(np.arange(40) % 2, 1.0, -1.0)
    return np.stack([mean + std * signs for mean, std in moments], axis=1).astype(np.float32)


ODD = "a mean of {} and a deviation of {}: nets learn best what has about 0 and 1"


@pytest.mark.parametrize(("moments", "line"), [
    ([(0, 1), (29, 1), (-29, 29), (0, 0.034)], None),
    ([(0, 1), (31, 1)], "the number b has " + ODD.format(31, 1)),
    ([(-31, 2), (0, 1)], "the number a has " + ODD.format(-31, 2)),
    ([(0, 1), (0, 31)], "the number b has " + ODD.format(0, 31)),
    ([(0.5, 0.03125)], "the number a has " + ODD.format(0.5, 0.0312)),
    ([(0, 1), (2000, 1), (0, 0)], "the numbers b, c have, the first of them, " + ODD.format("2e+03", 1)),
])  # fmt: skip
def test_numbers_that_are_far_from_0_and_1_are_told_with_their_moments(moments, line):
    found = said(numbers(*moments), tuple("abcd"[: len(moments)]), lr=1e-6)
    assert found == ([] if line is None else [line])


def test_an_epoch_of_few_steps_is_told_of_columns_too():
    (line,) = said(ones(9, 20, of=39), ("a", "b"), batch_size=10)
    assert line.startswith("an epoch is 3 steps of 10 and leaves out 9 of 39 rows: try ")


@pytest.mark.parametrize(("accumulate", "count", "line"), [
    (3, 100, ["an epoch is 8 steps of 3 x 4 pictures and leaves out 4"]),
    (3, 13, ["an epoch is 1 step of 3 x 4 pictures and leaves out 1"]),
    (2, 79, ["an epoch is 9 steps of 2 x 4 pictures and leaves out 7"]), (2, 80, []),
])  # fmt: skip
def test_an_epoch_of_few_accumulated_steps_is_told(accumulate, count, line):
    settings = Settings(batch_size=4, accumulate=accumulate)
    session = SimpleNamespace(
        settings=settings,
        batches=SimpleNamespace(dataset=SimpleNamespace(classes=("a", "b"), labels=np.arange(count) % 2)),
        division=SimpleNamespace(kept=np.arange(count), held_out=np.arange(0)),
        task=SimpleNamespace(columns=False), class_weights=None, initial=None, measure="test",
    )  # fmt: skip
    assert remarks.of(session) == line
