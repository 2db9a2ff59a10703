"""The pictures in a folder of classes, with their labels, and a word on all that was left out."""

import os
from dataclasses import dataclass, replace

import numpy as np

from cynet.core.names import printable

from .walk import Walk, named_few


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
    classes: tuple
    files: list
    labels: np.ndarray
    notes: tuple
    part: str = ""
    record: dict | None = None

    def checked(self):
        """This listing, with a note on classes without pictures."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        empty = [name for name, count in zip(self.classes, counts, strict=True) if not count]
        notes = [f"{printable(self.root)}: {note}" for note in named_few("no pictures of", empty)]
        return replace(self, notes=(*self.notes, *notes))


def listed(root, classes=None):
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
        When there is no picture, one folder is two classes, or a folder is none of the classes.
    OSError
        When a folder cannot be read.
    """
    walk = Walk(os.fsdecode(root))
    walk.run()
    folders = walk.named()
    if classes is None:
        walk.refuse_unread()
        classes = tuple(name for name, raw in sorted(folders.items()) if walk.files[raw])
    else:
        classes = tuple(printable(name) for name in classes)
        walk.refuse_unknown(folders, classes)
    files, labels = [], []
    for label, name in enumerate(classes):
        found = sorted(walk.files.get(folders.get(name), ()))
        files += found
        labels += [label] * len(found)
    if not files:
        raise ValueError(f"{walk.shown}: {walk.nothing()}")
    empty = sorted({*folders} - {*classes})
    notes = [*walk.left.notes(), *named_few("folders without a picture, which are no classes", empty)]
    notes = tuple(f"{walk.shown}: {note}" for note in notes)
    return Listing(walk.root, classes, files, np.array(labels, np.int64), notes).checked()
