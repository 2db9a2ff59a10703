"""The tasks by their names."""

from __future__ import annotations

from typing import Any

from cynet.core.tasks import LANGUAGE, MSE, MULTILABEL, REGRESS
from cynet.core.types import AnyArray, Array

from .language_task import LanguageTask
from .task import LabelTask, NumberTask, Task


def task_of(name: str | None = None, loss: str | None = None) -> Task:
    """The `Task` of a name, None being that of classes; `loss` is one of `LOSSES`, or None."""
    if name == MULTILABEL:
        return LabelTask()
    if name == LANGUAGE:
        return LanguageTask()
    return NumberTask(loss or MSE) if name == REGRESS else Task()


def step_of(trainer: Any, batches: Any, number: int, x: Array, y: AnyArray) -> float:
    """The loss of a step over the batch of a number, from 0, of an epoch, as `train` takes it."""
    if (task := getattr(trainer, "task", None)) is None:
        return float(trainer.step(x, y))
    with task.training(trainer.model):
        task.begin(trainer.model, batches, number)
        return float(trainer.step(x, y))
