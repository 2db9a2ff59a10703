"""What a terminal is told of a training: every number of its lines, by a clock of the test's."""

import errno
import math
import os
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from cynet.cli import terminal
from cynet.cli.terminal import Terminal, accuracies, duration, say
from cynet.runs import estimate, lines
from cynet.runs.log import Voice
from cynet.train import Session, Settings
from cynet.train.loop import Progress, Result
from cynet.train.metrics import Evaluation

TEST = Evaluation(1.25, np.array([2, 2]), np.array([[2, 0], [1, 1]]))


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test moves on."""
    now = SimpleNamespace(seconds=500.0)
    stub = SimpleNamespace(perf_counter=lambda: now.seconds)
    monkeypatch.setattr(lines, "time", stub)
    monkeypatch.setattr(estimate, "time", stub)
    return now


def steps(screen, clock, first, last, seconds, images=8):
    for step in range(first, last + 1):
        clock.seconds += seconds
        screen.stepped(Progress(step, 1, 0.1, 2.0, images, 4))


def result(step, **more):
    values = {
        "step": step,
        "epoch": 3,
        "lr": 0.0123456,
        "train_loss": 2.0,
        "test": TEST,
        "train_accuracy": 0.4,
    }
    return Result(**values | more)


def said(capsys):
    (line,) = capsys.readouterr().out.splitlines()
    return line


def test_a_line_has_the_numbers_of_its_evaluation(clock, capsys):
    screen = Terminal(100, 8, bar=False)
    steps(screen, clock, 1, 20, 0.5)
    screen.evaluated(result(20))
    assert said(capsys) == (
        "epoch 3  step 20/100  loss 2.0000  accuracy 0.4000  test loss 1.2500  test accuracy 0.7500  "
        "lr 0.0123  16 images/s  40 s left"
    )
    screen.evaluated(result(100, measure="validation", train_loss=123456.0))
    line = said(capsys)
    assert "loss 1.235e+05  " in line and "validation loss 1.2500  validation accuracy 0.7500" in line
    assert line.endswith(" 0 s left")


@pytest.mark.parametrize(("done", "left"), [(0, "80 s left"), (10, "3 min left"), (19, "27 min left")])
def test_what_is_left_follows_from_the_steps_of_this_part(clock, capsys, done, left):
    """Of a run that goes on the steps before took no time now."""
    screen = Terminal(100, 8, bar=False, done=done)
    clock.seconds += 20
    screen.evaluated(result(20))
    assert said(capsys).endswith(f"  {left}"), done


def test_the_speed_is_that_of_the_steps_since_the_line_before(clock, capsys):
    """Evaluations are no part of it."""
    screen = Terminal(100, 8, bar=False)
    steps(screen, clock, 1, 10, 0.5)
    clock.seconds += 100
    screen.evaluated(result(10))
    assert " 16 images/s" in said(capsys)
    steps(screen, clock, 11, 20, 0.001, images=10)
    clock.seconds += 100
    screen.evaluated(result(20))
    assert " 10,000 images/s" in said(capsys)
    screen.evaluated(result(20))
    assert " 0 images/s" in said(capsys)


@pytest.mark.parametrize(("seconds", "words"), [
    (0, "0 s"), (0.0123, "0.012 s"), (9.99, "10 s"), (9.94, "9.9 s"), (10, "10 s"), (99.4, "99 s"),
    (100, "2 min"),
    (89 * 60, "89 min"), (99.4 * 60, "99 min"), (99.6 * 60, "1 h 40 min"), (100 * 60, "1 h 40 min"),
    (7200, "2 h 0 min"), (7260, "2 h 1 min"),
])  # fmt: skip
def test_times_change_their_unit_where_they_are_said_to(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("loss", "words"), [
    (0.00004, "0.0000"), (99999.9, "99999.9000"), (1e5, "1e+05"), (123456789, "1.235e+08"), (math.inf, "inf"),
])  # fmt: skip
def test_a_great_loss_is_short(loss, words):
    assert lines._loss(loss) == words


# -- the bar -----------------------------------------------------------------------------------------------
class Bar:
    """A bar of tqdm's that notes what it is told."""

    def __init__(self, **settings):
        self.settings, self.told = settings, []

    def __getattr__(self, name):
        return lambda *arguments, **more: self.told.append((name, *arguments))


@pytest.fixture
def bars(monkeypatch):
    made = []
    monkeypatch.setattr("tqdm.tqdm", lambda **settings: made.append(Bar(**settings)) or made[-1])
    return made


def test_the_bar_counts_images_from_where_the_run_stands(bars, clock):
    screen = Terminal(100, 8, bar=True, done=30)
    (bar,) = bars
    assert (bar.settings["total"], bar.settings["initial"], bar.settings["unit"]) == (800, 240, " images")
    assert bar.settings["unit_scale"] is True and bar.settings["leave"] is False
    screen.stepped(Progress(31, 1, 0.0123456, 2.0, 8, 4))
    screen.stepped(Progress(32, 1, 0.1, 1.0, 8, 8))
    assert bar.told == [
        ("set_postfix_str", "loss 2.0000, acc 0.500, lr 0.0123"), ("update", 8), ("update", 8),
    ]  # fmt: skip
    for step in range(33, 42):
        screen.stepped(Progress(step, 1, 0.1, 1.0, 8, 8))
    loss, accuracy = 1 + 0.95**10, 1 - 0.5 * 0.95**10
    assert ("set_postfix_str", f"loss {loss:.4f}, acc {accuracy:.3f}, lr 0.1") in bar.told
    screen.close()
    assert bar.told[-1] == ("close",)


