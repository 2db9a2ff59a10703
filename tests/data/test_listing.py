"""Which files of a folder are pictures of which class, and what is said of the others."""

import os
import random
import shutil
import socket

import pytest
from photos import draw, folder_of

from cynet import data
from cynet.core.names import printable
from cynet.data.images import kinds, listing, walk

pytest.importorskip("PIL")


@pytest.fixture
def root(tmp_path):
    """Two cats and two dogs."""
    return folder_of(tmp_path / "set", cat=2, dog=2)


def found(root, classes=None):
    """({class: its pictures}, the notes without the folder) of a listing."""
    result = listing.listed(root, classes)
    pictures = {name: [] for name in result.classes}
    for (name, _, _), label in zip(result.files, result.labels, strict=True):
        pictures[result.classes[label]].append(name)
    assert all(note.startswith(f"{printable(root)}: ") for note in result.notes)
    return pictures, [note.removeprefix(f"{printable(root)}: ") for note in result.notes]


AGAIN = "links to folders that are read already, not followed"
PLAIN = {"cat": ["cat/0.png", "cat/1.png"], "dog": ["dog/0.png", "dog/1.png"]}


def test_a_folder_of_pictures_alone_is_not_remarked_upon(root):
    assert found(root) == (PLAIN, [])
    draw(root / "cat" / "deep" / "er" / "x.JPEG")
    assert found(root)[0]["cat"] == [*PLAIN["cat"], "cat/deep/er/x.JPEG"]


def test_hidden_files_and_folders_are_left_out_at_every_depth_and_counted(root):
    for folder in ("cat/.ipynb_checkpoints", "dog/@eaDir", "__MACOSX", ".git"):
        draw(root / folder / "x.png")
    draw(root / "cat" / "deep" / ".x.png")
    (root / walk.CACHE).mkdir()  # our own
    pictures, notes = found(root)
    assert pictures == PLAIN
    some = ".git, __MACOSX, cat/.ipynb_checkpoints and 2 more"
    assert notes == [f"hidden files and folders left out: 5 ({some})"]


def test_files_of_other_kinds_are_counted_by_their_endings(root):
    for name in ("paper.pdf", "a.h5", "a.mpg", "a.txt", "b.TXT", "Makefile", "g.grib", "p.eps", "p.palm"):
        (root / "cat" / name).touch()
    pictures, notes = found(root)
    assert pictures == PLAIN
    counted = "2 .txt, 1 without ending, 1 .eps, 1 .grib, 1 .h5, 1 .mpg, 1 .palm, 1 .pdf"
    assert notes == [f"files of other kinds left out: 9 ({counted})"]


def test_a_kind_that_a_package_reads_names_it(root, monkeypatch):
    monkeypatch.setattr(kinds.importlib.util, "find_spec", lambda _: None)
    for name in ("a.heic", "b.HEIC", "c.jxl"):
        (root / "dog" / name).touch()
    notes = found(root)[1]
    assert notes == ["pictures left out that the package pillow-heif reads: 2 .heic",
                     "pictures left out that the package pillow-jxl-plugin reads: 1 .jxl"]  # fmt: skip
    for name in PLAIN["dog"]:
        (root / name).unlink()
    with pytest.raises(ValueError, match=r"set/dog: .*, got 2 that need a package: pip install pillow-heif"):
        found(root)
    monkeypatch.setattr(kinds.importlib.util, "find_spec", lambda name: name == "pillow_heif")
    pictures, notes = found(root)
    assert pictures["dog"] == ["dog/a.heic", "dog/b.HEIC"] and len(notes) == 1


# -- links ----------------------------------------------------------------------------------------------
def link(root, name, target):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(target)


@pytest.mark.parametrize("target", ["..", "../..", ".", "../dog", "../../../..", "/"])
def test_a_loop_of_links_multiplies_nothing(root, target):
    link(root, "cat/back", target)
    pictures, notes = found(root)
    assert pictures == PLAIN
    assert len(notes) == 1 and notes[0].startswith(f"{AGAIN}: cat/back (")


def test_a_link_beside_the_classes_that_leads_up_is_no_class(root):
    link(root, "self", ".")
    link(root, "up", "..")
    loops = "self (a folder that it lies in), up (a folder that it lies in)"
    assert found(root) == (PLAIN, [f"{AGAIN}: {loops}"])


def test_links_to_files_and_folders_elsewhere_are_followed(root, tmp_path):
    draw(tmp_path / "store" / "a.png")
    draw(tmp_path / "store" / "more" / "b.png")
    folder_of(tmp_path / "else", bird=1)
    link(root, "cat/c.png", tmp_path / "store" / "a.png")
    link(root, "dog/store", tmp_path / "store")
    link(root, "bird", "../else/bird")
    link(tmp_path, "store/round", "../store")
    pictures, notes = found(root)
    assert pictures["cat"] == [*PLAIN["cat"], "cat/c.png"] and pictures["bird"] == ["bird/0.png"]
    assert pictures["dog"] == [*PLAIN["dog"], "dog/store/a.png", "dog/store/more/b.png"]
    assert f"{AGAIN}: dog/store/round (the folder dog/store)" in notes
    assert "one file in two classes: cat/c.png and dog/store/a.png" in notes


