"""Initial weights."""

from collections.abc import Callable
from contextvars import ContextVar
from math import prod

import numpy as np

from cynet.core import random
from cynet.core.types import AnyArray, Array, Shape

# Gets the shape of each array that a layer is about to make, and gives it back, or refuses one that is too
# large where a net is made from data (`spec.py`).
allowed: ContextVar[Callable[[Shape], Shape]] = ContextVar("allowed", default=tuple)


def room(*shape: int) -> Shape:
    """`shape`, of which a layer is about to make an array, if that is allowed."""
    return allowed.get()(shape)


def weights(shape: Shape) -> Array:
    """float32 (out, ...) weights, uniform in +-sqrt(2 / fan_in), as the course initialises them.

    The bound keeps about a third of the variance that He et al. (2015), "Delving deep into rectifiers",
    derive for ReLU layers, and twice PyTorch's.

    Raises
    ------
    ValueError
        Where so many are not allowed in this thread.
    """
    return random.uniform(room(*shape), (2 / max(1, prod(shape[1:]))) ** 0.5)


def dirac(weight: Array) -> None:
    """Let the first filters of a convolution hand on their channel: filter i is 1 in the middle of channel i.

    As PyTorch's `dirac_` of as many filters as there are channels (Zagoruyko and Komodakis 2017,
    "DiracNets"); the other filters stay as they are.

    Parameters
    ----------
    weight : ndarray of float32 (out, in, height, width)
        Changed in place.

    Raises
    ------
    ValueError
        When it has another number of axes.
    """
    if weight.ndim != 4:
        raise ValueError(f"weight: wanted filters (out, in, height, width), got {weight.shape}")
    outputs, inputs, height, width = weight.shape
    count = min(outputs, inputs)
    weight[:count] = 0
    weight[np.arange(count), np.arange(count), height // 2, width // 2] = 1


def whitening(weight: Array, moments: AnyArray, eps: float = 5e-4) -> None:
    """Let filters tell apart what patches of pictures have in common: each has unit variance over them.

    The first half of the filters are eigenvectors of the patches' second moments, the strongest first, each
    divided by the root of its eigenvalue + eps; the other half are the same with the other sign (Jordan 2024,
    "94% on CIFAR-10 in 3.29 seconds on a single GPU"). The greatest number of an eigenvector is positive.

    Parameters
    ----------
    weight : ndarray of float32 (out, in, height, width)
        Changed in place. `out` is even, and at most twice in * height * width.
    moments : ndarray of float64 (in * height * width, the same)
        The mean of p p^T over patches p in the order of a filter: see `cynet.data.patches`.
    eps : float, optional

    Raises
    ------
    ValueError
        When there are no such numbers of filters.
    """
    size = prod(weight.shape[1:])
    if len(weight) % 2 or len(weight) > 2 * size:
        raise ValueError(f"weight: wanted an even number of filters, at most {2 * size}, got {len(weight)}")
    values, vectors = np.linalg.eigh(moments)
    half = len(weight) // 2
    values, found = values[::-1][:half, None], vectors.T[::-1][:half]
    greatest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], axis=1)
    found = found * np.sign(greatest) / np.sqrt(np.maximum(values, 0) + eps)
    weight[:half] = found.reshape(half, *weight.shape[1:])
    weight[half:] = -weight[:half]
