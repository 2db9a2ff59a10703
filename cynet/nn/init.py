"""Initial weights."""

from contextvars import ContextVar
from math import inf, prod

from cynet.core import random
from cynet.core.types import Array, Shape

most = ContextVar("most", default=inf)  # values of an array; fewer while what a file claims is looked at


def weights(shape: Shape) -> Array:
    """float32 (out, ...) weights, uniform in +-sqrt(2 / fan_in), as the course initialises them.

    The bound keeps about a third of the variance that He et al. (2015), "Delving deep into rectifiers",
    derive for ReLU layers, and twice PyTorch's.

    Raises
    ------
    ValueError
        Where they are more than `most`, which holds for this thread.
    """
    if prod(shape) > most.get():
        raise ValueError(f"weights: wanted at most {most.get():,} values, got shape {shape}")
    return random.uniform(shape, (2 / max(1, prod(shape[1:]))) ** 0.5)
