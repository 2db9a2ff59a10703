"""The messages of an ONNX file as bytes, in the wire format of Protocol Buffers: what `writing` needs of it.

The numbers of the fields are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

IR_VERSION = 8  # the format's, which came with opset 17
MOST_BYTES = 2**31 - 1  # of a message, by the format
ELEMENTS = {
    np.dtype(kind): number for number, kind in ((1, "f4"), (2, "u1"), (3, "i1"), (6, "i4"), (7, "i8"))
}
FLOAT, INT, INTS = 1, 2, 7  # kinds of attributes


def varint(number: int) -> bytes:
    """A whole number, seven bits a byte; a negative one as 64 bits."""
    number %= 2**64
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def whole(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def block(field: int, content: bytes | str) -> bytes:
    """Text, bytes or a message."""
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name: str, array: AnyArray) -> bytes:
    """A TensorProto."""
    array = np.asarray(array, order="C")
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    dims = b"".join(whole(1, side) for side in array.shape)
    return (
        dims + whole(2, ELEMENTS[array.dtype.newbyteorder("=")]) + block(8, name) + block(9, array.tobytes())
    )


def attribute(name: str, value: float | Sequence[int]) -> bytes:
    """An AttributeProto of a number, or of several whole ones."""
    start = block(1, name)
    if isinstance(value, float):
        return start + varint(2 << 3 | 5) + struct.pack("<f", value) + whole(20, FLOAT)
    if isinstance(value, int):
        return start + whole(3, value) + whole(20, INT)
    return start + b"".join(whole(8, one) for one in value) + whole(20, INTS)


def node(operator: str, inputs: Iterable[str], outputs: Iterable[str], name: str, **attributes: Any) -> bytes:
    """A NodeProto."""
    found = b"".join(block(1, one) for one in inputs) + b"".join(block(2, one) for one in outputs)
    found += block(3, name) + block(4, operator)
    return found + b"".join(block(5, attribute(key, value)) for key, value in attributes.items())


def described(name: str, dtype: Any, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto; a side that is a text is any."""
    dims = b"".join(block(1, block(2, one) if isinstance(one, str) else whole(1, one)) for one in shape)
    kind = whole(1, ELEMENTS[np.dtype(dtype)]) + block(2, dims)
    return block(1, name) + block(2, block(1, kind))


def model(
    name: str,
    nodes: Iterable[bytes],
    tensors: Mapping[str, AnyArray],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
    opset: int,
    producer: tuple[str, str],
    notes: Mapping[str, str],
) -> bytes:
    """A ModelProto: the file.

    Raises
    ------
    ValueError
        When it is larger than the format allows.
    """
    graph = [block(1, one) for one in nodes] + [block(2, name)]
    graph += [block(5, tensor(key, array)) for key, array in tensors.items()]
    graph += [block(11, one) for one in inputs] + [block(12, one) for one in outputs]
    size = sum(map(len, graph))
    if size > MOST_BYTES - 2**20:
        raise ValueError(f"model: wanted at most {MOST_BYTES:,} bytes, the format's limit, got {size:,}")
    found = [whole(1, IR_VERSION), block(2, producer[0]), block(3, producer[1]), block(7, b"".join(graph))]
    found += [block(8, block(1, "") + whole(2, opset))]
    found += [block(14, block(1, key) + block(2, value)) for key, value in notes.items()]
    return b"".join(found)
