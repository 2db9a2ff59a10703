"""The training loop.

Design: `Trainer` knows what one step is, and nothing of files, terminals or time. `train` walks through the
epochs, evaluates, and tells observers what happens; they print, or keep files.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, nan, sqrt
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray, Array, Batch
from cynet.nn.layer import Layer
from cynet.nn.losses import CrossEntropyLoss, Loss
from cynet.optim.optimizers import Optimizer

from .metrics import Evaluation, checked_model, evaluate, pairs


class Diverged(ArithmeticError):
    """A loss, or a gradient, that is NaN or infinite.

    Parameters
    ----------
    step : int
        The step, counted from 1, whose batch gave it.
    value : float
        NaN or infinite.
    what : str
        What it is the value of, for the message.
    batch : (x, y), optional

    Attributes
    ----------
    step : int
    batch : (x, y) or None
        Copies of what the model was given, when it was training.
    """

    def __init__(self, step: int, value: float, what: str, batch: Batch | None = None) -> None:
        super().__init__(f"the {what} is {value} at step {step}")
        self.step, self.batch = step, batch


@dataclass
class Place:
    """Where a training stands, between two steps.

    Attributes
    ----------
    epoch : int
        How many are finished.
    batch : int
        How many batches of the epoch under way were trained on.
    loss, count : float, int
        The sum of the losses of the steps since the last evaluation, and how many they are.
    right, images : int
        The samples of these steps, and how many of them were predicted right before their step.
    evaluated : int
        The steps that were taken when it was evaluated last.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    count: int = 0
    right: int = 0
    images: int = 0
    evaluated: int = 0

    def add(self, loss: float, right: int, images: int) -> None:
        """Take a step into the sums."""
        self.batch += 1
        self.loss += loss
        self.count += 1
        self.right += right
        self.images += images

    def clear(self, step: int) -> None:
        """Begin the sums anew after an evaluation."""
        self.loss, self.count, self.right, self.images, self.evaluated = 0.0, 0, 0, 0, step


