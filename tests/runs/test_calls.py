"""A run from Python: `cynet.runs.start` and `resume`, what they return, refuse and raise."""

import fcntl
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny  # noqa: F401
from helpers import run_python

import cynet
from cynet import cli
from cynet.data import DataLoader
from cynet.runs import FailedError, Outcome, RefusedError, filenames, nets
from cynet.runs.recorder import Keeper, Recorder
from cynet.train import Observer, RunFolder, Settings

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = {"data": "tiny", "batch_size": 8, "workers": 0, "threads": 1, "steps": 12, "lr": 0.01}


def start(path, report=False, say=None, observers=(), **more):
    settings = Settings(**SETTINGS | more)
    return cynet.runs.start(settings, path, report=report, say=say, observers=observers)


class Killing(Observer):
    """Sends a signal to this process after a step, some times."""

    def __init__(self, step, times=1):
        self.step, self.times = step, times

    def stepped(self, progress):
        if progress.step == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("calls") / "whole"
    assert start(path).status == "finished"
    return path


# -- what is returned --------------------------------------------------------------------------------------
def test_a_run_that_is_finished_tells_what_it_came_to(tmp_path):
    said = []
    found = start(tmp_path / "run", say=said.append, validation=0.25)
    assert isinstance(found, Outcome) and (found.status, found.step, found.steps) == ("finished", 12, 12)
    assert (found.folder, found.measure, found.signal, found.error) == (
        tmp_path / "run", "validation", None, None,
    )  # fmt: skip
    rows = RunFolder.open(tmp_path / "run").metrics.rows()
    assert found.best["accuracy"] == pytest.approx(max(row["validation_accuracy"] for row in rows), abs=1e-6)
    assert found.last.step == 12 and found.last.measure == "validation" and found.test.samples.sum() == 20
    assert found.weights.exists() and found.best_weights.exists()
    assert said[-1].endswith(f"test accuracy {found.test.accuracy:.4f}")
    wanted = f"finished after 12 of 12 steps: {tmp_path / 'run'}; best validation accuracy"
    assert str(found).startswith(wanted)
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "\n".join(said[-3:]) in log and "by python: data tiny, validation 0.25, batch_size 8" in log


