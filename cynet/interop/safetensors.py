"""Weights in the safetensors layout, with a digest.

Design: the layout (8 bytes of header length, a JSON header, the tensors' bytes) is small enough to be read
and written here, which gives what the usual library does not: equal tensors and metadata give equal bytes in
every process (its metadata have no fixed order), and damage is found. The metadata's "cynet_sha256" is the
digest of the whole file with 64 zeros in the digest's place; to other readers it is one more note.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cynet._version import __version__
from cynet.core.files import open_regular, user_path, write_atomically
from cynet.core.types import AnyArray, AnyPath, Shape, State
from cynet.data.sets.bounded import check_memory
from cynet.nn import spec

from . import kinds
from .header import BFLOAT16, DTYPES, MOST_HEADER, Header, Spans, header_length, measure, parse

if TYPE_CHECKING:
    from cynet.nn.layer import Layer

__all__ = [
    "MOST_HEADER", "arrays", "compose", "header_length", "load", "pack", "parse", "read", "save", "unpack",
]  # fmt: skip

WRITER = "cynet"  # metadata key: the version that wrote the file; such a file must have its digest
DIGEST = "cynet_sha256"
BLANK = "0" * 64

COPIES = 2  # a file's bytes and the tensors' own are in memory at once

NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()}

Notes = dict[str, str] | Callable[[dict[str, bytes]], dict[str, str]]
T = TypeVar("T")


def save(model: Layer | State, path: AnyPath, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model's parameters and buffers, under PyTorch's names and in its layouts.

    A model of cynet's own layers is told of in the note "net" (`cynet.nn.to_spec`), by which `cynet.load`
    builds it again; for another one "no_net" says which layers there is no telling of.

    Parameters
    ----------
    model : Layer or dict of str to ndarray
    path : str or Path
        Replaced as a whole, or left as it was.
    metadata : dict of str to str, optional
        Notes for the file's header.

    Raises
    ------
    TypeError, ValueError
        When a tensor or a note has a type that the format does not know, or a note takes a reserved name.
    OSError
        When the file cannot be written.
    """
    if isinstance(model, dict):
        tensors, notes = model, {}
    else:
        tensors, notes = model.state_dict(), spec.notes(model)
    write_atomically(path, pack(tensors, notes | dict(metadata or {})))


