"""A net as plain data: `to_spec` tells it in what JSON can hold, `from_spec` builds it of known layers.

Design: one flat list, in which every layer stands after those that it holds; the last one is the net. Nothing
in it is code, and nothing of a size is made before that size was checked: a spec may come from anywhere. What
an entry tells of a layer are the arguments of its class, by `inspect.signature`, for every layer keeps them
as attributes of the same names. So a new layer has a spec because it is registered.
"""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterator
from math import isfinite, prod
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import Shape

from . import init
from .containers.graph import Graph, checked_name
from .layer import Layer, plain
from .parameter import Parameter
from .registry import layer as known
from .symbols import Input

__all__ = ["from_spec", "to_spec"]

FORMAT, VERSION = "cynet_net", 1

# The limits of a spec, so that no file decides how much memory or time is taken.
MOST_LAYERS = 10_000
MOST_PLACES = 100_000  # what all containers hold, layers of layers counted again
MOST_DEPTH = 100  # containers within each other
MOST_INTEGER = 1 << 24
MOST_VALUES = 1 << 28  # of all parameters and buffers: 1 GiB of them
MOST_ITEMS = 16  # numbers in a list
MOST_TEXT = 1 << 24  # letters of the whole
MOST_NAME = 200  # letters
SHOWN = 10  # names in a message

LAYER = "layer"  # {"layer": 3} stands for the layer of that number
GRAPH = "Graph"
NET, NO_NET = "net", "no_net"  # notes of files: the spec as JSON; or why there is none


def to_spec(model: Layer) -> dict[str, Any]:
    """A net as plain data, without its weights.

    Parameters
    ----------
    model : Layer
        Made of cynet's own layers; of a container of one's own there is none.

    Returns
    -------
    dict
        Of dicts, lists, texts and numbers, as `json.dumps` takes them; `from_spec` builds the net again.

    Raises
    ------
    TypeError
        When the model is no Layer.
    ValueError
        When it holds layers that cynet does not know, all of which are listed, or what cannot be told: a
        parameter that two layers share, an attribute that was set to something else, or more than a spec
        may hold.

    Examples
    --------
    >>> spec = cynet.nn.to_spec(cynet.Sequential(cynet.Conv2d(3, 8, 3), cynet.ReLU()))
    >>> text = json.dumps(spec)
    >>> model = cynet.nn.from_spec(json.loads(text))
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model: wanted a Layer, got {model!r:.80}")
    layers = _in_order(model)
    strangers = sorted({type(layer).__qualname__ for layer in layers if not _is_known(layer)})
    if strangers:
        more = f" and {len(strangers) - SHOWN} more" if len(strangers) > SHOWN else ""
        raise ValueError(f"model: wanted layers of cynet's, got {', '.join(strangers[:SHOWN])}{more}")
    _refuse_shared(layers)
    numbers = {id(layer): number for number, layer in enumerate(layers)}
    spec = {FORMAT: VERSION, "layers": [_entry(layer, numbers) for layer in layers]}
    _Checked(spec)  # what could not be read is not written
    return spec


def _is_known(layer: Layer) -> bool:
    name = type(layer).__name__
    return plain(layer) is not None and name in known and known[name] is type(layer)


def _held(layer: Layer) -> list[Layer]:
    """The layers that stand in its arguments, or that a Graph calls; of an unknown layer its children."""
    if not _is_known(layer):
        return [child for _, child in layer.children()]
    if isinstance(layer, Graph):
        return list(layer.layers.values())
    found: list[Layer] = []
    for value in _arguments(layer).values():
        found += [one for one in (value if isinstance(value, (list, tuple)) else (value,)) if _is(one)]
    return found


def _is(value: Any) -> bool:
    return isinstance(value, Layer)


def _in_order(model: Layer) -> list[Layer]:
    """The layers of a net, each once, after those that it holds."""
    found: dict[int, Layer] = {}
    around, left = [model], [iter(_held(model))]  # no recursion: they may be nested as deeply as they like
    while left:
        child = next(left[-1], None)
        if child is None:
            layer = around.pop()
            found[id(layer)] = layer
            left.pop()
        elif id(child) not in found:
            if any(child is one for one in around):
                kind = type(child).__name__
                raise ValueError(f"model: wanted layers that do not hold themselves, got such a {kind}")
            around.append(child)
            left.append(iter(_held(child)))
    return list(found.values())


def _refuse_shared(layers: list[Layer]) -> None:
    """Raise ValueError where two layers have one parameter: a layer is told of with its own."""
    counts = Counter(id(parameter) for layer in layers for _, parameter in _own(layer))
    twice = [layer for layer in layers if any(counts[id(parameter)] > 1 for _, parameter in _own(layer))]
    if twice:
        names = ", ".join(sorted({type(layer).__name__ for layer in twice}))
        raise ValueError(f"model: wanted parameters of one layer each, got one that several share: {names}")


def _own(layer: Layer) -> list[tuple[str, Parameter]]:
    return [(name, value) for name, value in vars(layer).items() if isinstance(value, Parameter)]


def _arguments(layer: Layer) -> dict[str, Any]:
    """What a layer of cynet's would be made with again, by argument."""
    found = {}
    for name, argument in inspect.signature(type(layer)).parameters.items():
        value = getattr(layer, name)
        found[name] = _flag(value) if isinstance(argument.default, bool) else value
    return found


