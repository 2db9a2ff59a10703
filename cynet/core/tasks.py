"""What a net is trained for, by name, and what it is measured by: pure data, for flags, files and tables."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

CLASSIFY, MULTILABEL, REGRESS = TASKS = ("classify", "multilabel", "regress")  # of samples with labels
LANGUAGE = "language"  # of texts: what comes next, of each token
EVERY = (*TASKS, LANGUAGE)
MAX, SAMPLE, BEAM = STRATEGIES = ("max", "sample", "beam")  # how a text is gone on with
MSE, L1, HUBER = LOSSES = ("mse", "l1", "huber")  # of numbers; the other tasks have one loss each


@dataclass(frozen=True)
class Measures:
    """What a task is measured by, besides its loss.

    Attributes
    ----------
    columns : tuple of str
        Of an evaluation, as a run's table calls them.
    score : str
        The one of them that the best weights are chosen by.
    words : str
        What sentences call it.
    higher : bool
        Whether the greatest is the best.
    trained : tuple of str
        Of a step of training.
    """

    columns: tuple[str, ...]
    score: str
    words: str
    higher: bool
    trained: tuple[str, ...]

    def better(self, one: float, other: float | None) -> bool:
        """Whether the first of two scores is the better one; NaN never is, any number is better than None."""
        if other is None:
            return one == one
        return one > other if self.higher else one < other


MEASURES = {
    CLASSIFY: Measures(("accuracy",), "accuracy", "accuracy", True, ("accuracy",)),
    MULTILABEL: Measures(("ap", "f1", "accuracy"), "ap", "average precision", True, ("accuracy",)),
    REGRESS: Measures(("rmse", "mae", "r2"), "rmse", "RMSE", False, ()),
    LANGUAGE: Measures(("perplexity", "accuracy"), "perplexity", "perplexity", False, ("accuracy",)),
}


def measures_of(task: str | None) -> Measures:
    """The `Measures` of a task; None, as where a run's settings tell of none, is that of classes."""
    return MEASURES.get(task or CLASSIFY, MEASURES[CLASSIFY])


def task_in(columns: Container[str]) -> str:
    """The task of a run whose table has these columns."""
    for task in (LANGUAGE, REGRESS, MULTILABEL):
        if any(f"{measure}_{MEASURES[task].score}" in columns for measure in ("test", "validation")):
            return task
    return CLASSIFY
