"""The choice among the algorithms of convolution, for one shape of input.

An algorithm is a file of this folder, beside its loops. One that is new is named here, and registers itself.
"""

from importlib import import_module
from importlib.util import find_spec

from . import algorithm

for _name in ("depthwise", "winograd", "thin", "tiled"):  # the last does all: the others may be deleted
    if find_spec(f"{__package__}.{_name}"):
        import_module(f"{__package__}.{_name}")


def choose(problem):
    """The fastest algorithm for a `Problem`, made for it: the first by rank that suits it."""
    return next(kind for _, kind in algorithm.REGISTRY if kind.suits(problem))(problem)