def test_it_is_the_run_of_the_command(whole, tmp_path):
    flags = ("--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "12", "--lr", ".01")
    assert cli.main(["train", *flags, "--no-report", "--run-dir", str(tmp_path / "run")]) == 0
    for name in ("last.safetensors", "best.safetensors", "digests.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()
    assert {path.name for path in whole.iterdir()} == {path.name for path in (tmp_path / "run").iterdir()}


@pytest.mark.parametrize("step", [5, 8, 11])
def test_ctrl_c_stops_it_with_a_checkpoint_and_it_goes_on_to_the_same_bytes(whole, tmp_path, step):
    said, before = [], signal.getsignal(signal.SIGINT)
    found = start(tmp_path / "run", say=said.append, observers=[Killing(step)])
    assert (found.status, found.step, found.signal) == ("stopped", step, signal.SIGINT)
    assert found.advice == (f"to go on: cynet.runs.resume({str(tmp_path / 'run')!r})",) and found.test is None
    assert said[-2].endswith(found.advice[0]) and (tmp_path / "run" / "last.ckpt").exists()
    assert signal.getsignal(signal.SIGINT) is before
    found = cynet.runs.resume(tmp_path / "run", report=False, say=None)
    assert (found.status, found.step) == ("finished", 12) and found.advice == ()
    for name in ("last.safetensors", "best.safetensors", "digests.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()


def test_a_second_ctrl_c_is_raised_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", observers=[Killing(5, times=2)])
    assert "stopped at once; there is no checkpoint yet" in (tmp_path / "run" / "log.txt").read_text()
    assert cynet.runs.resume(tmp_path / "run", report=False, say=None).status == "finished"


def test_a_run_that_the_command_began_goes_on_from_python_and_the_other_way_round(whole, tmp_path, capsys):
    start(tmp_path / "run", observers=[Killing(5)])
    assert cli.main(["train", "--resume", str(tmp_path / "run"), "--no-report"]) == 0
    assert "by python: data tiny" in capsys.readouterr().out
    found = cynet.runs.resume(tmp_path / "run", steps=14, allow_change=["steps"], report=False, say=None)
    assert (found.status, found.step, found.steps) == ("finished", 14, 14)


def test_a_finished_run_says_how_it_is_trained_for_longer(whole):
    found = cynet.runs.resume(whole, say=None)
    assert (found.status, found.step, found.test) == ("finished", 12, None)
    assert found.advice == ("to train for longer: allow_change=['steps'] steps=N",)


def test_a_run_that_diverges_is_an_outcome_with_its_reason(tmp_path):
    found = start(tmp_path / "run", lr=1e30, batch_norm=False)
    assert found.status == "diverged" and found.step < 12 and found.test is None
    assert found.error.endswith("try a lower learning rate (it was 1e+30)")
    assert (tmp_path / "run" / "log.txt").read_text().endswith(f"error: {found.error}\n")
    assert (tmp_path / "run" / "diverged.npz").exists()


def test_patience_at_its_end_is_an_end(tmp_path):
    found = start(tmp_path / "run", steps=400, lr=0.0, patience=2)
    assert (found.status, found.step, found.steps) == ("finished", 24, 400)


def test_the_page_is_written_unless_nobody_wants_it(tmp_path, capsys):
    assert start(tmp_path / "a", report=True, say=print).folder == tmp_path / "a"
    assert (tmp_path / "a" / "report.html").exists() and "report.html: " in capsys.readouterr().out
    start(tmp_path / "b")
    assert not (tmp_path / "b" / "report.html").exists() and capsys.readouterr().out == ""
    calls = []
    start(tmp_path / "c", report=lambda *given, **more: calls.append((*given, more["weights"])))
    assert calls == [(tmp_path / "c", tmp_path / "c" / filenames.PAGE, "last.safetensors")]


def test_without_a_place_it_lies_in_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [start(None).folder for _ in range(2)] == [Path(f"runs/uwnet2-tiny-{number}") for number in (1, 2)]


def test_in_another_thread_it_trains_without_signals(whole, tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(start(tmp_path / "run")))
    thread.start()
    thread.join()
    assert found[0].status == "finished"
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def test_two_runs_at_once_have_a_log_each(tmp_path):
    inner = []

    class Within(Observer):
        def evaluated(self, result):
            if not inner:
                inner.append(start(tmp_path / "inner", say=print))

    start(tmp_path / "outer", observers=[Within()])
    outer = (tmp_path / "outer" / "log.txt").read_text()
    assert f"run {tmp_path / 'outer'}" in outer and f"run {tmp_path / 'inner'}" not in outer


PROGRAM = """
import cynet
import numpy as np
pictures = np.random.default_rng(0).integers(0, 256, (40, 3, 32, 32), np.uint8)
cynet.data.register("few", lambda root, split: cynet.data.ArrayDataset(pictures, np.arange(40) % 2))
settings = cynet.train.Settings(data="few", steps=3, batch_size=8, workers=1, threads=1)
found = cynet.runs.start(settings, "run", say=None, report=False)
print(found.status, cynet.runs.open("run").settings.workers)
"""


def test_a_notebook_needs_no_guard(tmp_path):
    done = run_python("-c", PROGRAM, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished 1\n", "")


# -- what is refused and what breaks -----------------------------------------------------------------------
@pytest.mark.parametrize(("more", "words"), [
    ({"lr": -1.0}, "lr: wanted a number of at least 0, got '-1.0'"),
    ({"lr": "x"}, "lr: wanted a number, got 'x'"),
    ({"steps": 5, "epochs": 1}, "epochs: not allowed with argument steps (give one of the two)"),
    ({"lr_steps": {3: 0.1}, "schedule": "cosine"}, "lr_steps: wanted the schedule steps, got cosine"),
    ({"balanced": True, "class_weights": "balanced"}, "balanced: not allowed with argument class_weights"),
    ({"model": "uwnet9"}, "model: wanted one of uwnet0, "), ({"data": "tny"}, "data: wanted one of "),
    ({"data_dir": "/nowhere"}, "data_dir: no such file or folder: /nowhere"),
    ({"batch_size": 65}, "batch_size: wanted at most the 64 training samples, got 65"),
    ({"warmup": 12}, "warmup: wanted less than the run's 12 steps, got 12"),
    ({"init_from": "/nowhere"}, "init_from: cannot read /nowhere: No such file"),
    ({"skip_damaged": True}, "skip_damaged: wanted pictures in files"),
])  # fmt: skip
def test_settings_that_cannot_be_are_refused_by_name(tmp_path, more, words):
    with pytest.raises(RefusedError) as caught:
        start(tmp_path / "run", **more)
    assert str(caught.value).startswith(words) and not (tmp_path / "run").exists()
    assert isinstance(caught.value, ValueError)


def test_a_folder_that_is_not_new_is_refused(whole):
    with pytest.raises(RefusedError, match="run_dir: wanted a new or empty folder"):
        start(whole)
    with pytest.raises(TypeError, match="settings: wanted Settings, got dict"):
        cynet.runs.start(SETTINGS)


@pytest.mark.parametrize(("more", "words"), [
    ({"steps": 20},
     "folder: the weights depend on steps (was 12, got 20): wanted allow_change=['steps'] beside it"),
    ({"validation": 0.5}, "validation: wanted 0.0, as the run began, got 0.5"),
    ({"epochs": 3, "steps": 4}, "epochs: not allowed with argument steps"),
    ({"stps": 3}, "stps: no such setting (did you mean steps?)"),
    ({"xyzzy": 3}, "xyzzy: no such setting (one of model, "), ({"lr": None}, "lr: wanted a number, got None"),
    ({"init_from": "x"}, "init_from: wanted no weights to begin from"),
    ({"allow_change": ["xyzzy"]}, "allow_change: no such setting: xyzzy (one of model, "),
    ({"allow_change": "stp"}, "allow_change: no such setting: stp ("),
])  # fmt: skip
def test_changes_that_may_not_be_are_refused_by_name(whole, more, words):
    before = {path.name: path.read_bytes() for path in whole.iterdir() if path.is_file()}
    with pytest.raises(RefusedError) as caught:
        cynet.runs.resume(whole, say=None, **more)
    assert str(caught.value).startswith(words)
    assert {path.name: path.read_bytes() for path in whole.iterdir() if path.is_file()} == before


def test_what_is_no_run_does_not_go_on(tmp_path):
    with pytest.raises(RefusedError, match="folder: no such run folder: "):
        cynet.runs.resume(tmp_path / "nix")


def test_data_that_cannot_be_read_any_more_leave_a_checkpoint(whole, tmp_path, monkeypatch):
    walk = DataLoader.__iter__

    def broken(loader):
        for number, batch in enumerate(walk(loader)):
            if number == 5 and loader.batch_size == 8:
                raise OSError(5, "Input/output error", "disk")
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(DataLoader, "__iter__", broken)
        with pytest.raises(FailedError, match="after step 5: disk: Input/output error"):
            start(tmp_path / "run")
    assert cynet.runs.resume(tmp_path / "run", report=False, say=None).status == "finished"
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def test_a_full_disk_is_told_with_the_step_and_how_to_go_on(tmp_path, monkeypatch):
    def full(recorder, progress):
        raise OSError(28, "No space left on device", "steps.csv")

    monkeypatch.setattr(Recorder, "stepped", full)
    with pytest.raises(FailedError, match=r"after step 1: steps.csv: No space .*cynet\.runs\.resume\('"):
        start(tmp_path / "run")


def test_numbers_and_paths_of_other_kinds_are_taken(tmp_path):
    weights = start(tmp_path / "first").weights
    found = start(
        tmp_path / "run", steps=np.int64(8), lr=np.float32(0.25), init_from=weights,
        lr_steps={4: np.float64(0.125)},
    )  # fmt: skip
    settings = cynet.runs.open(found.folder).settings
    assert (settings.steps, settings.lr, settings.lr_steps) == (8, 0.25, {4: 0.125})
    assert settings.init_from == str(weights)


def test_a_listener_that_is_gone_ends_no_training(tmp_path):
    said = []

    def gone(line):
        said.append(line)
        if len(said) == 3:
            raise BrokenPipeError(32, "Broken pipe")

    assert start(tmp_path / "run", say=gone).status == "finished" and len(said) == 3
    assert "note: standard output is gone (Broken pipe)" in (tmp_path / "run" / "log.txt").read_text()


def test_what_a_training_ended_with_is_told_also_where_it_cannot_be_saved(tmp_path, monkeypatch):
    walk = DataLoader.__iter__

    def broken(loader):
        for number, batch in enumerate(walk(loader)):
            if number == 5 and loader.batch_size == 8:
                raise OSError(5, "Input/output error", "disk")
            yield batch

    def full(keeper):
        raise OSError(28, "No space left on device", "last.ckpt")

    monkeypatch.setattr(DataLoader, "__iter__", broken)
    monkeypatch.setattr(Keeper, "save", full)
    with pytest.raises(FailedError) as caught:
        start(tmp_path / "run")
    assert str(caught.value) == (
        "after step 5: disk: Input/output error; then last.ckpt: No space left on device; to go on from the "
        f"stored configuration: cynet.runs.resume({str(tmp_path / 'run')!r})"
    )


def test_a_lock_that_another_took_meanwhile_does_not_hide_what_broke(tmp_path):
    held = []

    class Taking(Observer):
        def stepped(self, progress):
            if progress.step == 3:
                (tmp_path / "run" / ".lock").unlink()
                held.append((tmp_path / "run" / ".lock").open("w"))
                fcntl.flock(held[0], fcntl.LOCK_EX)
                raise OSError(5, "Input/output error", "mine.txt")

    try:
        with pytest.raises(FailedError) as caught:
            start(tmp_path / "run", observers=[Taking()])
    finally:
        held[0].close()
    assert str(caught.value).startswith(
        "after step 3: mine.txt: Input/output error; to go on from the stored"
    )


UNKNOWN = """
import cynet

class Own(cynet.Sequential):
    pass

def net(input_shape, classes):
    layers = cynet.Conv2d(input_shape[-1], 4, 3, stride=4), cynet.GlobalAvgPool2d(), cynet.Linear(4, classes)
    return Own(*layers)
"""


def test_a_run_goes_on_with_the_net_whose_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(nets, "HERE", {})
    file = f"{tmp_path / 'own.py'}:net"
    (tmp_path / "own.py").write_text(UNKNOWN)
    start(tmp_path / "whole", model=file)
    found = start(tmp_path / "run", model=file, observers=[Killing(5)])
    assert (found.status, found.step) == ("stopped", 5)
    with pytest.raises(
        RefusedError, match=rf"^folder: wanted model='{file}' beside it: its net has layers that"
    ):
        cynet.runs.resume(tmp_path / "run", report=False, say=None)
    (tmp_path / "other.py").write_text(UNKNOWN + "# another\n")
    with pytest.raises(
        RefusedError, match=r"^model: wanted the code that the run began with, SHA-256 [0-9a-f]+"
    ):
        cynet.runs.resume(tmp_path / "run", report=False, say=None, model=f"{tmp_path / 'other.py'}:net")
    found = cynet.runs.resume(tmp_path / "run", report=False, say=None, model=file)
    assert (found.status, found.step) == ("finished", 12)
    one, other = (tmp_path / name / "last.safetensors" for name in ("whole", "run"))
    assert one.read_bytes() == other.read_bytes()
