"""What the test set tells of a model of several labels, or of numbers, as plain values for the page."""

import numpy as np

from cynet.core.tasks import MEASURES, MULTILABEL

from .findings import MISTAKES, number, numbers, shown

POINTS = 1500  # of a scatter
BINS = 41  # of the errors


def tested(found, names):
    """The numbers of an evaluation.

    Parameters
    ----------
    found : LabelEvaluation or NumberEvaluation
    names : sequence of str
        Of the labels, or numbers.

    Returns
    -------
    dict
    """
    figures = {name: number(getattr(found, name)) for name in MEASURES[found.task].columns}
    whole = {
        "classes": list(names), "loss": number(found.loss), "count": len(found.labels), **figures,
        "unsure": int((~found.sure).sum()),
    }  # fmt: skip
    return whole | (_labels(found) if found.task == MULTILABEL else _numbers(found))


def _labels(found):
    places, f1 = found.thresholds()
    reached = [np.flatnonzero(column == column.max()) for column in f1.T]
    best = [found[len(found) // 2] for found in reached]  # the middle of those that do as well
    return {
        "samples": found.samples.tolist(),
        "each": {
            "ap": numbers(found.average_precision), "f1": numbers(found.label_f1),
            "precision": numbers(found.precision), "recall": numbers(found.recall),
        },
        "thresholds": numbers(places),
        "f1_at": [numbers(column) for column in f1.T],
        "best": [[number(places[k]), number(f1[k, i])] for i, k in enumerate(best)],
    }  # fmt: skip


def _numbers(found):
    kept = np.unique(np.linspace(0, len(found.labels) - 1, min(POINTS, len(found.labels))).astype(np.int64))
    each = {"rmse": found.each_rmse, "mae": found.each_mae, "r2": found.each_r2}
    return {
        "each": {name: numbers(values) for name, values in each.items()},
        "bias": numbers(found.errors.mean(axis=0)),
        "truth": [numbers(column) for column in found.labels[kept].T],
        "given": [numbers(column) for column in found.values[kept].T],
        "errors": [_histogram(column) for column in found.errors.T],
    }


def _histogram(errors):
    """{"edges", "counts"} of the errors that are no NaN, around 0."""
    errors = errors[np.isfinite(errors)]
    most = float(np.abs(errors).max(initial=0)) or 1.0
    counts, edges = np.histogram(errors, BINS, (-most, most))
    return {"edges": numbers(edges), "counts": counts.tolist()}


def mistakes(found, dataset, count=MISTAKES):
    """The samples that a model is furthest off of.

    Parameters
    ----------
    found : LabelEvaluation or NumberEvaluation
    dataset : ArrayDataset
        Which it is of.
    count : int, optional

    Returns
    -------
    list of dict
        Each {"index", "picture" (a data: address, None of what is no picture), "truth", "given"}.
    """
    given = found.probabilities if found.task == MULTILABEL else found.values
    off = np.abs(given - found.labels)
    if found.task == MULTILABEL:
        off = np.where((found.said != (found.labels > 0)) & found.sure[:, None], off, 0)  # wrong labels
    else:
        off = off / np.maximum(found.labels.std(axis=0), 1e-30)  # of numbers of different sizes
    worst = np.argsort(-np.nan_to_num(off.max(axis=1)), kind="stable")[:count]
    worst = [k for k in worst if np.nan_to_num(off[k].max()) > 0]
    return [
        {
            "index": int(k),
            "picture": shown(dataset[int(k)][0]),
            "truth": numbers(found.labels[k]),
            "given": numbers(given[k]),
        }
        for k in worst
    ]
