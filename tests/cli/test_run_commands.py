"""`cynet verify`, `cynet diff`, `cynet train` with its further options, from the command line."""

import csv
import os
import shutil
import tomllib

import numpy as np
import pytest
import tiny

from cynet import cli
from cynet.core import threads
from cynet.train import RunFolder, load_weights

FLAGS = ("--data", "tiny", "--batch-size", 8, "--workers", 0, "--steps", 21, "--lr", 0.01)


def said(capsys, command, *arguments):
    status = cli.main([command, *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = threads.get_num_threads()
    threads.set_num_threads(1)
    yield
    threads.set_num_threads(before)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs: two alike, one with another seed."""
    folder = tmp_path_factory.mktemp("runs")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        flags = map(str, (*FLAGS, "--seed", seed, "--run-dir", folder / name))
        assert cli.main(["train", *flags]) == 0
    return folder


# -- verify ------------------------------------------------------------------------------------------------
def test_a_run_is_repeated_to_the_bit(runs, capsys):
    status, out, err = said(capsys, "verify", runs / "a", "--threads", 2, "--workers", 1)
    assert (status, err) == (0, "")
    assert "21 losses and 8 digests of the weights are equal, to step 21" in out
    assert "10 losses and 5 digests" in said(capsys, "verify", runs / "a", "--steps", 10)[1]


def changed(runs, tmp_path, name, row, column, value):
    """A copy of run a with one cell of one of its tables changed."""
    run = tmp_path / "run"
    shutil.copytree(runs / "a", run)
    with (run / name).open() as file:
        rows = list(csv.reader(file))
    rows[row][column] = value
    with (run / name).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return run


def test_a_loss_that_cannot_be_repeated_is_named(runs, tmp_path, capsys):
    run = changed(runs, tmp_path, "steps.csv", 7, 3, "1.5")
    status, _, err = said(capsys, "verify", run)
    assert status == 1 and "cannot be repeated: step 7: the loss is 1.5 against " in err


def test_weights_that_cannot_be_repeated_name_the_tensor(runs, tmp_path, capsys):
    run = changed(runs, tmp_path, "digests.csv", 3, 1, "0" * 64)
    text = (run / "digests.csv").read_text().splitlines()
    parts = text[3].split(" ")
    parts[4] = "00000000"
    (run / "digests.csv").write_text("\n".join([*text[:3], " ".join(parts), *text[4:], ""]))
    status, _, err = said(capsys, "verify", run)
    assert status == 1 and "after step 2: the weights' SHA-256 is 000000000000 against" in err
    names = list(load_weights(run / "last.safetensors")[0].state_dict())
    assert f"first in {names[4]}, in 1 tensors" in err


def test_other_data_are_noted(runs, capsys, monkeypatch):
    monkeypatch.setenv("TINY_SEED", "1")
    status, out, _ = said(capsys, "verify", runs / "a")
    assert status == 1 and "note: not as in the run: fingerprint of the data" in out


@pytest.mark.parametrize("command", ["verify", "diff"])
def test_what_is_no_run_is_refused(runs, tmp_path, capsys, command):
    other = [tmp_path] if command == "diff" else []
    status, out, err = said(capsys, command, tmp_path, *other)
    assert (status, out) == (2, "") and f"RUN: {tmp_path} has no config.toml" in err
    assert said(capsys, command, tmp_path / "nowhere", *other)[0] == 2


# -- diff --------------------------------------------------------------------------------------------------
def test_equal_runs_have_no_difference(runs, capsys):
    status, out, err = said(capsys, "diff", runs / "a", runs / "b")
    assert (status, err) == (0, "")
    assert "no loss and no digest of the weights differs up to step 21" in out
    assert "last.safetensors: equal" in out and "setting" not in out


def test_another_seed_differs_from_the_start(runs, capsys):
    status, out, _ = said(capsys, "diff", runs / "a", runs / "c")
    assert status == 1 and "setting seed: 0 against 1" in out
    assert "after step 0: the weights' SHA-256 is" in out and "first in 0.weight" in out
    assert "step 1: the loss is" in out and "last.safetensors: " in out and "tensors differ: 0.weight" in out


def test_the_first_step_that_differs_is_named(runs, tmp_path, capsys):
    run = changed(runs, tmp_path, "steps.csv", 9, 3, "1.5")
    status, out, _ = said(capsys, "diff", runs / "a", run)
    assert status == 1 and "step 9: the loss is " in out and "last.safetensors: equal" in out


def test_settings_that_do_not_matter_are_marked(runs, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(runs / "a", run)
    config = (run / "config.toml").read_text().replace("workers = 0", "workers = 3")
    (run / "config.toml").write_text(config)
    status, out, _ = said(capsys, "diff", runs / "a", run)
    assert status == 0 and "setting workers: 0 against 3 (no matter)" in out


# -- options of training -----------------------------------------------------------------------------------
OPTIONS = ("--ema", 0.9, "--clip-norm", 1, "--mixup", 0.3, "--label-smoothing", 0.1)


def test_every_option_together_is_repeated_and_resumed_to_the_bit(runs, tmp_path, capsys):
    flags = (*FLAGS, *OPTIONS, "--checkpoint-every", 4)
    assert said(capsys, "train", *flags, "--run-dir", tmp_path / "whole")[0] == 0
    assert said(capsys, "verify", tmp_path / "whole")[0] == 0
    half = [13 if flag == 21 else flag for flag in flags]
    assert said(capsys, "train", *half, "--run-dir", tmp_path / "half")[0] == 0
    more = ("--resume", tmp_path / "half", "--steps", 21, "--allow-change", "steps", "--threads", 2)
    assert said(capsys, "train", *more)[0] == 0
    for name in ("steps.csv", "last.safetensors"):
        assert (tmp_path / "half" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    config = tomllib.loads((tmp_path / "whole" / "config.toml").read_text())
    assert (config["ema"], config["clip_norm"], config["mixup"]) == (0.9, 1.0, 0.3)
    plain, averaged = (load_weights(run / "last.safetensors")[0] for run in (runs / "a", tmp_path / "whole"))
    assert not np.array_equal(plain[0].weight.data, averaged[0].weight.data)


def test_patience_ends_a_run_and_a_resumed_one(tmp_path, capsys):
    flags = ("--lr", 0, "--patience", 2, "--steps", 80, "--run-dir", tmp_path / "run")
    status, out, _ = said(capsys, "train", *FLAGS[:6], *flags)
    assert status == 0 and "stopped after 24 steps: 2 epochs brought nothing better" in out
    status, out, _ = said(capsys, "train", "--resume", tmp_path / "run")
    assert status == 0 and "is finished" in out


def test_lr_find_draws_and_suggests(tmp_path, capsys):
    status, out, err = said(capsys, "train", *FLAGS[:6], "--lr-find", "--run-dir", tmp_path / "run")
    assert (status, err) == (0, "") and "suggestion: --lr " in out and "█" in out
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"lr_find.csv"} <= names <= {"lr_find.csv", "lr_find.png"}
    status, _, err = said(capsys, "train", "--lr-find", "--resume", tmp_path / "run")
    assert status == 2 and "--lr-find: not allowed with argument --resume" in err


def test_a_training_that_breaks_says_where_and_keeps_what_shows_it(tmp_path, capsys):
    flags = ("--no-batch-norm", "--lr", 1e30, "--run-dir", tmp_path / "run")
    status, out, err = said(capsys, "train", *FLAGS[:8], *flags)
    assert status == 1 and "error: the training loss is" in err and "Traceback" not in err
    assert "diagnosis: " in out and "to see it again:" in out
    kept = np.load(tmp_path / "run" / "diverged.npz")
    model = load_weights(tmp_path / "run" / "diverged.safetensors")[0].train()
    assert not np.isfinite(model(kept["x"])).all() or not np.isfinite(model[-1].weight.data).all()
    assert kept["y"].tolist() == [tiny.tiny().labels[i] for i in kept["samples"]]
    assert "diagnosis: " in (tmp_path / "run" / "log.txt").read_text()


def test_tensorboard_files_are_written_with_the_extra_and_named_without(tmp_path, capsys, monkeypatch):
    pytest.importorskip("tensorboardX")
    status, _, _ = said(capsys, "train", *FLAGS, "--tensorboard", "--run-dir", tmp_path / "run")
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert status == 0 and events.stat().st_size > 500
    assert all(tag in events.read_bytes() for tag in (b"training/loss", b"test/accuracy"))
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    status, out, err = said(capsys, "train", *FLAGS, "--tensorboard", "--run-dir", tmp_path / "other")
    assert (status, out) == (2, "") and "--tensorboard: event files need tensorboardX" in err
    assert not (tmp_path / "other").exists()


def test_the_start_says_what_is_trained_and_how_long_it_will_take(runs, capsys, tmp_path):
    _, out, _ = said(capsys, "train", *FLAGS, "--run-dir", tmp_path / "run")
    assert "Conv2d(3, 8" in out and "total" in out and "by a few steps that were timed" in out
    for name in ("steps.csv", "digests.csv"):  # the timed steps changed nothing
        assert (tmp_path / "run" / name).read_bytes() == (runs / "a" / name).read_bytes()
    assert os.path.exists(RunFolder.open(tmp_path / "run").best)
