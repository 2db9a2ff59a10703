"""The weights that a training begins from: all of a file, or all that fits but the last layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cynet.core.names import printable
from cynet.core.tasks import LANGUAGE
from cynet.core.types import State
from cynet.data.dataset import words_of
from cynet.nn.layer import Layer

from .facts import Facts
from .layouts import COUNT
from .weights import check_statistics, initial_file, noted_or_none, read_initial

SHOWN = 10  # tensors that one line names
PROBLEM = re.compile(r"(?:missing: |unexpected: |shape of |dtype of )([^:]*)")


@dataclass(frozen=True)
class Taken:
    """What a model got of the arrays in a file of weights.

    Attributes
    ----------
    path : Path
    count : int
        How many arrays were taken.
    new : tuple of str
        The model's that are as they were drawn.
    unused : tuple of str
        The file's that were not taken, by their names there.
    """

    path: Path
    count: int
    new: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"begun from {printable(self.path)}: {self.count} of {self.count + len(self.new)} arrays taken"
        both = [name for name in self.new if name in self.unused]
        new, unused = ([name for name in names if name not in both] for names in (self.new, self.unused))
        for what, names in (
            ("drawn anew, and not used of the file", both),
            ("drawn anew", new),
            ("not used of the file", unused),
        ):
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            text += f"; {what}: {', '.join(map(printable, names[:SHOWN]))}{more}" if names else ""
        return text


def load_initial(model: Layer, path: object, facts: Facts, new_head: bool = False) -> Taken:
    """Give a model the weights in a file or a run folder, or change nothing.

    Parameters
    ----------
    model : Layer
    path : path
        A weights file or a run folder; or a .pt or .pth file of PyTorch's (`cynet.interop.load_torch`).
    facts : Facts
        Of the model.
    new_head : bool, optional
        Take what fits by name and shape, and leave the last layer with weights as it is.

    Returns
    -------
    Taken

    Raises
    ------
    ValueError
        That says what model they are of, and the first tensors that do not fit; with `new_head`, when none
        does.
    OSError
        When they cannot be read.
    """
    try:
        file = initial_file(path)
        tensors, notes = read_initial(file)
        told = noted_or_none(file, notes)
    except ValueError as error:
        raise ValueError(f"init_from: {error}") from None
    try:
        if new_head:
            return _take(model, file, tensors)
        check_statistics(tensors)
        model.load_state_dict(tensors)
    except ValueError as error:
        problems = str(error).split("; ")
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        hint = "" if new_head else _hint(model, problems)
        text = _other(told, facts) + "; ".join(problems[:SHOWN]) + more + hint
        raise ValueError(f"init_from: {file}: {text}") from None
    return Taken(file, len(tensors))


def _take(model: Layer, file: Path, tensors: State) -> Taken:
    """Take all that fits but the last layer."""
    own, head = model.state_dict(), _head(model)
    fits = {
        name: tensors[name]
        for name, array in own.items()
        if name in tensors and name not in head
        and tensors[name].shape == array.shape and tensors[name].dtype.kind in "fiu"
    }  # fmt: skip
    if not fits.keys() & {parameter.name for parameter in model.parameters()}:
        wanted = f"wanted weights that fit by name and shape, beside the last layer's, {', '.join(head)}"
        raise ValueError(f"{wanted}, got none")
    check_statistics(fits)
    model.load_state_dict(own | fits)
    return Taken(
        file,
        len(fits),
        tuple(name for name in own if name not in fits and (name in tensors or not _is_count(name))),
        tuple(name for name in tensors if name not in fits),
    )


def _is_count(name: str) -> bool:
    """Whether an array counts batches of a norm: PyTorch's older files have none, and nothing hangs on it."""
    return name.rpartition(".")[2] == COUNT


def _head(model: Layer) -> tuple[str, ...]:
    """The names of the arrays of the last layer with weights."""
    path, last = [(path, layer) for path, layer in model.walk() if layer._own()][-1]
    names = [name for name, _ in last._own()] + [*last.buffers]
    return tuple(f"{path}.{name}" if path else name for name in names)


def _hint(model: Layer, problems: list[str]) -> str:
    """What helps where all but the last layer fits."""
    found = [PROBLEM.search(problem) for problem in problems]
    if all(match is not None and match[1] in _head(model) for match in found):
        return " (new_head takes all but this last layer)"
    return ""


def _other(told, facts):
    """'that is a uwnet2, this is a resnet20: ' where the facts of the weights tell of another model."""
    if told is None:
        return ""
    that, this = _kind(told), _kind(facts)
    return "" if that == this else f"that is a {that}, this is a {this}: "


def _kind(facts):
    norm, channels = " with batch norm" if facts.batch_norm else "", facts.picture_shape[-1]
    what = words_of(facts.picture_shape, facts.task)
    if facts.task == LANGUAGE:
        return f"{facts.model} of {len(facts.classes)} different {what}"
    classes = f"{len(facts.classes)} class{'' if len(facts.classes) == 1 else 'es'}"
    return f"{facts.model}{norm} of {classes} and {channels}-channel {what}"