def _flag(value: Any) -> Any:
    """A flag, for which a parameter may stand, or None where there is none."""
    return isinstance(value, Parameter) if value is None or isinstance(value, Parameter) else value


def _entry(layer: Layer, numbers: dict[int, int]) -> dict[str, Any]:
    kind = type(layer).__name__
    entry: dict[str, Any] = {"kind": kind}
    if isinstance(layer, Graph):
        entry |= _graph_entry(layer, numbers)
    elif arguments := _arguments(layer):
        entry["arguments"] = {
            name: _plain(f"{kind}.{name}", value, numbers) for name, value in arguments.items()
        }
    if layer.name is not None:
        entry["name"] = layer.name
    if frozen := [name for name, parameter in _own(layer) if not parameter.requires_grad]:
        entry["frozen"] = frozen
    return entry


def _graph_entry(graph: Graph, numbers: dict[int, int]) -> dict[str, Any]:
    calls = [
        {"layer": numbers[id(layer)], "name": name, "sources": list(sources), "count": count}
        for name, layer, sources, count in graph.parts()
    ]
    return {"inputs": list(map(list, graph.input_shapes)), "calls": calls, "outputs": list(graph.ends()[1])}


def _plain(name: str, value: Any, numbers: dict[int, int]) -> Any:
    """A layer's argument as JSON has it."""
    if isinstance(value, Layer):
        return {LAYER: numbers[id(value)]}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(f"{name}[{i}]", one, numbers) for i, one in enumerate(value)]
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and isfinite(value)):
        return value
    raise ValueError(f"{name}: wanted a number, a text, True, False or None, got {value!r:.80}")


def from_spec(spec: Any, most_values: int = MOST_VALUES) -> Any:
    """A new net from what `to_spec` told, with fresh random weights.

    Parameters
    ----------
    spec : dict or str
        Or the JSON text of it. It may come from anywhere: no code is in it, and none is run.
    most_values : int, optional
        How many numbers its parameters and buffers may have in all, counted before room for them is made.

    Returns
    -------
    Layer
        With the same names and shapes in its state, and for the same state the same outputs.

    Raises
    ------
    ValueError
        When it is no such spec, naming what is wrong; unknown layers are listed all at once.
    """
    checked = _Checked(_read(spec) if isinstance(spec, (str, bytes)) else spec)
    left = Room(checks.integer("most_values", most_values, 0))
    before = init.allowed.set(left)
    try:
        return checked.built()
    finally:
        init.allowed.reset(before)


