"""A model on a data set that was not its own: labels by the classes' names, pictures at the model's size."""

import dataclasses

import numpy as np
import pytest

from cynet import data
from cynet.core import png
from cynet.runs import matching
from cynet.runs.facts import DRAWN, Facts

RNG = np.random.default_rng(0)


def facts(classes="abc", shape=(32, 32, 3), resize="crop"):
    channels = shape[2]
    return Facts("uwnet2", False, "x", tuple(classes), (0.5,) * channels, (0.2,) * channels, shape, resize)


def samples(classes, labels):
    images = RNG.integers(0, 256, (len(labels), 3, 4, 4), np.uint8)
    return data.ArrayDataset(images, np.array(labels), tuple(classes))


def test_the_models_own_classes_are_left_as_they_are():
    own = samples("abc", [2, 0, 1])
    assert matching.match(own, "abc").known is own


def test_labels_are_those_of_the_model_by_name():
    found = matching.match(samples("cb", [0, 1, 0]), "abc")
    assert found.known.labels.tolist() == [2, 1, 2] and found.known.classes == tuple("abc")
    assert not found.unknown and found.note is None


def test_what_the_model_does_not_know_stands_apart():
    own = samples("bcdex", [0, 1, 2, 3, 2, 0])
    found = matching.match(own, "abc")
    assert found.known.labels.tolist() == [1, 2, 1]
    np.testing.assert_array_equal(found.known.images, own.images[[0, 1, 5]])
    assert {name: len(part) for name, part in found.unknown.items()} == {"d": 2, "e": 1}
    np.testing.assert_array_equal(found.unknown["d"].images, own.images[[2, 4]])


def test_classes_without_names_are_matched_by_number():
    found = matching.match(samples("01", [1, 0]), "abc", "arrays")
    assert found.known.labels.tolist() == [1, 0] and "classes of arrays have no names" in found.note
    found = matching.match(samples("ab", [1, 0]), "012")
    assert found.known.labels.tolist() == [1, 0] and "classes of the model have no names" in found.note
    assert matching.match(samples("01", [1, 0]), "0123").note is None


@pytest.mark.parametrize(("own", "model"), [("xyz", "abc"), ("0123", "abc"), ("abcd", "012")])
def test_none_of_the_models_classes_is_refused(own, model):
    with pytest.raises(ValueError, match="wanted pictures of the model's classes"):
        matching.match(samples(own, [0, 1]), model)


def test_only_pictures_count(tmp_path):
    with pytest.raises(ValueError, match="wanted pictures of the model's classes"):
        matching.match(samples("da", [0, 0]), "abc")  # there is a class a, but no picture of it


