"""The whole state of a training, to a checkpoint and back.

Design: a batch is a pure function of seed, epoch and number, and a random key of a counter, so the state is
the weights, the optimiser's buffers, and a handful of numbers. The thread and worker counts are none of it.
"""

from dataclasses import asdict, replace
from functools import lru_cache
from types import SimpleNamespace

import cynet.core.random as random
from cynet import models
from cynet.core import checks
from cynet.core.tasks import LANGUAGE
from cynet.data import registry
from cynet.nn.spec import from_spec, to_spec
from cynet.optim import adam, optimizers
from cynet.optim.adam import refuse_skipped
from cynet.train import carrying

from . import nets
from .facts import options_of
from .layouts import ModelLayout, bounded_by, odd_statistics, told
from .resolving import OF_TEXTS
from .saved import MOST_NUMBER, Saved
from .settings import FREE, Settings
from .trainers import trainer_of
from .weights import SPARE

MODEL, OPTIMIZER, AVERAGE, CARRIED = "model.", "optimizer.", "average.", "carried."
SKIPPED, RATIOS = OPTIMIZER + adam.SKIPPED, OPTIMIZER + optimizers.RATIOS


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
    trainer, place, net = session.trainer, session.trainer.place, _net(session.model)
    state = {
        "step": trainer.steps,
        "place": asdict(place),
        # Where the training stands; the loader itself may be ahead by a batch that no step has used.
        "loader": session.batches.state_dict() | {"epoch": place.epoch, "batch": place.batch},
        "random": random.get_state(),
        "schedule": repr(trainer.schedule),
        "input_shape": list(session.facts.picture_shape),
        "config": {name: value for name, value in session.settings.flat().items() if value is not None},
        "origin": origins or {},
        "best": best,
        "seconds": seconds,
        "net": net,
    }
    tensors = _tensors(session, _rows(session.settings, place.batch), carrying.carried(session.model))
    return tensors, state | ({"is_code": True} if net is None else {})


def _net(model):
    """The spec of a model, None where it has layers that cynet does not know."""
    try:
        return to_spec(model)
    except ValueError:
        return None


def _rows(settings, batch):
    """How many rows of a text go on in the batch of a number of an epoch: none at its beginning."""
    return settings.batch_size if settings.task == LANGUAGE and batch else 0


def _tensors(session, rows=0, carried=None):
    """All tensors; where rows of a text go on also the states that are carried, or zeros in their place."""
    model, optimizer = session.model.state_dict(), session.trainer.optimizer.state_dict()
    tensors = {MODEL + name: array for name, array in model.items()}
    tensors |= {OPTIMIZER + name: array for name, array in optimizer.items()}
    if rows:
        states = carrying.carriable(session.model, rows) | (carried or {})
        tensors |= {CARRIED + name: array for name, array in states.items()}
    average = session.trainer.average
    return tensors | {AVERAGE + name: a.copy() for name, a in (average.arrays if average else {}).items()}


def restore(session, tensors, state, changed=()):
    """Let a session go on from what `capture` returned, or change nothing.

    Parameters
    ----------
    session : Session
    tensors : dict of str to ndarray
    state : dict or Saved
    changed : collection of str, optional
        Settings that were changed on purpose. With another batch size, data set or way of drawing the
        training goes on with the next epoch.

    Raises
    ------
    ValueError
        Listing every tensor that is missing, unexpected or of another shape or type; or when the data set is
        another one.
    """
    saved = state if isinstance(state, Saved) else Saved.of(state)
    if problems := misfits(session, tensors, saved):
        raise ValueError("the checkpoint does not fit the run: " + "; ".join(problems))
    _optimizer_steps(tensors)
    place, loader = saved.place, saved.loader
    if {"data", *OF_TEXTS} & set(changed):
        loader = loader | {"fingerprint": session.batches.dataset.fingerprint()}
    if {"batch_size", "accumulate"} & set(changed):
        loader = loader | {"batch_size": session.batches.batch_size}
    if {"data", "batch_size", "accumulate", "balanced", *OF_TEXTS} & set(changed) and place.batch:
        place = replace(place, epoch=place.epoch + 1, batch=0)
    try:
        session.batches.load_state_dict(
            loader | {"seed": session.batches.seed, "epoch": place.epoch, "batch": place.batch}
        )
    except ValueError as error:
        raise ValueError(f"the data are not those that the run began with: {error}") from None
    trainer = session.trainer
    session.model.load_state_dict(_part(tensors, MODEL))
    if "lr_factor" in changed:  # to others, of as many groups
        tensors = tensors | {RATIOS: _tensors(session)[RATIOS]}
    trainer.optimizer.load_state_dict(_part(tensors, OPTIMIZER))
    if trainer.average:
        trainer.average.arrays = {name: a.copy() for name, a in _part(tensors, AVERAGE).items()}
        trainer.average.steps = saved.step
    carrying.carry(session.model, _part(tensors, CARRIED) if place.batch else {})
    random.set_state(saved.random)
    trainer.steps, trainer.place = saved.step, place


def checked(tensors, state):
    """(tensors, `Saved`) of a run's checkpoint, or ValueError where they are not what a run writes.

    Nothing outside them is needed, neither the data nor a session: an older checkpoint can be tried instead.

    Parameters
    ----------
    tensors : dict of str to ndarray
    state : dict
    """
    saved = Saved.of(state)
    _check_settings(saved)
    problems = _misfits(tensors, saved)
    if problems:
        raise ValueError("the checkpoint does not fit its own settings: " + told(problems))
    if odd := odd_statistics(tensors, saved.step):
        raise ValueError(told(odd))
    if _optimizer_steps(tensors) != saved.step:
        got = tensors[OPTIMIZER + "steps"]
        raise ValueError(f"optimizer.steps: wanted {saved.step}, as its step, got {got}")
    return tensors, saved


