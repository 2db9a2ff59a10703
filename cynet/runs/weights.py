"""Weights files that know which model they belong to and how its pictures were made ready.

Their notes hold nothing that differs between two equal trainings: no times, paths, thread or worker counts.
"""

import contextlib
import copy
import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import cynet.core.random as random
from cynet.core.files import user_path, worded
from cynet.core.folder import own_file
from cynet.core.tasks import CLASSIFY
from cynet.core.types import AnyPath
from cynet.interop import safetensors
from cynet.interop.kinds import DAMAGED_ZIP, OF_PYTORCH, kind_of
from cynet.interop.pytorch.state_dicts import load_torch
from cynet.nn.layer import Layer
from cynet.nn.spec import NET, NO_NET, from_spec

from . import checkpoint, configuration, nets
from .facts import BYTES, Facts
from .filenames import KEPT
from .layouts import COUNT, bounded_by, odd_statistics, told
from .saved import Saved

MOST_NOTE = 1 << 25  # letters
PLAIN: dict[str, Any] = {
    "drawn": (),
    "tta": "",
    "task": CLASSIFY,
    "kind": BYTES,
    "model_option": None,
    "kept": (),
    "vocabulary": None,
    "fold": False,
}  # not noted
SPARE = 1 << 20  # values that a net may have beyond those in its file, to say what is missing


class UnknownNetError(ValueError):
    """Weights whose net has layers that cynet does not know, and for which nobody gave its code."""


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
    try:
        facts.check()
    except ValueError as error:
        what = "wanted those of a model, as Settings.facts gives them"
        raise ValueError(f"facts: {what}, got {facts!r:.400}: {error}") from None
    arrays = {name: array for name, (array, _) in model._state().items()}
    wanted = own = {name: array.shape for name, array in arrays.items()}
    if facts.is_named:
        with bounded_by(arrays):
            wanted = facts.layout().shapes(len(facts.classes), facts.picture_shape[-1])
    if own != wanted:
        differ = [name for name in {**wanted, **own} if own.get(name) != wanted.get(name)]
        told = "; ".join(
            f"{name}: {own.get(name, 'none')} for {wanted.get(name, 'none')}" for name in differ[:5]
        )
        raise ValueError(f"facts: wanted those of this model, got {facts!r:.400}; its arrays differ: {told}")
    facts.check_model(model)
    notes = {
        name: json.dumps(value) for name, value in vars(facts).items()
        if name != NET and PLAIN.get(name, ...) != value
    }  # fmt: skip
    safetensors.save(model, path, notes)


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


def read_initial(path):
    """(tensors, notes) of a weights file, or of PyTorch's file; errors as for `load_weights`."""
    if _kind(path) in (*OF_PYTORCH, DAMAGED_ZIP):
        return load_torch(path), {}
    return read_weights(path)


def _kind(path):
    return kind_of(path) if os.path.isfile(path) else None


def read_weights(path):
    """(tensors, notes) of a weights file; errors as for `load_weights`."""
    kind = _kind(path)
    if kind in OF_PYTORCH:
        wanted = "wanted weights with their net, as a training of cynet writes them"
        hint = "a training may begin from it: cynet train --init-from FILE --model NAME"
        raise ValueError(f"{path}: {wanted}, got {kind}; {hint}")
    tensors, notes = safetensors.load(path)
    if checkpoint.HEADER in notes:
        beside = path.with_name(KEPT["last"])
        where = f", as {beside}" if beside.exists() else ""
        raise ValueError(f"{path} is a checkpoint: wanted weights{where}")
    return tensors, notes


def load_weights(path: AnyPath, build: Callable[[Facts], Layer] | None = None) -> tuple[Layer, Facts]:
    """The model in a file of `save_weights`, in evaluation mode, and its `Facts`.

    It is built from the net that the file tells of; of an older file, that tells of none, by its name.

    Parameters
    ----------
    path : str or Path
        The file, or a run folder, of which those weights are meant that it came to.
    build : callable, optional
        Gets the `Facts` and gives a new model, where it has layers that cynet does not know.

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
        with random.kept():  # a training in this process goes on as without it
            model = _built(facts, tensors, notes, build)
        facts.check_model(model)
        model.load_state_dict(tensors)
    except ValueError as error:
        kind = UnknownNetError if isinstance(error, UnknownNetError) else ValueError
        raise kind(f"{path}: {error}") from None
    return model.eval(), facts


def load(path: AnyPath) -> tuple[Layer, Facts | None]:
    """The model in a weights file that cynet wrote, in evaluation mode: no code is needed, and no name.

    Parameters
    ----------
    path : str or Path
        A file of a training, or of `cynet.interop.safetensors.save`; or a run folder.

    Returns
    -------
    model : Layer
    facts : Facts or None
        What a training tells of it; None where no training wrote the file.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        Naming the file, when it is damaged, does not tell of a net, or of one with layers that cynet does not
        know.

    Examples
    --------
    >>> model, facts = cynet.load("runs/mine/weights.safetensors")
    """
    path = file_of(path)
    tensors, notes = read_weights(path)
    if not _missing(notes):
        return load_weights(path)
    try:
        if NET not in notes:
            raise ValueError(_without(notes))
        with random.kept():
            model = _of_spec(_note(NET, notes[NET]), tensors)
        model.load_state_dict(tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return model.eval(), None


def _without(notes):
    """What is said of a file that does not tell of its net."""
    why = f": {notes[NO_NET]:.400}" if NO_NET in notes else ""
    return f"wanted weights with their net, as cynet.interop.safetensors.save writes a model, got none{why}"


def _of_spec(net, tensors):
    """The model that a note tells of, as large as its tensors say at most."""
    return from_spec(net, sum(array.size for array in tensors.values()) + SPARE)


def _built(facts, tensors, notes, build):
    """The model that weights are of, new."""
    if build is not None:
        return build(facts)
    if facts.net is not None:
        check_statistics(tensors)
        return _of_spec(facts.net, tensors)
    if not facts.is_named and facts.model in nets.HERE:
        return copy.deepcopy(nets.of_facts(nets.HERE[facts.model], facts))
    if not facts.is_named and NO_NET in notes:
        wanted = "wanted the file that this model comes from beside it (--model FILE.py, or model=)"
        raise UnknownNetError(f"model: {wanted}, got {facts.model!r:.400} alone ({notes[NO_NET]:.400})")
    _check_shapes(facts, tensors)
    return facts.create()


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
