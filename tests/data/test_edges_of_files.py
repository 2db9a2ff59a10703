"""Files of data sets at the edges of what is taken: one name more, a byte order, a label of 65 bits."""

import errno
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from test_cifar import (
    BINARY,
    CIFAR10,
    CIFAR10_CLASSES,
    PIXELS,
    PYTHON,
    files_of,
    records,
    write_archive,
    write_folder,
)

from cynet import data
from cynet.data.sets import array_files, cifar, download, idx

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), np.uint8)


def npz(path, **arrays):
    np.savez(path, **({"images": IMAGES, "labels": np.arange(6) % 2} | arrays))
    return path


# -- NumPy's files ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["<U3", ">U3", "<U1000"])
def test_names_of_classes_of_any_byte_order_and_length(tmp_path, kind):
    names = ["a", "b" * (np.dtype(kind).itemsize // 4)]
    found = data.from_npz(npz(tmp_path / "a.npz", classes=np.array(names, kind)))
    assert found.classes == tuple(names)


def test_one_letter_or_one_name_too_many(tmp_path):
    long = np.array(["a", "b" * 1001])
    with pytest.raises(ValueError, match=r"classes: wanted names of at most 1,000 letters, got 1,001$"):
        data.from_npz(npz(tmp_path / "a.npz", classes=long))
    most = np.array([f"n{i}" for i in range(10_000)])
    assert len(data.from_npz(npz(tmp_path / "b.npz", classes=most)).classes) == 10_000
    with pytest.raises(ValueError, match=r"classes: wanted at most 10000 names, got 10001$"):
        data.from_npz(npz(tmp_path / "c.npz", classes=np.append(most, "one")))


def test_classes_that_are_given_come_before_those_of_the_file(tmp_path):
    path = npz(tmp_path / "a.npz", classes=["a", "b"])
    assert data.from_npz(path).classes == ("a", "b")
    assert data.from_npz(path, classes=["c", "d"]).classes == ("c", "d")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("order", "CF")
def test_both_versions_of_the_format_are_read(tmp_path, version, order):
    with open(tmp_path / "x.npy", "wb") as file:
        np.lib.format.write_array(file, np.array(IMAGES, order=order), version)
    found = data.from_npy(tmp_path / "x.npy", np.arange(6) % 2, layout="NCHW")
    np.testing.assert_array_equal(found.images, IMAGES)


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (6, 0, 4, 5)])
def test_a_file_of_no_pictures_is_told_by_its_shape(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.uint8))
    with pytest.raises(ValueError) as caught:
        data.from_npy(tmp_path / "x.npy", np.zeros(shape[0], int))
    wanted = "wanted samples, uint8 or float32 of 2 to 4 dimensions"
    assert str(caught.value) == f"{tmp_path / 'x.npy'}: {wanted}, got uint8 {shape}"


def test_a_member_of_the_most_bytes_is_read_and_of_one_more_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(5.0), b=np.arange(3))
    size = 128 + 5 * 8
    found = array_files.read_members(tmp_path / "a.npz", {"a": "f", "none": "f"}, size)
    assert list(found) == ["a"] and found["a"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=rf"a\.npz:a: wanted at most {size - 1} bytes, got {size}$"):
        array_files.read_members(tmp_path / "a.npz", {"a": "f"}, size - 1)
    with pytest.raises(ValueError, match=r"a\.npz:a: wanted an array of integers, got float64 \(5,\)$"):
        array_files.read_members(tmp_path / "a.npz", {"a": "iu"}, size)


def test_a_disk_that_fails_is_not_taken_for_a_damaged_file(tmp_path, monkeypatch):
    """Where a file's directory points outside of it, it is damaged."""
    path = npz(tmp_path / "a.npz")
    content, real = path.read_bytes(), array_files._archive

    class Failing(io.BytesIO):
        sound = True

        def read(self, *size):
            if not self.sound:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(*size)

    def opened(file, name):
        archive = real(Failing(content), name)
        archive.fp.sound = False
        return archive

    monkeypatch.setattr(array_files, "_archive", opened)
    with pytest.raises(OSError, match="Input/output error"):
        data.from_npz(path)


@pytest.mark.parametrize("texts", [["NCHW", "NHWC"], [["NCHW"]], []])
def test_a_file_tells_one_layout(tmp_path, texts):
    path = npz(tmp_path / "a.npz", layout=np.array(texts, "<U4"))
    if np.size(texts) == 1:
        assert data.from_npz(path).picture_shape == (4, 5, 3)
        return
    with pytest.raises(ValueError, match=rf"a\.npz:layout: wanted one text, got shape \({len(texts)},\)$"):
        data.from_npz(path)


