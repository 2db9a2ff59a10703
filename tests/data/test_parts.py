"""Which pictures are for training and which for testing: by folders, or drawn; what was meant otherwise."""

import os
import random
import shutil

import numpy as np
import pytest
from photos import draw, folder_of

from cynet import data
from cynet.data.images import listing, parts

pytest.importorskip("PIL")


def load(root, split="train", **options):
    return data.load("image_folder", root, split, size=4, cache=False, **options)


def both(root, **options):
    """The names of the pictures of both parts."""
    return [load(root, split, **options).paths for split in ("train", "test")]


def tree(root, *folders, count=2):
    """A folder with pictures of the classes cat and dog in each of some folders."""
    for folder in folders:
        folder_of(root / folder, cat=count, dog=count)
    return root


# -- folders for the parts ---------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["test", "val", "valid", "validation", "Testing", "VAL"])
def test_the_folder_for_testing_has_many_names(tmp_path, name):
    tree(tmp_path, "train", name, count=1)
    draw(tmp_path / name / "dog" / "x.png")
    train, test = load(tmp_path), load(tmp_path, "test")
    assert (len(train), len(test)) == (2, 3) and train.classes == test.classes == ("cat", "dog")
    assert train.parts == test.parts == {"train": "train", "test": name}
    said = [f"{tmp_path}: the test set is the folder {name}"] * (name != "test")
    assert list(train.notes) == list(test.notes) == said


def test_test_goes_before_val_and_what_is_not_used_is_named(tmp_path):
    tree(tmp_path, "Train", "val", "test", "extra")
    assert load(tmp_path, "test").parts == {"train": "Train", "test": "test"}
    assert load(tmp_path).notes == (f"{tmp_path}: folders that are not used: extra, val",)


@pytest.mark.parametrize("change", ["missing", "empty", "hidden"])
def test_a_class_without_test_pictures_is_noted(tmp_path, change):
    tree(tmp_path, "train", "test")
    shutil.rmtree(tmp_path / "test" / "dog")
    if change != "missing":
        (tmp_path / "test" / "dog").mkdir()
    if change == "hidden":
        (tmp_path / "test" / "dog" / ".gitkeep").touch()
    test = load(tmp_path, "test")
    assert test.classes == ("cat", "dog") and test.labels.tolist() == [0, 0]
    assert test.notes[-1] == f"{tmp_path}/test: no pictures of: dog"


def test_load_takes_the_classes_of_the_training_folder(tmp_path):
    tree(tmp_path, "train")
    draw(tmp_path / "test" / "dog" / "x.png")
    test = load(tmp_path, "test")
    assert test.classes == ("cat", "dog") and test.labels.tolist() == [1]
    draw(tmp_path / "test" / "fish" / "x.png")
    with pytest.raises(ValueError, match=r"test: wanted folders of the classes .* got also \['fish'\]"):
        load(tmp_path, "test")
    assert load(tmp_path, "test", classes=("dog", "fish", "cat")).labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match="root: wanted the place of the files of image_folder"):
        data.load("image_folder")


def test_a_test_folder_alone_can_be_tested_with(tmp_path):
    tree(tmp_path, "test")
    assert load(tmp_path, "test").classes == ("cat", "dog")
    with pytest.raises(FileNotFoundError, match="found no train"):
        load(tmp_path)


# -- what was probably meant -------------------------------------------------------------------------------
@pytest.mark.parametrize(("folders", "problem"), [
    (["train/images", "test/images"],
     r"/train: .* at least two classes, got one class, images; are the classes the folders in .*/images"),
    (["images"], r"got one class, images; are the classes the folders in .*/images \(cat, dog\)"),
    (["pets/deep/train", "pets/deep/test"], r"wanted folders train and test, found them in .*/pets/deep$"),
    (["a/b/c/d/train", "a/b/c/d/test"], r"wanted folders train and test, found them in .*/a/b/c/d$"),
    (["train"], r"wanted a folder test \(or val, .*\) beside train, found none \(of .*/train alone a fifth"),
    ([".", "test"], r"wanted a folder train beside test, found none: are cat, dog the classes to train on\?"),
])  # fmt: skip
def test_folders_in_the_wrong_place_are_named(tmp_path, folders, problem):
    tree(tmp_path, *folders)
    with pytest.raises((ValueError, FileNotFoundError), match=problem):
        both(tmp_path)


def test_a_test_folder_that_is_the_training_folder_is_noted(tmp_path):
    tree(tmp_path, "train")
    (tmp_path / "val").symlink_to("train")
    words = "train, val are one folder: the test set is what was trained on"
    assert load(tmp_path, "test").notes[-1] == f"{tmp_path}: {words}"


