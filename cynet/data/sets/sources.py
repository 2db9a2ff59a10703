"""What the authors of the data sets publish: addresses, sizes and digests of files, counts of pictures."""

from dataclasses import dataclass

KRIZ = "https://www.cs.toronto.edu/~kriz"
OSSCI = "https://ossci-datasets.s3.amazonaws.com/mnist"  # the usual mirror; the authors' own site is gone
ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


@dataclass(frozen=True)
class File:
    """A published file."""

    name: str
    base: str  # of its address
    size: int
    md5: str

    @property
    def address(self) -> str:
        return f"{self.base}/{self.name}"


@dataclass(frozen=True)
class Published:
    """A published data set.

    The first file of `files` is one to fetch; where `all_files`, each of them is.
    """

    files: tuple[File, ...]
    folder: str  # where they are put, in the folder of data sets
    all_files: bool
    train: tuple[int, ...]  # pictures of each class; one number where all are the same
    test: tuple[int, ...]


CIFAR10 = Published(
    (
        File("cifar-10-binary.tar.gz", KRIZ, 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),
        File("cifar-10-python.tar.gz", KRIZ, 170_498_071, "c58f30108f718f92721af3b95e74349a"),
    ),
    "", False, (5000,) * 10, (1000,) * 10,
)  # fmt: skip
CIFAR100 = Published(
    (
        File("cifar-100-binary.tar.gz", KRIZ, 168_513_733, "03b5dce01913d631647c71ecec9e9cb8"),
        File("cifar-100-python.tar.gz", KRIZ, 169_001_437, "eb9058c3a382ffc7106e4002c42a8d85"),
    ),
    "", False, (500,) * 100, (100,) * 100,
)  # fmt: skip
MNIST = Published(
    (
        File("train-images-idx3-ubyte.gz", OSSCI, 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb86873"),
        File("train-labels-idx1-ubyte.gz", OSSCI, 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        File("t10k-images-idx3-ubyte.gz", OSSCI, 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        File("t10k-labels-idx1-ubyte.gz", OSSCI, 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    "MNIST", True,
    (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
)  # fmt: skip
FASHION_MNIST = Published(
    (
        File("train-images-idx3-ubyte.gz", ZALANDO, 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        File("train-labels-idx1-ubyte.gz", ZALANDO, 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        File("t10k-images-idx3-ubyte.gz", ZALANDO, 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        File("t10k-labels-idx1-ubyte.gz", ZALANDO, 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    "FashionMNIST", True, (6000,) * 10, (1000,) * 10,
)  # fmt: skip

PUBLISHED = {"cifar10": CIFAR10, "cifar100": CIFAR100, "mnist": MNIST, "fashionmnist": FASHION_MNIST}
COUNTS = {name: {"train": p.train, "test": p.test} for name, p in PUBLISHED.items()}
COUNTS["shapes10"] = {"train": (2000,) * 10, "test": (400,) * 10}
