"""The pictures in a folder of classes, with their labels, and a word on all that was left out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cynet.core.names import few, printable
from cynet.core.types import AnyArray, AnyPath

from .walk import WANTED, Walk, named_few

# The names that folders with parts have in any case, the first one found counts.
TRAIN = ("train", "training", "training_set", "train_set", "trainset")
TEST = (
    "test", "testing", "test_set", "testing_set", "testset",
    "val", "valid", "validation", "validation_set", "val_set", "valset",
)  # fmt: skip
PARTS = {*TRAIN, *TEST}


@dataclass(frozen=True)
class Listing:
    """What `listed` found.

    Attributes
    ----------
    root : str
    classes : tuple of str
        Printable.
    files : list of (str, int, int)
        (name relative to root as the system gave it, bytes, time in ns) of each picture, in a fixed order.
    labels : ndarray of int64
    notes : tuple of str
        What was left out, and what may not have been meant; each begins with the folder.
    part : str
        Which part of the folder it is, "" for all of it.
    record : dict or None
        How the part was taken, in plain values.
    """

    root: str
    classes: tuple[str, ...]
    files: list[tuple[str, int, int]]
    labels: AnyArray
    notes: tuple[str, ...]
    part: str = ""
    record: dict[str, Any] | None = None

    def checked(self) -> "Listing":
        """This listing, with a note on classes without pictures."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        empty = [name for name, count in zip(self.classes, counts, strict=True) if not count]
        notes = [f"{printable(self.root)}: {note}" for note in named_few("no pictures of", empty)]
        return replace(self, notes=(*self.notes, *notes))


def listed(root: AnyPath, classes: Sequence[str] | None = None) -> Listing:
    """The pictures in the folders of classes in `root`.

    Parameters
    ----------
    root : path
    classes : sequence of str, optional
        In the order of their labels. Default: the folders that hold a picture, sorted.

    Returns
    -------
    Listing

    Raises
    ------
    FileNotFoundError
        When there is no such folder.
    ValueError
        When there is no picture, one folder is two classes, or a folder is none of the classes; without
        `classes`, also when the folders hold no pictures themselves but folders of the same names.
    OSError
        When a folder cannot be read.
    """
    walk = Walk(os.fsdecode(root))
    walk.run()
    folders = walk.named()
    if classes is None:
        walk.refuse_unread()
        classes = tuple(name for name, raw in sorted(folders.items()) if walk.files[raw])
        _refuse_too_deep(walk, [folders[name] for name in classes])
    else:
        classes = tuple(printable(name) for name in classes)
        walk.refuse_unknown(folders, classes)
    files: list[tuple[str, int, int]] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(walk.files.get(folders.get(name, ""), ()))
        files += found
        labels += [label] * len(found)
    if not files:
        raise ValueError(f"{walk.shown}: {walk.nothing()}")
    empty = sorted({*folders} - {*classes})
    told = [*walk.left.notes(), *named_few("folders without a picture, which are no classes", empty)]
    notes = tuple(f"{walk.shown}: {note}" for note in told)
    return Listing(walk.root, classes, files, np.array(labels, np.int64), notes).checked()


def _refuse_too_deep(walk: Walk, owners: list[str]) -> None:
    """Raise ValueError where what was taken for classes are more likely the parts of a data set.

    A class may have folders inside, and one name in all of them (class/images) says nothing; but where no
    class holds a picture itself, and two hold the same several folders, those are what tells pictures apart.
    """
    files = {owner: [name.split("/")[1:] for name, _, _ in walk.files[owner]] for owner in owners}
    if any(len(parts) == 1 for found in files.values() for parts in found):
        return
    places = {owner: folders_inside(found) for owner, found in files.items()}
    inside = {owner: names for owner, (_, names) in places.items()}
    for owner, first in inside.items():
        for other, second in inside.items():
            same = first & second
            if other == owner or len(same) < 2:
                continue
            outer = few([name for name in owners if inside[name] & same])
            name = printable("/".join([owner, *places[owner][0]]))
            if not {name.lower() for name in same} <= PARTS:
                meant = f"are the classes the folders in {walk.shown}/{name}?"
            elif all(len(parts) > 2 for parts in files[owner]):
                meant = f"is {walk.shown}/{name} the data set?"
            else:
                meant = f"are these parts of it? Then train/{name} and test/{name} are wanted"
            raise ValueError(
                f"{walk.shown}: {WANTED}, got {outer}, which hold no pictures themselves but folders of the "
                f"same names ({few(sorted(same))}): {meant}"
            )


def folders_inside(files: list[list[str]]) -> tuple[tuple[str, ...], set[str]]:
    """Where a folder branches: in itself, or in the only folder in it, and so on.

    Parameters
    ----------
    files : list of list of str
        The paths of the pictures in the folder, in parts.

    Returns
    -------
    (tuple of str, set of str)
        The way to that place, and the names of the folders in it; none where it has pictures.
    """
    names = {parts[0] for parts in files}
    if any(len(parts) == 1 for parts in files):
        return (), set()
    if len(names) > 1:
        return (), names
    way, inside = folders_inside([parts[1:] for parts in files])
    return (*names, *way), inside
