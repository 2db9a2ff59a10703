"""Operators that several nodes stand for together, where some of them alone are none that cynet has.

Each function gets the node at the pattern's end, and looks back from it through those that made its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

import numpy as np

from cynet.nn.layers.gelu import GELU
from cynet.nn.layers.softplus import Softplus

from .affine import scaled
from .messages import Node
from .operation import Operation
from .operators.normalizations import LEAST_EPS, normalized
from .values import Known, Laid, Value, axes_of

NEAR = 1e-3  # of a constant
DEEP = 8  # nodes of a product
INPUTS = {  # how many there must be; a file may have any number of them
    "Sqrt": (1,), "Erf": (1,), "Softplus": (1,), "ReduceMean": (1, 2), "Add": (2,), "Sub": (2,), "Mul": (2,),
    "Div": (2,), "Pow": (2,), "Greater": (2,), "Where": (3,),
}  # fmt: skip


class Around:
    """The values around a node, and which nodes made them."""

    def __init__(self, values: Mapping[str, Value], producers: Mapping[str, Node]) -> None:
        self.values, self.producers = values, producers

    def made_by(self, name: str, *kinds: str) -> Node | None:
        """The node that made a value, if it is of some operator, and has that operator's inputs."""
        node = self.producers.get(name)
        return node if node is not None and node.op_type in kinds and _is_whole(node) else None

    def number(self, name: str) -> float | None:
        """The one number that a value is, or None."""
        value = self.values.get(name)
        if not isinstance(value, Known) or value.first.size != 1 or value.first.dtype.kind != "f":
            return None
        return float(value.first.reshape(-1)[0])

    def with_number(self, node: Node) -> tuple[str, float] | None:
        """(the other input, the number) of a node of two inputs, one of which is a number."""
        for one, other in (node.input, node.input[::-1]):
            if (found := self.number(other)) is not None:
                return one, found
        return None

    def product(self, name: str) -> tuple[float, list[str]]:
        """(a number, values) whose product a value is."""
        factor, left = 1.0, [name]
        found: list[str] = []
        for _ in range(DEEP):
            if not left:
                break
            one = left.pop()
            node = self.made_by(one, "Mul", "Div")
            if node is None:
                number = self.number(one)
                factor, found = (factor, [*found, one]) if number is None else (factor * number, found)
            elif node.op_type == "Mul":
                left += node.input
            elif number := self.number(node.input[1]):
                factor, left = factor / number, [*left, node.input[0]]
            else:
                found.append(one)
        return factor, found + left


def _is_whole(node: Node) -> bool:
    """Whether a node is of ONNX's own operators, with as many inputs as that has."""
    return not node.domain and len(node.input) in INPUTS[node.op_type]


def found(op: Operation, values: Mapping[str, Value], producers: Mapping[str, Node]) -> Laid | None:
    """What a node gives, of which an input is unknown; None where it ends no pattern that is known."""
    pattern = PATTERNS.get(op.node.op_type)
    if pattern is None or not _is_whole(op.node):
        return None
    return pattern(op, Around(values, producers))


def _gelu(op: Operation, around: Around) -> Laid | None:
    """x (1 + erf(x / sqrt(2))) times a number; half of it is the GELU of x."""
    factor, parts = around.product(op.node.output[0])
    if len(parts) != 2:
        return None
    for x, other in (parts, parts[::-1]):
        laid = around.values.get(x)
        total = around.made_by(other, "Add")
        inner = around.with_number(total) if total is not None else None
        erf = around.made_by(inner[0], "Erf") if inner is not None and abs(inner[1] - 1) < NEAR else None
        if erf is None or not isinstance(laid, Laid):
            continue
        scale, sources = around.product(erf.input[0])
        if sources == [x] and abs(scale - sqrt(0.5)) < NEAR:
            symbol = op.call(GELU(), laid.symbol)
            return scaled(op.net, laid.on(symbol), np.array(2 * factor), None)
    return None


def _layer_norm(op: Operation, around: Around) -> Laid | None:
    """(x - mean) / sqrt(mean of its square + eps), along the same axes; scale and shift may follow."""
    root = around.made_by(op.node.input[1], "Sqrt")
    total = around.made_by(root.input[0], "Add") if root is not None else None
    inner = around.with_number(total) if total is not None else None
    variance = around.made_by(inner[0], "ReduceMean") if inner is not None else None
    less = around.made_by(op.node.input[0], "Sub")
    if variance is None or less is None or inner is None:
        return None
    square, mean = (
        around.made_by(variance.input[0], "Pow", "Mul"),
        around.made_by(less.input[1], "ReduceMean"),
    )
    of_same = square is not None and square.input[0] == less.output[0]
    if square is None or mean is None or not of_same or mean.input[0] != less.input[0]:
        return None
    squares = (
        around.number(square.input[1]) == 2 if square.op_type == "Pow" else square.input[1] == less.output[0]
    )
    laid = around.values.get(less.input[0])
    if not squares or not isinstance(laid, Laid):
        return None
    axes = [_axes(op, node, around, laid.rank) for node in (variance, mean)]
    if axes[0] != axes[1] or axes[0] is None:
        return None
    return normalized(op, laid, axes[0], max(inner[1], LEAST_EPS), affine=False)


def _axes(op: Operation, node: Node, around: Around, rank: int) -> list[int] | None:
    """Those of a ReduceMean that keeps them."""
    given = [around.values.get(name) if name else None for name in node.input]
    if any(not isinstance(value, Known) for value in given[1:]):
        return None
    reduction = Operation(op.net, node, op.opset, given, {})
    told = reduction.axes(1)
    return axes_of(told, rank) if told and reduction.flag("keepdims", True) else None


def _softplus(op: Operation, around: Around) -> Laid | None:
    """x where beta x is greater than a threshold, else softplus(beta x) / beta, as PyTorch has it."""
    test, x, other = op.node.input
    greater, laid = around.made_by(test, "Greater"), around.values.get(x)
    threshold = around.number(greater.input[1]) if greater is not None else None
    factor, parts = around.product(other)
    curve = around.made_by(parts[0], "Softplus") if len(parts) == 1 else None
    if greater is None or threshold is None or curve is None or not isinstance(laid, Laid):
        return None
    if curve.input[0] != greater.input[0] or factor <= 0:
        return None
    beta, sources = around.product(curve.input[0])
    if sources != [x] or abs(beta * factor - 1) > NEAR:
        return None
    return laid.on(op.call(Softplus(beta, threshold), laid.symbol))


Pattern = Callable[[Operation, Around], Laid | None]
PATTERNS: dict[str, Pattern] = {"Mul": _gelu, "Div": _layer_norm, "Where": _softplus}
