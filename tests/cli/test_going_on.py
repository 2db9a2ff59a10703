"""What a run that goes on decides, and says: the numbers."""

import json
import os
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import tiny  # noqa: F401

from cynet import cli
from cynet.cli.gathering import Flags
from cynet.cli.parser import UsageError
from cynet.runs import changes
from cynet.runs.errors import RefusedError
from cynet.runs.settings import DEFAULTS
from cynet.train import Recorder, RunFolder, Settings

pytestmark = pytest.mark.usefixtures("one_thread")
RUN = ("--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "12", "--lr", ".01", "--no-report")


def begin(path, *more):
    return cli.main(["train", *RUN, *map(str, more), "--run-dir", str(path)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("going") / "run"
    assert begin(path) == 0
    return path


# -- going on ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("before", "now", "step", "said"), [
    ({"lr": 0.1}, {"lr": 0.2}, 5, None), ({"lr": 0.1}, {"lr": 0.21}, 5, "0.1 to 0.21"),
    ({"lr": 0.1}, {"lr": 0.05}, 5, None), ({"lr": 0.1}, {"lr": 0.049}, 5, "0.1 to 0.049"),
    ({"lr_steps": {5: 0.01}}, {"lr_steps": {6: 0.01}}, 5, "0.01 to 0.1"),
    ({"lr_steps": {5: 0.01}}, {"lr_steps": {6: 0.01}}, 4, None),
    ({"lr_steps": {5: 0.01}}, {"lr_steps": {6: 0.01}}, 6, None),
    ({"schedule": "cosine"}, {"schedule": "cosine", "steps": 40}, 20, "0.000616 to 0.05"),
    ({"schedule": "cosine"}, {"schedule": "constant", "steps": 40}, 20, "0 to 0.1"),
    ({"schedule": "cosine"}, {"schedule": "cosine"}, 10, None),
])  # fmt: skip
def test_a_rate_that_jumps_by_more_than_two_is_told(before, now, step, said):
    stored, settings = (Settings(**{"steps": 20} | values).resolved(100_000) for values in (before, now))
    lines = list(changes.jump(stored, SimpleNamespace(settings=settings), step))
    assert lines == ([] if said is None else [
        f"the learning rate goes from {said} here, as the changed settings want it"
    ])  # fmt: skip


@pytest.mark.parametrize(("steps", "wanted"), [(4, False), (5, True), (6, True)])
def test_the_rates_of_steps_have_begun_at_the_first_of_them(steps, wanted):
    session = SimpleNamespace(
        settings=Settings(lr_steps={5: 0.1, 9: 0.1}), trainer=SimpleNamespace(steps=steps)
    )
    assert changes.by_steps(session) is wanted
    session.settings = Settings()
    assert changes.by_steps(session) is False


def test_what_may_be_changed_together():
    names = Flags()
    assert changes.allowed([], names) == set() and changes.allowed(["batch-size"], names) == {"batch_size"}
    assert changes.allowed(["epochs"], names) == {"epochs", "steps"}
    assert changes.allowed(["steps"], names) == {"steps"}
    assert changes.allowed(["schedule"], names) == {"schedule", "lr_steps"}
    assert changes.allowed(["lr_steps"], names) == {"lr_steps"}
    with pytest.raises(UsageError, match=r"--allow-change: no such setting: xyzzy \(one of model, "):
        changes.allowed(["xyzzy"], names)
    for allowed, origin, wanted in (
        ({"steps"}, "default", {"steps", "lr_steps"}), ({"lr"}, "default", {"lr", "lr_steps"}),
        ({"lr"}, "flag", {"lr"}), ({"seed"}, "default", {"seed"}), (set(), "default", set()),
    ):  # fmt: skip
        assert changes.with_derived(allowed, {"lr_steps": origin}) == wanted


def test_what_the_run_derived_is_derived_anew():
    names = Flags()
    stored = Settings(steps=20, threads=3, workers=2).resolved(100_000)
    origins = dict.fromkeys(DEFAULTS, "default") | {"steps": "flag"}
    values, now = changes.merged(stored, origins, {"steps": 40}, names)
    assert (values["steps"], values["lr_steps"], now["steps"]) == (40, None, "flag")
    assert (values["threads"], values["workers"]) == (None, "auto")
    values, _ = changes.merged(stored, origins, {"seed": 4}, names)
    assert (values["lr_steps"], values["seed"]) == (stored.lr_steps, 4)
    for given in ({"lr": 0.5}, {"epochs": 3}):
        assert changes.merged(stored, origins, given, names)[0]["lr_steps"] is None
    given = origins | {"lr_steps": "flag", "threads": "flag", "workers": "flag"}
    values, _ = changes.merged(stored, given, {"steps": 40}, names)
    assert (values["lr_steps"], values["threads"], values["workers"]) == (stored.lr_steps, 3, 2)
    values, now = changes.merged(stored, given, {"schedule": "cosine"}, names)
    assert (values["lr_steps"], now["lr_steps"]) == (None, "default")


def test_the_best_is_gone_where_a_later_row_is_above_it(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for step, accuracy, rate in ((8, 0.5, 0.1), (16, 0.7, 0.1), (24, 0.6, "odd")):
        folder.metrics.add(f"{step},1,{rate},1,1,1,{accuracy},0")
    folder.close()
    best = {"accuracy": 0.5, "step": 8, "epoch": 1}
    assert not changes.best_is_gone(folder, best, 8)  # there is no file of it
    folder.best.touch()
    assert changes.best_is_gone(folder, best, 8) and changes.best_is_gone(folder, best, 16)
    assert not changes.best_is_gone(folder, best, 24)
    assert not changes.best_is_gone(folder, best | {"accuracy": 0.7}, 8)
    assert changes.best_is_gone(folder, None, 0) and not changes.best_is_gone(folder, None, 24)


def test_a_finished_run_says_what_it_came_to(finished, capsys):
    assert cli.main(["train", "--resume", str(finished)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{finished} is finished: 12 of 12 steps",
        f"to train for longer: --allow-change steps --steps N; weights in {finished / 'last.safetensors'}",
    ]


def test_what_is_changed_is_said_with_both_values(finished, tmp_path, capsys):
    run = shutil.copytree(finished, tmp_path / "run")
    flags = ("--steps", "20", "--momentum", ".5", "--allow-change", "steps", "--allow-change", "momentum")
    assert cli.main(["train", "--resume", str(run), "--no-report", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "going on after step 12, in epoch 2" in lines
    assert "changed: steps from 12 to 20" in lines and "changed: momentum from 0.9 to 0.5" in lines
    assert "by flag: data tiny, batch_size 8, steps 20, lr 0.01, momentum 0.5, workers 0" in lines
    part = json.loads((run / "env.json").read_text())["resumed"][-1]
    assert part["after_step"] == 12 and part["changed"] == {"steps": [12, 20], "momentum": [0.9, 0.5]}


# -- what a run that goes on is told -----------------------------------------------------------------------
@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copied")


def go_on(run, *more):
    return cli.main(["train", "--resume", str(run), "--no-report", *more])


@pytest.mark.parametrize("flag", ["--run-dir", "--config", "--recipe", "--init-from"])
def test_what_a_run_that_goes_on_has_of_its_own_is_refused(copied, capsys, flag):
    assert go_on(copied, flag, "x") == 2
    assert capsys.readouterr().err == (
        f"cynet train: error: {flag}: not allowed with --resume, which takes all of it from the run\n"
    )


def test_where_no_checkpoint_is_sound_the_weights_that_are_left_are_named(copied, capsys):
    for name in ("last.ckpt", "last.prev.ckpt"):
        (copied / name).write_bytes(b"x")
    assert go_on(copied) == 2
    left = f"; the weights are still in {copied / 'last.safetensors'} (--init-from)\n"
    assert capsys.readouterr().err.endswith(left)
    (copied / "last.safetensors").unlink()
    assert go_on(copied) == 2
    assert "the weights are still" not in capsys.readouterr().err


def test_another_machine_is_told(copied, capsys):
    environment = json.loads((copied / "env.json").read_text())
    (copied / "env.json").write_text(json.dumps(environment | {"numpy": "0.1"}))
    assert go_on(copied, "--steps", "13", "--allow-change", "steps") == 0
    out = capsys.readouterr().out
    assert f"note: the last bits may differ from here on: numpy: 0.1 against {np.__version__}\n" in out
    parts = json.loads((copied / "env.json").read_text())
    assert parts["numpy"] == "0.1" and parts["resumed"][-1]["numpy"] == np.__version__


@pytest.mark.parametrize(("first", "told"), [(12, True), (13, False)])
def test_a_rate_that_changes_nothing_any_more_is_told(tmp_path, monkeypatch, capsys, first, told):
    run, stepped = tmp_path / "run", Recorder.stepped

    def stop(recorder, progress):
        stepped(recorder, progress)
        if progress.step == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "stepped", stop)
        assert begin(run, "--steps", "20", "--lr-steps", f"{first}:.02") == 143
    assert go_on(run, "--lr", ".011", "--allow-change", "lr") == 0
    line = "--lr changes nothing from here on: lr_steps say the rates"
    assert (line in capsys.readouterr().out) == told


# -- the data ------------------------------------------------------------------------------------------------
def place_of(**data):
    """A run's folder whose env.json tells this of its data."""
    return SimpleNamespace(read_environment=lambda: {"data": data} if data else {})


def test_other_data_are_refused_where_they_are_not_changed_on_purpose():
    names, training = Flags(), SimpleNamespace(fingerprint=lambda: "10x2")
    for folder, changed in (
        (place_of(), {}), (place_of(fingerprint="10x2"), {}),
        (place_of(fingerprint="9x1"), {"data": ("a", "b")}),
    ):  # fmt: skip
        changes.same_data(folder, training, changed, names)
    with pytest.raises(RefusedError) as caught:
        changes.same_data(place_of(fingerprint="9x1"), training, {"lr": (1, 2)}, names)
    assert str(caught.value) == (
        "--resume: wanted the data set with fingerprint 9x1, got 10x2: the data are not those that the run "
        "began with"
    )


def test_other_pictures_held_out_are_refused_where_the_data_are_not_changed_on_purpose():
    names, said, changed = Flags(), [], {"data": ("a", "b")}
    now = SimpleNamespace(division=SimpleNamespace(record=lambda: {"sha256": "abc"}))
    none = SimpleNamespace(division=SimpleNamespace(record=lambda: None))
    for folder in (place_of(), place_of(validation={"sha256": "abc"})):
        changes.same_held_out(folder, now, {}, said.append, names)
        changes.same_held_out(folder, now, changed, said.append, names)
    assert said == []
    other = place_of(validation={"sha256": "xyz"})
    changes.same_held_out(other, now, changed, said.append, names)
    assert said == [
        "note: the pictures held out are drawn anew from the changed data: some may have been trained on"
    ]
    for session, got in ((now, "abc"), (none, "None")):
        with pytest.raises(RefusedError) as caught:
            changes.same_held_out(other, session, {"lr": (1, 2)}, said.append, names)
        assert str(caught.value) == (
            "--resume: wanted the pictures held out that the run began with, digest xyz, got "
            f"{got}: the labels or the way of drawing are not the same"
        )


@pytest.mark.parametrize(("changed", "problems", "told"), [
    ({"momentum": (0.9, 0)}, ["missing: a"],
     "momentum (was 0.9, got 0): missing: a: wanted it as it was (--init-from RUN begins another run from "
     "its weights)"),
    ({"momentum": (0.9, 0), "lr": (1, 2), "model": ("a", "b")}, ["missing: a", "unexpected: b", "c"],
     "momentum (was 0.9, got 0), model (was a, got b): missing: a and 2 more: wanted it as it was (--run-dir "
     "begins another run)"),
    ({"lr": (1, 2), "seed": (3, 4)}, ["c", "d"],
     "lr (was 1, got 2), seed (was 3, got 4): c and 1 more: wanted it as it was (--run-dir begins another "
     "run)"),
])  # fmt: skip
def test_tensors_that_no_allowance_makes_fit_are_told_with_their_settings(changed, problems, told):
    changes._same_tensors(changed, [], "RUN", Flags())
    with pytest.raises(RefusedError) as caught:
        changes._same_tensors(changed, problems, "RUN", Flags())
    assert str(caught.value) == f"--resume: the checkpoint does not fit {told}"
