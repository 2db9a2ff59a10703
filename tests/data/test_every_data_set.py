"""What every registered data set keeps, loaded from small files: a new one needs a line in FAKES."""

import re
from pathlib import Path

import numpy as np
import pytest
import test_cifar
import test_idx
from photos import folder_of

from cynet import data
from cynet.data import registry
from cynet.data.registry import dataset
from cynet.data.text import TokenSet

ROOT = Path(__file__).resolve().parents[2]
EVERY = pytest.mark.parametrize("name", dataset.names())


def pictures(root):
    pytest.importorskip("PIL")
    for part, count in (("train", 4), ("test", 3)):
        folder_of(root / part, cat=count, dog=count)


def lists(root):
    pictures(root)
    for part in ("train", "test"):
        paths = sorted(str(path.relative_to(root)) for path in (root / part).rglob("*.png"))
        (root / f"pets.{part}").write_text("\n".join(paths))
    (root / "pets.labels").write_text("cat\ndog\n")


def arrays(root):
    rng = np.random.default_rng(0)
    counts = {"train": 9, "test": 5}
    parts = {part: rng.integers(0, 256, (count, 3, 8, 8), np.uint8) for part, count in counts.items()}
    members = {f"{part}_images": images for part, images in parts.items()}
    members |= {f"{part}_labels": np.arange(len(images)) % 2 for part, images in parts.items()}
    np.savez(root / "own.npz", classes=["a", "b"], **members)
    return root / "own.npz"


def digits(root):
    test_idx.pair(root)
    test_idx.pair(root, 4, start="t10k")


def text(root):
    (root / "own.txt").write_text("To be, or not to be, that is the question. " * 9)
    return root / "own.txt"


# What writes a small one of it into a folder; it returns the root, where that is not the folder.
FAKES = {
    "shapes10": lambda root: None,
    "cifar10": lambda root: test_cifar.write_folder(root, test_cifar.BINARY),
    "cifar100": lambda root: test_cifar.write_folder(root, test_cifar.CIFAR100_LAYOUTS[0]),
    "mnist": digits,
    "fashionmnist": digits,
    "image_folder": pictures,
    "image_list": lists,
    "arrays": arrays,
    "text": text,
    "alice": lambda root: None,
}
TEXTS = dataset.those(texts=True)
PICTURED = pytest.mark.parametrize("name", [name for name in FAKES if name not in TEXTS])


@pytest.fixture
def fake(tmp_path):
    def write(name):
        made = FAKES[name](tmp_path)
        return made if name in registry.OWN and made else tmp_path

    return write


def test_every_data_set_has_a_fake():
    """Those that other tests register of their own have not."""
    assert {name for name in dataset.names() if dataset.home(name)} == set(FAKES)


@PICTURED
def test_it_is_loaded_as_load_promises(fake, name):
    root = fake(name)
    splits = ("test",) if name == "shapes10" else ("train", "test")  # which is large
    parts = {split: data.load(name, root, split) for split in splits}
    for samples in parts.values():
        assert isinstance(samples, data.ArrayDataset)
        images, labels = np.asarray(samples.images), np.asarray(samples.labels)
        assert images.dtype == np.uint8 and images.ndim == 4 and images.shape[1] in (1, 3, 4)
        assert len(samples) == len(images) == len(labels) > 0
        assert samples.picture_shape == (*images.shape[2:], images.shape[1])
        assert labels.min() >= 0 and labels.max() < len(samples.classes)
        assert all(isinstance(text, str) and text for text in samples.classes)
        assert np.isfinite(samples.mean).all() and np.isfinite(samples.std).all()
        assert registry.name_of(samples, name) == name
        np.testing.assert_array_equal(samples[0][0], images[0].transpose(1, 2, 0))
        assert repr(samples)
    assert len({samples.classes for samples in parts.values()}) == 1
    assert len({samples.picture_shape for samples in parts.values()}) == 1


@PICTURED
def test_its_fingerprint_is_of_what_it_holds(fake, name):
    root = fake(name)
    samples, again = (data.load(name, root, "test") for _ in range(2))
    assert samples.fingerprint() == again.fingerprint()
    images = np.array(samples.images)
    images[-1, 0, 0, 0] ^= 1
    changed = data.ArrayDataset(images, samples.labels, samples.classes)
    assert changed.fingerprint() != samples.fingerprint()


