"""`load_onnx`: a net that can be trained, of an ONNX file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.files import read_regular, user_path
from cynet.core.types import AnyPath, Shape
from cynet.data.sets.bounded import check_memory
from cynet.interop.kinds import ONNX, UNKNOWN, kind_of
from cynet.nn import init
from cynet.nn.containers.graph import Graph
from cynet.nn.spec import MOST_VALUES, Room
from cynet.nn.symbols import Symbol

from . import graph as graphs
from .ends import NCHW, NHWC, given_inputs, result
from .folding import SPARE, Budget
from .importing import Importer
from .messages import MOST_FILE, SHOWN, GraphMessage, parsed
from .net import Assembly
from .tensors import Files
from .values import Known, Laid, Value

__all__ = ["load_onnx"]


def load_onnx(
    path: AnyPath,
    input_shape: Shape | Sequence[Shape] | None = None,
    *,
    layout: str | None = None,
    most_values: int = MOST_VALUES,
) -> Graph:
    """Read an ONNX file as a net that can be trained further.

    Parameters
    ----------
    path : str or Path
        Its arrays lie in it, or in files of its folder.
    input_shape : tuple of int, or a list of them, optional
        (H, W, C), (L, C) or (features,) of each input: what a file leaves open. Sides that it tells must be
        the same.
    layout : {"nchw", "nhwc"}, optional
        Where the channels of the file's inputs are: on the axis after the batch, or the last one. Default: by
        what takes an input; where a transposition moves its last axis forward "nhwc", else "nchw".
    most_values : int, optional
        How many numbers the net's weights may have in all, counted before room for them is made.

    Returns
    -------
    Graph
        Of float32, in training mode. It takes and gives cynet's arrays, with the channels last: outputs of
        images are (H, W, C), (N, C, L) becomes (L, C) where an input is such, other ones keep the file's
        order. Weights have the file's names where these can be names. A constant of a single number is no
        weight: it is frozen.

    Raises
    ------
    OSError
        When a file cannot be read.
    ValueError
        Naming the file: when it is no ONNX file, or damaged; when it needs operators that cynet has no layers
        for, which are all listed with their nodes; or when `input_shape` is wanted, or another one.

    Examples
    --------
    >>> model = cynet.interop.load_onnx("resnet18.onnx", (224, 224, 3))
    >>> scores = model.eval()(pictures)
    """
    path = user_path(path)
    if layout not in (None, NCHW, NHWC):
        raise ValueError(f'layout: wanted "nchw", "nhwc" or None, got {layout!r:.80}')
    most_values = checks.integer("most_values", most_values, 0)
    content = memoryview(read_regular(path, MOST_FILE))
    before = init.allowed.set(Room(most_values))
    try:
        check_memory(len(content), "the file")
        with np.errstate(all="ignore"):  # a file's numbers may be anything
            return _net(content, path, input_shape, layout, most_values)
    except ValueError as error:
        raise ValueError(f"{path}: {_in_a_line(str(error))}") from None
    finally:
        init.allowed.reset(before)


def _read(content: memoryview, path: Path) -> tuple[GraphMessage, int]:
    """The graph of a file, and the version of its operators."""
    try:
        model = parsed(content)
        if model.graph is None:
            raise ValueError("wanted an ONNX file, got one without a graph")
        return model.graph, graphs.opset_of(model)
    except ValueError:
        kind = kind_of(path) or "a safetensors file"
        if kind in (ONNX, UNKNOWN):
            raise
        raise ValueError(f"wanted an ONNX file, got {kind}") from None


def _net(content: memoryview, path: Path, input_shape: Any, layout: str | None, most_values: int) -> Graph:
    graph, opset = _read(content, path)
    graphs.checked(graph)
    nodes = graphs.needed(graph)
    users = graphs.users(graph, nodes)
    ends = given_inputs(graph, nodes, users, input_shape, layout)
    files = Files(path.parent)
    values: dict[str, Value] = {**ends.values, **_constants(graph, users, files)}
    net = Assembly(ends.batch, most_values)
    budget = Budget(SPARE + 2 * (len(content) + files.read), most_values)
    importer = Importer(net, opset, files, budget, values, users)
    for number, node in nodes:
        importer.step(number, node)
    outputs = [result(net, laid, ends.in_order(laid)) for laid in importer.outputs(graph)]
    inputs = _used(ends.values, outputs)
    return Graph(inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0])


def _in_a_line(text: str) -> str:
    """A message in which names of the file may stand, with what cannot be shown escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _constants(graph: GraphMessage, users: Counter[str], files: Files) -> dict[str, Value]:
    """The constants that are taken."""
    found: dict[str, Value] = {}
    for tensor in graph.initializer:
        if users[tensor.name]:
            try:
                found[tensor.name] = Known.of(files.array(tensor), tensor.name)
            except ValueError as error:
                raise ValueError(f"initializer {tensor.name!r:.{SHOWN}}: {error}") from None
    return found


def _used(inputs: dict[str, Laid], outputs: list[Symbol]) -> list[Symbol]:
    """The inputs that outputs depend on: of some only the shape may be asked for."""
    seen: set[int] = set()
    calls: set[int] = set()
    left = list(outputs)
    while left:
        symbol = left.pop()
        if symbol.call is None:
            seen.add(id(symbol))
        elif id(symbol.call) not in calls:
            calls.add(id(symbol.call))
            left += symbol.call.sources
    found = [laid.symbol for laid in inputs.values() if id(laid.symbol) in seen]
    if not found:
        raise ValueError("wanted outputs that depend on an input, got none")
    return found
