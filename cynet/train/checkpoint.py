"""The checkpoint file: tensors and a small state, every byte of it under a digest.

Design: the safetensors layout, so that any reader of it can look inside. The notes open, at a fixed place,
with the SHA-256 of the header (its own digits counted as zeros); the header holds that of every tensor. So
each byte is covered, and what is damaged can be named. Nothing is unpickled, and nothing is returned unless
all of it is sound.
"""

import hashlib
import json

from cynet._version import __version__
from cynet.core.files import user_path, write_atomically
from cynet.interop import safetensors

NAME, PREVIOUS, DAMAGED = "last.ckpt", "last.prev.ckpt", "last.damaged.ckpt"
FORMAT = "1"
HEADER = "cynet_checkpoint"  # the first note: the header's digest
START = b'{"__metadata__":{"' + HEADER.encode() + b'":"'
BLANK = b"0" * 64


class DamagedError(ValueError):
    """A checkpoint of which a byte is missing, added or changed, or that is none."""


def pack(tensors, state):
    """The bytes of a checkpoint.

    Parameters
    ----------
    tensors : dict of str to ndarray
    state : dict
        Of what JSON can hold.

    Returns
    -------
    bytes
    """

    def notes(parts):
        digests = {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}
        return {
            HEADER: BLANK.decode(),
            "format": FORMAT,
            "version": __version__,
            "sha256": json.dumps(digests, separators=(",", ":")),
            "state": json.dumps(state, separators=(",", ":")),
        }

    header, parts = safetensors.compose(tensors, notes)
    digest = hashlib.sha256(header).hexdigest().encode()
    return b"".join([header.replace(BLANK, digest, 1), *parts])


def unpack(data):
    """The tensors and the state in the bytes of a checkpoint.

    Raises
    ------
    DamagedError
        Naming the header, or every tensor that is not as it was written.
    """
    try:
        first = 8 + safetensors.header_length(data)
        _verify_header(data[:first])
        notes, spans, first = safetensors.parse(data)
    except ValueError as error:
        raise DamagedError(str(error)) from None
    if notes["format"] != FORMAT:
        raise DamagedError(f"wanted a checkpoint of format {FORMAT}, got {notes['format']!r:.40}")
    digests, problems, end = json.loads(notes["sha256"]), [], 0
    body = memoryview(data)[first:]
    for name, (_, _, start, end) in spans.items():
        if end > len(body):
            problems.append(f"tensor {name!r} is cut short: wanted bytes {start} to {end} of {len(body)}")
        elif hashlib.sha256(body[start:end]).hexdigest() != digests[name]:
            problems.append(f"tensor {name!r} differs from its SHA-256: the file is damaged")
    if len(body) > end:
        problems.append(f"wanted {end} bytes of tensors, got {len(body)}: the file is too long")
    if problems:
        raise DamagedError("; ".join(problems))
    return safetensors.arrays(data, spans, first), json.loads(notes["state"])


def _verify_header(header):
    place = 8 + len(START)
    digest, rest = header[place : place + 64], header[place + 64 :]
    if header[8:place] != START or len(digest) < 64:
        raise ValueError("the header is damaged, or the file is no checkpoint of cynet")
    blank = header[:place] + BLANK + rest
    if hashlib.sha256(blank).hexdigest().encode() != digest:
        raise ValueError("the header differs from its SHA-256: the file is damaged")


def save(path, tensors, state):
    """Write a checkpoint, as a whole or not at all; the one before it stays as last.prev.ckpt beside it.

    Parameters
    ----------
    path : str or Path
    tensors : dict of str to ndarray
    state : dict

    Raises
    ------
    OSError
        When it cannot be written; the older file is then as it was.
    """
    write_atomically(path, pack(tensors, state), previous=PREVIOUS)


def load(path):
    """The tensors (dict of str to ndarray) and the state (dict) of a checkpoint.

    Raises
    ------
    OSError
        When it cannot be read.
    DamagedError
        Naming the file and what is damaged.
    """
    data = safetensors.read(path)
    try:
        return unpack(data)
    except DamagedError as error:
        raise DamagedError(f"{path}: {error}") from None


def load_latest(folder, say=print):
    """The newest sound checkpoint of a run.

    A damaged last.ckpt is set aside as last.damaged.ckpt, so that it never takes the place of the sound one.

    Parameters
    ----------
    folder : str or Path
    say : callable, optional
        Told, in a line, when the previous one is used.

    Returns
    -------
    (tensors, state), or None when there is no checkpoint.

    Raises
    ------
    DamagedError
        When all there are are damaged.
    """
    last, previous = (user_path(folder) / name for name in (NAME, PREVIOUS))
    problem = None
    if last.exists():
        try:
            return load(last)
        except DamagedError as error:
            problem = error
    if not previous.exists():
        if problem:
            raise problem
        return None
    try:
        found = load(previous)
    except DamagedError as error:
        raise (DamagedError(f"{problem}; {error}") if problem else error) from None
    if problem:
        last.replace(last.with_name(DAMAGED))
        say(f"{problem}; set aside as {DAMAGED}, going on from {previous}")
    else:
        say(f"there is no {last}; going on from {previous}")
    return found
