"""What a run says at its beginning and at its end, and where it breaks: the numbers."""

import numpy as np
import pytest
import tiny

from cynet import cli
from cynet.cli.parser import Failure
from cynet.runs import beginning, divergence, ending
from cynet.runs.settings import DEFAULTS
from cynet.runs.weights import save_weights
from cynet.train import Diverged, Recorder, RunFolder, Session, Settings, load_weights

pytestmark = pytest.mark.usefixtures("one_thread")
RUN = ("--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "12", "--lr", ".01", "--no-report")


def begin(path, *more):
    return cli.main(["train", *RUN, *map(str, more), "--run-dir", str(path)])


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
    origins = dict.fromkeys(DEFAULTS, "default") | {"warmup": origin}
    found = beginning._warmed_up(Settings(steps=steps, warmup=warmup, batch_size=8), 64, origins)
    assert found.warmup == wanted
    assert ("cut to a tenth" in origins["warmup"]) == (wanted != warmup)


def test_steps_that_follow_from_epochs_have_their_origin():
    origins = dict.fromkeys(DEFAULTS, "default") | {"epochs": "recipe x"}
    settings = Settings(epochs=2, batch_size=8, data="tiny", workers=0)
    with beginning.session_of(settings, tiny.tiny(), tiny.tiny(split="test"), origins) as session:
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


@pytest.mark.parametrize(("flags", "called"), [((), "--data"), (("--data-dir", "."), "--data-dir")])
def test_pictures_that_cannot_be_read_are_told_by_the_flag_that_names_them(
    monkeypatch, capsys, flags, called
):
    def broken(*given, **more):
        raise ValueError("wanted pictures, got none")

    monkeypatch.setattr("cynet.data.load", broken)
    assert cli.main(["train", *RUN, *flags]) == 2
    assert capsys.readouterr().err == f"cynet train: error: {called}: wanted pictures, got none\n"


# -- the end -----------------------------------------------------------------------------------------------
def test_the_end_has_the_best_its_step_and_the_sum_of_the_weights(tmp_path, capsys):
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
        folder.metrics.add("8,1,0.1,1,0.9,2,0.75,3")
        folder.metrics.add("16,2,0.1,1,0.9,2,0.25,3")
        folder.close()
        save_weights(folder.weights, one.model, one.facts)
        save_weights(folder.best, one.model, one.facts)
        best = {"accuracy": 0.75, "step": 8, "epoch": 1}
        one.trainer.steps = 16
        assert not ending.is_tested(one, folder)
        found = ending.tested(one, folder, best)
        assert ending.is_tested(one, folder)
        one.trainer.steps = 17
        assert not ending.is_tested(one, folder)
        monkeypatch.setattr("cynet.runs.validation.read_tested", lambda folder: {"before": before})
        ending.conclude(one, folder, best, found, print)
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


@pytest.mark.parametrize(("share", "weights"), [("0", "last.safetensors"), ("0.25", "best.safetensors")])
def test_the_page_at_the_end_is_of_the_weights_that_the_run_came_to(
    tmp_path, monkeypatch, capsys, share, weights
):
    written = []

    def write(runs, output, **more):
        assert more.pop("say")
        written.append((runs[0].path, output, more))
        if len(written) == 2:
            raise OSError(28, "No space left on device", "page")

    monkeypatch.setattr("cynet.report.writing.write", write)
    flags = [*RUN[:-1], "--validation", share]
    for name, note in (("a", ""), ("b", "note: no report.html: page: No space left on device\n")):
        run = tmp_path / name
        assert cli.main(["train", *flags, "--run-dir", str(run)]) == 0
        assert written[-1] == (run, run / "report.html", {"weights": weights})
        out = capsys.readouterr().out
        assert (note in out if note else "note: no report" not in out) and out.splitlines()[-1].startswith(
            "test acc"
        )


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
        path = folder.path / "last.ckpt"
        if loss is not None:
            path.touch()
            folder.metrics.add(f"8,1,0.1,{loss},0.9,2,0.75,3")
            folder.close()
        if best:
            folder.best.touch()
        divergence._ways_out(one, folder, said.append)
    names = {"CKPT": path, "BEST": folder.best, "RUN": folder.path}
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
        divergence.explain(one, folder, error, print)
        kept = np.load(folder.path / "diverged.npz")
        assert kept["step"] == 3 and kept["samples"].tolist() == one.batches.order(0)[16:24].tolist()
        np.testing.assert_array_equal(kept["x"], x)
        np.testing.assert_array_equal(kept["class_weights"], one.class_weights)
    out = capsys.readouterr().out
    assert f"the weights before that step are in {folder.path / 'diverged.safetensors'}, its batch in" in out
