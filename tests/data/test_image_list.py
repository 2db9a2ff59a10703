"""Pictures that a list names."""

import os

import pytest
from damages import bounded
from photos import draw, pets

from cynet import data
from cynet.data.images import damaged, decoding, image_list

pytest.importorskip("PIL")


@pytest.fixture
def folder(tmp_path):
    return pets(tmp_path / "set")


def lists(root, paths, names=("cat", "dog")):
    (root / "a.train").write_text("\n".join(map(str, paths)))
    (root / "a.labels").write_text("\n".join(names))
    return root / "a.train", root / "a.labels"


def test_a_list_of_pictures(folder, tmp_path):
    paths = [folder / "dog" / "1.jpg", folder / "cat" / "0.png"]
    found = data.ImageList(*lists(tmp_path, paths))
    assert found.labels.tolist() == [1, 0] and found.picture_shape == (9, 7, 3)
    assert found.path_of(1) == str(paths[1])
    relative = lists(folder, ["cat/0.png", "dog/1.jpg"])
    assert data.ImageList(*relative, size=4).images.shape == (2, 3, 4, 4)
    assert data.load("image_list", folder, "train").labels.tolist() == [0, 1]


@pytest.mark.parametrize("names", [("man", "woman"), ("woman", "man")])
def test_of_two_names_in_a_path_the_longer_one_counts(names):
    for path, name in (("x/woman/1.png", "woman"), ("x/man/1.png", "man"), ("women/2_man.png", "man")):
        assert names[image_list.class_of(path, names)] == name


@pytest.mark.parametrize(("path", "name"), [
    ("dog/cat_1.png", "cat"), ("cat/dog_1.png", "dog"), ("dog/cat/1.png", None), ("dog/cat/dog.png", "dog"),
    ("cat/1.png", "cat"), ("cat_dog/1.png", None), ("cat/cat_dog.png", None), ("dog/catfish.png", "catfish"),
    ("catfish/1.png", "catfish"), ("catfish/cat.png", "cat"), ("Cat/1.png", None),
])  # fmt: skip
def test_of_several_names_in_a_path_that_in_the_files_name_counts(path, name):
    names = ["cat", "dog", "catfish"]
    if name is None:
        with pytest.raises(ValueError, match=f"^{path}: wanted one class name in the path, got "):
            image_list.class_of(path, names)
    else:
        assert names[image_list.class_of(path, names)] == name


@pytest.mark.parametrize(("paths", "names", "problem"), [
    ([], ["cat"], r"a\.train: wanted at least one line"),
    (["cat/0.png"], [], r"a\.labels: wanted at least one line"),
    (["cat/0.png"], ["bird"], "wanted one class name in the path, got none"),
    (["cat/0.png", "cat/0.p\0g"], ["cat"], "got a zero byte"),
    (["cat/0.png", "cat/wide.png"], ["cat"], "wanted shape .* that of the first picture"),
])  # fmt: skip
def test_bad_lists_are_named(folder, paths, names, problem):
    draw(folder / "cat" / "wide.png", 9, 9)
    with pytest.raises(ValueError, match=problem):
        data.ImageList(*lists(folder, paths, names))


def test_a_picture_that_is_not_there_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"cat/gone\.png"):
        data.ImageList(*lists(folder, ["cat/0.png", "cat/gone.png"]))


def test_all_files_that_are_no_pictures_are_named(folder):
    (folder / "cat" / "1.png").write_bytes(b"")
    (folder / "dog" / "2.jpg").write_bytes(b"<html>")
    lines = lists(folder, ["cat/1.png", "cat/0.png", "dog/2.jpg", "dog/gone.jpg", "dog/1.jpg"])
    words = r"3 of 5 .*1\.png \(empty file\).*2\.jpg \(it is a web page\).*gone\.jpg \(No such file"
    with pytest.raises(damaged.DamagedError, match=words):
        data.ImageList(*lines)
    with pytest.raises(damaged.DamagedError, match="3 of 5"):  # what is not there is no damage
        data.ImageList(*lines, skip_damaged=True)


def test_damaged_pictures_are_left_out_where_that_is_wanted(folder):
    (folder / "cat" / "1.png").write_bytes(b"")
    lines = lists(folder, ["cat/1.png", "dog/1.jpg", "cat/0.png"])
    found = data.ImageList(*lines, skip_damaged=True)
    assert found.labels.tolist() == [1, 0]
    assert [os.path.basename(path) for path in found.paths] == ["1.jpg", "0.png"]
    (note,) = found.notes
    assert note.startswith(f"{lines[0]}: damaged pictures left out: 1 (") and "1.png (empty file)" in note
    assert data.load("image_list", folder, "train", skip_damaged=True).fingerprint() == found.fingerprint()


