"""The diagnosis of a run: `Doctor` with what it needs of a session."""

import numpy as np

from cynet.train.diagnosis import Doctor


def doctor_of(session, say):
    """A `Doctor` that watches a `Session`; `say` gets each of its findings."""

    def look(count):
        with session.evaluation_loader(count) as batches:  # of its own: the session's is to begin anew
            return np.array(next(iter(batches))[0])

    return Doctor(
        session.trainer,
        say,
        session.batches.dataset.labels[session.division.kept],
        look,
        workers=session.settings.workers,
        even=session.settings.balanced or session.class_weights is not None,
        measure=session.measure,
    )
