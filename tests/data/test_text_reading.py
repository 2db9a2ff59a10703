"""Texts are read as UTF-8, whole and bounded; what is no text is refused in a sentence that says where."""

import os

import pytest
from damages import bounded, damaged_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.data.text import folded, read, reading

WHOLE = "The cat sat.\r\n\tOn the  mat — café 😀.\n".encode()


def written(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("content", "text"), [
    (b"abc", "abc"),
    ("\ufeffabc\ufeff".encode(), "abc\ufeff"),
    (b"a\r\nb\rc\n\r\n", "a\nb\nc\n\n"),
    ("a\u2028b\x85c\x0c\x1a".encode(), "a\u2028b\x85c\x0c\x1a"),
    ("e\u0301é😀".encode(), "e\u0301é😀"),
])  # fmt: skip
def test_a_text_is_as_written_but_for_its_mark_and_line_ends(tmp_path, content, text):
    assert read(written(tmp_path, content)) == text


@pytest.mark.parametrize(("content", "problem"), [
    (b"", "wanted text, got an empty file"),
    (b"\xef\xbb\xbf", "wanted text, got an empty file"),
    (b"ab\xffc", "wanted text in UTF-8, got 0xff at byte 2, in line 1$"),
    (b"a\nb\r\nc\rd\xe9", "got 0xe9 at byte 8, in line 4$"),
    (b"a\xed\xa0\x80", "got 0xed at byte 1,"),
    (b"caf\xc3", "got 0xc3 at byte 3,"),
    (b"\xef\xbb\xbfa\n\xc0\x80", "got 0xc0 at byte 5, in line 2$"),
    ("abc".encode("utf-16"), r"at byte 0, in line 1 \(it begins as UTF-16 does: save it as UTF-8\)$"),
    ("abc".encode("utf-32"), r"\(it begins as UTF-32 does: save it as UTF-8\)$"),
    ("abc".encode("utf-16-le"), r"got a NUL byte at byte 1, in line 1 \(is it UTF-16, or no text\?\)$"),
    (b"a\nb\0", "got a NUL byte at byte 3, in line 2"),
    (b"\x1f\x8b\x08\0", "got 0x8b at byte 1,"),
])  # fmt: skip
def test_what_is_no_text_is_refused_with_its_place(tmp_path, content, problem):
    with pytest.raises(ValueError, match=rf"a\.txt: .*{problem}"):
        read(written(tmp_path, content))


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    with open(path, "wb") as file:
        file.truncate(reading.MOST + 1)  # a hole: nothing is written
    with pytest.raises(ValueError, match="wanted a file of at most 268,435,456 bytes, got 268,435,457"):
        read(path)
    monkeypatch.setattr(reading, "MOST", 3)
    assert read(written(tmp_path, b"abc")) == "abc"


def test_folders_pipes_and_devices_are_never_opened_as_texts(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "folder"), (tmp_path / "pipe", "pipe"), ("/dev/zero", "device")):
        with bounded(), pytest.raises(OSError, match=f"wanted a regular file, got a {kind}"):
            read(path)


def test_a_file_that_is_not_there_and_what_is_no_path(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="gone"):
        read(tmp_path / "gone.txt")
    for path in (None, 3, b"a.txt", ["a.txt"]):
        with pytest.raises(TypeError, match="path: wanted a str or a Path"):
            read(path)
    with pytest.raises(TypeError, match="fold: wanted True or False, got 1"):
        read(written(tmp_path, b"abc"), fold=1)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read("~/a.txt") == "abc"


def test_a_name_that_cannot_be_shown_is_escaped(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.txt")
    with open(path, "wb"):
        pass
    with pytest.raises(ValueError, match=r"caf\\xe9\\n\.txt: wanted text, got an empty file"):
        read(path)


def test_white_space_is_folded_on_request(tmp_path):
    path = written(tmp_path, b"\n a\r\n\r\n\tb \xc2\xa0 c\n")
    assert read(path, fold=True) == " a b c " and read(path) == "\n a\n\n\tb \xa0 c\n"


@settings(max_examples=60, deadline=None)
@given(text=st.text("ab \n\t\u2003", max_size=40), chunk=st.integers(1, 9))
def test_folding_does_not_depend_on_how_much_is_looked_at(text, chunk):
    before, reading.CHUNK = reading.CHUNK, chunk
    try:
        found = folded(text)
    finally:
        reading.CHUNK = before
    words = " ".join(text.split())
    start, end = (" " if text[at].isspace() else "" for at in (0, -1)) if text else ("", "")
    assert found == (start + words + end if words else start)


@settings(max_examples=300, deadline=None)
@given(content=damaged_bytes(WHOLE))
def test_a_damaged_text_is_read_or_refused_by_name(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "damaged.txt"
    path.write_bytes(content)
    try:
        text = read(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: wanted text")
    else:
        assert text and "\0" not in text and "\r" not in text
        assert text.encode() == content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(
            b"\r", b"\n"
        )
