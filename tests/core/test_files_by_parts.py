"""What stands around the writing of whole files: digests, modes, second names, remains, folders held open."""

import contextlib
import hashlib
import os
import sys

import pytest

from cynet.core import files, folder
from cynet.core.files import HeldPath, write_atomically


@contextlib.contextmanager
def mask(value):
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def names(path):
    return sorted(os.listdir(path))


def test_a_digest_of_a_file_that_has_at_most_so_many_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    wanted = hashlib.sha256(b"12345").hexdigest()
    assert files.digest_of(tmp_path / "x") == files.digest_of(tmp_path / "x", 5) == wanted
    for most in (4, 0):
        with pytest.raises(ValueError) as caught:
            files.digest_of(tmp_path / "x", most)
        assert str(caught.value) == f"{tmp_path / 'x'}: wanted a file of at most {most} bytes, got 5"
    os.truncate(tmp_path / "x", 2_000_000)
    with pytest.raises(ValueError, match="at most 1,000,000 bytes, got 2,000,000"):
        files.digest_of(tmp_path / "x", 1_000_000)


@pytest.mark.parametrize(("error", "said"), [
    (OSError(2, "No such file", "a.txt"), "a.txt: No such file"), (OSError("only a text"), "only a text"),
    (OSError(5, "a.txt is broken", "a.txt"), "a.txt is broken"), (ValueError("wanted x"), "wanted x"),
    (OSError(2, "gone", 7), "gone"),
])  # fmt: skip
def test_the_reason_of_an_error_has_its_file_once(error, said):
    assert files.reason(error) == said


def test_too_many_digits_are_told_in_words_of_our_own():
    with pytest.raises(ValueError) as caught:
        int("1" * 5000)
    most = f"{sys.get_int_max_str_digits():,}"
    assert files.worded(caught.value) == f"wanted numbers of at most {most} digits, got more"
    assert files.worded(ValueError("other words")) == "other words"


class BytesPath:
    def __fspath__(self):
        return b"a"

    def __repr__(self):
        return "BytesPath()"


def test_a_users_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.user_path("~/a~/b") == tmp_path / "a~/b" and files.user_path("a/~") == files.Path("a/~")
    for value in (b"a", BytesPath(), None, 3, ["a"]):
        with pytest.raises(TypeError) as caught:
            files.user_path(value)
        assert str(caught.value) == f"path: wanted a str or a Path, got {value!r}"
    for value in (b"a" * 1000, "\0" + "a" * 1000):
        with pytest.raises((TypeError, ValueError), match=r"got .{200,230}$"):
            files.user_path(value)
    with pytest.raises(ValueError) as caught:
        files.user_path("a\0b")
    assert str(caught.value) == r"path: wanted the name of a file or folder, got one with NUL: 'a\x00b'"


def test_a_new_file_has_the_mode_that_the_user_wants_of_new_files(tmp_path):
    for wanted in (0o022, 0o077, 0o002):
        with mask(wanted):
            write_atomically(tmp_path / "whole", b"1")
            (tmp_path / "more").unlink(missing_ok=True)
            folder.open_appending(tmp_path / "more").close()
        found = [(tmp_path / name).stat().st_mode & 0o777 for name in ("whole", "more")]
        assert found == [0o666 & ~wanted] * 2


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/file")
    write_atomically(tmp_path / "link", b"one")
    write_atomically(tmp_path / "link", b"two", previous="before")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "far/file").read_bytes() == b"two"
    assert (tmp_path / "far/before").read_bytes() == b"one"
    assert (names(tmp_path), names(tmp_path / "far")) == (["far", "link"], ["before", "file"])


def test_the_older_file_is_kept_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def no_links(*_, **__):
        raise OSError("no links here")

    write_atomically(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "link", no_links)
    write_atomically(tmp_path / "file", b"new", previous="before")
    assert ((tmp_path / "file").read_bytes(), (tmp_path / "before").read_bytes()) == (b"new", b"old")
    assert names(tmp_path) == ["before", "file"]


