"""What a training says at its beginning: its net and its pictures; whether these are few or uneven."""

from dataclasses import replace

import numpy as np

from cynet.core.names import printable
from cynet.core.tasks import LANGUAGE, MULTILABEL
from cynet.core.wording import FLAGS
from cynet.data import balance
from cynet.data.dataset import labelled, words_of
from cynet.nn.summary import of_shape
from cynet.train import batching

from .resolving import epoch_steps
from .validation import VALIDATION

MOST = 10  # classes whose weights are all shown
FAR = 30  # from 0 and 1, which the mean and the deviation of numbers had best be


def introduce(session, folder, say):
    """Say what is trained, on what, and how."""
    s, training, test = session.settings, session.batches.dataset, session.test_batches.dataset
    what = words_of(training.picture_shape, session.task.name)
    total = of_shape(session.model, (1, *session.facts.picture_shape))
    say(total)
    norm = " with batch norm" if session.facts.is_normed and session.net is None else ""
    say(
        f"model {s.model}{norm}: {total.parameters:,} parameters, "
        f"{total.macs:,} MACs and {total.activation_bytes:,} activation bytes a {_one(what, s)}"
    )
    trained, frozen = _sizes(session.model)
    if frozen:
        numbers = f"{sum(frozen):,} of {sum(frozen) + sum(trained):,} numbers"
        say(f"frozen: {len(frozen)} of {len(frozen) + len(trained)} parameters, {numbers}, stay as they are")
    parts = f"{len(session.division.kept):,} training"
    if session.measure == VALIDATION:
        parts += f", {len(session.division.held_out):,} {VALIDATION}"
    labels = labelled(len(training.classes), session.task.name)
    say(f"data {s.data}: {parts} and {len(test.labels):,} test {what} of {labels}")
    if session.task.name == LANGUAGE:
        say(f"task {LANGUAGE}: which token comes next{f', by {s.level}' if s.level else ''}")
    elif session.task.columns:
        named = balance.named([printable(name) for name in training.classes])
        say(f"task {session.task.name}{f', loss {s.loss}' if s.loss else ''}: {named}")
    for note in dict.fromkeys((*getattr(training, "notes", ()), *getattr(test, "notes", ()))):
        say(f"note: {note}")
    say(
        f"{s.steps} steps of {_pictures(s)}; {s.threads} threads, {s.workers} loader workers; "
        f"run {folder.path}"
    )


def _one(what, settings):
    """What one input is called."""
    return f"sequence of {settings.sequence_length} {what}" if settings.sequence_length else what[:-1]


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
    if session.task.columns:
        lines = [str(session.initial)] if session.initial else []
        if session.task.name == LANGUAGE:
            return lines + _of_text(dataset, settings, words)
        lines += _columns(dataset.labels[division.kept], classes, session)
        what = words_of(dataset.picture_shape)
        advice = batching.advice(len(division.kept), settings.batch_size, what, words)
        return [*lines, advice] if advice else lines
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
        many = f"{_counted(steps, 'step')} of {_pictures(settings)} {what}"
        lines += [f"an epoch is {many} and leaves out {left}"] if steps < batching.FEW else []
    elif advice := batching.advice(len(division.kept), settings.batch_size, what, words):
        lines.append(advice)
    return lines


def _of_text(text, settings, words):
    """Lines on a text of one token alone, and on one that is short for its batches."""
    lines, tokens, length = [], text.tokens, settings.sequence_length
    if (tokens == tokens[0]).all():
        only = printable(text.classes[tokens[0]])
        lines.append(f"all {len(tokens):,} tokens to train on are “{only}”: there is nothing to learn")
    steps = epoch_steps(settings, len(text))
    if steps < batching.FEW:
        rows = f"{_counted(settings.batch_size, 'row')} of {_counted(length, 'token')}"
        told = f"an epoch is {_counted(steps, 'step')} of {rows}"
        lines.append(told + _more_steps(settings, len(text), words))
    return lines


def _more_steps(settings, samples, words):
    """What makes an epoch of a text ten steps: fewer rows, or one of shorter sequences; '': nothing."""
    before = batching.FEW - 1  # steps that are whole
    rows = (samples + 1) // (before * settings.sequence_length + 2)
    length = settings.sequence_length if rows else (samples - 1) // before
    if not length:
        return ""
    better = replace(settings, batch_size=rows or 1, sequence_length=length)
    advice = words.with_value("batch_size", better.batch_size)
    if not rows:
        advice += f" and {words.with_value('sequence_length', length)}"
    return f": try {advice} ({_counted(epoch_steps(better, samples), 'step')})"


def _counted(count, what):
    return f"{count} {what}{'s' * (count != 1)}"


def _columns(labels, classes, session):
    """Lines on labels that are no classes."""
    if session.task.name == MULTILABEL:
        ones = labels.sum(axis=0, dtype=np.float64)
        found = (ones == 0, "no sample of training has"), (ones == len(labels), "every sample of it has")
        lines = [f"{text}: {balance.named([classes[k] for k in np.flatnonzero(odd)])}" for odd, text in found
                 if odd.any()]  # fmt: skip
        if session.class_weights is not None:
            pairs = list(zip(classes, session.class_weights, strict=True))[:MOST]
            shown = ", ".join(f"{name} {weight:.3g}" for name, weight in pairs)
            lines.append(f"a label's 1 counts in the loss of training: {shown}")
        return lines
    mean, std = labels.mean(axis=0, dtype=np.float64), labels.std(axis=0, dtype=np.float64)
    odd = np.flatnonzero((np.abs(mean) > FAR) | (std > FAR) | (std < 1 / FAR))
    if not len(odd):
        return []
    names, first = balance.named([classes[k] for k in odd]), odd[0]
    which = f"number {names} has" if len(odd) == 1 else f"numbers {names} have, the first of them,"
    moments = f"a mean of {mean[first]:.3g} and a deviation of {std[first]:.3g}"
    return [f"the {which} {moments}: nets learn best what has about 0 and 1"]


def _weights(weights, counts, classes):
    shown = np.flatnonzero(counts)
    between = ", "
    if len(classes) > MOST:
        shown, between = shown[[weights[shown].argmin(), weights[shown].argmax()]], " to "
    text = between.join(f"{classes[k]} {weights[k]:.3g}" for k in shown)
    empty = np.flatnonzero(counts == 0)
    text += f", without pictures {', '.join(f'{classes[k]} 0' for k in empty[:MOST])}" if len(empty) else ""
    return f"class weights in the loss of training: {text}; evaluations weigh every picture the same"
