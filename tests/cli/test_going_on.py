"""What a run says and decides at its beginning and end, where it goes on, and where it breaks."""

import json
import os
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from cynet import cli
from cynet.cli import ending, lr_find, options, resume, runs, terminal, train, verify
from cynet.cli.parser import Failure, UsageError
from cynet.cli.stored import Stored
from cynet.train import Diverged, Recorder, RunFolder, Session, Settings, load_weights
from cynet.train.replay import Difference
from cynet.train.weights import save_weights

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
    lines = list(resume._jump(stored, SimpleNamespace(settings=settings), step))
    assert lines == ([] if said is None else [
        f"the learning rate goes from {said} here, as the changed settings want it"
    ])  # fmt: skip


@pytest.mark.parametrize(("steps", "wanted"), [(4, False), (5, True), (6, True)])
def test_the_rates_of_steps_have_begun_at_the_first_of_them(steps, wanted):
    session = SimpleNamespace(
        settings=Settings(lr_steps={5: 0.1, 9: 0.1}), trainer=SimpleNamespace(steps=steps)
    )
    assert resume._by_steps(session) is wanted
    session.settings = Settings()
    assert resume._by_steps(session) is False


def test_what_may_be_changed_together():
    assert resume._allowed([]) == set() and resume._allowed(["batch-size"]) == {"batch_size"}
    assert resume._allowed(["epochs"]) == {"epochs", "steps"} and resume._allowed(["steps"]) == {"steps"}
    assert resume._allowed(["schedule"]) == {"schedule", "lr_steps"} and resume._allowed(["lr_steps"]) == {
        "lr_steps"
    }
    with pytest.raises(UsageError, match=r"--allow-change: no such setting: xyzzy \(one of model, "):
        resume._allowed(["xyzzy"])
    for allowed, origin, wanted in (
        ({"steps"}, "default", {"steps", "lr_steps"}), ({"lr"}, "default", {"lr", "lr_steps"}),
        ({"lr"}, "flag", {"lr"}), ({"seed"}, "default", {"seed"}), (set(), "default", set()),
    ):  # fmt: skip
        assert resume._with_derived(allowed, {"lr_steps": origin}) == wanted


def test_what_the_run_derived_is_derived_anew():
    stored = Settings(steps=20, threads=3, workers=2).resolved(100_000)
    origins = dict.fromkeys(options.DEFAULTS, "default") | {"steps": "flag"}
    values, now = resume._merged(stored, origins, {"steps": 40})
    assert (values["steps"], values["lr_steps"], now["steps"]) == (40, None, "flag")
    assert (values["threads"], values["workers"]) == (None, "auto")
    values, _ = resume._merged(stored, origins, {"seed": 4})
    assert (values["lr_steps"], values["seed"]) == (stored.lr_steps, 4)
    for given in ({"lr": 0.5}, {"epochs": 3}):
        assert resume._merged(stored, origins, given)[0]["lr_steps"] is None
    given = origins | {"lr_steps": "flag", "threads": "flag", "workers": "flag"}
    values, _ = resume._merged(stored, given, {"steps": 40})
    assert (values["lr_steps"], values["threads"], values["workers"]) == (stored.lr_steps, 3, 2)
    values, now = resume._merged(stored, given, {"schedule": "cosine"})
    assert (values["lr_steps"], now["lr_steps"]) == (None, "default")


