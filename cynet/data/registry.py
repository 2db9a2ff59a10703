"""The data sets by name: `@dataset(...)` on a class or function of (root, split) adds one to `load`.

What is known of them is known without loading one, and without NumPy: the help of commands names them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from cynet.core.registry import Registry

TYPE_CHECKING = False  # what checks types takes it for True
if TYPE_CHECKING:
    from typing import Any

    from cynet.core.types import AnyPath

    from .dataset import ArrayDataset

# What a decorator may say: `fetched` (it takes download), `own` (the user's data, whose root must be given),
# `pictures` (in files: it takes skip_damaged), `drawn` (it takes split_seed), `makes` (the class that a
# function returns, after its module), `fitted` (it takes size, resize and channels), `embedded` (it needs no
# files), `arrays` (it takes layout, task and like), `texts` (it takes sequence_length, level and fold),
# `vocabulary` (of a text: it takes one).
FACTS = ("fetched", "own", "pictures", "drawn", "fitted", "embedded", "arrays", "texts", "vocabulary")
FILES = {".npz": "arrays", ".txt": "text"}  # by their ending
NEEDED = ("classes", "fingerprint", "labels", "picture_shape")  # what every data set has


def _watched(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
    """`make` of a caller, whose result is looked at."""

    @functools.wraps(make, updated=())
    def made(*given: Any, **options: Any) -> Any:
        found = make(*given, **options)
        if not all(hasattr(found, each) for each in NEEDED):
            of = getattr(make, "__qualname__", make)
            raise TypeError(f"{name}: wanted an ArrayDataset from {of}, got {type(found).__name__}")
        return found

    return made


dataset = Registry(
    "dataset", "cynet.data", "sets", "images", "text",
    called=lambda file, defined: defined.lower(), taken=_watched,
)  # fmt: skip


class Those:
    """The data sets whose decorators say some facts: names as in a tuple, but of this moment.

    Parameters
    ----------
    **facts
    """

    def __init__(self, **facts: Any) -> None:
        self._facts = facts

    def __contains__(self, name: object) -> bool:
        return name in dataset.those(**self._facts)

    def __iter__(self) -> Iterator[str]:
        return iter(dataset.those(**self._facts))

    def __len__(self) -> int:
        return len(dataset.those(**self._facts))

    def __repr__(self) -> str:
        return repr(dataset.those(**self._facts))


FETCHED, OWN = Those(fetched=True), Those(own=True)
PICTURES = Those(pictures=True)  # in files, of which some may be damaged


def names() -> tuple[str, ...]:
    """The names that `load` knows.

    Returns
    -------
    tuple of str
        Those of cynet in order, then those that were registered.
    """
    return dataset.names()


def register(name: str, make: Callable[[Any, str], ArrayDataset], **facts: bool) -> None:
    """Add a data set of one's own to those that `load` and the commands know.

    A second of one name takes the first one's place where both are of one name in one module, as a notebook's
    cell that is run again defines them.

    Parameters
    ----------
    name : str
        Of letters from a to z, digits, _, . and -.
    make : callable
        (root, split) to an ArrayDataset; root is None where none is given.
    **facts : bool
        `own`: a root must be given. `pictures`: they are in files, and it takes skip_damaged. `fetched`: it
        takes download. `drawn`: it takes split_seed. `fitted`: it takes size, resize and channels.
        `embedded`: it needs no files. `arrays`: it takes layout, task and like, as `from_npz` does. `texts`:
        it gives a `TokenSet`, and takes sequence_length, level and fold. `vocabulary`: it takes one, that of
        the net which is to read it.

    Raises
    ------
    TypeError, ValueError
        When the arguments are none such, or the name is taken.
    """
    if not isinstance(name, str) or not callable(make):
        raise TypeError(f"register: wanted a str and a callable, got {name!r} and {make!r}")
    for fact, value in facts.items():
        if fact not in FACTS:
            raise TypeError(f"{fact}: wanted one of {', '.join(FACTS)}")
        if not isinstance(value, bool):
            raise TypeError(f"{fact}: wanted True or False, got {value!r}")
    dataset.add(name, make, **facts)


def name_of(samples: ArrayDataset, told: str) -> str:
    """What a data set is called: as somebody told it where it can be that one, else by what it is.

    Parameters
    ----------
    samples : dataset
    told : str
        A name; a data set that was registered may be anything.

    Returns
    -------
    str
        `told`, another name, or that of the class.
    """
    homes = {name: dataset.facts(name).get("makes") or dataset.home(name) for name in names()}
    if told in homes and homes[told] is None:
        return told
    for kind in type(samples).__mro__:  # the nearest first
        found = [name for name, home in homes.items() if home == (kind.__module__, kind.__qualname__)]
        if told in found:
            return told
        if found and found != ["arrays"]:  # which every data set is
            return found[0]
    return type(samples).__name__


def checked_name(name: str) -> str:
    """`name`, if `load` knows it."""
    kind = None if name in dataset else kind_of(name)
    if kind:
        wanted = f"name: wanted one of {', '.join(names())}, got {name!r}"
        raise ValueError(f"{wanted} (did you mean {kind!r} with root={name!r}?)")
    return dataset.checked(name)


def placed(name: str, place: Any = None) -> tuple[str, Any]:
    """(name of a data set, its place): a file of arrays, or text, that is given as the name stands for both.

    Parameters
    ----------
    name : str
    place : path, optional
        None where none was given.
    """
    kind = kind_of(name) if place is None and name not in dataset else None
    return (kind, name) if kind in ("arrays", "text") else (name, place)


def kind_of(path: AnyPath) -> str | None:
    """Which of the user's own data sets a file or folder may be, by its look; None where it is none."""
    try:
        place = Path(path)
        if place.is_dir():
            if (place / "train_images.npy").is_file() or (place / "x_train.npy").is_file():
                return "arrays"
            return "image_list" if any(place.glob("*.labels")) else "image_folder"
        return FILES.get(place.suffix.lower()) if place.is_file() else None
    except (OSError, TypeError, ValueError):
        return None
