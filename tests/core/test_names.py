"""Names that every terminal and log can show."""

import os
import unicodedata

import pytest

from cynet.core.names import SPELLED, few, harmless, printable, unused


@pytest.mark.parametrize(("name", "shown"), [
    ("café and 猫", "café and 猫"), (b"caf\xe9", "caf\\xe9"), (b"\xff\xfe", "\\xff\\xfe"),
    ("two\nlines\t\x1b[31m", "two\\nlines\\t\\x1b[31m"), ("cafe\u0301", "café"), ("\u202egnp", "\\u202egnp"),
    ("\ud800", "\\ud800"), ("ﬁ²Å", "ﬁ²Å"), (" ", " "), ("a\\b", "a\\b"),
])  # fmt: skip
def test_what_cannot_be_shown_is_escaped(name, shown):
    found = printable(os.fsdecode(name) if isinstance(name, bytes) else name)
    assert found == shown and found.isprintable() and found.encode()


def test_a_few_of_many_names():
    assert few([]) == "" and few(["a", "b\n"]) == "a, b\\n"
    assert few(map(str, range(1007)), 2) == "0, 1 and 1,005 more"
    assert few("abcde") == "a, b, c, d, e" and few("abcdef") == "a, b, c, d, e and 1 more"


def test_every_byte_that_is_no_utf_8_is_two_digits():
    for byte in range(0x80, 0x100):
        assert printable(os.fsdecode(bytes([byte]))) == f"\\x{byte:02x}"
    for code in (0xDC7F, 0xDD00):  # lone surrogates that stand for no byte
        assert printable(chr(code)) == f"\\u{code:04x}"


def test_an_encoding_that_lacks_letters_gets_them_spelled():
    name = "a\u00e9\u732b\x1b" + os.fsdecode(b"\xe9")
    assert name.encode("ascii", SPELLED) == b"a\\xe9\\u732b\x1b\\xe9"
    assert name.encode("latin-1", SPELLED) == b"a\xe9\\u732b\x1b\\xe9"
    assert name.encode("utf-8", SPELLED) == "a\u00e9\u732b\x1b\\xe9".encode()
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", SPELLED)


def test_a_name_that_nothing_has(tmp_path):
    path = tmp_path / "a.b.txt"
    assert unused(path) == path
    path.touch()
    assert unused(path) == tmp_path / "a.b-2.txt"
    (tmp_path / "a.b-2.txt").symlink_to("nowhere")
    assert unused(path) == tmp_path / "a.b-3.txt"
    assert unused(path, lambda each: False) == path


def test_every_letter_that_would_steer_a_terminal_is_escaped_and_no_other():
    for code in (*range(0xD800), *range(0xE000, 0x10000), 0x1F600, 0xE0001):
        letter = chr(code)
        steers = unicodedata.category(letter) == "Cc" and letter not in "\t\n"
        steers |= unicodedata.bidirectional(letter) in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )
        steers |= code in (0x61C, 0x200E, 0x200F, 0x2028, 0x2029)  # marks of direction; separators
        found = harmless(f"a{letter}b")
        assert (found != f"a{letter}b") == steers, hex(code)
        assert not steers or (found.isprintable() and found[1] == "\\"), hex(code)
    assert harmless("\x1b[2Ja\tb\nc\x9b\u202e") == "\\x1b[2Ja\tb\nc\\x9b\\u202e"
