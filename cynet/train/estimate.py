"""How long a training will take, and how much memory, from a few steps on a model that is thrown away."""

import time
from dataclasses import dataclass

import numpy as np

import cynet.core.random as random
from cynet import models
from cynet.losses import CrossEntropyLoss
from cynet.optim import SGD

from .loop import Trainer

STEPS, SECONDS = 12, 1.0  # the most timed steps, and what they may take together, about


@dataclass(frozen=True)
class Estimate:
    """Seconds a step and seconds of one evaluation, about."""

    step: float
    evaluation: float

    def whole(self, steps, evaluations):
        """Seconds of a training."""
        return steps * self.step + evaluations * self.evaluation


def estimate(settings, picture_shape, classes, tests):
    """Time a few steps of a model like that of the settings, on random pictures.

    The random state is afterwards what it was.

    Parameters
    ----------
    settings : Settings
        Resolved.
    picture_shape : tuple of int
        (height, width, channels).
    classes, tests : int
        How many classes, and pictures of the test set.

    Returns
    -------
    Estimate
    """
    state = random.get_state()
    try:
        model = models.create(settings.model, settings.batch_norm, classes)
        optimizer = SGD(model.parameters(), 1e-6, settings.momentum, settings.weight_decay)
        trainer = Trainer(model, CrossEntropyLoss(), optimizer, lambda step: 1e-6)
        rng = np.random.default_rng(0)
        x = rng.standard_normal((settings.batch_size, *picture_shape), dtype=np.float32)
        y = rng.integers(0, classes, settings.batch_size)
        times = []
        while len(times) < 2 or (len(times) < STEPS and sum(times) < SECONDS):
            start = time.perf_counter()
            trainer.step(x, y)
            times.append(time.perf_counter() - start)
    finally:
        random.set_state(state)
    step = float(np.median(times[1:]))
    return Estimate(step, step / 3 * tests / settings.batch_size)  # forward alone is a third, about


def duration(seconds):
    """'3 h 20 min', '12 min', '40 s'."""
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
