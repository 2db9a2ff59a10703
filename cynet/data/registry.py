"""The data sets by name."""

import importlib
import os
from pathlib import Path

from cynet.core import checks
from cynet.core.hints import near
from cynet.core.names import few, printable

from .dataset import checked_split

_HOMES = {
    "shapes10": "sets.shapes10:Shapes10",
    "cifar10": "sets.cifar:CIFAR10",
    "cifar100": "sets.cifar:CIFAR100",
    "mnist": "sets.idx:MNIST",
    "fashionmnist": "sets.idx:FashionMNIST",
    "image_folder": "images.parts:image_folder",
    "image_list": "registry:_image_list",
    "arrays": "registry:_arrays",
}
_KINDS = {  # the classes of those that a function makes
    "image_folder": "images.image_folder:ImageFolder",
    "image_list": "images.image_list:ImageList",
    "arrays": "dataset:ArrayDataset",
}
FETCHED = ("cifar10", "cifar100", "mnist", "fashionmnist")
OWN = ("image_folder", "image_list", "arrays")
PICTURES = ("image_folder", "image_list")  # in files, of which some may be damaged


def names():
    """The names that `load` knows."""
    return tuple(_HOMES)


def load(name, root=None, split="train", download=False, split_seed=0, skip_damaged=False, **options):
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
    if name == "image_folder":
        options["split_seed"] = split_seed
    if name in FETCHED:
        options["download"] = download
    elif download and name in OWN:
        raise ValueError(f"download: wanted one of {', '.join(FETCHED)}, got {name!r}")
    if root is None and name in OWN:
        raise ValueError(f"root: wanted the place of the files of {name}, got none")
    if root is None and isinstance(_HOMES[name], str):
        root = "data"
    if root is not None and os.fspath(root).startswith("~"):
        root = os.path.expanduser(root)
    return _maker(name)(root, split, **options)


def register(name, make):
    """Add a data set of one's own to those that `load` and the commands know.

    Parameters
    ----------
    name : str
    make : callable
        (root, split) to an ArrayDataset; root is None where none is given.

    Raises
    ------
    TypeError, ValueError
        When the arguments are none such, or the name is taken.
    """
    if not isinstance(name, str) or not callable(make):
        raise TypeError(f"register: wanted a str and a callable, got {name!r} and {make!r}")
    if name in _HOMES:
        raise ValueError(f"name: wanted one that is not taken, got {name!r}")
    _HOMES[name] = make


def _maker(name):
    home = _HOMES[name]
    if callable(home):
        return home
    module, function = home.split(":")
    return getattr(importlib.import_module(f".{module}", __package__), function)


def name_of(dataset, told):
    """What a data set is called: as somebody told it where it can be that one, else by what it is.

    Parameters
    ----------
    dataset : dataset
    told : str
        A name; a data set that was registered may be anything.

    Returns
    -------
    str
        `told`, another name, or that of the class.
    """
    if callable(_HOMES.get(told)):
        return told
    homes = {name: f"{__package__}.{_KINDS.get(name, home)}" for name, home in _HOMES.items()}
    for kind in type(dataset).__mro__:  # the nearest first
        names = [name for name, home in homes.items() if home == f"{kind.__module__}:{kind.__qualname__}"]
        if told in names:
            return told
        if names and names != ["arrays"]:  # which every data set is
            return names[0]
    return type(dataset).__name__


def checked_name(name):
    """`name`, if `load` knows it."""
    if not isinstance(name, str) or name not in _HOMES:
        meant = near(str(name), _HOMES)
        hint = f" (did you mean {meant}?)" if meant else ""
        if kind := kind_of(name):
            hint = f" (did you mean {kind!r} with root={name!r}?)"
        raise ValueError(f"name: wanted one of {', '.join(_HOMES)}, got {name!r}{hint}")
    return name


def kind_of(path):
    """Which of the user's own data sets a file or folder may be, by its look; None where it is none."""
    try:
        place = Path(path)
        if place.is_dir():
            return "image_list" if any(place.glob("*.labels")) else "image_folder"
        return "arrays" if place.suffix.lower() == ".npz" and place.is_file() else None
    except (OSError, TypeError, ValueError):
        return None


def _image_list(root, split, **options):
    from .images import parts
    from .images.image_list import ImageList

    root = Path(root)
    pairs = [(each, parts.list_of(each, split)) for each in sorted(root.glob("*.labels"))]
    found = [(names, paths) for names, paths in pairs if paths is not None]
    if len(found) != 1:
        error = ValueError if found else FileNotFoundError
        got = few([names.name for names, _ in found]) or "none"
        raise error(f"{printable(root)}: wanted one pair of files NAME.{split} and NAME.labels, found {got}")
    ((names, paths),) = found
    return ImageList(paths, names, **options)


def _arrays(root, split, **options):
    from .sets.array_files import from_npz

    if not Path(root).is_file():
        found = "a folder: its data set is image_folder" if Path(root).is_dir() else "none"
        wanted = "wanted a .npz file with train_images and test_images"
        raise FileNotFoundError(f"{printable(root)}: {wanted}, found {found}")
    return from_npz(root, split, **options)
