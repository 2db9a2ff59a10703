"""A training that came to a loss that is no number: where it broke, what shows it again, how to go on."""

import io
import shlex

import numpy as np

from cynet.core.files import reason, write_atomically
from cynet.train import diagnosis

from . import replay
from .settings import ANNEALED
from .state import CARRIED
from .weights import save_weights


def explain(session, folder, error, say, names):
    """Say where a training broke, and keep what shows it again; the ways out, as they were said."""
    say(diagnosis.not_finite(session.trainer, session.batches, error, names))
    try:
        _keep(session, folder, error, say)
    except OSError as problem:
        say(f"note: what shows it again is not kept: {reason(problem)}")
    advice = []
    _ways_out(session, folder, advice.append, names)
    for line in advice:
        say(line)
    return tuple(advice)


def _keep(session, folder, error, say):
    """Keep the weights and the batch of a step whose loss was no number, and say how to see it again."""
    weights, batch = folder.own(replay.WEIGHTS), folder.own(replay.BATCH)
    save_weights(weights, session.model, session.facts)
    if error.batch is not None:
        x, y = error.batch
        more = {} if session.class_weights is None else {"class_weights": session.class_weights}
        more |= {CARRIED + name: array for name, array in error.carried.items()}
        packed = io.BytesIO()
        np.savez(
            packed,
            x=x,
            y=y,
            step=error.step,
            samples=diagnosis.samples(session.trainer, session.batches),
            **more,
        )
        write_atomically(batch, packed.getvalue())
        say(f"the weights before that step are in {weights}, its batch in {batch}; to see it again:")
        program = f"from cynet.runs import replay; replay.diverged({str(folder.path)!r})"
        say(f"  python -c {shlex.quote(program)}")


def _ways_out(session, folder, say, names):
    """Say from which weights, and how, a training that broke can go on."""
    settings = session.settings
    rate = "lr_steps" if settings.schedule == ANNEALED and settings.lr_steps else "lr"
    row = folder.metrics.last()
    guessing = np.log(len(session.facts.classes))
    if session.task.columns:
        guessing = session.task.guessing(session.batches.dataset.labels)
    last = folder.checkpoint
    if last and row and row["train_loss"] > 2 * guessing:
        say(f"the last checkpoint, {last}, is spoilt too: its loss is {row['train_loss']:g}")
        if folder.best.exists():
            say(f"better begin anew from the best weights: {names.begin(folder.best)}")
    elif last:
        say(
            f"the last checkpoint, {last}, is from before, and by itself would come to the same end; "
            f"with a lower rate: {names.resume(folder.path, rate)}"
        )
