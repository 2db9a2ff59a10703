"""Graph: layers put together by calling them on symbols."""

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cynet.core.types import Shape
from cynet.nn import registry
from cynet.nn.layer import Layer
from cynet.nn.structure import Call, Ends, Parts
from cynet.nn.symbols import Applied, Symbol

from .compiled import Compiled

NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


@registry.layer(
    examples={
        "Graph(x := Input((9, 8, 4)), Conv2d(4, 2, 3)(Tanh()(x)))": (3, 9, 8, 4),
        "Graph(x := Input((5, 4, 4)), Add()(Tanh()(Conv2d(4, 4, 1)(x)), x))": (3, 5, 4, 4),
        "Graph(x := Input((5, 4, 4)), Multiply()(x, Sigmoid()(Conv2d(4, 4, 1)(x)), x))": (3, 5, 4, 4),
    }
)
class Graph(Compiled, opens=False):
    """A net of any structure: branches, shared layers, several inputs and outputs.

    Parameters
    ----------
    inputs : Symbol, or a list of them
        From `cynet.Input`; or of a layer's call, whose value is then given in its place.
    outputs : Symbol, or a list of them
        What calls of layers on these gave.

    Attributes
    ----------
    layers : mapping of str to Layer
        Each layer once, by its name in paths: the ``name=`` that it was made with, or else its number in the
        order in which layers were first called, "0", "1", ...
    input_shapes : tuple of tuple of int
        Of the inputs, without the batch.

    Notes
    -----
    It is called with an array for each input, and gives one for each output: several as a tuple. `backward`
    takes the gradient to each output, and gives those to the inputs, several as a tuple. A layer that is
    called twice has one set of weights, whose gradient is the sum over both places.

    Raises
    ------
    TypeError
        For what is no symbol.
    ValueError
        Where an output depends on an input that is not given, an input on none, or two layers have one name.

    Examples
    --------
    >>> x = cynet.Input((32, 32, 3))
    >>> h = cynet.ReLU()(cynet.Conv2d(3, 8, 3, padding=1, name="stem")(x))
    >>> h = cynet.Add()(h, cynet.Conv2d(8, 8, 3, padding=1)(h))
    >>> model = cynet.Graph(x, cynet.Linear(8, 10)(cynet.GlobalAvgPool2d()(h)))
    >>> list(model.state_dict())[:2]
    ['stem.weight', 'stem.bias']
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        given, wanted = _symbols("inputs", inputs), _symbols("outputs", outputs)
        calls = _calls(given, wanted)
        numbers = {_key(symbol): i for i, symbol in enumerate(given)}
        parts, names = [], _names(calls)
        place = len(given)
        for call in calls:
            sources = (numbers[_key(symbol)] for symbol in call.sources)
            parts.append(Call(names[id(call.layer)], call.layer, *sources, count=call.count))
            numbers |= {(id(call), i): place + i for i in range(call.count) if (id(call), i) not in numbers}
            place += call.count
        self._parts: Parts = tuple(parts)
        self._ends: Ends = len(given), tuple(numbers[_key(symbol)] for symbol in wanted)
        self._input_shapes = tuple(symbol.shape for symbol in given)

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers by their names."""
        return MappingProxyType({part.name: part.layer for part in self._parts})

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """The shapes of the inputs, without the batch."""
        return self._input_shapes

    def parts(self) -> Parts:
        return self._parts

    def ends(self) -> Ends:
        return self._ends

    def is_single(self) -> bool:
        return self._ends[0] == 1 == len(self._ends[1])

    def __repr__(self) -> str:
        """An expression that builds it: each value has a name, and each layer that is called twice."""
        inputs, outputs = self._ends
        values, steps, made = [f"x{i}" for i in range(inputs)], [], ""
        times, names = Counter(id(part.layer) for part in self._parts), dict[int, str]()
        for part in self._parts:
            layer = names.get(id(part.layer)) or _within(repr(part.layer))
            if times[id(part.layer)] > 1 and id(part.layer) not in names:
                names[id(part.layer)] = name = f"layer{len(names)}"
                layer = f"({name} := {layer})"
            made = f"x{len(values)}"
            steps.append(f"{made} := {layer}({', '.join(values[source] for source in part.sources)})")
            values += [made] if part.count == 1 else [f"{made}[{i}]" for i in range(part.count)]
        given = [f"x{i} := Input({shape})" for i, shape in enumerate(self._input_shapes)]
        found = [values[output] for output in outputs]
        if found != [made]:
            steps.append(f"[{', '.join(found)}]" if len(found) > 1 else found[0])
        first = given[0] if inputs == 1 else f"[{', '.join(given)}]"
        return f"Graph({first}, [{', '.join(steps)}][-1])"


def _within(text: str) -> str:
    """The repr of a layer within a graph's: values of its own keep their names to themselves."""
    return f"(lambda: {text})()" if ":=" in text else text


def _symbols(name: str, value: Any) -> list[Symbol]:
    found = list(value) if isinstance(value, (list, tuple)) else [value]
    for i, symbol in enumerate(found):
        if not isinstance(symbol, Symbol):
            where = f"{name}[{i}]" if isinstance(value, (list, tuple)) else name
            raise TypeError(
                f"{where}: wanted a symbol, from cynet.Input or a layer called on one, got {symbol!r:.80}"
            )
    if not found:
        raise ValueError(f"{name}: wanted at least one symbol, got {value!r}")
    return found


def _key(symbol: Symbol) -> Any:
    """What a symbol is known by: equal for symbols of one value."""
    return id(symbol) if symbol.call is None else (id(symbol.call), symbol.place)


def _calls(inputs: list[Symbol], outputs: list[Symbol]) -> list[Applied]:
    """The calls that lead from the inputs to the outputs, in the order in which they were made."""
    given, found, left = {_key(symbol) for symbol in inputs}, {}, list(outputs)
    if len(given) < len(inputs):
        raise ValueError(f"inputs: wanted different symbols, got one twice in {inputs!r:.200}")
    used = set()
    while left:
        symbol = left.pop()
        if _key(symbol) in given:
            used.add(_key(symbol))
        elif symbol.call is None:
            raise ValueError(f"inputs: wanted all that the outputs depend on, got none for {symbol!r}")
        elif id(symbol.call) not in found:
            found[id(symbol.call)] = symbol.call
            left += symbol.call.sources
    for i, symbol in enumerate(inputs):
        if _key(symbol) not in used:
            raise ValueError(f"inputs[{i}]: wanted one that an output depends on, got {symbol!r}")
    return sorted(found.values(), key=lambda call: call.number)


def _names(calls: list[Applied]) -> dict[int, str]:
    """The names of the layers, by `id`."""
    found: dict[int, str] = {}
    for call in calls:
        if id(call.layer) not in found:
            own = call.layer.name
            found[id(call.layer)] = str(len(found)) if own is None else checked_name(own)
    names = Counter(found.values())
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        numbers = any(name.isdecimal() for name in twice)
        hint = " (a layer without a name is called by its number in the order of calls)" if numbers else ""
        wanted = "wanted one of its own for each layer"
        raise ValueError(f"name: {wanted}, got two called {', '.join(map(repr, twice))}{hint}")
    return found


def checked_name(name: Any) -> str:
    """A layer's name, or TypeError or ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"name: wanted a str, got {name!r:.80}")
    if not NAME.fullmatch(name):
        wanted = "letters from a to z, digits and _, also with dots between"
        raise ValueError(f"name: wanted {wanted}, got {name!r:.80}")
    return name
