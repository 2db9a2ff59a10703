"""Looking at a data set: its published files, what the counts must be, which pictures are drawn."""

import numpy as np
import pytest

from cynet.data import ArrayDataset, RandomFlip, inspection
from cynet.data.sets.sources import COUNTS, PUBLISHED
from cynet.data.text import TokenSet, Vocabulary


def dataset(labels, classes=("a", "b", "c"), size=2):
    labels = np.array(labels)
    images = np.broadcast_to((10 * np.arange(len(labels)))[:, None, None, None], (len(labels), 1, size, size))
    return ArrayDataset(images.astype(np.uint8), labels, classes)


def test_published_files_are_looked_for_in_three_places(monkeypatch, tmp_path):
    published = PUBLISHED["mnist"]
    monkeypatch.setattr(inspection, "problem", lambda file, path: f"{file.name} is odd")
    assert inspection.published_files("mnist", tmp_path) == []
    assert inspection.published_files("tiny", tmp_path) == []
    names = [file.name for file in published.files[:3]]
    places = tmp_path / published.folder, tmp_path, tmp_path / published.folder / "raw"
    for place, name in zip(places, names, strict=True):
        place.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    (tmp_path / names[0]).mkdir()  # no file
    found = inspection.published_files("mnist", tmp_path)
    assert set(found) == {(place / name, f"{name} is odd") for place, name in zip(places, names, strict=True)}


@pytest.mark.parametrize(("labels", "name", "split", "right"), [
    ([0, 1, 2], None, None, True), ([0, 2], None, None, False), ([0, 0, 1, 1, 2], "one", "train", True),
    ([0, 0, 1, 1, 2], "one", "test", True), ([0, 1, 1, 2], "one", "train", False),
    ([0, 1, 2], "two", "test", True),
])  # fmt: skip
def test_the_counts_are_those_published_or_of_filled_classes(monkeypatch, labels, name, split, right):
    monkeypatch.setitem(COUNTS, "one", {"train": (2, 2, 1)})
    found = inspection.check(dataset(labels), name, split)
    assert found.counts == tuple(labels.count(k) for k in range(3)) and found.right is right
    assert found.wanted == ((2, 2, 1) if (name, split) == ("one", "train") else None)


def test_a_mosaic_has_a_row_for_each_class_that_has_pictures():
    few = dataset([0, 2, 0, 2, 2])
    drawn = inspection.mosaic(few, columns=2)
    assert drawn.shape == (2 * 4 + 2, 2 * 4 + 2) and drawn.dtype == np.uint8
    rows = [drawn[top : top + 2, left : left + 2] for top in (2, 6) for left in (2, 6)]
    assert all(len(set(row.ravel().tolist())) == 1 for row in rows)
    shown = [int(row[0, 0]) // 10 for row in rows]
    assert set(shown[:2]) == {0, 2} and len(set(shown[2:])) == 2 and set(shown[2:]) < {1, 3, 4}
    ground = drawn.copy()
    for top in (2, 6):
        for left in (2, 6):
            ground[top : top + 2, left : left + 2] = 255
    assert (ground == 255).all()
    assert inspection.mosaic(few, columns=2, most_rows=2).shape == (6, 10)  # of the classes a and b


def test_another_seed_or_epoch_draws_other_pictures():
    many = dataset([0] * 20)
    drawn = {
        key: inspection.mosaic(many, columns=5, seed=key[0], epoch=key[1]).tobytes()
        for key in ((0, 0), (1, 0), (0, 1))
    }
    assert len(set(drawn.values())) == 3
    assert drawn[0, 0] == inspection.mosaic(many, columns=5).tobytes()


@pytest.mark.parametrize("name", ["columns", "most_rows"])
def test_a_mosaic_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}: wanted"):
        inspection.mosaic(dataset([0]), **{name: 0})


def test_a_mosaic_shows_colours_as_they_are():
    colours = np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2) * 20
    drawn = inspection.mosaic(ArrayDataset(colours, [0], ("a",)), columns=1)
    np.testing.assert_array_equal(drawn[2:4, 2:4], colours[0].transpose(1, 2, 0))
    assert drawn.shape == (6, 6, 3)


@pytest.mark.parametrize(("shape", "factor"), [
    ((32, 32, 3), 2), ((64, 20, 1), 1), ((20, 64, 1), 1), ((16, 30, 1), 2), ((30, 16, 1), 2),
    ((500, 2, 1), 1), ((1, 1, 200), 64), ((21, 21, 3), 3),
])  # fmt: skip
def test_a_mosaic_is_enlarged_by_whole_pixels_by_the_longer_side(shape, factor):
    canvas = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(
        inspection.enlarged(canvas, shape), np.kron(canvas, np.ones((factor, factor)))
    )
    assert inspection.enlarged(canvas[..., None], shape).shape == (2 * factor, 3 * factor, 1)


def test_the_rows_of_a_mosaic_are_named():
    few = dataset([0, 2, 2])
    assert inspection.shown(few) == ["a", "c"]
    assert inspection.shown(few, 2) == ["a"] and inspection.shown(few, 3) == ["a", "c"]


