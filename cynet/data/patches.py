"""What the patches of pictures have in common: their second moments, for filters that are made of them."""

import numpy as np

from cynet.core.types import AnyArray

TOGETHER = 64  # pictures whose patches are in memory at a time


def moments(
    images: AnyArray, indices: AnyArray, size: tuple[int, int], mean: AnyArray, std: AnyArray
) -> AnyArray:
    """The mean of p p^T over all patches p of some pictures, which are normalised.

    Sums of bytes are whole numbers, and exact in whatever order they are added: the same on any number of
    threads.

    Parameters
    ----------
    images : ndarray of uint8 (count, channels, height, width)
    indices : ndarray of int (n,)
        Which of them, at least one.
    size : (int, int)
        Height and width of a patch.
    mean, std : sequence of float (channels,)
        As for `Normalize`.

    Returns
    -------
    ndarray of float64 (channels * size, the same)
        In the order of a filter: channel, row, column.

    Raises
    ------
    ValueError
        When a patch is larger than a picture, or there are no pictures.
    """
    (_, channels, height, width), (rows, columns) = images.shape, size
    if rows > height or columns > width or not len(indices):
        got = f"{len(indices)} of {height} x {width}"
        raise ValueError(f"images: wanted some of at least {rows} x {columns} pixels, got {got}")
    each, total = channels * rows * columns, 0
    sums, products = np.zeros(each), np.zeros((each, each))
    for first in range(0, len(indices), TOGETHER):
        part = images[indices[first : first + TOGETHER]]
        views = np.lib.stride_tricks.sliding_window_view(part, size, axis=(2, 3))
        patches = views.transpose(1, 4, 5, 0, 2, 3).reshape(each, -1).astype(np.float64)
        sums += patches.sum(axis=1)
        products += patches @ patches.T
        total += patches.shape[1]
    middle, spread = (np.repeat(np.asarray(values, np.float64), rows * columns) for values in (mean, std))
    mean_patch, found = sums / total / 255, products / total / 255**2
    found += middle * middle[:, None] - middle * mean_patch[:, None] - mean_patch * middle[:, None]
    return found / (spread * spread[:, None])
