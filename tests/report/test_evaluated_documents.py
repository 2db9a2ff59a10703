"""What `cynet evaluate --json` writes, as a whole, for each task: by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from cynet.report import evaluated
from cynet.runs.facts import Facts
from cynet.train.label_metrics import LabelEvaluation
from cynet.train.language_task import TokenEvaluation
from cynet.train.number_metrics import NumberEvaluation
from cynet.train.predictions import Predictions

NAMES = "a", "b", "c"


def facts(task="classify", classes=NAMES):
    return Facts("net", True, "trained on", classes, (0.0,), (1.0,), task=task)


@pytest.fixture
def found():
    """Five samples of two classes of three; the fourth is judged by no number."""
    odds = np.array([[0.75, 0.25, 0], [0.5, 0.5, 0], [0.25, 0.75, 0], [np.nan] * 3, [0.0, 0.0, 1.0]])
    with np.errstate(divide="ignore"):
        return Predictions(np.log(odds), np.array([0, 1, 1, 0, 1]))


@pytest.mark.parametrize(("tta", "flip", "shown"), [
    ((), False, None), (("flip",), True, "flip"), (("shift", "diagonal"), False, "shift,diagonal"),
])  # fmt: skip
def test_of_classes(found, tta, flip, shown):
    told = evaluated.document(found, facts(), "w.safetensors", "mine", "train", tta)
    calibration = told.pop("calibration")
    assert told == {
        "weights": "w.safetensors", "model": "net", "data": "mine", "split": "train", "flip": flip,
        "tta": shown, "samples": 5, "loss": None, "accuracy": 0.4, "top5": 0.8,
        "macro_f1": pytest.approx((2 / 4 + 2 / 4 + 0) / 3),
        "classes": [
            {"class": "a", "recall": 0.5, "precision": 0.5, "count": 2},
            {"class": "b", "recall": pytest.approx(1 / 3), "precision": 1.0, "count": 3},
            {"class": "c", "recall": None, "precision": 0.0, "count": 0},
        ],
        "confusion": [[1, 0, 0], [1, 1, 1], [0, 0, 0]],
    }  # fmt: skip
    bins = {7: (0.5, 0), 11: (0.75, 1), 14: (1.0, 0)}  # sureness, part that is right
    assert calibration["edges"] == pytest.approx([k / 15 for k in range(16)])
    assert calibration["counts"] == [{7: 1, 11: 2, 14: 1}.get(k, 0) for k in range(15)]
    assert calibration["confidence"] == [bins[k][0] if k in bins else None for k in range(15)]
    assert calibration["accuracy"] == [bins[k][1] if k in bins else None for k in range(15)]
    assert calibration["error"] == pytest.approx((0.5 + 2 * 0.25 + 1) / 4)
    json.dumps(told | calibration, allow_nan=False)


def test_of_several_labels():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0]], np.float32)
    said = np.array([[0.9, 0.2, 0.1], [0.8, 0.7, 0.1], [0.6, 0.3, 0.1], [0.4, 0.1, 0.1]])
    told = evaluated.column_document(
        LabelEvaluation(0.25, said, truth), facts("multilabel"), "w", "mine", flip=True
    )
    precisions = (1 + 1 + 3 / 4) / 3, 1.0
    assert told == {
        "weights": "w", "model": "net", "task": "multilabel", "data": "mine", "split": "test", "flip": True,
        "samples": 4, "loss": 0.25, "ap": pytest.approx(sum(precisions) / 2),
        "f1": pytest.approx((2 / 3 + 2 / 3) / 3), "accuracy": 0.5,
        "labels": [
            {"label": "a", "ap": pytest.approx(precisions[0]), "f1": pytest.approx(2 / 3),
             "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3), "count": 3},
            {"label": "b", "ap": 1.0, "f1": pytest.approx(2 / 3), "precision": 1.0, "recall": 0.5,
             "count": 2},
            {"label": "c", "ap": None, "f1": None, "precision": None, "recall": None, "count": 0},
        ],
    }  # fmt: skip
    json.dumps(told, allow_nan=False)


def test_of_numbers():
    truth = np.array([[1, 5], [3, 5]], np.float32)
    found = NumberEvaluation(0.5, np.array([[2.0, 5.0], [5.0, 9.0]]), truth)
    told = evaluated.column_document(found, facts("regress", NAMES[:2]), "w", "mine", "train")
    assert told == {
        "weights": "w", "model": "net", "task": "regress", "data": "mine", "split": "train", "flip": False,
        "samples": 2, "loss": 0.5, "rmse": pytest.approx((21 / 4) ** 0.5), "mae": 1.75, "r2": -1.5,
        "numbers": [
            {"number": "a", "rmse": pytest.approx(2.5**0.5), "mae": 1.5, "r2": -1.5},
            {"number": "b", "rmse": pytest.approx(8**0.5), "mae": 2.0, "r2": None},
        ],
    }  # fmt: skip
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(("loss", "perplexity"), [(0.0, 1.0), (2.0, pytest.approx(np.e**2)), (700.0, None)])
def test_of_a_text(loss, perplexity):
    told = evaluated.text_document(TokenEvaluation(loss, 3, 8), facts("language"), "w", "mine")
    assert told == {
        "weights": "w", "model": "net", "task": "language", "data": "mine", "split": "test", "tokens": 8,
        "loss": loss, "perplexity": perplexity, "accuracy": 0.375,
    }  # fmt: skip


def test_a_note_is_told_once_and_none_that_is_empty():
    matched = SimpleNamespace(notes=("one", "two", "one"), doubt="a doubt", note=None)
    assert evaluated.notes_of(matched) == ["one", "two", "a doubt"]
    matched = SimpleNamespace(notes=(), doubt="", note="a doubt")
    assert evaluated.notes_of(matched) == ["a doubt"]


def test_classes_that_a_model_does_not_know_are_told_with_what_it_took_them_for():
    matched = SimpleNamespace(unknown={"fish": range(12), "bird": range(1)})
    taken = {"fish": {"a": 11, "c": 1}, "bird": {}}
    assert evaluated.unknown(matched, taken) == [
        {"class": "fish", "count": 12, "taken_for": {"a": 11, "c": 1}},
        {"class": "bird", "count": 1, "taken_for": {}},
    ]
