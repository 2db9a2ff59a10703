"""What `cynet data` says of a data set, and when: notes once, advice where it helps, how many files."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from cynet import cli
from cynet.data import ArrayDataset, balance, checking, inspection, loading
from cynet.data.images import damaged


@pytest.fixture
def checked(monkeypatch):
    """A data set whose parts have these notes; what was asked of them, and the flag that was told."""
    calls = []

    def part(name, root, split, seed, **shapes):
        calls.append((name, root, split, seed, shapes))
        notes = ("of both", f"of {split}", f"2 {damaged.LEFT_OUT}")
        problems = (SimpleNamespace(path="a.png", reason="empty"),)
        return SimpleNamespace(
            lines=lambda advice: [f"{split}: advice {advice!r}"], notes=notes, problems=problems
        )

    monkeypatch.setattr(checking, "part", part)
    monkeypatch.setattr(checking, "refusal", lambda parts, skipped, hint: calls.append((skipped, hint)))
    return calls


@pytest.mark.parametrize("skipped", [False, True])
def test_a_note_is_said_once_and_advice_is_of_the_part_for_training(checked, tmp_path, capsys, skipped):
    flags = ["--skip-damaged"] if skipped else []
    command = ["data", "check", "image_folder", "--data-dir", str(tmp_path), "--image-size", "4x6", *flags]
    assert cli.main(command) == 0
    left_out = [f"  note: 2 {damaged.LEFT_OUT}"] if skipped else []
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "cannot be used" not in line] == [
        f"train: advice 'cynet train {balance.ADVICE}'", "  note: of both", "  note: of train", *left_out,
        "test: advice ''", "  note: of test",
    ]  # fmt: skip
    assert lines.count("  cannot be used: a.png: empty") == 2
    shapes = {"size": (4, 6)}
    place = "image_folder", str(tmp_path)
    assert checked[:2] == [(*place, "train", 0, shapes), (*place, "test", 0, shapes)]
    assert checked[2] == (skipped, "--skip-damaged leaves damaged ones out")


@pytest.mark.parametrize(("problems", "words"), [
    ((None, "gone"), "1 file is not as published: fetch again"),
    (("cut off", None, "gone"), "2 files are not as published: fetch again"),
])  # fmt: skip
def test_files_that_are_not_as_published_are_counted(monkeypatch, capsys, problems, words):
    found = [(Path(f"{number}.bin"), problem) for number, problem in enumerate(problems)]
    asked = []
    monkeypatch.setattr(inspection, "published_files", lambda *given: asked.append(given) or found)
    assert cli.main(["data", "check", "cifar10"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"{path}: {problem or 'as published'}" for path, problem in found]
    assert err == f"cynet data: error: {words}\n" and asked == [("cifar10", Path("data"))]


def test_show_says_the_notes_of_what_it_draws_and_then_its_own(monkeypatch, tmp_path, capsys):
    dataset = tiny.tiny()
    dataset.notes = ("2 files are left out",)
    monkeypatch.setattr(loading, "load", lambda *_, **more: dataset)
    monkeypatch.setattr(inspection, "mosaic", lambda *_: np.zeros((4, 9, 3), np.uint8))
    monkeypatch.setattr(inspection, "enlarged", lambda canvas, shape: canvas)
    path = tmp_path / "a.png"
    assert cli.main(["data", "show", "tiny", "--output", str(path), "--augment", "flip,mixup:0.2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 9 x 4; rows from the top: a, b, c", "note: 2 files are left out",
        "note: mixup mixes pictures of whole batches: it is not drawn",
    ]  # fmt: skip


@pytest.mark.parametrize(("channels", "notes"), [
    (1, []), (2, ["note: of 2 channels the first is drawn, as grey"]), (3, []),
    (4, ["note: of 4 channels the first is drawn, as grey"]),
])  # fmt: skip
def test_of_pictures_that_are_neither_grey_nor_colour_it_is_said_what_is_drawn(
    monkeypatch, tmp_path, capsys, channels, notes
):
    dataset = ArrayDataset(np.zeros((3, channels, 4, 4), np.uint8), [0, 1, 0], ("a", "b"))
    monkeypatch.setattr(loading, "load", lambda *_, **more: dataset)
    words = ["--output", str(tmp_path / "a.png"), "--no-augment", "--columns", "1"]
    assert cli.main(["data", "show", "tiny", *words]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == notes


def test_a_picture_that_cannot_be_written_is_told_before_anything_is_read(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(loading, "load", lambda *_, **more: pytest.fail("it was read"))
    assert cli.main(["data", "show", "tiny", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("cynet data: error: --output: wanted a file, ")
