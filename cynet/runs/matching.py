"""A model and a data set that was not its own: pictures of the model's size, labels by the classes' names."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cynet import data
from cynet.core.files import user_path
from cynet.core.tasks import CLASSIFY, LANGUAGE
from cynet.data import registry

from . import texts
from .facts import DRAWN


@dataclass(frozen=True)
class Matched:
    """A data set as a model sees it.

    Attributes
    ----------
    known : ArrayDataset
        The pictures of classes that the model knows, with its classes and its labels.
    unknown : dict of str to ArrayDataset
        By class the pictures of those that it does not know; their labels mean nothing.
    note : str or None
        What is to be said about the classes.
    doubt : str or None
        What is to be said where the model may have been trained on these pictures.
    notes : tuple of str
        Those of the data set itself: what was left out, and how its part was drawn.
    """

    known: data.ArrayDataset
    unknown: dict = field(default_factory=dict)
    note: str | None = None
    doubt: str | None = None
    notes: tuple = ()


def load(facts, name, root, split, **options):
    """A data set for a model, by its name.

    Parameters
    ----------
    facts : Facts
        Of the model.
    name : str
        Of the data set; pictures in files are given the model's size, and a folder without parts is divided
        as the model's own was, where that is known.
    root : str, Path or None
        Where it lies.
    split : {"train", "test"}
    **options
        For `cynet.data.load`.

    Returns
    -------
    Matched

    Raises
    ------
    ValueError
        When its pictures have another size than the model's, or it has none of the model's classes.
    OSError
        When it cannot be read.
    """
    if facts.task == LANGUAGE:
        text = texts.load(facts, name, root, split, **options)
        return Matched(text, notes=tuple(text.notes))
    load_it = _fitted if name in registry.dataset.those(fitted=True) else _as_it_is
    samples = load_it(facts, name, root, split, options)
    task = getattr(samples, "task", CLASSIFY)
    if task != facts.task:
        raise ValueError(f"wanted labels of the model's task, {facts.task}, those of {name} are of {task}")
    if getattr(samples, "images", np.empty(0, facts.kind)).dtype != facts.kind:
        got = samples.images.dtype
        raise ValueError(f"wanted samples of {facts.kind}, as the model's, those of {name} are of {got}")
    if tuple(samples.picture_shape) != facts.kept_shape:
        raise ValueError(
            f"wanted pictures of the model's size, {described(facts.kept_shape)}, those of {name} have "
            f"{described(samples.picture_shape)}"
        )
    doubt = None if facts.drawn or "test_share" in options else _doubt(samples)
    notes = tuple(getattr(samples, "notes", ()))
    of = match if facts.task == CLASSIFY else match_columns
    return replace(of(samples, facts.classes, name), doubt=doubt, notes=notes)


def _doubt(samples):
    """A sentence where the pictures are a drawn part, and the model does not tell of one."""
    drawn = (getattr(samples, "parts", None) or {}).get("drawn")
    if not drawn:
        return None
    return (
        f"this folder has no parts: {100 * drawn['test_share']:.3g} % were drawn by the split seed "
        f"{drawn['split_seed']} to test with; whether the model was trained on them is not known"
    )


def described(shape):
    """'32 x 32 with 3 channels' of (height, width, channels), and so on of signals and rows."""
    if len(shape) == 1:
        return f"{shape[0]} feature{'' if shape[0] == 1 else 's'}"
    if len(shape) == 2:
        return f"a length of {shape[0]} with {shape[1]} channel{'' if shape[1] == 1 else 's'}"
    height, width, channels = shape
    return f"{height} x {width} with {channels} channel{'' if channels == 1 else 's'}"


def _as_it_is(facts, name, root, split, options):
    if name in registry.dataset.those(arrays=True):
        options = options | {"task": facts.task, "like": facts.kept_shape}
    return data.load(name, root, split, **options)


def _fitted(facts, name, root, split, options):
    """Pictures from files, at the model's size."""
    height, width, channels = facts.kept_shape
    fit = {"size": (height, width), "resize": facts.resize}
    options.pop("size", None)
    if name == "image_list":  # which keeps the pictures' own size, unless it is told another
        try:
            samples = data.load(name, root, split, **options)
            if samples.picture_shape == facts.kept_shape or channels != 3:
                return samples
        except ValueError:  # of several sizes, or damaged, which comes again
            pass
        return data.load(name, root, split, **fit, **options)
    fit["channels"] = channels
    if facts.drawn:  # what was drawn for testing then, the model has not seen
        options = options | dict(zip(DRAWN, facts.drawn, strict=True))
    try:
        return data.load(name, root, split, **fit, **options)
    except (ValueError, OSError):  # no folder train, or not the same classes in it: they are matched by name
        part = root and Path(user_path(root), split)
        if not part or not part.is_dir():
            raise
    return data.ImageFolder(part, **fit)


