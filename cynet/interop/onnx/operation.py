"""One node of an ONNX graph as the function of its operator sees it: attributes and inputs, each checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Array
from cynet.nn.layer import Layer
from cynet.nn.symbols import Symbol

from .messages import MOST_NUMBERS, SHOWN, Attribute, Node, TensorMessage
from .net import Assembly
from .tensors import as_float32
from .values import Known, Laid, Value, axis_of

KINDS = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}
IGNORED = {"consumed_inputs", "is_test"}  # of files that are older than their operators


class Operation:
    """A node, its inputs, and the net that it becomes a part of.

    Every error is a ValueError without the node's name, which `reading.py` puts before it.

    Parameters
    ----------
    net : Assembly
    node : Node
    opset : int
        The version of the operators.
    values : sequence of Value or None
        Its inputs; None for one that is left out.
    users : mapping of str to int
        How often each value of the graph is taken.
    """

    def __init__(
        self, net: Assembly, node: Node, opset: int, values: Sequence[Value | None], users: Mapping[str, int]
    ) -> None:
        self.net, self.node, self.opset, self.values, self._users = net, node, opset, values, users
        self._attributes: dict[str, Attribute] = {}
        for attribute in node.attribute:
            if attribute.name in self._attributes:
                raise ValueError(f"wanted each attribute once, got {attribute.name!r:.{SHOWN}} twice")
            if attribute.reference:
                raise ValueError(
                    f"{attribute.name!r:.{SHOWN}}: wanted a value, got one of a function's caller"
                )
            self._attributes[attribute.name] = attribute
        self._asked = set(IGNORED)

    def finish(self) -> None:
        """Raise ValueError where the node has attributes, inputs or outputs that nobody asked for."""
        if left := sorted(self._attributes.keys() - self._asked):
            raise ValueError(f"wanted no attribute {left[0]!r:.{SHOWN}}, got one")

    # -- attributes ---------------------------------------------------------------------------------------
    def has_attribute(self, name: str) -> bool:
        return name in self._attributes

    def _attribute(self, name: str, type: int, default: Any) -> Any:
        self._asked.add(name)
        found = self._attributes.get(name)
        if found is None:
            if default is None:
                raise ValueError(f"{name}: wanted this attribute, got none")
            return default
        if found.type not in (0, type):
            raise ValueError(f"{name}: wanted an attribute of type {type}, got {found.type}")
        return getattr(found, KINDS[type])

    def number(self, name: str, default: float | None = None) -> float:
        value = float(self._attribute(name, 1, default))
        if not np.isfinite(value):
            raise ValueError(f"{name}: wanted a finite number, got {value}")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        return int(self._attribute(name, 2, default))

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.integer(name, default)
        if value not in (0, 1):
            raise ValueError(f"{name}: wanted 0 or 1, got {value}")
        return bool(value)

    def text(self, name: str, default: str | None = None) -> str:
        return str(self._attribute(name, 3, default))

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        return list(self._attribute(name, 7, default))

    def numbers(self, name: str, default: Sequence[float] | None = None) -> list[float]:
        return list(self._attribute(name, 6, default))

    def texts(self, name: str, default: Sequence[str]) -> list[str]:
        return list(self._attribute(name, 8, default))

    def tensor(self, name: str) -> TensorMessage:
        found = self._attribute(name, 4, None)
        if found is None:
            raise ValueError(f"{name}: wanted an array, got none")
        return found  # type: ignore[no-any-return]

    def refuse(self, name: str, *allowed: Any) -> None:
        """Raise ValueError where an attribute, a number or a text, is none of those that do nothing."""
        if name not in self._attributes:
            return
        value = self.text(name) if isinstance(allowed[0], str) else self.integer(name)
        if value not in allowed:
            wanted = " or ".join(repr(one) for one in allowed)
            raise ValueError(f"{name}: wanted {wanted}, got {value!r:.{SHOWN}}")

    # -- inputs -------------------------------------------------------------------------------------------
    def has(self, place: int) -> bool:
        """Whether there is an input."""
        return place < len(self.values) and self.values[place] is not None

    def value(self, place: int) -> Laid | Known:
        found = self.values[place] if self.has(place) else None
        if not isinstance(found, (Laid, Known)):
            raise ValueError(f"input {place}: wanted one, got none")
        return found

    def laid(self, place: int = 0) -> Laid:
        """An input of floating-point numbers that depends on those of the net."""
        found = self.value(place)
        if not isinstance(found, Laid):
            raise ValueError(f"input {place}: wanted a value that depends on the net's input, got a constant")
        if found.integers:
            raise ValueError(f"input {place}: wanted floating-point numbers, got integers")
        return found

    def known(self, place: int) -> Known:
        found = self.value(place)
        if not isinstance(found, Known):
            raise ValueError(f"input {place}: wanted a constant, got a value that depends on the net's input")
        return found

    def constant(self, place: int) -> AnyArray:
        """An input that is known, and does not depend on the batch."""
        found = self.known(place)
        try:
            return found.fixed
        except ValueError as error:
            raise ValueError(f"input {place}: {error}") from None

    def weights(self, place: int) -> Array:
        """A constant of floating-point numbers as float32."""
        array = self.constant(place)
        if array.size > self.net.most_values:
            most = self.net.most_values
            raise ValueError(f"input {place}: wanted at most {most:,} values in all, got {array.size:,}")
        if array.dtype.kind != "f":
            raise ValueError(f"input {place}: wanted floating-point numbers, got {array.dtype}")
        try:
            return as_float32(array)
        except ValueError as error:
            raise ValueError(f"input {place}: {error}") from None

    def weight_name(self, place: int) -> str:
        found = self.values[place] if self.has(place) else None
        return found.name if isinstance(found, Known) else ""

    def whole_numbers(self, place: int) -> list[int]:
        """A constant that is a list of whole numbers, or a single one."""
        array = self.constant(place)
        if array.dtype.kind not in "iu" or array.ndim > 1 or array.size > MOST_NUMBERS:
            raise ValueError(
                f"input {place}: wanted a list of whole numbers, got {array.dtype} {array.shape}"
            )
        return [int(n) for n in array.reshape(-1)]

    def scalar(self, place: int) -> float:
        """A constant that is one number."""
        array = self.constant(place)
        if array.size != 1 or array.dtype.kind not in "fiub":
            raise ValueError(f"input {place}: wanted one number, got {array.dtype} {array.shape}")
        return float(array.reshape(-1)[0])

    def axes(self, place: int) -> list[int] | None:
        """Those that an operator acts along: an attribute in old files, an input since; None: not told."""
        if self.has_attribute("axes"):
            return self.integers("axes")
        return self.whole_numbers(place) if self.has(place) else None

    def axis(self, rank: int, default: int | None = None) -> int:
        """The attribute `axis`, counted from the first."""
        return axis_of(self.integer("axis", default), rank)

    # -- the net ------------------------------------------------------------------------------------------
    def single(self) -> None:
        """Raise ValueError where another output than the first is wanted."""
        for place, name in enumerate(self.node.output[1:], 1):
            if name and self._users.get(name):
                raise ValueError(f"wanted its first output to be used alone, got output {place} used, too")

    def call(self, layer: Layer, *symbols: Symbol) -> Symbol:
        return self.net.call(layer, *symbols)

    def is_alone(self, place: int) -> bool:
        """Whether an input is what a layer gave, and nobody else takes it, or has that layer."""
        found, name = self.laid(place), self.node.input[place]
        call = found.symbol.call
        return call is not None and self._users[name] == 1 and self.net.is_home(call, name)

    def named(self, layer: Layer, place: int) -> Layer:
        """A layer with weights, by the name of the input that is its weight."""
        kind = type(layer).__name__.lower()
        layer.name = self.net.names.told(self.weight_name(place), self.node.name, kind)
        return layer

    def shared(self, make: Any, *key: Any) -> Layer:
        """The layer that `make` gives, or an earlier node's of the same constants, attributes and key."""
        constants = tuple(id(value) if isinstance(value, Known) else None for value in self.values)
        told = sorted(
            (one.name, one.f, one.i, one.s, tuple(one.floats), tuple(one.ints), tuple(one.strings))
            for one in self.node.attribute
        )
        own = (self.node.op_type, constants, *told, *key)
        if own not in self.net.shared:
            self.net.shared[own] = make()
        return self.net.shared[own]

    def with_weights(self, layer: Layer, weight: Array, bias: Array | None, place: int = 1) -> Layer:
        """A layer with values for its weight and its bias, and a name."""
        own: Any = self.named(layer, place)
        own.weight.data = weight
        if bias is not None:
            own.bias.data = bias
        return layer

    def bias(self, place: int, count: int) -> Array | None:
        """An input that is a vector of so many numbers, or None where there is none."""
        if not self.has(place):
            return None
        found = self.weights(place)
        if found.shape != (count,):
            raise ValueError(f"input {place}: wanted a bias of shape ({count},), got {found.shape}")
        return found