def test_a_real_folder_is_read_where_it_lies_not_where_a_link_leads(root):
    draw(root / "dog" / "small" / "x.png")
    link(root, "cat/a", "../dog/small")  # comes before
    pictures, notes = found(root)
    assert pictures["cat"] == PLAIN["cat"] and pictures["dog"] == [*PLAIN["dog"], "dog/small/x.png"]
    assert notes == [f"{AGAIN}: cat/a (the folder dog/small)"]


def test_a_link_to_a_class_does_not_take_its_place(root):
    link(root, "ant", "dog")  # comes before
    with pytest.raises(ValueError, match="for each class, got one for two: ant leads to dog"):
        found(root)


def test_one_folder_linked_under_two_classes_is_read_once_and_named(root, tmp_path):
    draw(tmp_path / "store" / "a.png")
    link(root, "cat/more", tmp_path / "store")
    link(root, "dog/more", tmp_path / "store")
    pictures, notes = found(root)
    assert pictures == PLAIN | {"cat": [*PLAIN["cat"], "cat/more/a.png"]}
    assert notes == [f"{AGAIN}: dog/more (the folder cat/more)"]


def test_one_folder_that_is_two_classes_is_refused(root):
    link(root, "cats", "cat")
    with pytest.raises(ValueError, match=r"wanted a folder of .*, got one for two: cats leads to cat"):
        found(root)


def test_hard_links_under_two_classes_are_named(root):
    os.link(root / "cat" / "0.png", root / "dog" / "x.png")
    assert found(root)[1] == ["one file in two classes: cat/0.png and dog/x.png"]


def test_broken_links_are_named(root):
    link(root, "cat/a.png", "gone.png")
    link(root, "dog/round", "round")
    link(root, "bird", "/nowhere/bird")
    pictures, notes = found(root)
    assert pictures == PLAIN and notes == ["broken links left out: bird, cat/a.png, dog/round"]


# -- what is no file ------------------------------------------------------------------------------------
def test_pipes_sockets_devices_and_folders_named_as_pictures_are_named(root, monkeypatch):
    os.mkfifo(root / "cat" / "pipe.png")
    link(root, "cat/zero.png", "/dev/zero")
    monkeypatch.chdir(root / "cat")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
    draw(root / "dog" / "folder.png" / "x.png")
    pictures, notes = found(root)
    assert pictures == PLAIN | {"dog": [*PLAIN["dog"], "dog/folder.png/x.png"]}
    assert notes == ["left out, being no regular files: cat/pipe.png (a pipe), cat/socket.png (a socket), "
                     "cat/zero.png (a device)", "folders named as pictures are: dog/folder.png"]  # fmt: skip


# -- classes --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", ["missing", "empty", "hidden"])
def test_an_empty_and_a_missing_folder_of_a_class_are_the_same(root, change):
    shutil.rmtree(root / "dog")
    if change != "missing":
        (root / "dog").mkdir()
    if change == "hidden":
        (root / "dog" / ".gitkeep").touch()
    pictures, notes = found(root, ("cat", "dog"))
    assert pictures == PLAIN | {"dog": []} and notes[-1] == "no pictures of: dog"
    pictures, notes = found(root)
    assert pictures == {"cat": PLAIN["cat"]}
    assert change == "missing" or notes[-1] == "folders without a picture, which are no classes: dog"


def test_a_folder_of_other_files_is_no_class(root):
    (root / "labels").mkdir()
    (root / "labels" / "0.xml").touch()
    pictures, notes = found(root)
    assert pictures == PLAIN and notes[-1] == "folders without a picture, which are no classes: labels"


def test_a_folder_without_a_picture_is_no_unknown_class(root):
    """Where the classes are told, as of a test set."""
    (root / "extra").mkdir()
    (root / "notes").mkdir()
    (root / "notes" / "a.txt").touch()
    pictures, notes = found(root, ("dog", "cat"))
    assert pictures == PLAIN and list(pictures) == ["dog", "cat"]
    assert notes[-1] == "folders without a picture, which are no classes: extra, notes"
    draw(root / "extra" / "x.png")
    with pytest.raises(ValueError, match=r"got also \['extra'\]"):
        found(root, ("dog", "cat"))


def test_pictures_beside_the_classes_are_named(root):
    draw(root / "x.png")
    (root / "README.md").touch()
    assert found(root) == (PLAIN, ["pictures left out that lie beside the folders of classes: 1 (x.png)"])


