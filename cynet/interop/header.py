"""The header of a safetensors file: what it tells of the tensors, every number of it checked."""

import json
from math import prod
from typing import Any

import numpy as np

from cynet.core.files import worded
from cynet.core.types import Shape

# The limits of a file, beside that of memory, which is asked for before the tensors are read.
MOST_HEADER = 100_000_000  # bytes, the limit of the format
MOST_MARKS = 1 << 20  # commas, colons and brackets of a header: some 100,000 tensors
MOST_DIMENSIONS = 32  # of a tensor, as NumPy's
MOST_SIDE = 2**63 - 1  # of a tensor, and an offset
MOST_SIZE = 2**62  # of a tensor in bytes, sides of 0 counted as 1

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
BFLOAT16 = "BF16"  # NumPy has none: read as the float32 of the same value

Span = tuple[str, Shape, int, int]  # dtype name, shape, first byte, byte after the last
Spans = dict[str, Span]
Header = tuple[dict[str, str], Spans, int]  # as `parse` returns it


def parse(data: bytes) -> Header:
    """What the header of a file says, its tensors' bytes being still to be checked.

    Parameters
    ----------
    data : bytes
        The file, or its beginning to the end of its header.

    Returns
    -------
    notes : dict of str to str
    spans : dict of str to (dtype, shape, start, stop)
        Where each tensor lies, in the order of the file, without gaps.
    first : int
        The byte from which they count.

    Raises
    ------
    ValueError
        When the header is damaged, or tells of tensors that cannot be.
    """
    length = header_length(data)
    header = _header(data[8 : 8 + length])
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise ValueError(f"__metadata__: wanted text to text, got {notes!r:.80}")
    spans = {name: _span(name, entry) for name, entry in header.items()}
    spans, end = dict(sorted(spans.items(), key=lambda item: item[1][2:])), 0
    for name, (_, _, start, stop) in spans.items():
        if start != end:
            wanted = f"wanted it to start at byte {end} of the data"
            raise ValueError(f"tensor {name!r:.80}: {wanted}, got {start}")
        end = stop
    return notes, spans, 8 + length


def header_length(data: bytes, size: int | None = None) -> int:
    """The length of a file's header, as its first 8 bytes give it.

    Parameters
    ----------
    data : bytes
        The file's beginning.
    size : int, optional
        Bytes of the whole file; default: of `data`.

    Returns
    -------
    int
        Bytes, the first 8 not counted.

    Raises
    ------
    ValueError
        When the file cannot hold so many.
    """
    size = len(data) if size is None else size
    if len(data) < 8:
        raise ValueError(f"wanted a safetensors file, got only {len(data)} bytes")
    length = int.from_bytes(data[:8], "little")
    if length > min(MOST_HEADER, size - 8):
        raise ValueError(
            f"wanted a header of {length} bytes, {size - 8} follow: cut short, or no safetensors file"
        )
    return length


def measure(text: bytes) -> None:
    """Raise ValueError where a header has more in it than a parser should be asked to keep."""
    marks = sum(map(text.count, (b",", b":", b"[", b"{")))
    if marks > MOST_MARKS:
        wanted = f"wanted at most {MOST_MARKS:,} commas, colons and brackets"
        raise ValueError(f"its header: {wanted}, got {marks:,}")


def _header(text: bytes) -> dict[str, Any]:
    measure(text)
    try:
        header = json.loads(text.decode(), object_pairs_hook=_once)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"its header is no JSON ({error}): damaged, or no safetensors file") from None
    except ValueError as error:
        if worded(error) == str(error):
            raise
        raise ValueError(f"its header: {worded(error)}") from None
    if not isinstance(header, dict):
        raise ValueError(f"its header: wanted a JSON object, got {type(header).__name__}")
    return header


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header names an entry twice")
    return found


def _span(name: str, entry: Any) -> Span:
    """(dtype name, shape, first byte, byte after the last) of a header's entry, checked."""
    try:
        kind, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
        known = isinstance(shape, list) and (kind == BFLOAT16 or kind in DTYPES)
        whole = len(shape) <= MOST_DIMENSIONS and all(
            type(n) is int and 0 <= n <= MOST_SIDE for n in (*shape, start, stop)
        )
        size = 2 if kind == BFLOAT16 else np.dtype(DTYPES[kind]).itemsize
    except (TypeError, KeyError, ValueError):
        known = whole = False
    if not (known and whole):
        raise ValueError(f"tensor {name!r:.80}: wanted dtype, shape and data_offsets, got {entry!r:.120}")
    if stop - start != prod(shape) * size:
        wanted = f"{kind} of shape {shape} takes {prod(shape) * size} bytes"
        raise ValueError(f"tensor {name!r:.80}: {wanted}, got {stop - start}")
    if size * prod(n or 1 for n in shape) > MOST_SIZE:
        raise ValueError(f"tensor {name!r:.80}: wanted a shape that an array can have, got {shape}")
    return kind, tuple(shape), start, stop
