"""The training loop.

Design: `Trainer` knows what one step is, and nothing of files, terminals or time. `train` walks through the
epochs, evaluates, and tells observers what happens; they print, or keep files.
"""

from dataclasses import dataclass
from math import isfinite

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
    """

    def __init__(self, model, criterion, optimizer, schedule):
        self.model, self.criterion = model, criterion
        self.optimizer, self.schedule = optimizer, schedule
        self.steps = 0
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
        loss = self.criterion(self.model(x), y)
        if not isfinite(loss):
            raise Diverged(self.steps + 1, loss, "training")
        self.optimizer.zero_grad()
        self.model.backward(self.criterion.backward())
        self.optimizer.lr = self.schedule(self.steps)
        self.optimizer.step()
        self.steps += 1
        return loss


@dataclass(frozen=True)
class Progress:
    """One step as an observer sees it: counted from 1, in epoch `epoch` (from 1), of `images` samples."""

    step: int
    epoch: int
    lr: float
    loss: float
    images: int


@dataclass(frozen=True)
class Result:
    """An evaluation after `step` steps; `train_loss` is the mean loss of the steps since the one before."""

    step: int
    epoch: int
    lr: float
    train_loss: float
    test: Evaluation


class Observer:
    """Does nothing; a subclass overrides what it wants to know."""

    def stepped(self, progress):
        """Called after every step with a `Progress`."""

    def evaluated(self, result):
        """Called after every evaluation with a `Result`, the model being as it was evaluated."""


def train(trainer, batches, test_batches, steps, observers=(), watch=iter):
    """Train until `trainer.steps` is `steps`; evaluate at the end of each epoch and at the very end.

    Parameters
    ----------
    trainer : Trainer
    batches : iterable of (x, y)
        One pass is one epoch; it is walked through again for as long as steps are wanted.
    test_batches : iterable of (x, y)
    steps : int
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
    steps = checks.integer("steps", steps, trainer.steps + 1)
    trainer.model.train()
    epoch = 0
    while trainer.steps < steps:
        epoch += 1
        losses = _epoch(trainer, watch(batches), steps, epoch, observers)
        if not losses:
            raise ValueError("batches: wanted at least one batch an epoch, got none")
        test = evaluate(trainer.model, watch(test_batches))
        if not isfinite(test.loss):
            raise Diverged(trainer.steps, test.loss, "test")
        result = Result(trainer.steps, epoch, trainer.optimizer.lr, sum(losses) / len(losses), test)
        for observer in observers:
            observer.evaluated(result)
    return result


def _epoch(trainer, batches, steps, epoch, observers):
    """Train on each batch of an epoch, or until `steps` are reached; return the losses."""
    losses = []
    for x, y in batches:
        losses.append(trainer.step(x, y))
        progress = Progress(trainer.steps, epoch, trainer.optimizer.lr, losses[-1], len(y))
        for observer in observers:
            observer.stepped(progress)
        if trainer.steps == steps:
            break
    return losses
