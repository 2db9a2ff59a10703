"""Augmentation written as text: NAME[:ARGUMENT...],... as `--augment` takes it.

An argument is a number, two or more of them with / between, a size such as 48x64, or a word. They stand in
the order of the transform's parameters, or as parameter=argument: "crop:4,flip,affine:10:scale=.8/1.2".
"""

import functools
import importlib
import inspect
import re
from typing import Any

from cynet.core.hints import near

USUAL = "crop:4,flip"  # what augmentation is where nobody says more
MOST = 64  # arguments and names that one text has
IMAGES, MIXES = "cynet.data.images.", "cynet.train.mixup"
# By name: module, class, what stands for arguments that are not given.
NAMES: dict[str, tuple[str, str, tuple[Any, ...]]] = {
    "crop": (IMAGES + "augment", "RandomCrop", (4,)),
    "flip": (IMAGES + "warps", "RandomHorizontalFlip", ()),
    "alternating-flip": (IMAGES + "augment", "RandomFlip", ("alternating",)),
    "random-resized-crop": (IMAGES + "warps", "RandomResizedCrop", ()),
    "rotate": (IMAGES + "warps", "RandomRotation", (15,)),
    "affine": (IMAGES + "warps", "RandomAffine", (10, (0.1, 0.1), (0.9, 1.1))),
    "color-jitter": (IMAGES + "colours", "ColorJitter", (0.4, 0.4, 0.4, 0.1)),
    "grayscale": (IMAGES + "colours", "RandomGrayscale", ()),
    "trivial-augment": (IMAGES + "trivial", "TrivialAugmentWide", ()),
    "erase": (IMAGES + "erasing", "RandomErasing", ()),
    "cutout": (IMAGES + "augment", "Cutout", (8,)),
    "mixup": (MIXES, "Mixup", (0.2,)),
    "cutmix": (MIXES, "Cutmix", (1.0,)),
}
MIXED = "mixup", "cutmix"  # of whole batches: they are none of the loader's
FLIPS = "flip", "alternating-flip"
WITHHELD = {("mixup", "seed"), ("cutmix", "seed")}  # who else gives them knows
CUT = "random-resized-crop"  # its size may be left out
SIZE = re.compile(r"\d{1,9}x\d{1,9}")


def names_of(text: str) -> list[str]:
    """The names in a text, in its order."""
    return [part.split(":")[0] for part in text.split(",")]


def transforms(augment: str | bool) -> list[Any]:
    """What a loader does to its pictures.

    Parameters
    ----------
    augment : str or bool
        A text; True stands for USUAL, False for none.

    Returns
    -------
    list
        For `DataLoader`, without Normalize.

    Raises
    ------
    ValueError
        Naming the part of the text that cannot be.
    """
    return [make() for name, make in _parsed(_text(augment)) if name not in MIXED]


def cut_size(augment: str | bool) -> tuple[int, int] | None:
    """(height, width) of the parts that are cut of pictures, which is the size that a net gets; None where a
    text names none."""
    sizes = [make().size for name, make in _parsed(_text(augment)) if name == CUT]
    return sizes[0] if sizes else None


def mixing(augment: str | bool, seed: int) -> Any:
    """The `Mixup` or `Cutmix` of a text, with a seed; None where it names none."""
    found = [make for name, make in _parsed(_text(augment)) if name in MIXED]
    return found[0](seed=seed) if found else None


def checked(text: str) -> str | bool:
    """A text as a setting holds it: True for USUAL, or ValueError."""
    for name, make in _parsed(text):
        make(seed=0) if name in MIXED else make()
    for names in (MIXED, FLIPS):
        if set(names) <= set(names_of(text)):
            raise ValueError(f"wanted one of {' and '.join(names)}, got {','.join(names)}")
    return True if text in (USUAL, "crop,flip") else text


def _text(augment: str | bool) -> str:
    return augment if isinstance(augment, str) else USUAL if augment else ""


def _parsed(text: str) -> list[tuple[str, Any]]:
    """[(name, what makes it), ...]"""
    parts = text.count(",") + text.count(":") + 1
    if parts > MOST:
        raise ValueError(f"wanted at most {MOST} names and arguments, got {parts}")
    found: dict[str, Any] = {}
    for part in text.split(",") if text else ():
        name, *arguments = part.split(":")
        if name not in NAMES:
            meant = near(name, list(NAMES))
            hint = f" (did you mean {meant}?)" if meant else ""
            raise ValueError(f"wanted names out of {', '.join(NAMES)}, got {name!r:.80}{hint}")
        if name in found:
            raise ValueError(f"wanted {name} at most once, got it twice")
        found[name] = _maker(part, name, arguments)
    return list(found.items())


def _maker(part: str, name: str, arguments: list[str]) -> Any:
    """A function that makes the transform, or raises ValueError naming it."""
    place, title, usual = NAMES[name]
    kind = getattr(importlib.import_module(place), title)
    order = [each for each in inspect.signature(kind).parameters if (name, each) not in WITHHELD]
    if name == CUT and "/" in (arguments or ["/"])[0]:  # its size is left out, or comes later
        order = [*order[1:], order[0]]
    given: dict[str, Any] = dict(zip(order, usual, strict=False)) if not arguments else {}
    for at, argument in enumerate(arguments):
        parameter, sign, text = argument.rpartition("=")
        if not sign and at >= len(order):
            raise ValueError(f"{name}: wanted at most {_count(len(order))}, got {part!r:.80}")
        parameter = parameter if sign else order[at]
        if parameter not in order or parameter in given:
            wanted = f"each of {', '.join(order)} at most once" if order else "no argument"
            raise ValueError(f"{name}: wanted {wanted}, got {argument!r:.80}")
        given[parameter] = _value(text)
    if usual and order[0] not in given:
        given[order[0]] = usual[0]
    return functools.partial(_made, name, kind, given)


def _made(name: str, kind: Any, given: dict[str, Any], **more: Any) -> Any:
    try:
        return kind(**given, **more)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _count(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"


def _value(text: str) -> Any:
    """A number, a tuple of numbers, or the text."""
    if SIZE.fullmatch(text):
        return tuple(map(int, text.split("x")))
    if "/" in text:
        return tuple(_value(each) for each in text.split("/"))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
