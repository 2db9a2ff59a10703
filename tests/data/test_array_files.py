"""Data sets from .npy and .npz files: what is mapped, what is refused."""

import io
import os
import signal
import zipfile

import damages
import numpy as np
import pytest

from cynet import data
from cynet.data.sets import array_files, bounded
from cynet.data.sets.idx import read_idx

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (7, 3, 5, 6), np.uint8)
LABELS = np.arange(7) % 4


def saved(path, array):
    np.save(path, array)
    return path


def test_planar_pictures_are_mapped(tmp_path):
    path = saved(tmp_path / "x.npy", IMAGES)
    found = data.from_npy(path, saved(tmp_path / "y.npy", LABELS))
    assert isinstance(found.images, np.memmap) and found.classes == ("0", "1", "2", "3")
    np.testing.assert_array_equal(found.images, IMAGES)
    x, y = next(iter(data.DataLoader(found, 7, shuffle=False, workers=1)))
    np.testing.assert_allclose(x, IMAGES.transpose(0, 2, 3, 1) / 255, rtol=1e-6)
    np.testing.assert_array_equal(y, LABELS)


def test_other_layouts(tmp_path):
    last = saved(tmp_path / "last.npy", np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1)))
    np.testing.assert_array_equal(data.from_npy(last, LABELS).images, IMAGES)
    grey = saved(tmp_path / "grey.npy", IMAGES[:, 0])
    assert data.from_npy(grey, LABELS[:, None], ["a", "b", "c", "d"]).picture_shape == (5, 6, 1)
    fortran = saved(tmp_path / "f.npy", np.asfortranarray(IMAGES))
    np.testing.assert_array_equal(data.from_npy(fortran, LABELS, layout="NCHW").images, IMAGES)
    unclear = saved(tmp_path / "u.npy", np.zeros((7, 3, 5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"layout: wanted NCHW or NHWC, since"):
        data.from_npy(unclear, LABELS)
    with pytest.raises(ValueError, match="layout: wanted one of NCHW, NHWC, NHW, NLC, NCL, NF, got 'CHW'"):
        data.from_npy(unclear, LABELS, layout="CHW")


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, names, save):
    save(tmp_path / "a.npz", **dict(zip(names, (IMAGES, LABELS), strict=True)), classes=list("abcd"))
    found = data.from_npz(tmp_path / "a.npz")
    assert found.classes == tuple("abcd")
    np.testing.assert_array_equal(found.images, IMAGES)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", ["<i8", ">i8", "<i4", ">u2", "i1"])
def test_members_of_an_npz_may_lie_in_any_order(tmp_path, save, kind):
    """Pictures column by column, or of other layouts; labels of any integers, in a column."""
    labels = np.asfortranarray(LABELS.astype(kind)[:, None])
    for images in (IMAGES, IMAGES.transpose(0, 2, 3, 1), IMAGES[:, :, ::-1][:, :, ::-1]):
        for layout in (np.asfortranarray, np.ascontiguousarray):
            save(tmp_path / "a.npz", images=layout(images), labels=labels, classes=np.array(list("abcd")))
            found = data.from_npz(tmp_path / "a.npz")
            np.testing.assert_array_equal(found.images, IMAGES)
            np.testing.assert_array_equal(found.labels, LABELS)


def test_load_finds_the_splits_of_an_npz(tmp_path):
    for form in ("{0}_images {0}_labels", "x_{0} y_{0}"):
        arrays = {}
        for split, count in (("train", 7), ("test", 3)):
            names = form.format(split).split()
            arrays |= dict(zip(names, (IMAGES[:count], LABELS[:count]), strict=True))
        np.savez(tmp_path / "a.npz", **arrays)
        train, test = (data.load("arrays", tmp_path / "a.npz", split) for split in ("train", "test"))
        assert (len(train), len(test)) == (7, 3)
        assert train.classes == test.classes == tuple("0123")  # the test set alone has three


@pytest.mark.parametrize(("images", "labels", "problem"), [
    (IMAGES.astype(np.float64), LABELS, "wanted uint8 or float32, got float64"),
    (IMAGES.astype(np.int32), LABELS, "wanted samples, uint8 or float32 of 2 to 4 dimensions, got int32"),
    (IMAGES[0, 0, 0], LABELS, "wanted samples, uint8 or float32 of 2 to 4 dimensions"),
    (IMAGES[:0], LABELS[:0], "wanted samples"),
    (IMAGES, LABELS + np.nan, "labels[0]: wanted a finite number for task regress, got nan"),
    (IMAGES, LABELS[:6], "labels"),
    (IMAGES, LABELS - 1, "labels"),
    (IMAGES, LABELS + 10**6, "wanted names of the classes, for labels up to 1000003"),
    (np.array([{"a": 1}], object), LABELS, "wanted an array of numbers, got object"),
])  # fmt: skip
def test_bad_arrays_are_named(tmp_path, images, labels, problem):
    x, y = saved(tmp_path / "x.npy", images), saved(tmp_path / "y.npy", labels)
    with pytest.raises(ValueError) as caught:
        data.from_npy(x, y)
    assert problem in str(caught.value) and str(tmp_path) in str(caught.value)


def test_every_cut_and_longer_file_is_found(tmp_path):
    whole = io.BytesIO()
    np.save(whole, IMAGES)
    path = tmp_path / "x.npy"
    for cut in (*range(140), len(whole.getvalue()) - 1):
        path.write_bytes(whole.getvalue()[:cut])
        with pytest.raises(ValueError, match=r"x\.npy: wanted"):
            data.from_npy(path, LABELS)
    path.write_bytes(whole.getvalue() + b"\0")
    with pytest.raises(ValueError, match=r"x\.npy: wanted 758 bytes"):
        data.from_npy(path, LABELS)


def test_a_huge_shape_is_refused_before_anything_is_allocated(tmp_path):
    path = tmp_path / "x.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 3, 32, 32)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match=r"wanted \d+ bytes for uint8"):
        data.from_npy(path, LABELS)


def test_damaged_archives_are_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=IMAGES, labels=LABELS)
    whole = path.read_bytes()
    for i in range(0, len(whole), 7):
        path.write_bytes(whole[:i])
        with pytest.raises(ValueError, match=r"a\.npz"):
            data.from_npz(path)
    flipped = 0
    for i in range(0, len(whole), 3):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 16]) + whole[i + 1 :])
        try:
            np.testing.assert_array_equal(data.from_npz(path).images, IMAGES)  # a byte that nobody reads
        except ValueError as error:
            assert "a.npz" in str(error)
            flipped += 1
    assert flipped > 50
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"x")
    with pytest.raises(ValueError, match="wanted arrays images and labels or x and y"):
        data.from_npz(path)


