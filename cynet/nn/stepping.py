"""Stepper: a language model, one token at a time, as text is generated.

Design: of one token there is little to compute, so what can be done beforehand is: the products of the
embedding's vectors with the weights of the first layer are a table, and all weights are packed. A step is a
few calls of kernels, that read each weight once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array
from cynet.kernels.recurrent import embedding as embedding_kernels
from cynet.kernels.recurrent import products, stepping, steps

from .layers.embedding import Embedding
from .layers.gru import GRU
from .layers.linear import Linear
from .layers.lstm import LSTM
from .layers.recurrent import Recurrent
from .parameter import value

ALONE = 1 << 17  # multiply-adds of few rows below which one thread is faster: reading weights takes the time
LARGE = 1 << 23  # numbers of a table of products: more are computed step by step


class Stepper:
    """`Embedding`, then `GRU` or `LSTM`, then `Linear`, a step at a time.

    The weights are those of the moment when it is made.

    Parameters
    ----------
    embedding : Embedding
    recurrent : GRU or LSTM
    decoder : Linear

    Raises
    ------
    TypeError, ValueError
        When a layer is none of these, or does not take what the one before it gives.

    Examples
    --------
    >>> step = Stepper(embedding, gru, decoder)
    >>> logits, state = step(np.array([5]))
    >>> logits, state = step(np.array([logits[0].argmax()]), state)
    """

    def __init__(self, embedding: Embedding, recurrent: Recurrent, decoder: Linear) -> None:
        for name, layer, kinds in (
            ("embedding", embedding, (Embedding,)), ("recurrent", recurrent, (GRU, LSTM)),
            ("decoder", decoder, (Linear,)),
        ):  # fmt: skip
            if not isinstance(layer, kinds):
                wanted = " or a ".join(kind.__name__ for kind in kinds)
                raise TypeError(f"{name}: wanted a layer {wanted}, got {layer!r:.80}")
        self.classes = decoder.output_shape(recurrent.output_shape(embedding.output_shape((1, 1))))[-1]
        self.numbers, self.states = embedding.num_embeddings, len(recurrent.states)
        self.hidden, self.layers = recurrent.hidden_size, recurrent.num_layers
        table = value(
            "embedding.weight", embedding.weight, embedding.output_shape((embedding.num_embeddings,))
        )
        self._gates = recurrent.kind.gates
        self._weights = [_Layer(recurrent, number) for number in range(self.layers)]
        self._of_numbers = self.numbers * self._gates * self.hidden <= LARGE
        self._table = self._weights[0].of_inputs(table) if self._of_numbers else table.copy()
        weight, bias = decoder.values()
        self._decoder = products.packed(weight.T, 1)  # type: ignore[union-attr]
        self._bias = np.zeros(self.classes, np.float32) if bias is None else bias.copy()

    def begin(self, rows: int = 1) -> Any:
        """A state of zeros: float32 (num_layers, rows, hidden_size), of an LSTM a pair of them."""
        shape = self.layers, checks.integer("rows", rows, 1), self.hidden
        made = tuple(np.zeros(shape, np.float32) for _ in range(self.states))
        return made if self.states == 2 else made[0]

    def __call__(self, tokens: AnyArray, state: Any = None) -> tuple[Array, Any]:
        """(logits of the next tokens, the state after these).

        Parameters
        ----------
        tokens : array of integers (rows,)
            At least one.
        state : as `begin` makes it, optional
            Default: zeros. It is not changed; its rows may be chosen, or repeated, by indexing its second
            axis, as a beam does.

        Returns
        -------
        logits : ndarray of float32 (rows, classes)
        state

        Raises
        ------
        TypeError, ValueError
            For what are no integers of the vocabulary, or no such state.
        """
        numbers = self._checked(tokens)
        rows = len(numbers)
        before = self._arrays(self.begin(rows) if state is None else state, rows)
        after = [np.empty((self.layers, rows, self.hidden), np.float32) for _ in before]
        threads = _team(rows * self._gates * self.hidden * self.hidden)
        if rows == 1:
            x = self._table[numbers[0] : numbers[0] + 1]
        else:
            x = np.empty((rows, self._table.shape[1]), np.float32)
            embedding_kernels.rows(numbers, self._table, x, 1)
        for number, weights in enumerate(self._weights):
            if number or not self._of_numbers:
                x = weights.of_inputs(x)
            weights.step(x, [one[number] for one in before], [one[number] for one in after], threads)
            x = after[0][number]
        logits = np.empty((rows, self.classes), np.float32)
        stepping.affine(x, self._decoder, self._bias, logits, _team(rows * self.classes * self.hidden))
        return logits, tuple(after) if self.states == 2 else after[0]

    def _checked(self, tokens: Any) -> AnyArray:
        tokens = np.asarray(tokens)
        if tokens.dtype.kind not in "iu" or tokens.ndim != 1 or not len(tokens):
            raise TypeError(f"tokens: wanted integers (rows,), got {tokens.dtype} {tokens.shape}")
        least, most = (tokens.min(), tokens.max()) if len(tokens) > 1 else (tokens[0], tokens[0])
        if least < 0 or most >= self.numbers:
            raise ValueError(f"tokens: wanted 0 to {self.numbers - 1}, got {least if least < 0 else most}")
        if tokens.dtype == np.int64 and tokens.flags.c_contiguous and tokens.flags.aligned:
            return tokens  # the usual case; the call below takes longer than a small net's step
        return np.require(tokens, np.int64, ["C", "A"])

    def _arrays(self, state: Any, rows: int) -> list[Array]:
        given = list(state) if self.states == 2 and isinstance(state, (tuple, list)) else [state]
        if len(given) != self.states:
            raise TypeError(f"state: wanted {self.states} arrays, got {len(given)}")
        found, shape = [checks.float_array("state", one) for one in given], (self.layers, rows, self.hidden)
        for one in found:
            if one.shape != shape:
                raise ValueError(f"state: wanted shape {shape}, got {one.shape}")
        return found


def _team(macs: int) -> int:
    """The threads for so many multiply-adds."""
    return 1 if macs < ALONE else get_num_threads()


class _Layer:
    """The weights of one layer of units, packed."""

    def __init__(self, recurrent: Recurrent, number: int) -> None:
        weight_ih, weight_hh, bias_ih, bias_hh = recurrent.weights(number)
        self.inputs, self.bias = products.packed(weight_ih.T, 1), bias_ih.copy()
        self.kernel = stepping.gru_step if recurrent.kind.gates == 3 else stepping.lstm_step
        size, hidden = recurrent.kind.gates * steps.units_padded(recurrent.hidden_size), recurrent.hidden_size
        self.packed, self.first = np.empty(size * hidden, np.float32), np.empty(size, np.float32)
        steps.pack(weight_hh, bias_hh, self.packed, self.first, recurrent.kind.gates)

    def of_inputs(self, x: Array) -> Array:
        """The sums with x (rows, inputs)."""
        out = np.empty((len(x), len(self.bias)), np.float32)
        stepping.affine(x, self.inputs, self.bias, out, _team(x.size * len(self.bias)))
        return out

    def step(self, of_x: Array, before: list[Array], after: list[Array], threads: int) -> None:
        self.kernel(of_x, *before, self.packed, self.first, *after, threads)