def test_one_class_alone_is_refused(tmp_path):
    folder_of(tmp_path / "train", cat=2)
    with pytest.raises(ValueError, match=r"at least two classes, got one class, cat$"):
        load(tmp_path)


@pytest.mark.parametrize(("part", "others"), [
    ("train", ["test"]), ("Train", ["TEST"]), ("VAL", ["train", "val.old"]), ("train", ["test", "val"]),
])  # fmt: skip
def test_a_part_of_a_data_set_in_place_of_it_is_noted(tmp_path, part, others):
    tree(tmp_path, part, *others)
    notes = load(tmp_path / part).notes
    beside = ", ".join(name for name in others if name.isalpha())
    assert notes[0] == f"{tmp_path}/{part}: {beside} beside it is not used: is {tmp_path} the data set?"
    tree(tmp_path, "cats", "old/train")
    for alone in ("cats", "old/train"):
        assert not any("beside it" in note for note in load(tmp_path / alone).notes)


def test_a_class_may_be_trains(tmp_path):
    folder_of(tmp_path, train=2, bus=2)
    assert load(tmp_path).classes == ("bus", "train")


def test_a_part_that_is_a_broken_link_is_named(tmp_path):
    tree(tmp_path, "train")
    (tmp_path / "test").symlink_to("/nowhere")
    with pytest.raises(FileNotFoundError, match="/test: wanted a folder, found a link that leads nowhere"):
        load(tmp_path)


def test_a_broken_link_that_is_no_part_hinders_nothing(tmp_path):
    tree(tmp_path, "train", "test")
    (tmp_path / "other").symlink_to("/nowhere")
    assert len(load(tmp_path)) == 4


def test_parts_without_folders_of_classes_are_no_classes(tmp_path):
    for name in ("train", "test"):
        draw(tmp_path / name / "x.png")
    with pytest.raises(ValueError, match="train: wanted a folder of pictures for each class, got no folder"):
        load(tmp_path)


@pytest.mark.parametrize(("name", "hint"), [
    ("x.npz", "its data set is arrays"), ("x", "$"),
    *((f"x.{ending}", "unpack it first") for ending in ("zip", "tar", "tar.gz", "tgz", "xz", "bz2", "ZST")),
    ("x.7z", "unpack it first"), ("x.rar", "unpack it first"),
])  # fmt: skip
def test_a_file_in_place_of_a_folder_is_named(tmp_path, name, hint):
    (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match=f"wanted a folder with pictures, found a file.*{hint}"):
        load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="found a folder: its data set is image_folder"):
        data.load("arrays", tmp_path)


# -- one folder, split -------------------------------------------------------------------------------------
def test_one_folder_of_classes_is_split_in_each_class(tmp_path):
    folder_of(tmp_path, cat=10, dog=4, emu=2, fly=1)
    train, test = load(tmp_path), load(tmp_path, "test")
    assert np.bincount(test.labels).tolist() == [2, 1, 1]
    assert np.bincount(train.labels).tolist() == [8, 3, 1, 1]
    assert sorted(train.paths + test.paths) == sorted(name for name, _, _ in listing.listed(tmp_path).files)
    assert train.classes == test.classes == ("cat", "dog", "emu", "fly")
    record = {"drawn": {"split_seed": 0, "test_share": 0.2}, "train": 13, "test": 4}
    assert train.parts == test.parts == record
    words = "20 % of each class, drawn by the split seed 0, are for testing (13 to train on, 4 to test)"
    assert train.notes == (f"{tmp_path}: no folders train and test in it: {words}",)
    assert test.notes[1] == f"{tmp_path}: no pictures of: fly"


@pytest.mark.parametrize(("size", "share", "count"), [
    (1, 0.2, 0), (2, 0.2, 1), (2, 0.9, 1), (7, 0.2, 1), (8, 0.2, 2), (12, 0.2, 2), (13, 0.2, 3),
    (10, 0.25, 3), (10, 0.24, 2), (3, 0.9, 2), (100, 0.5, 50), (101, 0.5, 51),
    (1000, 0.0004, 1), (1000, 0.9996, 999),
])  # fmt: skip
def test_the_share_of_a_class_is_rounded_to_the_nearest_and_leaves_one_on_both_sides(size, share, count):
    assert parts._share(size, share) == count


