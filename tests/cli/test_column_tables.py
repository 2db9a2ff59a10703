"""What evaluate prints of several labels, and of numbers: each figure in its column, by hand."""

import numpy as np
import pytest

from cynet.cli import column_tables, predict
from cynet.core.tasks import CLASSIFY, MULTILABEL, REGRESS
from cynet.runs.facts import Facts
from cynet.runs.predictor import Answer
from cynet.train.label_metrics import LabelEvaluation
from cynet.train.number_metrics import NumberEvaluation


def lines(found, names, **more):
    return "\n".join(column_tables.evaluation(found, names, "mine", "test", **more)).split("\n")


@pytest.fixture
def labels():
    """1,234 samples: all have the first label, which is said of 1,000; one the second; none the third."""
    truth = np.zeros((1234, 3), np.float32)
    truth[:, 0], truth[0, 1] = 1, 1
    said = np.zeros((1234, 3))
    said[:1000, 0], said[:4, 1] = 0.9, 0.8
    return LabelEvaluation(0.25, said, truth)


def test_labels_have_a_line_each_and_one_together(labels):
    assert lines(labels, ("sky", "hill\ntop", "c")) == [
        "test loss 0.2500 on 1,234 samples of mine", "",
        "label      average precision         F1  precision     recall      count",
        "sky                   1.0000     0.8953     1.0000     0.8104      1,234",
        r"hill\ntop             0.2500     0.4000     0.2500     1.0000          1",
        "c                          -          -          -          -          0",
        "", "macro F1 0.4318, all labels right 0.8079",
    ]  # fmt: skip
    assert column_tables.last(labels, "test") == "test average precision 0.6250"
    assert lines(labels, "abc", flip=True)[0].endswith("of mine, each together with its mirror image")


def test_numbers_have_a_line_each_and_one_together():
    truth = np.array([[1, 20000], [3, 20000]], np.float32)
    found = NumberEvaluation(0.5, np.array([[2.0, 20002], [5.0, 20002]]), truth)
    assert lines(found, ("x", "yy")) == [
        "test loss 0.5000 on 2 samples of mine", "",
        "number       RMSE        MAE         R2       bias       mean",
        "x          1.5811     1.5000    -1.5000     1.5000     2.0000",
        "yy         2.0000     2.0000          -     2.0000      2e+04",
        "", f"MAE {found.mae:.4f}, R2 {found.r2:.4f}",
    ]  # fmt: skip
    assert column_tables.last(found, "validation") == f"validation RMSE {found.rmse:.4f}"


@pytest.mark.parametrize(("task", "values", "whole", "text"), [
    (CLASSIFY, (0.25, 0.7, 0.05),
     {"classes": [{"class": "a\nb", "probability": 0.7}, {"class": "sky", "probability": 0.25}]},
     "x.png:\n  a\\nb  0.7000\n  sky   0.2500"),
    (MULTILABEL, (0.5, 0.75, 0.4999),
     {"labels": [{"label": "a\nb", "probability": 0.75, "said": True},
                 {"label": "sky", "probability": 0.5, "said": True}]},
     "x.png:\n  a\\nb  0.7500  yes\n  sky   0.5000  yes"),
    (MULTILABEL, (0.25, 0.4999, 0.1),
     {"labels": [{"label": "a\nb", "probability": 0.4999, "said": False},
                 {"label": "sky", "probability": 0.25, "said": False}]},
     "x.png:\n  a\\nb  0.4999\n  sky   0.2500"),
    (REGRESS, (-1234.5678, 0.000123456789, 7.0),
     {"numbers": [{"name": "sky", "value": -1234.5678}, {"name": "a\nb", "value": 0.000123456789},
                  {"name": "c", "value": 7.0}]},
     "x.png:\n  sky   -1234.57\n  a\\nb  0.000123457\n  c     7"),
])  # fmt: skip
def test_what_is_seen_on_a_picture_is_told_by_its_task(task, values, whole, text):
    facts = Facts("m", True, "d", ("sky", "a\nb", "c"), (0.0,), (1.0,), task=task)
    found = predict._result(Answer("x.png", np.array(values)), facts, 2)
    assert found == {"file": "x.png", **whole} and predict._text(found) == text


@pytest.mark.parametrize(("error", "words"), [
    (ValueError("x.png: none"), "x.png: none"), (MemoryError(), "x.png: out of memory"),
])  # fmt: skip
def test_what_cannot_be_seen_says_why(error, words):
    facts = Facts("m", True, "d", ("a", "b"), (0.0,), (1.0,))
    assert predict._result(Answer("x.png", None, error), facts, 2) == {"file": "x.png", "error": words}
