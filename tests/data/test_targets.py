"""Labels as classes, as a matrix of 0 and 1, as numbers: what they tell and become, what is refused."""

import numpy as np
import pytest

from cynet.data import targets

MATRIX = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])
ONE_HOT = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("labels, task", [
    ([0, 2, 1], "classify"), ([[0], [2], [1]], "classify"), (ONE_HOT, "classify"),
    (ONE_HOT.astype(np.float32), "classify"), (MATRIX, "multilabel"), (MATRIX.astype(bool), "multilabel"),
    (MATRIX.astype(np.float64), "multilabel"), ([0.0, 1.0, 2.0], "regress"), ([[0.5], [1]], "regress"),
    ([[0.5, 1], [2, 3]], "regress"),
])  # fmt: skip
def test_labels_tell_their_task(labels, task):
    assert targets.told(labels) == task


def test_a_matrix_with_a_2_is_named_by_its_place():
    wrong = MATRIX.copy()
    wrong[2, 1] = 2
    with pytest.raises(ValueError, match=r"labels\[2, 1\]: wanted 0 or 1, .*, got 2 \(numbers are the"):
        targets.told(wrong)
    with pytest.raises(ValueError, match=r"labels\[2, 1\]: wanted 0 or 1 for task multilabel, got 2"):
        targets.checked(wrong, 3, None, "multilabel")
    found, names, task = targets.checked(wrong, 3, None, "regress")
    assert (found.dtype, task, names) == (np.float32, "regress", ("value 0", "value 1", "value 2"))


@pytest.mark.parametrize("labels, task, wanted, names", [
    ([0, 2, 1], None, [0, 2, 1], ("0", "1", "2")),
    ([[0], [2], [1]], None, [0, 2, 1], ("0", "1", "2")),
    (ONE_HOT, None, [2, 0, 1], ("0", "1", "2")),
    ([2.0, 0.0, 1.0], "classify", [2, 0, 1], ("0", "1", "2")),
    (MATRIX, None, MATRIX, ("0", "1", "2")),
    (ONE_HOT, "multilabel", ONE_HOT, ("0", "1", "2")),
    ([1, 2, 3], "regress", [[1], [2], [3]], ("value",)),
    ([0.5, -1, 3], None, [[0.5], [-1], [3]], ("value",)),
])  # fmt: skip
def test_labels_as_their_task_takes_them(labels, task, wanted, names):
    found, classes, told = targets.checked(labels, 3, None, task)
    np.testing.assert_array_equal(found, wanted)
    assert classes == names and found.flags.c_contiguous
    assert found.dtype == (np.int64 if told == "classify" else np.float32)


@pytest.mark.parametrize("labels, classes, task, problem", [
    ([0.5, np.nan, 1], None, None, r"labels\[1\]: wanted a finite number for task regress, got nan"),
    ([[0.5, 1], [2, np.inf], [0, 0]], None, None, r"labels\[1, 1\]: wanted a finite number .*, got inf"),
    ([1.0, 1e300, 0], None, None, r"labels\[1\]: wanted a finite number"),
    ([0, 1, 2], None, "multilabel", r"labels: wanted a matrix \(count, labels\) of 0 .*, got int64 \(3,\)"),
    ([0.5, 1, 2], None, "classify", r"labels\[0\]: wanted a class, a whole number, .*, got 0.5"),
    (MATRIX, None, "classify", r"labels: wanted a class of each sample .*\(task multilabel takes several"),
    ([0, 1], None, None, r"labels: wanted shape \(3,\), got \(2,\)"),
    (MATRIX[:2], None, "multilabel", r"labels: wanted 3, one for each sample, got shape \(2, 3\)"),
    (MATRIX[None], None, None, r"labels: wanted shape \(count,\) or \(count, labels\)"),
    (np.zeros((3, 0), int), None, None, r"labels: wanted shape \(count,\) or \(count, labels\)"),
    (["a", "b", "c"], None, None, "labels: wanted integers or floats, got dtype"),
    (MATRIX, ["a", "b"], None, "classes: wanted a name for each of the 3 columns of labels, got 2"),
    ([0.5, 1, 2], ["a", "b"], None, "labels: wanted integers, each one of 2 classes, got dtype float64"),
    ([0, 1, -1], None, None, r"labels\[2\]: wanted 0 to 1, got -1"),
    ([0, 1, 20_000], None, None, "classes: wanted names of them, or labels below 10,000, got"),
    ([0, 1, 2], None, "segment", "task: wanted one of classify, multilabel, regress, got 'segment'"),
])  # fmt: skip
def test_labels_that_are_not_those_of_the_task_are_named(labels, classes, task, problem):
    with pytest.raises((TypeError, ValueError), match=problem):
        targets.checked(labels, 3, classes, task)


