"""The loader's contract: the same batches whoever makes them, views and copies, states."""

import hashlib

import numpy as np
import pytest

from cynet.data import (
    ArrayDataset,
    BalancedSampler,
    Brightness,
    Contrast,
    Cutout,
    DataLoader,
    Normalize,
    RandomCrop,
    RandomFlip,
    SubsetSampler,
    WeightedSampler,
)


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (103, 3, 8, 6), np.uint8)
    return ArrayDataset(images, rng.integers(0, 5, 103), tuple("abcde"))


def loader_of(dataset, workers=0, **more):
    arguments = {
        "seed": 3,
        "transforms": [RandomCrop(2), RandomFlip(), Normalize(dataset.mean, dataset.std)],
        **more,
    }
    return DataLoader(dataset, 10, workers=workers, **arguments)


def digests(loader):
    return [hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() for x, y in loader]


def test_batches_are_the_same_for_any_number_of_workers(dataset):
    with loader_of(dataset, 0) as here:
        wanted = [digests(here), digests(here)]
    assert wanted[0] != wanted[1], "two epochs must differ"
    for workers in (1, 2, 3):
        with loader_of(dataset, workers) as loader:
            assert [digests(loader), digests(loader)] == wanted


def changed(picture, rng):
    """A transform in Python."""
    return picture ^ rng.integers(0, 4, picture.shape, np.uint8)


@pytest.mark.parametrize("wanted, more", [
    ("5d35a32645c9252f", {}),
    ("a929500a5530fc70", {"transforms": [RandomCrop(2), RandomFlip(), Normalize([0.1, 0.2, 0], [3, 2, 7])]}),
    ("ac5a04aa8c26acb7", {"transforms": [RandomCrop(3, "reflect"), RandomFlip("alternating"), Cutout(3)]}),
    ("5b0902412b22ced9", {"transforms": [Brightness(0.3), Contrast(0.4)]}),
    ("10e584728fd30798", {"transforms": [changed]}),
    ("5b70989173dfa9c9", {"sampler": SubsetSampler(np.arange(5, 40), seed=1)}),
    ("588bd041c6c6b3f9", {"sampler": WeightedSampler(np.arange(103), seed=2)}),
    ("cbceb8d19870505c", {"sampler": BalancedSampler(np.arange(103) % 7, 50, seed=3)}),
])  # fmt: skip
def test_bytes_are_the_same_everywhere_and_for_ever(wanted, more):
    images = (np.arange(103 * 3 * 8 * 6) * 2654435761 >> 13).astype(np.uint8).reshape(103, 3, 8, 6)
    dataset = ArrayDataset(images, np.arange(103) % 5, tuple("abcde"))
    loader = DataLoader(dataset, 10, seed=2**40 + 7, workers=0, **more)
    whole = hashlib.sha256("".join(digests(loader) + digests(loader)).encode())
    assert whole.hexdigest()[:16] == wanted


@pytest.mark.parametrize("workers", [0, 1])
def test_a_state_of_a_late_epoch_is_continued_without_what_was_before(dataset, workers):
    state = loader_of(dataset).state_dict() | {"epoch": 10**12, "batch": 7}
    with loader_of(dataset, workers) as loader:
        made = []
        fill = loader._pipeline.fill
        loader._pipeline.fill = lambda *arguments: made.append(fill(*arguments))
        loader.load_state_dict(state)
        assert not made
        if workers:
            del loader._pipeline.fill  # cannot be sent
        _, y = next(iter(loader))
        indices = loader.order(10**12)[70:80]
        np.testing.assert_array_equal(y, dataset.labels[indices])
        assert len(made) == 1 - workers and loader.state_dict() == state | {"batch": 8}


def test_an_epoch_holds_every_sample_once(dataset):
    with loader_of(dataset, 2, transforms=[]) as loader:
        batches = [(x.copy(), y) for x, y in loader]
    assert len(batches) == len(loader) == 11 and batches[-1][0].shape == (3, 8, 6, 3)
    x = np.concatenate([x for x, _ in batches])
    wanted = (dataset.images / 255).astype(np.float32).transpose(0, 2, 3, 1)[loader.order(0)]
    np.testing.assert_array_equal(x, wanted)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), dataset.labels[loader.order(0)])


def test_drop_last_and_no_shuffle(dataset):
    loader = loader_of(dataset, 0, drop_last=True, shuffle=False)
    sizes = [len(y) for _, y in loader]
    assert sizes == [10] * 10 and len(loader) == 10
    np.testing.assert_array_equal(next(iter(loader))[1], dataset.labels[:10])


def test_normalize_is_computed_in_double(dataset):
    x, _ = next(
        iter(DataLoader(dataset, 103, False, workers=0, transforms=[Normalize([0.1, 0.2, 0.3], [3, 2, 1])]))
    )
    wanted = (dataset.images.transpose(0, 2, 3, 1) / 255 - [0.1, 0.2, 0.3]) / [3, 2, 1]
    np.testing.assert_array_equal(x, wanted.astype(np.float32))


