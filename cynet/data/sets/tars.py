"""The members of a .tar as they pass by, each header of 512 bytes read once and forgotten.

Python's tarfile keeps every member that it saw with all that was told of it, and follows sparse members as
far as their headers go on. Here nothing is kept, and every number that a header gives has a bound.
"""

import re
import tarfile
from collections.abc import Iterator
from typing import Any

BLOCK = 512  # bytes: what members are padded to
CHUNK = 1 << 16  # bytes
MOST_MEMBERS = 10_000  # of an archive
LONGEST = 1 << 16  # bytes of what an archive tells of a member, such as a long name
MOST_TOLD = 1 << 20  # bytes of that for all members
NO_CONTENT = (
    tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE,
)  # fmt: skip
LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
RECORDS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
RECORD = re.compile(rb"([0-9]{1,6}) ([^=]+)=")  # its bytes and its key; value and line end follow
SPARSE = b"GNU.sparse."  # begins the keys of a sparse member


class BadTar(ValueError):
    """What is wrong with an archive, without its name."""


class TarEntry:
    """A member of an archive that is being read; it has passed when the next one is asked for.

    Attributes
    ----------
    name : str
    regular : bool
    size : int
        Bytes.
    """

    def __init__(self, stream: Any, header: tarfile.TarInfo, told: dict[str, Any]) -> None:
        self.name, self.regular = told.get("path", header.name), header.isreg()
        self.size = self._left = 0 if header.type in NO_CONTENT else told.get("size", header.size)
        self._stream, self._padding = stream, -self._left % BLOCK

    def read(self) -> bytearray:
        """What is left of its content, as a bytearray; its memory grows with what really comes."""
        content = bytearray()
        while self._left:
            content += self._part()
        return content

    def skip(self) -> None:
        """Go to its end."""
        while self._left:
            self._part()
        self._left, self._padding = self._padding, 0
        while self._left:
            self._part()

    def _part(self) -> bytes:
        part = self._stream.read(min(CHUNK, self._left))
        if not part:
            raise BadTar(f"{self._left:,} bytes of a member are missing")
        self._left -= len(part)
        return part


def members(stream: Any) -> Iterator[TarEntry]:
    """Yield each `TarEntry` of a .tar.

    Parameters
    ----------
    stream : binary file

    Raises
    ------
    BadTar
        When it is damaged, has sparse members, or goes over the bounds above.
    """
    seen = told_bytes = 0
    told: dict[str, Any] = {}  # of the next member
    while header := _header(stream, seen):
        seen += 1
        if seen > MOST_MEMBERS:
            raise BadTar(f"wanted at most {MOST_MEMBERS:,} members, got more")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise BadTar("wanted plain members, got a sparse one")
        if header.type in LONG_NAMES + RECORDS:
            told_bytes += header.size
            if header.size > LONGEST or told_bytes > MOST_TOLD:
                raise BadTar(_too_much(header.size, told_bytes))
            member = TarEntry(stream, header, {})
            told |= _told(header.type, member.read())
        else:
            member, told = TarEntry(stream, header, told), {}
            yield member
        member.skip()


def _header(stream: Any, seen: int) -> tarfile.TarInfo | None:
    """The next header, as a TarInfo; None at the end, which nothing need mark behind the first one."""
    block = b""
    while len(block) < BLOCK and (part := stream.read(BLOCK - len(block))):
        block += part
    if seen and not block:
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # typeshed has none
        return None
    except tarfile.HeaderError as error:
        raise BadTar(str(error)) from None
    if header.size < 0:
        raise BadTar(f"wanted a size of 0 or more for a member, got {header.size}")
    return header


def _too_much(size: int, told: int) -> str:
    if size > LONGEST:
        return f"wanted at most {LONGEST} bytes about a member, got {size}"
    return f"wanted at most {MOST_TOLD} bytes about all members, got {told}"


def _told(kind: bytes, content: bytearray) -> dict[str, Any]:
    """What is told of a member, {"path": str, "size": int} or less; BadTar where it is damaged, or sparse."""
    if kind in LONG_NAMES:
        return {"path": _text(content)} if kind == tarfile.GNUTYPE_LONGNAME else {}
    found: dict[str, Any] = {}
    place, end = 0, len(content)
    while place < end:
        record = RECORD.match(content, place)
        length = int(record[1]) if record else 0
        if not record or not record.end() < place + length <= end:
            raise BadTar("wanted whole records about a member, got a damaged one")
        key, value = record[2], content[record.end() : place + length - 1]
        if key.startswith(SPARSE):
            raise BadTar("wanted plain members, got a sparse one")
        if key == b"path":
            found["path"] = _text(value)
        elif key == b"size":
            if not re.fullmatch(rb"[0-9]{1,18}", value):
                raise BadTar(f"wanted a size of 0 or more for a member, got {bytes(value[:40])!r}")
            found["size"] = int(value)
        place += length
    return found


def _text(name: bytes | bytearray) -> str:
    return bytes(name).partition(b"\0")[0].decode("utf-8", "surrogateescape").rstrip("/")
