"""Arrays of an ONNX file: their numbers lie in it, or in others of its folder; every size is checked."""

from __future__ import annotations

import os
import re
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from cynet.core.files import open_regular
from cynet.core.folder import own_file
from cynet.core.types import AnyArray, Array

from . import wire
from .messages import SHOWN, TensorMessage

FLOAT, STRING, BFLOAT16 = 1, 8, 16
# By the number of a dtype: its name, NumPy's word for it, the field of its numbers unless they are raw bytes.
DTYPES = {
    1: ("float", "<f4", "float_data"),
    2: ("uint8", "|u1", "int32_data"),
    3: ("int8", "|i1", "int32_data"),
    4: ("uint16", "<u2", "int32_data"),
    5: ("int16", "<i2", "int32_data"),
    6: ("int32", "<i4", "int32_data"),
    7: ("int64", "<i8", "int64_data"),
    9: ("bool", "|b1", "int32_data"),
    10: ("float16", "<f2", "int32_data"),
    11: ("double", "<f8", "double_data"),
    12: ("uint32", "<u4", "uint64_data"),
    13: ("uint64", "<u8", "uint64_data"),
    16: ("bfloat16", "<u2", "int32_data"),
}
OTHERS = {
    8: "string", 14: "complex64", 15: "complex128", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
    19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1",
}  # fmt: skip
MOST_SIDES = 16  # of an array
MOST_SIDE = 2**31 - 1
MOST_COUNT = 2**31 - 1  # numbers of an array
EXTERNAL = 1  # data_location
DIGITS = re.compile(r"[0-9]{1,18}")


def dtype_name(number: int) -> str:
    """What a dtype is called, of those that are read or not."""
    return DTYPES[number][0] if number in DTYPES else OTHERS.get(number, f"dtype {number}")


def shape_of(tensor: TensorMessage) -> tuple[int, ...]:
    """The shape of an array.

    Raises
    ------
    ValueError
        When it is none, or one of more numbers than there may be.
    """
    shape = tuple(tensor.dims)
    if len(shape) > MOST_SIDES or any(not 0 <= side <= MOST_SIDE for side in shape):
        raise ValueError(f"wanted at most {MOST_SIDES} sides of 0 to {MOST_SIDE}, got {shape!r:.{SHOWN}}")
    if prod(max(1, side) for side in shape) > MOST_COUNT:
        raise ValueError(f"wanted at most {MOST_COUNT:,} numbers, got an array of {shape!r:.{SHOWN}}")
    return shape


