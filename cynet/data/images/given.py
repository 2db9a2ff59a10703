"""What people give as pictures (files, folders, arrays, Pillow's pictures), made into what a model takes."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from cynet.core.files import user_path
from cynet.core.names import few, printable
from cynet.core.types import AnyArray, AnyPath, Shape

from . import kinds
from . import pictures as files
from .walk import is_hidden

WANTED = "wanted paths, uint8 arrays or Pillow's pictures"
BROKEN = ValueError, OSError, MemoryError  # a picture, or its file


def sources(given: Any, channels: int) -> Iterator[tuple[str, Any]]:
    """Each picture of what somebody gave.

    Parameters
    ----------
    given : path, array, picture of Pillow, or a sequence of these
        A folder stands for all pictures in it, sorted, hidden ones left out.
    channels : int
        Of the model. Only of a model of grey pictures an array of three dimensions may be several of them.

    Yields
    ------
    (name, source)
        A path, ndarray (height, width, channels) or Pillow's picture, or the error where it is not there.

    Raises
    ------
    TypeError, ValueError
        When it is none of these.
    """
    number = 0
    for each in [given] if _is_one(given) else given:
        if isinstance(each, (str, os.PathLike)):
            yield from _in_files(each)
            continue
        parts = _arrays(each, channels) if isinstance(each, np.ndarray) else [each]
        if not (isinstance(each, np.ndarray) or _is_picture(each)):
            raise TypeError(f"pictures: {WANTED}, got {type(each).__name__} {each!r:.60}")
        for part in parts:
            yield f"picture {number}", part
            number += 1


def _is_one(given: Any) -> bool:
    if isinstance(given, (str, os.PathLike, np.ndarray)) or _is_picture(given):
        return True
    if not hasattr(given, "__iter__") or isinstance(given, (bytes, dict)):
        raise TypeError(f"pictures: {WANTED}, or a sequence of them, got {type(given).__name__}")
    return False


def _is_picture(value: Any) -> bool:
    """Whether it is a picture of Pillow's, which must have been imported to make one."""
    image = sys.modules.get("PIL.Image")
    return image is not None and isinstance(value, image.Image)


def _in_files(path: AnyPath) -> Iterator[tuple[str, Path | Exception]]:
    """(name, path) of a file, or of each picture in a folder."""
    place = user_path(path)
    if not place.is_dir():
        yield os.fspath(path), place
        return
    try:
        found, others = picture_files(place)
        if not found:
            left = f", but {described(others)}" if others else ""
            raise ValueError(f"{printable(path)}: wanted a folder with pictures, got none in it{left}")
    except BROKEN as error:
        yield os.fspath(path), error
        return
    yield from ((str(file), file) for file in found)


def picture_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures in a folder and in those below it.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    found : list of Path
        By name; hidden files and folders are left out, and links to folders are not followed.
    others : list of Path
        Files that are no pictures by their names, or that take a package to be read; see `described`.

    Raises
    ------
    OSError
        When a folder cannot be read.
    """
    files.pillow()
    readable = kinds.read_endings()
    found: list[Path] = []
    others: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in names:
            path = Path(place, name)
            if not is_hidden(name) and path.is_file():
                (found if kinds.ending(name) in readable else others).append(path)
    return sorted(found), sorted(others)


def described(others: list[Path]) -> str:
    """What files that `picture_files` left out are, in words: counted by their endings, packages named."""
    counts = Counter(kinds.ending(path.name) for path in others)
    packages = {ending: kinds.missing_package(ending) for ending in counts}
    texts = []
    for ending, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        needed = f" (pip install {packages[ending]} reads them)" if packages[ending] else ""
        texts.append(f"{count:,} {ending or 'without an ending'}{needed}")
    return few(texts, 8)


def _raise(error: OSError) -> NoReturn:
    raise error


def _arrays(array: AnyArray, channels: int) -> Any:
    """The pictures (height, width, channels) in an array, which is checked."""
    if array.dtype != np.uint8:
        low, high = (array.min(), array.max()) if array.size and array.dtype.kind in "fiub" else ("?", "?")
        raise TypeError(f"pictures: wanted arrays of uint8, 0 to 255, got {array.dtype} from {low} to {high}")
    several = array.ndim == 4 or (array.ndim == 3 and channels == 1 and array.shape[2] not in (1, 3, 4))
    whole = array[..., None] if array.ndim == 2 or (several and array.ndim == 3) else array
    if whole.ndim not in (3, 4) or whole.shape[-1] not in (1, 3, 4, channels) or 0 in whole.shape[-3:]:
        raise ValueError(
            "pictures: wanted arrays of (height, width), (height, width, channels) or (count, height, width, "
            f"channels), got {array.shape}"
        )
    return whole if several else [whole]


def pixels(source: Any, shape: Shape, resize: str) -> AnyArray:
    """The bytes that a model takes of one picture.

    Parameters
    ----------
    source : path, ndarray of uint8 (height, width, channels) or Pillow's picture
    shape : tuple of int
        (height, width, channels) of what the model takes.
    resize : {"crop", "stretch"}

    Returns
    -------
    ndarray of uint8 (channels, height, width)

    Raises
    ------
    ImportError
        Where it takes Pillow, which is not there.
    ValueError, OSError
        When the file is no picture, or cannot be read.
    """
    height, width, channels = shape
    if isinstance(source, np.ndarray) and source.shape == tuple(shape):
        return np.ascontiguousarray(source.transpose(2, 0, 1))
    if channels not in (1, 3):
        raise ValueError(f"wanted an array of {height} x {width} with {channels} channels for this model")
    fit = files.Fit((height, width), resize, channels)
    if isinstance(source, Path):
        return files.read(source, fit)
    if isinstance(source, np.ndarray):
        plane = source[..., 0] if source.shape[2] == 1 else source
        source = files.pillow().fromarray(np.ascontiguousarray(plane))
    try:
        planar = files._pixels(source, fit)
    except Exception as error:  # it may be read from its file only now
        raise ValueError(f"wanted a picture that Pillow can read: {type(error).__name__}: {error}") from error
    return np.ascontiguousarray(planar[None] if planar.ndim == 2 else planar.transpose(2, 0, 1))