def test_the_classes_of_a_folder_are_those_of_both_parts_where_both_have_any(tmp_path):
    for name, values in (("x_train", IMAGES), ("y_train", np.arange(6) % 2), ("x_test", IMAGES),
                         ("y_test", np.arange(6) + 0.5)):  # fmt: skip
        np.save(tmp_path / f"{name}.npy", values)
    assert data.load("arrays", tmp_path).classes == ("0", "1")
    np.save(tmp_path / "y_train.npy", np.arange(6) - 0.5)
    np.save(tmp_path / "y_test.npy", np.arange(6))
    found = [data.load("arrays", tmp_path, split) for split in ("train", "test")]
    assert [(each.task, each.classes) for each in found] == [("regress", ("value",))] * 2
    np.save(tmp_path / "y_train.npy", np.arange(6) % 2)
    assert data.load("arrays", tmp_path).classes == tuple("012345")


# -- CIFAR --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", [BINARY, PYTHON])
def test_an_archive_of_the_current_folder_is_read(tmp_path, layout):
    """Its members' names begin with ./ then."""
    path = write_archive(tmp_path, layout, lambda member: setattr(member, "name", f"./{member.name}"))
    assert CIFAR10(path, "test").labels.tolist() == list(range(7))


def test_the_files_of_the_folder_itself_come_before_those_of_a_folder_in_it(tmp_path):
    write_folder(tmp_path, BINARY)
    for name, content in files_of(BINARY).items():
        (tmp_path / name).write_bytes(content if name == BINARY.names else records(range(1, 8)))
    assert CIFAR10(tmp_path, "test").labels.tolist() == list(range(1, 8))


def test_a_cut_record_is_told_with_its_number_and_its_bytes(tmp_path):
    folder = write_folder(tmp_path, BINARY, **{"test_batch.bin": records(range(7))[: 3073 * 2 + 5]})
    with pytest.raises(ValueError, match=r"records of 3073 bytes, got 6151 bytes: record 2 has 5$"):
        CIFAR10(folder, "test")


def test_a_member_larger_than_all_of_a_data_set_is_not_read(tmp_path, monkeypatch):
    size = 7 * 3073  # of zeros, which take little in the archive itself
    path = write_archive(tmp_path, BINARY, **dict.fromkeys(BINARY.train + BINARY.test, bytes(size)))
    monkeypatch.setattr(cifar, "LARGEST", size - 1)
    monkeypatch.setattr(cifar, "Bounded", lambda stream, most, where: stream)
    with pytest.raises(ValueError, match=rf"batch_1\.bin: wanted at most {size - 1} bytes, got {size}$"):
        CIFAR10(path)
    monkeypatch.setattr(cifar, "LARGEST", size)
    assert len(CIFAR10(path)) == 35


def test_memory_that_an_archive_does_not_fit_is_told(tmp_path, monkeypatch):
    def exhausted(_):
        raise MemoryError

    monkeypatch.setattr(cifar.TarEntry, "read", exhausted)
    with pytest.raises(ValueError, match=r"gz: wanted a whole .*: it does not fit the memory that can be"):
        CIFAR10(write_archive(tmp_path, BINARY))


@pytest.mark.parametrize("label", [True, 2**63, -(2**63) - 1, 1.0, None])
def test_a_label_that_is_no_whole_number_of_64_bits_names_its_record(tmp_path, label):
    batch = pickle.dumps({b"data": PIXELS, b"labels": [0, 1, 2, label, 4, 5, 6]}, protocol=2)
    folder = write_folder(tmp_path, PYTHON, test_batch=batch)
    with pytest.raises(ValueError, match="test_batch: record 3: wanted an int as label, got "):
        CIFAR10(folder, "test")


@pytest.mark.parametrize("shape", [(7 * 3072,), (14, 1536), (7, 3, 1024), (7, 32, 96)])
def test_pixels_of_another_shape_are_told(tmp_path, shape):
    batch = pickle.dumps({b"data": PIXELS.reshape(shape), b"labels": [0] * shape[0]}, protocol=2)
    folder = write_folder(tmp_path, PYTHON, test_batch=batch)
    with pytest.raises(ValueError) as caught:
        CIFAR10(folder, "test")
    assert f"data: wanted uint8 of shape (n, 3072), got uint8 {shape}" in str(caught.value)


@pytest.mark.parametrize("names", [[*CIFAR10_CLASSES, "snake"], CIFAR10_CLASSES[:9]])
def test_names_that_are_too_many_or_too_few_are_counted(tmp_path, names):
    folder = write_folder(tmp_path, BINARY, **{BINARY.names: "\n".join(names).encode()})
    with pytest.raises(ValueError, match=rf"meta\.txt: wanted 10 class names, got {len(names)}$"):
        CIFAR10(folder)


