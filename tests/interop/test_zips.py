"""Zip archives: what Python's own library writes is read, and no number in one is followed unchecked."""

import io
import tracemalloc
import warnings
import zipfile
import zlib

import numpy as np
import pytest

from cynet.interop import kinds, zips
from cynet.interop.zips import ZipDirectory

BYTES = b"\xff bytes"
CONTENT = np.random.default_rng(0).integers(0, 4, 3 * zips.CHUNK + 5, np.uint8).tobytes()


def opened(data):
    return ZipDirectory(io.BytesIO(data))


def read(data):
    return opened(data).read("a", 1 << 24)


def refused(data):
    with pytest.raises(ValueError) as caught:
        read(data)
    return str(caught.value)


def written(entries, method=zipfile.ZIP_STORED, remark=b"", large=False):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in entries.items():
            with archive.open(name, "w", force_zip64=large) as file:
                file.write(content)
        archive.comment = remark
    return whole.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("options", [{}, {"remark": b"r" * 65535}, {"large": True}])
def test_archives_of_pythons_library(method, options):
    entries = {"a": CONTENT, "none": b"", "f/é 😀": b"x", "one": b"1" * zips.CHUNK}
    archive = opened(written(entries, method, **options))
    assert [*archive.entries] == [*entries]
    assert {name: archive.read(name, len(content)) for name, content in entries.items()} == entries
    with pytest.raises(KeyError):
        archive.read("b", 1)
    with pytest.raises(ValueError, match=r"^a: wanted at most 786,436 bytes, got 786,437$"):
        archive.read("a", len(CONTENT) - 1)


def test_an_archive_of_nothing():
    assert opened(written({})).entries == {}


def entry(
    name=b"a", size=None, packed=None, place=0, content=BYTES, extra=b"", flags=0, method=0, check=None
):
    """A directory's entry, put together by hand."""
    size, packed = (len(content) if number is None else number for number in (size, packed))
    check = zlib.crc32(content) if check is None else check
    numbers = 20, 20, flags, method, 0, 0, check, packed, size, 1, len(extra), 0, 0, 0, 0, place
    return zips.ENTRY.pack(zips.ENTRY_MARK, *numbers) + b"a" + extra


def archive(*entries, content=BYTES, count=None, length=None, place=None, end=b""):
    """An archive of one local entry, "a", and a directory of some."""
    local = zips.LOCAL.pack(zips.LOCAL_MARK, 20, 0, 0, 0, 0, 0, 0, 0, 1, 2) + b"a" + b"xx" + content
    directory = b"".join(entries or [entry(content=content)])
    count, length, place = (
        given if given is not None else own
        for given, own in ((count, len(entries) or 1), (length, len(directory)), (place, len(local)))
    )
    last = zips.END.pack(zips.END_MARK, 0, 0, min(count, 65535), min(count, 65535), length, place, 0)
    return local + directory + end + last


def test_the_archive_by_hand_is_a_sound_one():
    assert read(archive()) == BYTES
    with zipfile.ZipFile(io.BytesIO(archive())) as other:
        assert other.read("a") == BYTES


@pytest.mark.parametrize("which", range(8))
def test_numbers_of_64_bits_stand_in_the_extra_field(which):
    """Those of them that an entry has none of, in this order: size, packed size, place."""
    size, packed, place = ((zips.SHORT, n) if which >> i & 1 else (n, None) for i, n in enumerate((7, 7, 0)))
    numbers = b"".join(n.to_bytes(8, "little") for _, n in (size, packed, place) if n is not None)
    field = zips.EXTRA.pack(9, 3) + b"abc" + zips.EXTRA.pack(zips.LARGE, len(numbers)) + numbers
    made = entry(size=size[0], packed=packed[0], place=place[0], extra=field)
    assert read(archive(made)) == BYTES
    if which:
        damaged = entry(size=size[0], packed=packed[0], place=place[0], extra=field[:-1])
        assert refused(archive(damaged)) == "wanted numbers of 64 bits in an entry: damaged"


def large_end(place, count, length):
    record = zips.END64.pack(zips.END64_MARK, 44, 45, 45, 0, 0, count, count, length, place)
    return record + zips.PLACE64.pack(zips.PLACE64_MARK, 0, place + length, 1)