def test_an_older_file_that_has_its_second_name_already_leaves_nothing(tmp_path):
    write_atomically(tmp_path / "file", b"old")
    os.link(tmp_path / "file", tmp_path / "before")
    write_atomically(tmp_path / "file", b"new", previous="before")
    assert ((tmp_path / "file").read_bytes(), (tmp_path / "before").read_bytes()) == (b"new", b"old")
    assert names(tmp_path) == ["before", "file"]


@pytest.mark.parametrize("by", ["path", "descriptor"])
def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path, by):
    for name in (".last.ckpt.77.tmp", ".x.tmp", "x.tmp", ".x", ".tmp.x"):
        (tmp_path / name).touch()
    (tmp_path / ".folder.tmp").mkdir()
    (tmp_path / ".link.tmp").symlink_to("x.tmp")
    opened = os.open(tmp_path, os.O_RDONLY)
    files.remove_temporaries(tmp_path if by == "path" else opened)
    os.close(opened)
    assert names(tmp_path) == [".folder.tmp", ".tmp.x", ".x", "x.tmp"]


def test_a_file_that_is_refused_is_closed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    before = descriptors()
    for _ in range(3):
        with pytest.raises(OSError) as caught:
            files.open_regular(tmp_path / "pipe")
        assert str(caught.value) == f"[Errno 22] {tmp_path / 'pipe'}: wanted a regular file, got a pipe"
        with pytest.raises(OSError, match="wanted a regular file, got a device"):
            files.open_regular("/dev/null")
    assert descriptors() == before


def test_what_is_written_by_a_held_path_lies_in_the_folder_that_was_meant(tmp_path):
    (tmp_path / "run").mkdir()
    with folder.opened_own(tmp_path / "run") as opened:
        path = HeldPath.of(tmp_path / "run/file", opened)
        write_atomically(path, b"old")
        (tmp_path / "run").rename(tmp_path / "moved")
        (tmp_path / "run").mkdir()
        write_atomically(path, b"new", previous="before")
        with folder.open_appending(path) as file:
            file.write("er")
        assert files.read_regular(path, 9) == b"newer" and folder.own_target(path) == path
        assert folder.set_aside(path) == tmp_path / "run/file.damaged"
        os.mkfifo("pipe", dir_fd=opened)
        for call in (files.open_regular, folder.own_target):
            with pytest.raises(OSError, match=rf"{tmp_path}/run/pipe: wanted a regular file, got a pipe"):
                call(HeldPath.of(tmp_path / "run/pipe", opened))
        os.unlink("pipe", dir_fd=opened)
    assert names(tmp_path / "moved") == ["before", "file.damaged"] and not names(tmp_path / "run")


# -- folders -------------------------------------------------------------------------------------------------
def test_a_folder_is_made_where_there_is_none_and_closed_at_the_end(tmp_path):
    before = descriptors()
    for _ in range(2):
        with pytest.raises(KeyError), folder.opened_own(tmp_path / "run") as opened:
            assert folder.is_at(opened, tmp_path / "run") and not folder.is_at(opened, tmp_path)
            raise KeyError
    assert descriptors() == before
    (tmp_path / "within").symlink_to("run")
    with folder.opened_own(tmp_path / "within") as opened:
        assert folder.is_at(opened, tmp_path / "run") and not folder.is_at(opened, tmp_path / "within")


def test_what_is_no_folder_is_told(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    (top / "file").touch()
    os.mkfifo(top / "pipe")
    (top / "nowhere").symlink_to("none")
    (top / "out").symlink_to("..")
    for name, said in (("file", "a file"), ("pipe", "a pipe"), ("nowhere", "a link that leads nowhere")):
        with pytest.raises(OSError) as caught, folder.opened_own(top / name):
            pass
        assert str(caught.value) == f"[Errno 20] {top / name}: wanted a folder, got {said}"
    said = r"wanted a file in .*top, got a link that leaves it"
    with pytest.raises(OSError, match=said), folder.opened_own(top / "out"):
        pass
    with pytest.raises(FileNotFoundError), folder.opened_own(top / "none/deeper"):
        pass


def test_a_link_to_a_file_of_the_folder_around_is_one_of_that_folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "inner/link").symlink_to("../file")
    assert folder.own_file(tmp_path / "inner/link", tmp_path) == tmp_path / "inner/link"
    with pytest.raises(OSError, match="got a link that leaves it"):
        folder.own_file(tmp_path / "inner/link")