def test_a_class_of_another_case_is_suggested(root):
    with pytest.raises(ValueError, match=r"got also \['dog'\] \(did you mean Dog\?\)"):
        found(root, ("cat", "Dog"))
    (root / "dog").rename(root / "DOG")
    with pytest.raises(ValueError, match=r"got also \['DOG'\] \(did you mean dog\?\)"):
        found(root, ("cat", "dog"))
    with pytest.raises(ValueError, match=r"got also \['DOG'\]$"):
        found(root, ("cat", "bird"))


def test_where_there_is_nothing_it_says_what_there_is(tmp_path, root):
    with pytest.raises(FileNotFoundError, match=r"nowhere: wanted a folder of pictures .*, found none"):
        listing.listed(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"0\.png: .*found a file"):
        listing.listed(root / "cat" / "0.png")
    with pytest.raises(ValueError, match=r"cat: .*got no folder but 2 pictures"):
        listing.listed(root / "cat")
    for name in PLAIN["cat"] + PLAIN["dog"]:
        (root / name).rename((root / name).with_suffix(".pdf"))
    with pytest.raises(ValueError, match=r"got none in the folders cat, dog; files of other kinds left out"):
        listing.listed(root)


# -- names ----------------------------------------------------------------------------------------------
def test_names_that_are_no_utf8_are_found_raw_and_shown_escaped(tmp_path):
    root = folder_of(tmp_path / "set", dog=1)
    raw = os.fsdecode(b"caf\xe9")
    draw(root / raw / "x.png")
    (root / raw / os.fsdecode(b"\xff.png")).write_bytes((root / "dog" / "0.png").read_bytes())
    draw(root / "two\nlines" / "x.png")
    dataset = data.ImageFolder(root, 4)
    assert dataset.classes == ("caf\\xe9", "dog", "two\\nlines")
    assert dataset.paths[0] == f"{raw}/x.png" and os.path.exists(dataset.path_of(1))
    assert data.ImageFolder(root, 4, classes=dataset.classes, cache=False).labels.tolist() == [0, 0, 1, 2]
    (root / raw / "y.png").touch()
    with pytest.raises(ValueError, match=r"set/caf\\xe9/y\.png: .*empty file") as caught:
        data.ImageFolder(root, 4)
    assert str(caught.value).isprintable()


def test_one_name_in_two_spellings_of_unicode_is_one_class(tmp_path):
    composed, parted = "Z\u00fcge", "Zu\u0308ge"
    draw(tmp_path / "train" / composed / "x.png")
    draw(tmp_path / "test" / parted / "x.png")
    classes = listing.listed(tmp_path / "train").classes
    assert listing.listed(tmp_path / "test", classes).labels.tolist() == [0] and classes == (composed,)
    draw(tmp_path / "train" / parted / "x.png")
    with pytest.raises(ValueError, match=f"wanted names of classes that differ, got {composed} twice"):
        listing.listed(tmp_path / "train")


# -- order and speed ------------------------------------------------------------------------------------
def test_the_order_of_the_file_system_does_not_matter(root, monkeypatch):
    for name in "hgfedcba":
        draw(root / "cat" / name / "x.png")
        link(root, f"dog/{name}", f"../cat/{name}")
    before = listing.listed(root)

    class Shuffled(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def shuffled(folder):
        with os_scandir(folder) as entries:
            return Shuffled(random.Random(7).sample(list(entries), len(list(os_scandir(folder)))))

    os_scandir = os.scandir
    monkeypatch.setattr(os, "scandir", shuffled)
    after = listing.listed(root)
    assert after.files == before.files and after.notes == before.notes


def test_each_file_is_looked_up_once(tmp_path, monkeypatch):
    """The system is asked for the status of folders alone; a file's own comes with its entry, once."""
    root = folder_of(tmp_path / "set", cat=30, dog=30)
    looked, stat = [], os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: looked.append(os.fspath(path)) or stat(path, **more))
    assert len(listing.listed(root).files) == 60
    assert not any(path.endswith(".png") for path in looked)


@pytest.mark.parametrize(("pictures", "words"), [
    (0, r"set: wanted a folder of pictures for each class, got no folder$"),
    (2, r"got no folder but 2 pictures \(with a list of them it is an image_list\)$"),
])  # fmt: skip
def test_a_folder_without_folders_is_told_what_it_may_be(tmp_path, pictures, words):
    (tmp_path / "set").mkdir()
    for i in range(pictures):
        draw(tmp_path / "set" / f"{i}.png")
    with pytest.raises(ValueError, match=words):
        listing.listed(tmp_path / "set")


def test_classes_that_are_given_may_be_named_as_the_system_gave_them(root):
    raw = os.fsdecode(b"caf\xe9")
    try:
        (root / "dog").rename(root / raw)
    except OSError:
        pytest.skip("names are text here")
    for given in (("cat", raw), ("cat", printable(raw))):
        pictures, notes = found(root, given)
        assert list(pictures) == ["cat", r"caf\xe9"] and not notes
        assert [len(each) for each in pictures.values()] == [2, 2]
