"""Zip archives of other tools: what is in them, and its bytes, within limits.

Design: what `zipfile` keeps of an entry is twenty times what the entry takes in the file. Here an entry is
five numbers, there are at most so many, and every number is compared with the file before it is followed. The
caller makes the room that an entry is unpacked into, so nobody else decides how large that is.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from struct import Struct
from typing import IO, NamedTuple

from cynet.core.names import printable

MOST_ENTRIES = 1 << 16
CHUNK = 1 << 18  # bytes
LONGEST_END = (1 << 16) + 22  # bytes: the end record, and a remark behind it
END, END_MARK = Struct("<4s4H2LH"), b"PK\5\6"
END64, END64_MARK = Struct("<4sQ2H2L4Q"), b"PK\6\6"  # where 32 bits are too few
PLACE64, PLACE64_MARK = Struct("<4sLQL"), b"PK\6\7"  # where that lies
ENTRY, ENTRY_MARK = Struct("<4s6H3L5H2L"), b"PK\1\2"
LOCAL, LOCAL_MARK = Struct("<4s5H3L2H"), b"PK\3\4"
EXTRA, LARGE = Struct("<2H"), 1  # a field of an entry, and which one holds numbers of 64 bits
SHORT = 0xFFFFFFFF  # in place of a number that has 64 bits
STORED, DEFLATED = 0, 8
ENCRYPTED = 1


class TooManyEntriesError(ValueError):
    """An archive of more entries than are read."""


class ZipEntry(NamedTuple):
    """What the directory says of an entry: its bytes in the file and unpacked, and where they lie."""

    method: int
    check: int  # CRC-32; 0 where the writer left it out
    packed: int
    size: int
    place: int


class ZipDirectory:
    """The entries of an archive.

    Parameters
    ----------
    file : binary file
        Open, and used as long as the entries are read.

    Attributes
    ----------
    size : int
        Bytes of the file.
    entries : dict of str to ZipEntry

    Raises
    ------
    ValueError
        When it is no archive, or a damaged one.
    TooManyEntriesError
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.size = file, file.seek(0, os.SEEK_END)
        count, length, self.start = self._end()
        if count > MOST_ENTRIES:
            raise TooManyEntriesError(f"wanted at most {MOST_ENTRIES:,} entries, got {count:,}")
        if count * ENTRY.size > length or self.start + length > self.size:
            raise ValueError("wanted a directory that lies in the file: damaged, or cut short")
        self.entries: dict[str, ZipEntry] = {}
        data, place = self._bytes(self.start, length), 0
        for _ in range(count):
            place = self._add(data, place)

    def _bytes(self, place: int, size: int) -> bytes:
        self.file.seek(place)
        return self.file.read(size)

    def _end(self) -> tuple[int, int, int]:
        """(entries, bytes of the directory, its place), as the end record has them."""
        before = max(0, self.size - LONGEST_END)
        tail = self._bytes(before, LONGEST_END)
        at = tail.rfind(END_MARK, 0, len(tail) - END.size + len(END_MARK))
        if at < 0:
            raise ValueError("wanted the directory of a zip archive at its end: damaged, or cut short")
        count, length, place = END.unpack_from(tail, at)[4:7]
        at += before - PLACE64.size
        if at >= 0 and (found := self._bytes(at, PLACE64.size)).startswith(PLACE64_MARK):
            record = self._bytes(min(PLACE64.unpack(found)[2], self.size), END64.size)
            if len(record) < END64.size or not record.startswith(END64_MARK):
                raise ValueError("wanted a record of large numbers before its end: damaged")
            count, length, place = END64.unpack(record)[7:]
        return count, length, place

    def _add(self, data: bytes, place: int) -> int:
        """Note the entry at a place of the directory; returns the next one's."""
        after = place + ENTRY.size
        if after > len(data) or not data.startswith(ENTRY_MARK, place):
            raise ValueError("wanted another entry in the directory: damaged")
        _, _, _, flags, method, _, _, check, packed, size, *rest = ENTRY.unpack_from(data, place)
        letters, extra, remark, _, _, _, at = rest
        end = after + letters + extra + remark
        if end > len(data):
            raise ValueError("wanted an entry that lies in the directory: damaged")
        name = data[after : after + letters].decode("utf-8", "backslashreplace")
        after += letters
        if SHORT in (packed, size, at):
            size, packed, at = _large(data[after : after + extra], size, packed, at)
        if flags & ENCRYPTED or method not in (STORED, DEFLATED):
            method = -1
        if name in self.entries:
            raise ValueError(f"{printable(name[:80])}: wanted one entry of this name, got two")
        self.entries[name] = ZipEntry(method, check, packed, size, at)
        return end

    def read(self, name: str, most: int) -> bytes:
        """The bytes of an entry that has at most `most` of them.

        Raises
        ------
        KeyError
            When there is none of that name.
        ValueError
            As `fill`, and when it is larger; nothing is read then.
        """
        size = self.entries[name].size
        if size > most:
            raise ValueError(f"{printable(name[:80])}: wanted at most {most:,} bytes, got {size:,}")
        return b"".join(self._checked(name))  # what comes, never what the directory claims

    def fill(self, name: str, room: memoryview) -> None:
        """Unpack an entry into bytes that are as many as it says to have.

        Raises
        ------
        ValueError
            Naming the entry, when it is damaged, or neither stored nor deflated.
        """
        filled = 0
        for part in self._checked(name):
            room[filled : filled + len(part)] = part
            filled += len(part)

    def _checked(self, name: str) -> Iterator[bytes]:
        """The bytes of an entry, a piece at a time; after the last one they are known to be the entry's."""
        entry, where = self.entries[name], printable(name[:80])
        if entry.method < 0:
            raise ValueError(f"{where}: wanted it stored or deflated, and not encrypted")
        come = check = 0
        try:
            for part in self._parts(entry):
                come, check = come + len(part), zlib.crc32(part, check)
                if come > entry.size:
                    raise ValueError("it goes on")
                yield part
        except (ValueError, zlib.error) as error:
            raise ValueError(f"{where}: wanted {entry.size:,} bytes, got damaged ones: {error}") from None
        if come < entry.size:
            raise ValueError(f"{where}: wanted {entry.size:,} bytes, got {come:,}: damaged")
        if entry.check not in (0, check):
            raise ValueError(f"{where}: its bytes differ from their CRC-32: the file is damaged")

    def _parts(self, entry: ZipEntry) -> Iterator[bytes]:
        """The bytes of an entry, a piece at a time."""
        local = self._bytes(min(entry.place, self.size), LOCAL.size)
        if len(local) < LOCAL.size or not local.startswith(LOCAL_MARK):
            raise ValueError("no entry begins there")
        start = entry.place + LOCAL.size + sum(LOCAL.unpack(local)[-2:])
        if start + entry.packed > self.start:
            raise ValueError("it does not end before the directory")
        self.file.seek(start)
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == DEFLATED else None
        left = entry.packed
        while left and (part := self.file.read(min(left, CHUNK))):
            left -= len(part)
            while unpacker and part:
                yield unpacker.decompress(part, CHUNK)
                part = unpacker.unconsumed_tail
            if not unpacker:
                yield part


def _large(extra: bytes, *numbers: int) -> Iterator[int]:
    """An entry's numbers, those of 64 bits taken from its extra field, where they stand in this order."""
    place = 0
    while place + EXTRA.size <= len(extra):
        kind, length = EXTRA.unpack_from(extra, place)
        place += EXTRA.size
        if kind == LARGE:
            break
        place += length
    for number in numbers:
        if number == SHORT:
            if place + 8 > len(extra):
                raise ValueError("wanted numbers of 64 bits in an entry: damaged")
            number, place = int.from_bytes(extra[place : place + 8], "little"), place + 8
        yield number