def test_samples_and_labels_of_a_pair_belong_together(tmp_path):
    """Whatever else the file holds under a name of another pair."""
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES[:2], x=IMAGES, y=LABELS)
    np.testing.assert_array_equal(data.from_npz(path).images, IMAGES)
    np.savez(path, images=IMAGES, labels=LABELS, y=LABELS[:2])
    np.testing.assert_array_equal(data.from_npz(path).labels, LABELS)
    for split, other in (("train", "test"), ("test", "train")):
        parts = {f"x_{split}": IMAGES, f"y_{split}": LABELS, f"{split}_labels": LABELS[:1]}
        np.savez(path, **parts, **{f"x_{other}": IMAGES[:2], f"y_{other}": LABELS[:2]})
        found = data.from_npz(path, split)
        assert len(found) == 7 and found.classes == ("0", "1", "2", "3")
        assert len(data.from_npz(path, other)) == 2 and data.from_npz(path, other).classes == found.classes
    np.savez(path, images=IMAGES, y=LABELS)
    with pytest.raises(
        ValueError, match=r"wanted arrays images and labels or x and y, got \['images', 'y'\]"
    ):
        data.from_npz(path)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mapped_file_that_is_cut_short_is_an_error_at_the_next_batch_and_no_bus_error(tmp_path, workers):
    images = np.zeros((64, 3, 32, 32), np.uint8)
    path = saved(tmp_path / "x.npy", images)
    found = data.from_npy(path, saved(tmp_path / "y.npy", np.zeros(64, int)), ["a"])
    with data.DataLoader(found, 16, shuffle=False, workers=workers, prefetch=2) as loader:
        batches = iter(loader)
        next(batches)
        os.truncate(path, 5000)
        with pytest.raises(ValueError, match=r"cut short while it was in use: wanted 196736 bytes, got 5000"):
            list(batches)
    for use in (found.fingerprint, lambda: found.mean, lambda: found[0]):
        with pytest.raises(ValueError, match=r"x\.npy: it was cut short"):
            use()


def test_a_mapped_file_that_was_cut_short_before_the_workers_start_is_an_error_and_no_bus_error(tmp_path):
    path = saved(tmp_path / "x.npy", np.zeros((64, 3, 32, 32), np.uint8))
    found = data.from_npy(path, np.zeros(64, int), ["a"])
    os.truncate(path, 5000)
    with (
        data.DataLoader(found, 16, workers=1) as loader,
        pytest.raises(ValueError, match=r"cut short while it was in use: wanted 196736 bytes, got 5000"),
    ):
        next(iter(loader))


