"""The command table, the help texts and the refusals: in this process, for none of them starts to train."""

import pytest
from helpers import run_python

from cynet import __version__, cli
from cynet.cli.parser import suggestion


def said(capsys, arguments):
    status = cli.main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_overview_lists_every_command(capsys, arguments):
    status, out, _ = said(capsys, arguments)
    assert status == 0
    assert all(f"  {name} " in out for name in cli.COMMANDS)


def test_an_error_cannot_steer_the_terminal(capsys):
    status, _, err = said(capsys, ["report", "a\x1b[2J\r"])
    assert (status, err) == (2, "cynet report: error: RUN: no such run folder: a\\x1b[2J\\r\n")


def test_version(capsys):
    assert said(capsys, ["--version"]) == (0, f"cynet {__version__}\n", "")


def test_the_package_itself_is_the_command():
    done = run_python("-m", "cynet", "--version")
    assert (done.returncode, done.stdout) == (0, f"cynet {__version__}\n")


def test_config(capsys):
    status, out, _ = said(capsys, ["config"])
    assert status == 0
    assert f"version:   {__version__}" in out


def test_help_of_train_is_grouped_and_shows_defaults(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    text = capsys.readouterr().out
    assert all(f"\n{group}:\n" in text for group in ("model", "data", "training", "running"))
    flat = " ".join(text.split())
    for part in ("(default: uwnet2)", "(default: 1500)", "(default: 0.9)", "(default: 0)", "(default: 0.1;"):
        assert part in flat
    assert "default: True" not in flat and "default: None" not in flat


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "no such command: trian (did you mean train?)"),
        (["bake"], "no such command: bake (one of train, "),
        (["train", "--lr-step", "3:.1"], "unknown flag: --lr-step (did you mean --lr-steps?)"),
        (["train", "--batchsize=3"], "unknown flag: --batchsize (did you mean --batch-size?)"),
        (["train", "--xyzzy"], "unknown flag: --xyzzy (see --help)"),
        (["train", "--step", "3"], "unknown flag: --step (did you mean --steps?)"),
        (["train", "more"], "unexpected argument: more"),
        (["train", "--steps"], "--steps: expected one argument"),
        (["train", "--steps", "5", "--epochs", "1"], "--epochs: not allowed with argument --steps"),
        (["train", "--data-dir", "."], "--data-dir: shapes10 is made by code and reads no files"),
        (["train", "--lr", "-1"], "--lr: wanted a number of at least 0, got '-1'"),
        (["train", "--lr", "nan"], "--lr: wanted a number of at least 0, got 'nan'"),
        (["train", "--lr", "fast"], "--lr: wanted a number of at least 0, got 'fast'"),
        (["train", "--momentum", "1"], "--momentum: wanted a number of at least 0 and below 1, got '1'"),
        (["train", "--weight-decay", "-.1"], "--weight-decay: wanted a number of at least 0, got '-.1'"),
        (["train", "--batch-size", "0"], "--batch-size: wanted a whole number of at least 1, got '0'"),
        (["train", "--batch-size", "2.5"], "--batch-size: wanted a whole number of at least 1, got '2.5'"),
        (["train", "--steps", "0"], "--steps: wanted a whole number of at least 1, got '0'"),
        (["train", "--threads", "0"], "--threads: wanted a whole number of at least 1, got '0'"),
        (["train", "--threads", "5000"], "--threads: wanted a whole number from 1 to 1024, got '5000'"),
        (["train", "--workers", "-1"], "--workers: wanted a whole number of at least 0, got '-1'"),
        (["train", "--seed", "-1"], "--seed: wanted a whole number of at least 0, got '-1'"),
        (
            ["train", "--lr-steps", "5:.1,3:.2"],
            "--lr-steps: wanted steps above 0 that increase, got 3 after 5",
        ),
        (
            ["train", "--lr-steps", "5:.1,5:.2"],
            "--lr-steps: wanted steps above 0 that increase, got 5 after 5",
        ),
        (["train", "--lr-steps", "0:.1"], "--lr-steps: wanted steps above 0 that increase, got 0"),
        (["train", "--lr-steps", "5=.1"], "--lr-steps: wanted STEP:RATE,... such as"),
        (["train", "--lr-steps", "5:-1"], "--lr-steps: wanted STEP:RATE,... such as"),
        (["train", "--lr-steps", ""], "--lr-steps: wanted STEP:RATE,... such as"),
        (
            ["train", "--steps", "5", "--lr-steps", "5:.1"],
            "--lr-steps: wanted steps less than the run's 5, got 5",
        ),
        (["train", "--batch-size", "1000000"], "--batch-size: wanted at most the"),
        (["train", "--batch-size", "1", "--model", "uwnet0"], "--batch-size: wanted at least 2"),
        (["train", "--model", "uwnet9"], "--model: wanted one of uwnet0, uwnet1, uwnet2"),
        (["train", "--data", "shapes11"], "--data: wanted one of"),
        (
            ["train", "--data", "cifar10", "--data-dir", "nowhere"],
            "--data-dir: no such file or folder: nowhere",
        ),
        (["train", "--run-dir", "file/run"], "--run-dir: wanted a folder, "),
        (["train", "--run-dir", "full"], "--run-dir: wanted a new or empty folder, full holds files"),
        (["evaluate"], "the following arguments are required: RUN"),
        (["evaluate", "nowhere"], "RUN: cannot read nowhere: No such file"),
        (["evaluate", "full"], "RUN: full has no last.safetensors"),
        (["evaluate", "file"], "RUN: file: wanted weights in a safetensors file, got an empty file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_nothing_is_written(
    capsys, monkeypatch, tmp_path, arguments, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    status, out, err = said(capsys, arguments)
    assert status == 2
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_suggestions_are_near_or_none():
    assert suggestion("--epoch", ["--epochs", "--lr"]) == "did you mean --epochs?"
    assert suggestion("--zzz", ["--epochs", "--lr"]) == ""
