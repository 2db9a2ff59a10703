"""`load`: a data set by its name."""

import os
from typing import Any

from cynet.core import checks
from cynet.core.tasks import CLASSIFY
from cynet.core.types import AnyPath

from .dataset import ArrayDataset, checked_split
from .registry import FETCHED, OWN, PICTURES, checked_name, dataset


def load(
    name: str,
    root: AnyPath | None = None,
    split: str = "train",
    download: bool = False,
    split_seed: int = 0,
    skip_damaged: bool = False,
    task: str | None = None,
    layout: str | None = None,
    sequence_length: int | None = None,
    level: str | None = None,
    fold: bool = False,
    **options: Any,
) -> ArrayDataset:
    """A data set by its name.

    Parameters
    ----------
    name : str
        One of `cynet.data.names()`.
    root : path, optional
        Where its files lie; default: the folder data. shapes10 needs none. The user's own data must be
        named:

        - image_folder: a folder with the folders train and test (or val, validation, ...), each with a
          folder of pictures for each class; the classes are those of train. Or one with the folders of the
          classes alone, from each of which a fifth is drawn for testing;
        - image_list: a folder with the text files NAME.train, NAME.test (or the others) and NAME.labels, for
          one NAME: lists of pictures and the names of the classes;
        - arrays: a .npz file with train_images, train_labels, test_images and test_labels (or x_train and so
          on), and perhaps `classes` and `layout`; or a folder with .npy files of these names, which are
          mapped;
        - text: a file of UTF-8, whose first 80 % are for training. The text alice comes with cynet.
    split : {"train", "test"}
    download : bool
        Fetch cifar10, cifar100, mnist or fashionmnist where it is not there.
    split_seed : int
        Draws the test pictures of an image_folder that has no folder for them; nothing else depends on it.
    skip_damaged : bool
        Leave damaged pictures of image_folder and image_list out, and note it, instead of raising an error.
    task : {"classify", "multilabel", "regress", "language"}, optional
        What the labels are for; default: what they tell. Of another data set than arrays it must be theirs.
    layout : str, optional
        Of arrays: what their dimensions are, see `from_npy`.
    sequence_length, level, fold : int, str, bool, optional
        Of texts: how many tokens a net is given at a time, default 100; whether these are of "character" or
        "word"; whether white space is folded. See `cynet.data.text`.
    **options
        For the class or function behind the name: `size` of ImageFolder, `like` of from_npz.

    Returns
    -------
    ArrayDataset, or of a text TokenSet

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
    takes = dataset.facts(name).get("arrays")
    if layout is not None and not takes:
        raise ValueError(f"layout: wanted arrays, got data set {name}")
    if "size" in options and not dataset.facts(name).get("fitted"):
        raise ValueError(f"size: wanted pictures in files ({', '.join(PICTURES)}), got data set {name}")
    of_text = {"sequence_length": sequence_length, "level": level, "fold": checks.flag("fold", fold) or None}
    options |= _of_text(name, {key: value for key, value in of_text.items() if value is not None})
    if takes:
        options |= {"task": task, "layout": layout}
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
    found = dataset[name](root, split, **options)
    known = getattr(found, "task", CLASSIFY)
    if task not in (None, known):
        raise ValueError(f"task: wanted {known}, as the labels of {name} are, got {task}")
    return found


def _of_text(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """What was given that only texts take."""
    for option in given:
        if not dataset.facts(name).get("texts"):
            texts = ", ".join(dataset.those(texts=True))
            raise ValueError(f"{option}: wanted a text ({texts}), got data set {name}")
    return given
