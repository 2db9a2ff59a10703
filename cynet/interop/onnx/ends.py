"""Inputs and outputs of an ONNX graph, and which of their axes are the channels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cynet.core import checks
from cynet.core.types import Shape
from cynet.nn.symbols import Input, Symbol

from .messages import SHOWN, GraphMessage, Node, ValueInfo
from .net import Assembly
from .tensors import DTYPES, dtype_name
from .values import BATCH, Batch, Laid

MOST_SIDE = 1 << 24  # pixels
MOST_RANK = 8
INTEGERS = 2, 3, 4, 5, 6, 7, 12, 13  # by the numbers of dtypes
FLOATS = 1, 10, 11, 16
# What takes the channels from the axis after the batch.
OF_IMAGES = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool",
    "InstanceNormalization", "LRN", "MaxPool", "Resize", "Upsample",
}  # fmt: skip
OF_ROWS = {"LayerNormalization", "MatMul"}  # and what from the last one
AFTER_ROWS = OF_ROWS | {"Add", "Transpose"}  # what takes (N, C, L) turned to (N, L, C)
ANY = {  # what may stand before those
    "Add", "Cast", "Clip", "Concat", "Div", "Dropout", "Identity", "Mul", "Relu", "Sigmoid", "Sub", "Tanh",
}  # fmt: skip
FURTHER = 6  # nodes on the way
NCHW, NHWC = "nchw", "nhwc"


@dataclass
class Ends:
    """The inputs of a graph.

    Attributes
    ----------
    batch : Batch
    values : dict of str to Laid
    last : bool
        Whether some have their channels last.
    sequences : bool
        Whether some are (N, C, L) in the file.
    integers : bool
        Whether some are whole numbers.
    """

    batch: Batch
    values: dict[str, Laid]
    last: bool
    sequences: bool
    integers: bool

    def in_order(self, laid: Laid) -> bool:
        """Whether the axes of an output keep the file's order, or else the one after the batch goes last.

        Of three axes it goes there where an input of three axes has its channels in that place. A net of
        whole numbers has no such input: the order is that in which it computes them.
        """
        if self.integers:
            flat = [i for axis in laid.axes for i in axis if i != BATCH]
            return flat == sorted(flat)
        return self.last or (laid.rank == 3 and not self.sequences)


def given_inputs(
    graph: GraphMessage, nodes: list[tuple[int, Node]], taken: Counter[str], shapes: Any, layout: str | None
) -> Ends:
    """A symbol for each input that is taken.

    Raises
    ------
    ValueError
        Where one has a type or a shape that cynet's arrays have not, or leaves sides open that `shapes`
        does not tell.
    """
    constants = {tensor.name for tensor in graph.initializer}
    infos = [info for info in graph.input if info.name not in constants and taken[info.name]]
    if not infos:
        raise ValueError("wanted outputs that depend on an input, got none")
    given = _shapes(shapes, infos)
    sides = [_sides(info) for info in infos]
    batches = {each[0] for each in sides} - {None}
    if len(batches) > 1:
        raise ValueError(f"wanted inputs of one batch, got batches of {sorted(map(str, batches))}")
    values, last, sequences = {}, False, False
    for info, own, shape in zip(infos, sides, given, strict=True):
        integers = _elem(info) in INTEGERS and not _is_cast(info.name, nodes)
        behind = integers or (layout or _layout(info.name, len(own), nodes)) == NHWC
        rank = len(own) - 1
        order = list(range(1, rank + 1)) if behind or rank == 1 else [*range(2, rank + 1), 1]
        symbol = _input(info.name, [own[i] for i in order], shape)
        axes = range(rank) if behind or rank == 1 else (rank - 1, *range(rank - 1))
        values[info.name] = Laid.of(symbol, BATCH, *axes, integers=integers)
        last = last or (behind and rank > 1 and not integers)
        sequences = sequences or (not behind and rank == 2)
    return Ends(
        Batch.of(next(iter(batches), None)),
        values,
        last,
        sequences,
        any(laid.integers for laid in values.values()),
    )


def _shapes(shapes: Any, infos: list[ValueInfo]) -> list[Any]:
    """The shape that is given for each input, or None."""
    if shapes is None:
        return [None] * len(infos)
    if not isinstance(shapes, (tuple, list)):
        raise ValueError(f"input_shape: wanted a tuple of sizes, as (32, 32, 3), got {shapes!r:.80}")
    found = list(shapes) if shapes and isinstance(shapes[0], (tuple, list)) else [shapes]
    if len(found) != len(infos):
        names = ", ".join(f"{info.name!r:.{SHOWN}}" for info in infos[:20])
        raise ValueError(
            f"input_shape: wanted a shape for each of {len(infos)} inputs ({names}), got {len(found)}"
        )
    return found


def _elem(info: ValueInfo) -> int:
    return 0 if info.type is None or info.type.tensor_type is None else info.type.tensor_type.elem_type


def _sides(info: ValueInfo) -> list[int | None]:
    """The sides of an input, None where the file leaves one open."""
    where = f"input {info.name!r:.{SHOWN}}"
    if _elem(info) not in (*FLOATS, *INTEGERS):
        names = ", ".join(DTYPES[number][0] for number in (*FLOATS, *INTEGERS))
        raise ValueError(f"{where}: wanted an array of {names}, got {dtype_name(_elem(info))}")
    shape = info.type.tensor_type.shape if info.type and info.type.tensor_type else None
    if shape is None or not 2 <= len(shape.dim) <= MOST_RANK:
        got = "none" if shape is None else f"{len(shape.dim)} axes"
        raise ValueError(
            f"{where}: wanted a shape of 2 to {MOST_RANK} axes, the first one the batch, got {got}"
        )
    sides = [dim.dim_value if dim.dim_value and dim.dim_value > 0 else None for dim in shape.dim]
    if large := [side for side in sides if side and side > MOST_SIDE]:
        raise ValueError(f"{where}: wanted sides of at most {MOST_SIDE:,}, got {large[0]:,}")
    return sides


def _input(name: str, sides: list[int | None], shape: Any) -> Symbol:
    """The symbol of an input, by the file's sides in cynet's order, and the shape that was given."""
    where = f"input {name!r:.{SHOWN}}"
    if shape is None:
        if None in sides:
            told = ", ".join("?" if side is None else str(side) for side in sides)
            raise ValueError(
                f"input_shape: wanted the shape of {where}, of which the file tells ({told}), got None"
            )
        return Input(tuple(side or 1 for side in sides))
    if len(shape) != len(sides):
        raise ValueError(f"input_shape: wanted {len(sides)} sizes for {where}, got {tuple(shape)!r:.80}")
    found: Shape = tuple(checks.integer(f"input_shape[{i}]", n, 1, MOST_SIDE) for i, n in enumerate(shape))
    if any(side not in (None, own) for side, own in zip(sides, found, strict=True)):
        told = ", ".join("any" if side is None else str(side) for side in sides)
        raise ValueError(f"input_shape: wanted ({told}) for {where}, as the file says, got {found}")
    return Input(found)


def _takers(names: list[str], nodes: list[tuple[int, Node]]) -> list[Node]:
    return [node for _, node in nodes if any(name and name in names for name in node.input)]


def _is_cast(name: str, nodes: list[tuple[int, Node]]) -> bool:
    """Whether whole numbers are floating-point ones for all that take them, as the bytes of a picture."""
    return all(
        node.op_type == "Cast" and any(a.name == "to" and a.i in FLOATS for a in node.attribute)
        for node in _takers([name], nodes)
    )


def _layout(name: str, rank: int, nodes: list[tuple[int, Node]]) -> str:
    """Where an input's channels are, by the first that asks for them on its way."""
    names = [name]
    for _ in range(FURTHER if rank > 2 else 0):
        takers = _takers(names, nodes)
        if any(node.op_type in OF_IMAGES for node in takers):
            return NCHW
        if any(_takes_last(node, names, rank, nodes) for node in takers):
            return NHWC
        names = [made for node in takers if node.op_type in ANY for made in node.output[:1]]
    return NCHW


def _takes_last(node: Node, names: list[str], rank: int, nodes: list[tuple[int, Node]]) -> bool:
    """Whether a node that takes some values takes their last axis for the channels."""
    if node.op_type in OF_ROWS:
        return node.input[0] in names
    if node.op_type != "Transpose":
        return False
    order = next((a.ints for a in node.attribute if a.name == "perm"), [])
    if order[:2] == [1, 0]:  # as recurrent layers have it: time, batch, features
        return True
    if order[:2] != [0, rank - 1]:
        return False
    return rank > 3 or not any(one.op_type in AFTER_ROWS for one in _takers(node.output[:1], nodes))


def result(net: Assembly, laid: Laid, in_order: bool) -> Symbol:
    """The symbol of an output: its axes in the file's order, or with the one after the batch as the last."""
    axes = [axis for axis in laid.axes if axis != (BATCH,)]
    if len(axes) != laid.rank - 1 or any(BATCH in axis for axis in axes):
        raise ValueError(f"wanted the batch as an axis of an output, got one of {net.told(laid)}")
    return net.arranged(laid, axes if in_order or len(axes) < 2 else [*axes[1:], *axes[:1]])
