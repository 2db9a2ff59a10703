"""The choice among the algorithms of convolution, for one shape of input.

An algorithm is a file of this folder, beside its loops. One that is new is imported here, where it registers
itself.
"""

from . import algorithm, depthwise, thin, tiled, winograd  # noqa: F401  each registers its algorithm


def choose(problem):
    """The fastest algorithm for a `Problem`, made for it: the first by rank that suits it."""
    return next(kind for _, kind in algorithm.REGISTRY if kind.suits(problem))(problem)
