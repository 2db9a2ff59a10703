"""Tables of an evaluation, letter by letter."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet.cli import columns, tables
from cynet.train.metrics import Evaluation


def evaluation(confusion, samples=None):
    confusion = np.array(confusion)
    return Evaluation(0.5, confusion.sum(axis=1) if samples is None else np.array(samples), confusion)


def test_a_line_for_each_class_with_its_numbers_below_their_headings():
    found = evaluation([[3, 1, 0], [0, 0, 0], [1200, 0, 4]])
    assert tables.classes(found, ("a", "no pictures", "b")).splitlines() == [
        "class        recall  precision    count",
        "a            0.7500     0.0025        4",
        "no pictures       -     0.0000        0",
        "b            0.0033     1.0000    1,204",
    ]
    assert tables.classes(evaluation([[1]]), ("x",)).splitlines() == [
        "class  recall  precision    count", "x      1.0000     1.0000        1"
    ]  # fmt: skip


def test_a_matrix_has_the_rows_of_the_labels():
    assert tables.confusion(evaluation([[3, 1], [0, 12]]), ("ant", "b")).splitlines() == [
        "confusion (row: label, column: prediction)", "        0   1", "0 ant   3   1", "1 b     .  12",
    ]  # fmt: skip


@pytest.mark.parametrize(("classes", "digits"), [(10, 1), (11, 2)])
def test_columns_are_as_wide_as_their_numbers(classes, digits):
    names = [f"c{k}" for k in range(classes)]
    lines = tables.confusion(evaluation(np.eye(classes, dtype=int)), names).splitlines()
    place = digits + 1 + max(map(len, names)) + 2
    assert lines[1] == " " * place + "  ".join(f"{k:>{digits}}" for k in range(classes))
    for k, (line, name) in enumerate(zip(lines[2:], names, strict=True)):
        cells = "  ".join(f"{'1' if k == j else '.':>{digits}}" for j in range(classes))
        assert line == f"{k:>{digits}} {name:<{max(map(len, names))}}  {cells}"


def test_of_many_classes_the_most_frequent_mistakes_are_told():
    confusion = np.eye(21, dtype=int)
    assert tables.confusion(evaluation(confusion[:20, :20]), ["c"] * 20).startswith("confusion (row")
    for k in range(20):
        confusion[k, 20] = k + 1
    confusion[20, 0], confusion[20, 1] = 5000, 1
    lines = tables.confusion(evaluation(confusion), [f"c{k}" for k in range(21)]).splitlines()
    assert lines[0] == "the most frequent mistakes of 21 classes (all are in --json)" and len(lines) == 21
    assert lines[1] == "  5,000  c20 taken for c0" and lines[2] == "     20  c19 taken for c20"


def test_cells_are_aligned_the_first_and_the_last_to_the_left():
    rows = ("run", "best", "note"), ("a", "0.5", ""), ("longer", "10.25", "x")
    assert columns.aligned(iter(rows)) == "run      best  note\na         0.5\nlonger  10.25  x"


def test_what_the_model_does_not_know_is_told_by_class():
    matched = SimpleNamespace(unknown={"fish": range(1200), "bird": range(1)})
    lines = list(tables.unknown(matched, {"fish": {"cat": 1100, "dog": 100}, "bird": {}}))
    assert lines == [
        "not known to the model: fish, 1,200 pictures, taken for: 1,100 cat, 100 dog",
        "not known to the model: bird, 1 pictures, taken for: nothing",
    ]


def test_the_calibration_error_is_told_with_its_bins():
    found = SimpleNamespace(error=0.01239, counts=range(15))
    assert tables.calibration(found) == "calibration error 0.0124 (expected, 15 bins)"


@pytest.mark.parametrize(("classes", "tta", "seen"), [
    (5, (), ""), (6, ("flip",), ", each together with its mirror image"),
    (7, ("flip", "shift"), ", each the mean of its views: flip, shift"),
    (6, ("shift",), ", each the mean of its views: shift"),
])  # fmt: skip
def test_all_that_is_said_of_an_evaluation(classes, tta, seen):
    confusion = np.eye(classes, dtype=int)
    confusion[0, 0] = 1230
    asked = []
    known = SimpleNamespace(
        evaluation=Evaluation(0.5, confusion.sum(axis=1), confusion),
        calibration=lambda: SimpleNamespace(error=0.25, counts=range(15)),
        top_accuracy=lambda count: asked.append(count) or 0.875,
    )  # fmt: skip
    found = SimpleNamespace(known=known, matched=SimpleNamespace(unknown={"fish": range(2)}))
    names = ["a\nb", *(f"c{k}" for k in range(1, classes))]
    first, *_, calibration, scores, stranger = tables.evaluation(
        found, {"fish": {"c1": 2}}, names, "mine", "test", tta
    )
    assert first == f"test loss 0.5000 on {1229 + classes:,} pictures of mine{seen}\n"
    assert calibration == "calibration error 0.2500 (expected, 15 bins)"
    assert scores == "macro F1 1.0000" + (", top-5 accuracy 0.8750" if classes > 5 else "")
    assert asked == ([5] if classes > 5 else [])
    assert stranger == "not known to the model: fish, 2 pictures, taken for: 2 c1"
    lines = "\n".join(tables.evaluation(found, {}, names, "mine", "test")).split("\n")
    assert [line.split()[0] for line in lines if "1,230" in line] == [r"a\nb"]