class Files:
    """The files beside a model that hold its arrays.

    Parameters
    ----------
    folder : Path
        That of the model's file; only what lies in it is opened.

    Attributes
    ----------
    read : int
        Bytes that were taken of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read = 0  # bytes of them that were read
        self._left: dict[Path, int] = {}  # bytes of each file that no array has taken

    def array(self, tensor: TensorMessage) -> AnyArray:
        """The array that a message tells of, of a native dtype; bfloat16 comes as float32.

        Where it can be it is a view of the file's bytes, which nobody can write.

        Raises
        ------
        ValueError
            When its numbers are not as many as its shape says, its dtype is none that is read, or its file is
            elsewhere or too short.
        OSError
            When that file cannot be read.
        """
        shape = shape_of(tensor)
        if tensor.data_type not in DTYPES:
            names = ", ".join(name for name, *_ in DTYPES.values())
            raise ValueError(f"wanted a dtype of {names}, got {dtype_name(tensor.data_type)}")
        if tensor.segment is not None:
            raise ValueError("wanted an array as a whole, got a segment of one")
        _, word, place = DTYPES[tensor.data_type]
        size = prod(shape) * np.dtype(word).itemsize
        if tensor.data_location == EXTERNAL:
            flat = np.frombuffer(self._external(tensor, size), word)
        elif tensor.data_location:
            raise ValueError(f"data_location: wanted 0 or 1, got {tensor.data_location}")
        else:
            flat = _own(tensor, word, place, prod(shape))
        if tensor.data_type == BFLOAT16:
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        if len(flat) != prod(shape):
            raise ValueError(f"wanted {prod(shape):,} numbers, as its shape {shape} says, got {len(flat):,}")
        if flat.dtype == bool:
            flat = flat.view(np.uint8) != 0  # a byte may be anything
        return flat.astype(flat.dtype.newbyteorder("="), copy=False).reshape(shape)

    def _external(self, tensor: TensorMessage, size: int) -> bytes:
        """The bytes of an array that lie in another file."""
        notes = {entry.key: entry.value for entry in tensor.external_data}
        path = self._path(notes.get("location", ""))
        for name in ("offset", "length"):
            if name in notes and not DIGITS.fullmatch(notes[name]):
                raise ValueError(f"{name}: wanted a whole number, got {notes[name]!r:.{SHOWN}}")
        start, length = int(notes.get("offset", 0)), int(notes.get("length", size))
        if length != size:
            raise ValueError(f"length: wanted {size:,} bytes, as its shape and dtype say, got {length:,}")
        with open_regular(path) as file:
            whole = os.fstat(file.fileno()).st_size
            if start + size > whole:
                raise ValueError(f"{path}: wanted bytes {start:,} to {start + size:,}, got {whole:,} in all")
            left = self._left.get(path, whole) - size
            if left < 0:
                raise ValueError(
                    f"{path}: wanted arrays that do not overlap, got more than its {whole:,} bytes"
                )
            self._left[path] = left
            file.seek(start)
            content = file.read(size)
        self.read += size
        if len(content) != size:
            raise ValueError(f"{path}: wanted {size:,} bytes from byte {start:,} on, got {len(content):,}")
        return content

    def _path(self, location: str) -> Path:
        parts = PurePosixPath(location).parts
        if not parts or ".." in parts or "\0" in location or "\\" in location or _leaves(location):
            raise ValueError(f"location: wanted a file in {self.folder}, got {location!r:.{SHOWN}}")
        path = self.folder.joinpath(*parts)
        try:
            return own_file(path, self.folder)
        except PermissionError as error:
            raise ValueError(f"location: {error.strerror}") from None


def _leaves(location: str) -> bool:
    windows = PureWindowsPath(location)
    return PurePosixPath(location).is_absolute() or bool(windows.drive or windows.root)


def _own(tensor: TensorMessage, word: str, place: str, count: int) -> AnyArray:
    """The numbers of an array that stand in the message itself."""
    parts = {
        name: pieces for name, pieces in tensor.parts.items() if any(len(p) for p in map(_bytes, pieces))
    }
    if len(parts) > 1 or (parts and not parts.keys() <= {"raw_data", place}):
        raise ValueError(f"wanted its numbers in raw_data or {place}, got {' and '.join(sorted(parts))}")
    pieces = parts.get("raw_data")
    size = np.dtype(word).itemsize
    if pieces is not None:
        if len(pieces) > 1 or pieces[0][0] != wire.BYTES:
            raise ValueError("raw_data: wanted one field of bytes, got others")
        if len(pieces[0][1]) != count * size:
            raise ValueError(f"raw_data: wanted {count * size:,} bytes, got {len(pieces[0][1]):,}")
        return np.frombuffer(pieces[0][1], word)
    found = [_typed(place, form, value, word, count) for form, value in parts.get(place, ())]
    return found[0] if len(found) == 1 else np.concatenate(found or [np.empty(0, word)])


def _bytes(part: Any) -> Any:
    """Something as long as a part of the numbers is."""
    return part[1] if isinstance(part[1], memoryview) else b"\0"


def _typed(place: str, form: int, value: Any, word: str, count: int) -> AnyArray:
    """Numbers of the field that is made for them: a packed one, or a single number."""
    wanted = {"float_data": wire.FIXED32, "double_data": wire.FIXED64}.get(place, wire.VARINT)
    if form not in (wanted, wire.BYTES):
        raise ValueError(f"{place}: wanted a field of kind {wanted} or {wire.BYTES}, got one of {form}")
    if wanted != wire.VARINT:
        if len(value) % np.dtype(word).itemsize:
            raise ValueError(f"{place}: wanted whole numbers of {word[1:]}, got {len(value):,} bytes")
        return np.frombuffer(value, word)
    if form == wire.VARINT:
        numbers = np.array([wire.signed(value)], np.int64)
    elif len(value) > count * wire.MOST_VARINT:
        raise ValueError(f"{place}: wanted {count:,} numbers, got {len(value):,} bytes")
    else:
        numbers = wire.varints(value)
    if word == "<f2":
        return numbers.astype("<u2").view("<f2")  # its bits, as a number
    return numbers.astype(word)


def one_of(array: AnyArray) -> AnyArray:
    """The one number that an array repeats, whose strides are all 0, without a look at the others."""
    return np.array(array.flat[0]) if array.size else np.zeros((), array.dtype)


def as_float32(array: AnyArray) -> Array:
    """An array of numbers as float32; where it is that already, as it is.

    Raises
    ------
    ValueError
        When there are finite ones that float32 cannot hold.
    """
    if array.dtype == np.float32:
        return array
    if array.size > 1 and not any(array.strides):
        found: Array = np.broadcast_to(as_float32(one_of(array).reshape(1)), array.shape)
        return found
    with np.errstate(over="ignore", invalid="ignore"):
        found = array.astype(np.float32)
    if array.dtype == np.float64 and np.isinf(found).sum() > np.isinf(array).sum():
        raise ValueError("wanted numbers that float32 can hold, got greater ones")
    return found