def test_as_many_classes_and_columns_as_are_allowed_and_one_more():
    most = targets.MOST_COLUMNS
    assert most == 10_000
    assert len(targets.checked([0, most - 1], 2, None)[1]) == most
    with pytest.raises(ValueError, match="or labels below 10,000, got labels up to 10000 "):
        targets.checked([0, most], 2, None)
    wide = np.zeros((2, most), np.int8)
    found, names, task = targets.checked(wide, 2, None)
    assert found.shape == (2, most) and task == "multilabel" and len(names) == most
    with pytest.raises(ValueError, match=r"of 1 to 10,000 labels, got \(2, 10001\)"):
        targets.checked(np.zeros((2, most + 1), np.int8), 2, None)
    with pytest.raises(ValueError, match=r"labels\[1\]: wanted a class, a whole number, .*, got 90071992"):
        targets.checked([0.0, 2.0**53], 2, None, "classify")


def test_one_name_goes_with_numbers_and_several_with_classes():
    """A float column may be numbers that have one name; with more they were meant as classes."""
    found, names, task = targets.checked([0.5, 1.5], 2, ["price"])
    assert (found.tolist(), names, task) == ([[0.5], [1.5]], ("price",), "regress")
    with pytest.raises(TypeError, match="classes: wanted a sequence of str, got 'ab'"):
        targets.checked([0, 1], 2, "ab")
    with pytest.raises(TypeError, match=r"classes: wanted a sequence of str, got \['a', 1\]"):
        targets.checked([0, 1], 2, ["a", 1])


def test_a_column_of_truths_is_one_label():
    found, _, task = targets.checked(np.array([[True], [False]]), 2, None)
    assert task == "multilabel" and found.tolist() == [[1], [0]]


@pytest.mark.parametrize("task", [None, "classify"])
def test_truths_are_the_classes_0_and_1(task):
    for truths, wanted in (([True, False], [1, 0]), ([False, False], [0, 0])):
        found, classes, told = targets.checked(np.array(truths), 2, None, task)
        assert (found.tolist(), found.dtype, classes, told) == (wanted, np.int64, ("0", "1"), "classify")
    assert targets.checked(np.array([True, False]), 2, ["no", "yes"], task)[1] == ("no", "yes")
    assert targets.checked(np.array([[True], [False]]), 2, None, "classify")[0].tolist() == [1, 0]


@pytest.mark.parametrize(("labels", "classes", "task", "problem"), [
    (1.5, None, None, r"labels: wanted 3, one for each sample, got shape \(\)"),
    ([[1, 0], [1], [0]], None, None, r"labels: wanted as many in each row, got \[\[1, 0\]"),
    ([0, 1, 2], 3, None, "classes: wanted a sequence of str, got 3"),
    ([0, 1, 2], np.array(3), None, "classes: wanted a sequence of str"),
    ([0, 1, 2], None, np.zeros(3), "task: wanted one of classify"),
])  # fmt: skip
def test_what_is_no_list_at_all_is_named(labels, classes, task, problem):
    with pytest.raises((TypeError, ValueError), match=problem):
        targets.checked(labels, 3, classes, task)
