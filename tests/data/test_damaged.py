"""Damaged pictures in a folder: named, all of them, or left out; the same warm and cold."""

import errno
import os

import numpy as np
import pytest
from photos import draw, pets, tiff

from cynet import data
from cynet.data.images import damaged, kinds, pictures, pixel_cache

pytest.importorskip("PIL")


@pytest.fixture
def folder(tmp_path):
    return pets(tmp_path / "set")


# -- folders ----------------------------------------------------------------------------------------------
@pytest.fixture
def broken(folder):
    """Two of the four dogs are damaged, and one of the five cats."""
    (folder / "dog" / "1.jpg").write_bytes(b"broken")
    (folder / "dog" / "2.jpg").write_bytes(b"")
    whole = (folder / "cat" / "3.png").read_bytes()
    (folder / "cat" / "3.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_all_damaged_pictures_are_named_with_the_reason_warm_and_cold(broken, monkeypatch):
    said = []
    for cache in (True, True, False):
        with pytest.raises(damaged.DamagedError, match="3 of 9 pictures cannot be used: ") as caught:
            data.ImageFolder(broken, 8, cache=cache)
        said.append(str(caught.value))
        assert [(os.path.relpath(p.path, broken), p.reason) for p in caught.value.problems][1:] == [
            ("dog/1.jpg", "it is of no kind that is known"), ("dog/2.jpg", "empty file")
        ]  # fmt: skip
        monkeypatch.setattr(pixel_cache.PixelCache, "write", None)  # once is enough to know them
    assert said[0] == said[1] == said[2] and "\n" not in said[0]
    assert "dog/2.jpg (empty file)" in said[0] and "--skip-damaged" in said[0]


def test_damaged_pictures_are_left_out_where_that_is_wanted(broken, monkeypatch):
    cold = data.ImageFolder(broken, 8, skip_damaged=True)
    monkeypatch.setattr(pixel_cache, "decoded", None)
    warm = data.ImageFolder(broken, 8, skip_damaged=True)
    monkeypatch.undo()
    plain = data.ImageFolder(broken, 8, skip_damaged=True, cache=False)
    for found in (cold, warm, plain):
        assert len(found) == len(found.paths) == 6 and found.labels.tolist() == [0] * 4 + [1] * 2
        assert found.paths[3:5] == ("cat/deep/x.bmp", "dog/0.jpg")
        assert [os.path.basename(problem.path) for problem in found.damaged] == ["3.png", "1.jpg", "2.jpg"]
        assert found.notes == cold.notes and found.fingerprint() == cold.fingerprint()
        np.testing.assert_array_equal(found.images[4], pictures.read(found.path_of(4), pictures.Fit(8)))
        np.testing.assert_array_equal(found.mean, cold.mean)
    (note,) = (note for note in cold.notes if damaged.LEFT_OUT in note)
    assert note.startswith(f"{broken}: damaged pictures left out: 3 (cat/3.png (")
    with pytest.raises(damaged.DamagedError):
        data.ImageFolder(broken, 8)


def test_a_whole_set_is_the_same_with_and_without_skipping(folder):
    plain = data.ImageFolder(folder, 8)
    assert plain.fingerprint() == data.ImageFolder(folder, 8, skip_damaged=True).fingerprint()


def test_ten_of_many_damaged_pictures_are_named(folder):
    for i in range(12):
        (folder / "cat" / f"broken{i:02}.png").touch()
    words = "12 of 21 .*broken09.* and 2 more; cynet data check"
    with pytest.raises(damaged.DamagedError, match=words) as caught:
        data.ImageFolder(folder, 8)
    assert "broken10" not in str(caught.value) and len(caught.value.problems) == 12


def test_a_set_of_damaged_pictures_alone_is_refused(folder):
    for path in [*folder.rglob("*.png"), *folder.rglob("*.jpg"), *folder.rglob("*.bmp")]:
        path.write_bytes(b"")
    with pytest.raises(damaged.DamagedError, match="9 of 9 pictures cannot be used"):
        data.ImageFolder(folder, 8, skip_damaged=True)


def test_what_is_no_damage_is_not_skipped(broken, monkeypatch):
    from PIL import Image

    Image.fromarray(np.ones((4, 4), np.float32)).save(broken / "cat" / "float.tif")
    for _ in range(2):
        with pytest.raises(damaged.DamagedError, match=r"4 of 10 .*float\.tif \(it holds floats from 1 to 1"):
            data.ImageFolder(broken, 8, skip_damaged=True)
    assert not list((broken / ".cynet").iterdir())


def test_files_that_cannot_be_read_are_all_named(folder, monkeypatch):
    original = pictures._content

    def failing(path):
        if path.endswith(".jpg"):
            raise OSError(errno.EIO, "Input/output error", path)
        return original(path)

    monkeypatch.setattr(pictures, "_content", failing)
    with pytest.raises(OSError, match=r"0\.jpg: Input/output error, .*3\.jpg: Input/output error") as caught:
        data.ImageFolder(folder, 8, skip_damaged=True)
    assert caught.value.errno == errno.EIO and len(caught.value.problems) == 4


def test_another_decoder_tries_damaged_pictures_again(broken, monkeypatch):
    data.ImageFolder(broken, 8, skip_damaged=True)
    draw(broken.parent / "whole.jpg")
    status = os.stat(broken / "dog" / "1.jpg")
    content = (broken.parent / "whole.jpg").read_bytes()
    monkeypatch.setattr(kinds, "decoder", lambda: "pillow 99")
    monkeypatch.setattr(pictures, "_content", lambda path, read=pictures._content: (
        content if path.endswith("1.jpg") else read(path)
    ))  # fmt: skip
    assert os.stat(broken / "dog" / "1.jpg") == status
    assert len(data.ImageFolder(broken, 8, skip_damaged=True)) == 7


def test_only_what_helps_is_advised(tmp_path):
    for i in range(2):
        draw(tmp_path / "cat" / f"{i}.png")
        (tmp_path / "cat" / f"{i}.tif").write_bytes(tiff(np.ones((2, 2), "<f4"), 3))
    for skip in (False, True):
        with pytest.raises(damaged.DamagedError, match="2 of 4 pictures cannot be used") as caught:
            data.ImageFolder(tmp_path, 4, cache=False, skip_damaged=skip)
        assert "floats from 1 to 1" in str(caught.value) and "--skip-damaged" not in str(caught.value)
    for file in tmp_path.glob("cat/*"):
        file.write_bytes(b"none of them is one")
    with pytest.raises(damaged.DamagedError, match="4 of 4 pictures") as caught:
        data.ImageFolder(tmp_path, 4, cache=False, skip_damaged=True)
    assert "--skip-damaged" not in str(caught.value)


def problem(name="a.png", damaged=True, number=None):
    return pictures.PictureProblem(name, "why", damaged, number)


@pytest.mark.parametrize(("problems", "total", "skip", "wanted"), [
    ([], 3, False, None),
    ([problem()], 3, True, None),
    ([problem()], 1, True, "a.png: wanted a picture that Pillow can read: why"),
    ([problem()], 2, False, f"a.png: wanted a picture that Pillow can read: why; {damaged.SKIP} it out"),
    ([problem(damaged=False)], 2, True, "a.png: why"),
    ([problem(), problem("b", False)], 2000, True,
     "2 of 2,000 pictures cannot be used: a.png (why), b (why); cynet data check lists all"),
    ([problem(), problem("b")], 2000, False, "2 of 2,000 pictures cannot be used: a.png (why), b (why); "
     f"cynet data check lists all; {damaged.SKIP} damaged ones out"),
    ([problem(), problem("b", False, errno.EIO)], 3, False,
     "2 of 3 pictures cannot be used: a.png (why), b (why); cynet data check lists all"),
])  # fmt: skip
def test_what_damaged_pictures_call_for(problems, total, skip, wanted):
    if wanted is None:
        return damaged.refuse(problems, total, skip)
    with pytest.raises(damaged.DamagedPicturesError) as caught:
        damaged.refuse(problems, total, skip)
    assert str(caught.value) == wanted
    assert (caught.value.problems, caught.value.total) == (tuple(problems), total)


def test_what_cannot_be_read_is_an_error_of_the_system_the_first_ones():
    problems = [problem("a", False, errno.EACCES), problem("b", False, errno.EIO)]
    with pytest.raises(PermissionError) as caught:
        damaged.refuse(iter(problems), 2, True)
    assert caught.value.errno == errno.EACCES and caught.value.strerror == "a: why, b: why"
    assert caught.value.problems == tuple(problems)


def test_three_of_those_left_out_are_named_from_the_folder(tmp_path):
    found = [problem(str(tmp_path / f"d/{i}.png")) for i in range(1234)]
    assert damaged.noted(found, str(tmp_path)) == [
        "damaged pictures left out: 1,234 (d/0.png (why), d/1.png (why), d/2.png (why) and 1,231 more)"
    ]
    assert damaged.noted([]) == []
    assert damaged.lines([problem("a\n.png"), problem(os.fsdecode(b"\xff.png"))]) == [
        r"a\n.png: why", r"\xff.png: why"
    ]  # fmt: skip
