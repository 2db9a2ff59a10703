"""The data sets by name."""

import difflib

from .cifar import CIFAR10, CIFAR100
from .shapes10 import Shapes10

_DATASETS = {"shapes10": Shapes10, "cifar10": CIFAR10, "cifar100": CIFAR100}


def names():
    """The names that `load` knows."""
    return tuple(_DATASETS)


def load(name, root=None, split="train"):
    """A data set by its name.

    Parameters
    ----------
    name : str
        One of `names()`.
    root : path, optional
        Where its files lie; default: the folder data. shapes10 needs none.
    split : {"train", "test"}

    Returns
    -------
    ArrayDataset

    Raises
    ------
    ValueError
        When name or split is unknown, or a file is damaged.
    FileNotFoundError
        When the files are not there, naming where they were looked for.
    """
    if not isinstance(name, str) or name not in _DATASETS:
        near = difflib.get_close_matches(str(name), _DATASETS, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"name: wanted one of {', '.join(_DATASETS)}, got {name!r}{hint}")
    return _DATASETS[name]("data" if root is None else root, split)
