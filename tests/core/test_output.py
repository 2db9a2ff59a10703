"""Where a file that somebody asked for can be written: said before the work for it is done."""

import os

import pytest

from cynet.core.output import check_output


def test_a_new_file_and_one_that_is_replaced_can_be_written(tmp_path):
    check_output(tmp_path / "new.json")
    (tmp_path / "old.json").write_text("old")
    check_output(str(tmp_path / "old.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "old"


def test_what_cannot_be_written_is_refused_with_its_path(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, f"wanted a file, {tmp_path} is a folder"),
        (tmp_path / "no" / "x", f"wanted a file in a folder that exists, got {tmp_path / 'no' / 'x'}"),
        (tmp_path / "pipe", f"wanted a file, {tmp_path / 'pipe'} is something else"),
    ):
        with pytest.raises(ValueError, match="wanted a file") as caught:
            check_output(path)
        assert str(caught.value) == words
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or path != tmp_path)
    with pytest.raises(ValueError, match="wanted a file in a folder that can be written, got"):
        check_output(tmp_path / "x")
