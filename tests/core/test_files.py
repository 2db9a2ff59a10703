"""Files are whole or not there."""

import errno
import os
import socket

import pytest

from cynet.core.files import read_regular, write_atomically


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    for text in (b"one", b"another"):
        write_atomically(tmp_path / "file", text)
        assert (tmp_path / "file").read_bytes() == text
    assert os.listdir(tmp_path) == ["file"]


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_atomically("~/file", b"one")
    assert (tmp_path / "file").read_bytes() == b"one"


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, place):
    write_atomically(tmp_path / "file", b"old")

    def full(*arguments, **folders):
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
    def interrupt(*arguments, **folders):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*nowhere"):
        write_atomically(tmp_path / "nowhere" / "file", b"")


def test_what_is_written_outlives_a_power_cut_at_any_moment(tmp_path, monkeypatch):
    # The bytes are on the disk before their name is; the older file always has a name; the folder comes last.
    path, said = tmp_path / "file", []

    def name(descriptor):
        return os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")) or "/"

    def watch(call, told):
        real = getattr(os, call)

        def watched(*arguments, **folders):
            said.append((call, *told(*arguments)))
            return real(*arguments, **folders)

        monkeypatch.setattr(os, call, watched)

    write_atomically(path, b"old")
    watch("fsync", lambda descriptor: (name(descriptor), os.fstat(descriptor).st_size))
    for call in ("link", "replace"):
        watch(call, lambda one, other: (os.path.basename(one), os.path.basename(other)))
    write_atomically(path, b"newer", previous="before")
    new, link = f".file.{os.getpid()}.tmp", f".before.{os.getpid()}.tmp"
    assert said[:-1] == [
        ("fsync", new, 5), ("link", "file", link), ("replace", link, "before"), ("replace", new, "file"),
    ]  # fmt: skip
    assert said[-1][:2] == ("fsync", tmp_path.name)
    assert (path.read_bytes(), (tmp_path / "before").read_bytes()) == (b"newer", b"old")


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device", "link to a pipe"])
def test_only_regular_files_are_read_and_nothing_is_waited_for(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "pipe")
        path = tmp_path / "pipe" if kind == "pipe" else path
        if kind != "pipe":
            path.symlink_to("pipe")
    with pytest.raises(OSError, match=rf"{path.name}: wanted a regular file|No such device"):
        read_regular(path, 100)


def test_a_file_is_read_up_to_its_limit(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert read_regular(tmp_path / "x", 5) == b"12345"
    with pytest.raises(ValueError, match=r"x: wanted a file of at most 4 bytes, got 5"):
        read_regular(tmp_path / "x", 4)
    assert read_regular("/proc/self/status", 1 << 20).startswith(b"Name:")
    with pytest.raises(ValueError, match=r"status: wanted a file of at most 10 bytes, got more"):
        read_regular("/proc/self/status", 10)
