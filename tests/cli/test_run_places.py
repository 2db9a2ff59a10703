"""A run's data from another folder that has some of the same name: its own are meant."""

import json
import tomllib

import numpy as np
import pytest
from test_trained import said

from cynet import cli
from cynet.runs import places

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ("--batch-size", "8", "--workers", "0", "--no-report")


def pictures(path, count, seed):
    path.parent.mkdir(exist_ok=True)
    rng, y = np.random.default_rng(seed), np.arange(count) % 2
    x = rng.integers(0, 256, (count, 32, 32, 3), np.uint8)
    np.savez(path, train_images=x, train_labels=y, test_images=x, test_labels=y)


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A folder with a run of 16 pictures; one is in another folder, with 24 of the same name."""
    pictures(tmp_path / "a" / "own.npz", 16, 0)
    pictures(tmp_path / "b" / "own.npz", 24, 1)
    monkeypatch.chdir(tmp_path / "a")
    data = ("--data", "arrays", "--data-dir", "own.npz")
    assert cli.main(["train", *data, *FLAGS, "--steps", "2", "--run-dir", "run"]) == 0
    monkeypatch.chdir(tmp_path / "b")
    return tmp_path / "a"


def test_commands_take_a_runs_own_data_before_what_has_their_name_here(begun, capsys):
    run = str(begun / "run")
    status, out, _ = said(capsys, "evaluate", run, "--json", "-")
    assert status == 0 and json.loads(out)["samples"] == 16
    assert said(capsys, "verify", run)[0] == 0
    status, out, err = said(capsys, "train", "--config", f"{run}/config.toml", *FLAGS, "--run-dir", "again")
    assert status == 0 and "16 training" in out, err
    assert said(capsys, "report", run, "--no-timing")[0] == 0
    more = ("--resume", run, "--steps", "4", "--allow-change", "steps", "--no-report")
    assert said(capsys, "train", *more)[0] == 0
    # What a flag says is seen from here, and is stored so that it means the same elsewhere.
    status, out, _ = said(capsys, "evaluate", run, "--data-dir", "own.npz", "--json", "-")
    assert status == 0 and json.loads(out)["samples"] == 24
    status, _, err = said(capsys, "verify", run, "--data-dir", "own.npz")
    assert status == 2 and "wanted its pictures" in err
    more = ("--resume", run, "--data-dir", "../a/own.npz", "--steps", "6", "--allow-change", "steps")
    assert said(capsys, "train", *more, "--no-report")[0] == 0
    assert tomllib.loads((begun / "run" / "config.toml").read_text())["data_dir"] == str(begun / "own.npz")


def test_the_order_is_begun_here_around(tmp_path, monkeypatch):
    for name in ("begun", "here", "around"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    monkeypatch.chdir(tmp_path / "here")
    first, last = [str(tmp_path / "begun")], [str(tmp_path / "around")]
    assert places.found("x", first, last=last) == str(tmp_path / "begun" / "x")
    (tmp_path / "begun" / "x").unlink()
    assert places.found("x", first, last=last) == "x"
    (tmp_path / "here" / "x").unlink()
    assert places.found("x", first, last=last) == str(tmp_path / "around" / "x")
    (tmp_path / "around" / "x").unlink()
    assert places.found("x", first, last=last) == "x"
    assert places.found(None, first) is None and places.lasting(None, {}) is None
