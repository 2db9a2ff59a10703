"""Who may write into a run's folder, how much room it takes, which rows are taken back, what it is called."""

import fcntl
import os
import shutil
from types import SimpleNamespace

import pytest

from cynet.runs import hold, overview
from cynet.runs.filenames import DIGEST_COLUMNS, KEPT, STEP_COLUMNS, metrics_columns
from cynet.runs.new_folder import check
from cynet.runs.settings import DEFAULTS
from cynet.runs.space import SAFETY
from cynet.train import RunFolder

DIGEST = 64 * "0"


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "run")
    made.write_config({"model": "x"})
    yield made
    made.close()


# -- who may write -----------------------------------------------------------------------------------------
def test_only_one_may_write_and_the_other_is_told_who(folder):
    folder.lock()
    assert (folder.path / ".lock").read_text() == str(os.getpid())
    other = RunFolder.open(folder.path)
    with pytest.raises(BlockingIOError, match=f"is in use: process {os.getpid()} trains there"):
        other.lock()
    with open(folder.path / ".lock") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # alone: not even beside those who look
    folder.close()
    other.lock()
    other.close()


def test_who_is_refused_changes_nothing(folder):
    folder.lock()
    for name in (".last.ckpt.7.tmp", ".config.toml.8.tmp"):
        (folder.path / name).write_bytes(b"half")
    before = sorted((path.name, path.read_bytes()) for path in folder.path.iterdir())
    with pytest.raises(BlockingIOError):
        RunFolder.open(folder.path).lock()
    assert sorted((path.name, path.read_bytes()) for path in folder.path.iterdir()) == before
    folder.close()
    RunFolder.open(folder.path).lock()
    assert sorted(path.name for path in folder.path.iterdir()) == [".lock", "config.toml"]


def test_who_looks_waits_for_nobody_and_hinders_only_for_a_moment(folder, monkeypatch):
    pauses = []
    monkeypatch.setattr(hold, "time", SimpleNamespace(sleep=pauses.append))
    folder.lock()
    assert hold.in_use(folder.path) and pauses == []
    with pytest.raises(BlockingIOError):
        RunFolder.open(folder.path).lock()
    assert pauses == [0.005, 0.02, 0.05]
    folder.close()
    assert not hold.in_use(folder.path)
    (folder.path / ".lock").unlink()
    assert not hold.in_use(folder.path) and not (folder.path / ".lock").exists()


def test_a_longer_number_of_a_process_before_is_no_part_of_this_one(folder):
    (folder.path / ".lock").write_text("12345678901234")
    folder.lock()
    assert (folder.path / ".lock").read_text() == str(os.getpid())


def test_a_folder_that_may_not_be_written_to_is_told(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="run: no permission to write there"):
        folder.lock()
    with pytest.raises(PermissionError, match="no permission to write there"):
        check(folder.path.parent / "new")


def test_what_is_no_run_is_not_opened(folder):
    for path, words in (
        (folder.path / "no", f"no such run folder: {folder.path / 'no'} (did you mean {folder.path}?)"),
        (folder.path.parent / "no", f"no such run folder: {folder.path.parent / 'no'}"),
        (folder.path / "config.toml", f"no such run folder: {folder.path / 'config.toml'} (did you mean"),
        (folder.path.parent, f"{folder.path.parent} has no config.toml: it is no run, or was not begun"),
    ):
        with pytest.raises(FileNotFoundError, match="run") as caught:
            RunFolder.open(path)
        assert words in str(caught.value)
    opened = RunFolder.open(folder.path)
    assert (opened.weights.name, opened.best.name) == ("last.safetensors", "best.safetensors")
    assert KEPT == {"last": "last.safetensors", "best": "best.safetensors"}


# -- room --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("free", "enough"), [(5 * 1000 + SAFETY, True), (5 * 1000 + SAFETY - 1, False)])
def test_five_checkpoints_and_a_mebibyte_are_to_be_free(folder, monkeypatch, free, enough):
    assert SAFETY == 1024 * 1024
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    before = sorted(folder.path.iterdir())
    if enough:
        folder.reserve(1000)
    else:
        with pytest.raises(OSError, match="a run needs 1,053,576 bytes there, only 1,053,575 are free"):
            folder.reserve(1000)
    assert sorted(folder.path.iterdir()) == before


