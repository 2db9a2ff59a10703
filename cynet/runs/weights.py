"""Weights files that know which model they belong to and how its pictures were made ready.

Their notes hold nothing that differs between two equal trainings: no times, paths, thread or worker counts.
"""

import contextlib
import errno
import hashlib
import json
import os
from dataclasses import MISSING
from pathlib import Path

import cynet.core.random as random
from cynet import models
from cynet.core.files import user_path, worded
from cynet.core.folder import own_file
from cynet.core.tasks import CLASSIFY
from cynet.core.types import AnyPath
from cynet.interop import safetensors
from cynet.nn.layer import Layer

from . import checkpoint, configuration
from .facts import BYTES, Facts
from .filenames import KEPT
from .layouts import COUNT, bounded_by, odd_statistics, told
from .saved import Saved

MOST_NOTE = 1 << 25  # letters


def save_weights(path: AnyPath, model: Layer, facts: Facts) -> None:
    """Write `model` and its `Facts` to a safetensors file, as a whole or not at all.

    Raises
    ------
    ValueError
        When `load_weights` would refuse the facts, or the model is not the one that they tell of; nothing is
        written then.
    OSError
        When the file cannot be written.
    """
    if facts.model not in models.names():
        raise ValueError(
            f"facts: wanted a model that load_weights can build ({', '.join(models.names())}), got "
            f"{facts.model!r}; cynet.interop.safetensors.save keeps the weights of any model"
        )
    try:
        facts.check()
    except ValueError as error:
        wanted = "wanted those of a model, as Settings.facts gives them"
        raise ValueError(f"facts: {wanted}, got {facts!r:.400}: {error}") from None
    arrays = {name: array for name, (array, _) in model._state().items()}
    with bounded_by(arrays):
        wanted = facts.layout().shapes(len(facts.classes), facts.picture_shape[-1])
    own = {name: array.shape for name, array in arrays.items()}
    if own != wanted:
        differ = [name for name in {**wanted, **own} if own.get(name) != wanted.get(name)]
        told = "; ".join(
            f"{name}: {own.get(name, 'none')} for {wanted.get(name, 'none')}" for name in differ[:5]
        )
        raise ValueError(f"facts: wanted those of this model, got {facts!r:.400}; its arrays differ: {told}")
    facts.check_model(model)
    plain = {"drawn": (), "tta": "", "task": CLASSIFY, "kind": BYTES}  # what is not noted, as it always was
    notes = {name: value for name, value in vars(facts).items() if plain.get(name) != value}
    safetensors.save(model, path, {name: json.dumps(value) for name, value in notes.items()})


def digests(model: Layer) -> dict[str, str]:
    """{name: SHA-256 in hexadecimal digits} of a model's parameters and buffers, their shapes included."""
    found = {}
    for name, (array, _) in model._state().items():
        part = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
        part.update(array.data if array.flags.c_contiguous else array.tobytes())
        found[name] = part.hexdigest()
    return found


def file_of(path: AnyPath, which: str | None = None) -> Path:
    """The weights file that somebody means.

    Parameters
    ----------
    path : str or Path
        The file itself, or a run folder.
    which : {"last", "best"}, optional
        Those of a run folder; default: as `came_to` says.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        When the run folder has no such weights, or they are a link that leaves it.
    ValueError
        When `which` is none of these, or stands beside a file.
    """
    if which not in (None, *KEPT):
        raise ValueError(f"weights: wanted one of {', '.join(KEPT)}, got {which!r}")
    path = user_path(path)
    if path.is_dir():
        which = which or came_to(path)
        file = path / KEPT[which]
        if not os.path.lexists(file):
            others = [name for name, other in KEPT.items() if (path / other).exists()]
            hint = f" (did you mean the {others[0]} ones, {KEPT[others[0]]}?)" if others else ""
            raise FileNotFoundError(errno.ENOENT, f"{path} has no {file.name}{hint}")
        return own_file(file)
    if which is not None and path.exists():
        raise ValueError(f"weights: wanted a run folder to take the {which} ones from, {path} is a file")
    return path