def test_the_bar_and_the_lines_of_a_text_count_tokens(bars, clock, capsys):
    screen = Terminal(100, 7.5, bar=True, done=30, what="tokens")
    (bar,) = bars
    assert (bar.settings["total"], bar.settings["initial"], bar.settings["unit"]) == (750, 225, " tokens")
    steps(screen, clock, 31, 50, 0.5, images=8)
    screen.evaluated(result(50))
    assert "  16 tokens/s  " in said(capsys)


def test_a_line_stands_above_the_bar(bars, clock, capsys):
    screen = Terminal(100, 8, bar=True)
    screen.say("words")
    assert [name for name, *_ in bars[0].told] == ["clear", "refresh"] and said(capsys) == "words"


def test_there_is_a_bar_on_a_terminal_alone(bars, monkeypatch):
    for is_one in (False, True):
        monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda is_one=is_one: is_one))
        assert (Terminal(10, 8).bar is not None) == is_one
    assert Terminal(10, 8, bar=False).bar is None and len(bars) == 1


def test_without_a_terminal_any_more_there_is_no_bar(bars, clock, monkeypatch):
    screen = Terminal(100, 8, bar=True)
    silenced = []
    monkeypatch.setattr(terminal, "_silence", silenced.append)

    def gone(*_):
        raise OSError(errno.EIO, "gone")

    bars[0].update = gone
    screen.stepped(Progress(2, 1, 0.1, 1.0, 8, 8))
    assert screen.bar is None and len(silenced) == 1
    screen.stepped(Progress(3, 1, 0.1, 1.0, 8, 8))
    screen.close()


# -- the log -----------------------------------------------------------------------------------------------
def test_what_is_said_and_the_error_that_ends_it_are_logged(tmp_path, capsys):
    path = tmp_path / "log.txt"
    path.write_text("before\n")
    say = Voice()
    with pytest.raises(OSError, match="cannot"), say.logged(path):
        say("one", 2)
        say.log("three")
        raise OSError(5, "cannot", "a.png")
    say("four")
    assert path.read_text() == "before\none 2\nthree\nerror: a.png: cannot\n"
    assert capsys.readouterr().out == "one 2\nfour\n"


def test_the_log_goes_on_in_what_takes_its_place(tmp_path, capsys):
    path, say = tmp_path / "log.txt", Voice()
    with say.logged(path) as log:
        say("one")
        assert log.renew() is None
        os.replace(path, tmp_path / "kept")
        assert log.renew() == f"note: {path} was removed or replaced: further lines go to what is there"
        assert log.renew() is None
        say("two")
        os.link(path, tmp_path / "snapshot")
        assert log.renew() is None
        say("three")
    found = [(tmp_path / name).read_text() for name in ("kept", "snapshot", "log.txt")]
    assert found == ["one\n", "two\n", "two\nthree\n"]


def test_a_link_in_the_place_of_the_log_stops_nothing_and_is_said_once(tmp_path, capsys):
    path, victim = tmp_path / "log.txt", tmp_path / "victim"
    victim.write_text("kept")
    say = Voice()
    with say.logged(path) as log:
        os.replace(path, tmp_path / "moved")
        path.symlink_to("victim")
        link = "wanted a file to write and no link, got a link, to victim"
        said = f"note: what is said is not kept: {path}: {link}"
        assert [log.renew(), log.renew()] == [said, None]
        say("one")
        path.unlink()
        assert "further lines go to what is there" in log.renew()
        say("two")
    assert victim.read_text() == "kept" and (tmp_path / "moved").read_text() == "one\n"
    assert path.read_text() == "two\n"


def test_a_program_that_is_stopped_is_no_error_in_the_log(tmp_path):
    say = Voice()
    with pytest.raises(KeyboardInterrupt), say.logged(tmp_path / "log.txt"):
        raise KeyboardInterrupt
    assert (tmp_path / "log.txt").read_text() == "" and not say._logs


def test_output_that_nobody_reads_is_an_error_where_no_log_tells_it(monkeypatch, tmp_path):
    class Full:
        encoding = "utf-8"

        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self):
            pass

        def fileno(self):
            raise OSError(errno.EBADF, "no file")

    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(OSError, match="No space"):
        say("words")
    voice = Voice(say)
    with pytest.raises(OSError, match="No space"):
        voice("words")
    with voice.logged(tmp_path / "log.txt"):
        voice("words")
    assert (tmp_path / "log.txt").read_text() == (
        "words\nnote: standard output is gone (No space left on device); "
        "what is said from here on is said here\n"
    )


