"""Pictures from files: lists and folders of them, the cache, and what is no picture."""

import contextlib
import io
import json
import os
import shutil
import tracemalloc

import numpy as np
import pytest

from cynet import data
from cynet.data import decoding, image_folder, pictures

image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def draw(path, height=9, width=7, mode="RGB", **options):
    """A random picture file; what is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = RNG.integers(0, 256, shape, np.uint8)
    image.fromarray(pixels).save(path, **options)
    return pixels


@pytest.fixture
def folder(tmp_path):
    """Five cats and four dogs; one deeper, one no picture, one hidden."""
    root = tmp_path / "set"
    for i in range(4):
        draw(root / "cat" / f"{i}.png")
        draw(root / "dog" / f"{i}.jpg")
    draw(root / "cat" / "deep" / "x.bmp")
    (root / "cat" / "note.txt").write_text("no picture")
    draw(root / "cat" / ".hidden.png")
    (root / ".git").mkdir()
    return root


# -- reading -----------------------------------------------------------------------------------------------
def test_a_picture_keeps_its_size_and_channels(tmp_path):
    colour = draw(tmp_path / "a.png")
    np.testing.assert_array_equal(pictures.read(tmp_path / "a.png"), colour.transpose(2, 0, 1))
    grey = draw(tmp_path / "g.png", mode="L")
    np.testing.assert_array_equal(pictures.read(tmp_path / "g.png"), grey[None])


def test_fit_cuts_the_middle_and_scales(tmp_path):
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    image.fromarray(pixels).save(tmp_path / "a.png")
    cut = pictures.read(tmp_path / "a.png", pictures.Fit(10))
    assert cut.shape == (3, 10, 10) and (cut == 200).all()
    whole = pictures.read(tmp_path / "a.png", pictures.Fit((10, 30), "stretch", channels=1))
    np.testing.assert_array_equal(whole[0], pixels[..., 0])


def test_what_is_transparent_is_on_white_and_the_camera_is_upright(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0, 0] = 10, 20, 30, 255
    image.fromarray(pixels).save(tmp_path / "a.png")
    found = pictures.read(tmp_path / "a.png", pictures.Fit(4))
    assert found[:, 0, 0].tolist() == [10, 20, 30] and (found[:, 1:] == 255).all()
    exif = image.Exif()
    exif[0x0112] = 6  # the camera was turned: the first row is the right side
    turned = draw(tmp_path / "b.png", 6, 6, exif=exif)
    np.testing.assert_array_equal(
        pictures.read(tmp_path / "b.png", pictures.Fit(6)), np.rot90(turned, -1).transpose(2, 0, 1)
    )


def test_sixteen_bits_give_their_upper_eight(tmp_path):
    wide = RNG.integers(0, 2**16, (5, 5)).astype(np.uint16)
    image.fromarray(wide).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pictures.read(tmp_path / "a.png")[0], wide >> 8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_a_cut_or_damaged_picture_is_named(tmp_path, kind):
    whole = io.BytesIO()
    image.fromarray(RNG.integers(0, 256, (20, 20, 3), np.uint8)).save(whole, kind)
    whole, path = whole.getvalue(), tmp_path / "a.pic"
    for cut in range(0, len(whole) // 2, 11):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"a\.pic: wanted a picture that Pillow can read"):
            pictures.read(path)


def test_the_cap_on_pixels_comes_before_decoding(tmp_path, monkeypatch):
    draw(tmp_path / "a.png", 30, 40)
    monkeypatch.setattr(pictures, "PIXELS", 1199)
    with pytest.raises(ValueError, match=r"a\.png: .*wanted at most 1199 pixels, got 40 x 30"):
        pictures.read(tmp_path / "a.png")


def test_a_chunk_that_claims_two_gibibytes_takes_no_memory(tmp_path):
    draw(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    at = content.index(b"IDAT")
    content[at - 4 : at] = (2**31).to_bytes(4, "big")
    content[at + 4 :] = bytes(len(content) - at - 4)
    (tmp_path / "a.png").write_bytes(content)
    tracemalloc.start()
    with contextlib.suppress(ValueError):
        pictures.read(tmp_path / "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"cynet\[images\]"):
        pictures.pillow()


@pytest.mark.parametrize(("arguments", "problem"), [
    ({"size": 0}, "size"), ({"size": 1 << 20}, "size: wanted at most"),
    ({"size": 4, "resize": "fit"}, "resize: wanted one of crop, stretch"),
    ({"size": 4, "channels": 4}, "channels: wanted 1 or 3"),
])  # fmt: skip
def test_bad_fits_are_named(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        pictures.Fit(**arguments)


# -- workers -----------------------------------------------------------------------------------------------
def test_workers_give_the_same_pictures_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 2)
    paths = [str(tmp_path / f"{i}.png") for i in range(7)]
    wanted = [draw(tmp_path / f"{i}.png") for i in range(7)]
    for workers in (0, 2):
        found = [p for chunk in decoding.decoded(paths, None, workers) for p in chunk]
        np.testing.assert_array_equal(found, np.array(wanted).transpose(0, 3, 1, 2))


def test_a_worker_names_the_file_that_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 1)
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "gone.png")]
    with pytest.raises(ValueError, match=r"b\.png: wanted a picture"):
        list(decoding.decoded(paths, None, 2))
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        list(decoding.decoded(paths[::2], None, 1))


# -- folders -----------------------------------------------------------------------------------------------
def test_a_folder_for_each_class(folder):
    found = data.ImageFolder(folder, 8)
    assert found.classes == ("cat", "dog") and found.paths[4] == "cat/deep/x.bmp"
    assert found.labels.tolist() == [0] * 5 + [1] * 4
    assert isinstance(found.images, np.memmap) and found.images.shape == (9, 3, 8, 8)
    assert found.path_of(0) == str(folder / "cat" / "0.png")
    for i in (0, 4, 8):
        np.testing.assert_array_equal(found.images[i], pictures.read(found.path_of(i), pictures.Fit(8)))


def test_the_cache_gives_the_same_set_without_decoding(folder, monkeypatch):
    first = data.ImageFolder(folder, 8)
    plain = data.ImageFolder(folder, 8, cache=False)
    monkeypatch.setattr(image_folder, "decoded", None)
    second = data.ImageFolder(folder, 8)
    assert first.fingerprint() == second.fingerprint() == plain.fingerprint()
    np.testing.assert_array_equal(second.images, plain.images)
    np.testing.assert_array_equal(second.mean, plain.mean)


def _add(folder):
    draw(folder / "dog" / "new.png")


def _change(folder):
    draw(folder / "dog" / "0.jpg")


def _remove(folder):
    (folder / "cat" / "0.png").unlink()


def _cut(folder):
    (cache,) = (folder / ".cynet").glob("*.npy")
    cache.write_bytes(cache.read_bytes()[:-5])


def _rewrite(folder):
    (cache,) = (folder / ".cynet").glob("*.npy")
    content = cache.read_bytes()
    cache.write_bytes(content[:-9] + bytes(9))
    os.utime(cache, ns=(1, 1))


def _break_key(folder):
    (key,) = (folder / ".cynet").glob("*.json")
    key.write_text(key.read_text()[:-20])


def _lie(folder):
    (key,) = (folder / ".cynet").glob("*.json")
    facts = json.loads(key.read_text())
    facts["counts"][0][0] += 1
    key.write_text(json.dumps(facts))


def _lie_more(folder):
    (key,) = (folder / ".cynet").glob("*.json")
    key.write_text(json.dumps(json.loads(key.read_text()) | {"fingerprint": ["x"]}))


@pytest.mark.parametrize(
    "change", [_add, _change, _remove, _cut, _rewrite, _break_key, _lie, _lie_more]
)  # fmt: skip
def test_a_cache_that_is_not_of_these_pictures_is_made_again(folder, change):
    data.ImageFolder(folder, 8)
    change(folder)
    found = data.ImageFolder(folder, 8)
    plain = data.ImageFolder(folder, 8, cache=False)
    np.testing.assert_array_equal(found.images, plain.images)
    assert found.fingerprint() == plain.fingerprint()
    assert not list((folder / ".cynet").glob("*.tmp"))


def test_a_cache_elsewhere_keeps_several_sets(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "other" / "set")
    _remove(tmp_path / "other" / "set")
    folders = folder, tmp_path / "other" / "set"
    counts = [len(data.ImageFolder(each, 8, cache=tmp_path / "kept")) for each in folders]
    assert counts == [9, 8] and len(list((tmp_path / "kept").glob("*.npy"))) == 2
    assert not (folder / ".cynet").exists()


def test_a_full_disk_leaves_nothing_half_written(folder, monkeypatch):
    monkeypatch.setattr(image_folder.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 5))
    with pytest.raises(OSError, match=r"cannot keep decoded pictures in .* 5 are free"):
        data.ImageFolder(folder, 8)
    monkeypatch.undo()
    (folder / "dog" / "3.jpg").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"3\.jpg: wanted a picture"):
        data.ImageFolder(folder, 8)
    assert not list((folder / ".cynet").iterdir())


def test_bad_folders_are_named(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.ImageFolder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="got no folder"):
        data.ImageFolder(tmp_path / "empty")
    (folder / "bird").mkdir()
    with pytest.raises(ValueError, match="bird: wanted at least one picture, got none"):
        data.ImageFolder(folder)
    with pytest.raises(ValueError, match=r"got also .*bird"):
        data.ImageFolder(folder, classes=("cat", "dog"))


def test_load_takes_the_classes_of_the_training_folder(folder, tmp_path):
    root = tmp_path / "both"
    shutil.copytree(folder, root / "train")
    draw(root / "test" / "dog" / "x.png")
    test = data.load("image_folder", root, "test", size=8)
    assert test.classes == ("cat", "dog") and test.labels.tolist() == [1]
    with pytest.raises(ValueError, match="root: wanted the place of the files of image_folder"):
        data.load("image_folder")
    with pytest.raises(FileNotFoundError, match="found no train"):
        data.load("image_folder", folder)


def test_a_users_transform_that_fails_names_the_file(folder):
    dataset = data.ImageFolder(folder, 8)

    def broken(picture, rng):
        raise KeyError("nothing")

    with pytest.raises(KeyError) as caught:
        next(iter(data.DataLoader(dataset, 2, shuffle=False, workers=0, transforms=[broken])))
    assert dataset.path_of(0) in "".join(caught.value.__notes__)


# -- lists -------------------------------------------------------------------------------------------------
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
