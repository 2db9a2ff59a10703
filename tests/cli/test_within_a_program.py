"""Commands called within a program of one's own: its streams, signals and threads are as they were."""

import errno
import io
import sys
import threading

import pytest

from cynet import cli
from cynet._version import __version__
from cynet.cli import ending
from cynet.cli.parser import UsageError


def test_a_command_can_be_called_in_a_thread(capsys):
    found = []
    thread = threading.Thread(target=lambda: found.append(cli.main(["--version"])))
    thread.start()
    thread.join()
    assert found == [0] and capsys.readouterr().out == f"cynet {__version__}\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_program_without_a_stream_has_none_afterwards(monkeypatch, name):
    monkeypatch.setattr(sys, name, None)
    assert cli.main(["--version"]) == 0 and cli.main(["none_such"]) == 2
    assert getattr(sys, name) is None


def test_a_stream_shows_everything_within_a_command_and_refuses_again_afterwards(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    assert ending.guarded("cynet", lambda: print("caf\xe9")) == 0
    assert stream.errors == "strict" and stream.buffer.getvalue() == b"caf\\xe9\n"
    closed = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    assert ending.guarded("cynet", lambda: 3) == 3


def test_output_that_finds_no_room_at_the_end_is_a_failure(monkeypatch, capsys):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main(["--version"]) == 1
    assert capsys.readouterr().err == "cynet: error: No space left on device\n"


def test_an_error_of_several_lines_is_told_in_lines_and_moves_no_cursor(capsys):
    def refuse():
        raise UsageError("first\nsecond\x1b[2J\tx")

    assert ending.guarded("cynet train", refuse) == 2
    assert capsys.readouterr().err == "cynet train: error: first\nsecond\\x1b[2J\\tx\n"
