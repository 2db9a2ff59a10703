"""A run's folder that is moved, replaced or removed, and its lock, while a training holds it."""

import errno
import fcntl
import itertools
import os
import shutil
import subprocess
import sys

import pytest
from helpers import environment_of

from cynet.runs import checkpoint, hold
from cynet.train import RunFolder

SECOND = "import sys; from cynet.train import RunFolder; RunFolder.open(sys.argv[1]).lock()"


@pytest.fixture
def folder(tmp_path):
    """One that this process holds, with a configuration and a row in a table."""
    folder = RunFolder(tmp_path / "run")
    folder.write_config({"model": "x"})
    folder.lines = []
    folder.tell = folder.lines.append
    folder.lock()
    folder.steps.add("1,1,0.1,2.5,0,0.1")
    yield folder
    folder.close()


def second(path):
    """What another process is told that wants to train in a folder; '' where it may."""
    done = subprocess.run(
        [sys.executable, "-c", SECOND, path], capture_output=True, text=True, env=environment_of()
    )
    return done.stderr.strip().rpartition("\n")[2]


def test_no_second_one_gets_in_where_the_lock_was_removed(folder):
    said = f"{folder.path} is in use: "
    assert f"{said}process {os.getpid()} trains there" in second(folder.path)
    (folder.path / ".lock").unlink()
    assert hold.in_use(folder.path)
    assert f"{said}another process trains there" in second(folder.path)
    folder.follow()
    assert folder.lines == [f"note: {folder.path}/.lock was removed: it is there again"]
    assert f"{said}process {os.getpid()} trains there" in second(folder.path)
    folder.close()
    assert second(folder.path) == "" and not hold.in_use(folder.path)


def test_a_copy_made_of_hard_links_has_a_lock_of_its_own(tmp_path):
    folder = RunFolder(tmp_path / "run")
    (folder.path / ".lock").write_text("7")
    (tmp_path / "snapshot").mkdir()
    os.link(folder.path / ".lock", tmp_path / "snapshot" / ".lock")
    folder.lock()
    assert hold.in_use(folder.path) and not hold.in_use(tmp_path / "snapshot")
    assert (tmp_path / "snapshot" / ".lock").read_text() == "7"
    assert (folder.path / ".lock").read_text() == str(os.getpid())
    folder.follow()
    folder.close()
    assert not hold.in_use(folder.path)


def no_folders(function):
    """flock as a file system has it that locks files alone."""

    def flock(descriptor, how):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(9, "Bad file descriptor")
        return function(descriptor, how)

    return flock


def test_the_files_lock_is_enough_where_folders_cannot_be_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", no_folders(fcntl.flock))
    folder, other = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "run")
    folder.lock()
    assert hold.in_use(folder.path)
    with pytest.raises(BlockingIOError, match=f"in use: process {os.getpid()} trains there"):
        other.lock()
    (folder.path / ".lock").unlink()
    assert not hold.in_use(folder.path)
    other.lock()  # nothing hinders it
    with pytest.raises(BlockingIOError, match="in use"):
        folder.follow()
    other.close()
    folder.follow()
    folder.close()


def test_a_folder_that_was_moved_is_followed_and_what_took_its_place_left_alone(folder, tmp_path):
    place = tmp_path / "elsewhere" / "run"
    place.parent.mkdir()
    folder.path.rename(place)
    (tmp_path / "run").mkdir()
    assert folder.own("last.safetensors") == place / "last.safetensors"
    assert folder.lines == [f"note: {tmp_path / 'run'} was moved: the run goes on in {place}"]
    folder.write_environment({"host": "here"})
    folder.metrics.add("1,1,0.1,2,0,2,0,1")
    folder.steps.add("2,1,0.1,2.5,0,0.2")
    folder.sync()
    assert len((place / "steps.csv").read_text().splitlines()) == 3
    assert sorted(os.listdir(place)) == [".lock", "config.toml", "env.json", "metrics.csv", "steps.csv"]
    assert not os.listdir(tmp_path / "run")
    folder.follow()
    assert len(folder.lines) == 1


def moving(folder, monkeypatch, call, replaced):
    """Let the folder be moved to `moved` just before the next call of a function of the module os."""
    real, moved = getattr(os, call), folder.path.with_name("moved")

    def called(*arguments, **options):
        if not moved.exists():
            folder.path.rename(moved)
            if replaced:
                folder.path.mkdir()
                (folder.path / "last.ckpt").write_text("a stranger's")
        return real(*arguments, **options)

    monkeypatch.setattr(os, call, called)
    return moved


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("call", ["open", "fsync", "link", "replace"])
def test_a_folder_that_is_moved_during_a_save_gets_all_of_it(folder, monkeypatch, call, replaced):
    checkpoint.save(folder.own(checkpoint.NAME), {}, {"step": 1})
    place, path = folder.path, folder.own(checkpoint.NAME)
    moved = moving(folder, monkeypatch, call, replaced)
    checkpoint.save(path, {}, {"step": 2})
    assert moved.exists() and not any(each.name.endswith(".tmp") for each in moved.iterdir())
    steps = [checkpoint.load(moved / name)[1]["step"] for name in (checkpoint.NAME, checkpoint.PREVIOUS)]
    assert steps == [2, 1]
    if replaced:
        assert os.listdir(place) == ["last.ckpt"] and (place / "last.ckpt").read_text() == "a stranger's"
    else:
        assert not place.exists()
    folder.follow()
    assert folder.lines == [f"note: {place} was moved: the run goes on in {moved}"]