class Trainer:
    """A model with all that changes when it learns.

    Parameters
    ----------
    model : Layer
        Its gradient to the input is switched off: nobody reads it.
    criterion : Loss
    optimizer : Optimizer
    schedule : callable
        Learning rate of each step, counted from 0.
    clip_norm : float, optional
        Gradients whose norm, over all parameters together, is greater are scaled down to this one (Pascanu
        et al. 2013).
    average : Average, optional
        Updated after each step.
    mixup : Mixup, optional
    accumulate : int, optional
        In how many parts, one after the other, the batch of a step goes through the model: its gradient is
        the mean over all samples, in the memory of a part. Batch norm takes the statistics of each part.
    evaluated : Layer, optional
        What is evaluated in the model's place: a layer around it, such as `Views`.
    task : Task, optional
        What the labels are; default: classes.

    Attributes
    ----------
    steps : int
        How many were taken.
    right : int
        How many samples (or tokens) of the last step's batch the model predicted right, before that step.
    columns : bool
        Whether labels are a matrix, by the task.
    place : Place
        Kept by `train`.

    Raises
    ------
    TypeError, ValueError
        When the model is no Layer, or `clip_norm` is not above 0.
    """

    def __init__(
        self,
        model: Layer,
        criterion: Loss,
        optimizer: Optimizer,
        schedule: Callable[[int], float],
        clip_norm: float | None = None,
        average: Any = None,
        mixup: Callable[[Array, AnyArray, int], tuple[Array, AnyArray, float]] | None = None,
        accumulate: int = 1,
        evaluated: Layer | None = None,
        task: Any = None,
    ) -> None:
        self.model, self.criterion = checked_model(model), criterion
        self.optimizer, self.schedule = optimizer, schedule
        if clip_norm is not None:
            clip_norm = checks.number("clip_norm", clip_norm, 0, open_low=True)
        self.clip_norm, self.average, self.mixup = clip_norm, average, mixup
        self.accumulate = checks.integer("accumulate", accumulate, 1)
        self.evaluated = model if evaluated is None else checked_model(evaluated)
        self.steps, self.right, self.place, self.task = 0, 0, Place(), task
        self.columns = task is not None and task.columns
        model.input_grad = False

    def step(self, x: Array, y: AnyArray) -> float:
        """Forward, loss, backward, the parts of the batch after each other, and one step of the optimiser.

        Parameters
        ----------
        x : ndarray of float32, (N, ...)
        y : ndarray of integers, (N,)
            Of tasks other than classes float32 (N, columns).

        Returns
        -------
        float
            The loss of this batch, before the step.

        Raises
        ------
        Diverged
            When it is not finite; the weights are then those before this step.
        """
        batch, targets = (x, y), [(y, 1.0)]
        if self.mixup:
            x, others, share = self.mixup(x, y, self.steps)
            targets = [(y, share), (others, 1 - share)]
            y = y if share >= 0.5 else others  # what the picture shows most
        loss, right = 0.0, 0
        for part in self._parts(len(y)):
            logits = self.model(x if part is None else x[part])
            added, gradient = self._loss(logits, targets, part)
            loss += added
            if not isfinite(loss):
                raise self._diverged(loss, "training loss", batch)
            right += self._right(logits, y if part is None else y[part])
            del logits  # its buffer is free again for backward
            if part is None or not part.start:
                self.optimizer.zero_grad()
            self.model.backward(self.criterion.backward() if gradient is None else gradient)
        self.right = right
        if self.clip_norm is not None:
            self._clip(self.clip_norm, batch)
        self.optimizer.lr = self.schedule(self.steps)
        self.optimizer.step()
        self.steps += 1
        if self.average:
            self.average.update()
        return loss

    def evaluate(self, batches: Any) -> Any:
        """What the task, or `metrics.evaluate`, says of the model as it is."""
        return (self.task.evaluate if self.task else evaluate)(self.evaluated, batches)

    def _right(self, logits: Array, y: AnyArray) -> int:
        return self.task.right(logits, y) if self.task else int((logits.argmax(axis=1) == y).sum())

    def _diverged(self, value: float, what: str, batch: Batch) -> Diverged:
        x, y = batch
        return Diverged(self.steps + 1, value, what, (x.copy(), y.copy()))

    def _parts(self, samples: int) -> list[slice | None]:
        """Where the parts of a batch lie, as equal as they can be; [None]: it is one."""
        count = max(1, min(self.accumulate, samples))
        ends = [samples * i // count for i in range(count + 1)]
        return [None] if count == 1 else [slice(*pair) for pair in pairwise(ends)]

    def _loss(
        self, logits: Array, targets: list[tuple[AnyArray, float]], part: slice | None
    ) -> tuple[float, Array | None]:
        """What a part of a batch adds to the loss, and the gradient of that; None: the criterion's own."""
        if part is None and len(targets) == 1:
            return self.criterion(logits, targets[0][0]), None
        if part is not None:
            targets = [(labels[part], weight * self._share(labels, part)) for labels, weight in targets]
        return self._mixed_loss(logits, *targets)

    def _mixed_loss(self, logits: Array, *targets: tuple[AnyArray, float]) -> tuple[float, Array]:
        """The loss and its gradient, each the weighted sum over (labels, weight)."""
        loss, gradient = 0.0, np.zeros_like(logits)
        for labels, weight in targets:
            loss += weight * self.criterion(logits, labels)
            gradient += np.float32(weight) * self.criterion.backward()
        return loss, gradient

    def _share(self, labels: AnyArray, part: slice) -> float:
        """How much of a batch a part is: what the losses of the parts are multiplied with to give its own."""
        weight = self.criterion.weight if isinstance(self.criterion, CrossEntropyLoss) else None
        if weight is None:
            return len(labels[part]) / len(labels)
        return float(weight[labels[part]].sum() / weight[labels].sum())

    def gradient_norm(self) -> float:
        """The root of the sum of squares of the last gradients of all that is trained, summed in double."""
        with np.errstate(over="ignore"):
            trained = (p for p in self.optimizer.params if p.requires_grad)
            return sqrt(sum(float(np.square(p.grad, dtype=np.float64).sum()) for p in trained))

    def _clip(self, most: float, batch: Batch) -> None:
        norm = self.gradient_norm()
        if not isfinite(norm):
            raise self._diverged(norm, "gradient's norm", batch)
        if norm > most:
            for parameter in self.optimizer.params:
                parameter.grad *= np.float32(most / norm)

    def evaluated_weights(self) -> AbstractContextManager[None]:
        """A context within which the model has the weights that are evaluated and kept: the average."""
        return self.average.swapped() if self.average else contextlib.nullcontext()


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
) -> Result:
    """Train until `trainer.steps` is `steps`, or an observer has enough; evaluate after each epoch and at the
    very end.

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
    place = trainer.place
    steps = checks.integer("steps", steps, trainer.steps + (place.count == 0))
    _check_walks(batches, test_batches)
    trainer.model.train()
    with trainer.task.training(trainer.model) if trainer.task else contextlib.nullcontext():
        while trainer.steps < steps or place.count:
            count = len(batches)  # of this epoch: a sampler's next one may have another number
            if trainer.steps < steps and place.batch < count:
                _epoch(trainer, batches, watch, count, steps, observers)
            with trainer.evaluated_weights():
                test = trainer.evaluate(pairs(watch(test_batches), "test_batches", trainer.columns))
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
            if any(observer.enough() for observer in observers):
                break
    return result


def _check_walks(batches: Any, test_batches: Any) -> None:
    """Refuse what cannot be walked through once for each epoch, before the first one."""
    for name, given in (("batches", batches), ("test_batches", test_batches)):
        if not hasattr(given, "__iter__") or hasattr(given, "__next__"):
            raise TypeError(
                f"{name}: wanted pairs (x, y) that can be walked through again, as a list or a DataLoader, "
                f"got {type(given).__name__}"
            )
    if not hasattr(batches, "__len__"):
        raise TypeError(f"batches: wanted an iterable with a length, got {type(batches).__name__}")
    if not len(batches):
        raise ValueError("batches: wanted at least one batch an epoch, got none")


def _epoch(trainer: Trainer, batches: Any, watch: Any, count: int, steps: int, observers: Any) -> None:
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
        place.add(loss, trainer.right, images := trainer.task.count(y) if trainer.task else len(y))
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
