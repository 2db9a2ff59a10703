"""Sequential: layers one after another."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from cynet.core.turns import Turn
from cynet.core.types import Array
from cynet.nn import passes, registry
from cynet.nn.layer import Layer, require_layers
from cynet.nn.structure import Call, Parts

from .container import Container


@registry.layer(examples={"Sequential(Conv2d(4, 8, 3), BatchNorm2d(8), ReLU(), MaxPool2d(2))": (3, 9, 8, 4)})
class Sequential(Container, opens=False):
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

    compiler: Any = None  # how its layers run together; `nn/compile` sets it
    _training_steps: Any = None  # of training, which the compiler made

    def __init__(self, *layers: Layer) -> None:
        require_layers(layers=layers)
        self.layers = list(layers)

    def parts(self) -> Parts:
        require_layers(layers=self.layers)
        return tuple(Call(str(i), layer, i) for i, layer in enumerate(self.layers))

    def forward(self, x: Array) -> Array:
        compiler = self._compiled_by()
        if not self._trains():
            y = None if compiler is None else compiler.evaluated(self, x)
            return self._run(x) if y is None else y
        with self._alone():
            return self._run(x)

    @passes.opening
    def _run(self, x: Array) -> Array:
        compiler = self._compiled_by()
        return super().forward(x) if compiler is None else compiler.forward(self, x)

    def backward(self, dy: Array) -> Array | None:
        with self._alone():
            return self._go_back(dy)

    @passes.following
    def _go_back(self, dy: Array) -> Array | None:
        compiler = self._compiled_by()
        return super().backward(dy) if compiler is None else compiler.backward(self, dy)

    def _compiled_by(self) -> Any:
        """The compiler, or None: a subclass may have other parts than the layers."""
        return self.compiler if type(self).parts is Sequential.parts else None

    def _alone(self) -> AbstractContextManager[None]:
        """A context for passes that write what threads would share: statistics and gradients."""
        return vars(self).setdefault("_turn", Turn()).alone(type(self).__name__)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"
