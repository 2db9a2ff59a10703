"""The whole state of a training, to a checkpoint and back.

Design: a batch is a pure function of seed, epoch and number, and a random key of a counter, so the state is
the weights, the optimiser's buffers, and a handful of numbers. The thread and worker counts are none of it.
"""

from dataclasses import asdict, fields, replace

import cynet.core.random as random

from .loop import Place
from .settings import FREE

MODEL, OPTIMIZER, AVERAGE = "model.", "optimizer.", "average."
ENTRIES = ("step", "place", "loader", "random", "schedule", "config", "origin", "best", "seconds")


def capture(session, origins=None, best=None, seconds=0.0):
    """(tensors, state) of a session, for `checkpoint.save`.

    Parameters
    ----------
    session : Session
    origins : dict of str to str, optional
        Where each setting came from.
    best : dict, optional
    seconds : float, optional
    """
    trainer, place = session.trainer, session.trainer.place
    state = {
        "step": trainer.steps,
        "place": asdict(place),
        # Where the training stands; the loader itself may be ahead by a batch that no step has used.
        "loader": session.batches.state_dict() | {"epoch": place.epoch, "batch": place.batch},
        "random": random.get_state(),
        "schedule": repr(trainer.schedule),
        "config": {name: value for name, value in session.settings.flat().items() if value is not None},
        "origin": origins or {},
        "best": best,
        "seconds": seconds,
    }
    return _tensors(session), state


def _tensors(session):
    model, optimizer = session.model.state_dict(), session.trainer.optimizer.state_dict()
    tensors = {MODEL + name: array for name, array in model.items()}
    tensors |= {OPTIMIZER + name: array for name, array in optimizer.items()}
    average = session.trainer.average
    return tensors | {AVERAGE + name: a.copy() for name, a in (average.arrays if average else {}).items()}


def restore(session, tensors, state, changed=()):
    """Let a session go on from what `capture` returned, or change nothing.

    Parameters
    ----------
    session : Session
    tensors : dict of str to ndarray
    state : dict
    changed : collection of str, optional
        Settings that were changed on purpose. With another batch size, data set or way of drawing the
        training goes on with the next epoch.

    Raises
    ------
    ValueError
        Listing every tensor that is missing, unexpected or of another shape or type; or when the data set is
        another one.
    """
    problems = [f"missing: {name}" for name in ENTRIES if name not in state]
    own = _tensors(session)
    problems += [f"missing: {name}" for name in own if name not in tensors]
    problems += [f"unexpected: {name}" for name in tensors if name not in own]
    for name in own.keys() & tensors.keys():
        for what in ("shape", "dtype"):
            wanted, got = getattr(own[name], what), getattr(tensors[name], what)
            if wanted != got:
                problems.append(f"{what} of {name}: wanted {wanted}, got {got}")
    if problems:
        raise ValueError("the checkpoint does not fit the run: " + "; ".join(problems))
    place = Place(**{field.name: state["place"][field.name] for field in fields(Place)})
    loader = state["loader"]
    if "data" in changed:
        loader = loader | {"fingerprint": session.batches.dataset.fingerprint()}
    if "batch_size" in changed:
        loader = loader | {"batch_size": session.batches.batch_size}
    if {"data", "batch_size", "balanced"} & set(changed) and place.batch:
        place = replace(place, epoch=place.epoch + 1, batch=0)
    try:
        session.batches.load_state_dict(
            loader | {"seed": session.batches.seed, "epoch": place.epoch, "batch": place.batch}
        )
    except ValueError as error:
        raise ValueError(f"the data are not those that the run began with: {error}") from None
    trainer = session.trainer
    session.model.load_state_dict(_part(tensors, MODEL))
    trainer.optimizer.load_state_dict(_part(tensors, OPTIMIZER))
    if trainer.average:
        trainer.average.arrays = {name: a.copy() for name, a in _part(tensors, AVERAGE).items()}
        trainer.average.steps = state["step"]
    random.set_state(state["random"])
    trainer.steps, trainer.place = state["step"], place


def _part(tensors, prefix):
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def frozen_changes(stored, settings):
    """(name, stored value, wanted value) of each setting that decides about the weights and is changed."""
    flat = settings.flat()
    return [
        (name, stored.get(name), value)
        for name, value in flat.items()
        if name not in FREE and stored.get(name) != value
    ]
