"""What people give as pictures: how many an array is, what a file is by its mode or its first bytes."""

import stat
from pathlib import Path

import numpy as np
import pytest

from cynet.data.images import given, kinds


@pytest.mark.parametrize(("shape", "channels", "parts"), [
    ((6, 5), 1, [(6, 5, 1)]), ((6, 5), 3, [(6, 5, 1)]), ((6, 5, 3), 3, [(6, 5, 3)]),
    ((6, 5, 4), 3, [(6, 5, 4)]),
    ((6, 5, 1), 1, [(6, 5, 1)]), ((6, 5, 7), 7, [(6, 5, 7)]), ((2, 6, 5, 3), 3, [(6, 5, 3)] * 2),
    ((2, 6, 5, 7), 7, [(6, 5, 7)] * 2), ((2, 6, 5), 1, [(6, 5, 1)] * 2),  # grey ones in a row
    ((2, 6, 1), 1, [(2, 6, 1)]), ((2, 6, 3), 1, [(2, 6, 3)]), ((2, 6, 4), 1, [(2, 6, 4)]),
    ((1, 6, 5, 4), 1, [(6, 5, 4)]),
])  # fmt: skip
def test_how_many_pictures_an_array_is(shape, channels, parts):
    array = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    names, found = zip(*given.sources(array, channels), strict=True)
    assert [each.shape for each in found] == parts
    assert names == tuple(f"picture {i}" for i in range(len(parts)))
    np.testing.assert_array_equal(np.concatenate([each.ravel() for each in found]), array.ravel())


@pytest.mark.parametrize(("shape", "channels"), [
    ((6, 5, 2), 3), ((2, 6, 5), 3), ((6, 5, 5), 3), ((2, 6, 5, 2), 3), ((2, 6, 5, 7), 3),
    ((1, 2, 6, 5, 3), 3),
    ((6, 0, 3), 3), ((2, 0, 5, 3), 3), ((6,), 1), ((0, 5), 1),
])  # fmt: skip
def test_what_no_picture_is_laid_out_like(shape, channels):
    with pytest.raises(ValueError, match=r"pictures: wanted arrays of \(height, width\), .*, got \("):
        list(given.sources(np.zeros(shape, np.uint8), channels))


@pytest.mark.parametrize(("array", "words"), [
    (np.array([[0.5, 2]]), "got float64 from 0.5 to 2.0"),
    (np.array([[-3, 5]], np.int16), "got int16 from -3 to 5"),
    (np.zeros((0, 3)), r"got float64 from \? to \?"), (np.array([["a"]]), r"got <U1 from \? to \?"),
])  # fmt: skip
def test_numbers_of_another_kind_are_told_with_their_range(array, words):
    with pytest.raises(TypeError, match=f"pictures: wanted arrays of uint8, 0 to 255, {words}"):
        list(given.sources(array, 3))


def test_pictures_are_numbered_through_files_and_arrays(tmp_path):
    grey, two = np.zeros((6, 5), np.uint8), np.zeros((2, 6, 5, 3), np.uint8)
    names = [name for name, _ in given.sources([grey, str(tmp_path / "x.png"), two], 3)]
    assert names == ["picture 0", str(tmp_path / "x.png"), "picture 1", "picture 2"]