def test_a_stream_is_silenced_for_good(tmp_path):
    with open(tmp_path / "file", "w") as file:
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else None
        terminal._silence(file)
        print("lost", file=file, flush=True)
        assert before is None or len(os.listdir("/proc/self/fd")) == before
    assert (tmp_path / "file").read_text() == ""


def test_accuracies_are_one_a_class_and_their_own():
    counts = np.array([1234, 0, 2])
    found = Evaluation(1.0, counts, np.array([[1000, 234, 0], [0, 0, 0], [0, 1, 1]]))
    assert accuracies(found, ("a", "long", "b"), "validation").splitlines() == [
        "a     0.8104  of 1,234", "long  no pictures", "b     0.5000  of 2", "validation accuracy 0.8099",
    ]  # fmt: skip


def test_what_a_terminal_can_show(monkeypatch):
    for encoding, wanted in (("ascii", False), ("utf-8", True), (None, True), ("latin-1", False)):
        monkeypatch.setattr("sys.stdout", SimpleNamespace(encoding=encoding))
        assert terminal.can_show("█") == wanted


# -- the estimate ------------------------------------------------------------------------------------------
@pytest.fixture
def estimated(clock, monkeypatch):
    """A function: what is said after steps of so many seconds, with a session of these numbers."""
    monkeypatch.setattr(estimate, "peak_memory", lambda: 300 * 2**20)
    monkeypatch.setattr(estimate, "available_memory", lambda: 2048 * 2**20)
    monkeypatch.setattr(estimate.Estimate, "_evaluation", lambda self: (0.001, 500))

    def tell(seconds, count, steps=1000, epoch=100, measure="test", workers=0, every=1):
        lines, session = [], SimpleNamespace(
            settings=SimpleNamespace(steps=steps, workers=workers, evaluate_every=every),
            batches=[0] * epoch, measure=measure, test_batches=SimpleNamespace(dataset=[0] * 250),
        )  # fmt: skip
        one = estimate.Estimate(session, lines.append)
        for step, pause in zip(range(1, count + 1), seconds, strict=False):
            clock.seconds += pause
            one.stepped(Progress(step, 1, 0.1, 1.0, 8))
        one.evaluated(None)
        one.stepped(Progress(99, 1, 0.1, 1.0, 8))
        return lines

    return tell


def test_the_estimate_is_of_the_steps_after_the_first(estimated):
    pauses = [50.0, *[0.25] * 11, 9.0]
    assert estimated(pauses, 12) == []
    assert estimated(pauses, 13) == [
        "estimate: 4 min for 987 steps of 250 ms and 10 evaluations of 0.5 s; "
        "300 MiB of memory (2,048 MiB are free)"
    ]


def test_slow_steps_are_told_after_ten_seconds(estimated):
    assert estimated([1, 9.99], 2) == []
    assert estimated([1, 10.0], 2)[0].startswith(
        "estimate: 2 h 46 min for 998 steps of 1e+04 ms and 10 evaluations"
    )
    assert estimated([1, 4, 4, 4], 4)[0].startswith("estimate: 66 min for 996 steps of 4e+03 ms and ")


def test_what_is_left_counts_evaluations_and_the_look_at_the_test_set(estimated):
    (line,) = estimated([0.0] * 13, 13, steps=114, epoch=12, measure="validation", workers=2)
    assert line.startswith("estimate: 4.8 s for 101 steps of 0 ms and 9 evaluations of 0.5 s; ")
    assert "300 MiB of memory beside its loader's workers (2,048" in line
    (line,) = estimated([0.0] * 13, 13, steps=14, epoch=14)
    assert line.startswith(
        "estimate: 0.5 s for 1 step of 0 ms and 1 evaluation of 0.5 s; 300 MiB of memory ("
    )
    (line,) = estimated(
        [0.0] * 13, 13, steps=110, epoch=10, every=3
    )  # after 3, 6 and 9 epochs, and at the end
    assert " and 4 evaluations of" in line


def test_memory_is_that_of_the_process_in_bytes(monkeypatch):
    used = SimpleNamespace(ru_maxrss=1234)
    monkeypatch.setattr(estimate.resource, "getrusage", lambda who: used)
    for platform, wanted in (("linux", 1234 * 1024), ("darwin", 1234)):
        monkeypatch.setattr(estimate.sys, "platform", platform)
        assert estimate.peak_memory() == wanted


@pytest.mark.parametrize(("share", "pictures"), [(0.0, 20), (0.25, 16)])
def test_an_evaluation_is_timed_a_picture_once_it_is_warm(clock, monkeypatch, share, pictures):
    from cynet.train import task

    training, seconds = tiny.tiny(), iter([100.0, 5.0])
    settings = Settings(data="tiny", batch_size=8, workers=0, steps=9, validation=share).resolved(training)

    def evaluate(model, batches):
        ((_, y),) = batches
        assert len(y) == pictures
        clock.seconds += next(seconds)

    monkeypatch.setattr(task, "evaluate", evaluate)
    with Session(settings, training, tiny.tiny(split="test")) as session:
        assert estimate.Estimate(session, print)._evaluation() == (5.0 / pictures, pictures)
