"""`cynet train`, `data` and `evaluate` with pictures of one's own."""

import errno
import json
import os
import shutil
import tomllib

import numpy as np
import pytest
from photos import draw, folder_of

from cynet import cli

pytest.importorskip("PIL")
pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = ("--batch-size", 4, "--steps", 2, "--lr", 0.01, "--workers", 0)


def said(capsys, command, *arguments):
    status = cli.main([command, *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


def train(capsys, root, run, *flags):
    flags = ("--data", "image_folder", "--data-dir", root, *SHORT, "--run-dir", run, *flags)
    return said(capsys, "train", *flags)


@pytest.fixture
def root(tmp_path):
    """Five cats and five dogs to train on, two of each to test with."""
    folder_of(tmp_path / "pics" / "train", cat=5, dog=5)
    folder_of(tmp_path / "pics" / "test", cat=2, dog=2)
    return tmp_path / "pics"


def notes_of(out):
    return [line.strip().removeprefix("note: ") for line in out.splitlines() if "note: " in line]


# -- notes -------------------------------------------------------------------------------------------------
def test_check_show_and_train_say_what_was_left_out_once_warm_and_cold(root, tmp_path, capsys):
    (root / "train" / "cat" / "paper.pdf").touch()
    (root / "train" / "cat" / "back").symlink_to("..")
    draw(root / "train" / "cat" / ".ipynb_checkpoints" / "x.png")
    again = "links to folders that are read already, not followed"
    wanted = [
        f"{root}/train: hidden files and folders left out: 1 (cat/.ipynb_checkpoints)",
        f"{root}/train: files of other kinds left out: 1 (1 .pdf)",
        f"{root}/train: {again}: cat/back (a folder that it lies in)",
    ]
    for _ in range(2):
        status, out, err = said(capsys, "data", "check", "image_folder", "--data-dir", root)
        assert (status, err) == (0, "") and notes_of(out) == wanted and "train: 10 pictures" in out
    flags = ("--data-dir", root, "--output", tmp_path / "x.png")
    assert notes_of(said(capsys, "data", "show", "image_folder", *flags)[1]) == wanted
    status, out, _ = train(capsys, root, tmp_path / "run", "--no-report")
    assert status == 0 and notes_of(out) == wanted and "10 training and 4 test pictures of 2 classes" in out


def test_pictures_that_cannot_be_kept_beside_their_files_are_in_memory_with_a_note(
    root, tmp_path, capsys, monkeypatch
):
    real = os.mkdir

    def mkdir(path, *more, **named):
        if str(path).startswith(str(root)):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return real(path, *more, **named)

    monkeypatch.setattr(os, "mkdir", mkdir)
    status, out, err = said(capsys, "data", "check", "image_folder", "--data-dir", root)
    assert (status, err) == (0, "") and all("Read-only file system" in note for note in notes_of(out))
    status, out, _ = train(capsys, root, tmp_path / "run", "--no-report")
    place = f"{root}/train/.cynet: Read-only file system"
    why = f"{root}/train: the decoded pictures are in memory, and made anew at each start: {place}"
    assert status == 0 and notes_of(out)[0] == why


def test_a_name_that_is_no_utf8_is_shown_escaped_to_the_end(root, tmp_path, capsys):
    raw = os.fsdecode(b"caf\xe9")
    for part in ("train", "test"):
        (root / part / "cat").rename(root / part / raw)
    status, out, _ = train(capsys, root, tmp_path / "run", "--no-report")
    assert status == 0 and "caf\\xe9  " in out and "test accuracy" in out
    status, out, err = said(capsys, "evaluate", tmp_path / "run")
    assert (status, err) == (0, "") and "0 caf\\xe9" in out
    status, out, err = said(capsys, "predict", tmp_path / "run", root / "train" / raw, "nothing" + raw)
    assert status == 1 and f"{root}/train/caf\\xe9/0.png:" in out and "nothingcaf\\xe9" in err
    (root / "train" / raw / "b.png").touch()
    status, _, err = train(capsys, root, tmp_path / "other")
    assert status == 2 and "train/caf\\xe9/b.png" in err


# -- damaged pictures --------------------------------------------------------------------------------------
@pytest.fixture
def broken(root):
    """Two damaged pictures to train on, one to test with."""
    (root / "train" / "cat" / "0.png").write_bytes(b"")
    (root / "train" / "dog" / "1.png").write_bytes(b"no picture")
    (root / "test" / "dog" / "1.png").write_bytes(b"\0" * 99)
    return root


def test_check_lists_all_damaged_pictures_with_their_reasons(broken, capsys):
    check = ("data", "check", "image_folder", "--data-dir", broken)
    for _ in range(2):
        status, out, err = said(capsys, *check)
        assert status == 1 and "3 pictures cannot be used (--skip-damaged leaves damaged ones out)" in err
        for words in ("train/cat/0.png: empty file", "train/dog/1.png: it is of no kind", "but zeros"):
            assert words in out
        assert "train: 8 pictures" in out and "test: 3 pictures" in out and "left out" not in out
    status, out, err = said(capsys, *check, "--skip-damaged")
    assert (status, err) == (0, "") and "damaged pictures left out: 2 (cat/0.png (empty file), " in out


def test_training_refuses_damaged_pictures_or_leaves_them_out_to_the_end(broken, tmp_path, capsys):
    status, _, err = train(capsys, broken, tmp_path / "run")
    assert status == 2 and "2 of 10 pictures cannot be used" in err and err.count("\n") == 1
    status, out, _ = train(capsys, broken, tmp_path / "run", "--skip-damaged")
    assert status == 0 and len(notes_of(out)) == 2 and "8 training and 3 test pictures" in out
    assert "report.html" in out and "could not be read" not in out
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert config["skip_damaged"] is True and config["origin"]["skip_damaged"] == "flag"
    assert said(capsys, "evaluate", tmp_path / "run")[0] == 0
    assert said(capsys, "verify", tmp_path / "run")[0] == 0


def test_evaluate_takes_other_pictures_of_which_some_are_damaged(root, broken, tmp_path, capsys):
    folder_of(tmp_path / "whole" / "train", cat=4, dog=4)
    folder_of(tmp_path / "whole" / "test", cat=4, dog=4)
    assert train(capsys, tmp_path / "whole", tmp_path / "run", "--no-report")[0] == 0
    evaluate = ("evaluate", tmp_path / "run", "--data-dir", broken)
    status, _, err = said(capsys, *evaluate)
    assert status == 2 and "test/dog/1.png: wanted a picture" in err and "--skip-damaged of" in err
    status, out, _ = said(capsys, *evaluate, "--skip-damaged")
    assert status == 0 and "on 3 pictures" in out


@pytest.mark.parametrize("change", ["missing", "empty", "hidden"])
def test_a_class_without_test_pictures_is_accepted_and_said(root, tmp_path, capsys, change):
    shutil.rmtree(root / "test" / "dog")
    if change != "missing":
        (root / "test" / "dog").mkdir()
    if change == "hidden":
        (root / "test" / "dog" / ".gitkeep").touch()
    status, out, err = said(capsys, "data", "check", "image_folder", "--data-dir", root)
    assert (status, err) == (0, "") and "  dog          0" in out
    assert notes_of(out)[-1] == f"{root}/test: no pictures of: dog"
    status, out, _ = train(capsys, root, tmp_path / "run")
    assert status == 0 and notes_of(out)[-1] == f"{root}/test: no pictures of: dog"


def test_leaving_damaged_pictures_out_is_frozen_when_a_run_goes_on(root, tmp_path, capsys):
    assert train(capsys, root, tmp_path / "run", "--no-report")[0] == 0
    more = ("--resume", tmp_path / "run", "--steps", 3, "--allow-change", "steps", "--no-report")
    status, _, err = said(capsys, "train", *more, "--skip-damaged")
    assert status == 2 and "the weights depend on skip_damaged (was False, got True)" in err
    assert said(capsys, "train", *more)[0] == 0


@pytest.mark.parametrize("command", [("train", "--data", "shapes10"), ("data", "check", "shapes10"),
                                     ("data", "show", "cifar10"), ("train", "--data", "arrays")])  # fmt: skip
def test_skip_damaged_is_refused_where_there_are_no_picture_files(capsys, command):
    status, _, err = said(capsys, *command, "--skip-damaged")
    wanted = "--skip-damaged: wanted pictures in files (image_folder, image_list), got"
    assert status == 2 and wanted in err and err.count("\n") == 1


# -- parts -------------------------------------------------------------------------------------------------
def test_how_one_folder_was_split_is_said_and_recorded(root, tmp_path, capsys):
    whole = root / "train"
    said_so = "20 % of each class, drawn by the split seed 0, are for testing (8 to train on, 2 to test)"
    status, out, _ = said(capsys, "data", "check", "image_folder", "--data-dir", whole)
    assert status == 0 and out.count(said_so) == 1
    status, out, _ = said(capsys, "data", "check", "image_folder", "--data-dir", whole, "--split-seed", 5)
    assert status == 0 and "drawn by the split seed 5" in out
    status, out, _ = train(capsys, whole, tmp_path / "run", "--no-report")
    assert status == 0 and out.count(said_so) == 1 and "8 training and 2 test pictures" in out
    record = json.loads((tmp_path / "run" / "env.json").read_text())["data"]
    assert record["parts"] == {"drawn": {"split_seed": 0, "test_share": 0.2}, "train": 8, "test": 2}


@pytest.mark.parametrize("command", ["train", "check"])
def test_one_class_is_refused_with_what_was_meant(tmp_path, capsys, command):
    for part in ("train", "test"):
        folder_of(tmp_path / "pics" / part / "images", cat=1, dog=1)
    flags = ("--data-dir", tmp_path / "pics")
    arguments = ("train", "--data") if command == "train" else ("data", "check")
    status, _, err = said(capsys, *arguments, "image_folder", *flags)
    where = f"{tmp_path}/pics/train/images"
    assert status == 2 and f"one class, images; are the classes the folders in {where} (cat, dog)?" in err


def test_pictures_of_one_class_alone_are_refused_whatever_they_come_from(tmp_path, capsys):
    import numpy as np

    pictures, labels = np.zeros((8, 32, 32, 3), np.uint8), np.ones(8, np.int64)
    names = {"train_images": pictures, "train_labels": labels, "test_images": pictures, "test_labels": labels}
    np.savez(tmp_path / "x.npz", **names)
    status, _, err = said(capsys, "train", "--data", "arrays", "--data-dir", tmp_path / "x.npz", *SHORT)
    assert status == 2 and "--data: wanted pictures of at least two classes, got 8 of 1 alone" in err


# -- names and places --------------------------------------------------------------------------------------
def test_a_path_in_place_of_a_name_says_which_flags_are_meant(root, capsys, monkeypatch):
    monkeypatch.chdir(root.parent)
    root.rename("my pics")
    (root.parent / "x.npz").touch()
    for arguments, meant in (
        (("train", "--data", "my pics"), "--data image_folder --data-dir 'my pics'"),
        (("data", "check", "my pics"), "cynet data check image_folder --data-dir 'my pics'"),
        (("train", "--data-dir", "my pics"), "--data image_folder"),
    ):
        status, _, err = said(capsys, *arguments)
        assert status == 2 and f"(did you mean {meant}?)" in err and err.count("\n") == 1
    for arguments in (("train", "--data", "x.npz"), ("data", "show", "x.npz")):  # taken for arrays
        status, _, err = said(capsys, *arguments)
        assert status == 2 and "x.npz: wanted a .npz file, got a damaged one" in err and err.count("\n") == 1
    status, _, err = said(capsys, "train", "--data", "image_folder")
    assert status == 2 and "--data-dir: wanted the place of the files of image_folder, got none" in err


def test_pictures_may_lie_in_a_place_whose_name_is_no_utf8(root, capsys, tmp_path):
    place = root.rename(root.parent / os.fsdecode(b"caf\xe9"))
    assert train(capsys, place, tmp_path / "run", "--no-report")[0] == 0


@pytest.mark.parametrize("arguments", [("train", "--help"), ("data", "--help"), ("data", "check", "--help")])
def test_the_help_names_the_data_sets(capsys, arguments):
    with pytest.raises(SystemExit):
        cli.main(list(arguments))
    text = " ".join(capsys.readouterr().out.split())
    for name in ("shapes10", "cifar10", "image_folder", "image_list", "arrays"):
        assert name in text


@pytest.mark.parametrize("arguments", [("train", "--data"), ("data", "check")])
def test_without_pillow_the_extra_is_named(root, capsys, monkeypatch, arguments):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    status, _, err = said(capsys, *arguments, "image_folder", "--data-dir", root)
    assert status == 2 and "pip install 'cynet[images]'" in err


@pytest.mark.parametrize("value", [0, 200])
def test_pictures_with_a_constant_channel_are_trained_on_and_predicted(tmp_path, capsys, value):
    from PIL import Image

    root, run = folder_of(tmp_path / "pics", cat=4, dog=4), tmp_path / "run"
    for file in root.glob("*/*.png"):
        pixels = np.array(Image.open(file))
        pixels[..., 0] = value
        Image.fromarray(pixels).save(file)
    status, out, err = train(capsys, root, run)
    assert status == 0, err
    assert said(capsys, "evaluate", run)[0] == said(capsys, "predict", run, root / "cat")[0] == 0
    _, out, _ = said(capsys, "data", "check", "image_folder", "--data-dir", root)
    assert f"channel 0 is constant: {value} of 255 in all pictures" in out


def test_black_pictures_are_trained_on_with_a_note(tmp_path, capsys):
    from PIL import Image

    root = folder_of(tmp_path / "pics", cat=4, dog=4)
    for file in root.glob("*/*.png"):
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(file)
    status, out, err = train(capsys, root, tmp_path / "run")
    assert status == 0 and any("all pictures are nearly black" in note for note in notes_of(out + err))
