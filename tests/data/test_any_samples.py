"""Samples of any shape, of bytes or floats: as a loader hands them out, from arrays and from files."""

import re
from pathlib import Path

import numpy as np
import pytest

from cynet import data
from cynet.data import ArrayDataset, fingerprint, floats

RNG = np.random.default_rng(0)
SHAPES = [
    ((9, 5), None, (5,)), ((9, 7, 3), "NLC", (7, 3)), ((9, 3, 7), "NCL", (7, 3)),
    ((9, 8, 6), "NHW", (8, 6, 1)),
    ((9, 4, 6, 8), None, (6, 8, 4)), ((9, 6, 8, 11), "NHWC", (6, 8, 11)),
]  # fmt: skip


def drawn(shape, kind):
    return (RNG.random(shape) * 200).astype(kind)


def last(array, layout):
    """The array with its channels last, as a net gets it."""
    if layout == "NCL":
        return array.transpose(0, 2, 1)
    if layout == "NHW":
        return array[..., None]
    return array.transpose(0, 2, 3, 1) if layout is None and array.ndim == 4 else array


def batches(dataset, **options):
    with data.DataLoader(dataset, 4, shuffle=False, **options) as loader:
        parts = [(np.array(x), y) for x, y in loader]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("shape, layout, sample", SHAPES)
def test_a_loader_hands_out_samples_of_every_shape(shape, layout, sample, kind):
    array, labels = drawn(shape, kind), RNG.integers(0, 2, (9, 3))
    labels[0] = 1
    dataset = ArrayDataset(array, labels, layout=layout)
    assert dataset.picture_shape == sample and dataset.task == "multilabel"
    scale = 255 if kind == np.uint8 else 1
    x, y = batches(dataset, workers=0, transforms=[data.Normalize(dataset.mean, dataset.std)])
    assert x.shape == (9, *sample) and x.dtype == y.dtype == np.float32
    plain = last(array, layout).astype(np.float64) / scale
    axes = tuple(range(plain.ndim - 1))
    np.testing.assert_allclose(x, (plain - plain.mean(axes)) / plain.std(axes), atol=2e-5)
    np.testing.assert_array_equal(y, labels)
    picture, label = dataset[2]
    np.testing.assert_array_equal(picture, last(array, layout)[2])
    np.testing.assert_array_equal(label, labels[2])


def test_workers_make_the_same_batches_of_floats():
    array = RNG.standard_normal((40, 6, 5, 2)).astype(np.float32)
    found = []
    for workers in (0, 1, 2):
        dataset = ArrayDataset(array.copy(), np.arange(40) / 3, layout="NHWC")
        x, y = batches(dataset, workers=workers, transforms=[data.Normalize(dataset.mean, dataset.std)])
        found.append((x.tobytes(), y.tobytes()))
    assert len(set(found)) == 1