def pack(tensors: State, metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a file.

    Parameters
    ----------
    tensors : dict of str to ndarray
    metadata : dict of str to str, optional

    Returns
    -------
    bytes

    Raises
    ------
    TypeError, ValueError
        As `save`.
    """
    notes = dict(metadata or {})
    for key, value in notes.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"metadata: wanted str to str, got {key!r}: {value!r}")
        if key in (WRITER, DIGEST):
            raise ValueError(f"metadata: {key!r} is written by save itself; wanted another name")
    notes |= {WRITER: __version__, DIGEST: BLANK}
    header, parts = compose(tensors, dict(sorted(notes.items())))
    blank = header + b"".join(parts)
    return _with_digest(blank, hashlib.sha256(blank).hexdigest())


def compose(tensors: State, notes: Notes) -> tuple[bytes, list[bytes]]:
    """A file in the layout, without digest.

    Parameters
    ----------
    tensors : dict of str to ndarray
    notes : dict of str to str
        Written in this order. A function makes them from the tensors' bytes: dict of str to bytes -> dict.

    Returns
    -------
    header : bytes
        With its length before it.
    parts : list of bytes
        The tensors' bytes that follow.

    Raises
    ------
    TypeError, ValueError
        When a tensor's name or dtype is none that the format knows, or the header is too long.
    """
    plain = {name: _plain(name, array) for name, array in tensors.items()}
    # Wide types first, so that every tensor is aligned for readers that map the file.
    names = sorted(plain, key=lambda n: (-plain[n].dtype.itemsize, n))
    parts = {name: plain[name].tobytes() for name in names}
    header: dict[str, Any] = {"__metadata__": notes(parts) if callable(notes) else notes}
    end = 0
    for name in names:
        array = plain[name]
        start, end = end, end + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    measure(text)  # what could not be read is not written
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, list(parts.values())


def load(path: AnyPath) -> tuple[State, dict[str, str]]:
    """Read a safetensors file, wholly or not at all.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tensors : dict of str to ndarray
        Each its own writable array; bfloat16 comes as float32.
    metadata : dict of str to str

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        Naming the file and what is wrong with it: cut short, too long, damaged (by the digest, where cynet
        wrote it), or what it is where it is not of this format.
    """
    path = user_path(path)
    kind = _readable(kinds.kind_of, path)
    if kind not in (None, kinds.CHECKPOINT):  # one is of this format too
        raise ValueError(f"{path}: wanted weights in a safetensors file, got {kind}")
    try:
        return unpack(read(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read(path: AnyPath, header: Callable[[bytes], Header] | None = None) -> bytes:
    """The bytes of a file, of which no more is read than its header tells of.

    Parameters
    ----------
    path : str or Path
    header : callable, optional
        Gets the file's beginning, to the end of its header, and gives what `parse` does; default: that.

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        Naming the file, when it cannot be read, or is no regular file.
    ValueError
        When its header is none, it is longer than that tells, or does not fit the memory.
    """
    return _readable(lambda path: _read(path, header or parse), user_path(path))


def _read(path: Path, header: Callable[[bytes], Header]) -> bytes:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        start += file.read(header_length(start, size))
        _, spans, first = header(start)
        end = _end(spans)
        if size - first > end:
            raise ValueError(_other_length(size - first, end))
        check_memory(COPIES * size, "the tensors")
        return start + file.read(end + 1)


def _end(spans: Spans) -> int:
    return max((stop for *_, stop in spans.values()), default=0)


def _other_length(got: int, end: int) -> str:
    problem = "cut short" if got < end else "too long"
    return f"wanted {end} bytes of tensors, got {got}: the file is {problem}"


def _readable(function: Callable[[Path], T], path: Path) -> T:
    """function(path), or OSError that names the path."""
    try:
        return function(path)
    except OSError as error:
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror or error}") from error


def unpack(data: bytes) -> tuple[State, dict[str, str]]:
    """What is in the bytes of a file.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    tensors : dict of str to ndarray
    metadata : dict of str to str
        As `load` returns them.

    Raises
    ------
    ValueError
        When they are damaged.
    """
    notes, spans, first = parse(data)
    if _end(spans) != len(data) - first:
        raise ValueError(_other_length(len(data) - first, _end(spans)))
    _verify(data, notes)
    return arrays(data, spans, first), {key: value for key, value in notes.items() if key != DIGEST}


def arrays(data: bytes, spans: Spans, first: int) -> State:
    """The tensors of a file.

    Parameters
    ----------
    data : bytes
        The whole file.
    spans : dict of str to (dtype, shape, start, stop)
    first : int
        As `parse` returns them.

    Returns
    -------
    dict of str to ndarray
        Each its own writable array.
    """
    return {
        name: _array(data[first + start : first + stop], kind, shape)
        for name, (kind, shape, start, stop) in spans.items()
    }


def _plain(name: str, array: Any) -> AnyArray:
    array = np.asarray(array)
    little = array.dtype.newbyteorder("<")
    if not isinstance(name, str) or name == "__metadata__":
        raise ValueError(f"tensors: wanted names other than __metadata__, got {name!r}")
    if little not in NAMES:
        raise TypeError(f"tensor {name!r}: wanted a dtype of {', '.join(DTYPES)}, got {array.dtype}")
    return np.asarray(array, little)


def _with_digest(data: bytes, digest: str) -> bytes:
    return data.replace(_note(BLANK), _note(digest), 1)


def _note(digest: str) -> bytes:
    return f'"{DIGEST}":"{digest}"'.encode()


def _verify(data: bytes, notes: dict[str, str]) -> None:
    if WRITER not in notes and DIGEST not in notes:
        return
    digest = notes.get(DIGEST)
    if digest is None:
        raise ValueError(
            f"written by cynet {notes[WRITER]!r:.40} but without its {DIGEST}: the file is damaged"
        )
    blank = data.replace(_note(digest), _note(BLANK), 1)
    if hashlib.sha256(blank).hexdigest() != digest:
        raise ValueError(f"the {DIGEST} of its contents differs from the stored one: the file is damaged")


def _array(data: bytes, kind: str, shape: Shape) -> AnyArray:
    if kind == BFLOAT16:
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    array = np.frombuffer(data, DTYPES[kind]).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="))
