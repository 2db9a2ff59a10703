"""What is asked of a server and made of its answers, without one: headers, ranges, sizes, words."""

import os
import stat
from pathlib import Path

import pytest

from cynet.data.sets import download, sources

CONTENT = b"0123456789" * 10
FILE = sources.File("a b.bin", "http://x", len(CONTENT), "9e1e9e0ed9b1ae2b6d9ef4fd1bc1e9d2")


class Answer:
    """What a server sends."""

    def __init__(self, content=CONTENT, status=200, **headers):
        self.content, self.status = content, status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, size):
        part, self.content = self.content[:size], self.content[size:]
        return part


@pytest.fixture
def asked(monkeypatch):
    """The headers that were sent; `answers` are given one after another."""

    class Opener:
        answers, headers = (), ()

        def open(self, request, timeout):
            Opener.headers = [*Opener.headers, request.headers]
            first, *Opener.answers = Opener.answers
            return first

    monkeypatch.setattr(download.urllib.request, "build_opener", Opener)
    monkeypatch.setattr(download, "problem", lambda file, path: (
        None if Path(path).read_bytes() == CONTENT else "wanted another"
    ))  # fmt: skip
    return Opener


def test_bytes_are_asked_for_as_they_are(asked, tmp_path):
    asked.answers = [Answer()]
    download.fetch_file(FILE, tmp_path, "http://x/a")
    assert asked.headers == [{"User-agent": "cynet", "Accept-encoding": "identity"}]


@pytest.mark.parametrize("told", ["bytes 40-99/100", "bytes 40-99/*"])
def test_a_range_may_leave_the_whole_size_open(asked, tmp_path, told):
    (tmp_path / "a b.bin.part").write_bytes(CONTENT[:40])
    asked.answers = [Answer(CONTENT[40:], 206, Content_Range=told, Content_Length="60")]
    assert download.fetch_file(FILE, tmp_path, "http://x/a").read_bytes() == CONTENT
    assert asked.headers[0]["Range"] == "bytes=40-"


@pytest.mark.parametrize("told", ["bytes 40-100/*", "bytes 41-99/100", "bytes 40-99/101", ""])
def test_another_range_is_not_appended(asked, tmp_path, told):
    (tmp_path / "a b.bin.part").write_bytes(CONTENT[:40])
    asked.answers = [Answer(CONTENT[40:], 206, Content_Range=told), Answer()]
    assert download.fetch_file(FILE, tmp_path, "http://x/a").read_bytes() == CONTENT
    assert len(asked.headers) == 2 and "Range" not in asked.headers[1]


def pieces(first, last):
    """Answers of one byte each to what is asked for from there on."""
    ranges = [f"bytes {i}-99/100" if i else "" for i in range(100)]
    return [
        Answer(CONTENT[i : i + 1], 206 if i else 200, Content_Range=ranges[i]) for i in range(first, last)
    ]


def test_a_connection_may_be_cut_a_hundred_times_while_it_goes_on(asked, tmp_path):
    asked.answers = pieces(0, 100)
    assert download.fetch_file(FILE, tmp_path, "http://x/a").read_bytes() == CONTENT
    assert [each.get("Range") for each in asked.headers[1:]] == [f"bytes={i}-" for i in range(1, 100)]


def test_a_connection_that_is_cut_without_a_byte_more_is_given_up_at_once(asked, tmp_path):
    asked.answers = [*pieces(0, 3), Answer(b"", 206, Content_Range="bytes 3-99/100"), *pieces(3, 100)]
    with pytest.raises(OSError, match=r"cannot be fetched \(the connection was cut\)"):
        download.fetch_file(FILE, tmp_path, "http://x/a")
    assert (tmp_path / "a b.bin.part").read_bytes() == CONTENT[:3] and len(asked.headers) == 4


def test_a_file_of_another_size_is_told_with_both(asked, tmp_path):
    asked.answers = [Answer(Content_Length="99")]
    with pytest.raises(ValueError, match="x/a: wanted a file of 100 bytes, the server has 99; nothing was"):
        download.fetch_file(FILE, tmp_path, "http://x/a")
    with open(tmp_path / "part", "ab", buffering=0) as stream:
        stream.write(CONTENT[:40])
        asked.answers = [Answer(b"", 206, Content_Range="bytes 40-99/100", Content_Length="70")]
        with pytest.raises(download._Unusable, match=r"wanted a file of 100 bytes, the server has 110$"):
            download._receive(stream, FILE, "http://x/a", download.ProgressBar("", 100))


