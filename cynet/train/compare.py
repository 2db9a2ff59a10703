"""Runs held against each other, and against a repetition: where do they diverge?"""

from dataclasses import dataclass

import numpy as np

from cynet import models
from cynet.interop import safetensors

from .environment import differences
from .weights import digest, tensor_digests


@dataclass(frozen=True)
class Divergence:
    """The first thing that differs.

    Attributes
    ----------
    step : int
        Counted from 1; 0 means the initial weights.
    what : str
        "loss" or "weights".
    one, other : str
        What each has.
    tensors : tuple of str
        Of weights, those that differ, in the model's order.
    """

    step: int
    what: str
    one: str
    other: str
    tensors: tuple = ()

    def __str__(self):
        if self.what == "loss":
            return f"step {self.step}: the loss is {self.one} against {self.other}"
        where = f"; first in {self.tensors[0]}, in {len(self.tensors)} tensors" if self.tensors else ""
        digests = f"{self.one:.12} against {self.other:.12}"
        return f"after step {self.step}: the weights' SHA-256 is {digests}{where}"


@dataclass(frozen=True)
class History:
    """What a run noted: losses by step as text, digests by step as (whole, of each tensor)."""

    losses: dict
    digests: dict
    names: tuple

    def until(self):
        """The last step of which anything is known."""
        return max([0, *self.losses, *self.digests])


def history(folder, settings, classes):
    """The `History` of a run folder; `classes` is how many the model tells apart."""
    losses = {int(row["step"]): row["loss"] for row in folder.steps.rows()}
    digests = {
        int(row["step"]): (row["sha256"], tuple(row["tensors"].split())) for row in folder.digests.rows()
    }
    model = models.create(settings.model, settings.batch_norm, classes)
    return History(losses, digests, tuple(model.state_dict()))


def first_divergence(one, other):
    """Where two histories differ first, by losses and by weights: up to two `Divergence`s, the earlier first.

    The losses have every step; the weights are known at some, after steps 1, 2, 5, 10 and so on and after
    each epoch; those name the tensors.
    """
    found = []
    for step in sorted(one.losses.keys() & other.losses.keys()):
        if one.losses[step] != other.losses[step]:
            found.append(Divergence(step, "loss", one.losses[step], other.losses[step]))
            break
    for step in sorted(one.digests.keys() & other.digests.keys()):
        (whole, parts), (other_whole, other_parts) = one.digests[step], other.digests[step]
        if whole != other_whole:
            names = _named(one, parts, other, other_parts)
            found.append(Divergence(step, "weights", whole, other_whole, names))
            break
    return sorted(found, key=lambda each: each.step)


def _named(one, parts, other, other_parts):
    if one.names != other.names or not len(one.names) == len(parts) == len(other_parts):
        return ()
    return tuple(name for name, a, b in zip(one.names, parts, other_parts, strict=True) if a != b)


def replayed(session, past, steps, watch=lambda step: None):
    """Train the first steps of a run again, and stop where they differ.

    Parameters
    ----------
    session : Session
        New, of the run's settings.
    past : History
    steps : int
        At most so many.
    watch : callable, optional
        Gets each step's number.

    Returns
    -------
    Divergence or None, int, int
        The divergence, and how many losses and digests were compared.
    """
    trainer, compared = session.trainer, [0, 0]
    trainer.model.train()

    def weights(step):
        if step not in past.digests:
            return None
        compared[1] += 1
        wanted, parts = past.digests[step]
        got = digest(session.model)
        if got == wanted:
            return None
        names = tuple(session.model.state_dict())
        now = History({}, {}, names)
        return Divergence(
            step, "weights", wanted, got, _named(past, parts, now, tensor_digests(session.model))
        )

    found = weights(0)
    walk = _endless(session.batches)
    while found is None and trainer.steps < steps:
        loss = trainer.step(*next(walk))
        step = trainer.steps
        if step in past.losses:
            compared[0] += 1
            if past.losses[step] != repr(loss):
                found = Divergence(step, "loss", past.losses[step], repr(loss))
        found = found or weights(step)
        watch(step)
    return found, *compared


def _endless(batches):
    while True:
        yield from batches


def settings_differences(one, other):
    """[(name, value, other value), ...] of two resolved `Settings`."""
    a, b = one.flat(), other.flat()
    return [(name, a.get(name), b.get(name)) for name in a | b if a.get(name) != b.get(name)]


def environment_differences(one, other):
    """Lines on what differs between the env.json of two `RunFolder`s."""
    return differences(one.read_environment(), other.read_environment())


def tensors_apart(path, other_path):
    """[(name, greatest difference), ...] of the tensors that differ in two files of weights.

    The difference is None where the shapes differ, or one file has no such tensor.
    """
    (one, _), (other, _) = safetensors.load(path), safetensors.load(other_path)
    found = []
    for name in one | other:
        a, b = one.get(name), other.get(name)
        if a is None or b is None or a.shape != b.shape:
            found.append((name, None))
        elif a.tobytes() != b.tobytes():
            found.append((name, float(np.abs(a.astype(np.float64) - b).max())))
    return found