def test_the_split_depends_on_names_and_seed_alone(tmp_path, monkeypatch):
    folder_of(tmp_path / "a", cat=20, dog=20)
    split = both(tmp_path / "a")
    os_scandir = os.scandir

    class Shuffled(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def shuffled(folder):
        with os_scandir(folder) as entries:
            found = list(entries)
        random.Random(3).shuffle(found)
        return Shuffled(found)

    monkeypatch.setattr(os, "scandir", shuffled)
    assert both(tmp_path / "a") == split
    monkeypatch.undo()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert both(tmp_path / "b") == split
    others = {tuple(both(tmp_path / "a", split_seed=seed)[1]) for seed in range(4)}
    assert len(others) == 4 and split[1] in others
    assert len(both(tmp_path / "a", test_share=0.5)[1]) == 20


def test_one_more_picture_moves_at_most_one(tmp_path):
    folder_of(tmp_path, cat=20, dog=20)
    before = set(both(tmp_path)[1])
    draw(tmp_path / "cat" / "new.png")
    after = set(both(tmp_path)[1])
    assert len(before - after) <= 1 and len(after - before) <= 1


def test_both_parts_are_kept_beside_each_other(tmp_path):
    folder_of(tmp_path, cat=6, dog=6)
    for seed in (0, 1):
        for split in ("train", "test"):
            found = data.load("image_folder", tmp_path, split, size=4, split_seed=seed)
            assert found.fingerprint() == load(tmp_path, split, split_seed=seed).fingerprint()
    assert len(list((tmp_path / ".cynet").glob("*.npy"))) == 4


def test_too_few_pictures_to_draw_from_are_named(tmp_path):
    folder_of(tmp_path, cat=1, dog=1)
    with pytest.raises(ValueError, match=r"at least two pictures of a class .* got one of each of cat, dog"):
        load(tmp_path)


@pytest.mark.parametrize(("options", "problem"), [
    ({"split_seed": -1}, "split_seed: wanted at least 0"), ({"test_share": 0}, "test_share"),
    ({"test_share": 1}, r"test_share: wanted a number in \(0, 1\)"),
])  # fmt: skip
def test_bad_splits_are_refused(tmp_path, options, problem):
    folder_of(tmp_path, cat=2, dog=2)
    with pytest.raises(ValueError, match=problem):
        load(tmp_path, **options)


# -- the names of data sets --------------------------------------------------------------------------------
def test_a_path_in_place_of_a_name_says_what_was_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree(tmp_path / "pics", "train")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.labels").touch()
    (tmp_path / "x.npz").touch()
    for path, kind in (("pics", "image_folder"), ("lists", "image_list"), ("x.npz", "arrays")):
        with pytest.raises(ValueError, match=rf"did you mean '{kind}' with root='{path}'\?"):
            data.load(path)
    with pytest.raises(ValueError, match=r"did you mean mnist\?"):
        data.load("mnits")


def test_skip_damaged_is_for_pictures_in_files(tmp_path):
    with pytest.raises(ValueError, match=r"skip_damaged: wanted pictures in files \(image_folder, "):
        data.load("shapes10", skip_damaged=True)
    tree(tmp_path, "train")
    (tmp_path / "train" / "cat" / "x.png").touch()
    assert len(load(tmp_path, skip_damaged=True)) == 4
    with pytest.raises(TypeError, match="skip_damaged: wanted True or False, got 1"):
        load(tmp_path, skip_damaged=1)


def test_lists_have_the_same_names_of_parts(tmp_path):
    draw(tmp_path / "cat.png")
    (tmp_path / "a.labels").write_text("cat")
    for name in ("train", "valid"):
        (tmp_path / f"a.{name}").write_text("cat.png")
    assert len(data.load("image_list", tmp_path, "test")) == 1
    assert parts.list_of(tmp_path / "a.labels", "test").name == "a.valid"


# -- one level too deep ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("folders", "meant"), [
    (("fold1", "fold2"), "are the classes the folders in {root}/fold1?"),
    (("images", "masks", "more"), "are the classes the folders in {root}/images?"),
    (("a/a", "b/b"), "are the classes the folders in {root}/a/a?"),
    (("x/train", "y/train"), "are the classes the folders in {root}/x/train?"),
    (("set_of_train/deep", "set_of_test"), "are the classes the folders in {root}/set_of_test?"),
])  # fmt: skip
def test_folders_that_hold_the_same_folders_are_no_classes(tmp_path, folders, meant):
    tree(tmp_path, *folders)
    with pytest.raises(ValueError, match=r"but folders of the same names \(cat, dog\): ") as error:
        load(tmp_path)
    assert meant.format(root=tmp_path) in str(error.value)


def test_classes_that_hold_the_parts_are_refused(tmp_path):
    for name in ("cat", "dog"):
        folder_of(tmp_path / name, train=2, test=1)
    with pytest.raises(ValueError, match=r"\(test, train\): are these parts of it\? Then train/cat and"):
        load(tmp_path)
    for name in ("a", "b"):
        tree(tmp_path / "sets" / name, "train", "test")
    with pytest.raises(ValueError, match=r"\(test, train\): is .*sets/a the data set\?"):
        load(tmp_path / "sets")


