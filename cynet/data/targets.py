"""The labels of a data set as their task takes them: classes, a matrix of 0 and 1, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.tasks import CLASSIFY, MULTILABEL, REGRESS, TASKS
from cynet.core.types import AnyArray

MOST_COLUMNS = 10_000  # labels, or numbers, of a sample


def told(labels: Any) -> str:
    """The task that labels are for, by what they are.

    Integers (n,) are classes; so are False and True, as 0 and 1, and a matrix with a 1 in each row. Any
    other matrix of 0 and 1 is for several labels; floats are numbers.

    Parameters
    ----------
    labels : array (n,) or (n, columns)

    Returns
    -------
    str
        One of `TASKS`.

    Raises
    ------
    ValueError
        When they are integers of several columns that are not all 0 or 1: the first that is none is named.
    """
    labels = _array(labels)
    if labels.ndim < 2 or (labels.shape[1] == 1 and labels.dtype.kind != "b"):
        return REGRESS if labels.dtype.kind == "f" else CLASSIFY
    wrong = _first(~np.isin(labels, (0, 1)))
    if wrong is not None:
        if labels.dtype.kind == "f":
            return REGRESS
        raise ValueError(
            f"{_named(wrong)}: wanted 0 or 1, as a matrix of labels has them, got {labels[wrong]} (numbers "
            f"are the labels of task {REGRESS})"
        )
    return CLASSIFY if _is_one_hot(labels) else MULTILABEL


def checked(
    labels: Any, count: int, classes: Sequence[str] | None, task: str | None = None
) -> tuple[AnyArray, tuple[str, ...], str]:
    """Labels, the names of classes, and the task, as a data set keeps them.

    Parameters
    ----------
    labels : array (count,) or (count, columns)
    count : int
        Of the samples.
    classes : sequence of str or None
        None: numbers.
    task : str, optional
        One of `TASKS`; default: what the labels tell.

    Returns
    -------
    labels : ndarray
        int64 (count,) of classes; float32 (count, columns) of the other tasks.
    classes : tuple of str
    task : str

    Raises
    ------
    TypeError, ValueError
        When the labels are not those of the task, by index and value; there are not `count` of them, or not
        as many names as columns.
    """
    if task is not None and not (isinstance(task, str) and task in TASKS):
        raise ValueError(f"task: wanted one of {', '.join(TASKS)}, got {task!r:.80}")
    if classes is not None:
        several = np.iterable(classes) and not isinstance(classes, str)
        if not several or not all(isinstance(name, str) for name in classes):
            raise TypeError(f"classes: wanted a sequence of str, got {classes!r:.200}")
        classes = tuple(classes)
    labels = _array(labels)
    if task is None and labels.ndim == 1 and labels.dtype.kind == "f" and classes and len(classes) > 1:
        raise TypeError(
            f"labels: wanted integers, each one of {len(classes)} classes, got dtype {labels.dtype}"
        )
    known, task = task, told(labels) if task is None else task
    if task != CLASSIFY:
        columns = _matrix(labels, count, task)
        return columns, _column_names(classes, columns.shape[1], task), task
    yes_or_no = labels.dtype.kind == "b" and labels.size == len(labels)
    labels = _single(labels, known)
    if classes is None:
        classes = ("0", "1") if yes_or_no else numbered(labels)
    return checks.labels("labels", labels, count, len(classes)), classes, task


def numbered(labels: AnyArray) -> tuple[str, ...]:
    """("0", "1", ...) up to the largest of some labels; ValueError where that is none for classes."""
    most = int(labels.max(initial=0)) if labels.dtype.kind in "iu" else 0
    if most >= MOST_COLUMNS:
        raise ValueError(
            f"classes: wanted names of them, or labels below {MOST_COLUMNS:,}, got labels up to {most} "
            f"(numbers are the labels of task {REGRESS})"
        )
    return tuple(map(str, range(most + 1)))


def _array(labels: Any) -> AnyArray:
    try:
        labels = np.asarray(labels)
    except ValueError:  # of lists of several lengths
        raise ValueError(f"labels: wanted as many in each row, got {labels!r:.80}") from None
    if labels.dtype.kind not in "iufb":
        raise TypeError(f"labels: wanted integers or floats, got dtype {labels.dtype}")
    if labels.ndim > 2 or (labels.ndim == 2 and not 1 <= labels.shape[1] <= MOST_COLUMNS):
        wanted = f"wanted shape (count,) or (count, labels), of 1 to {MOST_COLUMNS:,} labels"
        raise ValueError(f"labels: {wanted}, got {labels.shape}")
    return labels


def _single(labels: AnyArray, task: str | None) -> AnyArray:
    """Labels of classes as (n,): a column, a matrix with one 1 in each row, or whole numbers, as integers."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not _is_one_hot(labels):
            raise ValueError(
                f"labels: wanted a class of each sample for task {CLASSIFY}, got a matrix {labels.shape} "
                f"with other than one 1 in each row (task {MULTILABEL} takes several labels of a sample)"
            )
        return labels.argmax(axis=1)
    labels = labels[:, 0] if labels.ndim == 2 else labels
    if labels.dtype.kind == "b":
        return labels.astype(np.int64)
    if labels.dtype.kind == "f" and task == CLASSIFY:  # asked for: whole numbers are classes
        wrong = _first(~(np.isfinite(labels) & (labels == np.rint(labels)) & (np.abs(labels) < 2**53)))
        if wrong is not None:
            wanted = f"wanted a class, a whole number, for task {CLASSIFY}"
            raise ValueError(f"{_named(wrong)}: {wanted}, got {labels[wrong]}")
        return labels.astype(np.int64)
    return labels


def _matrix(labels: AnyArray, count: int, task: str) -> AnyArray:
    """Labels of the other tasks as float32 (count, columns)."""
    if task == MULTILABEL and labels.ndim != 2:
        wanted = f"wanted a matrix (count, labels) of 0 and 1 for task {task}"
        raise ValueError(f"labels: {wanted}, got {labels.dtype} {labels.shape}")
    if not labels.ndim or len(labels) != count:
        raise ValueError(f"labels: wanted {count}, one for each sample, got shape {labels.shape}")
    with np.errstate(over="ignore"):
        found = labels.astype(np.float32)
    good = np.isin(labels, (0, 1)) if task == MULTILABEL else np.isfinite(found)
    wrong = _first(~good)
    if wrong is not None:
        wanted = "0 or 1" if task == MULTILABEL else "a finite number"
        raise ValueError(f"{_named(wrong)}: wanted {wanted} for task {task}, got {labels[wrong]}")
    return np.ascontiguousarray(found.reshape(count, -1))


def _column_names(classes: Sequence[str] | None, columns: int, task: str) -> tuple[str, ...]:
    if classes is None:
        if task == REGRESS:
            return ("value",) if columns == 1 else tuple(f"value {k}" for k in range(columns))
        return tuple(map(str, range(columns)))
    if len(classes) != columns:
        wanted = f"wanted a name for each of the {columns} columns of labels"
        raise ValueError(f"classes: {wanted}, got {len(classes)}")
    return tuple(classes)


def _is_one_hot(labels: AnyArray) -> bool:
    return bool(len(labels) and np.isin(labels, (0, 1)).all() and ((labels != 0).sum(axis=1) == 1).all())


def _first(wrong: AnyArray) -> tuple[int, ...] | None:
    """The place of the first True, None where there is none."""
    places = np.argwhere(wrong)
    return tuple(map(int, places[0])) if len(places) else None


def _named(place: tuple[int, ...]) -> str:
    return f"labels[{', '.join(map(str, place))}]"