def _check_settings(saved):
    """Refuse settings that no training was made with: open ones, contradictory ones, others than it tells."""
    settings, place = saved.settings, saved.place
    if settings.data not in registry.names():
        known = ", ".join(registry.names())
        raise ValueError(f"config: data: wanted one of {known}, got {settings.data!r:.80}")
    is_told = (saved.net is not None or saved.is_code) and nets.is_registrable(settings.model)
    if not (is_told or nets.is_registered(settings.model) or nets.is_own(settings.model)):
        known = ", ".join(models.names())
        raise ValueError(f"config: model: wanted one of {known}, got {settings.model!r:.80}")
    if None in (settings.steps, settings.lr, settings.schedule) or settings.epochs is not None:
        raise ValueError("config: wanted steps, lr and schedule, and no epochs")
    try:
        rates = repr(settings.resolved(2 * settings.step_size).learning_rates())
    except ValueError as error:
        raise ValueError(f"config: {error}") from None
    if saved.schedule != rates:
        raise ValueError(f"schedule: wanted {rates:.120}, as in config, got {saved.schedule!r:.120}")
    size, count = saved.loader["batch_size"], int(saved.loader["fingerprint"].partition("x")[0])
    for name, wanted in (("seed", settings.seed), ("epoch", place.epoch), ("batch", place.batch)):
        if saved.loader[name] != wanted:
            raise ValueError(f"loader.{name}: wanted {wanted}, as in the state, got {saved.loader[name]}")
    if place.evaluated + place.count != saved.step:
        raise ValueError(f"place: wanted all of {saved.step} steps, evaluated or counted, got {place}")
    if size != settings.step_size:
        raise ValueError(f"loader.batch_size: wanted {settings.step_size}, as in config, got {size}")
    if place.batch > count // size or (place.batch and not place.evaluated and not place.count):
        raise ValueError(f"place: wanted a batch of an epoch of {count // size}, got {place}")


@lru_cache
def _layout(name, options, sides, optimizer, momentum, average, ahead, rates, rows):
    """The `ModelLayout` of a checkpoint's tensors, of runs with and without a momentum, an average, slow
    weights.

    `options`: batch_norm and model_option of the settings; `sides`: of the model's input, all but its
    channels; `ahead`, `rates`: the settings lookahead, and lr_factor and no_decay; `rows`: of a text, that
    go on.
    """
    lr_factor, no_decay = rates
    settings = Settings(
        steps=1, lr=0.1, optimizer=optimizer, momentum=momentum / 2, ema=average / 2, lookahead=ahead,
        lr_factor=lr_factor, no_decay=no_decay,
    )  # fmt: skip

    def build(classes, channels):
        model = models.create(name, (*sides, channels), classes, **options_of(name, *options))
        return _tensors(SimpleNamespace(model=model, trainer=trainer_of(model, settings)), rows)

    return ModelLayout(build)


def _misfits(tensors, saved):
    """What of some tensors is missing, unexpected, or of another shape or type than the settings want."""
    settings, sides = saved.settings, saved.input_shape[:-1]
    if not nets.is_registered(settings.model):
        return _misfits_of_net(tensors, saved)
    rows = _rows(settings, saved.place.batch)
    rates = settings.lr_factor, settings.no_decay if settings.lr_factor else None
    more = bool(settings.momentum), bool(settings.ema), settings.lookahead, rates
    options = settings.batch_norm, settings.model_option
    with bounded_by(tensors):
        layout = _layout(settings.model, options, sides, settings.optimizer, *more, rows)
    return layout.misfits(tensors, layout.shapes(*layout.counts(tensors)), dtypes=True)


def _misfits_of_net(tensors, saved):
    """The same by the net that the checkpoint tells of; what it does not tell `restore` compares."""
    if saved.net is None:
        wanted = (OPTIMIZER + "lr", OPTIMIZER + "steps")
        return [f"missing: {name}" for name in wanted if name not in tensors]
    count = sum(array.size for name, array in tensors.items() if name.startswith(MODEL))
    with random.kept():
        try:
            model = from_spec(saved.net, count + SPARE)
        except ValueError as error:
            return [f"net: {error}"]
        made = SimpleNamespace(model=model, trainer=trainer_of(model, saved.settings))
        own = _tensors(made, _rows(saved.settings, saved.place.batch))
    return differing(own, tensors)


def differing(own, tensors):
    """What of some tensors is missing, unexpected, or of another shape or type than a session's own."""
    problems = [f"missing: {name}" for name in own if name not in tensors]
    problems += [f"unexpected: {name}" for name in tensors if name not in own]
    for name in sorted(own.keys() & tensors.keys()):
        for what in ("shape", "dtype"):
            wanted, got = getattr(own[name], what), getattr(tensors[name], what)
            if wanted != got:
                problems.append(f"{what} of {name}: wanted {wanted}, got {got}")
    return problems


def misfits(session, tensors, saved):
    """`differing` of a session's own tensors and a checkpoint's, whose state is `saved`."""
    return differing(_tensors(session, _rows(saved.settings, saved.place.batch)), tensors)


def _optimizer_steps(tensors):
    """The steps that an optimiser took, which may be loaded, and its rate too; or ValueError."""
    lr, steps = (tensors[OPTIMIZER + name] for name in ("lr", "steps"))
    try:
        checks.number("optimizer.lr", lr[()], 0)
        steps = checks.integer("optimizer.steps", steps[()], 0, MOST_NUMBER)
        if SKIPPED in tensors:
            refuse_skipped(SKIPPED, tensors[SKIPPED], steps)
        return steps
    except TypeError as error:
        raise ValueError(str(error)) from None


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
