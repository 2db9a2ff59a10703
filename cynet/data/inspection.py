"""Looking at a data set: whether it is the published one, and what the network is shown of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core import checks, png
from cynet.core.tasks import CLASSIFY, LANGUAGE, MULTILABEL, REGRESS
from cynet.core.types import AnyArray, Shape

from .dataset import ArrayDataset
from .images.augment import Cutout, Normalize, RandomCrop, RandomFlip
from .loader import DataLoader
from .sets import sources
from .sets.download import problem

GAP = 2  # pixels between pictures
GROUND = 255
SIDE = 128  # pixels that a sample is enlarged to, about


@dataclass(frozen=True)
class ClassCounts:
    """What `check` found of one split.

    Attributes
    ----------
    counts : tuple of int
        Pictures of each class.
    wanted : tuple of int or None
        The published ones, where they are known.
    """

    counts: tuple[int, ...]
    wanted: tuple[int, ...] | None

    @property
    def right(self) -> bool:
        """Whether the counts are the published ones, or none are known and no class is empty."""
        return self.counts == self.wanted if self.wanted else min(self.counts) > 0


def check(dataset: ArrayDataset, name: str = "", split: str = "") -> ClassCounts:
    """Count the pictures of each class.

    Parameters
    ----------
    dataset : ArrayDataset
    name, split : str, optional
        Of a published data set.

    Returns
    -------
    ClassCounts
    """
    if getattr(dataset, "task", CLASSIFY) == LANGUAGE:
        counts = np.bincount(
            dataset.tokens,  # type: ignore[attr-defined]  # a TokenSet
            minlength=len(dataset.classes),
        )
        return ClassCounts(tuple(np.maximum(counts, 1).tolist()), None)  # of a part some may be missing
    if getattr(dataset, "task", CLASSIFY) != CLASSIFY:
        several = dataset.task == MULTILABEL
        counts = dataset.labels.sum(axis=0) if several else np.full(len(dataset.classes), len(dataset))
        return ClassCounts(tuple(int(count) for count in counts), None)
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    return ClassCounts(tuple(counts.tolist()), sources.COUNTS.get(name, {}).get(split))


def published_files(name: str, root: Path) -> list[tuple[Path, str | None]]:
    """[(path, what is wrong with it or None), ...] of a data set's published files that are in `root`."""
    if name not in sources.PUBLISHED:
        return []
    published = sources.PUBLISHED[name]
    places = {root / published.folder, root, root / published.folder / "raw"}
    paths = ((file, place / file.name) for place in sorted(places) for file in published.files)
    return [(path, problem(file, path)) for file, path in paths if path.is_file()]


def mosaic(
    dataset: ArrayDataset,
    transforms: Sequence[Any] = (),
    columns: int = 10,
    most_rows: int = 20,
    seed: int = 0,
    epoch: int = 0,
) -> AnyArray:
    """One picture of many: a row of samples for each class, as a loader with these transforms gives them.

    Of numbers a row has samples from the one where it is least to the one where it is greatest. Pictures of
    floats are drawn as they are, each from its least to its greatest; of other than one or three channels the
    first is drawn.

    Parameters
    ----------
    dataset : ArrayDataset
        Of pictures.
    transforms : sequence, optional
        As for `DataLoader`, but for Normalize: the set's own mean and deviation are used, and undone.
    columns, most_rows : int, optional
        Samples of each class, and the most classes.
    seed, epoch : int, optional

    Returns
    -------
    ndarray of uint8 (height, width, 3) or (height, width)

    Raises
    ------
    ValueError
        When the samples are no pictures, or transforms of bytes are given for floats.
    """
    columns, most_rows = checks.integer("columns", columns, 1), checks.integer("most_rows", most_rows, 1)
    rng = np.random.default_rng([seed, epoch])
    if len(dataset.picture_shape) != 3:
        raise ValueError(f"dataset: wanted pictures to draw, got {dataset!r}")
    most = min(most_rows, len(dataset.classes))
    rows = [_chosen(dataset, k, columns, rng) for k in range(most)]
    rows = [row for row in rows if len(row)]
    order = np.concatenate(rows)
    draw = _bytes_of if dataset.images.dtype == np.uint8 else _floats_of
    pictures = draw(dataset, order, transforms, seed, epoch)
    height, width, channels = pictures.shape[1:]
    canvas = np.full(
        (len(rows) * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), GROUND, np.uint8
    )
    places = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    for (i, j), picture in zip(places, pictures, strict=True):
        top, left = GAP + i * (height + GAP), GAP + j * (width + GAP)
        canvas[top : top + height, left : left + width] = picture
    return png.visible(canvas)


