"""What GRU and LSTM share: layers of units over sequences, with the state that goes from step to step."""

from typing import Any

import numpy as np

from cynet.core import checks, random
from cynet.core.types import AnyArray, Array, Shape
from cynet.kernels.recurrent.recurrence import Embedded, Inputs
from cynet.nn import init
from cynet.nn.layer import Layer
from cynet.nn.parameter import Parameter, grad_of, refuse_another, value

from .embedding import Embedding

WEIGHTS = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
MOST_LAYERS = 1000


class Recurrent(Layer):
    """Layers of recurrent units one above the other, each over the whole sequence.

    A subclass tells its `kind`, a `kernels.recurrent.recurrence.Recurrence`, and the arrays of its state.

    Attributes
    ----------
    carry : bool
        Whether ``y = layer(x)`` begins where the call before it ended, and not with zeros: of a batch whose
        rows go on. See `cynet.train.carrying`, which sets it.
    carried : state or None
        Where that was; None: zeros.
    """

    kind: Any = None
    states: tuple[str, ...] = ("h",)
    carry: bool = False
    carried: Any = None

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1) -> None:
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.input_size, self.hidden_size, self.num_layers = _, hidden, layers = self._settings()
        for layer in range(layers):
            for name, shape in self._shapes(layer).items():
                made = random.uniform(init.room(*shape), hidden**-0.5)
                setattr(self, name, Parameter(made))

    def _settings(self) -> tuple[int, int, int]:
        """(inputs, units, layers), checked: they may have been set."""
        inputs = checks.integer("input_size", self.input_size, 1)
        hidden = checks.integer("hidden_size", self.hidden_size, 1)
        return inputs, hidden, checks.integer("num_layers", self.num_layers, 1, MOST_LAYERS)

    def _shapes(self, layer: int) -> dict[str, Shape]:
        """The shapes of the parameters of one layer, by their names."""
        inputs, hidden, _ = self._settings()
        rows, inputs = self.kind.gates * hidden, hidden if layer else inputs
        shapes = (rows, inputs), (rows, hidden), (rows,), (rows,)
        return {f"{name}_l{layer}": shape for name, shape in zip(WEIGHTS, shapes, strict=True)}

    def weights(self, layer: int) -> list[Array]:
        """The arrays of the parameters of one layer, which may have been set to others: an error if amiss."""
        return [value(name, getattr(self, name, None), shape) for name, shape in self._shapes(layer).items()]

    def output_shape(self, shape: Shape) -> Shape:
        inputs, hidden, _ = self._settings()
        if len(shape) != 3 or shape[-1] != inputs:
            raise ValueError(f"wanted (N, L, {inputs}), got {shape}")
        return *shape[:-1], hidden

    def macs(self, shape: Shape) -> int:
        inputs, hidden, layers = self._settings()
        terms = inputs + hidden + (layers - 1) * 2 * hidden
        return shape[0] * shape[1] * self.kind.gates * hidden * terms

    def __call__(self, x: Any, *state: Any) -> Any:
        """y, of a state of zeros; or where a state (or None) is given, y and the last state.

        Parameters
        ----------
        x : ndarray of float32 (N, L, input_size)
        *state
            See the class.
        """
        if not state:
            return super().__call__(x)
        name = type(self).__name__
        if len(state) > 1:
            raise TypeError(f"{name}: wanted an input and a state, got {1 + len(state)} arguments")
        x = checks.float_array(f"{name} input", x)
        self.checked_shape(x.shape)
        return self.forward(x, *state)

    def forward(self, x: Array, *state: Any) -> Any:
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        return self._run(Inputs(x), state, [])

    def after(self, embedding: Embedding, x: AnyArray, *state: Any) -> Any:
        """The same as ``self(embedding(x), *state)``, by fewer products where the vocabulary is small.

        The output is the same to the bit; gradients are sums in another order. `backward` after it adds to
        the gradient of the embedding, too, and returns None.

        Parameters
        ----------
        embedding : Embedding
        x : array of integers (N, L)
        *state
            As to a call.
        """
        if not isinstance(embedding, Embedding):
            raise TypeError(f"embedding: wanted an Embedding, got {embedding!r:.80}")
        numbers, weight = embedding.numbers(x), embedding.weight
        self.checked_shape(embedding.output_shape(x.shape))
        table = value("weight", weight, (embedding.num_embeddings, embedding.embedding_dim))
        held = [(embedding, "weight", weight, weight.version)]
        return self._run(Embedded(numbers, x.shape, table), state, held)

    def _run(self, inputs: Any, state: tuple[Any, ...], held: list[Any]) -> Any:
        """The output, and where a state was given the last one; `held`: parameters of others, as below."""
        if state or not checks.flag("carry", self.carry):
            return self._passed(inputs, state, held)
        y, self.carried = self._passed(inputs, (self.carried,), held)
        return y

    def _passed(self, inputs: Any, state: tuple[Any, ...], held: list[Any]) -> Any:
        """As `_run`, of a state that is given, or zeros."""
        passes: list[Any] = []
        last = []
        for layer, start in enumerate(self._starts(inputs.batch, state)):
            weights = self.weights(layer)
            parameters = [(name, getattr(self, name)) for name in self._shapes(layer)]
            held = [(self, name, parameter, parameter.version) for name, parameter in parameters] + held
            passes.append(self.kind(inputs, weights, start))
            inputs = Inputs(passes[-1].y)
            if state:
                last.append(passes[-1].last())
        y = passes[-1].y
        self.save(y.shape, passes, held)
        return (y, self._joined(last)) if state else y

    def _starts(self, batch: int, state: tuple[Any, ...]) -> list[tuple[Array, ...]]:
        """The state before the first step, by layer."""
        _, hidden, layers = self._settings()
        shape = layers, batch, hidden
        if not state or state[0] is None:
            zeros = np.zeros(shape[1:], np.float32)
            return [(zeros,) * len(self.states)] * layers
        arrays = self._parts(state[0])
        for name, array in zip(self.states, arrays, strict=True):
            if array.shape != shape:
                raise ValueError(
                    f"{type(self).__name__} state {name}: wanted shape {shape}, got {array.shape}"
                )
        return list(zip(*(array.copy() for array in arrays), strict=True))  # the caller may change its own

    def _parts(self, state: Any) -> list[Array]:
        """The arrays of a state that was given."""
        return [checks.float_array(f"{type(self).__name__} state {self.states[0]}", state)]

    def _joined(self, last: list[tuple[Array, ...]]) -> Any:
        """The last states of all layers as they are handed out."""
        return np.stack([one for (one,) in last])

    def backward(self, dy: Array) -> Array | None:
        shape, passes, held = self.saved()
        for layer, name, parameter, version in held:
            refuse_another(name, getattr(layer, name, None), parameter, version)
        dy, wants = self.gradient(dy, shape), self._wants_dx()
        grads = [grad_of(parameter) for _, _, parameter, _ in held]  # the uppermost layer's first
        while passes:
            own, grads = grads[:4], grads[4:]
            dy = passes.pop().gradients(dy, own, wants or bool(passes), grads[0] if grads else None)
        return dy if wants else None

    def __repr__(self) -> str:
        more = "" if self.num_layers == 1 else f", num_layers={self.num_layers}"
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}{more})"
