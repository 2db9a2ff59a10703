"""Reading a text: UTF-8 of a bounded size. What is none is refused in a sentence that says where."""

from __future__ import annotations

import re

from cynet.core import checks
from cynet.core.files import read_regular, user_path
from cynet.core.names import printable
from cynet.core.types import AnyPath
from cynet.data.sets.bounded import memory

MOST = 256 << 20  # bytes of a file
CHUNK = 1 << 20  # characters that are looked at together: single words take fifty bytes each
SPACES = re.compile(r"\s+")  # what `str.split` splits at
OTHER = (
    (b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"),
)  # fmt: skip


def read(path: AnyPath, fold: bool = False) -> str:
    """The text of a file.

    A byte order mark at its beginning is no part of it. Line ends are `\\n`, also where the file has `\\r\\n`
    or `\\r`, so that a text is one text on every system.

    Parameters
    ----------
    path : str or path
        Of a regular file of at most 256 MiB.
    fold : bool, optional
        Make one space of every run of white space.

    Returns
    -------
    str

    Raises
    ------
    OSError
        When it cannot be opened, or is a folder, a pipe, a socket or a device.
    TypeError, ValueError
        When it is larger, empty, or no UTF-8 (byte and line are named), or has a NUL byte.
    """
    checks.flag("fold", fold)
    content = read_regular(user_path(path), MOST)
    name = printable(path)
    with memory(len(content), name):
        text = with_line_ends(_decoded(content, name))
        return folded(text) if fold else text


def with_line_ends(text: str) -> str:
    """A text with `\\n` in place of `\\r\\n` and `\\r`."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = next((kind for mark, kind in OTHER if content.startswith(mark)), None)
        hint = f" (it begins as {kind} does: save it as UTF-8)" if kind else ""
        got = f"got 0x{content[error.start]:02x} at {_place(content, error.start)}"
        raise ValueError(f"{name}: wanted text in UTF-8, {got}{hint}") from None
    nul = content.find(b"\0")
    if nul >= 0:
        hint = "is it UTF-16, or no text?"
        raise ValueError(f"{name}: wanted text in UTF-8, got a NUL byte at {_place(content, nul)} ({hint})")
    text = text.removeprefix("\ufeff")
    if not text:
        raise ValueError(f"{name}: wanted text, got an empty file")
    return text


def _place(content: bytes, at: int) -> str:
    """Where a byte is, in words; bytes are counted from 0, lines from 1."""
    before = content[:at].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return f"byte {at:,}, in line {before.count(10) + 1:,}"


def folded(text: str) -> str:
    """A text with one space in place of every run of white space, also at its ends.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    parts = [""]
    for start in range(0, len(text), CHUNK):
        part = SPACES.sub(" ", text[start : start + CHUNK])
        parts.append(part[1:] if part[0] == " " and parts[-1].endswith(" ") else part)
        if not parts[-1]:
            parts.pop()
    return "".join(parts)
