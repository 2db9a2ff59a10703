"""Files of one folder: links that leave it, and what is no regular file."""

import os
import re
import socket

import pytest
from damages import bounded

from cynet.core.folder import (
    is_at,
    open_appending,
    open_changing,
    own_file,
    own_path,
    own_target,
    read_object,
    set_aside,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


LEAVING = ["../victim", "../nowhere", "/dev/null", "../run-2/x", "..", "sub/../../victim"]


@pytest.mark.parametrize("target", LEAVING)
def test_a_link_that_leaves_is_refused_with_its_end(folder, target):
    (folder / "file").symlink_to(target)
    end = re.escape(os.path.realpath(folder / "file"))
    said = rf"run/file: wanted a file in .*/run, got a link that leaves it, to {end}"
    for call in (own_path, own_file, open_appending, lambda path: read_object(path, 10)):
        with pytest.raises(OSError, match=said):
            call(folder / "file")
    assert (folder.parent / "victim").read_text() == "kept"
    assert not (folder.parent / "nowhere").exists()


def test_a_link_of_the_folder_around_a_file_is_refused_too(folder):
    (folder / "plots").symlink_to("..")
    with pytest.raises(OSError, match=r"plots/victim: wanted a file in .*/run, got a link that leaves it"):
        own_file(folder / "plots" / "victim", folder)


def test_links_within_hard_links_and_a_link_to_the_folder_itself_stay(folder):
    (folder / "file").write_text("1")
    (folder / "link").symlink_to("file")
    os.link(folder.parent / "victim", folder / "hard")
    (folder.parent / "latest").symlink_to("run")
    for name in ("file", "link", "hard", "none"):
        assert own_file(folder.parent / "latest" / name) == folder.parent / "latest" / name
    assert own_file(os.path.join(folder, "file")) == folder / "file"


def test_a_link_that_leads_nowhere_is_neither_read_nor_written(folder):
    for name, target in (("later", "not-yet"), ("itself", "itself")):
        (folder / name).symlink_to(target)
        said = f"run/{name}: wanted a regular file, got a link that leads nowhere, to {target}"
        for call in (own_file, own_target, open_appending, open_changing, lambda path: read_object(path, 10)):
            with pytest.raises(OSError, match=said):
                call(folder / name)
    assert sorted(os.listdir(folder)) == ["itself", "later"]


def test_what_is_written_is_no_link_within_either(folder):
    (folder / "file").write_text("kept")
    (folder / "link").symlink_to("file")
    (folder.parent / "latest").symlink_to("run")
    said = "run/link: wanted a file to write and no link, got a link, to file"
    for call in (own_target, open_appending, open_changing):
        with pytest.raises(OSError, match=said):
            call(folder / "link")
    for name in ("file", "none"):
        assert own_target(folder.parent / "latest" / name) == folder.parent / "latest" / name
    assert (folder / "file").read_text() == "kept"


def test_a_link_that_takes_the_place_between_look_and_opening_is_not_followed(folder, monkeypatch):
    (folder / "link").symlink_to("../victim")
    monkeypatch.setattr("cynet.core.folder.own_target", lambda path, folder: path)
    for call in (open_appending, open_changing):
        with pytest.raises(OSError, match="symbolic links"):
            call(folder / "link")


@pytest.mark.parametrize("call", [open_appending, open_changing])
def test_other_names_of_a_file_keep_what_it_was(folder, call):
    (folder / "file").write_text("kept")
    (folder / "file").chmod(0o640)
    os.link(folder / "file", folder.parent / "snapshot")
    with call(folder / "file") as file:
        assert is_at(file, folder / "file") and not is_at(file, folder.parent / "snapshot")
        file.seek(0)
        file.truncate()
    assert (folder.parent / "snapshot").read_text() == "kept" and not (folder / "file").read_text()
    assert (folder / "file").stat().st_mode & 0o777 == 0o640 and os.listdir(folder) == ["file"]


def test_what_is_no_regular_file_is_refused_and_not_waited_for(folder):
    os.mkfifo(folder / "pipe")
    (folder / "inner").mkdir()
    (folder / "link").symlink_to("pipe")
    for name, kind in (("pipe", "a pipe"), ("inner", "a folder"), ("link", "a pipe")):
        for call in (own_file, open_appending, lambda path: read_object(path, 10)):
            with bounded(), pytest.raises(OSError, match=f"{name}: wanted a regular file, got {kind}"):
                call(folder / name)


@pytest.mark.parametrize("call", [own_file, own_target, open_appending, open_changing])
def test_a_socket_is_told(folder, call):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))
        with pytest.raises(OSError, match=r"run/s: wanted a regular file, got a socket$"):
            call(folder / "s")


