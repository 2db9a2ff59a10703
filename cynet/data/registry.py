"""The data sets by name."""

import importlib
import os
from pathlib import Path

from cynet.core.hints import near

from .dataset import checked_split

_HOMES = {
    "shapes10": "shapes10:Shapes10",
    "cifar10": "cifar:CIFAR10",
    "cifar100": "cifar:CIFAR100",
    "mnist": "idx:MNIST",
    "fashionmnist": "idx:FashionMNIST",
    "image_folder": "registry:_image_folder",
    "image_list": "registry:_image_list",
    "arrays": "registry:_arrays",
}
FETCHED = ("cifar10", "cifar100", "mnist", "fashionmnist")
OWN = ("image_folder", "image_list", "arrays")


def names():
    """The names that `load` knows."""
    return tuple(_HOMES)


def load(name, root=None, split="train", download=False, **options):
    """A data set by its name.

    Parameters
    ----------
    name : str
        One of `names()`.
    root : path, optional
        Where its files lie; default: the folder data. shapes10 needs none. The user's own data must be
        named:

        - image_folder: a folder with the folders train and test, each with a folder of pictures for each
          class; the classes are those of train;
        - image_list: a folder with the text files NAME.train, NAME.test and NAME.labels, for one NAME: lists
          of pictures and the names of the classes;
        - arrays: a .npz file with train_images, train_labels, test_images and test_labels (or x_train and so
          on), and perhaps `classes`.
    split : {"train", "test"}
    download : bool
        Fetch cifar10, cifar100, mnist or fashionmnist where it is not there.
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


def checked_name(name):
    """`name`, if `load` knows it."""
    if not isinstance(name, str) or name not in _HOMES:
        meant = near(str(name), _HOMES)
        hint = f" (did you mean {meant}?)" if meant else ""
        raise ValueError(f"name: wanted one of {', '.join(_HOMES)}, got {name!r}{hint}")
    return name


def _image_folder(root, split, **options):
    from .image_folder import ImageFolder, class_folders

    root = Path(root)
    if not (root / "train").is_dir():
        raise FileNotFoundError(f"{root}: wanted the folders train and test with pictures, found no train")
    return ImageFolder(root / split, **({"classes": class_folders(root / "train")} | options))


def _image_list(root, split, **options):
    from .image_list import ImageList

    root = Path(root)
    found = sorted(p for p in root.glob("*.labels") if p.with_suffix(f".{split}").is_file())
    if len(found) != 1:
        error = ValueError if found else FileNotFoundError
        got = ", ".join(path.name for path in found) or "none"
        raise error(f"{root}: wanted one pair of files NAME.{split} and NAME.labels, found {got}")
    return ImageList(found[0].with_suffix(f".{split}"), found[0], **options)


def _arrays(root, split, **options):
    from .array_files import from_npz

    if not Path(root).is_file():
        raise FileNotFoundError(f"{root}: wanted a .npz file with train_images and test_images, found none")
    return from_npz(root, split, **options)
