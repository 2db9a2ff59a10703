"""ArrayDataset, the registry, and the embedded data set."""

import hashlib

import numpy as np
import pytest

from cynet import data
from cynet.data import ArrayDataset
from cynet.data import dataset as module
from cynet.data.sets import shapes10

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 5, 4), np.uint8)
LABELS = np.arange(20) % 4


def test_array_dataset_gives_pictures_and_labels():
    dataset = ArrayDataset(IMAGES, LABELS, ["a", "b", "c", "d"])
    picture, label = dataset[6]
    assert len(dataset) == 20 and label == 2 and picture.shape == (5, 4, 3)
    np.testing.assert_array_equal(picture, IMAGES[6].transpose(1, 2, 0))
    assert dataset.labels.dtype == np.int64 and dataset.classes == ("a", "b", "c", "d")


def test_mean_and_deviation_are_those_of_the_pixels():
    dataset = ArrayDataset(IMAGES, LABELS, "abcd" and ["a", "b", "c", "d"])
    np.testing.assert_allclose(dataset.mean, (IMAGES / 255).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(dataset.std, (IMAGES / 255).std((0, 2, 3)), rtol=1e-12)


def test_the_fingerprint_sees_every_pixel_label_and_name():
    names = ["a", "b", "c", "d"]
    prints = {ArrayDataset(IMAGES, LABELS, names).fingerprint() for _ in range(2)}
    pixels, labels = IMAGES.copy(), LABELS.copy()
    pixels[3, 1, 2, 2] ^= 1
    labels[0] = 1
    prints |= {
        ArrayDataset(pixels, LABELS, names).fingerprint(),
        ArrayDataset(IMAGES, labels, names).fingerprint(),
        ArrayDataset(IMAGES, LABELS, ["a", "b", "c", "e"]).fingerprint(),
        ArrayDataset(IMAGES.reshape(20, 3, 4, 5), LABELS, names).fingerprint(),
    }
    assert len(prints) == 5


@pytest.mark.parametrize("images, labels, classes, problem", [
    (IMAGES.astype(float), LABELS, ["a"] * 4, "images: wanted a uint8 or float32 NumPy array, got float64"),
    ([[1]], LABELS, ["a"] * 4, "images: wanted a uint8 or float32 NumPy array, got list"),
    (IMAGES[0], LABELS, ["a"] * 4, r"images: wanted a filled \(count, channels, height, width\)"),
    (IMAGES[:0], LABELS[:0], ["a"] * 4, "images: wanted a filled"),
    (IMAGES, LABELS[:5], ["a"] * 4, r"labels: wanted shape \(20,\), got \(5,\)"),
    (IMAGES, LABELS, ["a"] * 3, r"labels\[3\]: wanted 0 to 2, got 3"),
    (IMAGES, LABELS - 1, ["a"] * 4, r"labels\[0\]: wanted 0 to 3, got -1"),
    (IMAGES, LABELS / 1, ["a"] * 4, "labels: wanted integers"),
    (IMAGES, LABELS, "abcd", "classes: wanted a sequence of str"),
    (IMAGES, LABELS, [1, 2, 3, 4], "classes: wanted a sequence of str"),
])  # fmt: skip
def test_bad_arrays_are_named(images, labels, classes, problem):
    with pytest.raises((TypeError, ValueError), match=problem):
        ArrayDataset(images, labels, classes)


def test_an_unknown_name_or_split_is_refused():
    with pytest.raises(ValueError, match=r"got 'cifar-10' \(did you mean cifar10\?\)"):
        data.load("cifar-10")
    with pytest.raises(ValueError, match='split: wanted "train" or "test", got \'valid\''):
        data.load("shapes10", split="valid")


@pytest.fixture(scope="module")
def splits():
    return data.load("shapes10"), data.load("shapes10", split="test")


def test_shapes10_is_the_same_everywhere(splits):
    found = [hashlib.sha256(split.images).hexdigest()[:16] for split in splits]
    assert found == ["fae628dc383e0883", "17d75a6a025f75b9"]


def test_shapes10_is_balanced_and_its_splits_differ(splits):
    train, test = splits
    assert train.images.shape == (20_000, 3, 32, 32) and test.images.shape == (4_000, 3, 32, 32)
    assert set(np.bincount(train.labels)) == {2000} and set(np.bincount(test.labels)) == {400}
    assert train.classes == test.classes == shapes10.CLASSES and len(set(train.classes)) == 10
    assert not {p.tobytes() for p in train.images} & {p.tobytes() for p in test.images}


def test_a_linear_model_stays_far_below_a_net_on_shapes10(splits):
    train, test = splits
    x, t = ((s.images.reshape(len(s), -1) / 255 - 0.4).astype(np.float32) for s in splits)
    gram = x.T @ x + 30 * np.eye(x.shape[1], dtype=np.float32)
    weights = np.linalg.solve(gram, x.T @ np.eye(10, dtype=np.float32)[train.labels])
    assert ((t @ weights).argmax(1) == test.labels).mean() < 0.7


def test_pixels_are_counted_to_the_last_in_chunks_of_any_size(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (11, 2, 3, 4), np.uint8)
    wanted = images.transpose(1, 0, 2, 3).reshape(2, -1) / 255
    without = images[[i for i in range(11) if i not in (1, 4, 9)]].transpose(1, 0, 2, 3).reshape(2, -1) / 255
    for chunk in (1, 12, 30, 48, 1000):  # of pixels: 1, 1, 2, 4 pictures and all
        monkeypatch.setattr(module, "CHUNK", chunk)
        found = ArrayDataset(images, np.zeros(11, int), ["a"])
        np.testing.assert_allclose((found.mean, found.std), (wanted.mean(1), wanted.std(1)), rtol=1e-12)
        rest = found.moments_without(np.array([1, 4, 9]))
        np.testing.assert_allclose(rest, (without.mean(1), without.std(1)), rtol=1e-12)


def test_pictures_and_classes_are_counted_in_its_text():
    found = ArrayDataset(np.zeros((2, 1, 3, 4), np.uint8), [0, 0], ("a", "b", "c"))
    assert repr(found) == "ArrayDataset(2 pictures, 3 classes)"


def test_names_and_numbers_of_classes_up_to_their_bounds():
    assert len(module.numbered_classes(np.array([9_999]), "x")) == 10_000
    with pytest.raises(ValueError, match="x: wanted names of the classes, for labels up to 10000"):
        module.numbered_classes(np.array([10_000]), "x")
    assert module.numbered_classes(np.zeros(0, int), "x") == ("0",)
    assert module.named_classes(["a" * 1000], "x") == ("a" * 1000,)
    for name, length in (("a" * 1001, "1,001"), ("", "0"), ("\n" * 600, "1,200")):  # escaped
        with pytest.raises(ValueError, match=f"x: name 1: wanted 1 to 1,000 letters, got {length} "):
            module.named_classes(["b", name], "x")
    with pytest.raises(ValueError, match="got 'b' for 0 and 2"):
        module.named_classes(["b", "c", "b"], "x")


def test_a_mapped_array_that_is_not_contiguous_is_copied(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(48, dtype=np.uint8).reshape(2, 4, 2, 3))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    kept, turned = (ArrayDataset(each, [0, 0], ["a"]) for each in (mapped, mapped[:, ::2]))
    assert kept.images is mapped and turned.images.flags.c_contiguous
    np.testing.assert_array_equal(turned.images, np.array(mapped)[:, ::2])
