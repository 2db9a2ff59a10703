"""The training loop.

Design: a `Trainer` knows what one step is, and nothing of files, terminals or time. `train` walks through the
epochs, evaluates, and tells observers what happens; they print, or keep files.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from cynet.core import checks

from .metrics import Evaluation, pairs
from .trainer import Diverged, Trainer


@dataclass(frozen=True)
class Progress:
    """One step as an observer sees it.

    Attributes
    ----------
    step, epoch : int
        Both counted from 1.
    lr, loss : float
        The learning rate, and the loss before the step.
    images, right : int
        Samples of the batch, and how many of them were predicted right, before the step.
    seconds, waited : float
        What it took, and how much of that was waiting for the batch.
    """

    step: int
    epoch: int
    lr: float
    loss: float
    images: int
    right: int = 0
    seconds: float = 0.0
    waited: float = 0.0


@dataclass(frozen=True)
class Result:
    """An evaluation.

    Attributes
    ----------
    step, epoch : int
        How many steps were taken, and in which epoch, from 1, the last one was.
    lr : float
        The learning rate of that step.
    train_loss, train_accuracy : float
        Means over the steps since the one before, each batch as the model was before it learnt from it.
    test : Evaluation
        Of the pictures that the model was evaluated on; of tasks other than classes what the task makes.
    measure : {"test", "validation"}
        What these are.
    """

    step: int
    epoch: int
    lr: float
    train_loss: float
    test: Evaluation | Any
    train_accuracy: float = nan
    measure: str = "test"


class Observer:
    """Does nothing; a subclass overrides what it wants to know."""

    def stepped(self, progress: Progress) -> None:
        """Called after every step with a `Progress`."""

    def evaluated(self, result: Result) -> None:
        """Called after every evaluation with a `Result`."""

    def enough(self) -> bool:
        """Asked after every evaluation: whether to stop training."""
        return False


def train(
    trainer: Trainer,
    batches: Any,
    test_batches: Any,
    steps: int,
    observers: Sequence[Observer] = (),
    watch: Callable[[Any], Iterable[Any]] = iter,
    measure: str = "test",
    every: int = 1,
) -> Result:
    """Train until `trainer.steps` is `steps`, or an observer has enough; evaluate after each epoch, or every
    so many of them, and at the very end.

    It begins where `trainer.place` says: `batches` must then begin with the batch of that number.

    Parameters
    ----------
    trainer : Trainer
    batches : sized iterable of (x, y)
        One pass is one epoch, of as many batches as its length says; it is walked through again for as long
        as steps are wanted, so it must be a list, a DataLoader or the like, and no generator.
    test_batches : iterable of (x, y)
        What is evaluated, after each epoch: no generator either.
    steps : int
        More than were taken, unless these were not evaluated yet.
    observers : sequence of Observer, optional
        Told in this order.
    watch : callable, optional
        Wraps each walk; it may raise to stop (see `Signals.watch`).
    measure : str, optional
        What messages and results call the evaluated pictures: "test", or "validation" where they are no test
        set.
    every : int, optional
        Epochs from one evaluation to the next.

    Returns
    -------
    Result
        Of the last evaluation.

    Raises
    ------
    Diverged
        When the loss of a step or an evaluation is not finite.
    TypeError, ValueError
        When `batches` is empty, gives more or fewer batches than its length says, cannot be walked through
        again, or holds what is no pair.
    """
    steps = checks.integer("steps", steps, trainer.steps + (trainer.place.count == 0))
    every = checks.integer("every", every, 1)
    _check_walks(batches, test_batches)
    trainer.model.train()
    with trainer.task.training(trainer.model) if trainer.task else contextlib.nullcontext():
        return _train(trainer, batches, test_batches, steps, observers, watch, measure, every)


def _train(
    trainer: Trainer,
    batches: Any,
    test_batches: Any,
    steps: int,
    observers: Sequence[Observer],
    watch: Callable[[Any], Iterable[Any]],
    measure: str,
    every: int,
) -> Result:
    place = trainer.place
    if trainer.sharding:
        batches, test_batches = trainer.sharding.share(trainer, batches, test_batches)
    while trainer.steps < steps or place.count:
        count = len(batches)  # of this epoch: a sampler's next one may have another number
        if trainer.steps < steps and place.batch < count:
            _epoch(trainer, batches, watch, count, steps, observers)
        if place.batch == count and trainer.steps < steps and (place.epoch + 1) % every:
            place.epoch, place.batch = place.epoch + 1, 0
            continue
        with trainer.evaluated_weights():
            evaluated = pairs(watch(test_batches), "test_batches", trainer.columns)
            sharding = trainer.sharding
            test = sharding.evaluate(trainer, evaluated) if sharding else trainer.evaluate(evaluated)
        if not isfinite(test.loss):
            raise Diverged(trainer.steps, test.loss, f"{measure} loss")
        result = Result(
            trainer.steps, place.epoch + 1, trainer.optimizer.lr, place.loss / place.count, test,
            place.right / place.images, measure,
        )  # fmt: skip
        place.clear(trainer.steps)
        if place.batch == count:
            place.epoch, place.batch = place.epoch + 1, 0
        for observer in observers:
            observer.evaluated(result)
        enough = any(observer.enough() for observer in observers)
        if trainer.sharding:
            enough = trainer.sharding.as_the_first(enough)
        if enough:
            break
    return result


def _check_walks(batches: Any, test_batches: Any) -> None:
    """Refuse what cannot be walked through once for each epoch, before the first one."""
    for name, given in (("batches", batches), ("test_batches", test_batches)):
        if not hasattr(given, "__iter__") or hasattr(given, "__next__"):
            wanted = "wanted pairs (x, y) that can be walked through again, as a list or a DataLoader"
            raise TypeError(f"{name}: {wanted}, got {type(given).__name__}")
    if not hasattr(batches, "__len__"):
        raise TypeError(f"batches: wanted an iterable with a length, got {type(batches).__name__}")
    if not len(batches):
        raise ValueError("batches: wanted at least one batch an epoch, got none")


def _epoch(
    trainer: Trainer,
    batches: Any,
    watch: Callable[[Any], Iterable[Any]],
    count: int,
    steps: int,
    observers: Sequence[Observer],
) -> None:
    """Train on each batch that is left of an epoch of `count`, or until `steps` are reached."""
    place, walk = trainer.place, pairs(watch(batches), columns=trainer.columns)
    while True:
        start = time.perf_counter()
        batch = next(walk, None)
        if batch is None:
            break
        if place.batch == count:
            raise ValueError(f"batches: wanted {count} of them, as their length says, got more")
        waited, (x, y) = time.perf_counter() - start, batch
        if trainer.task:
            trainer.task.begin(trainer.model, batches, place.batch)
        loss = trainer.step(x, y)
        images = trainer.count(y)
        place.add(loss, trainer.right, images)
        progress = Progress(
            trainer.steps, place.epoch + 1, trainer.optimizer.lr, loss, images, trainer.right,
            time.perf_counter() - start, waited,
        )  # fmt: skip
        for observer in observers:
            observer.stepped(progress)
        if trainer.steps == steps:
            return
    if place.batch != count:
        raise ValueError(f"batches: wanted {count} of them, as their length says, got {place.batch}")
