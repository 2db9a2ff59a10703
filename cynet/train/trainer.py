"""The trainer: a model with all that changes when it learns, and what one step is."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, sqrt
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray, Array, Batch
from cynet.nn.layer import Layer
from cynet.nn.losses import CrossEntropyLoss, Loss
from cynet.optim.optimizers import Optimizer

from .metrics import checked_model, evaluate


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
    carried : dict, optional

    Attributes
    ----------
    step : int
    batch : (x, y) or None
        Copies of what the model was given, when it was training.
    carried : dict of str to ndarray
        The states that went on from the batch before it, as `cynet.train.carrying.carried` tells them.
    """

    def __init__(
        self,
        step: int,
        value: float,
        what: str,
        batch: Batch | None = None,
        carried: dict[str, Array] | None = None,
    ) -> None:
        super().__init__(f"the {what} is {value} at step {step}")
        self.step, self.batch, self.carried = step, batch, carried or {}


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
    freezing : callable, optional
        Gets before each step how many epochs are finished, as `cynet.optim.choosing.Freezing`.

    Attributes
    ----------
    steps : int
        How many were taken.
    right : int
        How many samples of the last step's batch the model predicted right, before that step.
    place : Place
        Kept by `train`.

    Raises
    ------
    TypeError, ValueError
        When the model is no Layer, or `clip_norm` is not above 0.
    """

    sharding: Any = None  # computes a step's gradients in shards, perhaps with others: `train/shards/`

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
        freezing: Callable[[int], None] | None = None,
    ) -> None:
        self.model, self.criterion = checked_model(model), criterion
        self.optimizer, self.schedule = optimizer, schedule
        if clip_norm is not None:
            clip_norm = checks.number("clip_norm", clip_norm, 0, open_low=True)
        self.clip_norm, self.average, self.mixup = clip_norm, average, mixup
        self.accumulate = checks.integer("accumulate", accumulate, 1)
        self.evaluated = model if evaluated is None else checked_model(evaluated)
        self.steps, self.right, self.place, self.task = 0, 0, Place(), task
        self.freezing = freezing
        self._carried: dict[str, Array] = {}  # into the step under way
        model.input_grad = False

    def step(self, x: Array, y: AnyArray) -> float:
        """Forward, loss, backward, the parts of the batch after each other, and one step of the optimiser.

        Parameters
        ----------
        x : ndarray of float32, (N, ...)
            Of a model of several inputs a tuple, or list, of them.
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
        if self.freezing:
            self.freezing(self.place.epoch)
        self._carried = self.task.carried(self.model) if self.task else {}
        if self.mixup:
            x, others, share = self.mixup(x, y, self.steps)
            targets = [(y, share), (others, 1 - share)]
            y = y if share >= 0.5 else others  # what the picture shows most
        if self.sharding:
            loss, self.right = self.sharding.gradients(self, x, y, targets, batch)
        else:
            loss, self.right = self._gradients(x, y, targets, batch)
        if self.clip_norm is not None:
            self._clip(self.clip_norm, batch)
        self.optimizer.lr = self.schedule(self.steps)
        self.optimizer.step()
        self.steps += 1
        if self.average:
            self.average.update()
        return loss

    def _gradients(
        self, x: Any, y: AnyArray, targets: list[tuple[AnyArray, float]], batch: Batch
    ) -> tuple[float, int]:
        """The loss of a batch, and how many samples were predicted right; gradients are the parameters'."""
        loss, right = 0.0, 0
        for part in self.parts(0, len(y)):
            added, found, gradient = self.forward(x, y, targets, part)
            loss, right = loss + added, right + found
            if not isfinite(loss):
                raise self.diverged(loss, "training loss", batch)
            if part is None or not part.start:
                self.optimizer.zero_grad()
            self.model.backward(self.criterion.backward() if gradient is None else gradient)
        return loss, right

    def forward(
        self, x: Any, y: AnyArray, targets: list[tuple[AnyArray, float]], part: slice | None
    ) -> tuple[float, int, Array | None]:
        """What a part of a batch adds to the loss, how many of it are predicted right, the gradient of that
        loss (None: the criterion's own); the buffer of the logits is free again for backward."""
        logits = self.model(_cut(x, part))
        added, gradient = self._loss(logits, targets, part)
        return added, self._right(logits, _cut(y, part)), gradient

    @property
    def columns(self) -> bool:
        """Whether labels are a matrix, by the task."""
        return self.task is not None and self.task.columns

    def evaluate(self, batches: Any) -> Any:
        """What the task, or `metrics.evaluate`, says of the model as it is."""
        return (self.task.evaluate if self.task else evaluate)(self.evaluated, batches)

    def count(self, y: AnyArray) -> int:
        """How many samples (by the task perhaps tokens) a batch with these labels counts."""
        return self.task.count(y) if self.task else len(y)

    def _right(self, logits: Array, y: AnyArray) -> int:
        return self.task.right(logits, y) if self.task else int(np.count_nonzero(logits.argmax(axis=1) == y))

    def diverged(self, value: float, what: str, batch: Batch) -> Diverged:
        """A `Diverged` of the step under way, with its batch."""
        batch = self.sharding.whole(batch) if self.sharding else batch
        return Diverged(self.steps + 1, value, what, *copy.deepcopy((batch, self._carried)))

    def parts(self, start: int, stop: int) -> list[slice | None]:
        """Where the parts of a batch, or of a shard, lie, as equal as they can be; [None]: it is one."""
        samples = stop - start
        count = max(1, min(self.accumulate, samples))
        ends = [start + samples * i // count for i in range(count + 1)]
        return [None] if count == 1 and not self.sharding else [slice(*pair) for pair in pairwise(ends)]

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
            raise self.diverged(norm, "gradient's norm", batch)
        if norm > most:
            for parameter in self.optimizer.params:
                parameter.grad *= np.float32(most / norm)

    def evaluated_weights(self) -> AbstractContextManager[None]:
        """A context within which the model has the weights that are evaluated and kept: the average."""
        return self.average.swapped() if self.average else contextlib.nullcontext()


def _cut(x: Any, part: slice | None) -> Any:
    """The samples of a part of a batch, of one array or of several; None: all."""
    if isinstance(x, (tuple, list)):
        return tuple(_cut(one, part) for one in x)
    return x if part is None else x[part]
