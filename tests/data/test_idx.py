"""idx files: every malformed one gives its error, and what is read is right."""

import gzip
import struct

import numpy as np
import pytest

from cynet import data
from cynet.data.sets.idx import FASHION_CLASSES, read_idx

RNG = np.random.default_rng(0)
CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array, dtype="u1"):
    head = bytes([0, 0, CODES[dtype], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(dtype).tobytes()


def written(path, content):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_every_type_of_number_comes_back(tmp_path, dtype, name):
    array = RNG.integers(0, 100, (3, 4, 5)).astype(dtype)
    found = read_idx(written(tmp_path / name, idx(array, dtype)))
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative


@pytest.mark.parametrize(("content", "problem"), [
    (b"", "wanted an idx file"),
    (b"\0\0\x08", "wanted an idx file"),
    (b"\0\1\x08\1" + b"\0\0\0\1" + b"x", "wanted an idx file"),
    (b"\0\0\x07\1" + b"\0\0\0\1" + b"x", "wanted an idx file"),
    (b"\0\0\x08\0", "wanted an idx file"),
    (b"\0\0\x08\3\0\0\0\1\0\0", "wanted 3 sizes after the magic number, got 6 bytes"),
    (b"\0\0\x08\2" + struct.pack(">2I", 0, 3), "wanted a filled array"),
    (b"\0\0\x0e\3" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1), "less than 2**63 bytes"),
    (b"\0\0\x08\1" + struct.pack(">I", 5) + b"1234", "5 bytes"),
    (b"\0\0\x08\1" + struct.pack(">I", 5) + b"123456", "5 bytes"),
    (b"\0\0\x08\1" + struct.pack(">I", 2**31) + b"1234", "2147483648 bytes"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_a_malformed_file_is_named(tmp_path, content, problem, name):
    path = written(tmp_path / name, content)
    with pytest.raises(ValueError) as caught:
        read_idx(path)
    assert str(path) in str(caught.value) and problem in str(caught.value)


def test_every_cut_of_a_gzipped_file_is_found(tmp_path):
    whole = gzip.compress(idx(RNG.integers(0, 256, (4, 5, 5))))
    path = tmp_path / "file.gz"
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"file\.gz"):
            read_idx(path)


def test_the_number_of_dimensions_is_asked_for(tmp_path):
    path = written(tmp_path / "file", idx(np.zeros((2, 3))))
    with pytest.raises(ValueError, match="wanted 3 or 4 dimensions, got 2"):
        read_idx(path, (3, 4))


def pair(folder, count=6, labels=None, images=None, suffix="", start="train"):
    folder.mkdir(parents=True, exist_ok=True)
    images = RNG.integers(0, 256, (count, 28, 28)) if images is None else images
    labels = np.arange(count) % 10 if labels is None else labels
    return (
        written(folder / f"{start}-images-idx3-ubyte{suffix}", idx(images)),
        written(folder / f"{start}-labels-idx1-ubyte{suffix}", idx(labels)),
        images,
    )


def test_a_pair_becomes_a_data_set(tmp_path):
    images, labels, pixels = pair(tmp_path)
    found = data.IdxDataset(images, labels)
    assert found.picture_shape == (28, 28, 1) and found.classes == tuple("012345")
    np.testing.assert_array_equal(found.images[:, 0], pixels)
    in_colour = written(tmp_path / "colour", idx(RNG.integers(0, 256, (6, 3, 4, 5))))
    assert data.IdxDataset(in_colour, labels, list("abcdef")).picture_shape == (4, 5, 3)


@pytest.mark.parametrize("place", ["", "MNIST", "MNIST/raw", "raw"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_is_found_where_it_usually_lies(tmp_path, place, suffix):
    pair(tmp_path / place, suffix=suffix)
    pair(tmp_path / place, 4, suffix=suffix, start="t10k")
    assert [len(data.load("mnist", tmp_path, split)) for split in ("train", "test")] == [6, 4]
    assert data.load("fashionmnist", tmp_path if place in ("", "raw") else tmp_path / "MNIST").classes == (
        FASHION_CLASSES
    )


@pytest.mark.parametrize("own", ["{}", "{}/raw"])
@pytest.mark.parametrize("other", ["", "raw"])
@pytest.mark.parametrize(("kind", "name"), [(data.MNIST, "MNIST"), (data.FashionMNIST, "FashionMNIST")])
def test_a_set_in_a_folder_of_its_name_comes_before_one_beside_it(tmp_path, own, other, kind, name):
    pair(tmp_path / other, 5)
    pair(tmp_path / own.format(name), 7)
    assert len(kind(tmp_path)) == 7


def test_the_other_set_with_the_same_file_names_is_refused(tmp_path):
    first = np.array(data.MNIST.first_labels["train"])
    pair(tmp_path, 10, first)
    assert len(data.MNIST(tmp_path)) == 10
    with pytest.raises(ValueError, match="wanted the labels of FashionMNIST, got those of MNIST"):
        data.FashionMNIST(tmp_path)


def test_pairs_that_do_not_fit_are_named(tmp_path):
    images, labels, _ = pair(tmp_path)
    few = written(tmp_path / "few", idx(np.zeros(5)))
    with pytest.raises(ValueError, match=r"few: wanted 6 integers, as many as .*images.* has pictures"):
        data.IdxDataset(images, few)
    with pytest.raises(ValueError, match=r"images-idx3-ubyte: wanted 1 dimensions, got 3"):
        data.IdxDataset(images, images)
    pair(tmp_path, labels=np.full(6, 11))
    with pytest.raises(ValueError, match=r"labels\[0\]"):
        data.MNIST(tmp_path)
    with pytest.raises(FileNotFoundError, match="t10k-images-idx3-ubyte and t10k-labels"):
        data.MNIST(tmp_path, "test")
    with pytest.raises(ValueError, match="wanted pictures of type uint8, got float32"):
        data.IdxDataset(written(tmp_path / "f", idx(np.zeros((6, 2, 2)), ">f4")), labels)
