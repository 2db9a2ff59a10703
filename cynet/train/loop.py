"""The training loop.

Design: `Trainer` knows what one step is, and nothing of files, terminals or time. `train` walks through the
epochs, evaluates, and tells observers what happens; they print, or keep files.
"""

from dataclasses import dataclass
from math import isfinite, nan

from cynet.core import checks

from .metrics import Evaluation, evaluate


class Diverged(ArithmeticError):
    """A loss that is NaN or infinite.

    Attributes
    ----------
    step : int
        The step, counted from 1, whose batch gave it.
    """

    def __init__(self, step, loss, where):
        super().__init__(f"the {where} loss is {loss} at step {step}")
        self.step = step


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

    def add(self, loss, right, images):
        """Take a step into the sums."""
        self.batch += 1
        self.loss += loss
        self.count += 1
        self.right += right
        self.images += images

    def clear(self, step):
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

    Attributes
    ----------
    steps : int
        How many were taken.
    right : int
        How many samples of the last step's batch the model predicted right, before that step.
    place : Place
        Kept by `train`.
    """

    def __init__(self, model, criterion, optimizer, schedule):
        self.model, self.criterion = model, criterion
        self.optimizer, self.schedule = optimizer, schedule
        self.steps, self.right, self.place = 0, 0, Place()
        model.input_grad = False

    def step(self, x, y):
        """Forward, loss, backward, and one step of the optimiser.

        Parameters
        ----------
        x : ndarray of float32, (N, ...)
        y : ndarray of integers, (N,)

        Returns
        -------
        float
            The loss of this batch, before the step.

        Raises
        ------
        Diverged
            When it is not finite; the weights are then those before this step.
        """
        logits = self.model(x)
        loss = self.criterion(logits, y)
        if not isfinite(loss):
            raise Diverged(self.steps + 1, loss, "training")
        self.right = int((logits.argmax(axis=1) == y).sum())
        del logits  # its buffer is free again for backward
        self.optimizer.zero_grad()
        self.model.backward(self.criterion.backward())
        self.optimizer.lr = self.schedule(self.steps)
        self.optimizer.step()
        self.steps += 1
        return loss


@dataclass(frozen=True)
class Progress:
    """One step as an observer sees it: counted from 1, in epoch `epoch` (from 1), of `images` samples.

    Of these `right` were predicted right, before the step.
    """

    step: int
    epoch: int
    lr: float
    loss: float
    images: int
    right: int = 0


@dataclass(frozen=True)
class Result:
    """An evaluation after `step` steps.

    `train_loss` and `train_accuracy` are means over the steps since the one before, each batch as the model
    was before it learnt from it.
    """

    step: int
    epoch: int
    lr: float
    train_loss: float
    test: Evaluation
    train_accuracy: float = nan


class Observer:
    """Does nothing; a subclass overrides what it wants to know."""

    def stepped(self, progress):
        """Called after every step with a `Progress`."""

    def evaluated(self, result):
        """Called after every evaluation with a `Result`, the model being as it was evaluated."""


def train(trainer, batches, test_batches, steps, observers=(), watch=iter):
    """Train until `trainer.steps` is `steps`; evaluate at the end of each epoch and at the very end.

    It begins where `trainer.place` says: `batches` must then begin with the batch of that number.

    Parameters
    ----------
    trainer : Trainer
    batches : sized iterable of (x, y)
        One pass is one epoch; it is walked through again for as long as steps are wanted.
    test_batches : iterable of (x, y)
    steps : int
        More than were taken, unless these were not evaluated yet.
    observers : sequence of Observer, optional
        Told in this order.
    watch : callable, optional
        Wraps each walk; it may raise to stop (see `Signals.watch`).

    Returns
    -------
    Result
        Of the last evaluation.

    Raises
    ------
    Diverged
        When a training or test loss is not finite.
    ValueError
        When `batches` is empty.
    """
    place = trainer.place
    steps = checks.integer("steps", steps, trainer.steps + (place.count == 0))
    if not len(batches):
        raise ValueError("batches: wanted at least one batch an epoch, got none")
    trainer.model.train()
    while trainer.steps < steps or place.count:
        if trainer.steps < steps and place.batch < len(batches):
            _epoch(trainer, watch(batches), steps, observers)
        test = evaluate(trainer.model, watch(test_batches))
        if not isfinite(test.loss):
            raise Diverged(trainer.steps, test.loss, "test")
        result = Result(
            trainer.steps, place.epoch + 1, trainer.optimizer.lr, place.loss / place.count, test,
            place.right / place.images,
        )  # fmt: skip
        place.clear(trainer.steps)
        if place.batch == len(batches):
            place.epoch, place.batch = place.epoch + 1, 0
        for observer in observers:
            observer.evaluated(result)
    return result


def _epoch(trainer, batches, steps, observers):
    """Train on each batch that is left of an epoch, or until `steps` are reached."""
    place = trainer.place
    for x, y in batches:
        loss = trainer.step(x, y)
        place.add(loss, trainer.right, len(y))
        progress = Progress(
            trainer.steps, place.epoch + 1, trainer.optimizer.lr, loss, len(y), trainer.right
        )
        for observer in observers:
            observer.stepped(progress)
        if trainer.steps == steps:
            break
