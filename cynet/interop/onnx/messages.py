"""The messages of an ONNX file, as far as they are read: what each field is, and how many there may be.

Design: the schema is a table (`FIELDS` of each class), as in onnx.proto; what is not in it is passed over.
A graph within a node's attribute, which only operators of control have, is never looked into, so messages lie
six deep at most. Numbers of tensors stay bytes of the file until they are asked for (`tensors.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from . import wire

# The limits of a file, so that none decides how much memory or time is taken.
MOST_FILE = 1 << 31  # bytes: protobuf has none larger
MOST_FIELDS = 1 << 20  # that are read, of all messages
MOST_NODES = 50_000
MOST_NUMBERS = 1 << 16  # of an attribute, or a shape
MOST_TEXT = 1 << 16  # bytes of a name
SHOWN = 60  # letters of a name in a message

INT, FLOAT, TEXT, RAW, PACKED_INTS, PACKED_FLOATS = "int", "float", "text", "raw", "ints", "floats"


@dataclass
class StringEntry:
    """A text under a name."""

    key: str = ""
    value: str = ""
    FIELDS: ClassVar[Any] = {1: ("key", TEXT), 2: ("value", TEXT)}


@dataclass
class TensorMessage:
    """An array: its dtype by number, its sides, and its numbers in one of the fields that there are for them.

    Those of `parts` are bytes of the file, by the field's name: of a packed field, or of a single number.
    """

    dims: list[int] = field(default_factory=list)
    data_type: int = 0
    name: str = ""
    parts: dict[str, list[Any]] = field(default_factory=dict)
    external_data: list[StringEntry] = field(default_factory=list)
    data_location: int = 0
    segment: memoryview | None = None
    FIELDS: ClassVar[Any] = {
        1: ("dims", PACKED_INTS),
        2: ("data_type", INT),
        3: ("segment", RAW),
        4: ("float_data", "part"),
        5: ("int32_data", "part"),
        6: ("string_data", "part"),
        7: ("int64_data", "part"),
        8: ("name", TEXT),
        9: ("raw_data", "part"),
        10: ("double_data", "part"),
        11: ("uint64_data", "part"),
        13: ("external_data", [StringEntry]),
        14: ("data_location", INT),
    }


@dataclass
class Attribute:
    """What a node is told by a name; `type` says which of the fields holds it."""

    name: str = ""
    type: int = 0
    f: float = 0.0
    i: int = 0
    s: str = ""
    t: TensorMessage | None = None
    g: memoryview | None = None
    floats: list[float] = field(default_factory=list)
    ints: list[int] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    reference: str = ""
    FIELDS: ClassVar[Any] = {
        1: ("name", TEXT),
        2: ("f", FLOAT),
        3: ("i", INT),
        4: ("s", TEXT),
        5: ("t", TensorMessage),
        6: ("g", RAW),
        7: ("floats", PACKED_FLOATS),
        8: ("ints", PACKED_INTS),
        9: ("strings", [TEXT]),
        20: ("type", INT),
        21: ("reference", TEXT),
    }


@dataclass
class Node:
    """One operation: an operator, the names of the values that it takes, and of those that it gives."""

    input: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    name: str = ""
    op_type: str = ""
    domain: str = ""
    attribute: list[Attribute] = field(default_factory=list)
    FIELDS: ClassVar[Any] = {
        1: ("input", [TEXT]),
        2: ("output", [TEXT]),
        3: ("name", TEXT),
        4: ("op_type", TEXT),
        5: ("attribute", [Attribute]),
        7: ("domain", TEXT),
    }


@dataclass
class Dimension:
    """A side of a shape: a number, or the name of one that the file leaves open."""

    dim_value: int | None = None
    dim_param: str = ""
    FIELDS: ClassVar[Any] = {1: ("dim_value", INT), 2: ("dim_param", TEXT)}


@dataclass
class ShapeMessage:
    """The sides of an array."""

    dim: list[Dimension] = field(default_factory=list)
    FIELDS: ClassVar[Any] = {1: ("dim", [Dimension])}


@dataclass
class ArrayType:
    """The type of an array: its dtype by number, and its shape, which a file may leave out."""

    elem_type: int = 0
    shape: ShapeMessage | None = None
    FIELDS: ClassVar[Any] = {1: ("elem_type", INT), 2: ("shape", ShapeMessage)}


@dataclass
class TypeMessage:
    """The type of a value, where that is an array."""

    tensor_type: ArrayType | None = None
    FIELDS: ClassVar[Any] = {1: ("tensor_type", ArrayType)}


@dataclass
class ValueInfo:
    """The name and the type of an input or an output."""

    name: str = ""
    type: TypeMessage | None = None
    FIELDS: ClassVar[Any] = {1: ("name", TEXT), 2: ("type", TypeMessage)}


@dataclass
class GraphMessage:
    """A graph: nodes in the order in which they run, constants, inputs and outputs."""

    node: list[Node] = field(default_factory=list)
    name: str = ""
    initializer: list[TensorMessage] = field(default_factory=list)
    input: list[ValueInfo] = field(default_factory=list)
    output: list[ValueInfo] = field(default_factory=list)
    sparse: list[memoryview] = field(default_factory=list)
    FIELDS: ClassVar[Any] = {
        1: ("node", [Node]),
        2: ("name", TEXT),
        5: ("initializer", [TensorMessage]),
        11: ("input", [ValueInfo]),
        12: ("output", [ValueInfo]),
        15: ("sparse", [RAW]),
    }


@dataclass
class OperatorSet:
    """Which version of a domain's operators a file means."""

    domain: str = ""
    version: int = 0
    FIELDS: ClassVar[Any] = {1: ("domain", TEXT), 2: ("version", INT)}