def test_hidden_pictures_in_a_list_are_the_users_choice(folder):
    found = data.ImageList(*lists(folder, ["cat/.hidden.png", "dog/1.jpg"]))
    assert len(found) == 2 and found.notes == ()


def test_a_list_in_another_encoding_or_with_a_mark_at_its_beginning(folder):
    draw(folder / os.fsdecode(b"caf\xe9") / "x.png")
    paths, names = lists(folder, [])
    paths.write_bytes(b"\xef\xbb\xbfcat/0.png\r\ncaf\xe9/x.png\r\n")
    names.write_bytes(b"\xef\xbb\xbfcat\ncaf\xe9\n")
    found = data.ImageList(paths, names)
    assert found.classes == ("cat", "caf\\xe9") and found.labels.tolist() == [0, 1]


def test_a_pipe_in_a_list_is_not_waited_for(folder):
    os.mkfifo(folder / "cat" / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png: .*it is a pipe"):
        data.ImageList(*lists(folder, ["cat/pipe.png"]))


def test_a_list_that_is_no_file_or_has_no_end_is_refused(folder, tmp_path):
    listed, names = lists(tmp_path, [folder / "dog" / "1.jpg"])
    os.mkfifo(tmp_path / "pipe")
    for given in ((tmp_path / "pipe", names), (listed, tmp_path / "pipe")):
        with bounded(), pytest.raises(OSError, match="pipe: wanted a regular file, got a pipe"):
            data.ImageList(*given)
    os.truncate(listed, 100 * 10**9)
    with bounded(), pytest.raises(ValueError, match=r"a\.train: wanted a file of at most 268,435,456 bytes"):
        data.ImageList(listed, names)


def test_lines_end_as_on_any_system_and_are_stripped(tmp_path):
    path = tmp_path / "list"
    for end in ("\n", "\r\n", "\r"):
        path.write_bytes(end.join(["\ta b.png ", "", "  c\u2028d\x0b.png"]).encode())
        assert image_list.read_lines(path) == ["a b.png", "c\u2028d\x0b.png"]
    path.write_bytes(b"a\nb\0c\n")
    with pytest.raises(ValueError, match=r"wanted lines of text, got a zero byte in 'b\\x00c'"):
        image_list.read_lines(path)


def test_a_path_is_looked_for_in_the_current_folder_first(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    for place, size in ((here, 3), (there, 5)):
        draw(place / "cat.png", size, size)
    files = lists(there, ["cat.png"])
    monkeypatch.chdir(here)
    assert data.ImageList(*files).picture_shape == (3, 3, 3)
    (here / "cat.png").unlink()
    assert data.ImageList(*files).picture_shape == (5, 5, 3)
    (there / "cat.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"^\[Errno 2\] cat\.png: "):
        data.ImageList(*files)


def test_pictures_are_resized_as_asked(folder):
    files = lists(folder, ["cat/0.png"])
    found = {resize: data.ImageList(*files, size=4, resize=resize) for resize in ("crop", "stretch")}
    assert {resize: each.resize for resize, each in found.items()} == {"crop": "crop", "stretch": "stretch"}
    assert (found["crop"].images != found["stretch"].images).any()


def test_pictures_beyond_the_first_chunk_keep_their_labels_and_paths(folder, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 2)
    paths = [folder / name for name in ("cat/0.png", "dog/1.jpg", "dog/1.jpg", "cat/0.png", "dog/1.jpg")]
    found = data.ImageList(*lists(folder, paths), workers=0)
    assert found.labels.tolist() == [0, 1, 1, 0, 1] and found.paths == tuple(map(str, paths))
    assert (found.images[[0, 1, 1, 0, 1]] == found.images).all()
    assert (found.images[0] != found.images[1]).any()


def test_a_picture_of_another_shape_is_named_also_behind_a_damaged_one(folder, tmp_path):
    (folder / "cat" / "1.png").write_bytes(b"broken")
    draw(folder / "cat" / "wide.png", 9, 8)
    paths = [folder / "cat" / name for name in ("0.png", "1.png", "2.png", "wide.png")]
    with pytest.raises(ValueError) as caught:
        data.ImageList(*lists(tmp_path, paths), skip_damaged=True)
    assert str(caught.value) == (
        f"{paths[3]}: wanted shape (3, 9, 7) (channels, height, width), that of the first picture, "
        "got (3, 9, 8)"
    )


def test_names_that_cannot_be_told_apart_are_those_of_the_file_of_names(folder, tmp_path):
    names = ("cat", "dog", "cat")
    with pytest.raises(ValueError) as caught:
        data.ImageList(*lists(tmp_path, [folder / "dog" / "1.jpg"], names))
    assert str(caught.value) == (
        f"{tmp_path / 'a.labels'}: wanted a name of its own for each class, got 'cat' for 0 and 2"
    )