def test_files_of_folders_are_sorted_and_others_counted(tmp_path):
    pytest.importorskip("PIL")
    for name in ("b.png", "deep/a.JPG", ".hidden.png", ".deep/x.png", "c.txt", "d.txt", "e", "deep/f.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found, others = given.picture_files(tmp_path)
    assert found == [tmp_path / "b.png", tmp_path / "deep/a.JPG"]
    assert others == [tmp_path / name for name in ("c.txt", "d.txt", "deep/f.zip", "e")]
    assert given.described(others) == "2 .txt, 1 without an ending, 1 .zip"


def test_files_that_take_a_package_are_told_with_it(monkeypatch):
    monkeypatch.setattr(
        kinds, "missing_package", lambda ending: "some-package" if ending == ".heic" else None
    )
    others = [Path(name) for name in ("a.heic", "b.heic", "c.txt")]
    assert given.described(others) == "2 .heic (pip install some-package reads them), 1 .txt"
    many = [Path(f"x.{letter}") for letter in "abcdefghij"]
    assert given.described(many).endswith(".h and 2 more")


def test_pixels_of_the_models_own_shape_are_taken_as_they_are():
    array = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    found = given.pixels(array, (2, 3, 5), "crop")
    np.testing.assert_array_equal(found, array.transpose(2, 0, 1))
    assert found.flags.c_contiguous
    with pytest.raises(ValueError, match="wanted an array of 3 x 2 with 5 channels for this model"):
        given.pixels(array, (3, 2, 5), "crop")


def test_pixels_that_cannot_be_read_name_the_error():
    image = pytest.importorskip("PIL.Image")
    picture = image.new("RGB", (4, 4))
    picture.load = lambda: (_ for _ in ()).throw(OSError("cut short"))
    with pytest.raises(ValueError, match="wanted a picture that Pillow can read: OSError: cut short"):
        given.pixels(picture, (2, 2, 3), "crop")


@pytest.mark.parametrize(("mode", "words"), [
    (stat.S_IFREG, None), (stat.S_IFDIR, "a folder"), (stat.S_IFIFO, "a pipe"), (stat.S_IFSOCK, "a socket"),
    (stat.S_IFCHR, "a device"), (stat.S_IFBLK, "a device"), (0, "no regular file"),
])  # fmt: skip
def test_what_is_no_regular_file_is_named(mode, words):
    assert kinds.special(mode | 0o644) == words


@pytest.mark.parametrize(("content", "read"), [
    (b"\0\0\0\x18ftypheic", True), (b"....ftyp", True), (b"...ftyp", False), (b".....ftyp", False),
    (b"\xff\x0a..", True), (b"\0\0\0\x0cJXL \r", True), (b"\xff\xd8\xff", False), (b"", False),
])  # fmt: skip
def test_what_a_plug_in_may_read(content, read):
    assert kinds.of_plug_in(content) is read


HEIF, AVIF, JXL = "pillow-heif", "pillow-avif-plugin", "pillow-jxl-plugin"


@pytest.mark.parametrize(("content", "words"), [
    *((b"\0\0\0\x18ftyp" + brand, f"it is HEIC, which the package {HEIF} reads")
      for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")),
    (b"\0\0\0\x18ftypavif", f"it is AVIF, which the package {AVIF} reads"),
    (b"\0\0\0\x18ftypmp42", "it is of no kind that is known"),
    (b"\0\0\0\x0cJXL \r", f"it is JPEG XL, which the package {JXL} reads"),
    (b"\xff\x0a\0", f"it is JPEG XL, which the package {JXL} reads"),
    (b"\0" * 100, "it holds nothing but zeros"), (b"", "it is of no kind that is known"),
    (b"%PDF-1.4", "it is a PDF document"), (b"%!PS-Adobe", "it is a PostScript program"),
    (b"\xef\xbb\xbf\r\n <SVG ", "it is an SVG drawing"), (b"<!DOCTYPE html>", "it is a web page"),
    (b"<html>", "it is a web page"), (b"<?xml version", "it is an XML document"),
    (b"PK\x03\x04..", "it is a zip archive"), (b"\x1f\x8b\x08", "it is packed by gzip"),
    (b"\x93NUMPY", "it is an array of NumPy"),
    (b"version https://git-lfs.github.com",
     "it is a pointer of Git LFS (git lfs pull fetches the file itself)"),
])  # fmt: skip
def test_what_bytes_are_is_said(content, words):
    assert kinds.guess(content) == words


def test_the_ending_of_a_name():
    assert [kinds.ending(name) for name in ("a.B.PNG", "a", ".png", "a.")] == [".png", "", "", "."]


def test_which_package_reads_an_ending(monkeypatch):
    image = pytest.importorskip("PIL.Image")
    image.init()
    packages = {HEIF: ".heic .heif .hif .heics .heifs", AVIF: ".avif .avifs", JXL: ".jxl"}
    found = {ending: package for package, endings in packages.items() for ending in endings.split()}
    assert {ending: kinds.missing_package(ending) for ending in found} == found
    assert {kinds.missing_package(ending) for ending in (".webp", ".jp2")} == {"pillow"}
    assert {kinds.missing_package(ending) for ending in (".png", ".txt", "")} == {None}


def test_the_endings_that_are_read(monkeypatch):
    pytest.importorskip("PIL")
    from PIL import features

    monkeypatch.setattr(features, "check", lambda feature: feature != "webp")
    monkeypatch.setattr(kinds.importlib.util, "find_spec", lambda module: module == "pillow_heif")
    found = kinds.read_endings()
    assert {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".mpo", ".jp2", ".heic", ".hif"} <= found
    assert not {".webp", ".jxl", ".pdf", ".eps", ".mpg", ".h5", ".wmf", ".txt", ""} & found
    assert kinds.decoder().split()[0] == "pillow" and kinds.decoder().split()[2:] == [HEIF]


def test_what_is_no_picture_at_all_is_refused_at_once():
    for wrong in (b"x.png", {"a": 1}, 3, None):
        with pytest.raises(TypeError, match=f"or a sequence of them, got {type(wrong).__name__}"):
            list(given.sources(wrong, 3))
    with pytest.raises(TypeError, match="Pillow's pictures, got int 3"):
        list(given.sources([3], 3))


def test_a_folder_that_cannot_be_read_is_its_own_error(tmp_path, monkeypatch):
    pytest.importorskip("PIL")

    def closed(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", closed)
    ((name, error),) = given.sources(tmp_path, 3)
    assert name == str(tmp_path) and isinstance(error, PermissionError)


def test_pictures_of_one_folder_are_in_the_order_of_their_names(tmp_path):
    pytest.importorskip("PIL")
    names = ["z/1.png", "b.png", "a/9.png", "c.png", "a.png", "y.png", "m.png", "k.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert given.picture_files(tmp_path)[0] == sorted(tmp_path / name for name in names)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("wanted", [1, 3])
def test_an_array_of_other_channels_is_converted(channels, wanted):
    pytest.importorskip("PIL")
    array = np.full((4, 5, channels), 100, np.uint8)
    array[..., 3:] = 255  # opaque
    found = given.pixels(array, (4, 5, wanted), "crop")
    assert found.shape == (wanted, 4, 5) and (found == 100).all() and found.flags.c_contiguous
