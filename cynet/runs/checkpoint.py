"""The checkpoint file: tensors and a small state, every byte of it under a digest.

Design: the safetensors layout, so that any reader of it can look inside. The notes open, at a fixed place,
with the SHA-256 of the header (its own digits counted as zeros); the header holds that of every tensor. So
each byte is covered, and what is damaged can be named. Nothing is unpickled, and nothing is returned unless
all of it is sound.
"""

import errno
import hashlib
import json
import os

from cynet._version import __version__
from cynet.core.files import DamagedError, reason, user_path, worded, write_atomically
from cynet.core.folder import set_aside
from cynet.interop import safetensors
from cynet.nn.spec import MOST_TEXT

NAME, PREVIOUS = "last.ckpt", "last.prev.ckpt"
FORMAT = "1"
HEADER = "cynet_checkpoint"  # the first note: the header's digest
START = b'{"__metadata__":{"' + HEADER.encode() + b'":"'
BLANK = b"0" * 64
SHOWN = 10  # problems that one error names
MOST_STATE = 1 << 20  # letters of the state's JSON
NET = "net"  # an entry of the state with a note of its own: the net as data, which may be longer
# There is a pipe, a folder, a device, a socket, or a link that leads nowhere.
IRREGULAR = (errno.EINVAL, errno.ENXIO, errno.EISDIR, errno.ENOENT, errno.ELOOP)


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

    net = None
    if isinstance(state, dict):
        net, state = state.get(NET), {name: value for name, value in state.items() if name != NET}

    def notes(parts):
        digests = {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}
        return {
            HEADER: BLANK.decode(),
            "format": FORMAT,
            "version": __version__,
            "sha256": json.dumps(digests, separators=(",", ":")),
            "state": json.dumps(state, separators=(",", ":")),
        } | ({} if net is None else {NET: json.dumps(net, separators=(",", ":"))})

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
        notes, spans, first = _header(data[:first])
        if notes.get("format") != FORMAT:
            raise ValueError(f"wanted a checkpoint of format {FORMAT}, got {notes.get('format')!r:.40}")
        digests = _table(notes, "sha256", safetensors.MOST_HEADER)
        state = _table(notes, "state", MOST_STATE)
        state |= {NET: _table(notes, NET, MOST_TEXT)} if NET in notes else {}
        if not notes.get("version"):
            raise ValueError("its header: version: wanted that of the cynet that wrote it, got none")
    except ValueError as error:
        raise DamagedError(str(error)) from None
    problems, end = [f"its header: sha256 of no tensor: {n!r:.80}" for n in digests if n not in spans], 0
    body = memoryview(data)[first:]
    for name, (_, _, start, end) in spans.items():
        if end > len(body):
            problems.append(f"tensor {name!r:.80} is cut short: wanted bytes {start} to {end} of {len(body)}")
        elif hashlib.sha256(body[start:end]).hexdigest() != digests.get(name):
            problems.append(f"tensor {name!r:.80} differs from its SHA-256: the file is damaged")
    if len(body) > end:
        problems.append(f"wanted {end} bytes of tensors, got {len(body)}: the file is too long")
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise DamagedError("; ".join(problems[:SHOWN]) + more)
    return safetensors.arrays(data, spans, first), state


def _table(notes, name, most):
    """The JSON object in a note, or ValueError."""
    text = notes.get(name, "")
    if len(text) > most:
        raise ValueError(f"its header: {name}: wanted at most {most:,} letters, got {len(text):,}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        got = f"{text!r:.40}: {worded(error)}"
        raise ValueError(f"its header: {name}: wanted a JSON object, got {got}") from None
    if not isinstance(found, dict):
        raise ValueError(f"its header: {name}: wanted a JSON object, got {text!r:.40}")
    return found


def _header(header):
    """What `safetensors.parse` gives for the header of a checkpoint, its length before it; it is verified."""
    place = 8 + len(START)
    digest, rest = header[place : place + 64], header[place + 64 :]
    if header[8:place] != START or len(digest) < 64:
        raise ValueError("the header is damaged, or the file is no checkpoint of cynet")
    blank = header[:place] + BLANK + rest
    if hashlib.sha256(blank).hexdigest().encode() != digest:
        raise ValueError("the header differs from its SHA-256: the file is damaged")
    return safetensors.parse(header)


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


def load(path, check=None):
    """The tensors (dict of str to ndarray) and the state (dict) of a checkpoint.

    Parameters
    ----------
    path : str or Path
    check : callable, optional
        Gets both and gives what is to be returned for them, or raises ValueError where no run wrote them.

    Raises
    ------
    OSError
        When it cannot be read.
    DamagedError
        Naming the file and what is damaged.
    """
    try:
        found = unpack(safetensors.read(path, _header))
        return check(*found) if check else found
    except ValueError as error:
        raise DamagedError(f"{path}: {error}") from None


def load_latest(folder, say=print, check=None):
    """The newest sound checkpoint of a run.

    A damaged last.ckpt is set aside as last.damaged.ckpt, so that it never takes the place of the sound one;
    so is what lies there and is no file.

    Parameters
    ----------
    folder : str or Path
    say : callable, optional
        Told, in a line, when the previous one is used.
    check : callable, optional
        As for `load`.

    Returns
    -------
    (tensors, state), or what `check` made of them, or None when there is no checkpoint.

    Raises
    ------
    DamagedError
        When all there are are damaged.
    OSError
        When one cannot be read.
    """
    last, previous = (user_path(folder) / name for name in (NAME, PREVIOUS))
    problem = None
    if os.path.lexists(last):
        try:
            return load(last, check)
        except (DamagedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in IRREGULAR:
                raise
            problem = error
    if not os.path.lexists(previous):
        if problem:
            raise problem
        return None
    try:
        found = load(previous, check)
    except (DamagedError, OSError) as error:
        raise (DamagedError(f"{reason(problem)}; {reason(error)}") if problem else error) from None
    if problem:
        aside = set_aside(last)
        say(f"{reason(problem)}; set aside as {aside.name}, going on from {previous}")
    else:
        say(f"there is no {last}; going on from {previous}")
    return found
