"""The walk through the nodes of an ONNX graph, each of which becomes layers, or a constant, or a problem."""

from __future__ import annotations

from collections.abc import Mapping

from .folding import FOLDED, Budget, folded
from .graph import OWN, listing, titled
from .messages import SHOWN, GraphMessage, Node
from .net import Assembly
from .operation import Operation
from .operators import OPERATORS
from .patterns import found as found_pattern
from .tensors import Files
from .values import Known, Laid, Unknown, Value


class Importer:
    """The values of a graph by their names, and what is wrong with nodes.

    A node that there are no layers for has unknown values, and so has all that takes them, unless a pattern
    of several nodes is known (`patterns.py`): only what an output needs in the end is a problem.

    Parameters
    ----------
    net : Assembly
    opset : int
    files : Files
    budget : Budget
    values : dict of str to Value
        The inputs, and the constants that are taken.
    users : mapping of str to int
    """

    def __init__(
        self,
        net: Assembly,
        opset: int,
        files: Files,
        budget: Budget,
        values: dict[str, Value],
        users: Mapping[str, int],
    ) -> None:
        self.net, self.opset, self.files, self.budget = net, opset, files, budget
        self.values, self.users = values, users
        self.producers: dict[str, Node] = {}
        self._problems: dict[int, tuple[str, str, str]] = {}  # by the `id` of the node

    def step(self, number: int, node: Node) -> None:
        """Make the outputs of a node."""
        outputs = [name for name in node.output if name]
        self.producers |= dict.fromkeys(outputs, node)
        try:
            made = self._made(node)
        except ValueError as error:
            made = ()
            self._problems[id(node)] = self._title(node), titled(node, number), str(error)
        self.values |= dict.fromkeys(outputs, Unknown())
        for name, value in zip(node.output, made or (), strict=False):
            if name:
                self.values[name] = value
                if isinstance(value, Laid):
                    self.net.keep_home(value.symbol, name)

    def _title(self, node: Node) -> str:
        return node.op_type if node.domain in OWN else f"{node.domain}.{node.op_type}"

    def _made(self, node: Node) -> tuple[Value, ...] | None:
        """The first outputs of a node; None where they are unknown as its inputs are."""
        given = [self.values[name] if name else None for name in node.input]
        op = Operation(self.net, node, self.opset, given, self.users)
        kind = node.op_type if node.domain in OWN else ""
        if any(isinstance(value, Unknown) for value in given):
            value = found_pattern(op, self.values, self.producers)
            if value is None and kind not in OPERATORS:
                raise ValueError("")
            return None if value is None else (value,)
        known = not any(isinstance(value, Laid) for value in given)
        if known and kind in FOLDED:
            made: Value | tuple[Value, ...] = folded(op, self.files, self.budget)
        elif kind in OPERATORS:
            made = OPERATORS[kind](op)
        else:
            raise ValueError("")
        op.finish()
        found = made if isinstance(made, tuple) else (made,)
        if any(self.users.get(name) for name in node.output[len(found) :] if name):
            raise ValueError(f"wanted {len(found)} of its outputs to be used at most, got more")
        return found

    def outputs(self, graph: GraphMessage) -> list[Laid]:
        """The values of the graph's outputs.

        Raises
        ------
        ValueError
            Listing all nodes that they need and that there are no layers for.
        """
        names = [info.name for info in graph.output]
        found = [self.values[name] for name in names]
        unknown = [name for name, value in zip(names, found, strict=True) if isinstance(value, Unknown)]
        if unknown:
            raise ValueError(listing(self._upstream(unknown)))
        for name, value in zip(names, found, strict=True):
            if isinstance(value, Known):
                raise ValueError(
                    f"output {name!r:.{SHOWN}}: wanted a value that depends on an input, got a constant"
                )
        return [value for value in found if isinstance(value, Laid)]

    def _upstream(self, names: list[str]) -> list[tuple[str, str, str]]:
        """What is wrong with the nodes that lead to unknown values, in the order of nodes."""
        seen, left = set(), list(names)
        while left:
            node = self.producers[left.pop()]
            if id(node) not in seen:
                seen.add(id(node))
                left += [name for name in node.input if name and isinstance(self.values[name], Unknown)]
        return [problem for node, problem in self._problems.items() if node in seen]