@pytest.mark.parametrize("replaced", [False, True])
def test_rows_and_the_lock_go_into_a_folder_that_is_moved_before_they_are_opened(
    folder, monkeypatch, replaced
):
    (folder.path / ".lock").unlink()
    place, moved = folder.path, moving(folder, monkeypatch, "open", replaced)
    folder.digests.add("1,a,00")  # the first row opens the table
    folder.sync()
    assert (moved / "digests.csv").read_text().splitlines()[1:] == ["1,a,00"]
    folder.follow()
    assert (moved / ".lock").read_text() == str(os.getpid())
    folder.digests.add("2,a,00")
    folder.close()
    assert (moved / "digests.csv").read_text().splitlines()[1:] == ["1,a,00", "2,a,00"]
    assert not place.exists() or os.listdir(place) == ["last.ckpt"]


def test_a_table_of_several_names_is_copied_in_the_folder_that_was_moved(folder, monkeypatch):
    folder.sync()
    os.link(folder.steps.path, folder.path.with_name("snapshot"))
    folder.follow()
    place, moved = folder.path, moving(folder, monkeypatch, "open", True)
    folder.steps.add("2,1,0.1,2.5,0,0.2")
    folder.sync()
    assert len((moved / "steps.csv").read_text().splitlines()) == 3
    assert len(place.with_name("snapshot").read_text().splitlines()) == 2
    assert os.listdir(place) == ["last.ckpt"]


def test_a_folder_that_is_moved_again_while_one_looks_for_it_is_found(folder, monkeypatch):
    real, moves = hold._place_of, iter(("one", "two", "three"))

    def place_of(descriptor):
        place = real(descriptor)
        for name in itertools.islice(moves, 1):
            place.rename(folder.path.with_name(name))
        return place

    folder.path.rename(folder.path.with_name("moved"))
    monkeypatch.setattr(hold, "_place_of", place_of)
    folder.follow()
    assert folder.path.name == "three"


def test_what_is_not_the_folders_own_is_refused_by_what_lies_in_the_open_folder(folder):
    place = folder.path.rename(folder.path.with_name("moved"))
    folder.path.mkdir()
    (place / "last.ckpt").symlink_to("config.toml")
    with pytest.raises(OSError, match=r"moved/last\.ckpt: wanted a file to write and no link, got a link"):
        folder.own("last.ckpt")
    (place / "last.ckpt").unlink()
    (place / "last.ckpt").mkdir()
    with pytest.raises(OSError, match=r"moved/last\.ckpt: wanted a regular file, got a folder"):
        folder.own("last.ckpt")


def test_a_folder_around_it_may_be_renamed(folder, tmp_path):
    tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-renamed"))
    try:
        folder.follow()
        assert folder.path == tmp_path.with_name(f"{tmp_path.name}-renamed") / "run"
    finally:
        tmp_path.with_name(f"{tmp_path.name}-renamed").rename(tmp_path)


@pytest.mark.parametrize("how", ["removed", "saved anew"])
def test_rows_go_to_the_table_that_is_there(folder, how):
    """As an editor or a spreadsheet saves: another file is renamed to its name."""
    table = folder.steps.path
    folder.sync()
    lines = table.read_text().splitlines()
    (table.with_name("new")).write_text("".join(f"{line}\n" for line in lines))
    table.with_name("new").replace(table) if how == "saved anew" else table.unlink()
    folder.follow()
    said = f"note: {table} was removed or replaced: further rows go to what is there"
    assert folder.lines == [said]
    folder.steps.add("2,1,0.1,2.5,0,0.2")
    folder.sync()
    folder.follow()
    kept = lines if how == "saved anew" else lines[:1]
    assert table.read_text().splitlines() == [*kept, "2,1,0.1,2.5,0,0.2"] and folder.lines == [said]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_was_removed_ends_the_run(folder, replaced):
    shutil.rmtree(folder.path)
    if replaced:
        folder.path.mkdir()
    said = "the run's folder was removed" + (", and what stands there now is another one" if replaced else "")
    for call in (folder.follow, lambda: folder.own("env.json"), lambda: folder.write_environment({})):
        with pytest.raises(hold.GoneError, match=f"{folder.path}: {said}: nothing more is written"):
            call()
    assert not replaced or not os.listdir(folder.path)


def test_one_named_as_the_system_names_what_is_removed_is_another_one(folder):
    folder.path.with_name("run (deleted)").mkdir()
    shutil.rmtree(folder.path)
    with pytest.raises(hold.GoneError):
        folder.follow()


def test_where_the_system_tells_no_place_the_run_ends(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(hold, "_place_of", lambda descriptor: None)
    folder.follow()
    folder.path.rename(tmp_path / "moved")
    with pytest.raises(hold.GoneError):
        folder.follow()


def test_a_disk_that_is_away_for_a_moment_is_no_folder_that_was_removed(folder, monkeypatch):
    def away(path):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(hold.os, "stat", away)
        with pytest.raises(OSError, match="Input/output error") as caught:
            folder.follow()
        assert not isinstance(caught.value, hold.GoneError)
    folder.follow()
    assert folder.lines == []


@pytest.mark.parametrize("name", [".lock", "config.toml", "log.txt", "last.safetensors", "steps.csv"])
def test_a_folder_with_a_link_that_leaves_or_a_pipe_is_not_trained_in(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "victim").write_text("kept")
    (folder.path / name).symlink_to("../victim")
    with pytest.raises(OSError, match=f"run/{name}: wanted a file in .*, got a link .* to .*/victim"):
        folder.lock()
    assert (tmp_path / "victim").read_text() == "kept" and not hold.in_use(folder.path)
    (folder.path / name).unlink()
    os.mkfifo(folder.path / name)
    if name == "config.toml":  # a checkpoint may tell the settings: see test_saved
        return
    with pytest.raises(OSError, match=f"run/{name}: wanted a regular file, got a pipe"):
        folder.lock()
    assert not hold.in_use(folder.path)