def test_the_best_is_gone_where_a_later_row_is_above_it(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for step, accuracy in ((8, 0.5), (16, 0.7), (24, 0.6)):
        folder.metrics.add(f"{step},1,.1,1,1,1,{accuracy},0")
    folder.sync()
    best = {"accuracy": 0.5, "step": 8, "epoch": 1}
    assert not resume._best_is_gone(folder, best, 8)  # there is no file of it
    folder.best.touch()
    assert resume._best_is_gone(folder, best, 8) and resume._best_is_gone(folder, best, 16)
    assert not resume._best_is_gone(folder, best, 24)
    assert not resume._best_is_gone(folder, best | {"accuracy": 0.7}, 8)
    assert resume._best_is_gone(folder, None, 0) and not resume._best_is_gone(folder, None, 24)


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


# -- the beginning -----------------------------------------------------------------------------------------
def test_the_start_has_the_numbers_of_the_net_and_of_the_pictures(tmp_path, capsys):
    assert begin(tmp_path / "run", "--no-batch-norm", "--validation", "0.25") == 0
    lines = capsys.readouterr().out.splitlines()
    parameters = sum(p.size for p in load_weights(tmp_path / "run")[0].parameters())
    (line,) = (line for line in lines if line.startswith("model "))
    assert line.startswith(f"model uwnet2: {parameters:,} parameters, ") and line.endswith(
        "activation bytes a picture"
    )
    assert "data tiny: 48 training, 16 validation and 20 test pictures of 3 classes" in lines
    assert f"12 steps of 8; 1 threads, 0 loader workers; run {tmp_path / 'run'}" in lines
    assert [line[:8] for line in lines if line.startswith("epoch")] == ["epoch 1 ", "epoch 2 "]


@pytest.mark.parametrize(("steps", "warmup", "origin", "wanted"), [
    (40, 39, "recipe x", 39), (40, 40, "recipe x", 4), (39, 40, "recipe x", 3), (5, 40, "recipe x", 0),
])  # fmt: skip
def test_the_warm_up_of_a_recipe_is_cut_where_it_is_the_whole_run(steps, warmup, origin, wanted):
    origins = dict.fromkeys(options.DEFAULTS, "default") | {"warmup": origin}
    found = train._warmed_up(Settings(steps=steps, warmup=warmup, batch_size=8), 64, origins)
    assert found.warmup == wanted
    assert ("cut to a tenth" in origins["warmup"]) == (wanted != warmup)


def test_steps_that_follow_from_epochs_have_their_origin():
    origins = dict.fromkeys(options.DEFAULTS, "default") | {"epochs": "recipe x"}
    settings = Settings(epochs=2, batch_size=8, data="tiny", workers=0)
    with train.session_of(settings, tiny.tiny(), tiny.tiny(split="test"), origins) as session:
        assert session.settings.steps == 16 and origins["steps"] == "recipe x"


def test_a_folder_that_was_made_in_vain_is_taken_away(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def full(folder, size):
        raise OSError(28, "run: a run needs room")

    monkeypatch.setattr(RunFolder, "reserve", full)
    assert cli.main(["train", *RUN]) == 2
    assert capsys.readouterr().err == (
        "cynet train: error: run: a run needs room (--run-dir DIR keeps the run elsewhere)\n"
    )
    assert cli.main(["train", *RUN, "--run-dir", "mine"]) == 2
    assert capsys.readouterr().err == "cynet train: error: --run-dir: run: a run needs room\n"
    assert [path.name for path in tmp_path.iterdir()] == ["runs"] and not list((tmp_path / "runs").iterdir())


# -- the end -----------------------------------------------------------------------------------------------
def test_the_end_has_the_best_its_step_and_the_sum_of_the_weights(finished, tmp_path, capsys):
    import hashlib

    run = tmp_path / "run"
    assert begin(run) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = RunFolder.open(run).metrics.rows()
    best = max(rows, key=lambda row: float(row["test_accuracy"]))
    digest = hashlib.sha256((run / "last.safetensors").read_bytes()).hexdigest()
    assert lines[-6] == f"weights in {run / 'last.safetensors'}, SHA-256 {digest}"
    assert lines[-5] == (
        f"best test accuracy {float(best['test_accuracy']):.4f}, after {best['step']} steps: "
        f"{run / 'best.safetensors'} (chosen on the test set itself; --validation SHARE holds out pictures "
        "to choose on)"
    )
    assert lines[-1] == f"test accuracy {float(rows[-1]['test_accuracy']):.4f}"


@pytest.mark.parametrize(("before", "looked"), [([], "once"), ([8, 12], "again (before: after 8, 12 steps)")])
def test_the_end_of_a_run_that_held_pictures_out(tmp_path, monkeypatch, capsys, before, looked):
    with session(validation=0.25) as one:
        folder = RunFolder(tmp_path / "run")
        folder.write_config(one.settings.flat())
        folder.metrics.add("8,1,.1,1,.9,2,.75,3")
        folder.metrics.add("16,2,.1,1,.9,2,.25,3")
        folder.sync()
        save_weights(folder.weights, one.model, one.facts)
        save_weights(folder.best, one.model, one.facts)
        best = {"accuracy": 0.75, "step": 8, "epoch": 1}
        one.trainer.steps = 16
        assert not ending.is_tested(one, folder)
        found = ending.tested(one, folder, best)
        assert ending.is_tested(one, folder)
        one.trainer.steps = 17
        assert not ending.is_tested(one, folder)
        monkeypatch.setattr("cynet.train.validation.read_tested", lambda folder: {"before": before})
        ending.conclude(one, folder, best, found, False)
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[1]
        == f"best validation accuracy 0.7500, after 8 steps: {folder.best}; of the last weights 0.2500"
    )
    assert lines[2] == f"the test set, looked at {looked}, with the best weights:"
    assert lines[-1] == f"test accuracy {found.accuracy:.4f}" and found.samples.sum() == 20


def session(**settings):
    settings = {"data": "tiny", "batch_size": 8, "workers": 0, "steps": 12} | settings
    training = tiny.tiny()
    return Session(Settings(**settings).resolved(training), training, tiny.tiny(split="test"))


def test_weights_that_are_gone_at_the_end_are_told(tmp_path):
    with (
        session(validation=0.25) as one,
        pytest.raises(Failure, match=r"the test set was not looked at: .*best"),
    ):
        ending.tested(one, RunFolder(tmp_path / "run"), None)
    with session() as one:
        assert ending.tested(one, RunFolder(tmp_path / "run2"), None) is None
        assert ending.is_tested(one, RunFolder(tmp_path / "run3"))


# -- where it breaks ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("error", "line"), [
    (MemoryError(), "step 4: MemoryError"), (MemoryError("no 3 GiB"), "step 4: no 3 GiB"),
    (OSError(28, "No space left on device", "a.csv"),
     "after step 4: a.csv: No space left on device; to go on from the stored configuration: cynet train "
     "--resume RUN"),
])  # fmt: skip
def test_what_breaks_in_a_step_is_told_with_its_number(tmp_path, monkeypatch, capsys, error, line):
    stepped, step = Recorder.stepped, []

    def broken(recorder, progress):
        step.append(progress.step)
        if progress.step == 4:
            recorder.trainer.steps -= isinstance(error, MemoryError)  # as before the step
            raise error
        stepped(recorder, progress)

    monkeypatch.setattr(Recorder, "stepped", broken)
    assert begin(tmp_path / "run") == 1
    assert capsys.readouterr().err == f"cynet train: error: {line.replace('RUN', str(tmp_path / 'run'))}\n"
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.splitlines()[-1].startswith(f"error: {line[:20]}")