def match(samples, classes, name="the data set"):
    """A data set with the labels of a model, by the names of the classes.

    Parameters
    ----------
    samples : ArrayDataset
    classes : sequence of str
        The model's.
    name : str, optional
        What an error calls the data set.

    Returns
    -------
    Matched

    Raises
    ------
    ValueError
        When none of its pictures is of a class of the model.
    """
    classes, own = tuple(classes), tuple(map(str, samples.classes))
    if own == classes:
        return Matched(samples)
    places, note = {title: i for i, title in reversed(list(enumerate(classes)))}, None
    labels = [places.get(title, -1) for title in own]
    if max(labels) < 0 and len(own) <= len(classes) and (_are_numbers(own) or _are_numbers(classes)):
        labels = list(range(len(own)))
        which = name if _are_numbers(own) else "the model"
        note = f"the classes of {which} have no names: they are matched by their numbers"
    labels = np.array(labels)[samples.labels]
    chosen = np.flatnonzero(labels >= 0)
    if not len(chosen):
        raise ValueError(
            f"wanted pictures of the model's classes {', '.join(classes)!r:.200}, {name} has those of "
            f"{', '.join(own)!r:.200}"
        )
    known = samples if len(chosen) == len(labels) else _part(samples, chosen)
    known = samples.with_samples(known.images, labels[chosen], classes)
    unknown = {}
    for number in np.unique(samples.labels[labels < 0]):
        of_it = np.flatnonzero(samples.labels == number)
        unknown[own[number]] = samples.with_samples(samples.images[of_it], np.zeros(len(of_it), int), classes)
    return Matched(known, unknown, note)


def match_columns(samples, classes, name="the data set"):
    """A data set with the columns of labels of a model that is none of classes, by their names.

    Parameters
    ----------
    samples : ArrayDataset
    classes : sequence of str
        The model's labels, or numbers.
    name : str, optional
        What an error calls the data set.

    Returns
    -------
    Matched

    Raises
    ------
    ValueError
        When it has not all of them.
    """
    classes, own = tuple(classes), tuple(map(str, samples.classes))
    if own == classes:
        return Matched(samples)
    note, missing = None, [title for title in classes if title not in own]
    if not missing:
        columns = [own.index(title) for title in classes]
    elif len(own) == len(classes) and _are_numbers(own):
        columns = range(len(own))
        note = f"the labels of {name} have no names: they are matched by their order"
    else:
        raise ValueError(
            f"wanted the model's labels {', '.join(classes)!r:.200}, {name} has {', '.join(own)!r:.200}"
        )
    labels = samples.labels[:, list(columns)]
    return Matched(samples.with_samples(samples.images, labels, classes), note=note)


def _part(samples, indices):
    return samples.with_samples(samples.images[indices], samples.labels[indices])


def _are_numbers(names):
    """Whether classes are called 0, 1, 2 and so on, as those of data sets without names."""
    return list(names) == [str(i) for i in range(len(names))]
