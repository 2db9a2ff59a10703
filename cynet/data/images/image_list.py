"""ImageList: pictures by the course's two text files, a path in each line and a class name in each line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core.files import read_regular, user_path
from cynet.core.names import printable
from cynet.core.types import AnyArray, AnyPath, Shape
from cynet.data.dataset import ArrayDataset, named_classes

from . import damaged
from .decoding import decoded
from .pictures import Fit, PictureProblem, attempt

MOST = 1 << 28  # bytes of a list


class ImageList(ArrayDataset):
    """Pictures that a list file names; the class is the name that the path contains.

    Parameters
    ----------
    list_file : path
        A picture's path in each line. Those that are not absolute are looked for in the current folder, as
        the course does; where the first is not there, in the list's own.
    names_file : path
        A class's name in each line. Where a path contains several, the one contained in the file's name
        counts, and of "man" and "woman" the longer.
    size : int or (int, int), optional
        Height and width that every picture is given, in colour. Default: their own, which must be the same,
        grey or in colour.
    resize : {"crop", "stretch"}
        How, see `ImageFolder`.
    workers : int, optional
        Processes that decode; default: by the number of pictures.
    skip_damaged : bool
        Leave damaged pictures out, and note it, instead of raising DamagedError.

    Attributes
    ----------
    paths : tuple of str
        Of the pictures.
    resize : str
        As given.
    damaged : tuple of PictureProblem
        The pictures that were left out.

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        Naming a list that is empty, a picture of no clear class or of another shape, or, as a DamagedError,
        all files that are no pictures.
    OSError
        Naming the files that cannot be read.
    """

    def __init__(
        self,
        list_file: AnyPath,
        names_file: AnyPath,
        size: int | tuple[int, int] | None = None,
        resize: str = "crop",
        workers: int | None = None,
        skip_damaged: bool = False,
    ) -> None:
        fit = None if size is None else Fit(size, resize)
        self.resize = resize
        paths, names = read_lines(list_file), read_lines(names_file)
        classes = named_classes(names, printable(names_file))
        labels = np.array([class_of(path, names) for path in paths])
        folder = user_path(list_file).parent
        if not Path(paths[0]).exists() and (folder / paths[0]).exists():
            paths = [str(folder / path) for path in paths]
        images, self.damaged, sound = _all_of(paths, fit, workers, skip_damaged)
        self.paths = tuple(paths[i] for i in sound)
        super().__init__(images, labels[sound], classes)
        self.notes = tuple(f"{printable(list_file)}: {note}" for note in damaged.noted(self.damaged))

    def path_of(self, index: int) -> str:
        """The file of a sample."""
        return self.paths[index]


def _all_of(
    paths: list[str], fit: Fit | None, workers: int | None, skip: bool
) -> tuple[AnyArray, tuple[PictureProblem, ...], list[int]]:
    """(images, the damaged ones, the indices of the others)"""
    images: Any = None  # an array, as soon as their shape is known
    sound: list[int] = []
    problems: list[PictureProblem] = []
    done = 0
    for chunk in decoded(paths, fit, workers, attempt):
        for i, picture in enumerate(chunk, done):
            if isinstance(picture, PictureProblem):
                problems.append(picture)
                continue
            if images is None:
                images = np.empty((len(paths), *picture.shape), np.uint8)
            check_shape(paths[i], picture.shape, images.shape[1:])
            images[len(sound)] = picture
            sound.append(i)
        done += len(chunk)
    damaged.refuse(problems, len(paths), skip)
    return images[: len(sound)], tuple(problems), sound


def check_shape(path: str, shape: Shape, first: Shape) -> None:
    """Raise ValueError where a picture's shape is not that of the first one."""
    if shape != first:
        raise ValueError(
            f"{printable(path)}: wanted shape {first} (channels, height, width), that of the first picture, "
            f"got {shape}"
        )


def read_lines(path: AnyPath) -> list[str]:
    """The lines of a text file that are not blank, stripped; ValueError where there are none.

    Names of files may be any bytes: those that are no UTF-8 come through as they are.
    """
    text = read_regular(user_path(path), MOST).decode("utf-8-sig", "surrogateescape")
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    lines = [line for line in lines if line]
    if not lines:
        raise ValueError(f"{printable(path)}: wanted at least one line, got none")
    broken = next((line for line in lines if "\0" in line), None)
    if broken is not None:
        raise ValueError(f"{printable(path)}: wanted lines of text, got a zero byte in {broken!r:.80}")
    return lines


def class_of(path: str, names: Sequence[str]) -> int:
    """The number of the class whose name a path contains; `ImageList` says which of several."""
    found = [k for k, name in enumerate(names) if name in path]
    if len(found) > 1:
        found = [k for k in found if names[k] in Path(path).name] or found
        found = [k for k in found if not any(names[k] in names[j] != names[k] for j in found)]
    if len(found) != 1:
        wanted = "wanted one class name in the path"
        got = [printable(names[k]) for k in found] or "none"
        raise ValueError(f"{printable(path)}: {wanted}, got {got} of {names!r:.200}")
    return found[0]
