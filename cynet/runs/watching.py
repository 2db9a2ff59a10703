"""The diagnosis of a run: `Doctor` with what it needs of a session."""

from collections.abc import Callable

import numpy as np

from cynet.core.types import Array
from cynet.core.wording import FLAGS, Wording
from cynet.train.diagnosis import Doctor, Finding

from .session import Session


def doctor_of(session: Session, say: Callable[[Finding], object], words: Wording = FLAGS) -> Doctor:
    """A `Doctor` that watches a `Session`; `say` gets each of its findings, written in these words."""

    def look(count: int) -> Array:
        with session.evaluation_loader(count) as batches:  # of its own: the session's is to begin anew
            return np.array(next(iter(batches))[0])

    return Doctor(
        session.trainer,
        say,
        session.batches.dataset.labels[session.division.kept],
        look,
        workers=int(session.settings.workers),
        even=session.settings.balanced or session.class_weights is not None,
        measure=session.measure,
        words=words,
        task=session.task,
    )
