"""`cynet train --resume`: as if the run had never been stopped."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tiny
from helpers import environment_of

from cynet import cli
from cynet.data import DataLoader
from cynet.interop import safetensors
from cynet.runs import checkpoint
from cynet.runs.estimate import Estimate
from cynet.train import Recorder, RunFolder
from cynet.train.diagnosis import Doctor

FLAGS = (
    "--data", "tiny", "--model", "uwnet2", "--batch-size", "8", "--augment", "--workers", "0",
    "--steps", "21", "--checkpoint-every", "4",
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("one_thread")


def train(*arguments):
    return cli.main(["train", "--no-report", *map(str, arguments)])


def sha(run, name="last.safetensors"):
    return hashlib.sha256((Path(run) / name).read_bytes()).hexdigest()


def rows(run, name="metrics.csv"):
    with (Path(run) / name).open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody stopped: 21 steps in epochs of 8."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert train(*FLAGS, "--run-dir", path) == 0
    return path


@pytest.fixture
def stop(monkeypatch):
    """A function: let the run be killed so that nothing is saved, or be asked to stop, after this step."""

    class Killed(Exception):
        pass

    stepped = Recorder.stepped

    def at(step, number=None):
        def stop(recorder, progress):
            stepped(recorder, progress)
            if progress.step == step:
                if number is None:
                    raise Killed
                os.kill(os.getpid(), number)

        monkeypatch.setattr(Recorder, "stepped", stop)
        return Killed

    yield at


def resumed_like(whole, run):
    assert sha(run) == sha(whole)
    assert sha(run, "best.safetensors") == sha(whole, "best.safetensors")
    for name in ("metrics.csv", "steps.csv", "digests.csv"):
        assert rows(run, name) == rows(whole, name)


def test_the_estimate_does_not_change_the_training(whole, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(Estimate, "evaluated", lambda *_: None)  # so that there are steps enough
    monkeypatch.setattr(Estimate, "_tell", lambda estimate, *_: told.append(estimate._evaluation()))
    assert train(*FLAGS, "--run-dir", tmp_path / "with") == 0
    assert len(told) == 1
    monkeypatch.setattr(Estimate, "stepped", lambda *_: None)
    assert train(*FLAGS, "--run-dir", tmp_path / "without") == 0
    resumed_like(tmp_path / "with", tmp_path / "without")
    resumed_like(whole, tmp_path / "with")


@pytest.mark.parametrize("step", [1, 4, 7, 8, 9, 16, 19, 20, 21])
def test_a_stopped_run_goes_on_to_the_same_bytes(whole, tmp_path, stop, monkeypatch, step):
    stop(step, signal.SIGTERM)
    assert train(*FLAGS, "--run-dir", tmp_path / "run") == 143
    assert checkpoint.load(tmp_path / "run" / "last.ckpt")[1]["step"] == step
    monkeypatch.undo()
    assert train("--resume", tmp_path / "run", "--threads", 2, "--workers", step % 3) == 0
    resumed_like(whole, tmp_path / "run")


@pytest.mark.parametrize("steps", [(2,), (4, 5, 9), (7, 8), (9, 9, 17), (20, 21)])
def test_a_killed_run_repeats_what_came_after_its_checkpoint(whole, tmp_path, stop, monkeypatch, steps):
    run = tmp_path / "run"
    for step in steps:
        with pytest.raises(stop(step)):
            train(*(("--resume", run) if run.exists() else (*FLAGS, "--run-dir", run)))
        monkeypatch.undo()
    assert train("--resume", run) == 0
    resumed_like(whole, run)


def test_checkpoints_may_also_be_so_many_minutes_apart(whole, tmp_path, stop, monkeypatch):
    flags = [flag for flag in FLAGS if flag not in ("--checkpoint-every", "4")]
    with pytest.raises(stop(6)):
        train(*flags, "--checkpoint-minutes", 1e-9, "--run-dir", tmp_path / "run")
    monkeypatch.undo()
    assert checkpoint.load(tmp_path / "run" / "last.ckpt")[1]["step"] == 5
    assert train("--resume", tmp_path / "run", "--checkpoint-minutes", 0, "--checkpoint-every", 7) == 0
    resumed_like(whole, tmp_path / "run")


def test_the_first_evaluation_is_not_doubled(whole, tmp_path, monkeypatch):
    """Killed between the row of an evaluation and its checkpoint, when one from before it is there."""
    evaluated = Recorder.evaluated

    def stop(recorder, result):
        evaluated(recorder, result)
        raise KeyError

    monkeypatch.setattr(Recorder, "evaluated", stop)
    with pytest.raises(KeyError):
        train(*FLAGS, "--run-dir", tmp_path / "run")
    assert [row["step"] for row in rows(tmp_path / "run")] == ["8"]
    assert checkpoint.load(tmp_path / "run" / "last.ckpt")[1]["step"] == 8
    monkeypatch.undo()
    assert train("--resume", tmp_path / "run") == 0
    resumed_like(whole, tmp_path / "run")


def test_a_damaged_checkpoint_is_replaced_by_the_previous_one(whole, tmp_path, stop, monkeypatch, capsys):
    run = tmp_path / "run"
    with pytest.raises(stop(11)):
        train(*FLAGS, "--run-dir", run)
    monkeypatch.undo()
    data = bytearray((run / "last.ckpt").read_bytes())
    data[-5] ^= 4
    (run / "last.ckpt").write_bytes(data)
    capsys.readouterr()
    assert train("--resume", run) == 0
    out, _ = capsys.readouterr()
    assert "last.ckpt: tensor 'optimizer." in out and "differs from its SHA-256" in out
    assert "set aside as last.damaged.ckpt" in out
    assert "last.damaged.ckpt" in (run / "log.txt").read_text()
    resumed_like(whole, run)


def test_the_best_weights_of_a_part_that_is_trained_otherwise_are_set_aside(tmp_path, capsys):
    run = tmp_path / "run"
    flags = "--data", "tiny", "--model", "uwnet2", "--batch-size", 8, "--workers", 0, "--epochs", 3
    assert train(*flags, "--lr", 0.05, "--run-dir", run) == 0
    accuracies = [row["test_accuracy"] for row in rows(run)]
    assert max(accuracies[:2]) < accuracies[2]  # the best is from the third epoch
    before = sha(run, "best.safetensors")
    (run / "last.ckpt").write_bytes(b"damaged")
    assert train("--resume", run, "--lr", 1e-5, "--allow-change", "lr") == 0
    assert sha(run, "best.discarded.safetensors") == before
    assert sha(run, "best.safetensors") == sha(run)  # there was but one evaluation since
    out = capsys.readouterr().out
    assert "kept as best.discarded.safetensors" in out
    assert f"best test accuracy {float(rows(run)[-1]['test_accuracy']):.4f}, after 24 steps" in out


def test_a_run_without_a_checkpoint_begins_again(whole, tmp_path, stop, monkeypatch, capsys):
    run = tmp_path / "run"
    with pytest.raises(stop(3)):
        train(*FLAGS, "--run-dir", run)
    monkeypatch.undo()
    assert not (run / "last.ckpt").exists()
    assert train("--resume", run) == 0
    assert "there is no checkpoint yet: beginning again" in capsys.readouterr().out
    resumed_like(whole, run)


@pytest.fixture
def broken_off(tmp_path, stop, monkeypatch):
    """A run that was stopped after 9 of its 21 steps."""
    stop(9, signal.SIGINT)
    assert train(*FLAGS, "--run-dir", tmp_path / "run") == 130
    monkeypatch.undo()
    return tmp_path / "run"


def test_a_frozen_setting_changes_only_when_it_is_allowed(broken_off, capsys):
    before = sorted((path.name, path.read_bytes()) for path in broken_off.iterdir())
    capsys.readouterr()
    assert train("--resume", broken_off, "--momentum", 0.5, "--no-augment", "--threads", 2) == 2
    err = capsys.readouterr().err
    assert "momentum (was 0.9, got 0.5)" in err and "augment (was True, got False)" in err
    assert "wanted --allow-change augment --allow-change momentum beside it" in err
    assert train("--resume", broken_off, "--momentum", 0.5, "--allow-change", "momentm") == 2
    assert "no such setting: momentm (did you mean momentum?)" in capsys.readouterr().err
    assert sorted((path.name, path.read_bytes()) for path in broken_off.iterdir()) == before
    flags = "--momentum", 0.5, "--allow-change", "momentum"
    assert train("--resume", broken_off, *flags) == 0
    assert "changed: momentum from 0.9 to 0.5" in capsys.readouterr().out
    config = tomllib.loads((broken_off / "config.toml").read_text())
    assert (config["momentum"], config["origin"]["momentum"]) == (0.5, "flag")


@pytest.mark.parametrize("allow", [(), ("--allow-change", "optimizer")])
def test_another_optimiser_is_advised_to_begin_another_run(broken_off, capsys, allow):
    """Its checkpoint has none of the numbers that it wants, whatever is allowed."""
    change = "--optimizer", "adam", *allow
    assert train("--resume", broken_off, *change) == 2
    err = capsys.readouterr().err
    assert "does not fit optimizer (was sgd, got adam): missing: optimizer.0.exp_avg and " in err
    assert f"(--init-from {broken_off} begins another run from its weights)\n" in err
    assert "--allow-change" not in err
    new = "--init-from", broken_off, "--run-dir", broken_off.with_name("new")
    assert train(*FLAGS, "--steps", 2, *change[:2], *new) == 0
    assert train("--resume", broken_off, "--optimizer", "nesterov", "--allow-change", "optimizer") == 0


def test_a_changed_setting_stays_changed(broken_off, stop, monkeypatch):
    flags = "--steps", 30, "--allow-change", "steps"
    with pytest.raises(stop(10)):
        train("--resume", broken_off, *flags)
    monkeypatch.undo()
    assert train("--resume", broken_off) == 0
    assert rows(broken_off)[-1]["step"] == "30"


def test_a_finished_run_says_so_and_can_be_trained_for_longer(broken_off, capsys):
    assert train("--resume", broken_off) == 0
    digest = sha(broken_off)
    assert train("--resume", broken_off) == 0
    assert "is finished: 21 of 21 steps" in capsys.readouterr().out
    assert sha(broken_off) == digest
    assert train("--resume", broken_off, "--steps", 24, "--allow-change", "steps") == 0
    assert [row["step"] for row in rows(broken_off)] == ["8", "16", "21", "24"]


def test_what_the_run_derived_follows_the_settings_it_was_derived_from(broken_off, capsys):
    assert rows(broken_off, "steps.csv")[0]["lr"] == "0.1"
    assert train("--resume", broken_off, "--steps", 12, "--allow-change", "steps") == 0
    out = capsys.readouterr().out
    assert "changed: lr_steps from 12:0.01,17:0.001 to 7:0.01,10:0.001" in out
    assert "the learning rate goes from 0.1 to 0.01 here" in out
    assert [row["lr"] for row in rows(broken_off, "steps.csv")][-3:] == ["0.01", "0.001", "0.001"]


def test_flags_that_contradict_each_other_are_refused_also_when_a_run_goes_on(broken_off, capsys):
    allowed = [f"--allow-change={name}" for name in ("steps", "epochs", "schedule", "lr_steps")]
    assert train("--resume", broken_off, "--steps", 30, "--epochs", 3, *allowed) == 2
    assert "--epochs: not allowed with argument --steps" in capsys.readouterr().err
    assert train("--resume", broken_off, "--schedule", "cosine", "--lr-steps", "15:.5", *allowed) == 2
    assert "--lr-steps: wanted the schedule steps, got cosine" in capsys.readouterr().err


def test_a_run_that_ended_early_says_what_lets_it_go_on(tmp_path, capsys):
    run = tmp_path / "run"
    flags = "--data", "tiny", "--batch-size", 8, "--workers", 0, "--epochs", 9, "--lr", 0, "--patience", 2
    assert train(*flags, "--run-dir", run) == 0
    steps = len(rows(run, "steps.csv"))
    assert steps < 72 and train("--resume", run) == 0
    assert "to train for longer: --allow-change patience --patience N (it was 2)" in capsys.readouterr().out
    assert train("--resume", run, "--patience", 3, "--allow-change", "patience") == 0
    assert len(rows(run, "steps.csv")) == steps + 8


def test_a_file_of_a_run_is_taken_for_the_run_it_lies_in(broken_off, capsys):
    assert train("--resume", broken_off / "last.ckpt") == 2
    assert f"(did you mean {broken_off}?)" in capsys.readouterr().err


def test_another_batch_size_goes_on_with_the_next_epoch(broken_off):
    flags = "--batch-size", 4, "--allow-change", "batch_size"
    assert train("--resume", broken_off, *flags) == 0
    assert rows(broken_off, "steps.csv")[9]["epoch"] == "3"


def test_other_data_are_refused(broken_off, monkeypatch, capsys):
    monkeypatch.setenv("TINY_SEED", "1")
    assert train("--resume", broken_off) == 2
    assert "the data are not those that the run began with" in capsys.readouterr().err
    (broken_off / "last.ckpt").unlink()
    (broken_off / "last.prev.ckpt").unlink()
    assert train("--resume", broken_off) == 2
    assert "the data are not those that the run began with" in capsys.readouterr().err


def test_a_run_that_is_in_use_is_refused(broken_off, capsys):
    folder = RunFolder.open(broken_off)
    folder.lock()
    assert train("--resume", broken_off) == 2
    assert f"{broken_off} is in use: process {os.getpid()} trains there" in capsys.readouterr().err
    folder.close()
    assert train("--resume", broken_off) == 0


def test_what_a_killed_process_left_is_swept(broken_off):
    (broken_off / ".last.ckpt.1.tmp").write_bytes(b"half")
    assert train("--resume", broken_off) == 0
    assert not list(broken_off.glob(".*.tmp"))


def test_every_part_of_a_run_is_noted(broken_off, stop, monkeypatch):
    stop(15, signal.SIGINT)
    assert train("--resume", broken_off, "--workers", 1) == 130
    monkeypatch.undo()
    assert train("--resume", broken_off, "--workers", 2) == 0
    environment = json.loads((broken_off / "env.json").read_text())
    assert environment["workers"] == 0
    assert [(part["after_step"], part["workers"]) for part in environment["resumed"]] == [(9, 1), (15, 2)]
    assert "going on after step 9, in epoch 2" in (broken_off / "log.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume", "nowhere"], "--resume: no such run folder: nowhere"),
        (["--resume", "."], "--resume: . has no config.toml"),
        (["--resume", ".", "--run-dir", "x"], "--run-dir: not allowed with --resume"),
        (["--resume", ".", "--config", "x"], "--config: not allowed with --resume"),
        (["--resume", ".", "--init-from", "x"], "--init-from: not allowed with --resume"),
        (["--resume", ""], "--resume: wanted a name, got ''"),
        (["--allow-change", "lr"], "--allow-change: wanted a run to go on with beside it, got no --resume"),
    ],
)
def test_what_cannot_go_on_is_refused(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert train(*arguments) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_two_damaged_checkpoints_are_refused_in_words(broken_off, capsys):
    for name in ("last.ckpt", "last.prev.ckpt"):
        (broken_off / name).write_bytes(b"x" * 50)
    assert train("--resume", broken_off) == 2
    err = capsys.readouterr().err
    assert "last.ckpt" in err and "last.prev.ckpt" in err and err.count("\n") == 1


def test_init_from_takes_weights_alone(whole, tmp_path, capsys):
    flags = [*FLAGS, "--steps", 1, "--lr", 0, "--init-from", whole / "last.safetensors"]
    assert train(*flags, "--run-dir", tmp_path / "a") == 0
    ours, theirs = (safetensors.load(run / "last.safetensors")[0] for run in (tmp_path / "a", whole))
    weights = [name for name in ours if name.endswith(("weight", "bias"))]
    assert all((ours[name] == theirs[name]).all() for name in weights)
    capsys.readouterr()
    assert train(*flags, "--run-dir", tmp_path / "b", "--model", "uwnet1") == 2
    err = capsys.readouterr().err
    assert err.startswith("cynet train: error: --init-from: ")
    assert "; shape of " in err and "unexpected: " in err
    assert not (tmp_path / "b").exists()


def test_a_checkpoint_is_not_taken_for_weights(whole, tmp_path, capsys):
    assert train(*FLAGS, "--init-from", whole / "last.ckpt", "--run-dir", tmp_path / "a") == 2
    err = capsys.readouterr().err
    assert f"--init-from: {whole / 'last.ckpt'} is a checkpoint: wanted weights" in err
    (tmp_path / "text.toml").write_text("steps = 3000000000000")
    assert train(*FLAGS, "--init-from", tmp_path / "text.toml", "--run-dir", tmp_path / "a") == 2
    err = capsys.readouterr().err
    wanted = "wanted weights in a safetensors file, got a text (TOML)"
    assert f"error: --init-from: {tmp_path / 'text.toml'}: {wanted}" in err


def test_the_weights_that_a_run_begins_with_are_known_by_their_bytes(
    whole, tmp_path, stop, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(whole / "last.safetensors", "start.safetensors")
    with pytest.raises(stop(3)):
        train(*FLAGS, "--init-from", "start.safetensors", "--run-dir", "run")
    monkeypatch.undo()
    monkeypatch.chdir("/")
    assert train("--resume", tmp_path / "run", "--steps", 4, "--allow-change", "steps") == 0
    assert cli.main(["verify", str(tmp_path / "run")]) == 0
    (tmp_path / "run" / "last.ckpt").unlink()
    (tmp_path / "run" / "last.prev.ckpt").unlink(missing_ok=True)
    shutil.copy(tmp_path / "run" / "last.safetensors", tmp_path / "start.safetensors")
    capsys.readouterr()
    assert train("--resume", tmp_path / "run") == 2
    assert "wanted the weights that the run began with, SHA-256" in capsys.readouterr().err


def test_a_disk_without_room_is_refused_before_the_first_step(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))
    assert train(*FLAGS, "--run-dir", tmp_path / "run") == 2
    err = capsys.readouterr().err
    assert "a run needs" in err and "only 10 are free" in err
    assert not (tmp_path / "run").exists()


def test_a_limit_on_files_is_seen_before_the_first_step(tmp_path):
    code = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    code += f"import sys; sys.argv[1:] = {[*map(str, ('train', *FLAGS, '--run-dir', tmp_path / 'run'))]}; "
    code += f"runpy.run_path({tiny.__file__!r}, run_name='__main__')"
    keeping_none = environment_of(PYTHONDONTWRITEBYTECODE="1")  # it would be cut off, for those that share it
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=keeping_none
    )
    assert done.returncode == 2
    assert "cannot write" in done.stderr and "as a checkpoint takes: File too large" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_disk_that_fills_up_ends_the_run_with_its_checkpoint_intact(whole, tmp_path, monkeypatch, capsys):
    run, replace, count = tmp_path / "run", os.fsync, []

    def full(descriptor):
        count.append(descriptor)
        if len(count) > 25:
            raise OSError(28, "No space left on device")
        return replace(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert train(*FLAGS, "--run-dir", run) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not list(run.glob(".*.tmp"))
    monkeypatch.undo()
    assert train("--resume", run) == 0
    resumed_like(whole, run)


@pytest.mark.parametrize("batch_size", [8, 250])
def test_data_that_cannot_be_read_any_more_cost_no_step(whole, tmp_path, monkeypatch, capsys, batch_size):
    """The training's pictures in the second epoch, or the test's at its end."""
    walk, run, walks = DataLoader.__iter__, tmp_path / "run", []

    def broken(loader):
        walks.append(loader) if loader.batch_size == batch_size else None
        for number, batch in enumerate(walk(loader)):
            if len(walks) == 2 and loader.batch_size == batch_size and number == min(3, len(loader) - 1):
                raise OSError(5, "cannot read cat.png: Input/output error")
            yield batch

    monkeypatch.setattr(DataLoader, "__iter__", broken)
    monkeypatch.setattr(Estimate, "stepped", lambda *_: None)  # which looks at a test batch too,
    monkeypatch.setattr(Doctor, "evaluated", lambda *_: None)  # as this does
    assert train(*FLAGS, "--run-dir", run, "--checkpoint-minutes", 0) == 1
    out, err = capsys.readouterr()
    step = 11 if batch_size == 8 else 16
    assert err == f"cynet train: error: after step {step}: cannot read cat.png: Input/output error\n"
    assert f"to go on: cynet train --resume {run}" in out
    assert checkpoint.load(run / "last.ckpt")[1]["step"] == step
    monkeypatch.undo()
    assert train("--resume", run) == 0
    resumed_like(whole, run)


def test_a_folder_of_data_that_is_gone_is_refused_before_the_first_step(broken_off, tmp_path, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    assert train(*FLAGS, "--data-dir", gone, "--run-dir", tmp_path / "a", "--steps", 1) == 0
    gone.rmdir()
    capsys.readouterr()
    assert train("--resume", tmp_path / "a") == 2
    assert f"--data-dir: no such file or folder: {gone}" in capsys.readouterr().err
    assert train("--resume", tmp_path / "a", "--data-dir", tmp_path) == 0


def test_a_run_finds_its_data_from_another_folder(tmp_path, stop, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "pictures").mkdir(parents=True)
    there.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(stop(5)):
        train(*FLAGS, "--data-dir", "pictures", "--run-dir", "run")
    monkeypatch.undo()
    monkeypatch.chdir(there)
    assert cli.main(["verify", "../here/run"]) == 0
    assert train("--resume", "../here/run") == 0


def test_the_second_signal_stops_at_once(whole, tmp_path, stop, monkeypatch, capsys):
    run, save = tmp_path / "run", checkpoint.save

    def interrupted(path, tensors, state):
        if state["step"] == 9:
            os.kill(os.getpid(), signal.SIGTERM)
        save(path, tensors, state)

    stop(9, signal.SIGTERM)
    monkeypatch.setattr(checkpoint, "save", interrupted)
    assert train(*FLAGS, "--run-dir", run) == 143
    assert f"stopped at once; {run / 'last.ckpt'} is the last checkpoint" in capsys.readouterr().out
    assert checkpoint.load(run / "last.ckpt")[1]["step"] == 8
    monkeypatch.undo()
    assert train("--resume", run) == 0
    resumed_like(whole, run)