def test_the_moments_without_some_samples_are_those_of_the_others():
    array, out = RNG.standard_normal((30, 4)).astype(np.float32) * 3 + 1, np.array([2, 5, 29])
    mean, std = ArrayDataset(array, np.arange(30) / 2).moments_without(out)
    kept = np.delete(array, out, axis=0).astype(np.float64)
    np.testing.assert_allclose(mean, kept.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, kept.std(0), rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_named(value):
    array = RNG.standard_normal((30, 4)).astype(np.float32)
    array[17, 2] = value
    with pytest.raises(ValueError, match=rf"images\[17\]: wanted finite numbers, got {value}"):
        ArrayDataset(array, np.arange(30) / 2).mean  # noqa: B018 as it is asked for


def test_the_fingerprint_sees_kind_shape_task_and_labels():
    array = drawn((8, 3, 4, 1), np.uint8)
    marks = {
        ArrayDataset(each, labels, layout=layout, task=task).fingerprint()
        for each, labels, layout, task in [
            (array, np.arange(8), None, None),
            (array.astype(np.float32), np.arange(8), None, None),
            (array[..., 0], np.arange(8), "NCL", None),
            (array, np.arange(8), None, "regress"),
            (array, np.arange(8) + 0.5, None, None),
            (array, np.eye(8, 3)[:, :2], None, "multilabel"),
        ]
    }
    assert len(marks) == 6 and all(fingerprint.FORM.fullmatch(mark) for mark in marks)


def test_what_is_for_pictures_of_bytes_alone_is_refused_by_name():
    floats = ArrayDataset(drawn((4, 3, 8, 8), np.float32), np.arange(4))
    for transform in (data.RandomCrop(2), data.RandomFlip(), data.Cutout(2), data.Brightness(0.5)):
        with pytest.raises(ValueError, match=f"{type(transform).__name__}: wanted pictures of bytes, uint8"):
            data.DataLoader(floats, 2, workers=0, transforms=[transform])


def halved(sample, rng):
    assert sample.dtype == np.float32
    return sample / np.float32(2)


def test_a_function_changes_samples_of_any_shape():
    for shape, layout in (((6, 5), None), ((6, 7, 3), "NLC")):
        array = drawn(shape, np.float32)
        x, _ = batches(ArrayDataset(array, np.arange(6), layout=layout), workers=0, transforms=[halved])
        np.testing.assert_array_equal(x, array / 2)


@pytest.mark.parametrize("array, layout, problem", [
    (drawn((9, 5, 4), np.float32), None, r"images: wanted a filled \(count, channels, height, width\), got "),
    (drawn((9, 5, 4), np.float32), "NHWC", "layout: wanted NHW or NLC or NCL for an array of 3 dimensions"),
    (drawn((9, 3, 5, 4), np.float32), "NHW", "layout: wanted NCHW or NHWC for an array of 4 dimensions"),
    (drawn((9, 5), np.float32), "NLC", "layout: wanted NF for an array of 2 dimensions, got NLC"),
    (drawn((9, 5), np.float32), "ROWS", "layout: wanted one of NCHW, NHWC, NHW, NLC, NCL, NF, got 'ROWS'"),
    (drawn((9, 5), np.float64), None, "images: wanted a uint8 or float32 NumPy array, got float64"),
    (drawn((9, 0), np.float32), "NF", "images: wanted samples, uint8 or float32 of 2 to 4 dimensions"),
])  # fmt: skip
def test_arrays_that_are_no_samples_are_named(array, layout, problem):
    with pytest.raises((TypeError, ValueError), match=problem):
        ArrayDataset(array, np.arange(9), layout=layout)


# -- files ---------------------------------------------------------------------------------------------------
def arrays(train, test, labels):
    return {
        "train_images": train,
        "train_labels": labels,
        "test_images": test,
        "test_labels": labels[: len(test)],
    }


def test_a_file_tells_its_layout_and_the_names_of_labels(tmp_path):
    signals = drawn((9, 5, 4), np.float32)
    members = arrays(signals, signals[:3], np.tile([[1, 0], [1, 1], [0, 0]], (3, 1)))
    np.savez(tmp_path / "a.npz", **members, layout="NCL", classes=["left", "right"])
    train, test = (data.load("arrays", tmp_path / "a.npz", split) for split in ("train", "test"))
    assert train.picture_shape == (4, 5) and train.task == test.task == "multilabel"
    assert test.classes == ("left", "right")
    np.savez(tmp_path / "a.npz", **members, classes=["left", "right"])
    with pytest.raises(ValueError, match=r"layout: wanted NHW, NLC or NCL, since \(9, 5, 4\) of .*train_"):
        data.load("arrays", tmp_path / "a.npz")
    assert data.load("arrays", tmp_path / "a.npz", layout="NLC").picture_shape == (5, 4)
    like = data.load("arrays", tmp_path / "a.npz", like=(4, 5))
    assert like.picture_shape == (4, 5)
    np.savez(tmp_path / "a.npz", **members, layout="XYZ")
    with pytest.raises(ValueError, match=r"a.npz:layout: layout: wanted one of NCHW"):
        data.load("arrays", tmp_path / "a.npz")


def test_both_parts_have_the_task_of_the_labels_for_training(tmp_path):
    """A few test samples with one label each are no classes."""
    rows = drawn((6, 4), np.float32)
    labels = np.array([[1, 1], [0, 1], [1, 0], [1, 0], [0, 0], [1, 1]])
    np.savez(tmp_path / "a.npz", x_train=rows, y_train=labels, x_test=rows[:2], y_test=labels[1:3])
    assert data.load("arrays", tmp_path / "a.npz", "test").task == "multilabel"
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, array in (
        ("x_train", rows),
        ("y_train", labels),
        ("x_test", rows[:2]),
        ("y_test", labels[1:3]),
    ):
        np.save(folder / f"{name}.npy", array)
    assert data.load("arrays", folder, "test").task == "multilabel"


def test_a_folder_of_npy_files_is_mapped(tmp_path):
    rows, labels = drawn((6, 4), np.float32), np.arange(6) / 4
    for name, array in (("train_images", rows), ("train_labels", labels), ("test_images", rows[:2]),
                        ("test_labels", labels[:2])):  # fmt: skip
        np.save(tmp_path / f"{name}.npy", array)
    train, test = (data.load("arrays", tmp_path, split) for split in ("train", "test"))
    assert isinstance(train.images, np.memmap) and (len(train), len(test)) == (6, 2)
    x, y = batches(train, workers=1)
    np.testing.assert_array_equal(x, rows)
    np.testing.assert_allclose(y[:, 0], labels)
    np.save(tmp_path / "classes.npy", np.array(["height"]))
    assert data.load("arrays", tmp_path).classes == ("height",)


def test_classes_of_npy_files_go_up_to_the_largest_of_both_parts(tmp_path):
    rows = drawn((6, 4), np.float32)
    for name, array in (("x_train", rows), ("y_train", np.arange(6) % 2), ("x_test", rows[:2]),
                        ("y_test", np.array([0, 2]))):  # fmt: skip
        np.save(tmp_path / f"{name}.npy", array)
    assert (
        data.load("arrays", tmp_path).classes
        == data.load("arrays", tmp_path, "test").classes
        == ("0", "1", "2")
    )


@pytest.mark.parametrize("labels, options, problem", [
    (np.array([[0, 1], [2, 0], [1, 1]]), {}, r"y_train: labels\[1, 0\]: wanted 0 or 1"),
    (np.array([0.5, np.nan, 1]), {}, r"y_train: labels\[1\]: wanted a finite number .*, got nan"),
    (np.array([0, 1, 2]), {"task": "multilabel"}, r"y_train: labels: wanted a matrix \(count, labels\)"),
    (np.array([0, 1]), {}, r"y_train: labels: wanted shape \(3,\), got \(2,\)"),
    (np.array(["a", "b", "c"]), {}, "y_train: wanted an array of numbers, got <U1"),
])  # fmt: skip
def test_odd_labels_in_a_file_are_named(tmp_path, labels, options, problem):
    np.savez(tmp_path / "a.npz", x_train=drawn((3, 4), np.float32), y_train=labels)
    with pytest.raises(ValueError, match=problem):
        data.load("arrays", tmp_path / "a.npz", **options)


def test_samples_of_doubles_are_refused_with_what_makes_them_floats(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.zeros((3, 4)), y_train=np.arange(3))
    with pytest.raises(ValueError, match=r"got float64 \(x.astype\('float32'\) does it\)"):
        data.load("arrays", tmp_path / "a.npz")


def test_a_task_that_is_not_that_of_the_labels_is_refused():
    with pytest.raises(ValueError, match="task: wanted classify, as the labels of shapes10 are, got regress"):
        data.load("shapes10", task="regress")
    with pytest.raises(ValueError, match="layout: wanted arrays, got data set shapes10"):
        data.load("shapes10", layout="NHWC")


def test_the_labels_of_a_sample_are_its_own():
    dataset = ArrayDataset(np.zeros((2, 1, 2, 2), np.uint8), [[1, 0, 1], [0, 1, 1]])
    _, labels = dataset[0]
    labels[:] = 9
    assert dataset.labels.tolist() == [[1, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize(("shape", "layout", "sample"), [
    ((4, 6, 2), "NLC", (6, 2)), ((4, 2, 6), "NCL", (6, 2)), ((4, 5), "NF", (5,)),
    ((4, 2, 3, 1), "NCHW", (3, 1, 2)), ((4, 3, 1), "NHW", (3, 1, 1)),
])  # fmt: skip
def test_other_samples_of_a_data_set_are_of_its_shape_and_task(shape, layout, sample):
    first = ArrayDataset(np.zeros(shape, np.uint8), [[1, 1], [0, 0], [0, 1], [1, 0]], ("a", "b"), layout)
    second = first.with_samples(first.images[1:3], [[1, 0], [0, 1]])
    assert second.picture_shape == first.picture_shape == sample and second[0][0].shape == sample
    assert (second.task, second.classes, len(second)) == ("multilabel", ("a", "b"), 2)
    assert first.with_samples(first.images, first.labels, ["c", "d"]).classes == ("c", "d")


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_floats_are_normalised_row_by_row_whatever_the_threads(threads):
    images = drawn((7, 3, 10), np.float32)
    rows, mean, std = np.array([6, 0, 3, 3]), np.array([0.1, 1e6, -3.0]), np.array([1.0, 3.0, 1e-3])
    x = np.empty((4, 10, 3), np.float32)
    floats.normalise(images, rows, mean, std, x, threads)
    wanted = (images[rows].astype(float) - mean[:, None]) / std[:, None]
    np.testing.assert_array_equal(x, wanted.transpose(0, 2, 1).astype(np.float32))
    sums = np.array([1.0, 2.0, 3.0])
    floats.add_powers(images, mean, sums, 2)
    squares = ((images.astype(float) - mean[:, None]) ** 2).sum((0, 2))
    np.testing.assert_allclose(sums, squares + np.array([1, 2, 3]), rtol=1e-14)


@pytest.mark.parametrize("kind", [str, Path])
def test_data_sets_are_found_in_the_home_folder(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    arrays = {f"{part}_{what}": np.arange(n) % 2 if what == "labels" else np.zeros((n, 4, 4), np.uint8)
              for part, n in (("train", 3), ("test", 2)) for what in ("images", "labels")}  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "b").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "b" / f"{name}.npy", array)
    for name in ("a.npz", "b"):
        assert len(data.load("arrays", kind(f"~/{name}"), "test")) == 2
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none"))):
        data.load("mnist", kind("~/none"))
