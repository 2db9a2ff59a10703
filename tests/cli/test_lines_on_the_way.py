"""What commands say beside their results: what is left out, missing or meant, and where they write."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cynet import cli
from cynet.cli import evaluate, lr_find, predict, runs, trained
from cynet.cli.gathering import Flags
from cynet.data.images import given
from cynet.runs import overview
from cynet.train import lr_find as library


@pytest.mark.parametrize(("found", "others", "said"), [
    (["a.png"], {".txt": 2}, "note: files in here that are not read as pictures are left out: {'.txt': 2}\n"),
    (["a.png"], {}, ""), ([], {".txt": 2}, ""),
])  # fmt: skip
def test_files_that_are_no_pictures_are_told_where_there_are_pictures(
    tmp_path, monkeypatch, capsys, found, others, said
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(given, "picture_files", lambda folder: (found, others))
    monkeypatch.setattr(given, "described", str)
    predict._tell_others(["here", "a.png"])
    assert capsys.readouterr() == ("", said)


def test_problems_of_runs_are_told_but_for_files_that_are_not_there(monkeypatch, capsys):
    each = SimpleNamespace(
        run=SimpleNamespace(path=Path("a\nb")),
        problems=["steps.csv is not there", "env.json cannot be read: \x1b", "cut off"],
    )  # fmt: skip
    monkeypatch.setattr(overview, "read_all", lambda folder: ([each], ["x", "y"]))
    monkeypatch.setattr(runs, "rows", lambda made: [("run", "state"), ("a", "finished")])
    assert cli.main(["runs", "there"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "run  state", "a    finished", r"note: a\nb: env.json cannot be read: \x1b", r"note: a\nb: cut off",
        "note: no runs: x, y",
    ]  # fmt: skip


@pytest.mark.parametrize(("normed", "words"), [(True, " with batch norm"), (False, "")])
def test_a_model_is_told_with_its_net_and_its_data(normed, words):
    facts = SimpleNamespace(model="uwnet2", is_normed=normed, data="my\tdata")
    assert trained.headline(Path("a.safetensors"), facts) == (
        rf"a.safetensors: uwnet2{words}, trained on my\tdata"
    )


def test_commands_that_go_on_can_be_pasted():
    names, place = Flags(), Path("a b")
    assert names.begin(place) == "cynet train --init-from 'a b' --lr RATE"
    assert names.resume(place) == "cynet train --resume 'a b'"
    assert names.resume(place, "lr") == "cynet train --resume 'a b' --lr RATE --allow-change lr"
    assert names.resume(Path("a"), "lr_steps") == (
        "cynet train --resume a --lr-steps STEP:RATE,... --allow-change lr-steps"
    )


@pytest.mark.parametrize(("words", "line"), [
    ("language-model generate R --strategy bema", "got 'bema' (did you mean beam?)"),
    ("language-model generate R --strategy zzzz", "--strategy: wanted one of max, sample, beam, got 'zzzz'"),
    ("evaluate R --split tset", "--split: wanted one of train, test, got 'tset' (did you mean test?)"),
    ("bench train --against troch", "got 'troch' (did you mean torch?)"),
    ("data shwo", "wanted one of fetch, check, show, got 'shwo' (did you mean show?)"),
    ("bench peak --arary-size 3", "unknown flag: --arary-size (did you mean --array-size?)"),
    ("evaluate R S", "unexpected argument: S"),
])  # fmt: skip
def test_what_was_meant_is_asked_back(capsys, words, line):
    assert cli.main(words.split()) == 2
    assert capsys.readouterr().err.endswith(f"{line}\n")


@pytest.mark.parametrize("flag", ["--run-dir", "--resume", "--data-dir", "--model"])
def test_an_empty_text_is_none(capsys, flag):
    assert cli.main(["train", flag, ""]) == 2
    assert capsys.readouterr().err.startswith(f"cynet train: error: {flag}: wanted ")


def test_the_numbers_of_an_evaluation_are_json_that_ends_in_a_line_end(tmp_path, capsys):
    assert evaluate._told(str(tmp_path / "a.json"), {"a": 1}) is False
    assert (tmp_path / "a.json").read_text() == '{\n "a": 1\n}\n'
    assert evaluate._told("-", {"a": 1}) is True and json.loads(capsys.readouterr().out) == {"a": 1}
    with pytest.raises(ValueError, match="JSON"):  # no other parser reads a NaN
        evaluate._told("-", {"a": float("nan")})


# -- the search for a rate -----------------------------------------------------------------------------------
def test_a_curve_that_is_flat_has_no_bars(monkeypatch):
    found = SimpleNamespace(rates=np.array([0.1, 1.0]), smooth=np.array([2.0, 2.0]))
    assert [line.strip() for line in lr_find.drawn(found)] == ["lr 0.1       loss 2", "lr 1         loss 2"]


@pytest.mark.parametrize("name", ["lr_find.csv", "lr_find.png"])
def test_a_search_writes_nothing_through_a_link(tmp_path, monkeypatch, name):
    (tmp_path / "mine").write_text("mine")
    curve = library.Found(np.array([0.1]), np.array([3.0]), np.array([3.0]), 0.1)

    def found(*_):
        (tmp_path / "run" / name).symlink_to(tmp_path / "mine")
        return curve

    monkeypatch.setattr(library, "lr_find", found)
    monkeypatch.setattr(library, "plot", lambda found, path: path.write_text("a picture"))
    session = SimpleNamespace(settings=SimpleNamespace(model="m", data="d"), trainer=None, batches=None)
    with pytest.raises(OSError, match="link"):
        lr_find.find(session, str(tmp_path / "run"))
    assert (tmp_path / "mine").read_text() == "mine"