def test_what_is_set_aside_gets_a_name_that_nothing_has(tmp_path):
    found = []
    for content in "abc":
        (tmp_path / "last.ckpt").write_text(content)
        found.append(folder.set_aside(tmp_path / "last.ckpt").name)
    assert found == ["last.damaged.ckpt", "last.damaged-2.ckpt", "last.damaged-3.ckpt"]
    assert [(tmp_path / name).read_text() for name in found] == ["a", "b", "c"]
    (tmp_path / "log").write_text("d")
    assert folder.set_aside(tmp_path / "log", "old", stays=True) == tmp_path / "log.old"
    assert (tmp_path / "log").read_text() == (tmp_path / "log.old").read_text() == "d"
    assert folder.set_aside(tmp_path / "log", "old") == tmp_path / "log-2.old"
    assert "log" not in names(tmp_path)


def test_an_object_of_a_hundred_levels_and_no_more(tmp_path):
    for levels, whole in ((100, True), (101, False)):
        (tmp_path / "x.json").write_text('{"a": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}")
        if whole:
            assert list(folder.read_object(tmp_path / "x.json", 1000)) == ["a"]
        else:
            with pytest.raises(ValueError, match="wanted at most 100 levels of JSON, got more"):
                folder.read_object(tmp_path / "x.json", 1000)


def test_a_folder_that_is_held_open_is_flushed_after_the_rename(tmp_path, monkeypatch):
    said = []
    for call in ("fsync", "replace"):
        real = getattr(os, call)
        monkeypatch.setattr(
            os,
            call,
            lambda *given, real=real, call=call, **more: said.append((call, given)) or real(*given, **more),
        )
    with folder.opened_own(tmp_path / "run") as opened:
        write_atomically(HeldPath.of(tmp_path / "run/file", opened), b"new")
        (first, _), (rename, _), last = said
        assert (first, rename, last) == ("fsync", "replace", ("fsync", (opened,)))
    assert (tmp_path / "run/file").read_bytes() == b"new"


def test_a_link_to_a_folder_that_a_killed_process_left_is_removed_and_the_folder_stays(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / ".link.tmp").symlink_to("kept")
    files.remove_temporaries(tmp_path)
    assert names(tmp_path) == ["kept"]


def test_what_is_not_written_is_told_by_its_own_path(tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "link").symlink_to("away")
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "link/none/file", b"12")
    where = f"{tmp_path}/away/none/file"  # where the link leads
    assert caught.value.args[1] == f"cannot write {where} (2 bytes): No such file or directory"
    with folder.opened_own(tmp_path / "away") as opened:
        os.mkfifo("pipe", dir_fd=opened)
        with pytest.raises(OSError, match="cannot write") as caught:
            write_atomically(HeldPath.of(tmp_path / "link/pipe", opened), b"12")
    where, why = f"{tmp_path}/link/pipe", "there is something that is no regular file"
    assert caught.value.args == (22, f"cannot write {where} (2 bytes): {why}")


def test_a_large_file_is_read_in_one_piece_and_one_that_tells_no_size_in_many(monkeypatch, tmp_path):
    (tmp_path / "x").write_bytes(bytes(3 * files.CHUNK))
    read, sizes = files.open_regular, []

    class Counting:
        def __init__(self, path):
            self.file = read(path)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def fileno(self):
            return self.file.fileno()

        def read(self, size):
            sizes.append(size)
            return self.file.read(size)

    monkeypatch.setattr(files, "open_regular", Counting)
    assert len(files.read_regular(tmp_path / "x", 1 << 20)) == 3 * files.CHUNK and sizes == [
        3 * files.CHUNK + 1
    ]
    sizes.clear()
    assert files.read_regular("/proc/self/status", 1 << 20).startswith(b"Name:")
    assert sizes[0] == 1 and min(sizes[1:]) >= 1 << 16
