"""The data sets by name: `@dataset(...)` on a class or function of (root, split) adds one to `load`."""

import functools
import os
from pathlib import Path

from cynet.core import checks
from cynet.core.registry import Registry

from .dataset import checked_split

# What a decorator may say: `fetched` (it takes download), `own` (the user's data, whose root must be given),
# `pictures` (in files: it takes skip_damaged), `drawn` (it takes split_seed), `makes` (the class that a
# function returns, after its module), `fitted` (it takes size, resize and channels), `embedded` (it needs no
# files).
FACTS = ("fetched", "own", "pictures", "drawn", "fitted", "embedded")
NEEDED = ("classes", "fingerprint", "labels", "picture_shape")  # what every data set has


def _watched(name, make):
    """`make` of a caller, whose result is looked at."""

    @functools.wraps(make, updated=())
    def made(*given, **options):
        found = make(*given, **options)
        if not all(hasattr(found, each) for each in NEEDED):
            of = getattr(make, "__qualname__", make)
            raise TypeError(f"{name}: wanted an ArrayDataset from {of}, got {type(found).__name__}")
        return found

    return made


dataset = Registry(
    "dataset", "cynet.data", "sets", "images", called=lambda file, defined: defined.lower(), taken=_watched
)
FETCHED, OWN = dataset.live(fetched=True), dataset.live(own=True)
PICTURES = dataset.live(pictures=True)  # in files, of which some may be damaged


def names():
    """The names that `load` knows."""
    return dataset.names()


def load(
    name: str,
    root: str | os.PathLike[str] | None = None,
    split: str = "train",
    download: bool = False,
    split_seed: int = 0,
    skip_damaged: bool = False,
    **options: object,
):
    """A data set by its name.

    Parameters
    ----------
    name : str
        One of `names()`.
    root : path, optional
        Where its files lie; default: the folder data. shapes10 needs none. The user's own data must be
        named:

        - image_folder: a folder with the folders train and test (or val, validation, ...), each with a
          folder of pictures for each class; the classes are those of train. Or one with the folders of the
          classes alone, from each of which a fifth is drawn for testing;
        - image_list: a folder with the text files NAME.train, NAME.test (or the others) and NAME.labels, for
          one NAME: lists of pictures and the names of the classes;
        - arrays: a .npz file with train_images, train_labels, test_images and test_labels (or x_train and so
          on), and perhaps `classes`.
    split : {"train", "test"}
    download : bool
        Fetch cifar10, cifar100, mnist or fashionmnist where it is not there.
    split_seed : int
        Draws the test pictures of an image_folder that has no folder for them; nothing else depends on it.
    skip_damaged : bool
        Leave damaged pictures of image_folder and image_list out, and note it, instead of raising an error.
    **options
        For the class or function behind the name: `size` of ImageFolder, `layout` of from_npz.

    Returns
    -------
    ArrayDataset

    Raises
    ------
    ValueError
        When name or split is unknown, or a file is damaged.
    FileNotFoundError
        When the files are not there, naming where they were looked for.
    OSError
        When they cannot be fetched.
    """
    checked_name(name)
    checked_split(split)
    checks.integer("split_seed", split_seed, 0, 2**63 - 1)
    if checks.flag("skip_damaged", skip_damaged) and name not in PICTURES:
        raise ValueError(f"skip_damaged: wanted pictures in files ({', '.join(PICTURES)}), got {name!r}")
    if name in PICTURES:
        options["skip_damaged"] = skip_damaged
    if dataset.facts(name).get("drawn"):
        options["split_seed"] = split_seed
    if name in FETCHED:
        options["download"] = download
    elif download and name in OWN:
        raise ValueError(f"download: wanted one of {', '.join(FETCHED)}, got {name!r}")
    if root is None and name in OWN:
        raise ValueError(f"root: wanted the place of the files of {name}, got none")
    if root is None and dataset.home(name):
        root = "data"
    if root is not None and os.fspath(root).startswith("~"):
        root = os.path.expanduser(root)
    return dataset[name](root, split, **options)


def register(name, make, **facts):
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
        `embedded`: it needs no files.

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
        checks.flag(fact, value)
    dataset.add(name, make, **facts)


def name_of(samples, told):
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


def checked_name(name):
    """`name`, if `load` knows it."""
    kind = None if name in dataset else kind_of(name)
    if kind:
        wanted = f"name: wanted one of {', '.join(names())}, got {name!r}"
        raise ValueError(f"{wanted} (did you mean {kind!r} with root={name!r}?)")
    return dataset.checked(name)


def kind_of(path):
    """Which of the user's own data sets a file or folder may be, by its look; None where it is none."""
    try:
        place = Path(path)
        if place.is_dir():
            return "image_list" if any(place.glob("*.labels")) else "image_folder"
        return "arrays" if place.suffix.lower() == ".npz" and place.is_file() else None
    except (OSError, TypeError, ValueError):
        return None
