"""An evaluation as plain values: what `cynet evaluate --json` writes."""

import numpy as np

from cynet.core.tasks import MEASURES, MULTILABEL
from cynet.train.predictions import macro_f1, precision


def taken_for(found, facts):
    """{class: pictures} that a model took some for, the most first."""
    counts = np.bincount(found.predicted[found.sure], minlength=len(facts.classes))
    order = np.argsort(-counts, kind="stable")
    return {facts.classes[k]: int(counts[k]) for k in order if counts[k]}


def notes_of(matched):
    """What is to be said of the pictures, each once: a list of str."""
    said = (*matched.notes, matched.doubt, matched.note)
    return list(dict.fromkeys(filter(None, said)))


def unknown(matched, strangers):
    """What a model took the pictures of each class for that it does not know: a list of dicts."""
    return [
        {"class": title, "count": len(matched.unknown[title]), "taken_for": found}
        for title, found in strangers.items()
    ]


def document(found, facts, path, name, split="test", tta=()):
    """All numbers of an evaluation as plain values.

    `tta` are the kinds of views whose mean was judged. A number that does not exist, such as the recall of a
    class without samples, is None.
    """
    result, bins = found.evaluation, found.calibration()
    per_class = zip(facts.classes, result.class_accuracy, precision(result), result.samples, strict=True)
    return {
        "weights": str(path),
        "model": facts.model,
        "data": name,
        "split": split,
        "flip": "flip" in tta,
        "tta": ",".join(tta) or None,
        "samples": int(result.samples.sum()),
        "loss": number(result.loss),
        "accuracy": result.accuracy,
        "top5": found.top_accuracy(5),
        "macro_f1": macro_f1(result),
        "classes": [
            {"class": title, "recall": number(recall), "precision": number(exact), "count": int(count)}
            for title, recall, exact, count in per_class
        ],
        "confusion": result.confusion.tolist(),
        "calibration": {
            "error": number(bins.error),
            "edges": bins.edges.tolist(),
            "counts": bins.counts.tolist(),
            "confidence": [number(value) for value in bins.confidence],
            "accuracy": [number(value) for value in bins.accuracy],
        },
    }


def column_document(found, facts, path, name, split="test", flip=False):
    """As `document`, of an evaluation of several labels or of numbers."""
    figures = MEASURES[facts.task].columns
    whole = {
        "weights": str(path), "model": facts.model, "task": facts.task, "data": name, "split": split,
        "flip": flip, "samples": len(found.labels), "loss": number(found.loss),
    }  # fmt: skip
    whole |= {figure: number(getattr(found, figure)) for figure in figures}
    if facts.task == MULTILABEL:
        columns = {
            "label": facts.classes, "ap": found.average_precision, "f1": found.label_f1,
            "precision": found.precision, "recall": found.recall, "count": found.samples,
        }  # fmt: skip
    else:
        each = {"rmse": found.each_rmse, "mae": found.each_mae, "r2": found.each_r2}
        columns = {"number": facts.classes} | each
    plain = {head: [_plain(value) for value in column] for head, column in columns.items()}
    rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    return whole | {"labels" if facts.task == MULTILABEL else "numbers": rows}


def text_document(found, facts, path, name, split="test"):
    """As `document`, of an evaluation of a text."""
    return {
        "weights": str(path), "model": facts.model, "task": facts.task, "data": name, "split": split,
        "tokens": found.tokens, "loss": number(found.loss), "perplexity": number(found.perplexity),
        "accuracy": found.accuracy,
    }  # fmt: skip


def _plain(value):
    if isinstance(value, (str, np.integer)):
        return value if isinstance(value, str) else int(value)
    return number(value)


def number(value):
    """A float for JSON, which knows no NaN and no infinity: those are None."""
    return float(value) if abs(value) < float("inf") else None
