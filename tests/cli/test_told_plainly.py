"""What commands say of data and places: each note once, a flag that helps, no word of the library's own."""

import errno
import json
from dataclasses import replace

import photos
import pytest
from test_trained import said

from cynet.runs.facts import Facts
from cynet.train import RunFolder, load_weights, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ("--batch-size", 4, "--workers", 0, "--steps", 2, "--no-report")


@pytest.fixture
def alone(tmp_path):
    """Weights in a file of their own, of a model of an image_folder."""
    told = Facts("uwnet0", False, "image_folder", ("b", "c"), (0.5,) * 3, (0.2,) * 3)
    save_weights(tmp_path / "alone.safetensors", told.create(), told)
    return tmp_path / "alone.safetensors"


def test_evaluate_says_the_notes_of_the_pictures_once(tmp_path, capsys):
    pytest.importorskip("PIL")
    root = photos.folder_of(tmp_path / "pets", b=12, c=12)
    data = ("--data", "image_folder", "--data-dir", root)
    run = tmp_path / "run"
    assert said(capsys, "train", *data, "--split-seed", 5, *FLAGS, "--run-dir", run)[0] == 0
    (run / "last.safetensors").rename(tmp_path / "moved.safetensors")
    status, out, err = said(capsys, "evaluate", tmp_path / "moved.safetensors", *data)
    assert (status, err) == (0, "") and out.count("drawn by the split seed 5") == 1
    found = json.loads(said(capsys, "evaluate", tmp_path / "moved.safetensors", *data, "--json", "-")[1])
    assert len(found["notes"]) == 1 and found["samples"] == 4


def test_a_run_from_before_the_note_is_divided_as_its_folder_tells(tmp_path, capsys):
    pytest.importorskip("PIL")
    root, run = photos.folder_of(tmp_path / "pets", b=12, c=12), tmp_path / "run"
    data = ("--data", "image_folder", "--data-dir", root)
    assert said(capsys, "train", *data, *FLAGS, "--run-dir", run)[0] == 0
    model, told = load_weights(run / "last.safetensors")
    save_weights(run / "last.safetensors", model, replace(told, drawn=()))
    assert "not known" not in said(capsys, "evaluate", run)[1]
    assert "not known" not in said(capsys, "report", run, "--no-timing")[1]


def test_evaluate_says_where_it_does_not_know_what_was_trained_on(alone, tmp_path, capsys):
    pytest.importorskip("PIL")
    root = photos.folder_of(tmp_path / "pets", b=12, c=12)
    status, out, _ = said(capsys, "evaluate", alone, "--data-dir", root)
    assert status == 0 and out.count("whether the model was trained on them is not known") == 1


def test_no_place_of_the_files_is_told_by_its_flag(alone, capsys):
    wanted = "error: --data-dir: wanted the place of the files of image_folder, got none"
    for words in (("evaluate", alone), ("data", "check", "image_folder"), ("data", "show", "image_folder")):
        status, _, err = said(capsys, *words)
        assert status == 2 and wanted in err and "root" not in err


def test_evaluate_knows_a_folder_for_the_name_of_its_data_set(alone, tmp_path, capsys):
    (tmp_path / "pets").mkdir()
    status, _, err = said(capsys, "evaluate", alone, "--data", tmp_path / "pets")
    assert status == 2 and "--data image_folder --data-dir" in err and "root=" not in err


def test_a_folder_that_cannot_be_written_names_the_flag(tmp_path, monkeypatch, capsys):
    def refuse(*arguments):
        raise OSError(errno.EROFS, "Read-only file system", "runs")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RunFolder, "__init__", refuse)
    status, _, err = said(capsys, "train", "--data", "shapes10", *FLAGS)
    wanted = "error: runs: Read-only file system (--run-dir DIR keeps the run elsewhere)\n"
    assert status == 2 and err.endswith(wanted)
