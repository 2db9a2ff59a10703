"""Recurrent layers of one direction, from a state of zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core.types import AnyArray
from cynet.nn.layers.gru import GRU
from cynet.nn.layers.lstm import LSTM

from ..cropping import cropped
from ..operation import Operation
from ..tensors import one_of
from ..values import BATCH, Laid
from .table import operator

GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}  # ONNX's i, o, f, c and z, r, h in PyTorch's order
CURVES = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}


@operator("LSTM", "GRU")
def recurrent(op: Operation) -> tuple[Laid, ...]:
    kind, laid = op.node.op_type, op.laid()
    gates = GATES[kind]
    _refuse_others(op, kind)
    first = op.flag("layout")
    if laid.rank != 3 or laid.axes[0 if first else 1] != (BATCH,):
        wanted = "(N, L, features)" if first else "(L, N, features)"
        raise ValueError(f"wanted a value {wanted}, got one of {op.net.told(laid)}")
    time, features = laid.axes[1 if first else 0], laid.axes[2]
    symbol = op.net.arranged(laid, (time, features))
    hidden, inputs = op.integer("hidden_size"), symbol.shape[-1]
    if not 1 <= hidden <= 1 << 20:
        raise ValueError(f"hidden_size: wanted 1 to {1 << 20}, got {hidden}")
    rows = len(gates) * hidden
    shapes = {1: (1, rows, inputs), 2: (1, rows, hidden), 3: (1, 2 * rows)}
    arrays = {place: op.weights(place) for place in shapes if place != 3 or op.has(place)}  # no bias: zeros
    for place, array in arrays.items():
        if array.shape != shapes[place]:
            raise ValueError(f"input {place}: wanted shape {shapes[place]}, got {array.shape}")

    def make() -> Any:
        layer: Any = op.named((LSTM if kind == "LSTM" else GRU)(inputs, hidden), 1)
        both = arrays.get(3, np.zeros((1, 2 * rows), np.float32))[0]
        parts = arrays[1][0], arrays[2][0], both[:rows], both[rows:]
        for name, part in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), parts, strict=True):
            cut = part.reshape(len(gates), hidden, *part.shape[1:])
            getattr(layer, f"{name}_l0").data = cut[list(gates)].reshape(part.shape)
        return layer

    y = op.call(op.shared(make), symbol)
    axes = (BATCH, 0, None, 1) if first else (0, None, BATCH, 1)
    found = Laid.of(y, *axes)
    step = cropped(op.net, found, 1 if first else 0, y.shape[0] - 1, y.shape[0])
    last = step.with_axes(tuple(axis for n, axis in enumerate(step.axes) if n != (1 if first else 0)))
    return found, last


def _refuse_others(op: Operation, kind: str) -> None:
    """Raise ValueError for what cynet's layers do not do."""
    op.refuse("direction", "forward")
    op.refuse("input_forget", 0)
    if kind == "GRU" and not op.flag("linear_before_reset"):
        raise ValueError("linear_before_reset: wanted 1, got 0")
    curves = op.texts("activations", CURVES[kind])
    if [one.lower() for one in curves] != [one.lower() for one in CURVES[kind]]:
        raise ValueError(f"activations: wanted {CURVES[kind]}, got {curves!r:.80}")
    if op.has_attribute("clip"):
        raise ValueError(f"clip: wanted none, got {op.number('clip')}")
    for place, name in ((4, "lengths of its sequences"), (7, "weights from its cells to its gates")):
        if op.has(place):
            raise ValueError(f"input {place}: wanted no {name}, got some")
    for place in (5, 6):
        if op.has(place) and any(_any(one) for one in (op.known(place).first, op.known(place).second)):
            raise ValueError(f"input {place}: wanted a state of zeros, got another one")


def _any(array: AnyArray) -> bool:
    """Whether a number is not 0; of one that is repeated that alone is looked at."""
    return bool((array if any(array.strides) else one_of(array)).any())
