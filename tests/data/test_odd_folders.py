"""Folders and lists of pictures as few have them: order, service folders, dots in names, bytes as a path."""

import os
from types import SimpleNamespace

import pytest
from photos import draw, folder_of

from cynet import data
from cynet.data.images import damaged, listing, walk

pytest.importorskip("PIL")


@pytest.fixture
def root(tmp_path):
    return folder_of(tmp_path / "set", cat=1, dog=1)


def test_pictures_are_in_the_order_of_their_whole_names(root):
    draw(root / "cat" / "a" / "x.png")
    draw(root / "cat" / "a.png")
    draw(root / "cat" / "-" / "y" / "z.png")
    names = [name for name, _, _ in listing.listed(root).files]
    assert names == sorted(names) and len(names) == 5


def test_a_folder_may_be_given_in_bytes(root):
    found = listing.listed(os.fsencode(root))
    assert found.files == listing.listed(root).files
    assert found.root == os.fspath(root) and found.classes == ("cat", "dog")


@pytest.mark.parametrize("name", [
    "@eaDir", "@Recently-Snapshot", "@Recycle", "#recycle", "#snapshot", "$RECYCLE.BIN", "__MACOSX",
    "lost+found", "System Volume Information", ".hidden",
])  # fmt: skip
def test_folders_of_systems_and_servers_are_no_classes(root, name):
    for place in (name, f"cat/{name.upper()}", f"dog/{name.lower()}"):
        draw(root / place / "x.png")
    found = listing.listed(root)
    assert found.classes == ("cat", "dog") and len(found.files) == 2
    (note,) = found.notes
    hidden = ", ".join(sorted([name, f"cat/{name.upper()}", f"dog/{name.lower()}"]))
    assert note == f"{root}: hidden files and folders left out: 3 ({hidden})"


def test_what_is_hidden_is_named_in_order(root):
    for place in ("lost+found", "cat/.b", "cat/.a", "dog/z/.c"):
        draw(root / place / "x.png")
    assert listing.listed(root).notes[0].endswith("left out: 4 (cat/.a, cat/.b, dog/z/.c and 1 more)")


def test_one_number_on_two_disks_is_two_files():
    one, two = (SimpleNamespace(st_dev=disk, st_ino=5) for disk in (1, 2))
    look = walk.Walk.__new__(walk.Walk)
    look.root = "/somewhere"
    assert look._identity(one, "a") == look._identity(one, "b") != look._identity(two, "a")
    none = SimpleNamespace(st_dev=1, st_ino=0)  # some file systems have none
    assert look._identity(none, "a") == "/somewhere/a" != look._identity(none, "b")


@pytest.mark.parametrize("link", [True, False])
def test_only_a_link_may_lead_nowhere(link):
    def refused():
        raise PermissionError(13, "Permission denied")

    entry = SimpleNamespace(is_dir=refused, is_file=refused, stat=refused, is_symlink=lambda: link)
    if link:
        assert walk.kind_of(entry) == walk.BROKEN
    else:
        with pytest.raises(PermissionError):
            walk.kind_of(entry)


@pytest.mark.parametrize(("places", "meant"), [
    (("cat/a/x", "cat/b/x", "dog/a/x", "dog/c/x"), None),
    (("cat/images/x", "dog/images/x"), None),
    (("cat/a/x", "cat/b/x", "dog/a/x", "dog/b/x"), r"\(a, b\): are the classes the folders in .*set/cat\?"),
    (("cat/train/x", "cat/test/x", "dog/train/x", "dog/test/x"), "are these parts of it"),
    (("cat/train/x", "cat/test/k/x", "dog/train/x", "dog/test/x"), "are these parts of it"),
    (("one/train/a/x", "one/test/a/x", "two/train/a/x", "two/test/a/x"), r"is .*set/one the data set\?"),
    (("one/Train/a/x", "one/TEST/a/x", "two/Train/a/x", "two/TEST/a/x"), r"is .*set/one the data set\?"),
])  # fmt: skip
def test_folders_of_the_same_names_in_two_classes_are_asked_about(tmp_path, places, meant):
    for place in places:
        draw(tmp_path / "set" / f"{place}.png")
    if meant is None:
        assert len(listing.listed(tmp_path / "set").files) == len(places)
        return
    with pytest.raises(ValueError, match=f"got .*, which hold no pictures themselves .*{meant}"):
        listing.listed(tmp_path / "set")


@pytest.mark.parametrize("readable", [True, False])
def test_what_lies_beside_a_part_is_looked_at_where_that_may_be_read(tmp_path, monkeypatch, readable):
    folder_of(tmp_path / "train", cat=2, dog=2)
    folder_of(tmp_path / "Test", cat=1, dog=1)
    monkeypatch.setattr(os, "access", lambda place, mode: readable)
    notes = data.load("image_folder", tmp_path / "train").notes
    beside = f"{tmp_path / 'train'}: Test beside it is not used: is {tmp_path} the data set?"
    assert (beside in notes) is readable


# -- lists ------------------------------------------------------------------------------------------------
def listed(folder, name):
    draw(folder / "cat.png")
    draw(folder / "dog.png")
    (folder / f"{name}.train").write_text(f"{folder}/cat.png\n{folder}/dog.png\n")
    (folder / f"{name}.labels").write_text("cat\ndog\n")


@pytest.mark.parametrize("name", ["a", "my.set", "my.set.2"])
def test_the_name_of_a_list_may_have_dots(tmp_path, name):
    listed(tmp_path, name)
    assert data.load("image_list", tmp_path).labels.tolist() == [0, 1]


def test_what_is_left_out_of_a_list_is_named_as_seen_from_here(tmp_path, monkeypatch):
    listed(tmp_path, "a")
    (tmp_path / "cat.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    found = data.ImageList("a.train", "a.labels", skip_damaged=True)
    assert found.notes == (f"a.train: {damaged.LEFT_OUT}: 1 (cat.png (empty file))",)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    found = data.ImageList("../a.train", "../a.labels", skip_damaged=True)
    assert found.notes == (f"../a.train: {damaged.LEFT_OUT}: 1 (../cat.png (empty file))",)
