"""What a new training says of its pictures: few, uneven, or left out by the batch size."""

import numpy as np

MOST = 10  # classes whose weights are all shown


def of(session):
    """Lines to say at the beginning of a `Session`; none where all is well."""
    from cynet.data import balance
    from cynet.runs.validation import VALIDATION
    from cynet.train import batching

    settings, dataset, division = session.settings, session.batches.dataset, session.division
    classes = dataset.classes
    counts, held_out = (
        np.bincount(dataset.labels[part], minlength=len(classes))
        for part in (division.kept, division.held_out)
    )
    done = settings.balanced or session.class_weights is not None
    lines = balance.described(counts, classes, *([""] if done else []))
    if session.measure == VALIDATION and (without := np.flatnonzero((counts > 0) & (held_out == 0))).size:
        names = balance.named([classes[k] for k in without])
        lines.append(f"validation has no pictures of: {names}; a class's only picture is trained on")
    if session.class_weights is not None:
        lines.append(_weights(session.class_weights, counts, classes))
    what = "draws" if settings.balanced else "pictures"
    if advice := batching.advice(len(division.kept), settings.batch_size, what):
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
