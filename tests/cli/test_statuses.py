"""How a command ends: its exit status, its one line, for every kind of failure and every signal."""

import errno
import os
import shlex
import signal
import subprocess
import sys

import pytest
import tiny  # noqa: F401
from helpers import environment_of
from settings_table import SETTINGS

from cynet import cli
from cynet.bench import measuring
from cynet.cli import config, ending
from cynet.cli import train as command
from cynet.cli.gathering import given
from cynet.cli.parser import Failure, Parser, UsageError, reason, refusing
from cynet.cli.values import integer, number
from cynet.report import repeating
from cynet.runs import configuration, ranges
from cynet.train import Recorder, RunFolder, Settings, Signals, Stopped

pytestmark = pytest.mark.usefixtures("one_thread")
RUN = ("--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "12", "--no-report")


@pytest.mark.parametrize(("ends", "status", "line"), [
    (UsageError("--x: wanted y, got z"), 2, "error: --x: wanted y, got z"),
    (Failure("after step 3: it broke"), 1, "error: after step 3: it broke"),
    (OSError(errno.ENOSPC, "No space left on device", "a.csv"), 1, "error: a.csv: No space left on device"),
    (OSError(errno.EIO, "a.csv: Input/output error", "a.csv"), 1, "error: a.csv: Input/output error"),
    (OSError("odd"), 1, "error: odd"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (ending.Terminated(), 143, "terminated"),
    (None, 0, None), (0, 0, None), (1, 1, None), (3, 3, None), (130, 130, None),
])  # fmt: skip
def test_each_end_has_its_status_and_its_line(monkeypatch, capsys, ends, status, line):
    def run(flags):
        if isinstance(ends, BaseException):
            raise ends
        return ends

    monkeypatch.setattr(config, "run", run)
    assert cli.main(["config"]) == status
    assert capsys.readouterr() == ("", "" if line is None else f"cynet config: {line}\n")


def test_what_is_wrong_in_the_program_itself_is_a_traceback(monkeypatch):
    monkeypatch.setattr(config, "run", lambda flags: {}["x"])
    with pytest.raises(KeyError):
        cli.main(["config"])


def test_the_statuses_are_those_that_are_documented():
    assert (ending.REFUSED, ending.FAILED, ending.INTERRUPTED, ending.TERMINATED, ending.CLOSED_PIPE) == (
        2,
        1,
        130,
        143,
        141,
    )


@pytest.mark.parametrize(
    ("words", "status"), [("config", 141), ("--help", 141), ("--version", 141), ("train --help", 0)]
)
def test_a_reader_that_went_away_is_no_error(words, status):
    """What is said at the very end meets it too."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "cynet", *words.split()], stdout=writer, stderr=subprocess.PIPE,
        timeout=60, env=environment_of(PYTHONUNBUFFERED=""),
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command_with_what_it_does(capsys, arguments):
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    width = max(map(len, cli.COMMANDS))
    for name, text in cli.COMMANDS.items():
        assert f"  {name:<{width}}  {text}\n" in out
    assert out.startswith("usage: cynet COMMAND [flags]\n") and out.endswith("--help lists its flags.\n")


def test_no_such_command_is_refused_with_what_was_meant(capsys):
    assert cli.main(["trian"]) == 2
    assert capsys.readouterr().err == "cynet: error: no such command: trian (did you mean train?)\n"
    assert cli.main(["xyzzy"]) == 2
    assert (
        capsys.readouterr().err
        == f"cynet: error: no such command: xyzzy (one of {', '.join(cli.COMMANDS)})\n"
    )


def test_a_script_calls_itself_by_its_own_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/somewhere/train.py", "--xyzzy"])
    assert cli.script("train") == 2
    assert capsys.readouterr().err == "train.py: error: unknown flag: --xyzzy (see --help)\n"
    assert cli.script("train", ["--xyzzy"], "other") == 2
    assert capsys.readouterr().err.startswith("other: error: ")


def test_sigterm_is_given_back_as_it_was(monkeypatch):
    seen = []
    monkeypatch.setattr(config, "run", lambda flags: seen.append(signal.getsignal(signal.SIGTERM)))
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert cli.main(["config"]) == 0
        assert callable(seen[0]) and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        with pytest.raises(ending.Terminated):
            seen[0](signal.SIGTERM, None)
        own = lambda *_: None  # noqa: E731
        signal.signal(signal.SIGTERM, own)
        assert cli.main(["config"]) == 0
        assert seen[1] is own and signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


# -- signals of a training ---------------------------------------------------------------------------------
@pytest.fixture
def sent(monkeypatch):
    """A function: let these signals come after the third step."""
    stepped = Recorder.stepped

    def send(*numbers):
        def stop(recorder, progress):
            stepped(recorder, progress)
            if progress.step == 3:
                for number in numbers:
                    os.kill(os.getpid(), number)

        monkeypatch.setattr(Recorder, "stepped", stop)

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may be ignored where the tests run
    yield send
    signal.signal(signal.SIGHUP, before)


INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.mark.parametrize(("numbers", "status"), [
    ((INT,), 130), ((TERM,), 143), ((HUP,), 129), ((INT, HUP), 130), ((HUP, HUP), 129), ((TERM, HUP), 143),
])  # fmt: skip
def test_the_first_signal_stops_with_its_own_status(sent, tmp_path, capfd, numbers, status):
    sent(*numbers)
    run = tmp_path / "run"
    assert cli.main(["train", *RUN, "--run-dir", str(run)]) == status
    out, err = capfd.readouterr()
    assert err == "stopping after this step, and saving; once more stops at once\n"
    assert out.splitlines()[-2:] == [
        f"checkpoint in {run / 'last.ckpt'}; to go on: cynet train --resume {run}",
        f"stopped by {signal.Signals(numbers[0]).name} after 3 steps; the weights so far are in "
        f"{run / 'last.safetensors'}",
    ]


@pytest.mark.parametrize(("numbers", "status"), [
    ((INT, INT), 130), ((TERM, INT), 143), ((HUP, TERM), 129), ((INT, TERM), 130),
])  # fmt: skip
def test_the_second_signal_stops_at_once_with_the_status_of_the_first(sent, tmp_path, capfd, numbers, status):
    sent(*numbers)
    run = tmp_path / "run"
    assert cli.main(["train", *RUN, "--run-dir", str(run)]) == status
    line = capfd.readouterr().out.splitlines()[-1]
    assert line == f"stopped at once; there is no checkpoint yet; to go on: cynet train --resume {run}"


def test_signals_are_noted_only_within_and_given_back():
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (INT, TERM)}
    before[HUP] = signal.signal(HUP, signal.SIG_IGN)  # as nohup leaves it
    try:
        with Signals() as signals:
            assert signals.pending is None and signal.getsignal(HUP) == signal.SIG_IGN
            signals.check()
            os.kill(os.getpid(), HUP)
            assert signals.pending is None
            os.kill(os.getpid(), TERM)
            assert signals.pending == TERM
            with pytest.raises(Stopped, match="SIGTERM") as caught:
                signals.check()
            assert caught.value.signal == TERM
        assert [signal.getsignal(number) for number in (INT, TERM, HUP)] == [
            signal.SIG_DFL, signal.SIG_DFL, signal.SIG_IGN
        ]  # fmt: skip
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("at", ["while it is made", "while it is used"])
def test_a_signal_takes_the_place_of_the_next_item(at):
    with Signals() as signals:
        used = []

        def made():
            for item in "abc":
                if item == "b" and at == "while it is made":
                    signals.pending = INT
                yield item

        with pytest.raises(Stopped):
            for item in signals.watch(made()):
                used.append(item)
                if item == "a" and at == "while it is used":
                    signals.pending = INT
        assert used == ["a"]


# -- what is refused, in words -----------------------------------------------------------------------------
@pytest.mark.parametrize(("error", "words"), [
    (ValueError("name: wanted a, got b"), "--x: wanted a, got b"),
    (ValueError("root: no such folder"), "--data-dir: no such folder"),
    (OSError(2, "No such file or directory", "a.txt"), "--x: a.txt: No such file or directory"),
    (ImportError("needs Pillow"), "--x: needs Pillow"),
])  # fmt: skip
def test_what_a_library_refuses_is_called_by_its_flag(error, words):
    with pytest.raises(UsageError) as caught, refusing("--x"):
        raise error
    assert str(caught.value) == words and caught.value.__cause__ is error


def test_what_is_no_refusal_goes_through():
    with pytest.raises(KeyError), refusing("--x"):
        raise KeyError("x")
    assert reason(OSError(2, "gone", b"a")) == "gone"


@pytest.mark.parametrize(("kind", "text", "words"), [
    (integer(2, 5), "1", "wanted a whole number of at least 2, got '1'"),
    (integer(2, 5), "6", "wanted a whole number from 2 to 5, got '6'"),
    (integer(2, 5), "x", "wanted a whole number of at least 2, got 'x'"),
    (number(0), "-1", "wanted a number of at least 0, got '-1'"),
    (number(0, 1), "1", "wanted a number of at least 0 and below 1, got '1'"),
    (ranges.above(0), "0", "wanted a number above 0, got '0'"),
    (ranges.one_of("aa", "bb"), "ab", "wanted one of aa, bb, got 'ab'"),
    (ranges.milestones, "3:.1,3:.2", "wanted steps above 0 that increase, got 3 after 3 in '3:.1,3:.2'"),
    (ranges.milestones, "3", "wanted STEP:RATE,... such as 300:.01,420:.001, got '3' in '3'"),
    (ranges.workers, "65", "wanted a whole number from 0 to 64, got '65' (or auto)"),
])  # fmt: skip
def test_a_text_that_is_no_value_is_told_what_was_wanted(kind, text, words):
    with pytest.raises(Exception, match="wanted") as caught:
        kind(text)
    assert str(caught.value).startswith(words)


# -- the command that repeats a run ------------------------------------------------------------------------
@pytest.mark.parametrize("name", SETTINGS)
def test_the_command_that_repeats_a_run_gives_it_the_same_settings(tmp_path, name):
    promise = SETTINGS[name]
    folder = RunFolder(tmp_path / "run")
    settings = Settings(**{name: promise.given})
    origins = dict.fromkeys(SETTINGS, "default") | {name: "flag"}
    folder.write_config(settings.flat(), origins)
    config = configuration.read(folder.path / "config.toml").told  # as the page takes it
    program, train, *words = shlex.split(repeating.command(config))
    origins = config.pop("origin")
    assert (program, train) == ("cynet", "train")
    kept = not promise.free or name == "data_dir"
    assert bool(words) == kept
    parser = Parser("train", "")
    command.add_flags(parser)
    assert given(parser.parse_args(words)) == ({name: promise.given} if kept else {})
    alone = repeating.command(config)  # without origins what differs from the defaults is told
    assert alone == repeating.command(config | {"origin": origins})
    assert repeating.command(config | {"origin": {name: "default"}}) == "cynet train"


def test_paths_of_a_repeated_run_are_quoted():
    origins = {"data": "flag", "data_dir": "flag", "augment": "flag"}
    config = {"data": "tiny", "data_dir": "a b/c", "augment": False, "origin": origins}
    assert repeating.command(config) == "cynet train --data tiny --data-dir 'a b/c' --no-augment"


@pytest.mark.parametrize(
    ("error", "line"), [(MemoryError(), "peak: out of memory"), (MemoryError("x"), "peak: x")]
)
def test_an_error_without_a_text_is_told_by_what_it_is(monkeypatch, capsys, error, line):
    def broken(*_):
        raise error

    monkeypatch.setitem(measuring.RUNS, "peak", broken)
    assert cli.main(["bench", "peak"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"cynet bench: error: {line}"


def test_a_study_without_memory_says_in_which_run(monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")

    def broken(*_):
        raise MemoryError
        yield

    monkeypatch.setattr("cynet.study.study.study", broken)
    assert (
        cli.main(
            ["batchnorm_study", "--data", "tiny", "--batch-size", "8", "--run-dir", str(tmp_path / "run")]
        )
        == 1
    )
    assert capsys.readouterr().err == "cynet batchnorm_study: error: run 1: MemoryError\n"