@dataclass
class ModelMessage:
    """A file as a whole."""

    ir_version: int = 0
    opset_import: list[OperatorSet] = field(default_factory=list)
    graph: GraphMessage | None = None
    FIELDS: ClassVar[Any] = {
        1: ("ir_version", INT),
        7: ("graph", GraphMessage),
        8: ("opset_import", [OperatorSet]),
    }


T = TypeVar("T")


def parsed(data: memoryview) -> ModelMessage:
    """The model that a file's bytes are.

    Raises
    ------
    ValueError
        When they are none, or have more of something than there may be.
    """
    return _Messages().message(ModelMessage, data, "the model")


class _Messages:
    """Reads messages by their tables, and counts fields and nodes."""

    def __init__(self) -> None:
        self.left, self.nodes = MOST_FIELDS, MOST_NODES

    def message(self, kind: type[T], data: memoryview, where: str) -> T:
        found = kind()
        table = kind.FIELDS  # type: ignore[attr-defined]
        seen = set()
        try:
            for number, form, value in wire.fields(data):
                self.left -= 1
                if self.left < 0:
                    raise ValueError(f"wanted at most {MOST_FIELDS:,} fields in all, got more")
                if number not in table:
                    continue
                name, what = table[number]
                if isinstance(what, type) and number in seen:
                    raise ValueError(f"{name}: wanted one, got two")
                seen.add(number)
                self._set(found, name, what, form, value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}" if kind is ModelMessage else str(error)) from None
        return found

    def _set(self, found: Any, name: str, what: Any, form: int, value: Any) -> None:
        if isinstance(what, list):
            if what[0] is Node:
                self.nodes -= 1
                if self.nodes < 0:
                    raise ValueError(f"wanted at most {MOST_NODES:,} nodes, got more")
            getattr(found, name).append(self._single(name, what[0], form, value))
        elif what == "part":
            parts = found.parts.setdefault(name, [])
            parts.append((form, value))
        elif what in (PACKED_INTS, PACKED_FLOATS):
            numbers = getattr(found, name)
            numbers += _numbers(name, what, form, value)
            if len(numbers) > MOST_NUMBERS:
                raise ValueError(f"{name}: wanted at most {MOST_NUMBERS:,} numbers, got more")
        else:
            setattr(found, name, self._single(name, what, form, value))

    def _single(self, name: str, what: Any, form: int, value: Any) -> Any:
        wanted = {INT: wire.VARINT, FLOAT: wire.FIXED32}.get(what, wire.BYTES)
        if form != wanted:
            raise ValueError(f"{name}: wanted a field of kind {wanted}, got one of {form}")
        if what == INT:
            return wire.signed(value)
        if what == FLOAT:
            return float(np.frombuffer(value, "<f4")[0])
        if what == TEXT:
            return _text(name, value)
        return value if what == RAW else self.message(what, value, name)


def _text(name: str, value: memoryview) -> str:
    if len(value) > MOST_TEXT:
        raise ValueError(f"{name}: wanted a text of at most {MOST_TEXT:,} bytes, got {len(value):,}")
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name}: wanted a text in UTF-8, got {bytes(value)!r:.{SHOWN}}") from None


def _numbers(name: str, what: str, form: int, value: Any) -> list[Any]:
    """The numbers of a field: packed, or a single one, as both are valid."""
    if what == PACKED_INTS and form == wire.VARINT:
        return [wire.signed(value)]
    size = 4 if what == PACKED_FLOATS else 1
    if form == wire.BYTES or (size == 4 and form == wire.FIXED32):
        if len(value) > size * wire.MOST_VARINT * MOST_NUMBERS or len(value) % size:
            raise ValueError(f"{name}: wanted at most {MOST_NUMBERS:,} numbers, got {len(value):,} bytes")
        found: list[Any] = (np.frombuffer(value, "<f4") if size == 4 else wire.varints(value)).tolist()
        return found
    raise ValueError(f"{name}: wanted numbers, got a field of kind {form}")
