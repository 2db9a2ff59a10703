"""Whether a data set can be trained on: each part is loaded without damaged pictures, counted, and told."""

from dataclasses import dataclass

import numpy as np

from cynet.core.tasks import CLASSIFY, LANGUAGE, MULTILABEL

from . import balance, inspection, loading
from .dataset import WORDS, ArrayDataset, labelled
from .inspection import ClassCounts
from .registry import OWN, PICTURES

TEST = "test"
FEW = 8  # channels that are told one by one


@dataclass(frozen=True)
class Part:
    """What was found of one part of a data set.

    Attributes
    ----------
    name : str
        Of the data set.
    split : {"train", "test"}
    dataset : ArrayDataset or None
        Without the damaged pictures; None where it cannot be used.
    problems : tuple of PictureProblem
        What is wrong with the pictures that were left out, or with all of them.
    found : ClassCounts or None
    """

    name: str
    split: str
    dataset: ArrayDataset | None
    problems: tuple
    found: ClassCounts | None

    @property
    def right(self):
        """Whether the numbers of pictures are the published ones, or no class is without any.

        Of one's own data a class may have nothing to test with, which is noted.
        """
        own = self.split == TEST and self.name in OWN
        return self.found is None or self.found.right or own

    @property
    def notes(self):
        """What was left out of the files, and what may not have been meant: a tuple of str."""
        return getattr(self.dataset, "notes", ())

    def lines(self, advice=""):
        """Say what it is: its size, statistics, fingerprint, and how many pictures each class has.

        Parameters
        ----------
        advice : str, optional
            What to do where classes are uneven.

        Yields
        ------
        str
        """
        if self.dataset is None:
            return
        if getattr(self.dataset, "task", CLASSIFY) == LANGUAGE:
            yield from _of_text(self.dataset, self.split)
            return
        yield from _described(self.dataset, self.split)
        if getattr(self.dataset, "task", CLASSIFY) != CLASSIFY:
            yield from (f"  {line}" for line in _columns(self.dataset, self.found.counts))
            return
        for line in (*_counted(self.dataset.classes, self.found),
                     *balance.described(self.found.counts, self.dataset.classes, advice)):  # fmt: skip
            yield f"  {line}"


def part(name, root, split, split_seed=0, **options):
    """Look at one part of a data set.

    Parameters
    ----------
    name, root, split, split_seed, **options
        As of `cynet.data.load`.

    Returns
    -------
    Part

    Raises
    ------
    ValueError, OSError
        As `cynet.data.load`, but for pictures that cannot be used.
    """
    try:
        skip = name in PICTURES
        dataset = loading.load(name, root, split, split_seed=split_seed, skip_damaged=skip, **options)
    except (ValueError, OSError) as error:
        problems = getattr(error, "problems", None)
        if problems is None:
            raise
        return Part(name, split, None, tuple(problems), None)
    found = inspection.check(dataset, name, split)
    return Part(name, split, dataset, tuple(getattr(dataset, "damaged", ())), found)


def refusal(parts, skip_damaged=False, hint=""):
    """Why a data set cannot be trained on as it is, None where it can.

    Parameters
    ----------
    parts : sequence of Part
    skip_damaged : bool, optional
        Whether to leave damaged pictures out.
    hint : str, optional
        How one does that.
    """
    problems = [
        problem
        for each in parts
        if each.dataset is None or not skip_damaged  # else it is whole without them
        for problem in each.problems
    ]
    if problems:
        helps = hint and not skip_damaged and any(problem.damaged for problem in problems)
        text = f"{len(problems):,} picture{'s' if len(problems) > 1 else ''} cannot be used"
        return text + (f" ({hint})" if helps else "")
    if not all(each.right for each in parts):
        return "the numbers of pictures are not as published, or a class has none"
    return None


def _of_text(dataset, split):
    """What a part of a text is."""
    of = dataset.vocabulary.level if dataset.vocabulary else "token"
    yield f"{split}: {len(dataset.tokens):,} {of}s, {len(dataset.classes):,} different ones"
    counts = np.bincount(dataset.tokens, minlength=len(dataset.classes))
    most = np.argsort(-counts, kind="stable")[:FEW]
    shown = (f"{dataset.classes[k]!r} {counts[k] / counts.sum():.1%}" for k in most)
    yield f"  the most frequent: {', '.join(shown)}"
    yield f"  fingerprint {dataset.fingerprint()}"


def _described(dataset, split):
    *sides, channels = dataset.picture_shape
    what, of = WORDS[len(dataset.picture_shape)], f" of {' x '.join(map(str, sides))}, " if sides else " of "
    labels = labelled(len(dataset.classes), getattr(dataset, "task", CLASSIFY))
    size = f"{len(dataset):,} {what}{of}{channels} {'channels' if sides else 'features'}"
    dtype = getattr(dataset, "images", np.empty(0, np.uint8)).dtype
    plain = dtype == np.uint8 and len(sides) == 2
    kind = "" if plain else f", {dtype}"
    yield f"{split}: {size}{kind}, {labels}"
    for line in (("mean", dataset.mean), ("deviation", dataset.std)) if channels > FEW else ():
        yield f"  {line[0]} of each from {line[1].min():.4g} to {line[1].max():.4g}"
    if channels <= FEW:
        yield f"  mean {dataset.mean.round(4).tolist()}, deviation {dataset.std.round(4).tolist()}"
    for k in (dataset.std == 0).nonzero()[0][:FEW]:
        value = f"{255 * dataset.mean[k]:.0f} of 255" if dtype == np.uint8 else dataset.mean[k]
        yield f"  {'channel' if sides else 'feature'} {k} is constant: {value} in all {what}"
    yield f"  fingerprint {dataset.fingerprint()}"


def _columns(dataset, counts):
    """A line for each label, how many have it, or number, between what it lies."""
    width = max(map(len, dataset.classes))
    for name, count, values in zip(dataset.classes, counts, dataset.labels.T, strict=True):
        if getattr(dataset, "task", CLASSIFY) == MULTILABEL:
            yield f"{name:<{width}}  {count:>9,} of {len(dataset):,}"
        else:
            spread = f"mean {values.mean():.4g}, deviation {values.std():.4g}"
            yield f"{name:<{width}}  {values.min():.4g} to {values.max():.4g}, {spread}"


def _counted(classes, found):
    """How many pictures each class has, in one line where all have as many."""
    wanted = found.wanted or (None,) * len(found.counts)
    if len(set(zip(found.counts, wanted, strict=True))) == 1 and len(found.counts) > 1:
        yield f"{found.counts[0]:,} of each class{_verdict(found.counts[0], wanted[0])}"
        return
    width = max(map(len, classes))
    for name, count, published in zip(classes, found.counts, wanted, strict=True):
        yield f"{name:<{width}}  {count:>9,}{_verdict(count, published)}"


def _verdict(count, wanted):
    if wanted is None:
        return ""
    return ", as published" if count == wanted else f", wanted {wanted:,}"