def came_to(folder: Path) -> str:
    """Which of its weights a run came to: "last"; "best" where it held pictures out to choose them on."""
    return "best" if _held_out(folder) and os.path.lexists(folder / KEPT["best"]) else "last"


def _held_out(folder):
    """The share of pictures that a run held out, by its config.toml, else by its newest sound checkpoint."""
    with contextlib.suppress(OSError, ValueError):
        found = configuration.read(folder / configuration.CONFIG).plain
        if "validation" in found:
            return found["validation"]
    for name in (checkpoint.NAME, checkpoint.PREVIOUS):
        with contextlib.suppress(OSError, ValueError):
            _, state = checkpoint.load(own_file(folder / name))
            return Saved.of(state).settings.validation
    return None


def initial_file(path):
    """The weights file that a training begins from: itself, or the last weights of a run folder."""
    path = user_path(path)
    return file_of(path, "last") if path.is_dir() else path


def read_weights(path):
    """(tensors, notes) of a weights file; errors as for `load_weights`."""
    tensors, notes = safetensors.load(path)
    if checkpoint.HEADER in notes:
        beside = path.with_name(KEPT["last"])
        where = f", as {beside}" if beside.exists() else ""
        raise ValueError(f"{path} is a checkpoint: wanted weights{where}")
    return tensors, notes


def load_weights(path: AnyPath) -> tuple[Layer, Facts]:
    """The model in a file of `save_weights`, in evaluation mode, and its `Facts`.

    Parameters
    ----------
    path : str or Path
        The file, or a run folder, of which those weights are meant that it came to.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        Naming the file, when it is damaged, has no facts, or does not fit the model it names; every missing,
        unexpected and differently shaped tensor is listed.
    """
    path = file_of(path)
    tensors, notes = read_weights(path)
    facts = noted(path, notes)
    try:
        _check_shapes(facts, tensors)
        with random.kept():  # a training in this process goes on as without it
            model = facts.create()
        facts.check_model(model)
        model.load_state_dict(tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return model.eval(), facts


def _check_shapes(facts, tensors):
    """Refuse tensors that are not of the model that the facts tell of, before it is made."""
    with bounded_by(tensors):
        layout = facts.layout()
    shapes = layout.shapes(len(facts.classes), facts.picture_shape[-1])
    problems = layout.misfits(tensors, shapes, spare=COUNT)
    if problems:
        raise ValueError("state does not fit the model: " + "; ".join(problems))
    check_statistics(tensors)


def check_statistics(tensors):
    """Raise ValueError where running statistics are none that a training has: see `odd_statistics`."""
    if odd := odd_statistics(tensors):
        raise ValueError(told(odd))


def _missing(notes):
    fields = Facts.__dataclass_fields__.items()
    return [name for name, field in fields if name not in notes and field.default is MISSING]


def noted_or_none(path, notes):
    """As `noted`, but None for weights of somebody else's, whose notes do not tell all of it."""
    return None if _missing(notes) else noted(path, notes)


def noted(path, notes):
    """The `Facts` in the notes of a weights file, or ValueError naming it and the note."""
    missing = _missing(notes)
    if missing:
        raise ValueError(
            f"{path}: wanted a file of weights from cynet's training; it lacks {', '.join(missing)}"
        )
    try:
        known = Facts.__dataclass_fields__.keys() & notes.keys()
        facts = Facts(**{name: _note(name, notes[name]) for name in sorted(known)})
        facts.check()
    except ValueError as error:
        raise ValueError(f"{path}: its notes on the model are no such facts: {error}") from None
    return facts


def _note(name, text):
    """The value in a note: a list as a tuple."""
    if len(text) > MOST_NOTE:
        raise ValueError(f"{name}: wanted at most {MOST_NOTE:,} letters, got {len(text):,}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: wanted JSON, got {text!r:.80}: {worded(error)}") from None
    return tuple(value) if isinstance(value, list) else value