def test_moments_of_a_part_look_at_a_mapped_file_again(tmp_path):
    path = saved(tmp_path / "x.npy", np.zeros((64, 3, 32, 32), np.uint8))
    found = data.from_npy(path, np.zeros(64, int), ["a"])
    assert not found.mean.any(), "its counts are kept"
    os.truncate(path, 5000)
    with pytest.raises(ValueError, match=r"x\.npy: it was cut short"):
        found.moments_without(np.array([63]))


def test_a_worker_that_died_of_a_file_that_was_cut_short_is_no_riddle(tmp_path):
    path = saved(tmp_path / "x.npy", np.zeros((64, 3, 32, 32), np.uint8))
    found = data.from_npy(path, saved(tmp_path / "y.npy", np.zeros(64, int)), ["a"])
    with data.DataLoader(found, 16, shuffle=False, workers=1, prefetch=2) as loader:
        batches = iter(loader)
        next(batches)
        (worker,) = loader._feed.crew.members
        os.kill(worker.process.pid, signal.SIGSTOP)  # it is at none of what follows
        os.truncate(path, 5000)
        os.kill(worker.process.pid, signal.SIGKILL)
        with pytest.raises(ValueError, match=r"cut short while it was in use: wanted 196736 bytes, got 5000"):
            list(batches)


@pytest.mark.parametrize("code", [0x110000, 2**32 - 1])
@pytest.mark.parametrize("order", ["<", ">"])
def test_class_names_of_numbers_that_are_no_characters(tmp_path, code, order):
    names = np.frombuffer(np.array([65, code], f"{order}u4").tobytes(), f"{order}U1")
    np.savez(tmp_path / "a.npz", images=IMAGES[:2], labels=[0, 1], classes=names)
    with pytest.raises(ValueError, match=r"a\.npz:classes: wanted text, got numbers that are no characters"):
        data.from_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("names, problem", [
    (["a", "a"], "wanted a name of its own for each class, got 'a' for 0 and 1"),
    (["\xe9", "e\u0301"], "wanted a name of its own for each class"),
    (["a", ""], r"name 1: wanted 1 to 1,000 letters, got 0 ''"),
    (["a", "b" * 1001], "wanted names of at most 1,000 letters, got 1,001"),
    (["\n" * 600, "b"], "name 0: wanted 1 to 1,000 letters, got 1,200"),
])  # fmt: skip
def test_class_names_that_a_training_would_refuse(tmp_path, names, problem):
    np.savez(tmp_path / "a.npz", images=IMAGES[:2], labels=[0, 1], classes=np.array(names))
    with pytest.raises(ValueError, match=rf"a\.npz:classes: {problem}"):
        data.from_npz(tmp_path / "a.npz")


def test_class_names_are_printable(tmp_path):
    names = ["a\0b", "\x1b[31m", "c\nd", "caf\udce9", "\ud800", "\u202e", "ü"]
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=range(7), classes=np.array(names))
    wanted = (r"a\x00b", r"\x1b[31m", r"c\nd", r"caf\xe9", r"\ud800", r"\u202e", "ü")
    assert data.from_npz(tmp_path / "a.npz").classes == wanted


@pytest.mark.parametrize("shape", [(0,), (2,), (2**40,)])
@pytest.mark.parametrize("name", ["images", "labels", "classes"])
def test_arrays_of_texts_without_letters_are_named(tmp_path, shape, name):
    header = io.BytesIO()
    facts = {"descr": "<U0", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    arrays = {"images": IMAGES, "labels": LABELS, "classes": np.array(list("abcd"))}
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for each, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array)
            archive.writestr(f"{each}.npy", header.getvalue() if each == name else content.getvalue())
    problem = rf"wanted an array of numbers or names, got \({shape[0]},\) empty texts"
    with pytest.raises(ValueError, match=rf"a\.npz:{name}: {problem}"):
        data.from_npz(tmp_path / "a.npz")
    (tmp_path / "x.npy").write_bytes(header.getvalue())
    with pytest.raises(ValueError, match=rf"x\.npy: {problem}"):
        data.from_npy(tmp_path / "x.npy", LABELS)


def test_a_million_class_names(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=IMAGES, labels=LABELS, classes=np.zeros(10**6, "U1"))
    with pytest.raises(ValueError, match=r"classes: wanted at most 10000 names, got 1000000"):
        data.from_npz(tmp_path / "a.npz")


