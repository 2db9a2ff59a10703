"""Initial weights."""

from math import prod

from cynet.core import random
from cynet.core.types import Array, Shape


def weights(shape: Shape) -> Array:
    """float32 (out, ...) weights, uniform in +-sqrt(2 / fan_in), as the course initialises them.

    The bound keeps about a third of the variance that He et al. (2015), "Delving deep into rectifiers",
    derive for ReLU layers, and twice PyTorch's.
    """
    return random.uniform(shape, (2 / max(1, prod(shape[1:]))) ** 0.5)
