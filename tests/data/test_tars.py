"""Archives by an own walk: as tarfile reads them, and no header decides how much memory or time is taken."""

import gzip
import io
import re
import tarfile
import tracemalloc

import pytest
from damages import COUNT, bounded, damaged_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.data import CIFAR10
from cynet.data.sets import tars
from cynet.data.sets.tars import BadTar, members

NAME = "cifar-10-batches-bin/test_batch.bin"
SPARSE = "wanted plain members, got a sparse one"


def header(name="a", size=0, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT)


def told(content, kind=tarfile.XHDTYPE):
    return header("told", len(content), kind) + content + bytes(-len(content) % tars.BLOCK)


def record(key, value):
    rest = f" {key}={value}\n".encode()
    length = next(n for n in range(len(rest), len(rest) + 9) if len(rest) + len(str(n)) == n)
    return str(length).encode() + rest


def sparse(extended):
    """A header of GNU's sparse members; extended: another block of places follows."""
    block = bytearray(header("s", 0, tarfile.GNUTYPE_SPARSE))
    block[257:265] = b"ustar  \0"
    for i in range(386, 482, 12):
        block[i : i + 12] = b"00000000001\0"
    block[482:495] = bytes([extended]) + b"00000000001\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def archive(form, names=("a", "b/c", "d" * 150, "ü/é", NAME)):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as file:
        for i, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 300 * i
            file.addfile(info, io.BytesIO(bytes([i]) * info.size))
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("other")
            info.type, info.linkname = kind, "a" * 120
            file.addfile(info)
    return whole.getvalue()


def read(content):
    return [(member.name, member.regular, bytes(member.read())) for member in members(io.BytesIO(content))]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_as_tarfile_reads_them(form):
    content = archive(form)
    with tarfile.open(fileobj=io.BytesIO(content)) as file:
        wanted = [(m.name, m.isreg(), file.extractfile(m).read() if m.isreg() else b"") for m in file]
    assert read(content) == wanted
    assert [m.name for m in members(io.BytesIO(content))] == [name for name, _, _ in wanted], "not read"
    assert read(content.rstrip(b"\0") + bytes(-len(content.rstrip(b"\0")) % 512)) == wanted, "no end mark"


@pytest.mark.parametrize("content, problem", [
    (sparse(True), SPARSE),
    (sparse(True) + b"00000000001\0" * 42, SPARSE),
    (sparse(False), SPARSE),
    (told(record("GNU.sparse.major", 1) + record("GNU.sparse.minor", 0)) + header(), SPARSE),
    (told(record("GNU.sparse.map", "1,2,3")) + header(), SPARSE),
    (told(record("GNU.sparse.offset", "x"), tarfile.XGLTYPE) + header(), SPARSE),
    (told(b"nonsense") + header(), "wanted whole records about a member"),
    (told(b"999999 a=b\n") + header(), "wanted whole records about a member"),
    (told(b"4 a=b\n") + header(), "wanted whole records about a member"),
    (told(b"0 a=b\n") + header(), "wanted whole records about a member"),
    (told(b"7 path=") + header(), "wanted whole records about a member"),
    (told(b"7 a=bc\n7 a=b\n") + header(), "wanted whole records about a member"),
    (told(record("size", "-1")) + header(), "wanted a size of 0 or more for a member, got b'-1'"),
    (told(record("size", "9" * 30)) + header(), "wanted a size of 0 or more"),
    (told(record("GNU.sparse.major", 1), tarfile.SOLARIS_XHDTYPE) + header(), SPARSE),
    (told(record("size", 2**40)) + header(NAME), r"batch.bin: wanted at most \d+ bytes, got 1099511627776"),
    (header("a", 1000) + bytes(999), "1 bytes of a member are missing"),
    (header("a", 1000) + bytes(1000), "24 bytes of a member are missing"),
    (header()[:300], "truncated header"),
    (header() + b"x" * 512, "invalid header"),
    (b"", "empty header"),
])  # fmt: skip
def test_what_is_refused_is_so_in_one_sentence_that_names_the_file(tmp_path, content, problem):
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}.*{problem}") as caught:
        CIFAR10(path, "test")
    assert "\n" not in str(caught.value)


