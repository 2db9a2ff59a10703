"""Sequential: layers one after another."""

from collections.abc import Iterator
from typing import Any

from cynet.nn import registry
from cynet.nn.layer import Layer, require_layers
from cynet.nn.structure import Call, Parts

from .compiled import Compiled


@registry.layer(examples={"Sequential(Conv2d(4, 8, 3), BatchNorm2d(8), ReLU(), MaxPool2d(2))": (3, 9, 8, 4)})
class Sequential(Compiled, opens=False):
    """Layers one after another: the output of each is the input of the next.

    Parameters
    ----------
    *layers : Layer
        Named "0", "1", ... in paths. Indexing, `len` and iteration work as on a list; a slice is a Sequential
        of the same layer objects.

    Notes
    -----
    Layers that follow each other may run as one (`nn/compile/training.py`), with the same results. In
    evaluation mode all of them run as one (`nn/compile/inference.py`), with and without `no_grad`; a backward
    pass begins with that forward pass once more, layer by layer, for which the input must still be there and
    the weights as they were.

    Any number of threads may evaluate one model at once. Training passes, and backward, are for one at a
    time: a second thread gets a RuntimeError, as does one whose pass another thread's has replaced.
    """

    def __init__(self, *layers: Layer) -> None:
        require_layers(layers=layers)
        self.layers = list(layers)

    def parts(self) -> Parts:
        require_layers(layers=self.layers)
        return tuple(Call(str(i), layer, i) for i, layer in enumerate(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"