@PICTURED
def test_a_loader_makes_batches_of_it(fake, name):
    samples = data.load(name, fake(name), "test")
    with data.DataLoader(samples, 3, workers=0) as loader:
        x, labels = next(iter(loader))
    assert x.dtype == np.float32 and x.shape == (3, *samples.picture_shape) and len(labels) == 3


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_loaded_as_load_promises(fake, name):
    root = fake(name)
    parts = [data.load(name, root, split, sequence_length=5, fold=True) for split in ("train", "test")]
    for part in parts:
        assert isinstance(part, TokenSet) and part.task == "language" and part.picture_shape == (5,)
        assert registry.name_of(part, name) == name and repr(part)
        assert np.array_equal(part.labels, part.tokens[1:]) and len(part) == len(part.labels)
    assert parts[0].vocabulary == parts[1].vocabulary and "\n" not in parts[0].vocabulary.entries
    assert data.load(name, root).sequence_length == 100
    assert data.load(name, root, task="language").vocabulary.level == "character"
    with pytest.raises(ValueError, match="task: wanted language, as the labels of"):
        data.load(name, root, task="classify")
    for option, value in (("level", "letter"), ("sequence_length", 0)):
        with pytest.raises(ValueError, match=f"{option}: wanted "):
            data.load(name, root, **{option: value})


@pytest.mark.parametrize("name", [name for name in FAKES if name not in TEXTS])
@pytest.mark.parametrize("option", [{"sequence_length": 5}, {"level": "word"}, {"fold": True}])
def test_what_only_a_text_takes_is_refused(tmp_path, name, option):
    with pytest.raises(
        ValueError, match=rf"{next(iter(option))}: wanted a text \(text, alice\), got data set"
    ):
        data.load(name, tmp_path, **option)


@pytest.mark.parametrize("name", FAKES)
def test_an_unknown_option_is_refused(fake, name):
    with pytest.raises(TypeError, match="none_such"):
        data.load(name, fake(name), none_such=1)


@EVERY
@pytest.mark.parametrize(("options", "words"), [
    ({"split": "dev"}, 'split: wanted "train" or "test", got \'dev\''),
    ({"split": None}, 'split: wanted "train" or "test", got None'),
    ({"split_seed": -1}, "split_seed: wanted at least 0, got -1"),
    ({"split_seed": "1"}, "split_seed: wanted an int, got '1'"),
    ({"skip_damaged": 1}, "skip_damaged: wanted True or False, got 1"),
])  # fmt: skip
def test_bad_options_are_refused_by_name(tmp_path, name, options, words):
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        data.load(name, tmp_path, **options)


@EVERY
def test_what_it_does_not_take_is_refused(tmp_path, name):
    if name not in registry.PICTURES:
        with pytest.raises(ValueError, match=f"skip_damaged: wanted pictures in files .*got '{name}'"):
            data.load(name, tmp_path, skip_damaged=True)
    if name in registry.OWN:
        with pytest.raises(ValueError, match=f"download: wanted one of .*got '{name}'"):
            data.load(name, tmp_path, download=True)
        with pytest.raises(ValueError, match=f"root: wanted the place of the files of {name}, got none"):
            data.load(name)


@pytest.mark.parametrize("name", [name for name in FAKES if name not in ("shapes10", "alice")])
def test_files_that_are_not_there_are_named(tmp_path, name):
    if name in registry.PICTURES:
        pytest.importorskip("PIL")
    place = tmp_path / "none"
    with pytest.raises(FileNotFoundError, match=re.escape(str(place))):
        data.load(name, place)


@pytest.mark.parametrize("name", FAKES)
def test_it_is_told_of(name):
    assert dataset[name].__doc__
    assert f"`{name}`" in (ROOT / "data/README.md").read_text()
    assert name in data.load.__doc__ or name in registry.FETCHED
    with pytest.raises(ValueError, match=rf"wanted one of .*{name}.*\(did you mean {name}\?\)"):
        data.load(f"{name}x")


def test_the_names_of_a_kind_are_of_this_moment():
    before = tuple(registry.OWN)
    assert len(registry.OWN) == len(before) > 0 and "mine" not in registry.OWN
    assert repr(registry.OWN) == repr(before)
    data.register("mine", lambda root, split: None, own=True)
    try:
        assert tuple(registry.OWN) == (*before, "mine") and "mine" in registry.OWN
    finally:
        registry.dataset.remove("mine")