@pytest.mark.parametrize("length", ["", "many", "-1", "1e2"])
def test_a_length_that_is_no_number_is_passed_over(asked, tmp_path, length):
    asked.answers = [Answer(Content_Length=length)]
    assert download.fetch_file(FILE, tmp_path, "http://x/a").read_bytes() == CONTENT


def test_what_a_disk_takes_piece_by_piece_is_written_whole():
    taken = []

    class Slow:
        def write(self, part):
            taken.append(bytes(part[:3]))
            return len(taken[-1])

    download._write(Slow(), CONTENT)
    assert b"".join(taken) == CONTENT and len(taken) == 34


def test_space_is_wanted_for_what_is_missing_alone(asked, tmp_path, monkeypatch):
    (tmp_path / "a b.bin.part").write_bytes(CONTENT[:40])
    asked.answers = [Answer(CONTENT[40:], 206, Content_Range="bytes 40-99/100")]
    free = [59]
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free[0]}))
    with pytest.raises(OSError, match="wanted 60 bytes of disk space, 59 are free"):
        download.fetch_file(FILE, tmp_path, "http://x/a")
    free[0] = 60
    assert download.fetch_file(FILE, tmp_path, "http://x/a").read_bytes() == CONTENT


def test_a_file_is_on_the_disk_before_its_name(asked, tmp_path, monkeypatch):
    done, sync, move = [], os.fsync, os.replace

    def synced(number):
        done.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        sync(number)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *places: done.append("name") or move(*places))
    asked.answers = [Answer()]
    download.fetch_file(FILE, tmp_path, "http://x/a")
    assert done == ["file", "name", "folder"]


def test_the_command_by_hand_can_be_pasted(asked, tmp_path):
    asked.answers = [Answer(b"")]
    with pytest.raises(OSError) as caught:
        download.fetch_file(FILE, tmp_path, "http://x/a?b=1&c=2")
    assert str(caught.value) == (
        "http://x/a?b=1&c=2: cannot be fetched (the connection was cut); the file is expected at "
        f"{tmp_path}/a b.bin; by hand: curl -L -o '{tmp_path}/a b.bin' 'http://x/a?b=1&c=2'"
    )


def test_a_reason_of_no_words_is_told_so():
    assert "http://x: cannot be fetched (no answer); " in download._by_hand("http://x", Path("a"), " \n")
    assert "http://x: cannot be fetched (a b); " in download._by_hand("http://x", Path("a"), " a\n b")


def test_a_part_that_is_too_long_is_begun_anew_at_once(asked, tmp_path):
    (tmp_path / "a b.bin.part").write_bytes(CONTENT + b"x")
    asked.answers = [Answer()]
    assert download.fetch_file(FILE, tmp_path, "http://x/a").read_bytes() == CONTENT
    assert len(asked.headers) == 1 and "Range" not in asked.headers[0]


@pytest.mark.parametrize(("mirror", "told", "address"), [
    (None, None, "http://x/a b.bin"), (None, "http://m/", "http://m/one/a b.bin"),
    ("", "http://m", "http://x/a b.bin"), ("http://n", "http://m", "http://n/one/a b.bin"),
])  # fmt: skip
def test_an_empty_mirror_is_the_authors_address(tmp_path, monkeypatch, mirror, told, address):
    monkeypatch.delenv("CYNET_MIRROR", raising=False)
    if told:
        monkeypatch.setenv("CYNET_MIRROR", told)
    monkeypatch.setattr(download, "fetch_file", lambda *given: given)
    for all_files in (False, True):  # else the first one alone is fetched
        published = sources.Published((FILE, FILE), "here", all_files, (), ())
        monkeypatch.setitem(sources.PUBLISHED, "one", published)
        wanted = [(FILE, tmp_path / "here", address)] * (1 + all_files)
        assert download.fetch("one", tmp_path, mirror) == wanted


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is always full")
def test_a_disk_that_is_full_meanwhile_is_told_as_such(asked, tmp_path):
    part = tmp_path / "a b.bin.part"
    part.symlink_to("/dev/full")
    asked.answers = [Answer(), Answer()]
    with pytest.raises(OSError) as caught:
        download.fetch_file(FILE, tmp_path, "http://x/a")
    assert str(caught.value) == f"cannot write {part}: No space left on device"
    assert len(asked.headers) == 1 and not list(tmp_path.iterdir())