# -- files -------------------------------------------------------------------------------------------------
def draw(path, height=40, width=60, level=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = height, width, 3
    pixels = RNG.integers(0, 256, shape, np.uint8) if level is None else np.full(shape, level, np.uint8)
    path.write_bytes(png.encode(pixels))


@pytest.fixture
def root(tmp_path):
    pytest.importorskip("PIL")
    for part in ("train", "test"):
        for name in "bcd":
            for i in range(2):
                draw(tmp_path / part / name / f"{i}.png")
    return tmp_path


def test_folders_are_matched_with_and_without_a_folder_train(root):
    for _ in range(2):
        found = matching.load(facts(), "image_folder", root, "test")
        assert found.known.labels.tolist() == [1, 1, 2, 2] and list(found.unknown) == ["d"]
        if (root / "train").exists():
            (root / "train").rename(root / "other")
    draw(root / "train" / "b" / "0.png")  # now the two parts differ
    draw(root / "train" / "c" / "0.png")
    found = matching.load(facts(), "image_folder", root, "test")
    assert found.known.labels.tolist() == [1, 1, 2, 2] and list(found.unknown) == ["d"]


@pytest.mark.parametrize(("shape", "resize"), [((48, 64, 3), "stretch"), ((20, 20, 1), "crop")])
def test_pictures_get_the_models_size_channels_and_way_of_resizing(root, shape, resize):
    found = matching.load(facts("bcd", shape, resize), "image_folder", root, "train").known
    height, width, channels = shape
    wanted = data.ImageFolder(root / "train", (height, width), resize, channels, cache=False)
    np.testing.assert_array_equal(found.images, wanted.images)


def test_a_list_of_pictures_is_fitted_only_where_it_must_be(root, monkeypatch):
    monkeypatch.chdir(root)
    for part in ("train", "test"):
        paths = sorted(str(path) for path in (root / part).rglob("*.png"))
        (root / f"set.{part}").write_text("\n".join(path.replace(str(root), ".") for path in paths))
    (root / "set.labels").write_text("/b/\n/c/\n/d/")
    classes = ("/b/", "/c/", "/d/")
    assert matching.load(facts(classes, (40, 60, 3)), "image_list", root, "test").known.paths
    assert matching.load(facts(classes), "image_list", root, "test").known.picture_shape == (32, 32, 3)
    with pytest.raises(ValueError, match="32 x 32 with 1 channel, those of image_list have 40 x 60 with 3"):
        matching.load(facts(classes, (32, 32, 1)), "image_list", root, "test")


def test_pictures_of_another_size_are_refused_naming_both(tmp_path):
    x, y = np.zeros((4, 28, 28), np.uint8), np.arange(4)
    np.savez(tmp_path / "grey.npz", test_images=x, test_labels=y)
    words = "the model's size, 32 x 32 with 3 channels, those of arrays have 28 x 28 with 1 channel"
    with pytest.raises(ValueError, match=words):
        matching.load(facts("0123"), "arrays", tmp_path / "grey.npz", "test")
    assert len(matching.load(facts("0123", (28, 28, 1)), "arrays", tmp_path / "grey.npz", "test").known) == 4
    with pytest.raises(FileNotFoundError):
        matching.load(facts(), "image_folder", tmp_path / "nowhere", "test")


@pytest.mark.parametrize("options", [{}, {"skip_damaged": True}])
def test_what_was_drawn_for_testing_then_is_drawn_again_whatever_else_is_asked_for(monkeypatch, options):
    asked = []

    def load(*names, **given):
        asked.append(given)
        return samples("abc", [0])

    monkeypatch.setattr(matching.data, "load", load)
    drawn = dataclasses.replace(facts(shape=(4, 4, 3)), drawn=(0.25, 7))
    matching.load(drawn, "image_folder", "x", "test", **options)
    fit = {"size": (4, 4), "resize": "crop", "channels": 3}
    assert asked == [fit | dict(zip(DRAWN, (0.25, 7), strict=True)) | options]


@pytest.mark.parametrize(("own", "model", "order"), [
    ("cab", "abc", [1, 2, 0]), ("bca", "abc", [2, 0, 1]), ("acb", "abc", [0, 2, 1]),
    ("dcxab", "abc", [3, 4, 1]), ("cab", "bc", [2, 0]), ("xcay", "c", [1]), ("dcba", "adcb", [3, 0, 1, 2]),
])  # fmt: skip
def test_columns_are_those_of_the_model_by_their_names_in_its_order(own, model, order):
    labels = np.arange(2 * len(own), dtype=np.float32).reshape(2, -1)
    images = RNG.integers(0, 256, (2, 3, 4, 4), np.uint8)
    found = matching.match_columns(data.ArrayDataset(images, labels, tuple(own)), tuple(model))
    assert found.known.classes == tuple(model) and found.note is None and not found.unknown
    np.testing.assert_array_equal(found.known.labels, labels[:, order])
    np.testing.assert_array_equal(found.known.images, images)


def test_columns_without_names_are_taken_in_their_order_and_missing_ones_are_refused():
    labels, images = np.float32([[1, 2, 3], [4, 5, 6]]), np.zeros((2, 3, 4, 4), np.uint8)
    numbered = data.ArrayDataset(images, labels, ("0", "1", "2"))
    found = matching.match_columns(numbered, ("a", "b", "c"), "the file")
    np.testing.assert_array_equal(found.known.labels, labels)
    assert found.note == "the labels of the file have no names: they are matched by their order"
    assert found.known.classes == ("a", "b", "c")
    for own, model in (("012", "ab"), ("abd", "abc"), ("ab0", "abc")):
        with pytest.raises(ValueError) as caught:
            matching.match_columns(data.ArrayDataset(images, labels, tuple(own)), tuple(model), "it")
        names = [repr(", ".join(each)) for each in (model, own)]
        assert str(caught.value) == f"wanted the model's labels {names[0]}, it has {names[1]}"


def test_of_classes_of_one_name_the_first_is_meant():
    found = matching.match(samples("ba", [0, 1, 1]), ("a", "b", "a", "b"))
    assert found.known.labels.tolist() == [1, 0, 0]


@pytest.mark.parametrize(("drawn", "options", "doubted"), [
    ((), {}, True), ((0.25, 7), {}, False), ((), {"test_share": 0.25}, False), ((), {"split_seed": 3}, True),
])  # fmt: skip
def test_there_is_a_doubt_where_nobody_says_which_part_was_drawn(monkeypatch, drawn, options, doubted):
    own = samples("abc", [0, 1])
    own.parts = {"drawn": {"test_share": 0.125, "split_seed": 3}}
    monkeypatch.setattr(matching.data, "load", lambda *_, **given: own)
    model = dataclasses.replace(facts(shape=(4, 4, 3)), drawn=drawn)
    doubt = matching.load(model, "image_folder", "x", "test", **options).doubt
    wanted = "this folder has no parts: 12.5 % were drawn by the split seed 3 to test with; "
    assert doubt == (f"{wanted}whether the model was trained on them is not known" if doubted else None)


@pytest.mark.parametrize(("own", "change", "words"), [
    (np.float32([[0.5], [1]]), {}, "wanted labels of the model's task, classify, those of x are of regress"),
    ([0, 1], {"task": "regress"}, "wanted labels of the model's task, regress, those of x are of classify"),
    ([0, 1], {"kind": "float32"}, "wanted samples of float32, as the model's, those of x are of uint8"),
    ([0, 1], {"picture_shape": (4, 5, 3)},
     "wanted pictures of the model's size, 4 x 5 with 3 channels, those of x have 4 x 4 with 3 channels"),
])  # fmt: skip
def test_samples_of_another_task_kind_or_size_are_refused(monkeypatch, own, change, words):
    given = data.ArrayDataset(np.zeros((2, 3, 4, 4), np.uint8), np.array(own))
    monkeypatch.setattr(matching.data, "load", lambda *_, **more: given)
    with pytest.raises(ValueError) as caught:
        matching.load(dataclasses.replace(facts("01", (4, 4, 3)), **change), "x", None, "test")
    assert str(caught.value) == words


@pytest.mark.parametrize(("shape", "words"), [
    ((1,), "1 feature"), ((7,), "7 features"), ((9, 1), "a length of 9 with 1 channel"),
    ((9, 2), "a length of 9 with 2 channels"), ((4, 5, 1), "4 x 5 with 1 channel"),
    ((4, 5, 3), "4 x 5 with 3 channels"),
])  # fmt: skip
def test_shapes_in_words(shape, words):
    assert matching.described(shape) == words
