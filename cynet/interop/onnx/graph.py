"""What a graph of an ONNX file must keep: every value is made once, before it is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .messages import SHOWN, GraphMessage, ModelMessage, Node

LEAST_OPSET, MOST_OPSET = 7, 22  # that are read; the table of operators is tested from 9 on
OWN = "", "ai.onnx"  # the domain of ONNX's own operators
LISTED = 20  # nodes of one operator in a message


def opset_of(model: ModelMessage) -> int:
    """The version of ONNX's own operators that a file means.

    Raises
    ------
    ValueError
        When it tells none, or one that is not known.
    """
    versions = [entry.version for entry in model.opset_import if entry.domain in OWN]
    if len(versions) != 1:
        raise ValueError(f"wanted one version of the operators (an ONNX file has it), got {len(versions)}")
    if not LEAST_OPSET <= versions[0] <= MOST_OPSET:
        raise ValueError(f"wanted operators of version {LEAST_OPSET} to {MOST_OPSET}, got {versions[0]}")
    return versions[0]


def titled(node: Node, number: int) -> str:
    """What a node is called in messages."""
    return f"{node.name!r:.{SHOWN}}" if node.name else f"number {number}"


def checked(graph: GraphMessage) -> None:
    """Raise ValueError where a graph is none: a value that is made twice, or taken before it is made."""
    if graph.sparse:
        raise ValueError("wanted dense constants, got sparse ones")
    if not graph.output:
        raise ValueError("wanted at least one output, got none")
    known = [tensor.name for tensor in graph.initializer]
    _refuse_twice(known, "initializer")
    _refuse_twice([info.name for info in graph.input], "input")
    _refuse_twice([info.name for info in graph.output], "output")
    made = {*known, *(info.name for info in graph.input)}
    for number, node in enumerate(graph.node):
        for name in filter(None, node.input):
            if name not in made:
                where = f"node {titled(node, number)} ({node.op_type:.{SHOWN}})"
                raise ValueError(f"{where}: its input {name!r:.{SHOWN}} is made by no node before it")
        for name in filter(None, node.output):
            if name in made:
                where = f"node {titled(node, number)} ({node.op_type:.{SHOWN}})"
                raise ValueError(f"{where}: its output {name!r:.{SHOWN}} is a value's name already")
            made.add(name)
    for info in graph.output:
        if info.name not in made:
            raise ValueError(
                f"output {info.name!r:.{SHOWN}}: wanted a value of the graph, got none of that name"
            )


def _refuse_twice(names: list[str], what: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or "" in names:
        raise ValueError(f"{what}: wanted names of their own, got {(twice or [''])[0]!r:.{SHOWN}}")


def needed(graph: GraphMessage) -> list[tuple[int, Node]]:
    """The nodes that lead to outputs, with their numbers, in order."""
    wanted, found = {info.name for info in graph.output}, []
    for number in reversed(range(len(graph.node))):
        node = graph.node[number]
        if wanted.intersection(filter(None, node.output)):
            wanted.update(node.input)
            found.append((number, node))
    return found[::-1]


def users(graph: GraphMessage, nodes: Iterable[tuple[int, Node]]) -> Counter[str]:
    """How often each value is taken, by the nodes and as an output."""
    found = Counter(info.name for info in graph.output)
    for _, node in nodes:
        found.update(node.input)
    return found


def listing(problems: list[tuple[str, str, str]]) -> str:
    """All nodes that there are no layers for, in one sentence. `problems`: (operator, node, what is wrong).

    Those without anything that is wrong are of an operator that is not known.
    """
    by_reason: dict[tuple[str, str], list[str]] = {}
    for kind, node, reason in problems:
        by_reason.setdefault((kind, reason), []).append(node)
    texts = []
    for (kind, reason), nodes in sorted(by_reason.items(), key=lambda item: bool(item[0][1])):
        more = f" and {len(nodes) - LISTED:,} more" if len(nodes) > LISTED else ""
        of = f"node{'s' if len(nodes) > 1 else ''} {', '.join(nodes[:LISTED])}{more}"
        texts.append(f"{kind:.{SHOWN}} ({of}){f': {reason}' if reason else ' is not known'}")
    return "wanted operators that there are layers for, got " + "; ".join(texts)
