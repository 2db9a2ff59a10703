"""How even the classes of a data set are: what is said of uneven ones, and weights that make up for it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray

UNEVEN = 3  # times the pictures of the smallest class, above which the largest makes a set uneven
NAMED = 5  # classes that a line names
ADVICE = "--balanced draws every class as often, --class-weights balanced weighs the rare ones more"


def class_weights(labels: Any, classes: int) -> AnyArray:
    """Weights for `CrossEntropyLoss` that let every class count as much as another.

    A class's weight is n / (c * count), where n is the number of samples, `count` those of the class, and c
    how many classes have any: the mean over the samples is 1. A class without samples has weight 0.

    Parameters
    ----------
    labels : array of int (n,)
        Of the samples that are trained on.
    classes : int
        How many there are.

    Returns
    -------
    ndarray of float64 (classes,)

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these; a label is named by its index and value.

    Examples
    --------
    >>> weight = cynet.data.class_weights(dataset.labels, len(dataset.classes))
    >>> criterion = cynet.CrossEntropyLoss(weight=weight)
    """
    classes = checks.integer("classes", classes, 1)
    labels = np.asarray(labels)
    labels = checks.labels("labels", labels, len(labels) if labels.ndim else 0, classes)
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights


def described(counts: Any, classes: Sequence[str], advice: str = ADVICE) -> list[str]:
    """What there is to say of classes that are uneven, without pictures, or with a single one.

    Parameters
    ----------
    counts : sequence of int
        Pictures of each class.
    classes : sequence of str
    advice : str, optional
        What to do about uneven ones; '' where it is done.

    Returns
    -------
    list of str
        At most two lines; none for a set that is fairly even.
    """
    counts, lines = np.asarray(counts), []
    present = np.flatnonzero(counts)
    if len(present):
        least, most = (int(present[pick(counts[present])]) for pick in (np.argmin, np.argmax))
        if counts[most] > UNEVEN * counts[least]:
            lines.append(
                f"classes are uneven: {counts[most]:,} pictures of {classes[most]}, {counts[least]:,} of "
                f"{classes[least]}" + (f"; {advice}" if advice else "")
            )
    few = [
        f"{words}: {named([classes[k] for k in np.flatnonzero(counts == count).tolist()])}"
        for count, words in ((0, "no pictures of"), (1, "a single picture of"))
        if (counts == count).any()
    ]
    return [*lines, "; ".join(few)] if few else lines


def named(names: Sequence[str]) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
