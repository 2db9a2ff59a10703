"""What a training says at its beginning: its net and its pictures; whether these are few or uneven."""

import numpy as np

from cynet.core.wording import FLAGS
from cynet.data import balance
from cynet.nn.summary import summary
from cynet.train import batching

from .validation import VALIDATION

MOST = 10  # classes whose weights are all shown


def introduce(session, folder, say):
    """Say what is trained, on what, and how."""
    s, training, test = session.settings, session.batches.dataset, session.test_batches.dataset
    total = summary(session.model, training.picture_shape)
    say(total)
    say(
        f"model {s.model}{' with batch norm' if s.batch_norm else ''}: {total.parameters:,} parameters, "
        f"{total.macs:,} MACs and {total.activation_bytes:,} activation bytes a picture"
    )
    trained, frozen = _sizes(session.model)
    if frozen:
        numbers = f"{sum(frozen):,} of {sum(frozen) + sum(trained):,} numbers"
        say(f"frozen: {len(frozen)} of {len(frozen) + len(trained)} parameters, {numbers}, stay as they are")
    parts = f"{len(session.division.kept):,} training"
    if session.measure == VALIDATION:
        parts += f", {len(session.division.held_out):,} {VALIDATION}"
    say(f"data {s.data}: {parts} and {len(test.labels):,} test pictures of {len(training.classes)} classes")
    for note in dict.fromkeys((*getattr(training, "notes", ()), *getattr(test, "notes", ()))):
        say(f"note: {note}")
    say(
        f"{s.steps} steps of {_pictures(s)}; {s.threads} threads, {s.workers} loader workers; "
        f"run {folder.path}"
    )


def _sizes(model):
    """(sizes of the parameters that are trained, of those that are not)."""
    parameters = model.parameters()
    return [[p.size for p in parameters if p.requires_grad is wanted] for wanted in (True, False)]


def _pictures(settings):
    """'128', or '4 x 32' where a step is accumulated."""
    return (
        f"{settings.accumulate} x {settings.batch_size}" if settings.accumulate > 1 else settings.batch_size
    )


def of(session, words=FLAGS):
    """Lines to say at the beginning of a `Session`; none where all is well. `words`: a `Wording`."""
    settings, dataset, division = session.settings, session.batches.dataset, session.division
    classes = dataset.classes
    counts, held_out = (
        np.bincount(dataset.labels[part], minlength=len(classes))
        for part in (division.kept, division.held_out)
    )
    done = settings.balanced or session.class_weights is not None
    lines = [str(session.initial)] if session.initial else []
    lines += balance.described(counts, classes, "" if done else balance.advice(words))
    if session.measure == VALIDATION and (without := np.flatnonzero((counts > 0) & (held_out == 0))).size:
        names = balance.named([classes[k] for k in without])
        lines.append(f"validation has no pictures of: {names}; a class's only picture is trained on")
    if session.class_weights is not None:
        lines.append(_weights(session.class_weights, counts, classes))
    what = "draws" if settings.balanced else "pictures"
    if settings.accumulate > 1:
        steps, left = divmod(len(division.kept), settings.step_size)
        many = f"{steps} step{'s' * (steps != 1)} of {_pictures(settings)} {what}"
        lines += [f"an epoch is {many} and leaves out {left}"] if steps < batching.FEW else []
    elif advice := batching.advice(len(division.kept), settings.batch_size, what, words):
        lines.append(advice)
    return lines


def _weights(weights, counts, classes):
    shown = np.flatnonzero(counts)
    between = ", "
    if len(classes) > MOST:
        shown, between = shown[[weights[shown].argmin(), weights[shown].argmax()]], " to "
    text = between.join(f"{classes[k]} {weights[k]:.3g}" for k in shown)
    empty = np.flatnonzero(counts == 0)
    text += f", without pictures {', '.join(f'{classes[k]} 0' for k in empty[:MOST])}" if len(empty) else ""
    return f"class weights in the loss of training: {text}; evaluations weigh every picture the same"
