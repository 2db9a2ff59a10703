"""How long a training will take and what memory it needs, told by its own first steps.

Design: the steps that are timed are those of the training, so that it stays what it would have been.
"""

import resource
import sys
import time
from itertools import pairwise
from statistics import median

from cynet.train.loop import Observer

from .lines import duration
from .validation import VALIDATION

STEPS, SECONDS = 12, 10.0  # that are timed, whatever is first


class Estimate(Observer):
    """Says a line after the first steps.

    Parameters
    ----------
    session : Session
    say : callable
    """

    def __init__(self, session, say):
        self.session, self.say = session, say
        self.times, self.done = [], False  # when each step ended

    def stepped(self, progress):
        if self.done:
            return
        self.times.append(time.perf_counter())
        # The first step is left out: it also makes buffers, and waits for the workers to start.
        if len(self.times) > STEPS or self.times[-1] - self.times[0] >= SECONDS:
            self.done = True
            self._tell(progress.step, median(b - a for a, b in pairwise(self.times)))

    def evaluated(self, result):
        self.done = True  # the run's own line tells more

    def _tell(self, step, seconds):
        steps, batches = self.session.settings.steps, self.session.batches
        picture, samples = self._evaluation()
        every = self.session.settings.evaluate_every * len(batches)
        evaluations = -(-steps // every) - step // every
        pictures = evaluations * samples
        if self.session.measure == VALIDATION:
            pictures += len(self.session.test_batches.dataset)  # once, at the end
        left = (steps - step) * seconds + pictures * picture
        beside = " beside its loader's workers" if self.session.settings.workers else ""
        memory = f"{peak_memory() / 2**20:,.0f} MiB of memory{beside}"
        if (free := available_memory()) is not None:
            memory += f" ({free / 2**20:,.0f} MiB are free)"
        self.say(
            f"estimate: {duration(left)} for {_counted(steps - step, 'step')} of {1000 * seconds:.3g} ms and "
            f"{_counted(evaluations, 'evaluation')} of {duration(picture * samples)}; {memory}"
        )

    def _evaluation(self):
        """(seconds a picture, pictures) of an evaluation, from a batch of it; the model is left as it was."""
        session = self.session
        with session.evaluation_loader() as batches:
            batch = next(iter(batches))
            session.trainer.evaluate([batch])  # the first one also makes buffers
            start = time.perf_counter()
            session.trainer.evaluate([batch])
            seconds = time.perf_counter() - start
            return seconds / len(batch[1]), len(batches.order(0))


def _counted(number, what):
    return f"{number:,} {what}" + ("s" if number != 1 else "")


def peak_memory():
    """The most bytes that this process had in memory, without its loader's workers."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def available_memory():
    """Bytes that new programs can have without swapping, None where the system does not tell."""
    try:
        with open("/proc/meminfo") as file:
            found = [line.split()[1] for line in file if line.startswith("MemAvailable:")]
    except OSError:
        return None
    return int(found[0]) * 1024 if found else None
