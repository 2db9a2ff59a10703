"""Folders of pictures: the set, its cache, damaged pictures, places that cannot be written."""

import errno
import json
import os
import shutil

import numpy as np
import pytest
from photos import draw, pets

from cynet import data
from cynet.data.images import decoding, image_folder, listing, pictures, pixel_cache

pytest.importorskip("PIL")


@pytest.fixture
def folder(tmp_path):
    return pets(tmp_path / "set")


# -- folders ----------------------------------------------------------------------------------------------
def test_a_folder_for_each_class(folder):
    found = data.ImageFolder(folder, 8)
    assert found.classes == ("cat", "dog") and found.paths[4] == "cat/deep/x.bmp"
    assert found.labels.tolist() == [0] * 5 + [1] * 4
    assert isinstance(found.images, np.memmap) and found.images.shape == (9, 3, 8, 8)
    assert found.path_of(0) == str(folder / "cat" / "0.png")
    for i in (0, 4, 8):
        np.testing.assert_array_equal(found.images[i], pictures.read(found.path_of(i), pictures.Fit(8)))


@pytest.mark.parametrize("chunk", [2, 64])
def test_the_cache_gives_the_same_set_without_decoding(folder, monkeypatch, chunk):
    monkeypatch.setattr(decoding, "CHUNK", chunk)
    first = data.ImageFolder(folder, 8)
    plain = data.ImageFolder(folder, 8, cache=False)
    monkeypatch.setattr(pixel_cache, "decoded", None)
    second = data.ImageFolder(folder, 8)
    assert first.fingerprint() == second.fingerprint() == plain.fingerprint()
    np.testing.assert_array_equal(second.images, plain.images)
    for found in (first, second):
        np.testing.assert_array_equal(found.mean, plain.mean)
        np.testing.assert_array_equal(found.std, plain.std)


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


def _pipe(suffix):
    def change(folder):
        (path,) = (folder / ".cynet").glob(f"*{suffix}")
        path.unlink()
        os.mkfifo(path)
        if suffix == ".npy":  # with a key that fits it
            (key,) = (folder / ".cynet").glob("*.json")
            facts = json.loads(key.read_text()) | {"array": [0, path.stat().st_mtime_ns]}
            facts.pop("check")
            key.write_text(json.dumps(facts | {"check": pixel_cache.digest_of(facts)}))

    return change


def _brackets(folder):
    (key,) = (folder / ".cynet").glob("*.json")
    key.write_text("[" * 100_000)


def _sparse(folder):
    (key,) = (folder / ".cynet").glob("*.json")
    os.truncate(key, 100 * 10**9)


CHANGES = [
    _add, _change, _remove, _cut, _rewrite, _break_key, _lie, _lie_more, _pipe(".json"), _pipe(".npy"),
    _brackets, _sparse,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_cache_that_is_not_of_these_pictures_is_made_again(folder, change):
    data.ImageFolder(folder, 8)
    change(folder)
    found = data.ImageFolder(folder, 8)
    plain = data.ImageFolder(folder, 8, cache=False)
    np.testing.assert_array_equal(found.images, plain.images)
    assert found.fingerprint() == plain.fingerprint()
    assert not list((folder / ".cynet").glob("*.tmp"))


def test_the_pixels_are_not_written_through_a_link(folder, tmp_path):
    """The name of the temporary file is one that can be known before."""
    data.ImageFolder(folder, 8)
    (array,) = (folder / ".cynet").glob("*.npy")
    (tmp_path / "victim").write_bytes(b"kept")
    links = [array, array.with_suffix(".json"), array.with_name(f".{array.name}.{os.getpid()}.tmp")]
    for link in links:
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / "victim")
    data.ImageFolder(folder, 8)
    assert (tmp_path / "victim").read_bytes() == b"kept" and not any(map(os.path.islink, links))


def test_a_cache_elsewhere_keeps_several_sets(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "other" / "set")
    _remove(tmp_path / "other" / "set")
    folders = folder, tmp_path / "other" / "set"
    counts = [len(data.ImageFolder(each, 8, cache=tmp_path / "kept")) for each in folders]
    assert counts == [9, 8] and len(list((tmp_path / "kept").glob("*.npy"))) == 2
    assert not (folder / ".cynet").exists()
    names = [path.name for path in (tmp_path / "kept").glob("*.npy")]
    assert all(name.startswith("set-") and name.endswith("-3x8x8-crop.npy") for name in names)


def test_a_cache_is_named_by_what_the_pictures_were_made_into(folder):
    for options in ({"size": 8}, {"size": (8, 6), "resize": "stretch"}, {"size": 8, "channels": 1}):
        data.ImageFolder(folder, **options)
    names = sorted(path.name for path in (folder / ".cynet").glob("*.npy"))
    assert names == ["1x8x8-crop.npy", "3x8x6-stretch.npy", "3x8x8-crop.npy"]


def test_bad_folders_are_named(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.ImageFolder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="got no folder"):
        data.ImageFolder(tmp_path / "empty")
    draw(folder / "bird" / "0.png")
    with pytest.raises(ValueError, match=r"got also .*bird"):
        data.ImageFolder(folder, classes=("cat", "dog"))
    with pytest.raises(TypeError, match="classes: wanted a sequence of str, got 'cat'"):
        data.ImageFolder(folder, classes="cat")


