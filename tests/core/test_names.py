"""Names that every terminal and log can show."""

import os

import pytest

from cynet.core.names import few, printable


@pytest.mark.parametrize(("name", "shown"), [
    ("café and 猫", "café and 猫"), (b"caf\xe9", "caf\\xe9"), (b"\xff\xfe", "\\xff\\xfe"),
    ("two\nlines\t\x1b[31m", "two\\nlines\\t\\x1b[31m"), ("cafe\u0301", "café"), ("\u202egnp", "\\u202egnp"),
    ("\ud800", "\\ud800"), (" ", " "), ("a\\b", "a\\b"),
])  # fmt: skip
def test_what_cannot_be_shown_is_escaped(name, shown):
    found = printable(os.fsdecode(name) if isinstance(name, bytes) else name)
    assert found == shown and found.isprintable() and found.encode()


def test_a_few_of_many_names():
    assert few([]) == "" and few(["a", "b\n"]) == "a, b\\n"
    assert few(map(str, range(1007)), 2) == "0, 1 and 1,005 more"
