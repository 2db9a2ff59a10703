"""What became of a run that was begun or went on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cynet.core.tasks import MEASURES
from cynet.train.loop import Result
from cynet.train.metrics import Evaluation

from .filenames import BEST, WEIGHTS

# What an `Outcome` tells of a run,
FINISHED, STOPPED, DIVERGED = "finished", "stopped", "diverged"
# and what its files tell besides, in which one that diverged is one of those that failed.
RUNNING, FAILED = "running", "failed"


@dataclass(frozen=True, repr=False)
class Outcome:
    """How a run ended, and what there is now.

    Attributes
    ----------
    status : str
        "finished": it came to its last step, or its patience to an end. "stopped": by Ctrl-C or another
        signal; a checkpoint is there. "diverged": a loss was no number any more.
    folder : Path
        Where the run is now.
    step, steps : int
        How many were taken, and how many there are to be.
    measure : str
        What it is measured on: "test", or "validation" where pictures are held out.
    best : dict or None
        "accuracy" ("ap", "rmse" of other tasks), "step" and "epoch" of its best evaluation; None as the
        first where it is not known of any, as without a sample that has a label: "step" is then the first's.
    last : Result or None
        The last evaluation of this part of the run, None where it had none.
    test : Evaluation or None
        Of the test set, at the end of a run that is finished; None where it was looked at before.
    signal : int or None
        The number of the signal that stopped it.
    error : str or None
        What went wrong.
    advice : tuple of str
        What can be done next, a line each.
    """

    status: str
    folder: Path
    step: int
    steps: int
    measure: str
    best: dict[str, Any] | None = None
    last: Result | None = None
    test: Evaluation | None = None
    signal: int | None = None
    error: str | None = None
    advice: tuple[str, ...] = ()

    @property
    def weights(self) -> Path:
        """The file of the last weights."""
        return self.folder / WEIGHTS

    @property
    def best_weights(self) -> Path:
        """The file of the weights of the best evaluation."""
        return self.folder / BEST

    def __str__(self) -> str:
        text = f"{self.status} after {self.step} of {self.steps} steps: {self.folder}"
        if self.best is not None:
            measures = next(each for each in MEASURES.values() if each.score in self.best)
            best = self.best[measures.score]
            text += f"; best {self.measure} {measures.words} {'nan' if best is None else f'{best:.4f}'}"
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"  # without the arrays of its evaluations


class Interrupted(KeyboardInterrupt):
    """A second signal ended a training at once; `signal` is the number of the first."""

    def __init__(self, number):
        super().__init__("stopped at once")
        self.signal = number