# -- places that cannot be written ------------------------------------------------------------------------
def in_memory(root, **options):
    """A set that is not kept, and the note that says why."""
    found = data.ImageFolder(root, 8, **options)
    assert not isinstance(found.images, np.memmap)
    assert found.fingerprint() == data.ImageFolder(root, 8, cache=False).fingerprint()
    (note,) = (note for note in found.notes if "are in memory, and made anew at each start" in note)
    return found, note


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT])
def test_a_place_that_cannot_be_written_is_noted(folder, monkeypatch, number):
    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(folder), "mkdir", refused)
    assert os.strerror(number) in in_memory(folder)[1]


def test_a_file_in_the_place_of_the_cache_is_noted_and_stays(folder, tmp_path):
    (folder / ".cynet").write_text("mine")
    assert "File exists" in in_memory(folder)[1]
    assert (folder / ".cynet").read_text() == "mine"
    (tmp_path / "file").touch()
    assert "Not a directory" in in_memory(folder, cache=tmp_path / "file" / "kept")[1]


def test_a_folder_without_leave_to_write_is_noted(folder, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):  # the superuser may write everywhere
            monkeypatch.setattr(type(folder), "mkdir", refused)
        assert "Permission denied" in in_memory(folder)[1]
    finally:
        folder.chmod(0o755)


def test_a_full_disk_is_noted_and_leaves_nothing_half_written(folder, monkeypatch):
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 5))
    assert "1,728 bytes are wanted, 5 are free" in in_memory(folder)[1]
    assert not list((folder / ".cynet").iterdir())


@pytest.mark.parametrize("place", ["flush_folder", "write_atomically"])
def test_a_disk_that_is_full_in_the_end_is_noted(folder, monkeypatch, place):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pixel_cache, place, full)
    assert "No space left" in in_memory(folder)[1]
    assert not list((folder / ".cynet").glob("*.tmp")) and not list((folder / ".cynet").glob("*.json"))


def test_a_warm_cache_is_read_where_nothing_can_be_written(folder, monkeypatch):
    first = data.ImageFolder(folder, 8)
    monkeypatch.setattr(pixel_cache.PixelCache, "write", None)
    assert data.ImageFolder(folder, 8).fingerprint() == first.fingerprint()


def test_a_cache_among_the_classes_is_refused(folder):
    with pytest.raises(ValueError, match=r"cache: wanted a folder outside of .* got .*kept"):
        data.ImageFolder(folder, 8, cache=folder / "kept")
    assert data.ImageFolder(folder, 8, cache=folder / ".kept").classes == ("cat", "dog")


# -- notes ------------------------------------------------------------------------------------------------
def test_the_notes_are_the_same_from_a_warm_cache(folder):
    (folder / "cat" / "paper.pdf").touch()
    notes = [data.ImageFolder(folder, 8, cache=cache).notes for cache in (True, True, False)]
    assert notes[0] == notes[1] == notes[2]
    assert f"{folder}: files of other kinds left out: 2 (1 .pdf, 1 .txt)" in notes[0]
    assert data.load("shapes10", split="test").notes == ()


def test_pictures_that_are_nearly_black_are_remarked_upon(tmp_path):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((4, 4), 4095, np.uint16)).save(tmp_path / name / "x.png")  # 12 bits in 16
    for _ in range(2):
        (note,) = data.ImageFolder(tmp_path, 4).notes
        assert "nearly black, no pixel is above 15 of 255" in note


def test_a_listing_is_taken_in_place_of_a_folder(folder):
    found = listing.listed(folder)
    assert data.ImageFolder(found, 8).fingerprint() == data.ImageFolder(folder, 8).fingerprint()
    assert image_folder.ImageFolder(found, 8).parts is None


def test_a_users_transform_that_fails_names_the_file(folder):
    dataset = data.ImageFolder(folder, 8)

    def broken(picture, rng):
        raise KeyError("nothing")

    with pytest.raises(KeyError) as caught:
        next(iter(data.DataLoader(dataset, 2, shuffle=False, workers=0, transforms=[broken])))
    assert dataset.path_of(0) in "".join(caught.value.__notes__)


def test_a_cache_in_the_home_folder_is_there(folder, tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(tmp_path)
    data.ImageFolder(folder, 4, cache="~/kept")
    assert len(list((home / "kept").iterdir())) == 2 and not (tmp_path / "~").exists()


@pytest.mark.parametrize(("level", "noted"), [(0, True), (31, True), (32, False)])
def test_pictures_of_five_bits_or_less_look_nearly_black(tmp_path, level, noted):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((4, 4, 3), level, np.uint8)).save(tmp_path / name / "0.png")
    notes = data.ImageFolder(tmp_path, 4, cache=False).notes
    words = f"all pictures are nearly black, no pixel is above {level} of 255: do they hold"
    assert any(words in note for note in notes) is noted


def test_the_cache_is_of_one_way_to_resize_one_list_of_classes_and_one_kind_of_channels(tmp_path):
    draw(tmp_path / "a" / "0.png", 9, 5)
    draw(tmp_path / "b" / "0.png", 5, 9)
    made = [
        {"size": 4}, {"size": 4, "resize": "stretch"}, {"size": 4, "channels": 1}, {"size": (4, 5)},
        {"size": 4, "classes": ["b", "a"]}, {"size": 4, "classes": ["a", "b", "none"]},
    ]  # fmt: skip
    for _ in range(2):
        for options in made:
            kept = data.ImageFolder(tmp_path, **options)
            plain = data.ImageFolder(tmp_path, **options, cache=False)
            assert kept.classes == plain.classes
            assert kept.fingerprint() == plain.fingerprint() and kept.resize == options.get("resize", "crop")
            np.testing.assert_array_equal(kept.images, plain.images)
            np.testing.assert_array_equal(kept.labels, plain.labels)
