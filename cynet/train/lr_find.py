"""A range test of learning rates (Smith 2017, "Cyclical learning rates for training neural networks").

The rate grows by the same factor from step to step; the loss over the rates shows where learning begins and
where it breaks off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.drawing import figure_class
from cynet.core.types import AnyArray, Batch

from .metrics import pairs
from .tasks import step_of
from .trainer import Diverged, Trainer

LOWEST, HIGHEST, STEPS = 1e-4, 10.0, 150
SMOOTH = 0.1  # weight of the newest loss
TOO_FAR = 3.0  # times the least loss, at which the test ends
SPAN = 20  # steps


@dataclass(frozen=True)
class Found:
    """The curve, and a rate to begin with.

    Attributes
    ----------
    rates, losses, smooth : ndarray of float64
        Of each step; the smooth losses are an exponential average, corrected for its start.
    suggestion : float
        The rate at which the smooth loss falls fastest, to one digit.
    """

    rates: np.ndarray
    losses: np.ndarray
    smooth: np.ndarray
    suggestion: float


def lr_find(
    trainer: Trainer,
    batches: Iterable[Batch],
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
) -> Found:
    """Train with growing rates; the trainer's weights are of no use afterwards.

    Parameters
    ----------
    trainer : Trainer
        New; its schedule is replaced.
    batches : iterable of (x, y)
        Walked through as often as needed.
    lowest, highest : float, optional
        Of the first and of the last step; above 0.
    steps : int, optional
        At least 2.

    Returns
    -------
    Found

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or the loss is not finite from the start on.
    """
    lowest = checks.number("lowest", lowest, 0, open_low=True)
    highest = checks.number("highest", highest, 0, open_low=True)
    steps = checks.integer("steps", steps, 2)
    rates: list[float] = []
    losses: list[float] = []
    smooth: list[float] = []
    average = 0.0
    trainer.schedule = lambda step: lowest * (highest / lowest) ** (step / (steps - 1))
    trainer.model.train()
    for number, (place, (x, y)) in zip(range(steps), _endless(batches, trainer.columns), strict=False):
        try:
            loss = step_of(trainer, batches, place, x, y)
        except Diverged:
            break
        rates.append(trainer.optimizer.lr)
        losses.append(loss)
        average += SMOOTH * (loss - average)
        smooth.append(average / (1 - (1 - SMOOTH) ** (number + 1)))
        if not isfinite(smooth[-1]) or smooth[-1] > TOO_FAR * min(smooth):
            break
    if not losses:
        raise ValueError("lr_find: wanted a finite loss at the lowest rate, got none")
    found = np.array(rates), np.array(losses), np.array(smooth)
    return Found(*found, float(f"{_steepest(found[0], found[2]):.0e}"))


def _steepest(rates: AnyArray, smooth: AnyArray) -> AnyArray:
    """The rate in the middle of the `SPAN` steps, up to the least loss, in which the loss falls most."""
    span = min(SPAN, len(smooth) - 1)
    end = max(int(np.argmin(smooth)), span)
    start = int(np.argmax(smooth[: end + 1 - span] - smooth[span : end + 1]))
    return rates[start + span // 2]


def _endless(batches: Iterable[Batch], columns: bool) -> Iterator[tuple[int, Batch]]:
    while True:
        none = True
        for batch in enumerate(pairs(batches, columns=columns)):
            none = False
            yield batch
        if none:
            raise ValueError("batches: wanted some that can be walked through again, got none")


def rows(found: Found) -> Any:
    """The curve as CSV."""
    lines = ["step,lr,loss,smooth_loss"]
    for i, values in enumerate(zip(found.rates, found.losses, found.smooth, strict=True), 1):
        lines.append(f"{i}," + ",".join(f"{value:.6g}" for value in values))
    return "\n".join([*lines, ""])


def plot(found: Found, path: str | os.PathLike[str]) -> None:
    """Draw the curve as a PNG, by matplotlib (an extra); an ImportError says what is missing."""
    figure = figure_class()((7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color="#b8c4d6", linewidth=1, label="loss of each step")
    axes.plot(found.rates, found.smooth, color="#2563b0", linewidth=2, label="smooth")
    axes.axvline(found.suggestion, color="#c2570c", linestyle="--", label=f"suggestion: {found.suggestion:g}")
    axes.set_xlim(found.rates[0] / 1.5, found.rates[-1] * 1.5)  # some width for one rate alone, too
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss", title="Learning rate range test")
    axes.set_ylim(0.9 * found.smooth.min(), 1.1 * max(found.smooth[0], 1.5 * found.smooth.min()) or 1.0)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=140, format="png")
