"""What batch norm changes, measured: a net with and without it, over learning rates and seeds.

Design: a study is a list of trainings, each a pure function of (experiment, batch norm, rates, seed). A
training at one rate is an annealing of one round: both are walked by the same few lines. Nothing here prints
or writes.
"""

from dataclasses import dataclass, replace
from itertools import product
from math import isfinite, nan

import numpy as np

from cynet.core import checks
from cynet.runs.session import Session, Settings
from cynet.train.metrics import evaluate
from cynet.train.trainer import Diverged

from .choices import RATES, ROUNDS, SEEDS

SWEEP, ANNEAL = "sweep", "anneal"
TAIL = 0.1  # part of a run's steps whose mean loss is its final loss


@dataclass(frozen=True)
class Experiment:
    """What a study trains.

    Attributes
    ----------
    settings : Settings
        Of every training, but for batch norm, rate and seed; `steps` is the length of one run.
    rates : sequence of float
        A run at each of them: the sweep.
    rounds : sequence of float
        The rates of the annealing, of which there is none without; each round is a run that continues the
        one before.
    seeds : int
        Each training is done with the seeds 0 to seeds - 1.
    """

    settings: Settings
    rates: tuple = RATES
    rounds: tuple = ROUNDS
    seeds: int = SEEDS

    def __post_init__(self):
        checks.integer("seeds", self.seeds, 1)
        checks.integer("steps", self.settings.steps, 1)

    @property
    def runs(self):
        """How many `Trial`s come out of it."""
        return 2 * self.seeds * (len(self.rates) + len(self.rounds))

    def trainings(self):
        """(phase, batch norm, rates, seed) of each training, in the order in which they are done."""
        for seed, rate, batch_norm in product(range(self.seeds), self.rates, (False, True)):
            yield SWEEP, batch_norm, (rate,), seed
        for seed, batch_norm in product(range(self.seeds if self.rounds else 0), (False, True)):
            yield ANNEAL, batch_norm, tuple(self.rounds), seed


@dataclass(frozen=True)
class Trial:
    """So many steps at one rate, and where they led.

    Attributes
    ----------
    phase : {"sweep", "anneal"}
    batch_norm : bool
    lr : float
    seed : int
    steps : int
        Taken since the weights were random: in an annealing those of earlier rounds too.
    loss : float
        Mean training loss of the run's last tenth of steps; NaN when it diverged.
    accuracy : float
        Of the test set, 0 to 1; NaN when it diverged.
    diverged : bool
    losses : tuple of float
        Of each step of this run.
    """

    phase: str
    batch_norm: bool
    lr: float
    seed: int
    steps: int
    loss: float
    accuracy: float
    diverged: bool
    losses: tuple


def study(experiment, training, test, watch=iter):
    """Train everything in an experiment.

    Parameters
    ----------
    experiment : Experiment
    training, test : ArrayDataset
    watch : callable, optional
        Wraps each walk over batches; it may raise to stop (see `Signals.watch`).

    Yields
    ------
    Trial
        As soon as it is done. A run that diverged is the last one of its annealing.

    Raises
    ------
    ValueError
        When pictures or batch size do not fit the model.
    """
    for phase, batch_norm, rates, seed in experiment.trainings():
        yield from _train(experiment.settings, phase, batch_norm, rates, seed, training, test, watch)


def _train(settings, phase, batch_norm, rates, seed, training, test, watch):
    """Yield the run of each rate, each continuing from the last."""
    steps = settings.steps
    settings = replace(
        settings,
        batch_norm=batch_norm,
        seed=seed,
        lr=rates[0],
        lr_steps={number * steps: rate for number, rate in enumerate(rates) if number},
        steps=len(rates) * steps,
    ).resolved(len(training.labels))
    with Session(settings, training, test) as session:
        batches = watch(_endless(session.batches))
        for rate in rates:
            # A run that diverges passes through infinity: that is what it is here to show.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                losses, accuracy = _steps(session, batches, steps, watch)
            diverged = accuracy is None
            yield Trial(
                phase,
                batch_norm,
                rate,
                seed,
                session.trainer.steps,
                nan if diverged else final_loss(losses),
                nan if diverged else accuracy,
                diverged,
                tuple(losses),
            )
            if diverged:
                return