def test_a_mosaic_shows_a_constant_channel_and_what_transforms_do():
    flat = ArrayDataset(np.full((1, 1, 4, 5), 77, np.uint8), [0], ("a",))
    assert (inspection.mosaic(flat, columns=1)[2:6, 2:7] == 77).all()
    for varied in ("seed", "epoch"):  # the crop follows both
        drawn = [inspection.mosaic(flat, inspection.augmentation(3), 1, **{varied: n}) for n in range(6)]
        assert len({each.tobytes() for each in drawn}) >= 3


def test_an_augmentation_is_a_crop_a_flip_and_a_square_where_it_is_wanted():
    assert list(map(repr, inspection.augmentation(4))) == ["RandomCrop(4)", "RandomFlip()"]
    assert list(map(repr, inspection.augmentation(0, 8))) == ["RandomCrop(0)", "RandomFlip()", "Cutout(8)"]


def test_a_row_is_of_a_class_of_those_that_have_a_label_or_of_all():
    images = np.zeros((4, 1, 2, 2), np.uint8)
    several = ArrayDataset(images, [[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 0, 1]])
    assert [inspection.of_row(several, k).tolist() for k in range(3)] == [[0, 2], [2], [0, 1, 3]]
    assert inspection.check(several).counts == (2, 1, 3)
    numbers = ArrayDataset(images, [0.5, 1.5, 2, 3])
    assert inspection.of_row(numbers, 0).tolist() == [0, 1, 2, 3] and inspection.check(numbers).counts == (4,)
    classes = ArrayDataset(images, [1, 0, 1, 2])
    assert [inspection.of_row(classes, k).tolist() for k in range(3)] == [[1], [0, 2], [3]]


def cells(drawn, rows, columns, side):
    """The value of each flat picture of a grey mosaic, row by row, None where there is none."""
    assert drawn.shape == (rows * (side + 2) + 2, columns * (side + 2) + 2)
    found = []
    for row in range(rows):
        places = [(2 + row * (side + 2), 2 + column * (side + 2)) for column in range(columns)]
        parts = [drawn[top : top + side, left : left + side] for top, left in places]
        assert all((part == part[0, 0]).all() for part in parts)
        found.append([None if part[0, 0] == 255 else int(part[0, 0]) for part in parts])
    return found


def test_a_mosaic_of_numbers_has_a_row_for_each_from_the_least_to_the_greatest():
    images = np.repeat(10 * np.arange(7, dtype=np.uint8), 4).reshape(7, 1, 2, 2)
    numbers = np.array([[3, 9], [1, 8], [2, 7], [7, 6], [6, 5.5], [5, 4], [4, 3]])
    dataset = ArrayDataset(images, numbers, ("up", "down"))
    up, down = [10, 20, 0, 60, 50, 40, 30], [60, 50, 40, 30, 20, 10, 0]
    assert cells(inspection.mosaic(dataset, columns=7), 2, 7, 2) == [up, down]
    for seed in (0, 1):  # nothing is drawn: of four of the seven these are nearest to equal steps
        picked = cells(inspection.mosaic(dataset, columns=4, seed=seed), 2, 4, 2)
        assert picked == [up[::2], down[::2]]
    assert cells(inspection.mosaic(dataset, columns=3), 2, 3, 2) == [up[::3], down[::3]]
    wanted = [[up[0], up[2], up[3], up[4], up[6]]]  # of 0, 1.5, 3, 4.5 and 6 the nearest, or even, ones
    assert cells(inspection.mosaic(dataset, columns=5, most_rows=1), 1, 5, 2) == wanted
    assert cells(inspection.mosaic(dataset, columns=9), 2, 9, 2) == [[*up, None, None], [*down, None, None]]
    assert inspection.shown(dataset) == ["up from 1 to 7", "down from 3 to 9"]
    assert inspection.shown(dataset, 1) == ["up from 1 to 7"]


def test_pictures_of_floats_are_drawn_each_from_its_least_to_its_greatest():
    images = np.array([[-1, 0, 2, 4], [100, 610, 202, 304]], np.float32).reshape(2, 1, 2, 2)
    drawn = inspection.mosaic(ArrayDataset(images, [0, 1], ("a", "b")), columns=1)
    assert drawn.shape == (10, 6)
    assert drawn[2:4, 2:4].tolist() == [[0, 51], [153, 255]]
    assert drawn[6:8, 2:4].tolist() == [[0, 255], [51, 102]]


@pytest.mark.parametrize(("images", "transforms", "problem"), [
    (np.zeros((2, 1, 2, 2), np.float32), [RandomFlip()],
     r"transforms: wanted none of pictures of floats, got \[RandomFlip\(\)\]"),
    (np.zeros((2, 3), np.float32), [], r"dataset: wanted pictures to draw, got ArrayDataset\(2 rows, 2 c"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_said(images, transforms, problem):
    layout = "NCHW" if images.ndim == 4 else "NF"
    with pytest.raises(ValueError, match=problem):
        inspection.mosaic(ArrayDataset(images, [0, 1], ("a", "b"), layout=layout), transforms)


def test_a_part_of_a_text_may_lack_tokens():
    found = inspection.check(TokenSet([0, 2, 2, 0, 2], 2, Vocabulary("abcd")), "text", "test")
    assert found.counts == (2, 1, 3, 1) and found.wanted is None and found.right


def test_a_mosaic_shows_every_byte_as_it_is():
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    drawn = inspection.mosaic(ArrayDataset(images, [0], ("a",)), columns=1)
    np.testing.assert_array_equal(drawn[2:18, 2:18], images[0, 0])