@pytest.mark.parametrize(("loss", "best", "settings", "words"), [
    (2.3, True, {}, ["the last checkpoint, CKPT, is spoilt too: its loss is 2.3",
                     "better begin anew from the best weights: cynet train --init-from BEST --lr RATE"]),
    (2.3, False, {}, ["the last checkpoint, CKPT, is spoilt too: its loss is 2.3"]),
    (2.1, True, {}, ["the last checkpoint, CKPT, is from before, and by itself would come to the same end; "
                     "with a lower rate: cynet train --resume RUN "
                     "--lr-steps STEP:RATE,... --allow-change lr-steps"]),
    (2.1, True, {"lr": 0.5}, [
        "the last checkpoint, CKPT, is from before, and by itself would come to the same end; "
        "with a lower rate: cynet train --resume RUN --lr RATE --allow-change lr"]),
    (None, True, {}, []),
])  # fmt: skip
def test_the_ways_out_of_a_divergence(tmp_path, loss, best, settings, words):
    said = []
    with session(**settings) as one:
        folder = RunFolder(tmp_path / "run")
        keeper = SimpleNamespace(path=folder.path / "last.ckpt")
        if loss is not None:
            keeper.path.touch()
            folder.metrics.add(f"8,1,.1,{loss},.9,2,.75,3")
            folder.sync()
        if best:
            folder.best.touch()
        train._ways_out(one, folder, keeper, said.append)
    names = {"CKPT": keeper.path, "BEST": folder.best, "RUN": folder.path}
    for name, path in names.items():
        words = [line.replace(name, str(path)) for line in words]
    assert said == words  # guessing among three classes gives 1.0986


