"""`cynet train` with its further options, from the command line."""

import json
import tomllib

import numpy as np
import pytest
import tiny

from cynet import cli
from cynet.cli.parser import UsageError
from cynet.data.workers import auto
from cynet.runs.origins import read
from cynet.train import Settings, load_weights

FLAGS = ("--data", "tiny", "--batch-size", 8, "--workers", 0, "--steps", 21, "--lr", 0.01)


pytestmark = pytest.mark.usefixtures("one_thread")


def said(capsys, command, *arguments):
    more = ["--no-report"] if command == "train" else []
    status = cli.main([command, *more, *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a plain run, a."""
    folder = tmp_path_factory.mktemp("runs")
    assert cli.main(["train", "--no-report", *map(str, (*FLAGS, "--run-dir", folder / "a"))]) == 0
    return folder


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
    half, whole = ((tmp_path / name / "last.safetensors").read_bytes() for name in ("half", "whole"))
    assert half == whole
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
    assert "Conv2d(3, 8" in out and "total" in out and "estimate: " not in out  # an epoch ends sooner
    assert "estimate: " in said(capsys, "train", *FLAGS[:2], "--batch-size", 4, *FLAGS[4:], "--run-dir",
                                tmp_path / "longer")[1]  # fmt: skip
    weights = [(run / "last.safetensors").read_bytes() for run in (tmp_path / "run", runs / "a")]
    assert weights[0] == weights[1]  # what was timed changed nothing


# -- workers -----------------------------------------------------------------------------------------------
OPEN = FLAGS[:4] + FLAGS[6:]  # without --workers


@pytest.mark.parametrize(("threads", "processors", "workers"), [
    (1, 1, 0), (2, 2, 0), (1, 2, 1), (8, 2, 0), (14, 16, 1), (16, 16, 0),
])  # fmt: skip
def test_a_training_has_a_worker_where_a_processor_is_free_for_it(monkeypatch, threads, processors, workers):
    monkeypatch.setattr(auto, "processors", lambda: processors)
    assert auto.beside(threads)[0] == workers
    assert Settings(threads=threads).resolved(4000).workers == workers
    assert Settings(threads=threads, workers=5).resolved(4000).workers == 5


def test_what_is_chosen_is_said_and_kept_and_changes_no_byte(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(auto, "processors", lambda: 2)
    for name, flags, workers in (("a", ("--threads", 1), 1), ("b", ("--workers", "auto", "--threads", 2), 0)):
        status, out, _ = said(capsys, "train", *OPEN, *flags, "--run-dir", tmp_path / name)
        assert status == 0 and f", {workers} loader workers; run" in out
        counts = f"{flags[-1]} thread{'s' if flags[-1] > 1 else ''}, the machine 2 processors"
        assert f"workers {workers} chosen: the kernels have {counts}\n" in out
        config = tomllib.loads((tmp_path / name / "config.toml").read_text())
        environment = json.loads((tmp_path / name / "env.json").read_text())
        assert config["workers"] == environment["workers"] == workers
        assert config["origin"]["workers"] == "default"
        plain, other = ((run / "last.safetensors").read_bytes() for run in (runs / "a", tmp_path / name))
        assert plain == other
    assert "workers 0 chosen" not in said(capsys, "train", *FLAGS, "--run-dir", tmp_path / "given")[1]


def test_a_run_that_goes_on_elsewhere_chooses_anew_unless_it_was_told(tmp_path, monkeypatch, capsys):
    for name, flags in (("open", ()), ("told", ("--workers", 0))):
        assert said(capsys, "train", *OPEN, *flags, "--run-dir", tmp_path / name)[0] == 0
    monkeypatch.setattr(auto, "processors", lambda: 64)
    for name, flags, workers in (("open", (), 1), ("told", (), 0), ("told", ("--workers", "auto"), 1)):
        steps = ("--steps", 23 + len(flags), "--allow-change", "steps")
        assert said(capsys, "train", "--resume", tmp_path / name, *steps, *flags)[0] == 0
        environment = json.loads((tmp_path / name / "env.json").read_text())
        assert environment["resumed"][-1]["workers"] == workers


def test_workers_are_a_number_or_auto_in_a_file_too(tmp_path):
    path = tmp_path / "mine.toml"
    for text, wanted in (('"auto"', "auto"), ("2", 2), ("0", 0)):
        path.write_text(f"workers = {text}\n")
        assert read(path, "--config") == {"workers": wanted}
    for text, words in (('"many"', "wanted a whole number of at least 0, got 'many' (or auto)"),
                        ("true", "wanted a number, got True"), ("65", "from 0 to 64, got '65'")):  # fmt: skip
        path.write_text(f"workers = {text}\n")
        with pytest.raises(UsageError) as caught:
            read(path, "--config")
        assert words in str(caught.value)
