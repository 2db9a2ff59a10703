"""The wire format of protobuf: the fields of a message one by one, from bytes of which nothing is believed.

A field is a key, which is its number and the kind of its value, and the value. See
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cynet.core.types import AnyArray

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # the kinds; 3 and 4, groups, no file has any more
SIZES = {FIXED64: 8, FIXED32: 4}
MOST_VARINT = 10  # bytes of a number of 64 bits
PIECE = 1 << 16  # bytes of numbers that are taken apart at once


def fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """The fields of a message.

    Yields
    ------
    number : int
    kind : int
    value : int or memoryview
        Of a VARINT the number, as 64 bits without a sign; else the bytes.

    Raises
    ------
    ValueError
        When the bytes are none of a message.
    """
    place, end = 0, len(data)
    while place < end:
        key, place = varint(data, place)
        number, kind = key >> 3, key & 7
        if not number:
            raise ValueError("wanted the number of a field, got 0")
        if kind == VARINT:
            value, place = varint(data, place)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, place = varint(data, place)
        elif kind in SIZES:
            size = SIZES[kind]
        else:
            raise ValueError(f"field {number}: wanted a value of kind 0, 1, 2 or 5, got {kind}")
        if size > end - place:
            raise ValueError(f"field {number}: wanted {size:,} bytes, got {end - place:,}: it is cut short")
        yield number, kind, data[place : place + size]
        place += size


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """(a number of 64 bits without a sign, the place after it)."""
    value = 0
    for count, byte in enumerate(data[place : place + MOST_VARINT]):
        value |= (byte & 127) << (7 * count)
        if byte < 128:
            if value >> 64:
                break
            return value, place + count + 1
    wanted = "wanted a number of at most 64 bits"
    cut = len(data) - place < MOST_VARINT
    raise ValueError(f"{wanted}, got one that is {'cut short' if cut else 'longer'}")


def signed(value: int) -> int:
    """A number of 64 bits, as one with a sign."""
    return value - (2**64) if value >> 63 else value


def varints(data: memoryview) -> AnyArray:
    """The numbers that stand one after another, int64.

    Memory is taken for the numbers, and for a piece of the bytes at a time.

    Raises
    ------
    ValueError
        When one is longer than 64 bits, or cut short.
    """
    whole = np.frombuffer(data, np.uint8)
    count = sum(int(np.count_nonzero(whole[at : at + PIECE] < 128)) for at in range(0, len(whole), PIECE))
    if len(whole) and whole[-1] >= 128:
        raise ValueError("wanted a number of at most 64 bits, got one that is cut short")
    found, filled, place = np.empty(count, np.int64), 0, 0
    while place < len(whole):
        piece = whole[place : place + PIECE]
        ends = np.flatnonzero(piece < 128)
        if not len(ends):
            raise ValueError("wanted a number of at most 64 bits, got one that is longer")
        starts = np.concatenate([[0], ends[:-1] + 1])
        lengths = ends - starts + 1
        if int(lengths.max()) > MOST_VARINT:
            raise ValueError("wanted a number of at most 64 bits, got one that is longer")
        values = np.zeros(len(ends), np.uint64)
        for byte in range(int(lengths.max())):
            has = lengths > byte
            part = (piece[starts[has] + byte] & 127).astype(np.uint64)
            values[has] |= part << np.uint64(7 * byte)
        found[filled : filled + len(values)] = values.view(np.int64)
        filled += len(values)
        place += int(ends[-1]) + 1
    return found
