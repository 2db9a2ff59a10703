"""What a run leaves behind while it goes: rows, digests, weights, and checkpoints to go on from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cynet.train.loop import Observer, Progress, Result

from . import checkpoint
from .filenames import BEST, WEIGHTS
from .folder import RunFolder
from .samples import sampler_of
from .saved import MOST_LOSS
from .state import capture
from .weights import digests, save_weights

if TYPE_CHECKING:
    from .session import Session


class Recorder(Observer):
    """Writes a row after each step, and a row of metrics and the weights after each evaluation.

    Parameters
    ----------
    folder : RunFolder
    session : Session
    best : dict, optional
        Accuracy (or what the task's score is), step and epoch of the best evaluation so far; of the first
        one, with None as the score, while none of an evaluation is known.
    seconds : float, optional
        That the run took so far.
    """

    def __init__(
        self,
        folder: RunFolder,
        session: Session,
        best: dict[str, Any] | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.folder, self.model, self.facts = folder, session.model, session.facts
        self.trainer, self.patience = session.trainer, session.settings.patience
        self.best, self.task = best, session.task
        self.start = time.monotonic() - seconds
        self._digested, self._sampler = folder.digests.last().get("step", -1), sampler_of(session)
        if not session.trainer.steps:
            self._digest(0)

    @property
    def seconds(self) -> float:
        """That the run took so far, without what lay between two parts of it."""
        return time.monotonic() - self.start

    def stepped(self, progress: Progress) -> None:
        step = progress.step
        # The loss with all its digits: two runs are compared by it.
        right = [f"{progress.right / progress.images:.6g}"] if self.task.measures.trained else []
        start = f"{step},{progress.epoch},{progress.lr:.6g},{progress.loss!r}"
        self.folder.steps.add(",".join([start, *right, f"{self.seconds:.3f}"]))
        if is_round(step):
            self._digest(step)

    def evaluated(self, result: Result) -> None:
        if result.measure != self.folder.measure:
            raise ValueError(
                f"measure: wanted evaluations on the {self.folder.measure} pictures, as configured, got one "
                f"on the {result.measure} pictures (Session.train takes the right ones)"
            )
        self.folder.follow()
        right = [result.train_accuracy] if self.task.measures.trained else []
        values = [result.lr, result.train_loss, *right, result.test.loss]
        values += self.task.values(result.test).values()
        row = [f"{result.step},{result.epoch}", *(f"{value:.6g}" for value in values), f"{self.seconds:.2f}"]
        self.folder.metrics.add(",".join(row))
        if self._sampler:
            with self.trainer.evaluated_weights():
                self.folder.samples.add(self._sampler.row(result.step, result.epoch))
        self._digest(result.step)
        self.folder.sync()
        self.save()
        measures, score = self.task.measures, self.task.score(result.test)
        if self.best is None or measures.better(score, self.best[measures.score]):
            known = score if abs(score) <= MOST_LOSS else None  # JSON has neither NaN nor infinity
            self.best = {measures.score: known, "step": result.step, "epoch": result.epoch}
            self._save(BEST)

    def enough(self) -> bool:
        """Whether the run's `patience` is at its end: so many epochs in a row brought no better score."""
        return out_of_patience(self.patience, self.best, self.trainer.place.epoch)

    def save(self) -> None:
        """Write the weights as they are now."""
        self._save(WEIGHTS)

    def _save(self, name):
        with self.trainer.evaluated_weights():
            save_weights(self.folder.own(name), self.model, self.facts)

    def _digest(self, step):
        if step == self._digested:
            return
        self._digested = step
        for name, sha256 in digests(self.model).items():
            self.folder.digests.add(f"{step},{name},{sha256}")


class Keeper(Observer):
    """Writes checkpoints: after each evaluation, and so many steps or minutes after the one before.

    Parameters
    ----------
    folder : RunFolder
    session : Session
    recorder : Recorder
    origins : dict
        Where each setting came from.
    """

    def __init__(
        self, folder: RunFolder, session: Session, recorder: Recorder, origins: dict[str, str]
    ) -> None:
        self.folder, self.session, self.recorder, self.origins = folder, session, recorder, origins
        self.every = session.settings.checkpoint_every
        self.pause = 60 * session.settings.checkpoint_minutes or float("inf")
        self.due = time.monotonic() + self.pause

    @property
    def path(self) -> Path:
        return self.folder.path / checkpoint.NAME

    def stepped(self, progress: Progress) -> None:
        if (self.every and progress.step % self.every == 0) or time.monotonic() >= self.due:
            self.save()

    def evaluated(self, result: Result) -> None:
        self.save()

    def save(self) -> None:
        """Write a checkpoint now, and before it all rows that belong to it."""
        path = self.folder.own(checkpoint.NAME)
        self.folder.sync()
        checkpoint.save(path, *self._contents())
        self.due = time.monotonic() + self.pause

    def _contents(self):
        recorder = self.recorder
        return capture(self.session, self.origins, recorder.best, recorder.seconds)


def out_of_patience(patience, best, epochs):
    """Whether `patience` epochs went by since the best evaluation, after so many epochs."""
    return bool(patience and best) and epochs - best["epoch"] >= patience


def rounds(steps):
    """The steps up to `steps` that are round, in order."""
    for power in range(len(str(steps))):
        yield from (step for step in (10**power, 2 * 10**power, 5 * 10**power) if step <= steps)


def is_round(step):
    """Whether a step is 1, 2 or 5 times a power of ten: there the weights' digest is kept."""
    text = str(step)
    return text[0] in "125" and not text[1:].strip("0")
