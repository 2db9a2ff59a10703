"""An evaluation of several labels, or of numbers, as text: a line for each of them, and the last line."""

import numpy as np

from cynet.core.names import printable
from cynet.core.tasks import MEASURES, MULTILABEL
from cynet.runs.lines import figure

LABEL_HEADS = ("average precision", "F1", "precision", "recall", "count")
NUMBER_HEADS = ("RMSE", "MAE", "R2", "bias", "mean")


def evaluation(found, names, data, split, flip=False):
    """All that is said of an evaluation, but its last line.

    Parameters
    ----------
    found : LabelEvaluation or NumberEvaluation
    names : sequence of str
        Of the labels, or numbers.
    data, split : str
        What it was evaluated on.
    flip : bool, optional
        Whether pictures were seen together with their mirror images.

    Yields
    ------
    str
    """
    mirrored = ", each together with its mirror image" if flip else ""
    yield f"{split} loss {found.loss:.4f} on {len(found.labels):,} samples of {data}{mirrored}\n"
    heads, rows = rows_of(found)
    width = max(len(printable(name)) for name in (*names, "number"))
    wide = [max(len(head), 9) for head in heads]
    what = "label" if found.task == MULTILABEL else "number"
    yield "  ".join([f"{what:<{width}}", *(f"{head:>{n}}" for head, n in zip(heads, wide, strict=True))])
    for name, row in zip(names, rows, strict=True):
        cells = (f"{_cell(value):>{n}}" for value, n in zip(row, wide, strict=True))
        yield "  ".join([f"{printable(name):<{width}}", *cells])
    columns = (name for name in MEASURES[found.task].columns if name != MEASURES[found.task].score)
    words = {"f1": "macro F1", "accuracy": "all labels right", "mae": "MAE", "r2": "R2"}
    yield "\n" + ", ".join(f"{words[name]} {figure(getattr(found, name))}" for name in columns)


def rows_of(found):
    """(headings, a row of numbers for each label or number)."""
    if found.task == MULTILABEL:
        columns = found.average_precision, found.label_f1, found.precision, found.recall, found.samples
        return LABEL_HEADS, list(zip(*columns, strict=True))
    means = found.errors.mean(axis=0), found.labels.mean(axis=0)
    columns = found.each_rmse, found.each_mae, found.each_r2, *means
    return NUMBER_HEADS, list(zip(*columns, strict=True))


def last(found, split):
    """The last line: the score that the best weights are chosen by."""
    measures = MEASURES[found.task]
    return f"{split} {measures.words} {figure(getattr(found, measures.score))}"


def _cell(value):
    if isinstance(value, np.integer):
        return f"{value:,}"
    return "-" if value != value else figure(value)
