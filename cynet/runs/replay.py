"""A run's steps again, and what two trainings differ in: for `cynet verify` and `cynet diff`.

Design: a run keeps each step's loss with all its digits, and at the steps 0, 1, 2, 5, 10, 20, ... and at each
evaluation a digest of every tensor. A training is a pure function of its settings and pictures, so one that
starts anew must meet these numbers again, to the last bit.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

import numpy as np

import cynet.core.random as random
from cynet import models
from cynet.core.files import user_path
from cynet.core.folder import own_file
from cynet.core.tasks import CLASSIFY, LANGUAGE
from cynet.core.types import Batch
from cynet.data import registry
from cynet.data.sets.array_files import read_members
from cynet.train.carrying import carriable
from cynet.train.tasks import step_of
from cynet.train.trainer import Diverged

from .filenames import DIGEST_COLUMNS
from .folder import RunFolder
from .nets import is_own
from .ranges import MOST
from .recorder import rounds
from .session import Session
from .settings import Settings
from .state import CARRIED
from .trainers import trainer_of
from .weights import digests, load_weights

SHOWN = 12  # digits of a digest in a message
MOST_BATCH = 1 << 31  # bytes of a batch
WEIGHTS, BATCH = "diverged.safetensors", "diverged.npz"  # what a run leaves where its loss was no number


@dataclass(frozen=True)
class History:
    """What a run folder tells of each step.

    Attributes
    ----------
    losses : dict of int to float
        The training loss of each step.
    digests : dict of int to dict of str to str
        After each step that has them, 0 being before the first: the SHA-256 of every tensor.
    notes : tuple of str
        What of the files could not be read.
    """

    losses: dict[int, float]
    digests: dict[int, dict[str, str]]
    notes: tuple[str, ...] = ()

    def gaps(self, steps: int) -> list[int]:
        """Steps up to `steps` whose digests were written and are not there."""
        return [step for step in rounds(steps) if step not in self.digests]

    @classmethod
    def of(cls, folder: RunFolder) -> History:
        """The history in a `RunFolder`; what is not there, or cannot be read, is no part of it."""
        (steps, losses), notes = folder.steps.take(("step", "loss"))
        kept = {step: loss for step, loss in zip(steps, losses, strict=True) if loss is not None}
        columns, more = folder.digests.take(DIGEST_COLUMNS)
        digests: dict[int, dict[str, str]] = {}
        for step, tensor, sha256 in zip(*columns, strict=True):
            if tensor is not None and sha256 is not None:
                digests.setdefault(step, {})[tensor] = sha256
        return cls(kept, digests, (*notes, *more))


class Replay:
    """A session's training, a step at a time; several may take turns in one process.

    Parameters
    ----------
    session : Session
        Just made.
    """

    def __init__(self, session: Session) -> None:
        self.session, self._random = session, random.get_state()
        self._batches, self._number = self._endless(), 0

    def _endless(self) -> Iterator[Batch]:
        for epoch in itertools.count():
            self.session.trainer.place.epoch = epoch
            for number, batch in enumerate(self.session.batches):
                self._number = number  # in its epoch
                yield batch

    def step(self) -> tuple[float, str]:
        """Train on the next batch.

        Returns
        -------
        loss : float
            NaN or infinite when the training ends here.
        batch : str
            A digest of the pictures and labels.
        """
        random.set_state(self._random)
        x, y = next(self._batches)
        batch = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
        try:
            loss = step_of(self.session.trainer, self.session.batches, self._number, x, y)
        except Diverged:
            loss = nan
        self._random = random.get_state()
        return loss, batch

    def digests(self) -> dict[str, str]:
        """The SHA-256 of every tensor as it is now."""
        return digests(self.session.model)


@dataclass(frozen=True)
class Difference:
    """Where two trainings part: after `step` steps, in `what`, which is `one` here and `other` there."""

    step: int
    what: str
    one: object
    other: object

    def __str__(self) -> str:
        when = f"at step {self.step}" if self.step else "before the first step"
        return f"{when}: {self.what}: {self.one} against {self.other}"


def verify(replay, history, steps):
    """Train again and compare with what was kept.

    Parameters
    ----------
    replay : Replay
    history : History
    steps : int

    Returns
    -------
    list of Difference
        The first one in the losses, and the first ones in the tensors; empty where all is equal.
    """
    loss_found, tensors_found = [], _tensors(0, history.digests.get(0, {}), replay.digests())
    for step in range(1, steps + 1):
        loss, _ = replay.step()
        stored = history.losses.get(step)
        if not loss_found and loss != stored:
            loss_found = [Difference(step, "loss", stored, loss)]
        if not tensors_found and step in history.digests:
            tensors_found = _tensors(step, history.digests[step], replay.digests())
        if (loss_found and tensors_found) or loss != loss:
            break
    return loss_found + tensors_found


def diverged(path):
    """Take the step again at which a run's loss was no number any more, with its settings; a text's goes on
    from the state that was carried to it.

    Parameters
    ----------
    path : str or Path
        The run folder.

    Raises
    ------
    Diverged
        As then.
    OSError, ValueError
        Naming the file that is not there, or not as a run leaves it.
    """
    path = user_path(path)
    settings = Settings(**RunFolder.open(path).read_config()[0])
    model, facts = load_weights(own_file(path / WEIGHTS))
    batch = _batch(own_file(path / BATCH), facts, model)
    trainer = trainer_of(model.train(), settings, batch.get("class_weights"))
    trainer.steps = int(batch["step"]) - 1
    states = {name: array for name, array in batch.items() if name.startswith(CARRIED)}
    trainer.task.carry(model, {name.removeprefix(CARRIED): array for name, array in states.items()})
    with trainer.task.training(model):
        loss = trainer.step(batch["x"], batch["y"])
    print(f"loss {loss:g}, norm of the gradient {trainer.gradient_norm():g}")


def _batch(path, facts, model):
    """What `diverged` takes from a file, each array of its type and shape, or a ValueError that names it."""
    columns, tokens = facts.task not in (CLASSIFY, LANGUAGE), facts.task == LANGUAGE
    kinds = {"x": "iu" if tokens else "f", "y": "f" if columns else "iu", "step": "iu", "class_weights": "f"}
    kinds |= {CARRIED + name: "f" for name in carriable(model, 1)}
    found = read_members(path, kinds, MOST_BATCH)
    count, classes = len(found["y"]) if "y" in found and found["y"].ndim else 0, len(facts.classes)
    wanted = {
        "x": (np.float32, (count, *facts.picture_shape)),
        "y": (np.float32, (count, classes)) if columns else (np.int64, (count,)), "step": (np.int64, ()),
        "class_weights": (np.float64, (classes,)),
    }  # fmt: skip
    if tokens:  # the last batch of an epoch is shorter
        length = found["x"].shape[-1:] if "x" in found else ()
        wanted |= {"x": (np.int64, (count, *length)), "y": (np.int64, (count, *length))}
    if any(name.startswith(CARRIED) for name in found):  # into the first of an epoch nothing is
        states = carriable(model, count).items()
        wanted |= {CARRIED + name: (np.float32, state.shape) for name, state in states}
    for name, (dtype, shape) in wanted.items():
        got = found.get(name)
        if got is None and name == "class_weights":
            continue
        told = "none" if got is None else f"{got.dtype} {got.shape}"
        if got is None or (got.dtype, got.shape) != (dtype, shape) or not count:
            raise ValueError(f"{path}: {name}: wanted {np.dtype(dtype)} {shape}, got {told}")
    bounds = {"step": (1, MOST)} if columns else {"y": (0, classes - 1), "step": (1, MOST)}
    if tokens:
        bounds |= {"x": (0, classes - 1)}
    if columns and not np.isfinite(found["y"]).all():
        raise ValueError(f"{path}: y: wanted finite numbers, got others")
    for name, (low, high) in bounds.items():
        if found[name].min() < low or found[name].max() > high:
            raise ValueError(f"{path}: {name}: wanted {low} to {high}, got {found[name].tolist()!r:.80}")
    weights = found.get("class_weights")
    if weights is not None and not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(f"{path}: class_weights: wanted finite ones of at least 0, got {weights!r:.80}")
    return found


def _tensors(step, one, other):
    """A Difference for each tensor that is not the same, in the order of the model."""
    names = [*other, *(name for name in one if name not in other)] if one else []
    return [
        Difference(step, name, one.get(name, "none")[:SHOWN], other.get(name, "none")[:SHOWN])
        for name in names
        if one.get(name) != other.get(name)
    ]


def _same(loss, other):
    """Whether two losses are equal, NaN being equal to NaN."""
    return loss == other or (loss != loss and other != other)


def first_loss(one, other):
    """The first `Difference` between the losses of two histories, None where there is none."""
    for step in sorted(one.losses.keys() & other.losses.keys()):
        if not _same(one.losses[step], other.losses[step]):
            return Difference(step, "loss", one.losses[step], other.losses[step])
    return None


def first_tensors(one, other):
    """(last step after which all tensors are known to be equal or None, Differences at the next one)."""
    equal = None
    for step in sorted(one.digests.keys() & other.digests.keys()):
        if found := _tensors(step, one.digests[step], other.digests[step]):
            return equal, found
        equal = step
    return equal, []


def first_difference(one, other, steps):
    """Train two replays side by side until they differ; the `Difference`, or None.

    Parameters
    ----------
    one, other : Replay
    steps : int
        To give up after.
    """
    found = _tensors(0, one.digests(), other.digests())
    for step in range(1, steps + 1):
        if found:
            return found[0]
        (loss, batch), (loss_there, batch_there) = one.step(), other.step()
        if batch != batch_there:
            return Difference(step, "the batch", batch[:SHOWN], batch_there[:SHOWN])
        if loss != loss_there:
            return Difference(step, "loss", loss, loss_there)
        found = _tensors(step, one.digests(), other.digests())
    return found[0] if found else None


def first_settings(settings, parts):
    """The settings that a run's first steps were trained with, and how many steps these are.

    Parameters
    ----------
    settings : Settings
        As they are now.
    parts : list of dict
        The parts of the run that came after a stop: "resumed" of its env.json.

    Returns
    -------
    (Settings, int or None)
        None: all of them.

    Raises
    ------
    ValueError
        When what was changed is no setting's value.
    """
    flat, last, own = settings.flat(), None, settings.model  # a name that need not be known here
    for number, part in reversed(list(enumerate(parts))):
        if part.get("changed") and part["after_step"]:
            flat |= {name: before for name, (before, _) in part["changed"].items()}
            last = part["after_step"]
            settings = _before(flat, f"resumed[{number}].changed", own)
    return settings, last


def _before(flat, entry, own):
    """The settings before a change, with which something can be trained, or a ValueError naming the entry."""
    try:
        found = Settings.unflat(flat)
        for name, known in (("model", (*models.names(), own)), ("data", registry.names())):
            value = getattr(found, name)
            if value not in known and not (name == "model" and is_own(value)):
                wanted = f"wanted one of {', '.join(known)}"
                raise ValueError(f"{name}: {wanted}, got {value!r:.80}")
        found.resolved(2 * found.step_size).learning_rates()
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{entry}: wanted the settings before that change, got others: {error}") from None
    return found
