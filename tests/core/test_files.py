"""Files are whole or not there."""

import errno
import os

import pytest

from cynet.core.files import write_atomically


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    for text in (b"one", b"another"):
        write_atomically(tmp_path / "file", text)
        assert (tmp_path / "file").read_bytes() == text
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, place):
    write_atomically(tmp_path / "file", b"old")

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, place, full)
    with pytest.raises(OSError, match=r"cannot write .*file \(3 bytes\): No space left") as caught:
        write_atomically(tmp_path / "file", b"new")
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    for name, target in (("pipe", "pipe"), ("link", "pipe"), ("folder", "folder")):
        with pytest.raises(OSError, match=rf"cannot write .*{target} \(3 bytes\): there is something"):
            write_atomically(tmp_path / name, b"new")
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "folder").is_dir()
    assert sorted(os.listdir(tmp_path)) == ["folder", "link", "pipe"]


def test_an_interrupt_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*nowhere"):
        write_atomically(tmp_path / "nowhere" / "file", b"")