def test_what_shows_a_divergence_again_is_kept(tmp_path, capsys):
    with session(class_weights="balanced") as one:
        folder = RunFolder(tmp_path / "run")
        folder.write_config(one.settings.flat())
        one.trainer.place.batch = 2
        x, y = next(iter(one.batches))
        error = Diverged(3, float("nan"), "training loss", (np.array(x), np.array(y)))
        train._explain(one, folder, SimpleNamespace(path=folder.path / "last.ckpt"), error)
        kept = np.load(folder.path / "diverged.npz")
        assert kept["step"] == 3 and kept["samples"].tolist() == one.batches.order(0)[16:24].tolist()
        np.testing.assert_array_equal(kept["x"], x)
        np.testing.assert_array_equal(kept["class_weights"], one.class_weights)
    out = capsys.readouterr().out
    assert f"the weights before that step are in {folder.path / 'diverged.safetensors'}, its batch in" in out


# -- tables ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "cell", "plain"), [
    (True, "yes", True), (False, "no", False), (None, "-", None), ("", "-", ""), ({}, "-", "{}"), (0, "0", 0),
    (0.5, "0.5", 0.5), (float("nan"), "nan", "nan"), (float("inf"), "inf", "inf"), ("a", "a", "a"),
])  # fmt: skip
def test_a_setting_as_a_cell_and_in_json(value, cell, plain):
    assert runs.shown(value) == cell
    assert runs.plain(value) == plain and type(runs.plain(value)) is type(plain)


def test_a_row_of_a_run_has_its_numbers_in_their_columns():
    def overview(name, measure, best, **more):
        values = {"best_step": 8, "step": 12, "steps": 16, "seconds": 125.0, "state": "stopped"} | more
        run = SimpleNamespace(name=name, config={})
        return SimpleNamespace(run=run, measure=measure, best=best, settings={}, **values)

    one = overview("a", "test", 0.123456)
    other = overview("b", "validation", None, best_step=None, step=None, steps=None, seconds=None)
    assert list(runs.rows([one])) == [
        ["run", "best test", "at step", "steps", "time", "state"],
        ["a", "0.1235", "8", "12/16", "2 min", "stopped"],
    ]
    heading, first, second = runs.rows([one, other])
    assert (
        heading[1] == "best" and first[1] == "0.1235 test" and second[1:] == ["-", "-", "-/-", "-", "stopped"]
    )


def test_the_loss_over_rates_is_drawn_from_the_least_to_the_first(monkeypatch):
    monkeypatch.setattr(terminal, "can_show", lambda text: False)
    smooth = np.array([3.0, 3.0, 3.0, 3.0, 2.0, 1.0, 2.0, 9.0])
    found = SimpleNamespace(rates=10.0 ** np.arange(-4, 4), smooth=smooth)
    lines = list(lr_find.drawn(found))
    assert [line.count("#") for line in lines] == [30, 30, 30, 30, 15, 0, 15, 30]
    assert lines[4] == "  lr 1         loss 2        " + "#" * 15 and lines[0].startswith(
        "  lr 0.0001    loss 3  "
    )
    found = SimpleNamespace(rates=np.arange(1.0, 151), smooth=np.linspace(3, 1, 150))
    lines = list(lr_find.drawn(found))
    assert len(lines) == 16 and lines[0].split()[1] == "1" and lines[-1].split()[1] == "1.5e+02"