def _read(text: str | bytes) -> Any:
    if len(text) > MOST_TEXT:
        raise ValueError(f"spec: wanted at most {MOST_TEXT:,} letters, got {len(text):,}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"spec: wanted the JSON of a net, got {text!r:.80}") from None


def notes(model: Any) -> dict[str, str]:
    """What a file of weights says of their net: its spec, or which layers there is none for."""
    if not isinstance(model, Layer):
        return {}
    try:
        return {NET: json.dumps(to_spec(model), separators=(",", ":"))}
    except ValueError as error:
        return {NO_NET: str(error)}


def check(spec: Any) -> None:
    """Raise ValueError for what is no spec, as far as that is seen without building anything."""
    _Checked(spec)


class Room:
    """Counts the numbers of the arrays that are made, and refuses too many; called with each shape."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0

    def __call__(self, shape: Shape) -> Shape:
        self.count += prod(shape)
        if self.count > self.most:
            raise ValueError(f"wanted at most {self.most:,} values in all, got {self.count:,} or more")
        return shape


class _Checked:
    """A spec, whose numbers and names were all looked at: only what a class says of its arguments is left."""

    def __init__(self, spec: Any) -> None:
        _table("spec", spec, {FORMAT: int, "layers": list})
        if spec[FORMAT] != VERSION:
            raise ValueError(f"{FORMAT}: wanted version {VERSION}, got {spec[FORMAT]!r:.40}")
        entries = spec["layers"]
        if not 1 <= len(entries) <= MOST_LAYERS:
            raise ValueError(f"layers: wanted 1 to {MOST_LAYERS:,}, got {len(entries):,}")
        self.entries = entries
        self._refuse_strangers()
        self.depth: list[int] = []
        self.places: list[int] = []
        self.total, used = 0, set()
        for number, entry in enumerate(entries):
            held = list(self._numbers(number, entry))
            self.depth.append(1 + max((self.depth[n] for n in held), default=0))
            self.places.append(1 + sum(self.places[n] for n in held))
            self.total += self.places[-1]
            self._refuse_large(number)
            used.update(held)
        spare = sorted(set(range(len(entries) - 1)) - used)
        if spare:
            raise ValueError(f"layers[{spare[0]}]: wanted a layer that another one holds, got one of none")

    def _refuse_strangers(self) -> None:
        names = set()
        for number, entry in enumerate(self.entries):
            name = entry.get("kind") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                raise ValueError(f"layers[{number}]: wanted a table with a kind, got {entry!r:.80}")
            names.add(name)
        if strangers := sorted(names - set(known.names())):
            more = f" and {len(strangers) - SHOWN:,} more" if len(strangers) > SHOWN else ""
            shown = ", ".join(f"{name!r:.80}" for name in strangers[:SHOWN])
            raise ValueError(f"layers: wanted layers that cynet knows, got {shown}{more}")

    def _refuse_large(self, number: int) -> None:
        for what, most, got in (
            ("layers within each other", MOST_DEPTH, self.depth[-1]),
            ("layers in all places", MOST_PLACES, self.total),
        ):
            if got > most:
                raise ValueError(f"layers[{number}]: wanted at most {most:,} {what}, got {got:,} or more")

    def _numbers(self, number: int, entry: dict[str, Any]) -> Iterator[int]:
        """The numbers of the layers that one holds; what it tells is checked on the way."""
        where = f"layers[{number}]"
        graph = entry["kind"] == GRAPH
        own: dict[str, type] = {"inputs": list, "calls": list, "outputs": list} if graph else {}
        _table(where, entry, {"kind": str} | own, {"name": str, "frozen": list, "arguments": dict})
        if "name" in entry:
            _name(f"{where}.name", entry["name"])
        for name in entry.get("frozen", ()):
            _name(f"{where}.frozen", name)
        if graph:
            if "arguments" in entry:
                raise ValueError(f"{where}.arguments: wanted none of a {GRAPH}, got some")
            yield from self._graph(where, number, entry)
            return
        for name, value in entry.get("arguments", {}).items():
            if not isinstance(name, str) or not name.isidentifier() or len(name) > MOST_NAME:
                raise ValueError(f"{where}.arguments: wanted names of arguments, got {name!r:.80}")
            yield from _argument(f"{where}.{name}", value, number)

    def _graph(self, where: str, number: int, entry: dict[str, Any]) -> Iterator[int]:
        values = _filled(f"{where}.inputs", entry["inputs"])
        for i, shape in enumerate(entry["inputs"]):
            name = f"{where}.inputs[{i}]"
            if not isinstance(shape, list) or not 1 <= len(shape) <= MOST_ITEMS:
                raise ValueError(f"{name}: wanted a list of sizes, got {shape!r:.80}")
            for size in shape:
                _integer(name, size, 1, MOST_INTEGER)
        _filled(f"{where}.calls", entry["calls"])
        taken = 0
        for i, call in enumerate(entry["calls"]):
            name = f"{where}.calls[{i}]"
            _table(name, call, {"layer": int, "name": str, "sources": list, "count": int})
            _name(f"{name}.name", call["name"])
            yield _earlier(f"{name}.layer", call["layer"], number)
            taken += _filled(f"{name}.sources", call["sources"])
            if taken > MOST_PLACES:
                raise ValueError(f"{name}.sources: wanted at most {MOST_PLACES:,} of all calls, got more")
            for source in call["sources"]:
                _integer(f"{name}.sources", source, 0, values - 1)
            values += _integer(f"{name}.count", call["count"], 1, MOST_PLACES)
        _filled(f"{where}.outputs", entry["outputs"])
        for output in entry["outputs"]:
            _integer(f"{where}.outputs", output, 0, values - 1)

    def built(self) -> Layer:
        """The net."""
        layers: list[Layer] = []
        for number, entry in enumerate(self.entries):
            try:
                layers.append(_built(entry, layers))
            except (TypeError, ValueError, ArithmeticError) as error:
                raise ValueError(f"layers[{number}]: {entry['kind']}: {error!s:.400}") from None
        return layers[-1]


def _built(entry: dict[str, Any], layers: list[Layer]) -> Layer:
    if entry["kind"] == GRAPH:
        layer: Layer = _built_graph(entry, layers)
    else:
        layer = _made(known[entry["kind"]], entry.get("arguments", {}), layers)
    if "name" in entry:
        layer.name = checked_name(entry["name"])
    own = dict(_own(layer))
    for name in entry.get("frozen", ()):
        if name not in own:
            raise ValueError(f"frozen: wanted a parameter, got {name!r}")
        own[name].requires_grad = False
    return layer


def _made(kind: Callable[..., Layer], arguments: dict[str, Any], layers: list[Layer]) -> Layer:
    signature = inspect.signature(kind).parameters
    if strange := sorted(arguments.keys() - signature.keys()):
        raise ValueError(f"wanted the arguments {', '.join(signature) or 'of none'}, got {strange[0]!r:.80}")
    given: list[Any] = []
    options: dict[str, Any] = {}
    for name, value in arguments.items():
        value = _value(value, layers)
        if signature[name].kind is inspect.Parameter.VAR_POSITIONAL:
            if not isinstance(value, tuple):
                raise ValueError(f"{name}: wanted a list of layers, got {value!r:.80}")
            given += value
        else:
            options[name] = value
    return kind(*given, **options)


def _value(value: Any, layers: list[Layer]) -> Any:
    if isinstance(value, dict):
        return layers[value[LAYER]]
    return tuple(_value(one, layers) for one in value) if isinstance(value, list) else value


def _built_graph(entry: dict[str, Any], layers: list[Layer]) -> Layer:
    inputs = [Input(tuple(shape)) for shape in entry["inputs"]]
    values, names = list(inputs), [(call, layers[call["layer"]]) for call in entry["calls"]]
    for i, (call, layer) in enumerate(names):
        found = layer(*(values[source] for source in call["sources"]))
        found = found if isinstance(found, tuple) else (found,)
        if (count := call["count"]) != len(found):
            raise ValueError(f"calls[{i}].count: wanted {len(found)}, as the layer gives, got {count}")
        values += found
    before = [layer.name for _, layer in names]  # what this graph calls them; another one may do otherwise
    try:
        for call, layer in names:
            layer.name = call["name"]
        graph = Graph(inputs, [values[output] for output in entry["outputs"]])
    finally:
        for (_, layer), name in zip(names, before, strict=True):
            layer.name = name
    if len(graph.parts()) < len(names):
        raise ValueError("calls: wanted those that the outputs depend on, got one more")
    return graph


# -- what a spec may hold ------------------------------------------------------------------------------------
def _table(where: str, value: Any, wanted: dict[str, type], more: dict[str, type] | None = None) -> None:
    """Raise ValueError for what is no dict with these entries, of these types; `more` may be there."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: wanted a table, got {value!r:.80}")
    if missing := [name for name in wanted if name not in value]:
        raise ValueError(f"{where}: wanted {', '.join(missing)}, got none")
    types = wanted | (more or {})
    for name, one in value.items():
        if name not in types:
            raise ValueError(f"{where}: wanted {', '.join(types)}, got {name!r:.80}")
        if type(one) is not types[name]:
            raise ValueError(f"{where}.{name}: wanted {WORDS[types[name]]}, got {one!r:.80}")