def _bytes_of(
    dataset: ArrayDataset, order: AnyArray, transforms: Sequence[Any], seed: int, epoch: int
) -> AnyArray:
    """The pictures with these indices as a loader gives them, uint8 (N, height, width, channels)."""
    std = np.where(dataset.std > 0, dataset.std, 1)
    transforms = [*transforms, Normalize(dataset.mean, std)]
    loader = DataLoader(
        dataset, len(order), seed=seed, workers=0, transforms=transforms, sampler=lambda _: order
    )
    loader.epoch = epoch
    values = next(iter(loader))[0] * std + dataset.mean
    return np.rint(values * 255).clip(0, 255).astype(np.uint8)


def _floats_of(dataset: ArrayDataset, order: AnyArray, transforms: Sequence[Any], *_: int) -> AnyArray:
    """The same of floats, which nothing is done to: each from its least to its greatest."""
    if transforms:
        raise ValueError(f"transforms: wanted none of pictures of floats, got {list(transforms)!r:.80}")
    pictures = (dataset[int(index)][0] for index in order)
    return np.stack([png.spread(picture, float(picture.min())) for picture in pictures])


def augmentation(padding: int, cutout: int = 0) -> list[Any]:
    """The transforms of a training that augments: a random crop, a flip and, where wanted, a grey square.

    Parameters
    ----------
    padding, cutout : int
        Pixels: around a picture before it is cropped; of the square's side, 0 for none.
    """
    return [RandomCrop(padding), RandomFlip(), *([Cutout(cutout)] if cutout else [])]


def enlarged(canvas: AnyArray, picture_shape: Shape) -> AnyArray:
    """A mosaic of pictures of a shape, each pixel so many times as it takes to see them."""
    factor = max(1, SIDE // max(picture_shape[:2]) // 2)
    return canvas.repeat(factor, axis=0).repeat(factor, axis=1)


def _chosen(dataset: ArrayDataset, k: int, columns: int, rng: np.random.Generator) -> AnyArray:
    """The samples of row `k` of a mosaic."""
    found = of_row(dataset, k)
    if getattr(dataset, "task", CLASSIFY) != REGRESS:
        return rng.permutation(found)[:columns]
    order = np.argsort(dataset.labels[:, k], kind="stable")
    places = np.linspace(0, len(order) - 1, min(columns, len(order)))
    return order[np.rint(places).astype(np.int64)]


def shown(dataset: ArrayDataset, most_rows: int = 20) -> list[str]:
    """The names of the classes of a mosaic's rows, from the top; of numbers also between what they lie."""
    if getattr(dataset, "task", CLASSIFY) == REGRESS:
        columns = zip(dataset.classes[:most_rows], dataset.labels.T, strict=False)
        return [f"{name} from {each.min():.4g} to {each.max():.4g}" for name, each in columns]
    return [name for k, name in enumerate(dataset.classes[:most_rows]) if len(of_row(dataset, k))]


def of_row(dataset: ArrayDataset, k: int) -> AnyArray:
    """The indices of the samples that row `k` of a mosaic chooses from: of a class, or of those that have a
    label; of numbers of all."""
    if getattr(dataset, "task", CLASSIFY) == CLASSIFY:
        return np.flatnonzero(dataset.labels == k)
    if getattr(dataset, "task", CLASSIFY) == MULTILABEL:
        return np.flatnonzero(dataset.labels[:, k])
    return np.arange(len(dataset))
