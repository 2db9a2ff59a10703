"""Initial weights."""

from collections.abc import Callable
from contextvars import ContextVar
from math import prod

from cynet.core import random
from cynet.core.types import Array, Shape

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
