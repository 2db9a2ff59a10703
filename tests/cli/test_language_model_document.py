"""Every command of docs/language_model.md is run, of small nets and for a few steps."""

import re
import shlex
from pathlib import Path

import pytest

from cynet import cli

pytestmark = pytest.mark.usefixtures("one_thread")
DOCUMENT = Path(__file__).parents[2] / "docs" / "language_model.md"
TEXT = "Alice was beginning to get very tired of sitting by her sister on the bank. " * 30
SMALL = (
    "--model-option", "embedding=6", "--model-option", "hidden=8", "--batch-size", "4",
    "--sequence-length", "10", "--steps", "2",
)  # fmt: skip


def commands(what):
    """The words of each command `cynet ...` of the document whose second word is `what`."""
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["cynet"] and what in words[1:3]]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the text and the runs that the document speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("shakespeare.txt").write_text(TEXT)
    return tmp_path


def trained(words, folder):
    """Run a command that trains, with small sizes; what it is given stays, but for the sizes."""
    return cli.main([*words, *SMALL, "--no-report", "--run-dir", folder])


def resumed(words):
    return "--resume" in words


def test_the_document_has_commands_of_each_kind():
    assert len(commands("train")) >= 5 and len(commands("generate")) >= 4
    assert sum(map(resumed, commands("train"))) == 1


@pytest.mark.parametrize("words", [w for w in commands("train") if not resumed(w)], ids=" ".join)
def test_what_trains(place, capsys, words):
    if words[0] == "language-model" and "--text" in words:
        words = [word for word in words if word not in ("--epochs", "10")]
    assert trained(words, "run") == 0, capsys.readouterr().err
    assert Path("run/last.safetensors").exists()


@pytest.mark.parametrize("words", [w for w in commands("train") if resumed(w)], ids=" ".join)
def test_what_goes_on(place, capsys, words):
    folder = words[-1]
    assert trained(["language-model", "train", "--text", "shakespeare.txt"], folder) == 0
    assert cli.main(words) == 0 and "2 steps" in capsys.readouterr().out


@pytest.mark.parametrize("words", commands("generate"), ids=" ".join)
def test_what_writes(place, capsys, words):
    folder = words[words.index("generate") + 1]
    assert trained(["language-model", "train", "--text", "shakespeare.txt"], folder) == 0
    capsys.readouterr()
    assert cli.main([*words, "--length", "20"]) == 0
    assert len(capsys.readouterr().out) == len("Alice ") + 20 + 1
