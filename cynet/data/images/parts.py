"""Which pictures of a folder are for training and which for testing: by its folders, or drawn."""

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.names import few, printable
from cynet.core.types import AnyPath
from cynet.data.registry import dataset

from .image_folder import ImageFolder
from .image_list import ImageList
from .listing import TEST, TRAIN, Listing, folders_inside, listed
from .walk import BROKEN, FOLDER, entries, is_hidden, kind_of

SHARE = 0.2  # of the pictures of each class, for testing
PACKED = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".7z", ".rar")
DEPTH = 4  # folders that are looked into for the one that was meant


@dataset(order=5, own=True, pictures=True, drawn=True,
         makes=("cynet.data.images.image_folder", "ImageFolder"))  # fmt: skip
def image_folder(
    root: AnyPath,
    split: str,
    split_seed: int = 0,
    test_share: float = SHARE,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> ImageFolder:
    """The training or the test set in a folder of pictures, as `cynet.data.load` describes it.

    Parameters
    ----------
    root : path
    split : {"train", "test"}
    split_seed : int
        Draws the test pictures of a folder that has no parts.
    test_share : float
        The part of the pictures of each class that is drawn for testing, above 0 and below 1.
    classes : sequence of str, optional
        Default: those of the training set.
    **options
        For `ImageFolder`.

    Returns
    -------
    ImageFolder
        Its attribute `parts` says how it was taken.
    """
    split_seed = checks.integer("split_seed", split_seed, 0, 2**63 - 1)
    test_share = checks.number("test_share", test_share, 0, 1, open_low=True, open_high=True)
    root = Path(root)
    train, test, notes = _layout(root)
    if train is None and test is None:
        part = drawn(_of_several(listed(root, classes), root), split, split_seed, test_share)
        return ImageFolder(replace(part, notes=(*_beside(root), *part.notes)), **options)
    if split == "train":
        if train is None:
            raise FileNotFoundError(f"{printable(root)}: wanted the folders train and test, found no train")
        found = _of_several(listed(root / train, classes), root / train)
    else:
        if test is None:
            alone = printable(root / train)
            raise FileNotFoundError(
                f"{printable(root)}: wanted a folder test (or val, valid, validation) beside train, found "
                f"none (of {alone} alone a fifth would be drawn for testing)"
            )
        if classes is None and train is not None:
            classes = listed(root / train).classes
        found = listed(root / test, classes)
    record = {"train": train and printable(train), "test": test and printable(test)}
    return ImageFolder(replace(found, notes=(*notes, *found.notes), record=record), **options)


def drawn(found: Listing, split: str, seed: int, share: float) -> Listing:
    """The part of a `Listing` that is for training or for testing, drawn for each class by itself.

    A picture's name and the seed alone say how early it is drawn: neither the order of the files nor the
    other pictures do, so that one more picture moves at most one.
    """
    sizes = np.bincount(found.labels, minlength=len(found.classes))
    wanted = [_share(size, share) for size in sizes]
    order = sorted(
        range(len(found.files)),
        key=lambda i: hashlib.sha256(os.fsencode(f"{seed}/{found.files[i][0]}")).digest(),
    )
    taken = np.zeros(len(found.files), bool)
    for i in order:
        label = found.labels[i]
        if wanted[label]:
            taken[i] = True
            wanted[label] -= 1
    chosen = np.flatnonzero(taken if split == "test" else ~taken)
    count = int(taken.sum())
    rest = len(taken) - count
    if not count:
        raise ValueError(
            f"{printable(found.root)}: wanted at least two pictures of a class to draw one for testing, "
            f"got one of each of {few(found.classes)}"
        )
    note = (
        f"{printable(found.root)}: no folders train and test in it: {100 * share:.3g} % of each class, drawn "
        f"by the split seed {seed}, are for testing ({rest:,} to train on, {count:,} to test)"
    )
    part = replace(
        found,
        files=[found.files[i] for i in chosen],
        labels=found.labels[chosen],
        notes=(note, *found.notes),
        part=f"{split}-{seed}-{share:g}",
        record={"drawn": {"split_seed": seed, "test_share": share}, "train": rest, "test": count},
    )
    return part.checked()


def _share(size: int, share: float) -> int:
    """How many of `size` pictures are for testing: at least one is, and one is not."""
    return min(max(1, math.floor(size * share + 0.5)), size - 1) if size > 1 else 0


def _layout(root: Path) -> tuple[Any, Any, tuple[str, ...]]:
    """(name of the folder to train on or None, of that to test with or None, notes) in a folder."""
    shown = printable(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{shown}: {_no_folder(root)}")
    names = _folders(root)
    train, test = _first(names, TRAIN), _first(names, TEST)
    others = [name for name in names if name.lower() not in TRAIN + TEST]
    if others and not any(_folders(root / name) for name in (train, test) if name):
        train = test = None  # a class may be trains, or tests
    if train is None and test is None:
        if len(names) == 1 and (inside := _inside(root / names[0])):
            raise FileNotFoundError(f"{shown}: wanted folders train and test, found them in {inside}")
        return None, None, ()
    if train is None and test is not None and others:
        raise FileNotFoundError(
            f"{shown}: wanted a folder train beside {printable(test)}, found none: are {few(others)} the "
            "classes to train on? Then put them into a folder train"
        )
    unused = [name for name in names if name not in (train, test)]
    notes = [f"{shown}: the test set is the folder {printable(test)}"] if test and test != TEST[0] else []
    notes += [f"{shown}: folders that are not used: {few(unused)}"] if unused else []
    if train and test and os.path.samefile(root / train, root / test):
        notes.append(f"{shown}: {few((train, test))} are one folder: the test set is what was trained on")
    elif train and test and (both := _in_both(root / train, root / test)):
        parts = f"{printable(train)} and {printable(test)}"
        notes.append(f"{shown}: {parts} have folders in common, tested on what was trained on: {both}")
    return train, test, tuple(notes)


def _in_both(train: Path, test: Path) -> str:
    """The names of the folders in `test` that links make the same as some in `train`; "" for none."""
    real = {os.path.realpath(train / name) for name in _folders(train)}
    return few([name for name in _folders(test) if os.path.realpath(test / name) in real])


def _beside(root: Path) -> list[str]:
    """[a note where a folder that is to be split is itself the part of a data set]"""
    parent, name = root.resolve().parent, root.resolve().name
    if name.lower() not in TRAIN + TEST or not os.access(parent, os.R_OK):
        return []
    others = [other for other in _folders(parent) if other != name and other.lower() in TRAIN + TEST]
    if not others:
        return []
    return [f"{printable(root)}: {few(others)} beside it is not used: is {printable(parent)} the data set?"]


def _no_folder(root: Path) -> str:
    wanted = "wanted a folder with pictures, found"
    if not root.exists():
        return f"{wanted} none"
    ending = root.suffix.lower()
    hint = ": its data set is arrays" if ending == ".npz" else ": unpack it first" if ending in PACKED else ""
    return f"{wanted} a file{hint}"


def _folders(root: Path) -> list[str]:
    """The names of the folders in a folder that are not hidden; none of a part may be a broken link."""
    found = {entry.name: kind_of(entry) for entry in entries(root) if not is_hidden(entry.name)}
    broken = [name for name, kind in found.items() if kind == BROKEN and name.lower() in TRAIN + TEST]
    if broken:
        place = printable(root / broken[0])
        raise FileNotFoundError(f"{place}: wanted a folder, found a link that leads nowhere")
    return [name for name, kind in found.items() if kind == FOLDER]


def _first(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The name that comes first in `wanted`, whatever its case; None where none does."""
    found = {name.lower(): name for name in sorted(names)}
    return next((found[name] for name in wanted if name in found), None)


def _inside(place: Path) -> str | None:
    """The folder in `place`, or deeper where it is the only one, that has parts; None."""
    for _ in range(DEPTH):
        names = _folders(place)
        if _first(names, TRAIN):
            return printable(place)
        if len(names) != 1:
            return None
        place = place / names[0]
    return None


def _of_several(found: Listing, root: Path) -> Listing:
    """A `Listing` to train on, or ValueError for a single class, with what was probably meant."""
    if len(found.classes) > 1:
        return found
    (name,) = found.classes
    way, below = folders_inside([file.split("/")[1:] for file, _, _ in found.files])
    inside = "/".join([printable(root), name, *map(printable, way)])
    hint = f"; are the classes the folders in {inside} ({few(sorted(below))})?" if below else ""
    raise ValueError(
        f"{printable(root)}: wanted a folder of pictures for each of at least two classes, got one class, "
        f"{name}{hint}"
    )


@dataset(order=6, own=True, pictures=True, makes=("cynet.data.images.image_list", "ImageList"))
def image_list(root: AnyPath, split: str, **options: Any) -> ImageList:
    """The training or the test set that text files in a folder list, as `cynet.data.load` describes it.

    Parameters
    ----------
    root : path
    split : {"train", "test"}
    **options
        For `ImageList`.

    Returns
    -------
    ImageList
    """
    root = Path(root)
    pairs = [(each, list_of(each, split)) for each in sorted(root.glob("*.labels"))]
    found = [(names, paths) for names, paths in pairs if paths is not None]
    if len(found) != 1:
        error = ValueError if found else FileNotFoundError
        got = few([names.name for names, _ in found]) or "none"
        raise error(f"{printable(root)}: wanted one pair of files NAME.{split} and NAME.labels, found {got}")
    ((names, paths),) = found
    return ImageList(paths, names, **options)


def list_of(names: Path, split: str) -> Path | None:
    """The list of a split's pictures that lies beside the file `names` of an image_list; None for none."""
    for ending in (split,) if split == "train" else TEST:
        path = names.with_suffix(f".{ending}")
        if path.is_file():
            return path
    return None