def test_an_archive_that_is_not_there_is_fetched_into_its_folder(tmp_path, monkeypatch):
    asked = []

    def fetch(name, root, mirror):
        asked.append((name, root, mirror))
        return [write_archive(root, BINARY)]

    monkeypatch.setattr(download, "fetch", fetch)
    assert len(CIFAR10(tmp_path / BINARY.archive, download=True, mirror="http://x")) == 35
    (tmp_path / BINARY.archive).unlink()
    assert len(CIFAR10(tmp_path, download=True)) == 35
    assert asked == [("cifar10", tmp_path, "http://x"), ("cifar10", tmp_path, None)]


# -- idx ----------------------------------------------------------------------------------------------------
def written(path, code, array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, code, array.ndim]) + sizes + array.tobytes())
    return path


@pytest.mark.parametrize(("code", "kind"), [
    (8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")
])  # fmt: skip
def test_numbers_below_zero_and_beyond_a_byte_come_back(tmp_path, code, kind):
    values = np.array([[-1, -128, 127, 0], [3, 2, 1, 100]], kind) if kind != "u1" else np.uint8([[255, 128]])
    values = values * np.array(200, kind) if values.itemsize > 1 else values
    np.testing.assert_array_equal(idx.read_idx(written(tmp_path / "a", code, values.astype(kind))), values)


def test_a_plain_file_comes_before_a_packed_one_beside_it(tmp_path):
    for name, code, array in (
        ("train-images-idx3-ubyte", 8, np.zeros((3, 2, 2), np.uint8)),
        ("train-labels-idx1-ubyte", 8, np.array([1, 2, 3], np.uint8)),
    ):
        written(tmp_path / name, code, array)
        (tmp_path / f"{name}.gz").write_bytes(b"half a downlo")
    assert data.MNIST(tmp_path).labels.tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", [data.MNIST, data.FashionMNIST])
def test_files_that_are_not_there_are_fetched_by_the_name_of_their_set(tmp_path, monkeypatch, kind):
    asked = []

    def fetch(name, root, mirror):
        asked.append((name, root, mirror))
        (root / kind.__name__).mkdir(exist_ok=True)
        for start, labels in (("train", [1, 2, 3]), ("t10k", [4, 5, 6])):
            place = root / kind.__name__ / start
            written(Path(f"{place}-images-idx3-ubyte"), 8, np.zeros((3, 2, 2), np.uint8))
            written(Path(f"{place}-labels-idx1-ubyte"), 8, np.array(labels, np.uint8))

    monkeypatch.setattr(download, "fetch", fetch)
    with pytest.raises(FileNotFoundError):
        kind(tmp_path)
    assert kind(tmp_path, download=True, mirror="http://x").labels.tolist() == [1, 2, 3]
    assert kind(tmp_path, "test", download=True).labels.tolist() == [4, 5, 6]
    other = tmp_path / "other"
    other.mkdir()
    assert len(kind(str(other), "test", download=True)) == 3
    name = kind.__name__.lower()
    assert asked == [(name, tmp_path, "http://x"), (name, other, None)]


@pytest.mark.parametrize(("labels", "taken"), [
    ((9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 1), False), ((9, 0, 0, 3, 0, 2, 7, 2, 5, 4, 1), True),
    ((9, 0, 0, 3, 0, 2, 7, 2, 5), True), ((9,), True), ((5, 0, 4, 1, 9, 2, 1, 3, 1, 4), True),
])  # fmt: skip
def test_the_first_ten_labels_alone_tell_one_set_from_another(tmp_path, labels, taken):
    written(tmp_path / "train-images-idx3-ubyte", 8, np.zeros((len(labels), 2, 2), np.uint8))
    path = written(tmp_path / "train-labels-idx1-ubyte", 8, np.array(labels, np.uint8))
    if taken:
        assert data.MNIST(tmp_path).labels.tolist() == list(labels)
        return
    wanted = "wanted the labels of MNIST, got those of FashionMNIST, whose files are alike"
    with pytest.raises(ValueError) as caught:
        data.MNIST(tmp_path)
    assert str(caught.value) == f"{path}: {wanted}" and len(data.FashionMNIST(tmp_path)) == len(labels)


def test_labels_of_floats_and_foreign_starts_are_told(tmp_path):
    images = written(tmp_path / "images", 8, np.zeros((3, 2, 2), np.uint8))
    labels = written(tmp_path / "labels", 13, np.zeros(3, ">f4"))
    with pytest.raises(ValueError, match=r"labels: wanted 3 integers, as many as .*, got float32 \(3,\)$"):
        data.IdxDataset(images, labels)
    (tmp_path / "x").write_bytes(b"\x1f\x8b\x08\x00more")
    with pytest.raises(ValueError, match=r"\(magic 00 00 type dimensions\), got 1f 8b 08 00$"):
        idx.read_idx(tmp_path / "x")
