"""Concat: branches side by side."""

from cynet.nn import registry
from cynet.nn.layer import Layer, require_layers
from cynet.nn.layers.concatenate import Concatenate
from cynet.nn.structure import Call, Parts

from .container import Container

SIDE_BY_SIDE = Concatenate()


@registry.layer(examples={"Concat(Conv2d(4, 2, 1), Tanh())": (3, 9, 8, 4)})
class Concat(Container):
    """The outputs of several branches over the same input, joined along the channels (the last axis).

    Parameters
    ----------
    *branches : Layer
        At least one; named "0", "1", ... in paths. `Sequential()` passes its input on.
    """

    def __init__(self, *branches: Layer) -> None:
        self.branches = list(branches)
        self.parts()

    def parts(self) -> Parts:
        require_layers(branches=self.branches)
        if not self.branches:
            raise ValueError(f"branches: wanted at least one Layer, got {self.branches!r}")
        calls = [Call(str(i), branch) for i, branch in enumerate(self.branches)]
        return *calls, Call("", SIDE_BY_SIDE, *range(1, len(calls) + 1))

    def __repr__(self) -> str:
        return f"Concat({', '.join(map(repr, self.branches))})"
