"""The task of texts: what comes next, of each token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import exp, inf
from typing import Any, ClassVar

import numpy as np

from cynet.core.tasks import LANGUAGE
from cynet.core.types import AnyArray, Array, Batch
from cynet.nn.layer import Layer
from cynet.nn.losses import Loss
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad
from cynet.nn.sequence_loss import SequenceLoss

from .carrying import afresh, carried, carry, carrying, forget
from .metrics import checked_model, pairs
from .task import Task

MOST_LOSS = 700.0  # beyond it e^loss is no float


@dataclass(frozen=True)
class TokenEvaluation:
    """What a model says of a text.

    Attributes
    ----------
    loss : float
        The mean cross-entropy of a token.
    right, tokens : int
        How many tokens were the likeliest one, and how many there are.
    """

    loss: float
    right: int
    tokens: int
    task: ClassVar[str] = LANGUAGE

    @property
    def perplexity(self) -> float:
        """e^loss: among how many equally likely tokens it would be as unsure."""
        return exp(self.loss) if self.loss < MOST_LOSS else inf

    @property
    def accuracy(self) -> float:
        """The part of the tokens that was the likeliest one, 0 to 1."""
        return self.right / self.tokens


class LanguageTask(Task):
    """Texts: of each token the one that follows it. Labels are (N, L); rows go on in the next batch."""

    name, columns = LANGUAGE, True
    skilled = "accuracy"  # what sentences call `skill`
    things, indexed = "sequences", "rows that begin at the token"

    def criterion(self, label_smoothing: float = 0.0, weights: Any = None) -> Loss:
        return SequenceLoss(label_smoothing, weight=weights)

    def training(self, model: Layer) -> AbstractContextManager[None]:
        return carrying(model)

    def apart(self, model: Layer) -> AbstractContextManager[None]:
        return afresh(model)

    def begin(self, model: Layer, batches: Any, number: int) -> None:
        if batches.begins(number):
            forget(model)

    def carried(self, model: Layer) -> dict[str, Array]:
        return carried(model)

    def carry(self, model: Layer, states: Mapping[str, Any]) -> None:
        carry(model, states)

    def count(self, y: AnyArray) -> int:
        return y.size

    def right(self, output: Array, y: AnyArray) -> int:
        return int((output.argmax(axis=-1) == y).sum())

    def evaluate(self, model: Layer, batches: Iterable[Batch]) -> TokenEvaluation:
        """Run a model, in evaluation mode, over a text once, its state carried from batch to batch.

        Parameters
        ----------
        model : Layer
            Its state and modes are afterwards what they were.
        batches : iterable of (x, y)
            Integers (N, L), as `cynet.data.text.Sequences` gives them.

        Returns
        -------
        TokenEvaluation
        """
        checked_model(model)
        criterion, loss, right, tokens = SequenceLoss(), 0.0, 0, 0
        with evaluating(model), afresh(model), no_grad():
            for x, y in pairs(batches, columns=True):
                logits = model(x)
                loss += criterion(logits, y) * y.size
                right += self.right(logits, y)
                tokens += y.size
        if not tokens:
            raise ValueError("batches: wanted at least one token, got none")
        return TokenEvaluation(loss / tokens, right, tokens)

    def guessing(self, labels: AnyArray) -> float:
        return super().guessing(np.ravel(labels))

    def chance(self, labels: AnyArray) -> float:
        """What `skill` is of a model that says the likeliest token of all each time."""
        counts = np.bincount(np.ravel(labels))
        return float(counts.max() / counts.sum())

    def skill(self, evaluation: TokenEvaluation) -> float:
        return evaluation.accuracy
