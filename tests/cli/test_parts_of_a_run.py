"""A run in two parts: its clock, its log, its events, its bar and its times go on where they were."""

import itertools
import os
import signal
from types import SimpleNamespace

import pytest
import tiny  # noqa: F401

from cynet import cli
from cynet.cli import terminal
from cynet.runs import checkpoint, estimate, recorder, tensorboard
from cynet.train import Recorder, RunFolder, diagnosis

pytestmark = pytest.mark.usefixtures("one_thread")
RUN = ("--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "21", "--lr", ".01", "--no-report")


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A function: a run that is stopped after 11 of 21 steps, and goes on; what its two parts said."""

    def train(*more, between=lambda: None):
        run, stepped = tmp_path / "run", Recorder.stepped

        def stop(one, progress):
            stepped(one, progress)
            if progress.step == 11:
                os.kill(os.getpid(), signal.SIGTERM)

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "stepped", stop)
            assert cli.main(["train", *RUN, *more, "--run-dir", str(run)]) == 143
        between()
        assert cli.main(["train", "--resume", str(run), "--no-report"]) == 0
        return RunFolder.open(run)

    return train


def test_the_log_is_what_was_said_by_both(parts, capsys):
    folder = parts()
    said = capsys.readouterr().out
    log = (folder.path / "log.txt").read_text()
    assert log == said and log.count("going on after step 11, in epoch 2\n") == 1


def test_time_goes_on_and_what_lay_between_does_not_count(parts, monkeypatch):
    clock = SimpleNamespace(ticks=itertools.count(5000))
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: float(next(clock.ticks))))

    def between():
        clock.ticks = itertools.count(900_000)

    folder = parts(between=between)
    seconds = [float(row["seconds"]) for row in folder.steps.rows()]
    assert len(seconds) == 21 and seconds == sorted(seconds) and seconds[-1] < 200
    measured = [float(row["seconds"]) for row in folder.metrics.rows()]
    assert seconds[7] < measured[0] < seconds[8] and measured[-1] > seconds[-1]
    assert checkpoint.load(folder.path / "last.ckpt")[1]["seconds"] > seconds[-1]


def test_events_go_on_and_what_came_after_is_dropped(parts, monkeypatch):
    calls = []

    class Writer:
        def __init__(self, folder, purge_step):
            calls.append((os.path.basename(folder), purge_step))

        def add_scalar(self, tag, value, step):
            calls.append((tag, step))

        def flush(self):
            pass

        def close(self):
            calls.append("close")

    monkeypatch.setattr(tensorboard, "writer_class", lambda: Writer)
    parts("--tensorboard")

    def steps(*numbers):
        return [(f"training/{name}", step) for step in numbers for name in ("loss", "lr")]

    def test(step):
        return [("test/loss", step), ("test/accuracy", step)]

    assert calls == [
        ("tensorboard", None), *steps(1), *test(8), *steps(10), "close",
        ("tensorboard", 12), *test(16), *steps(20), *test(21), "close",
    ]  # fmt: skip


def test_the_screen_and_the_estimate_are_told_where_the_run_stands(parts, monkeypatch):
    made, times = [], []
    screen = terminal.Terminal

    def noted(*given, **more):
        say = more.pop("say")
        made.append((given, more))
        return screen(*given, **more, say=say)

    monkeypatch.setattr(terminal, "Terminal", noted)
    monkeypatch.setattr(estimate, "STEPS", 2)
    monkeypatch.setattr(estimate.Estimate, "_tell", lambda self, step, seconds: times.append(step))
    parts()
    told = [((21, 8), {"done": done, "what": "images"}) for done in (0, 11)]
    assert made == told and times == [3, 14]


def test_findings_are_said_on_the_screen_and_in_the_log(parts, monkeypatch, capsys):
    finding = diagnosis.Finding("kind", "seen", "cause", "advice")
    monkeypatch.setattr(diagnosis.Doctor, "stepped", lambda self, progress: self.report(finding))
    folder = parts()
    line = "diagnosis: seen. Likely cause: cause. Try: advice.\n"
    assert capsys.readouterr().out.count(line) == 2  # once in each part
    assert (folder.path / "log.txt").read_text().count(line) == 2


def test_the_best_of_the_first_part_is_kept_by_the_second(parts, monkeypatch):
    accuracies = iter([0.9, 0.5, 0.7])
    evaluated = Recorder.evaluated

    def scripted(one, result):
        test = SimpleNamespace(loss=1.0, accuracy=next(accuracies))
        evaluated(one, SimpleNamespace(**vars(result) | {"test": test}))

    monkeypatch.setattr(Recorder, "evaluated", scripted)
    folder = parts()
    state = checkpoint.load(folder.path / "last.ckpt")[1]
    assert state["best"] == {"accuracy": 0.9, "step": 8, "epoch": 1}
    assert [float(row["test_accuracy"]) for row in folder.metrics.rows()] == [0.9, 0.5, 0.7]


def test_origins_are_kept_by_both(parts):
    folder = parts()
    _, origins = folder.read_config()
    assert origins["lr"] == "flag" and origins["momentum"] == "default"
    assert checkpoint.load(folder.path / "last.ckpt")[1]["origin"]["lr"] == "flag"


def test_as_many_steps_are_verified_as_asked_for_and_twenty_where_nobody_says(parts, capsys):
    folder = parts()
    for flags, steps, kept in (
        ((), 20, "0, 1, 2, 5, 8, 10, 16, 20"), (("--steps", "21"), 21, "0, 1, 2, 5, 8, 10, 16, 20, 21"),
        (("--steps", "99"), 21, "0, 1, 2, 5, 8, 10, 16, 20, 21"), (("--steps", "1"), 1, "0, 1"),
    ):  # fmt: skip
        capsys.readouterr()
        assert cli.main(["verify", str(folder.path), *flags]) == 0
        line = capsys.readouterr().out.splitlines()[-1]
        assert line == f"equal: {steps} losses, and every tensor after step {kept}"
