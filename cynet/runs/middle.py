"""Pictures that are kept larger than they are cut: the size that a net gets, and the part that is evaluated.

Design: the recipe is torchvision's (Resize(256), CenterCrop(224)). Kept pictures are cut in the middle; those
that are kept larger than 8/7 of the cut are scaled down to that first, so that no evaluation sees a small
part alone.
"""

from cynet import data

from . import augmentations
from .facts import Facts

LARGEST = 8 / 7  # 256 / 224


def sizes(augment, picture_shape):
    """(shape that a net gets, (height, width) that pictures are kept in or () where that is the same).

    Parameters
    ----------
    augment : bool or str
        As `Settings` has it.
    picture_shape : tuple of int
        (height, width, channels) of a data set's pictures; others are no pictures and stay as they are.

    Raises
    ------
    ValueError
        Where a part is to be larger than the picture.
    """
    shape = tuple(map(int, picture_shape))
    cut = augmentations.cut_size(augment)
    if cut is None or len(shape) != 3 or cut == shape[:2]:
        return shape, ()
    if cut[0] > shape[0] or cut[1] > shape[1]:
        most, got = (" x ".join(map(str, size)) for size in (shape[:2], cut))
        hint = "image_size keeps those in files larger"
        raise ValueError(f"augment: wanted a cut of at most the pictures' size, {most} ({hint}), got {got}")
    return (*cut, shape[2]), shape[:2]


def ready(facts: Facts):
    """What a loader does to pictures that a model with these `Facts` is asked about: a list of transforms."""
    return [*cut(facts), data.Normalize(facts.mean, facts.std)]


def cut(facts):
    """The transforms that take the middle of kept pictures."""
    if not facts.kept:
        return []
    found, size = scaled(facts), facts.picture_shape[:2]
    before = [] if found == tuple(facts.kept) else [data.Resize(found)]
    return [*before, data.CenterCrop(size)]


def scaled(facts):
    """(height, width) that kept pictures are scaled to, before the middle is taken."""
    kept, size = tuple(facts.kept), facts.picture_shape[:2]
    times = min(whole / part for whole, part in zip(kept, size, strict=True))
    if times <= LARGEST:
        return kept
    return tuple(max(part, round(whole * LARGEST / times)) for whole, part in zip(kept, size, strict=True))