def test_the_room_is_tried_and_given_back(folder, monkeypatch):
    sizes, fsync = [], os.fsync

    def full(descriptor):
        sizes.append(os.fstat(descriptor).st_size)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="cannot write 1,000 bytes, as a checkpoint takes: No space left"):
        folder.reserve(1000)
    assert sizes == [1000] and sorted(path.name for path in folder.path.iterdir()) == ["config.toml"]
    monkeypatch.setattr(os, "fsync", fsync)
    folder.reserve(0)


def test_what_was_begun_is_taken_back_and_nothing_else(tmp_path):
    folder = RunFolder(tmp_path / "a")
    folder.lock()
    folder.write_config({"model": "x"})
    folder.write_environment({"time": "now"})
    folder.discard()
    assert not folder.path.exists() and tmp_path.exists()
    folder = RunFolder(tmp_path / "b")
    folder.write_config({"model": "x"})
    (folder.path / "mine.txt").write_text("mine")
    folder.discard()
    assert [path.name for path in folder.path.iterdir()] == ["mine.txt"]


# -- rows --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("steps", "evaluated", "kept"), [
    (7, 5, ([5], [5, 6, 7], [0, 5, 7])), (6, 5, ([5], [5, 6], [0, 5])), (7, 4, ([], [5, 6, 7], [0, 5, 7])),
    (8, 8, ([5, 8], [5, 6, 7, 8], [0, 5, 7, 8])), (8, 5, ([5], [5, 6, 7, 8], [0, 5, 7, 8])),
    (0, 0, ([], [], [0])), (-1, -1, ([], [], [])), (99, 99, ([5, 8], [5, 6, 7, 8], [0, 5, 7, 8])),
])  # fmt: skip
def test_rows_are_taken_back_to_the_very_step(folder, steps, evaluated, kept):
    for step in (5, 8):
        folder.metrics.add(f"{step},1,0.1,1,1,1,1,0")
    for step in (5, 6, 7, 8):
        folder.steps.add(f"{step},1,0.1,1,1,0")
    for step in (0, 5, 7, 8):
        folder.digests.add(f"{step},a,{DIGEST}")
        folder.digests.add(f"{step},b,{DIGEST}")
    folder.sync()
    folder.rewind(steps, evaluated)
    tables = folder.metrics, folder.steps, folder.digests
    found = [[row["step"] for row in table.rows()] for table in tables]
    assert found == [kept[0], kept[1], [step for step in kept[2] for _ in "ab"]]
    folder.steps.add("9,1,0.1,1,1,0")
    folder.sync()
    assert [row["step"] for row in folder.steps.rows()] == [*kept[1], 9]


def test_all_rows_are_on_the_disk_after_a_sync(folder):
    folder.metrics.add("1,1,0.1,1,1,1,1,0")
    folder.steps.add("1,1,0.1,1,1,0")
    folder.digests.add(f"1,a,{DIGEST}")
    folder.sync()
    for name in ("metrics.csv", "steps.csv", "digests.csv"):
        assert (folder.path / name).read_text().endswith("0\n")


def test_the_columns_say_what_was_measured(folder):
    assert metrics_columns("test") == (
        "step", "epoch", "lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds",
    )  # fmt: skip
    folder.write_config({"validation": 0.2})
    assert folder.measure == RunFolder.open(folder.path).measure == "validation"
    folder.metrics.add("1,1,0.1,1,1,1,1,0")
    folder.sync()
    assert "validation_accuracy" in folder.metrics.rows()[0]
    folder.close()
    folder.write_config({"validation": 0.0})
    assert RunFolder.open(folder.path).measure == "test"
    assert STEP_COLUMNS == ("step", "epoch", "lr", "loss", "accuracy", "seconds")
    assert DIGEST_COLUMNS == ("step", "tensor", "sha256")