@pytest.mark.parametrize("inside", ["images", "images/all"])
def test_classes_with_one_folder_each_and_with_pictures_beside_folders_stay_classes(tmp_path, inside):
    for name in ("cat", "dog"):
        draw(tmp_path / "one" / name / inside / "0.png")
        draw(tmp_path / "one" / name / inside / "1.png")
        folder_of(tmp_path / "other" / name, indoor=1, outdoor=1)
    draw(tmp_path / "other" / "cat" / "0.png")
    assert load(tmp_path / "one").classes == load(tmp_path / "other").classes == ("cat", "dog")
    (tmp_path / "other" / "cat" / "0.png").unlink()
    classes = ("cat", "dog")  # who names them means them
    assert load(tmp_path / "other", classes=classes).classes == classes


@pytest.mark.parametrize(("train", "test"), [("training_set", "test_set"), ("Train_Set", "testset")])
def test_parts_may_be_called_sets(tmp_path, train, test):
    tree(tmp_path, train, test)
    draw(tmp_path / "single_prediction" / "0.png")
    assert load(tmp_path).parts == {"train": train, "test": test}


@pytest.mark.skipif("not hasattr(os, 'symlink')", reason="no links")
def test_a_class_that_is_one_folder_in_both_parts_is_noted(tmp_path):
    tree(tmp_path, "real", "train", "test")
    for part in ("train", "test"):
        shutil.rmtree(tmp_path / part / "cat")
        (tmp_path / part / "cat").symlink_to(tmp_path / "real" / "cat", target_is_directory=True)
    note = f"{tmp_path}: train and test have folders in common, tested on what was trained on: cat"
    assert note in load(tmp_path).notes and note in load(tmp_path, "test").notes
    (tmp_path / "test" / "cat").unlink()
    folder_of(tmp_path / "test", cat=1)
    assert not any("in common" in text for text in load(tmp_path).notes)


def test_the_share_is_told_recorded_and_part_of_the_name(tmp_path):
    folder_of(tmp_path, cat=8, dog=8)
    found = load(tmp_path, split_seed=7, test_share=0.125)
    assert found.parts == {"drawn": {"split_seed": 7, "test_share": 0.125}, "train": 14, "test": 2}
    assert found.notes == (
        f"{tmp_path}: no folders train and test in it: 12.5 % of each class, drawn by the split seed 7, are "
        "for testing (14 to train on, 2 to test)",
    )
    listed = listing.listed(tmp_path)
    names = {parts.drawn(listed, split, seed, share).part
             for split in ("train", "test") for seed in (0, 1) for share in (0.2, 0.25)}  # fmt: skip
    assert len(names) == 8  # each has pixels of its own in the cache


def test_names_that_are_no_text_are_drawn_too(tmp_path):
    for i in range(4):
        draw(tmp_path / "cat" / os.fsdecode(b"\xff%d.png" % i))
        draw(tmp_path / "dog" / f"{i}.png")
    assert [len(each) for each in both(tmp_path)] == [6, 2]


@pytest.mark.parametrize("names", [("Train", "TEST"), ("TRAIN", "Val"), ("training", "testing")])
def test_parts_in_capitals_are_parts_and_told(tmp_path, names):
    tree(tmp_path, *names)
    found = load(tmp_path, "test")
    noted = [] if names[1] == "test" else [f"{tmp_path}: the test set is the folder {names[1]}"]
    assert list(found.notes) == noted and found.parts == {"train": names[0], "test": names[1]}
    for name in names:
        shutil.rmtree(tmp_path / name)
        (tmp_path / name).symlink_to("nowhere")
        with pytest.raises(
            FileNotFoundError, match=f"{name}: wanted a folder, found a link that leads nowhere"
        ):
            load(tmp_path)
        (tmp_path / name).unlink()
        tree(tmp_path, name)


def test_the_usual_name_goes_before_the_others(tmp_path):
    tree(tmp_path, "train", "training", "trainset", "val", "valid", "validation")
    found = load(tmp_path, "test")
    assert found.parts == {"train": "train", "test": "val"}
    assert found.notes[1] == f"{tmp_path}: folders that are not used: training, trainset, valid, validation"


def test_several_or_no_lists_are_told_apart(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"one pair of files NAME\.train and NAME\.labels, found none"
    ):
        data.load("image_list", tmp_path, "train")
    for name in "ab":
        for ending in ("train", "labels"):
            (tmp_path / f"{name}.{ending}").write_text("cat")
    with pytest.raises(ValueError, match=r"one pair of files .*, found a\.labels, b\.labels"):
        data.load("image_list", tmp_path, "train")
