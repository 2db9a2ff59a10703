"""Weights in the safetensors layout, with a digest.

Design: the layout (8 bytes of header length, a JSON header, the tensors' bytes) is small enough to be read
and written here, which gives what the usual library does not: equal tensors and metadata give equal bytes in
every process (its metadata have no fixed order), and damage is found. The metadata's "cynet_sha256" is the
digest of the whole file with 64 zeros in the digest's place; to other readers it is one more note.
"""

import hashlib
import json
from math import prod
from pathlib import Path

import numpy as np

from cynet._version import __version__
from cynet.core.files import user_path, write_atomically

from . import kinds

WRITER = "cynet"  # metadata key: the version that wrote the file; such a file must have its digest
DIGEST = "cynet_sha256"
BLANK = "0" * 64
MOST_HEADER = 100_000_000  # bytes, the limit of the format

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()}
BFLOAT16 = "BF16"  # NumPy has none: read as the float32 of the same value


def save(model, path, metadata=None):
    """Write a model's parameters and buffers, under PyTorch's names and in its layouts.

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
    tensors = model if isinstance(model, dict) else model.state_dict()
    write_atomically(path, pack(tensors, metadata))


def pack(tensors, metadata=None):
    """The bytes of a file with these tensors and notes; see `save`."""
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


def compose(tensors, notes):
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
    """
    plain = {name: _plain(name, array) for name, array in tensors.items()}
    # Wide types first, so that every tensor is aligned for readers that map the file.
    names = sorted(plain, key=lambda n: (-plain[n].dtype.itemsize, n))
    parts = {name: plain[name].tobytes() for name in names}
    header, end = {"__metadata__": notes(parts) if callable(notes) else notes}, 0
    for name in names:
        array = plain[name]
        start, end = end, end + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, list(parts.values())


def load(path):
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
    data = read(path)
    try:
        return unpack(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read(path):
    """The bytes of a file, or OSError that names it."""
    return _readable(Path.read_bytes, user_path(path))


def _readable(function, path):
    """function(path), or OSError that names the path."""
    try:
        return function(path)
    except OSError as error:
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror or error}") from error


def unpack(data):
    """The tensors and the notes in the bytes of a file; see `load`."""
    notes, spans, first = parse(data)
    end = max((stop for *_, stop in spans.values()), default=0)
    if end != len(data) - first:
        got = len(data) - first
        problem = "cut short" if got < end else "too long"
        raise ValueError(f"wanted {end} bytes of tensors, got {got}: the file is {problem}")
    _verify(data, notes)
    return arrays(data, spans, first), {key: value for key, value in notes.items() if key != DIGEST}


def parse(data):
    """What the header of a file says, its tensors' bytes being still to be checked.

    Returns
    -------
    notes : dict of str to str
    spans : dict of str to (dtype, shape, start, stop)
        Where each tensor lies, in the order of the file, without gaps.
    first : int
        The byte from which they count.
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
            raise ValueError(f"tensor {name!r}: wanted it to start at byte {end} of the data, got {start}")
        end = stop
    return notes, spans, 8 + length


def header_length(data):
    """The length that the first 8 bytes of a file give, checked against what follows."""
    if len(data) < 8:
        raise ValueError(f"wanted a safetensors file, got only {len(data)} bytes")
    length = int.from_bytes(data[:8], "little")
    if length > min(MOST_HEADER, len(data) - 8):
        raise ValueError(
            f"wanted a header of {length} bytes, {len(data) - 8} follow: cut short, or no safetensors file"
        )
    return length


def arrays(data, spans, first):
    """The tensors of a file, each its own writable array; arguments as `parse` returns them."""
    return {
        name: _array(data[first + start : first + stop], kind, shape)
        for name, (kind, shape, start, stop) in spans.items()
    }


def _plain(name, array):
    array = np.asarray(array)
    little = array.dtype.newbyteorder("<")
    if not isinstance(name, str) or name == "__metadata__":
        raise ValueError(f"tensors: wanted names other than __metadata__, got {name!r}")
    if little not in NAMES:
        raise TypeError(f"tensor {name!r}: wanted a dtype of {', '.join(DTYPES)}, got {array.dtype}")
    return np.asarray(array, little)


def _with_digest(data, digest):
    return data.replace(_note(BLANK), _note(digest), 1)


def _note(digest):
    return f'"{DIGEST}":"{digest}"'.encode()


def _verify(data, notes):
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


def _header(text):
    try:
        header = json.loads(text.decode(), object_pairs_hook=_once)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"its header is no JSON ({error}): damaged, or no safetensors file") from None
    if not isinstance(header, dict):
        raise ValueError(f"its header: wanted a JSON object, got {type(header).__name__}")
    return header


def _once(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header names an entry twice")
    return found


def _span(name, entry):
    """(dtype name, shape, first byte, byte after the last) of a header's entry, checked."""
    try:
        kind, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
        known = isinstance(shape, list) and (kind == BFLOAT16 or kind in DTYPES)
        whole = all(type(n) is int and n >= 0 for n in (*shape, start, stop))
    except (TypeError, KeyError, ValueError):
        known = whole = False
    if not (known and whole):
        raise ValueError(f"tensor {name!r}: wanted dtype, shape and data_offsets, got {entry!r:.120}")
    size = 2 if kind == BFLOAT16 else np.dtype(DTYPES[kind]).itemsize
    if stop - start != prod(shape) * size:
        raise ValueError(
            f"tensor {name!r}: {kind} of shape {shape} takes {prod(shape) * size} bytes, got {stop - start}"
        )
    return kind, tuple(shape), start, stop


def _array(data, kind, shape):
    if kind == BFLOAT16:
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    array = np.frombuffer(data, DTYPES[kind]).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="))
