"""X as scikit-learn's users have it, rows or pictures, and as a net gets it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.tasks import REGRESS
from cynet.core.types import AnyArray, Shape
from cynet.data.dataset import ArrayDataset

BYTE = 255.0
LAYOUTS = {1: "NF", 2: "NLC", 3: "NHWC"}  # of arrays whose samples have so many axes
LIKELY = (1, 3)  # channels of a picture


def flattened(X: Any) -> tuple[Any, Shape | None]:
    """X with a row for each sample, and the shape that one had; None where it came as rows."""
    if isinstance(X, (list, tuple)) and np.ndim(X) > 2:
        X = np.asarray(X)
    shape: Shape = getattr(X, "shape", ())
    if len(shape) < 3:
        return X, None
    return np.asarray(X).reshape(shape[0], int(np.prod(shape[1:]))), tuple(shape[1:])


def input_shape(image_shape: Any, given: Shape | None, features: int) -> Shape:
    """The shape in which a net gets a sample.

    Parameters
    ----------
    image_shape : tuple of int or None
        What the user says.
    given : tuple of int or None
        The shape that the samples came in; None: rows.
    features : int
        The numbers of a sample.

    Raises
    ------
    TypeError, ValueError
        When the user's shape is none, or not that of so many numbers; without one, when the samples have
        another number of axes, or the channels seem to come first.
    """
    if image_shape is None:
        if given is None:
            return (features,)
        if len(given) != 3:
            wanted = "wanted (n, features) or (n, height, width, channels)"
            raise ValueError(f"X: {wanted}, or image_shape beside it, got samples of shape {given}")
        if given[0] in LIKELY and given[2] > max(LIKELY):
            wanted = "wanted channels last, as of numpy.moveaxis(X, 1, -1)"
            raise ValueError(f"X: {wanted}, or image_shape={given} where so it is, got samples of {given}")
        return given
    if not isinstance(image_shape, (tuple, list)) or len(image_shape) not in LAYOUTS:
        wanted = "wanted (height, width, channels), (length, channels) or (features,)"
        raise TypeError(f"image_shape: {wanted}, got {image_shape!r:.80}")
    found = tuple(checks.integer(f"image_shape[{i}]", size, 1) for i, size in enumerate(image_shape))
    if np.prod(found) != features:
        raise ValueError(f"image_shape: wanted a shape of {features} numbers, as X has, got {found}")
    return found


def shaped(X: AnyArray, given: Shape | None, shape: Shape) -> AnyArray:
    """Rows as samples of a shape; ValueError where they came as samples of another one."""
    if given is not None and given not in (shape, shape[: len(given)] if shape[-1] == 1 else shape):
        numbers = int(np.prod(shape))
        raise ValueError(f"X: wanted samples of shape {shape}, or rows of {numbers} numbers, got {given}")
    return X.reshape(len(X), *shape)


def data_set(X: AnyArray, labels: AnyArray, task: str) -> ArrayDataset:
    """Samples, (n, *shape) of uint8 or float32, and their labels, as a loader takes them."""
    return ArrayDataset(X, labels, layout=LAYOUTS[X.ndim - 1], task=task)


def unit(X: AnyArray) -> float:
    """What a loader divides samples by: bytes by 255."""
    return BYTE if X.dtype == np.uint8 else 1.0


def moments(X: AnyArray) -> tuple[AnyArray, AnyArray]:
    """(mean, std) of each channel, in the units of the samples; a std of 1 where a channel is constant."""
    found, scale = data_set(X, np.zeros((len(X), 1)), REGRESS), unit(X)
    return found.mean * scale, np.where(found.std > 0, found.std * scale, 1.0)
