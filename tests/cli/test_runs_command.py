"""`cynet runs`, and `cynet diff` of several runs: what they list, what they leave out, the state of a run."""

import json
import os
import shutil

import pytest
import tiny  # noqa: F401
from damages import bounded

from cynet import cli
from cynet.runs import hold, overview
from cynet.train import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ("--data", "tiny", "--batch-size", 8, "--workers", 0, "--no-report")


def command(*arguments):
    return cli.main([*map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three runs, the third with the settings of the first, and a folder that is none."""
    place = tmp_path_factory.mktemp("runs")
    flags = {"net-2": ("--steps", 16), "net-10": ("--steps", 8, "--lr", 0.01), "again": ("--steps", 16)}
    for name, more in flags.items():
        assert command("train", *FLAGS, *more, "--run-dir", place / name) == 0
    (place / "rates").mkdir()
    (place / ".hidden").mkdir()
    (place / "note.txt").touch()
    return place


@pytest.fixture
def runs(trained, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(trained, tmp_path / "runs")


def listed(capsys, *arguments):
    assert command("runs", *arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    return found, {each["run"]: each for each in found["runs"]}


def test_runs_are_listed_with_what_differs(trained, capsys):
    assert command("runs", trained) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == ["run", "again", "net-2", "net-10", "note:"]
    heading, again, first, second, note = (line.split() for line in out.splitlines())
    assert " ".join(heading) == "run steps lr best test at step steps time state"
    assert again[1:4] == first[1:4] and (first[1], second[1:3]) == ("16", ["8", "0.01"])
    assert (first[5], second[5]) == ("16/16", "8/8") and first[-1] == second[-1] == "finished"
    assert " ".join(note) == "note: no runs: rates"


def test_the_numbers_are_those_of_the_runs_files(trained, capsys):
    found, runs = listed(capsys, trained)
    assert found["differing"] == ["steps", "lr"] and found["others"] == ["rates"]
    rows = RunFolder.open(trained / "net-2").metrics.rows()
    best = max(rows, key=lambda row: float(row["test_accuracy"]))
    one = runs["net-2"]
    assert (one["best"], one["best_step"]) == (float(best["test_accuracy"]), int(best["step"]))
    assert (one["step"], one["steps"], one["measure"]) == (16, 16, "test")
    assert one["seconds"] == pytest.approx(float(rows[-1]["seconds"]), abs=0.1)
    assert one["settings"]["batch_size"] == 8 and one["problems"] == []
    assert one["begun"].startswith("20") and one["path"] == str(trained / "net-2")


def test_one_run_is_a_list_of_one(trained, capsys):
    found, runs = listed(capsys, trained / "net-2")
    assert list(runs) == ["net-2"] and found["differing"] == []


def test_the_folder_is_runs_by_default(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command("runs") == 2
    assert "FOLDER: no such folder: runs" in capsys.readouterr().err
    (tmp_path / "runs").mkdir()
    assert command("runs") == 0
    assert capsys.readouterr().out == "no runs in runs\n"
    (tmp_path / "runs").rmdir()
    (tmp_path / "runs").touch()
    assert command("runs") == 2
    assert "FOLDER: wanted a folder, got runs" in capsys.readouterr().err


def test_the_state_of_a_run_is_told(runs, capsys):
    folder = RunFolder.open(runs / "net-2")
    folder.lock()
    assert listed(capsys, runs)[1]["net-2"]["state"] == "running"
    folder.close()
    text = (runs / "net-2" / "metrics.csv").read_text().splitlines()
    (runs / "net-2" / "metrics.csv").write_text("\n".join([*text[:2], ""]))
    found = listed(capsys, runs)[1]["net-2"]
    assert (found["state"], found["step"]) == ("stopped", 16)
    with (runs / "net-2" / "log.txt").open("a") as log:
        log.write("error: the training loss is nan at step 9\n")
    assert listed(capsys, runs)[1]["net-2"]["state"] == "failed"
    config = (runs / "net-2" / "config.toml").read_text()
    (runs / "net-2" / "config.toml").write_text("patience = 1\n" + config)
    rows = [text[0], text[1], text[2].replace(text[2].split(",")[6], "0.01")]
    (runs / "net-2" / "metrics.csv").write_text("\n".join([*rows, ""]))
    found = listed(capsys, runs)[1]["net-2"]
    assert (found["state"], found["best_step"]) == ("finished", 8)  # its patience was at an end


def test_who_looks_hinders_nobody_who_begins(tmp_path):
    """A look takes the lock for a moment."""
    import fcntl
    import threading

    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run" / ".lock").touch()
    assert not hold.in_use(folder.path) and not hold.in_use(tmp_path)
    with open(tmp_path / "run" / ".lock") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Timer(0.01, fcntl.flock, (look, fcntl.LOCK_UN)).start()
        folder.lock()
    assert hold.in_use(folder.path)
    folder.close()
    assert not hold.in_use(folder.path)


def test_nothing_in_a_folder_hinders_the_list(tmp_path, capsys):
    """Pipes, links, what has no end, and a name that would steer the terminal."""
    for name in ("pipes", "links", "large", "odd\x1b[2J", "none"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text('model = "uwnet2"\n')
    os.remove(tmp_path / "none" / "config.toml")
    for name in ("env.json", "log.txt", ".lock"):
        os.mkfifo(tmp_path / "pipes" / name)
        (tmp_path / "links" / name).symlink_to("/dev/zero")
        (tmp_path / "large" / name).touch()
        os.truncate(tmp_path / "large" / name, 100 * 10**9)
    os.mkfifo(tmp_path / "pipe")
    with bounded():
        assert command("runs", tmp_path) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["large", "links", r"odd\x1b[2J", "pipes"]
    assert f"{tmp_path}/pipes: env.json cannot be read: wanted a regular file, got a pipe" in out
    assert f"{tmp_path}/large: env.json cannot be read: wanted a file of at most" in out
    assert "links: env.json cannot be read: wanted a file in " in out and "note: no runs: none" in out


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop", "dangling"])
def test_a_run_is_not_hidden_by_what_stands_in_the_place_of_its_configuration(tmp_path, capsys, kind):
    path = tmp_path / "run" / "config.toml"
    path.parent.mkdir()
    if kind in ("pipe", "folder"):
        os.mkfifo(path) if kind == "pipe" else path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "loop": path.name, "dangling": "nowhere"}[kind])
    for folder in (tmp_path, path.parent):
        with bounded():
            assert command("runs", folder) == 0
        out = capsys.readouterr().out
        assert out.splitlines()[1].startswith("run ") and "no runs" not in out
        assert f"note: {path.parent}: config.toml cannot be read: wanted a " in out


def test_damaged_runs_are_named_and_the_others_listed(runs, capsys):
    (runs / "net-2" / "config.toml").write_text("x = ")
    (runs / "net-10" / "metrics.csv").write_text("step\nnan\n\n,,,")
    (runs / "net-10" / "steps.csv").write_bytes(b"\xff\xfe\n\0\n")
    odd = 'steps = "many"\nlr = nan\npatience = [1]\nseed = 1979-05-27\n'
    (runs / "again" / "config.toml").write_text(odd)
    assert command("runs", runs) == 0
    out = capsys.readouterr().out
    assert f"note: {runs / 'net-2'}: config.toml cannot be read: " in out
    assert f"note: {runs / 'again'}: config.toml cannot be read: steps: wanted a number, got 'many'\n" in out
    assert f"note: {runs / 'net-10'}: metrics.csv: lines that are no rows are left out: 1\n" in out
    assert f"note: {runs / 'net-10'}: metrics.csv has no column to read called epoch, lr, " in out
    assert out.count("\n") == 9
    _, found = listed(capsys, runs)
    assert found["net-2"]["settings"] == {} and found["net-2"]["best"] is not None
    assert found["net-10"]["best"] is None and found["again"]["settings"] == {}


def test_what_a_run_is_measured_on_is_told(runs, capsys):
    path = runs / "net-2" / "metrics.csv"
    path.write_text(path.read_text().replace("test_", "validation_"))
    _, found = listed(capsys, runs)
    assert (found["net-2"]["measure"], found["again"]["measure"]) == ("validation", "test")
    assert command("runs", runs) == 0
    out = capsys.readouterr().out
    assert "  best  " in out.splitlines()[0] and " validation " in out and " test " in out


def test_the_last_row_is_read_without_the_rest(tmp_path):
    from cynet.runs.cells import last_row

    path = tmp_path / "x.csv"
    assert last_row(path) == {}
    for text, wanted in (
        ("", {}),
        ("step,loss\n", {}),
        ("step,loss\n1,2\n", {"step": 1, "loss": 2}),
        ("step,loss\n1,2\n3", {"step": 1, "loss": 2}),
        ("step,loss\n1,2\n3,4\n5,6,7\n", {"step": 3, "loss": 4}),
        ("step,loss\n" + "1,2\n" * 9999 + "3,x\n", {"step": 3, "loss": None}),
        ("step;loss\n1;2\n", {}),
        ("step,step\n1,2\n", {}),
        ("step,loss,loss\n1,2,3\n", {"step": 1}),
    ):
        path.write_text(text)
        assert last_row(path) == wanted


# -- diff of several ---------------------------------------------------------------------------------------
def test_several_runs_stand_beside_each_other(trained, capsys):
    paths = [trained / name for name in ("net-2", "again", "net-10")]
    assert command("diff", *paths) == 1
    lines = capsys.readouterr().out.splitlines()
    table = {line.split("  ")[0]: line.split("  ")[1:] for line in lines}
    cells = {name: [cell.strip() for cell in row if cell.strip()] for name, row in table.items()}
    assert cells["run"] == ["net-2", "again", "net-10"]
    assert cells["steps"] == ["16", "16", "8"] and cells["lr"] == ["0.1", "0.1", "0.01"]
    assert cells["step"] == ["16", "16", "8"] and "seed" not in cells
    assert cells["test_accuracy"][0] == cells["test_accuracy"][1]
    assert cells["parts from the first"] == ["-", "equal", "at step 1"]
    assert command("diff", paths[0], paths[1], paths[0]) == 0


def test_several_runs_are_not_trained_again(trained, capsys):
    assert command("diff", *[trained / "net-2"] * 3, "--replay") == 2
    assert "--replay: wanted two runs to train again, got 3" in capsys.readouterr().err


def test_what_nothing_was_kept_of_is_not_called_equal(runs, capsys):
    (runs / "again" / "digests.csv").unlink()
    assert command("diff", runs / "net-2", runs / "net-2", runs / "again") == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("not known")


def test_settings_that_a_run_derived_are_no_difference(trained):
    found, _ = overview.read_all(trained)
    assert {each.settings["lr_steps"] for each in found} != {None}
    assert overview.differing(found) == ["steps", "lr"]