def test_a_directory_may_be_told_in_64_bits():
    sound = archive()
    place, length = sound.index(zips.ENTRY_MARK), len(entry())
    whole = archive(end=large_end(place, 1, length), count=65535, length=zips.SHORT, place=zips.SHORT)
    assert read(whole) == BYTES
    assert refused(whole.replace(zips.END64_MARK, b"PK\0\0")) == (
        "wanted a record of large numbers before its end: damaged"
    )
    for odd in (
        large_end(place, 1, length + 200),
        large_end(2**63, 1, 2**63 - 1),
        large_end(place, 3, length),
    ):
        assert "damaged" in refused(archive(end=odd))


@pytest.mark.parametrize(("made", "problem"), [
    ({"count": 2}, "wanted a directory that lies in the file: damaged, or cut short"),
    ({"length": 46}, "wanted an entry that lies in the directory: damaged"),
    ({"place": 0}, "wanted another entry in the directory: damaged"),
    ({"place": 2**32 - 1}, "wanted a directory that lies in the file: damaged, or cut short"),
    ({"length": 2**32 - 1}, "wanted a directory that lies in the file: damaged, or cut short"),
])  # fmt: skip
def test_a_directory_lies_in_the_file(made, problem):
    assert refused(archive(**made)) == problem


@pytest.mark.parametrize(("made", "problem"), [
    ({"flags": 1}, "a: wanted it stored or deflated, and not encrypted"),
    ({"method": 12}, "a: wanted it stored or deflated, and not encrypted"),
    ({"size": 6}, "a: wanted 6 bytes, got damaged ones: it goes on"),
    ({"size": 8}, "a: wanted 8 bytes, got 7: damaged"), ({"packed": 6}, "a: wanted 7 bytes, got 6: damaged"),
    ({"place": 1}, "a: wanted 7 bytes, got damaged ones: no entry begins there"),
    ({"place": 2**32 - 2}, "a: wanted 7 bytes, got damaged ones: no entry begins there"),
    ({"packed": 8}, "a: wanted 7 bytes, got damaged ones: it does not end before the directory"),
    ({"packed": 2**32 - 2}, "a: wanted 7 bytes, got damaged ones: it does not end before the directory"),
    ({"check": 1}, "a: its bytes differ from their CRC-32: the file is damaged"),
    ({"method": 8}, "a: wanted 7 bytes, got damaged ones: Error -3 while decompressing data: "),
])  # fmt: skip
def test_an_entry_is_what_the_directory_says(made, problem):
    assert refused(archive(entry(**made))).startswith(problem)


def test_a_file_may_be_without_checks():
    """As PyTorch writes it where it is told to (torch.serialization.set_crc32_options)."""
    assert read(archive(entry(check=0))) == BYTES


def test_a_name_stands_once_in_a_directory():
    assert refused(archive(entry(), entry())) == "a: wanted one entry of this name, got two"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as made:
            made.writestr("\x1b", b"")
            made.writestr("\x1b", b"")
    assert refused(whole.getvalue()) == "\\x1b: wanted one entry of this name, got two"


@pytest.mark.parametrize("size", [0, 1, 21, 22, 100, 70_000])
def test_what_has_no_directory_is_no_archive(size):
    wanted = "wanted the directory of a zip archive at its end: damaged, or cut short"
    assert refused(b"PK\3\4".ljust(size, b"P")[:size]) == wanted
    assert refused(written({"a": bytes(size)})[:-1]) == wanted


def test_entries_are_counted_before_they_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(zips, "MOST_ENTRIES", 3)
    assert len(opened(written(dict.fromkeys("abc", b""))).entries) == 3
    many = written(dict.fromkeys("abcd", b""))
    assert refused(many) == "wanted at most 3 entries, got 4"
    (tmp_path / "x.zip").write_bytes(many)
    assert kinds.kind_of(tmp_path / "x.zip") == "a zip archive"


def test_what_an_entry_unpacks_to_takes_the_room_that_it_is_given():
    bomb = zlib.compress(bytes(1 << 24), 9, -zlib.MAX_WBITS)
    whole = archive(entry(content=bomb, size=100, method=8, check=0), content=bomb)
    tracemalloc.start()
    assert refused(whole) == "a: wanted 100 bytes, got damaged ones: it goes on"
    assert tracemalloc.get_traced_memory()[1] < 4 * zips.CHUNK
    tracemalloc.stop()


def test_what_an_entry_claims_to_have_takes_no_room():
    made = archive(entry(size=1 << 23, packed=1 << 23))
    tracemalloc.start()
    assert "it does not end before the directory" in refused(made)
    assert tracemalloc.get_traced_memory()[1] < 4 * zips.CHUNK
    tracemalloc.stop()
