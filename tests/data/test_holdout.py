"""Pictures that are held out: drawn per class by a seed, from one data set that is held once."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from cynet import data
from cynet.data.workers.pixels import share as shared


def dataset(*counts, seed=0):
    """So many pictures of each class, in a drawn order."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(seed).permutation(labels)
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 4, 4)).astype(np.uint8)
    return data.ArrayDataset(images, labels, [f"class {k}" for k in range(len(counts))])


@pytest.mark.parametrize(("counts", "part", "wanted"), [
    ((100, 50, 10), 0.2, (20, 10, 2)),
    ((100, 50, 10), 0.25, (25, 13, 3)),  # halves go up
    ((100, 4, 2), 0.1, (10, 1, 1)),  # one of a class with two or more
    ((100, 4, 2), 0.9, (90, 3, 1)),  # and one stays
    ((100, 1, 0), 0.5, (50, 0, 0)),  # a single picture stays
    ((100, 1, 0), 0.0, (0, 0, 0)),
    ((100, 1, 0), 1e-12, (1, 0, 0)),
])  # fmt: skip
def test_a_share_of_every_class_is_held_out(counts, part, wanted):
    one = dataset(*counts)
    kept, held_out = data.split(one, part)
    assert tuple(np.bincount(one.labels[held_out], minlength=3)) == wanted
    assert sorted([*kept, *held_out]) == list(range(len(one)))
    assert (np.diff(kept) > 0).all() and (np.diff(held_out) > 0).all()
    assert kept.dtype == held_out.dtype == np.int64


def test_the_parts_are_a_function_of_labels_share_and_seed_alone():
    one, other = dataset(60, 30, 10), dataset(60, 30, 10)
    other.images[:] = 0
    drawn = [tuple(data.split(each, 0.3, seed)[1]) for each in (one, other) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] == drawn[3] and drawn[2] == drawn[5] != drawn[0]


def test_the_parts_are_the_same_on_every_platform_and_with_every_numpy():
    labels = SimpleNamespace(labels=np.arange(1000) % 7)
    held_out = data.split(labels, 0.15, seed=2**63 - 1)[1].astype("<i8")
    digest = hashlib.sha256(held_out.tobytes()).hexdigest()[:16]
    assert (len(held_out), digest) == (147, "7822c2b02f5137c4")


def test_every_picture_is_held_out_by_some_seed():
    one = dataset(12, 9)
    found = {index for seed in range(40) for index in data.split(one, 0.2, seed)[1].tolist()}
    assert found == set(range(21))


def test_the_two_parts_are_loaded_from_one_store_of_pixels():
    one = dataset(30, 20)
    kept, held_out = data.split(one, 0.2)
    loaders = [
        data.DataLoader(one, 8, workers=1, sampler=data.SubsetSampler(kept)),
        data.DataLoader(one, 8, workers=0, sampler=data.SubsetSampler(held_out, shuffle=False)),
    ]
    with loaders[0]:
        found = [np.concatenate([x.copy() for x, _ in loader]) for loader in loaders]
        memory = shared(one).memory
        assert memory.size == one.images.nbytes and memory is shared(one).memory
    wanted = one.images[held_out].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(np.rint(found[1] * 255), wanted)
    assert len(found[0]) == 40


@pytest.mark.parametrize("whole", [False, True])
def test_mean_and_deviation_without_some_pictures_are_those_of_the_others(whole):
    one = dataset(30, 20)
    held_out = np.array([], np.int64) if whole else data.split(one, 0.4)[1]
    others = np.delete(one.images, held_out, axis=0)
    alone = data.ArrayDataset(others, np.zeros(len(others), int), ["x"])
    mean, std = one.moments_without(held_out)
    assert mean.tolist() == alone.mean.tolist() and std.tolist() == alone.std.tolist()


@pytest.mark.parametrize(("arguments", "error", "problem"), [
    ((dataset(5, 5), 1.0), ValueError, r"share: wanted a number in \[0, 1\), got 1.0"),
    ((dataset(5, 5), -0.1), ValueError, "share: wanted a number"),
    ((dataset(5, 5), "0.1"), TypeError, "share: wanted a number, got '0.1'"),
    ((dataset(5, 5), 0.1, -1), ValueError, "seed: wanted at least 0, got -1"),
    ((dataset(1, 1, 1), 0.5), ValueError, "share: wanted a class with two pictures or more, to hold one out"),
    ((None, 0.1), TypeError, "dataset.labels: wanted integers"),
    ((SimpleNamespace(labels=[0, -1]), 0.1), ValueError, r"dataset.labels\[1\]: wanted at least 0, got -1"),
])  # fmt: skip
def test_what_cannot_be_parted_is_named(arguments, error, problem):
    with pytest.raises(error, match=problem):
        data.split(*arguments)
