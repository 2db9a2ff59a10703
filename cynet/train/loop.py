"""The training loop.

Design: `Trainer` knows what one step is, and nothing of files, terminals or time. `train` walks through the
epochs, evaluates, and tells observers what happens; they print, or keep files.
"""

import contextlib
import time
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from cynet.core import checks

from .metrics import Evaluation, evaluate


class Diverged(ArithmeticError):
    """A loss, or a gradient, that is NaN or infinite.

    Attributes
    ----------
    step : int
        The step, counted from 1, whose batch gave it.
    batch : (x, y) or None
        Copies of what the model was given, when it was training.
    """

    def __init__(self, step, value, what, batch=None):
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
    evaluated : int
        The steps that were taken when it was evaluated last.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    count: int = 0
    evaluated: int = 0


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

    Attributes
    ----------
    steps : int
        How many were taken.
    place : Place
        Kept by `train`.
    """

    def __init__(
        self, model, criterion, optimizer, schedule, clip_norm=None, average=None, mixup=None
    ):  # fmt: skip
        self.model, self.criterion = model, criterion
        self.optimizer, self.schedule = optimizer, schedule
        if clip_norm is not None:
            clip_norm = checks.number("clip_norm", clip_norm, 0, open_low=True)
        self.clip_norm = clip_norm
        self.average, self.mixup = average, mixup
        self.steps, self.place = 0, Place()
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
        if self.mixup:
            x, others, share = self.mixup(x, y, self.steps)
            loss, gradient = self._mixed_loss(self.model(x), (y, share), (others, 1 - share))
        else:
            loss = self.criterion(self.model(x), y)
            gradient = self.criterion.backward() if isfinite(loss) else None
        if not isfinite(loss):
            raise Diverged(self.steps + 1, loss, "training loss", (x.copy(), y.copy()))
        self.optimizer.zero_grad()
        self.model.backward(gradient)
        if self.clip_norm is not None:
            self._clip(x, y)
        self.optimizer.lr = self.schedule(self.steps)
        self.optimizer.step()
        self.steps += 1
        if self.average:
            self.average.update()
        return loss

    def _mixed_loss(self, logits, *parts):
        """The loss and its gradient, each the weighted sum over (labels, weight)."""
        loss, gradient = 0.0, np.zeros_like(logits)
        for labels, weight in parts:
            loss += weight * self.criterion(logits, labels)
            if isfinite(loss):
                gradient += np.float32(weight) * self.criterion.backward()
        return loss, gradient

    def gradient_norm(self):
        """The root of the sum of squares of the last gradients of all parameters, summed in double."""
        with np.errstate(over="ignore"):
            return sqrt(sum(float(np.square(p.grad, dtype=np.float64).sum()) for p in self.optimizer.params))

    def _clip(self, x, y):
        norm = self.gradient_norm()
        if not isfinite(norm):
            raise Diverged(self.steps + 1, norm, "gradient's norm", (x.copy(), y.copy()))
        if norm > self.clip_norm:
            for parameter in self.optimizer.params:
                parameter.grad *= np.float32(self.clip_norm / norm)

    def evaluated_weights(self):
        """A context within which the model has the weights that are evaluated and kept: the average."""
        return self.average.swapped() if self.average else contextlib.nullcontext()


@dataclass(frozen=True)
class Progress:
    """One step as an observer sees it: counted from 1, in epoch `epoch` (from 1), of `images` samples.

    It took `seconds`, of which the batch was waited for during `waited`.
    """

    step: int
    epoch: int
    lr: float
    loss: float
    images: int
    seconds: float = 0.0
    waited: float = 0.0


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
        """Called after every evaluation with a `Result`."""

    def enough(self):
        """Asked after every evaluation: whether to stop training."""
        return False


def train(trainer, batches, test_batches, steps, observers=(), watch=iter):
    """Train until `trainer.steps` is `steps`, or an observer has enough; evaluate after each epoch and at the
    very end.

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
        with trainer.evaluated_weights():
            test = evaluate(trainer.model, watch(test_batches))
        if not isfinite(test.loss):
            raise Diverged(trainer.steps, test.loss, "test loss")
        result = Result(trainer.steps, place.epoch + 1, trainer.optimizer.lr, place.loss / place.count, test)
        place.loss, place.count, place.evaluated = 0.0, 0, trainer.steps
        if place.batch == len(batches):
            place.epoch, place.batch = place.epoch + 1, 0
        for observer in observers:
            observer.evaluated(result)
        if any(observer.enough() for observer in observers):
            break
    return result


def _epoch(trainer, batches, steps, observers):
    """Train on each batch that is left of an epoch, or until `steps` are reached."""
    place, walk = trainer.place, iter(batches)
    while True:
        start = time.perf_counter()
        try:
            x, y = next(walk)
        except StopIteration:
            break
        waited = time.perf_counter() - start
        loss = trainer.step(x, y)
        place.batch += 1
        place.loss += loss
        place.count += 1
        progress = Progress(
            trainer.steps, place.epoch + 1, trainer.optimizer.lr, loss, len(y),
            time.perf_counter() - start, waited,
        )  # fmt: skip
        for observer in observers:
            observer.stepped(progress)
        if trainer.steps == steps:
            break
