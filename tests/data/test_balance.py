"""What is said of uneven classes, and the weights that make up for them."""

import numpy as np
import pytest

from cynet import data
from cynet.data import balance

NAMES = tuple("abcdefgh")


@pytest.mark.parametrize(("counts", "lines"), [
    ((10, 10, 10), []),
    ((30, 10, 20), []),  # three times as many are fairly even
    ((31, 10, 20), ["classes are uneven: 31 pictures of a, 10 of b; ADVICE"]),
    ((5000, 1, 20), ["classes are uneven: 5,000 pictures of a, 1 of b; ADVICE", "a single picture of: b"]),
    ((20, 0, 20), ["no pictures of: b"]),
    ((1, 0, 1, 0), ["no pictures of: b, d; a single picture of: a, c"]),
    ((0, 0, 9, 0, 0, 0, 0, 0), ["no pictures of: a, b, d, e, f and 2 more"]),
    ((0, 0), ["no pictures of: a, b"]),
    ((0, 0, 9, 0, 0, 0), ["no pictures of: a, b, d, e, f"]),  # five are named
    ((7,), []),
])  # fmt: skip
def test_uneven_empty_and_single_classes_are_told_in_two_lines_at_most(counts, lines):
    assert balance.described(counts, NAMES, "ADVICE") == lines


def test_no_advice_where_it_is_followed():
    assert balance.described((9, 1), NAMES, "")[0] == "classes are uneven: 9 pictures of a, 1 of b"
    assert "--balanced" in balance.described((9, 1), NAMES)[0]


def test_weights_let_every_class_count_as_much():
    labels = np.repeat([0, 1, 3], [60, 30, 10])
    weights = data.class_weights(labels, 4)
    sums = [weights[labels[labels == k]].sum() for k in (0, 1, 3)]
    np.testing.assert_allclose(sums, 100 / 3)
    assert weights[2] == 0 and weights[labels].mean() == pytest.approx(1)
    assert data.class_weights([0, 1, 1, 0], 2).tolist() == [1, 1]


@pytest.mark.parametrize(("arguments", "error", "problem"), [
    (([0, 4], 4), ValueError, r"labels\[1\]: wanted 0 to 3, got 4"),
    (([0.5], 4), TypeError, "labels: wanted integers"),
    ((3, 4), ValueError, "labels: wanted shape"),
    (([], 4), TypeError, "labels: wanted integers"),
    (([0], 0), ValueError, "classes: wanted at least 1, got 0"),
])  # fmt: skip
def test_what_has_no_weights_is_named(arguments, error, problem):
    with pytest.raises(error, match=problem):
        data.class_weights(*arguments)