@pytest.mark.parametrize(("share", "weights"), [("0", "last.safetensors"), ("0.25", "best.safetensors")])
def test_the_page_at_the_end_is_of_the_weights_that_the_run_came_to(
    tmp_path, monkeypatch, capsys, share, weights
):
    written = []

    def write(runs, output, **more):
        written.append((runs[0].path, output, more))
        if len(written) == 2:
            raise OSError(28, "No space left on device", "page")

    monkeypatch.setattr("cynet.cli.report.write", write)
    flags = [*RUN[:-1], "--validation", share]
    for name, note in (("a", ""), ("b", "note: no report.html: page: No space left on device\n")):
        run = tmp_path / name
        assert cli.main(["train", *flags, "--run-dir", str(run)]) == 0
        assert written[-1] == (run, run / "report.html", {"weights": weights})
        out = capsys.readouterr().out
        assert (note in out if note else "note: no report" not in out) and out.splitlines()[-1].startswith(
            "test acc"
        )


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


# -- what `verify` says ------------------------------------------------------------------------------------
DIFFERENCES = [
    Difference(7, "loss", 0.5, 0.25), Difference(5, "0.weight", "aa", "bb"),
    Difference(5, "0.bias", "cc", "dd"), Difference(5, "1.bias", "ee", "ff"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "limit", "environment", "status", "lines"), [
    ([], None, ["numpy: 1 against 2"], 0, ["equal: 9 losses, and every tensor after step 0, 2, 9"]),
    ([], 9, [], 0, ["settings were changed after step 9: only the steps up to it can be trained again",
                    "equal: 9 losses, and every tensor after step 0, 2, 9"]),
    (DIFFERENCES[:1], None, [], 1, ["differs at step 7: loss: 0.5 against 0.25 (kept, now)"]),
    (DIFFERENCES[1:2], None, [], 1, ["differs at step 5: 0.weight: aa against bb (kept, now)"]),
    (DIFFERENCES, None, ["numpy: 1 against 2", "cpu: a against b"], 1, [
        "differs at step 7: loss: 0.5 against 0.25 (kept, now)",
        "differs at step 5: 0.weight: aa against bb (kept, now)", "and 2 more tensors after step 5",
        "perhaps because of numpy: 1 against 2 (then, now)",
        "perhaps because of cpu: a against b (then, now)",
    ]),
])  # fmt: skip
def test_what_verify_found_is_told_with_its_steps(found, limit, environment, status, lines):
    history = SimpleNamespace(digests={9: {}, 0: {}, 2: {}, 10: {}})
    said, stored = [], SimpleNamespace(limit=limit, history=history)
    assert verify._told(stored, 9, found, environment, said.append) == status
    assert said == lines


@pytest.mark.parametrize(
    ("losses", "limit", "wanted"), [((1, 2, 3), None, 3), ((1, 2, 3), 2, 2), ((), None, 0), ((1, 2), 9, 2)]
)
def test_as_many_steps_can_be_trained_again_as_were_kept_with_the_first_settings(losses, limit, wanted):
    made = Stored.__new__(Stored)
    made.history, made.limit = SimpleNamespace(losses=dict.fromkeys(losses, 0.5)), limit
    assert made.steps == wanted
    for environment, fingerprint in (({"data": {"fingerprint": "f"}}, "f"), ({"data": {}}, None), ({}, None)):
        made.environment = environment
        assert made.fingerprint == fingerprint
