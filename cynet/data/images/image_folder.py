"""ImageFolder: a folder of pictures for each class, decoded once and then mapped."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cynet.core.files import user_path
from cynet.core.names import printable
from cynet.core.types import AnyPath
from cynet.data.dataset import ArrayDataset

from . import damaged
from .listing import Listing, listed
from .pictures import Fit, PictureProblem
from .pixel_cache import NotKeptError, PixelCache, Pixels, digest_of, in_memory
from .walk import CACHE, is_hidden

VERSION = 2  # of the key file, and of how pixels are made
DARK = 31  # of 255: the brightest pixel of pictures that hold fewer bits than their files say


class ImageFolder(ArrayDataset):
    """Pictures from a folder that has one folder for each class, which names it.

    Parameters
    ----------
    root : path or Listing
        Pictures may lie deeper in the folder of a class, and links are followed, each real folder once.
        Hidden files and folders are left out, and files whose ending is none of a picture.
    size : int or (int, int)
        Height and width that every picture is given.
    resize : {"crop", "stretch"}
        Cut the largest middle part of these proportions out and scale that, or scale the whole.
    channels : {3, 1}
        Red, green and blue, or grey.
    classes : sequence of str, optional
        The classes in the order of their labels. Default: the folders that hold a picture, sorted. Give those
        of the training set for a test set that may lack some.
    cache : bool or path
        Where the decoded pixels are kept for the next start: True means in root/.cynet, a path that folder,
        and False nowhere. Where they cannot be kept, they are in memory, and `notes` say why.
    workers : int, optional
        Processes that decode; default: by the number of pictures.
    skip_damaged : bool
        Leave damaged pictures out, and note it, instead of raising DamagedError.

    Attributes
    ----------
    images : np.memmap of uint8 (count, channels, height, width), or ndarray where nothing is kept
    classes : tuple of str
        Printable: what is no UTF-8 in a folder's name is escaped.
    paths : tuple of str
        Of the pictures, relative to `root`, as the system gave them.
    resize : str
        As given.
    damaged : tuple of PictureProblem
        The pictures that were left out.

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        Naming the folder that has no picture; or, as a DamagedError, all files that are no pictures.
    OSError
        When files cannot be read.

    Notes
    -----
    The fingerprint is that of the pixels, as for every data set; it is taken while they are decoded and kept
    in the key file, and so are the sums behind `mean` and `std`.
    """

    def __init__(
        self,
        root: AnyPath | Listing,
        size: int | tuple[int, int] = (32, 32),
        resize: str = "crop",
        channels: int = 3,
        classes: Sequence[str] | None = None,
        cache: bool | AnyPath = True,
        workers: int | None = None,
        skip_damaged: bool = False,
    ) -> None:
        fit = Fit(size, resize, channels)
        if isinstance(classes, str):
            raise TypeError(f"classes: wanted a sequence of str, got {classes!r}")
        found = root if isinstance(root, Listing) else listed(user_path(root), classes)
        self.root, self.parts, self.resize = Path(found.root), found.record, fit.resize
        paths = [os.path.join(found.root, name) for name, _, _ in found.files]
        pixels, not_kept = _pixels(found, paths, fit, cache, workers)
        self.damaged = tuple(PictureProblem(paths[i], reason, True) for i, reason in pixels.damaged)
        damaged.refuse(self.damaged, len(paths), skip_damaged)
        left_out = {i for i, _ in pixels.damaged}
        self.paths = tuple(name for i, (name, _, _) in enumerate(found.files) if i not in left_out)
        super().__init__(pixels.images, np.delete(found.labels, list(left_out)), found.classes)
        if pixels.fingerprint:
            self._fingerprint, self._counts = pixels.fingerprint, pixels.counts
        prefix = printable(found.root)
        more = (*damaged.noted(self.damaged, found.root), *not_kept, *self._looks())
        self.notes = (*found.notes, *(f"{prefix}: {note}" for note in more))

    def _looks(self) -> list[str]:
        """[a note where the pixels are not what pictures look like]"""
        brightest = int(np.flatnonzero(self._counts.sum(axis=0)).max())
        if brightest > DARK:
            return []
        hint = "do they hold fewer bits than their files say?"
        return [f"all pictures are nearly black, no pixel is above {brightest} of 255: {hint}"]

    def path_of(self, index: int) -> str:
        """The file of a sample."""
        return str(self.root / self.paths[index])


def _pixels(
    found: Listing, paths: list[str], fit: Fit, cache: bool | AnyPath, workers: int | None
) -> tuple[Pixels, list[str]]:
    """(Pixels of a listing's pictures, [a note where they cannot be kept])"""
    if cache is False:
        return in_memory(paths, fit, workers), []
    root = Path(found.root)
    folder = root / CACHE if cache is True else user_path(cache)
    _check_place(root, folder)
    name = "x".join(map(str, fit.shape)) + f"-{fit.resize}" + (f"-{found.part}" if found.part else "")
    if cache is not True:  # several sets may be kept there
        name = f"{root.resolve().name}-{digest_of(str(root.resolve()))[:8]}-{name}"
    made_from = digest_of([VERSION, fit.shape, fit.resize, found.classes, found.files])
    kept = PixelCache(folder, name, made_from, fit.shape)
    pixels = kept.read()
    if pixels is not None:
        return pixels, []
    try:
        return kept.write(paths, found.labels, found.classes, fit, workers), []
    except NotKeptError as error:
        why = f"the decoded pictures are in memory, and made anew at each start: {printable(folder)}: {error}"
        return in_memory(paths, fit, workers), [why]


def _check_place(root: Path, folder: Path) -> None:
    """Refuse a folder for the cache that the next start would take for a class."""
    try:
        inside = folder.resolve().relative_to(root.resolve()).parts
    except ValueError:
        return
    if not any(map(is_hidden, inside)):
        raise ValueError(
            f"cache: wanted a folder outside of {printable(root)} or one whose name begins with a dot, "
            f"got {printable(folder)}"
        )
