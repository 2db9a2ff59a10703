"""Which pixels of an image each of a resized one is made of, along one axis: the tables that kernels take.

Where PyTorch computes a place in float32 and rounds it down, so does `nearest`: the pixels are the same.
"""

from math import prod

import numpy as np

from cynet.kernels.common.geometry import MOST_CELLS

MOST_PIXELS = 2**24  # along one side: float32 tells greater numbers no more from their neighbours


def checked_size(name, size, in_hw, least=1):
    """`size`, (height, width) of an image that is to be made, where an image of that size can be.

    Raises
    ------
    ValueError
        Naming `name`, when a side has less than `least` or more than 2**24 pixels, or both together more than
        anybody has memory for: 2**28, or four times those of the input.
    """
    most = max(MOST_CELLS, 4 * prod(in_hw))
    if min(size) < least or max(size) > MOST_PIXELS or prod(size) > most:
        raise ValueError(
            f"{name}: wanted an image of {least} to {MOST_PIXELS} pixels along each side and at most {most} "
            f"in all, got one of {size[0]} x {size[1]} from {in_hw[0]} x {in_hw[1]}"
        )
    return size


def nearest(size, out, factor=None):
    """Nearest neighbours.

    Parameters
    ----------
    size, out : int
        Pixels of the input and of the output, at most 2**24.
    factor : float, optional
        By how much the image was to be larger; default: out / size.

    Returns
    -------
    forward, backward : ndarray of intp, (2, out) and (2, size)
        As `areas` returns them: the one pixel of each output, and the outputs that each pixel is taken for.
    """
    even = factor is None or out in (size, 2 * size)  # PyTorch, channels last, asks for no factor then
    step = np.float32(size) / np.float32(out) if even else np.float32(1 / factor)
    source = np.minimum((np.arange(out, dtype=np.float32) * step).astype(np.intp), size - 1)
    pixels = np.arange(size)
    return np.stack([source, source + 1]), np.stack([np.searchsorted(source, pixels, s) for s in SIDES])


def areas(size, out):
    """As many areas as are wanted, each as large as any other or a pixel larger; they may overlap.

    Returns
    -------
    forward, backward : ndarray of intp, (2, out) and (2, size)
        The first pixel of each area and one past its last; the first area that each pixel is in, and one past
        the last.
    """
    i, pixels = np.arange(out), np.arange(size)
    forward = np.stack([i * size // out, -(-(i + 1) * size // out)])
    return forward, np.stack([pixels * out // size, ((pixels + 1) * out - 1) // size + 1])


def bilinear(size, out, factor=None, corners=False):
    """Linear interpolation between two pixels.

    Parameters
    ----------
    size, out, factor
        As for `nearest`.
    corners : bool, optional
        Whether the centres of the outermost pixels stay where they are, or else their outer edges.

    Returns
    -------
    pixels : ndarray of intp, (2, out)
        The two pixels, which are the same at an edge.
    share : ndarray of float32, (out,)
        How much of the second; of the first: 1 - share.
    backward : ndarray of intp, (2, size)
        The first output that a pixel is used for, and one past the last.
    """
    if corners:
        place = np.arange(out) * ((size - 1) / (out - 1) if out > 1 else 0.0)
    else:
        even = factor is None or out == size  # then PyTorch copies, whatever the factor
        place = (np.arange(out) + 0.5) * (size / out if even else 1 / factor) - 0.5
    place = np.clip(place, 0, size - 1)
    first = place.astype(np.intp)
    second = np.minimum(first + 1, size - 1)
    every = np.arange(size)
    backward = np.stack([np.searchsorted(second, every), np.searchsorted(first, every, "right")])
    return np.stack([first, second]), (place - first).astype(np.float32), backward


SIDES = "left", "right"  # of equal numbers, for `searchsorted`