def sparse(path, shape, dtype="|u1"):
    """A .npy file of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        facts = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, facts)
        file.truncate(file.tell() + np.dtype(dtype).itemsize * int(np.prod(shape)))
    return path


def test_a_copy_beyond_the_memory_is_refused_before_it_is_made(tmp_path, monkeypatch):
    beyond = r": its 786,432,000,000 bytes do not fit the [0-9,]+ of memory that are free"
    path = sparse(tmp_path / "x.npy", (4, 256_000, 256_000, 3))
    assert len(data.from_npy(sparse(tmp_path / "planar.npy", (4, 3, 256_000, 256_000)), LABELS[:4])) == 4
    with pytest.raises(ValueError, match=rf"x\.npy{beyond}"):
        data.from_npy(path, LABELS[:4])
    last = np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1))
    np.savez(tmp_path / "a.npz", images=last, labels=LABELS)
    kept, copies = np.ascontiguousarray, []

    def scarce(array, *rest):
        copies.append(array.shape)
        raise MemoryError

    monkeypatch.setattr(np, "ascontiguousarray", scarce)
    with pytest.raises(ValueError, match=r"a\.npz:images: its 630 bytes do not fit the memory that can"):
        data.from_npz(tmp_path / "a.npz")
    monkeypatch.setattr(np, "ascontiguousarray", kept)
    assert copies == [IMAGES.shape]


def test_more_labels_than_pictures_are_not_read(tmp_path):
    labels = sparse(tmp_path / "y.npy", (2**34,), "<i8")
    wanted = r"y\.npy: labels: wanted shape \(7,\), got \(17179869184,\)"
    with damages.bounded(), pytest.raises(ValueError, match=wanted):
        data.from_npy(saved(tmp_path / "x.npy", IMAGES), labels)


def test_arrays_beyond_the_memory_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    images, labels = np.zeros((1000, 3, 32, 32), np.uint8), np.zeros(1000, int)
    np.savez_compressed(tmp_path / "a.npz", images=images, labels=labels)
    monkeypatch.setattr(bounded, "free_bytes", lambda: 10**6)
    with pytest.raises(ValueError, match=r"a\.npz:images: its 3,072,000 bytes do not fit the 1,000,000 of"):
        data.from_npz(tmp_path / "a.npz")


def test_memory_that_runs_out_is_told(tmp_path):
    class Endless:
        def read(self, size):
            raise MemoryError

    with pytest.raises(ValueError, match=r"x: its 5 bytes do not fit the memory"):
        bounded.read_exactly(Endless(), 5, "x")


@pytest.mark.parametrize("read", [lambda p: data.from_npy(p, LABELS), data.from_npz, read_idx, data.CIFAR10])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, read):
    path = tmp_path / "cifar-10-binary.tar.gz"
    os.mkfifo(path)
    with pytest.raises((OSError, ValueError), match=r"wanted a regular file, got a pipe|found none"):
        read(path)


@pytest.mark.parametrize(("members", "meant"), [
    ({"whatever": 3}, "whatever"), ({"images": 3, "labels": 1}, "images"), ({"y": 1, "x": 3}, "x"),
    ({"train_images": 5, "train_labels": 1, "test_images": 3, "test_labels": 1}, "test_images"),
    ({"x_train": 5, "y_train": 1, "x_test": 3, "y_test": 1}, "x_test"),
    ({"images_train": 5, "images_test": 3}, "images_test"), ({"train_x": 5, "test_x": 3}, "test_x"),
])  # fmt: skip
def test_the_samples_of_a_file_are_its_only_array_or_that_of_the_usual_name(tmp_path, members, meant):
    arrays = {name: np.full((rows, 4), i, np.float32) for i, (name, rows) in enumerate(members.items())}
    np.savez(tmp_path / "a.npz", **arrays)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("read me.txt", "no array")
    np.testing.assert_array_equal(array_files.samples_in(tmp_path / "a.npz"), arrays[meant])


@pytest.mark.parametrize(("members", "got"), [
    ([], "no array"), (["one", "other"], "one, other"), (["images", "x_test"], "images, x_test"),
    ([f"a{i}" for i in range(12)], ", ".join(f"a{i}" for i in range(10))),
])  # fmt: skip
def test_a_file_that_does_not_say_which_are_its_samples_is_told_with_its_first_ten(tmp_path, members, got):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("read me.txt", "no array")
        for name in members:
            with archive.open(f"{name}.npy", "w") as member:
                np.save(member, np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError) as caught:
        array_files.samples_in(tmp_path / "a.npz")
    assert str(caught.value) == (
        f"{tmp_path / 'a.npz'}: wanted one array of samples, or one called images, x, test_images, test_x, "
        f"images_test, x_test, got {got}"
    )