WORDS = {int: "a whole number", list: "a list", str: "a text", dict: "a table"}


def _integer(name: str, value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        got = f"{value!r:.80}" if not isinstance(value, int) or value.bit_length() < 64 else "a larger one"
        raise ValueError(f"{name}: wanted a whole number from {least} to {most}, got {got}")
    return value


def _earlier(where: str, value: Any, number: int) -> int:
    """The number of a layer that stands before that of a number."""
    if not number:
        raise ValueError(f"{where}: wanted one before it, got {value!r:.80}")
    return _integer(where, value, 0, number - 1)


def _name(where: str, value: Any) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_NAME:
        raise ValueError(f"{where}: wanted a text of 1 to {MOST_NAME} letters, got {value!r:.80}")


def _filled(where: str, value: list[Any]) -> int:
    if not 1 <= len(value) <= MOST_PLACES:
        raise ValueError(f"{where}: wanted 1 to {MOST_PLACES:,}, got {len(value):,}")
    return len(value)


def _argument(where: str, value: Any, number: int) -> Iterator[int]:
    """The numbers of the layers in an argument, which is checked."""
    if not isinstance(value, list):
        if (one := _scalar(where, value, number)) is not None:
            yield one
        return
    numbers = [_scalar(f"{where}[{i}]", one, number) for i, one in enumerate(value[: MOST_PLACES + 1])]
    held = [found for found in numbers if found is not None]
    most = MOST_PLACES if len(held) == len(numbers) else MOST_ITEMS
    if len(value) > most:
        raise ValueError(f"{where}: wanted at most {most:,} in a list, got {len(value):,}")
    yield from held


def _scalar(where: str, value: Any, number: int) -> int | None:
    """The number of the layer that a value stands for, None where it stands for itself."""
    if type(value) is dict:
        _table(where, value, {LAYER: int})
        return _earlier(f"{where}.{LAYER}", value[LAYER], number)
    if type(value) is int:
        _integer(where, value, -MOST_INTEGER, MOST_INTEGER)
    elif type(value) is str:
        _name(where, value)
    elif type(value) is float:
        if not isfinite(value):
            raise ValueError(f"{where}: wanted a finite number, got {value}")
    elif value is not None and type(value) is not bool:
        raise ValueError(f"{where}: wanted a number, a text, true, false or null, got {value!r:.80}")
    return None