def test_members_and_what_is_told_of_them_are_bounded(monkeypatch):
    monkeypatch.setattr(tars, "MOST_MEMBERS", 5)
    monkeypatch.setattr(tars, "MOST_TOLD", 40)
    monkeypatch.setattr(tars, "LONGEST", 25)
    assert len(read(header() * 5)) == 5
    with pytest.raises(BadTar, match="wanted at most 5 members, got more"):
        read(header() * 6)
    name, records = b"n" * 20, record("comment", "x" * 5)
    assert len(read((told(name, tarfile.GNUTYPE_LONGNAME) + header()) * 2)) == 2
    with pytest.raises(BadTar, match="wanted at most 40 bytes about all members, got 60"):
        read(told(name, tarfile.GNUTYPE_LONGNAME) * 3)
    with pytest.raises(BadTar, match="wanted at most 40 bytes about all members"):
        read(told(records) * 3)
    with pytest.raises(BadTar, match="wanted at most 25 bytes about a member, got 26"):
        read(told(bytes(26)))


def test_what_is_told_in_several_headers_is_told_of_the_next_member_alone():
    long = "long" * 40
    content = told(record("size", 5)) + told(long.encode(), tarfile.GNUTYPE_LONGNAME) + header("a", 0)
    content += b"12345" + bytes(507) + header("b", 0)
    assert read(content) == [(long, True, b"12345"), ("b", True, b"")]
    folder = told(record("path", "d" * 150 + "/")) + header("d", 0, tarfile.DIRTYPE)
    assert read(folder) == [("d" * 150, False, b"")]


def test_the_bounds_themselves_are_kept(monkeypatch):
    with pytest.raises(BadTar, match="wanted at most 10,000 members, got more"):
        for _ in members(io.BytesIO(header() * 10_001)):
            pass
    longest = told(b"n" * (1 << 16), tarfile.GNUTYPE_LONGNAME)
    assert read(longest + header()) == [("n" * (1 << 16), True, b"")]
    with pytest.raises(BadTar, match=r"wanted at most 65536 bytes about a member, got 65537$"):
        read(told(b"n" * ((1 << 16) + 1), tarfile.GNUTYPE_LONGNAME) + header())
    assert len(read((longest + header()) * 16)) == 16
    with pytest.raises(BadTar, match=r"wanted at most 1048576 bytes about all members, got 1114112$"):
        read((longest + header()) * 17)
    negative = tarfile.TarInfo("a")
    negative.size = -1
    with pytest.raises(BadTar, match=r"wanted a size of 0 or more for a member, got -1$"):
        read(negative.tobuf(tarfile.GNU_FORMAT))


def test_nothing_is_kept_of_the_members_that_passed():
    content = (told(record("comment", "x" * 100)) + header("a", 512) + bytes(512)) * 4000
    stream = io.BytesIO(content)
    tracemalloc.start()
    try:
        assert sum(1 for _ in members(stream)) == 4000
        assert tracemalloc.get_traced_memory()[1] < 1 << 19, "bytes at most"
    finally:
        tracemalloc.stop()


@settings(max_examples=COUNT, deadline=None)
@given(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]).map(archive).flatmap(damaged_bytes))
def test_a_damaged_archive_is_read_or_refused_in_a_sentence(content):
    with bounded():
        try:
            read(content)
        except BadTar as error:
            assert str(error)


@pytest.mark.parametrize("size", [100_000 * (3 * 32 * 32 + 64) + 1, 100 << 30])
def test_a_file_larger_than_any_archive_is_refused_before_it_is_read(tmp_path, size):
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(gzip.compress(header()))
    with path.open("ab") as file:  # zeros behind a gzip stream are passed over one by one
        file.truncate(size)
    with bounded(), pytest.raises(ValueError, match=rf"tar.gz: wanted a file of .*, got {size:,}$"):
        CIFAR10(path, "test")