@pytest.mark.parametrize("workers", [0, 2])
def test_copies_are_private(dataset, workers):
    with loader_of(dataset, workers, copy=True) as loader:
        kept = list(loader)
        with loader_of(dataset, 0) as other:
            wanted = digests(other)
    assert [hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() for x, y in kept] == wanted


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_that_was_left_can_be_followed_by_another(dataset, workers):
    with loader_of(dataset, 0) as other:
        wanted = digests(other)
    with loader_of(dataset, workers) as loader:
        first = []
        for x, y in loader:
            first.append(hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest())
            if len(first) == 4:
                break
        assert (loader.epoch, loader.state_dict()["batch"]) == (0, 4)
        assert first + digests(loader) == wanted


@pytest.mark.parametrize("batch", [0, 1, 7, 11])
def test_a_state_continues_with_another_number_of_workers(dataset, batch):
    with loader_of(dataset, 0) as other:
        wanted = digests(other) + digests(other)
    with loader_of(dataset, 1) as loader:
        done = []
        for x, y in loader:
            if len(done) == batch:
                break
            done.append(hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest())
        state = loader.state_dict() | {"batch": batch}
    with loader_of(dataset, 2, seed=99) as loader:
        loader.load_state_dict(state | {"epoch": 0})
        rest = (digests(loader) if batch < 11 else []) + digests(loader)
    assert done + rest == wanted


def test_a_state_of_another_data_set_is_refused(dataset):
    other = ArrayDataset(dataset.images[:50], dataset.labels[:50], dataset.classes)
    state = loader_of(dataset).state_dict()
    with pytest.raises(ValueError, match="state: wanted the data set with fingerprint"):
        loader_of(other).load_state_dict(state)
    with pytest.raises(ValueError, match=r"got no \['batch'\]"):
        loader_of(dataset).load_state_dict({k: v for k, v in state.items() if k != "batch"})


@pytest.mark.parametrize("arguments, problem", [
    ({"batch_size": 0}, "batch_size: wanted at least 1, got 0"),
    ({"workers": -1}, "workers: wanted at least 0"),
    ({"workers": 1, "prefetch": 1}, "prefetch: wanted at least 2, got 1"),
    ({"seed": 1.5}, "seed: wanted an int, got 1.5"),
    ({"timeout": 0}, "timeout: wanted a number"),
    ({"shuffle": 1}, "shuffle: wanted True or False"),
    ({"batch_size": 104, "drop_last": True}, "drop_last: wanted at least one whole batch"),
    ({"transforms": [len]}, r"transforms\[0\]: wanted a RandomCrop"),
    ({"transforms": [RandomFlip(), RandomFlip()]}, r"transforms\[1\]: wanted one RandomFlip"),
    ({"transforms": [Normalize([0], [1])]}, "Normalize: wanted 3 means"),
])  # fmt: skip
def test_bad_arguments_are_named(dataset, arguments, problem):
    with pytest.raises((TypeError, ValueError), match=problem):
        DataLoader(dataset, **{"batch_size": 10, "workers": 0, **arguments})


@pytest.mark.parametrize("make", [
    lambda: RandomCrop(-1), lambda: RandomCrop(1.5), lambda: Normalize([0, 0], [1]),
    lambda: Normalize([0], [0]), lambda: Normalize([float("nan")], [1]),
])  # fmt: skip
def test_bad_transforms_are_refused(make):
    with pytest.raises((TypeError, ValueError), match=r"wanted .*got"):
        make()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_pass_ends_when_another_one_starts(dataset, workers):
    with loader_of(dataset, workers) as loader:
        old = iter(loader)
        next(old)
        new = iter(loader)
        first = next(new)[0].tobytes()
        with pytest.raises(RuntimeError, match="ended when another one was started"):
            next(old)
    with loader_of(dataset, 0) as other:
        batches = [x.tobytes() for x, _ in other]
    assert first == batches[1], "the new pass goes on where the old one was"


@pytest.mark.parametrize("images", [None, np.zeros((4, 3, 2, 2)), np.zeros((4, 3, 2), np.uint8)])
def test_other_images_are_refused(images):
    class Other:
        labels = np.zeros(4, int)

    Other.images = images
    with pytest.raises(TypeError, match="dataset: wanted images uint8"):
        DataLoader(Other(), 2)


def test_a_data_set_of_another_length_than_its_images_is_refused(dataset):
    class Longer(ArrayDataset):
        def __len__(self):
            return 10_000

    with pytest.raises(ValueError, match="dataset: wanted as many C-contiguous images as labels and samples"):
        DataLoader(Longer(dataset.images, dataset.labels, dataset.classes), 10)


@pytest.mark.parametrize("padding", [7, 100, 4096])
def test_a_crop_may_lie_wholly_outside_the_picture(dataset, padding):
    loader = DataLoader(dataset, 103, workers=0, transforms=[RandomCrop(padding)])
    x, _ = next(iter(loader))
    assert np.isfinite(x).all() and (x == 0).mean() > 0.5
