"""What is published of data sets, as their authors say it: files, digests, counts and names of classes."""

import pytest

from cynet.data import CIFAR10, MNIST, FashionMNIST
from cynet.data.images import pictures
from cynet.data.sets import cifar, shapes10, sources

KRIZ = "https://www.cs.toronto.edu/~kriz/"
OSSCI = "https://ossci-datasets.s3.amazonaws.com/mnist/"
ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
IDX = [
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]  # fmt: skip
MD5 = {
    KRIZ + "cifar-10-binary.tar.gz": (170052171, "c32a1d4ab5d03f1284b67883e8d87530"),
    KRIZ + "cifar-10-python.tar.gz": (170498071, "c58f30108f718f92721af3b95e74349a"),
    KRIZ + "cifar-100-binary.tar.gz": (168513733, "03b5dce01913d631647c71ecec9e9cb8"),
    KRIZ + "cifar-100-python.tar.gz": (169001437, "eb9058c3a382ffc7106e4002c42a8d85"),
    OSSCI + IDX[0]: (9912422, "f68b3c2dcbeaaa9fbdd348bbdeb86873"),
    OSSCI + IDX[1]: (28881, "d53e105ee54ea40749a09fcbcd1e9432"),
    OSSCI + IDX[2]: (1648877, "9fb629c4189551a2d022fa330f9573f3"),
    OSSCI + IDX[3]: (4542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ZALANDO + IDX[0]: (26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    ZALANDO + IDX[1]: (29515, "25c81989df183df01b3e8a0aad5dffbe"),
    ZALANDO + IDX[2]: (4422102, "bef4ecab320f06d8554ea6380940ec79"),
    ZALANDO + IDX[3]: (5148, "bb300cfdad3c16e7a12a480ee83cd310"),
}


def test_the_files_their_sizes_and_digests():
    found = {
        file.address: (file.size, file.md5) for each in sources.PUBLISHED.values() for file in each.files
    }
    assert found == MD5
    folders = {name: (each.folder, each.all_files) for name, each in sources.PUBLISHED.items()}
    assert folders == {"cifar10": ("", False), "cifar100": ("", False), "mnist": ("MNIST", True),
                       "fashionmnist": ("FashionMNIST", True)}  # fmt: skip


def test_the_counts_of_the_classes():
    assert sources.COUNTS == {
        "cifar10": {"train": (5000,) * 10, "test": (1000,) * 10},
        "cifar100": {"train": (500,) * 100, "test": (100,) * 100},
        "fashionmnist": {"train": (6000,) * 10, "test": (1000,) * 10},
        "shapes10": {"train": (2000,) * 10, "test": (400,) * 10},
        "mnist": {"train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
                  "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)},
    }  # fmt: skip
    assert [sum(sources.COUNTS["mnist"][split]) for split in ("train", "test")] == [60000, 10000]


def test_the_names_of_the_classes():
    assert cifar.CIFAR10_CLASSES == (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"
    )  # fmt: skip
    assert FashionMNIST.classes == (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    )  # fmt: skip
    assert MNIST.first_labels == {
        "train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
        "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9),
    }
    assert FashionMNIST.first_labels == {
        "train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)
    }  # fmt: skip
    assert MNIST.classes in (None, tuple("0123456789")) and CIFAR10 is cifar.CIFAR10
    assert shapes10.CLASSES == (
        "plain disc", "striped disc", "plain square", "striped square", "plain triangle", "striped triangle",
        "plain cross", "striped cross", "plain ring", "striped ring",
    )  # fmt: skip


def test_where_the_archives_keep_their_pictures():
    batches = [f"data_batch_{i}" for i in (1, 2, 3, 4, 5)]
    found = [
        (each.folder, each.archive, list(each.train), list(each.test), each.names, each.label_bytes)
        for each in (*cifar.CIFAR10_LAYOUTS, *cifar.CIFAR100_LAYOUTS)
    ]
    assert found == [
        ("cifar-10-batches-bin", "cifar-10-binary.tar.gz", [f"{each}.bin" for each in batches],
         ["test_batch.bin"], "batches.meta.txt", 1),
        ("cifar-10-batches-py", "cifar-10-python.tar.gz", batches, ["test_batch"], "batches.meta", 0),
        ("cifar-100-binary", "cifar-100-binary.tar.gz", ["train.bin"], ["test.bin"], "fine_label_names.txt",
         2),
        ("cifar-100-python", "cifar-100-python.tar.gz", ["train"], ["test"], "meta", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("split", "pixels"), [("train", "e46179bc2898e5eb"), ("test", "a497aaa50e159dc9")])
def test_the_shapes_are_the_same_everywhere(monkeypatch, split, pixels):
    assert shapes10.COUNTS == {"train": 20_000, "test": 4_000}
    monkeypatch.setattr(shapes10, "COUNTS", {split: 500})
    assert shapes10.Shapes10(split=split).fingerprint() == f"500x3x32x32.cd5d03c8.d12d4af1.{pixels}"


@pytest.mark.parametrize(("arguments", "words"), [
    ((16385,), "size: wanted at most 16384, got 16385"),
    (((1, 16385),), "size: wanted at most 16384, got (1, 16385)"),
    (((16385, 1),), "size: wanted at most 16384, got (16385, 1)"),
    ((8, "cut"), "resize: wanted one of crop, stretch, got 'cut'"),
    ((8, "crop", 4), "channels: wanted 1 or 3, got 4"),
])  # fmt: skip
def test_a_fit_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError) as caught:
        pictures.Fit(*arguments)
    assert str(caught.value) == words
    assert pictures.Fit(16384, channels=1).shape == (1, 16384, 16384)
    assert pictures.Fit((4, 6)).shape == (3, 4, 6)