# -- names -------------------------------------------------------------------------------------------------
def test_a_new_folder_has_the_number_after_the_greatest(tmp_path):
    for name in ("net-1", "net-3", "net-x", "other-9", "net-9-lr-find", "nets-8", "anet-8"):
        (tmp_path / name).mkdir()
    assert [RunFolder(name="net", parent=tmp_path).path.name for _ in "ab"] == ["net-4", "net-5"]
    assert RunFolder(name="n.t", parent=tmp_path).path.name == "n.t-1"
    assert RunFolder(parent=tmp_path / "deep" / "er").path == tmp_path / "deep" / "er" / "run-1"


def test_a_number_that_was_taken_in_this_moment_is_passed_over(tmp_path, monkeypatch):
    iterdir = type(tmp_path).iterdir
    monkeypatch.setattr(type(tmp_path), "iterdir", lambda path: iter(()))
    paths = [RunFolder(name="net", parent=tmp_path).path.name for _ in "abc"]
    monkeypatch.setattr(type(tmp_path), "iterdir", iterdir)
    assert paths == ["net-1", "net-2", "net-3"]


def test_runs_are_listed_by_their_numbers(tmp_path):
    for name in ("b-2", "b-10", "b-1", "a-10", "b", "B-1", "7", "10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text("")
    for name in ("rest-10", "rest-9", ".hidden"):
        (tmp_path / name).mkdir()
    runs, others = overview.read_all(tmp_path)
    assert [each.run.name for each in runs] == ["7", "10", "B-1", "a-10", "b", "b-1", "b-2", "b-10"] or [
        each.run.name for each in runs
    ] == ["B-1", "a-10", "b", "b-1", "b-2", "b-10", "7", "10"]
    assert others == ["rest-9", "rest-10"]


WHOLE = 'cynet = "0"\nlr = 0.1\nschedule = "constant"\ntensorboard = false\n'


@pytest.mark.parametrize(("rows", "config", "log", "state", "best"), [
    ([(8, 1, 0.5), (16, 2, 0.5)], "steps = 16", "", "finished", (0.5, 8)),
    ([(8, 1, 0.5), (15, 2, 0.6)], "steps = 16", "", "stopped", (0.6, 15)),
    ([(8, 1, 0.5), (15, 2, 0.6)], "steps = 16", "x\nerror: y\n", "failed", (0.6, 15)),
    ([(8, 1, 0.5), (15, 2, 0.6)], "steps = 16", "an error: y\n", "stopped", (0.6, 15)),
    ([(16, 2, 0.6)], "steps = 16", "error: y\n", "finished", (0.6, 16)),
    ([(8, 1, 0.5), (16, 2, 0.4)], "steps = 99\npatience = 1", "", "finished", (0.5, 8)),
    ([(8, 1, 0.5), (16, 2, 0.4)], "steps = 99\npatience = 2", "", "stopped", (0.5, 8)),
    ([(8, 1, 0.5), (16, 2, 0.6)], "steps = 99\npatience = 1", "", "stopped", (0.6, 16)),
    ([], "steps = 16", "", "stopped", (None, None)),
])  # fmt: skip
def test_the_state_of_a_run_follows_from_its_numbers(tmp_path, rows, config, log, state, best):
    folder = RunFolder(tmp_path / "run")
    (folder.path / "config.toml").write_text(WHOLE + config)
    (folder.path / "log.txt").write_text(log)
    for step, epoch, accuracy in rows:
        folder.metrics.add(f"{step},{epoch},0.1,1,0.9,2,{accuracy},{step / 2}")
        folder.steps.add(f"{step + 3},{epoch},0.1,1,1,{step}")
    folder.close()
    found = overview.read(folder.path)
    assert (found.state, found.best, found.best_step) == (state, *best)
    assert found.steps == int(config.split()[2])
    last = rows[-1][0] if rows else None
    assert (found.step, found.seconds) == ((last + 3, last) if rows else (None, None))


def listed(tmp_path, *configs):
    """Overviews of runs with these settings, and the names of those whose origin is told."""
    found = []
    for number, (settings, told) in enumerate(configs):
        folder = RunFolder(tmp_path / f"run-{number}")
        plain = {"steps": 9, "lr": 0.1, "schedule": "constant", "tensorboard": False} | settings
        folder.write_config(
            plain, {name: told.get(name, "default") for name in plain} if told is not None else {}
        )
        found.append(overview.read(folder.path))
    return found


def test_runs_differ_in_what_somebody_said_and_the_weights_depend_on_and_in_their_data(tmp_path):
    """In the order of settings; not in threads, nor in what every one of them settled by itself."""
    first = {"threads": 1, "data_dir": "a", "seed": 1, "lr": 0.1, "momentum": 0.5}, {"seed": "flag"}
    other = {"threads": 2, "data_dir": "b", "seed": 2, "lr": 0.2, "momentum": 0.5}, {"data_dir": "flag"}
    assert overview.differing(listed(tmp_path / "1", first, other)) == ["data_dir", "seed"]
    said = other[0], {"data_dir": "flag", "lr": "a.toml"}
    assert overview.differing(listed(tmp_path / "2", first, said)) == ["data_dir", "lr", "seed"]
    assert overview.differing(listed(tmp_path / "3", first, first, said)) == ["data_dir", "lr", "seed"]
    silent = other[0], None
    assert overview.differing(listed(tmp_path / "4", first, silent)) == ["data_dir", "lr", "seed"]
    assert overview.differing(listed(tmp_path / "5", first)) == overview.differing([]) == []


def test_what_a_configuration_does_not_have_is_as_by_default_and_none_is_nothing(tmp_path):
    (one,) = listed(tmp_path, ({"momentum": 0.25}, None))
    assert one.settings == DEFAULTS | {
        "steps": 9, "lr": 0.1, "schedule": "constant", "momentum": 0.25
    }  # fmt: skip
    RunFolder(tmp_path / "bare")
    (tmp_path / "bare" / "metrics.csv").write_text("step\n3\n")
    bare = overview.read(tmp_path / "bare")
    assert bare.settings == {} and (bare.step, bare.steps, bare.measure, bare.best) == (3, None, None, None)
    assert [note.split()[0] for note in bare.problems] == ["config.toml", "env.json", "metrics.csv"]
    assert overview.differing([one, bare, one]) == []


def test_all_that_is_known_of_runs_stands_in_a_document(tmp_path):
    (one,) = listed(tmp_path, ({"seed": 7}, {"seed": "flag"}))
    folder = RunFolder.open(one.run.path)
    folder.write_environment({"time": "2026-01-02T03:04:05+00:00"})
    folder.metrics.add("8,1,0.1,1,0.9,2,0.75,4.5")
    folder.metrics.add("9,2,0.1,1,0.9,2,0.5,5.5")
    folder.steps.add("9,2,0.1,1,1,5.25")
    folder.close()
    found = overview.document([overview.read(one.run.path)], ["rest"])
    settings = found["runs"][0].pop("settings")
    assert found == {
        "differing": [], "others": ["rest"],
        "runs": [{
            "run": "run-0", "path": str(one.run.path), "state": "finished", "measure": "test", "best": 0.75,
            "best_step": 8, "step": 9, "steps": 9, "seconds": 5.5, "begun": "2026-01-02T03:04:05+00:00",
            "problems": [],
        }],
    }  # fmt: skip
    assert settings == {name: overview.plain(value) for name, value in (DEFAULTS | one.settings).items()}
    assert (settings["seed"], settings["lr"], settings["init_from"]) == (7, 0.1, None)


@pytest.mark.parametrize(("value", "wanted"), [
    (None, None), (True, True), (3, 3), ("a", "a"), (0.5, 0.5), (float("nan"), "nan"),
    (float("-inf"), "-inf"), ([1, 2], "[1, 2]"),
])  # fmt: skip
def test_a_value_in_a_document_is_what_json_has(value, wanted):
    assert overview.plain(value) == wanted and type(overview.plain(value)) is type(wanted)