def test_a_pipe_that_takes_the_place_between_look_and_opening_is_not_waited_for(folder, monkeypatch):
    os.mkfifo(folder / "pipe")
    monkeypatch.setattr("cynet.core.folder.own_target", lambda path, folder: path)
    with bounded(), pytest.raises(OSError, match="No such device or address"):
        open_appending(folder / "pipe")
    reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    before = os.listdir("/proc/self/fd")
    with bounded(), pytest.raises(OSError, match="wanted a regular file, got a pipe"):
        open_appending(folder / "pipe")
    assert os.listdir("/proc/self/fd") == before, "it is closed"
    os.close(reader)


def test_lines_are_appended(folder):
    for text in ("one\n", "two\udce9\n"):
        with open_appending(folder / "log", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    assert (folder / "log").read_text() == "one\ntwo\\udce9\n"


def test_two_that_append_do_not_write_over_each_other(folder):
    with open_appending(folder / "log") as one, open_appending(folder / "log") as other:
        for file, text in ((one, "1\n"), (other, "2\n"), (one, "3\n")):
            file.write(text)
            file.flush()
    assert (folder / "log").read_text() == "1\n2\n3\n"


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("kind", ["file", "pipe", "folder", "link"])
def test_what_is_set_aside_stays_in_its_place_if_it_is_a_file_and_shall(folder, kind, stays):
    path = folder / "last.ckpt"
    make = {"file": path.touch, "pipe": lambda: os.mkfifo(path), "folder": path.mkdir,
            "link": lambda: path.symlink_to("nowhere")}  # fmt: skip
    make[kind]()
    (folder / "last.damaged.ckpt").touch()
    assert set_aside(path, stays=stays) == folder / "last.damaged-2.ckpt"
    assert os.path.lexists(folder / "last.damaged-2.ckpt")
    assert os.path.lexists(path) == (kind == "file" and stays)


@pytest.mark.parametrize(
    "text, said",
    [
        ("[1]", "wanted an object of JSON, got list"),
        ("{", "Expecting property name"),
        ('{"a": NaN}', "wanted finite numbers, got NaN"),
        ('{"a": -1e999}', "wanted finite numbers, got -1e999"),
        ('{"a": ' + "[" * 100_000, "wanted at most 100 levels of JSON, got more"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", "wanted at most 100 levels of JSON, got more"),
        ('{"a": ' + "1" * 5000 + "}", "wanted numbers of at most 4,300 digits, got more"),
        (b"\xff\xfe", "can't decode"),
        ("x" * 200_001, "wanted a file of at most 200,000 bytes, got 200,001"),
    ],
)
def test_json_that_is_none_is_named(folder, text, said):
    (folder / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with bounded(), pytest.raises(ValueError, match=f"x.json: .*{said}"):
        read_object(folder / "x.json", 200_000)


def test_a_sparse_file_of_100_gb_is_not_read(folder):
    os.truncate(os.open(folder / "x.json", os.O_CREAT | os.O_WRONLY), 100 * 10**9)
    with bounded(), pytest.raises(ValueError, match="at most 10 bytes, got 100,000,000,000"):
        read_object(folder / "x.json", 10)


def test_an_object_comes_back(folder):
    (folder / "x.json").write_text('\ufeff{"a": [1, 0.5, null, "\\udce9"]}')
    assert read_object(folder / "x.json", 100) == {"a": [1, 0.5, None, "\udce9"]}