def _steps(session, batches, count, watch):
    """(losses, test accuracy) after `count` steps; the accuracy is None when a loss diverged."""
    losses = []
    session.model.train()
    try:
        for _ in range(count):
            losses.append(session.trainer.step(*next(batches)))
    except Diverged:
        return losses, None
    result = evaluate(session.model, watch(session.test_batches))
    return losses, result.accuracy if isfinite(result.loss) else None


def _endless(loader):
    while True:
        yield from loader


def final_loss(losses):
    """The mean of the last tenth of a run's losses, one at least."""
    return float(np.mean(losses[-max(1, round(TAIL * len(losses))) :]))


# -- what the runs say --------------------------------------------------------------------------------------
def chosen(runs, phase, batch_norm, lr=None):
    """The runs of one phase and net, at one rate or at any."""
    return [r for r in runs if (r.phase, r.batch_norm) == (phase, batch_norm) and lr in (None, r.lr)]


def rates_of(runs, phase, batch_norm=None):
    """The rates of a phase in the order in which they were run, each once."""
    return list(dict.fromkeys(r.lr for r in runs if r.phase == phase and batch_norm in (None, r.batch_norm)))


def mean_and_spread(values):
    """(mean, sample standard deviation over seeds) of the values that are finite; NaN for want of values."""
    values = [value for value in values if isfinite(value)]
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else nan
    return (float(np.mean(values)), spread) if values else (nan, nan)


def best_rate(runs, phase, batch_norm):
    """The rate of the greatest mean test accuracy with no diverged run; None when there is no such rate."""
    means = {}
    for lr in rates_of(runs, phase, batch_norm):
        found = chosen(runs, phase, batch_norm, lr)
        if not any(run.diverged for run in found):
            means[lr] = mean_and_spread(run.accuracy for run in found)[0]
    return max(means, key=means.get) if means else None


def stood(runs, batch_norm, chance):
    """The greatest rate of the sweep at which every seed ends above twice chance's accuracy, or None."""
    rates = rates_of(runs, SWEEP, batch_norm)
    return max((lr for lr in rates if learned(runs, batch_norm, lr, chance)), default=None)


def learned(runs, batch_norm, lr, chance):
    """Whether every run of the sweep at a rate ends above twice chance's accuracy; none diverged."""
    found = chosen(runs, SWEEP, batch_norm, lr)
    return bool(found) and all(run.accuracy > 2 * chance for run in found)


def smooth(losses, width):
    """Means of `width` losses that end at each step; over as many as there are at the beginning."""
    # Summed window by window: differences of running sums lose small losses behind an enormous one.
    sums = np.convolve(losses, np.ones(width))[: len(losses)]
    return sums / np.minimum(np.arange(1, len(losses) + 1), width)


def window(losses):
    """Steps that are averaged where losses are drawn or compared: a twentieth of a run."""
    return max(1, round(len(losses) / 20))


def steps_to(losses, target):
    """The first step, from 1, at which the smoothed loss is at most `target`; None when it never is."""
    below = np.flatnonzero(smooth(losses, window(losses)) <= target)
    return int(below[0]) + 1 if len(below) else None


def mean_curve(runs):
    """(mean, sample standard deviation, 0 of one run) of the smoothed loss of each step; no diverged runs."""
    curves = [smooth(run.losses, window(run.losses)) for run in runs if not run.diverged]
    if not curves:
        return None, None
    return np.mean(curves, axis=0), np.std(curves, axis=0, ddof=min(1, len(curves) - 1))
