"""Commands that are printed: what a shell makes of them is what was meant."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cynet.core.shell import quoted, word

PATHS = [
    "plain/x-1.y", "my first run", "it's", 'say "so"', "$HOME", "a;b", "*", "~", "#x", "", "ümlaut 😀",
    "-flag", "line\nend", "tab\there", "back\\slash\n'", os.fsdecode(b"caf\xe9 one"),
]  # fmt: skip


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("text", PATHS)
def test_a_shell_reads_what_was_written(text, tmp_path):
    done = subprocess.run(
        ["bash", "-c", f"printf '%s' {quoted(Path(text))}{word(text)}"], capture_output=True, cwd=tmp_path
    )
    path = str(Path(text))
    path = f"./{path}" if path.startswith("-") else path
    assert done.stdout == os.fsencode(path + text)


def test_a_word_is_one_line_of_what_can_be_shown():
    assert all(word(text).isprintable() for text in PATHS)
    assert quoted("runs/a-1") == "runs/a-1" and quoted("my run") == "'my run'"
    assert word("-flag") == "-flag"


def test_bytes_that_a_shell_would_not_show_are_written_as_two_digits():
    assert word("\x1f \x7f~") == "$'\\x1f \\x7f~'" and word("\n'\\") == "$'\\x0a\\x27\\x5c'"
