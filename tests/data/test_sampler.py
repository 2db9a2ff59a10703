"""Samplers: pure functions of seed and epoch, and what a loader makes of them."""

import numpy as np
import pytest

from cynet import data

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


@pytest.fixture(scope="module")
def dataset():
    images = np.random.default_rng(0).integers(0, 256, (100, 1, 4, 4), np.uint8)
    return data.ArrayDataset(images, LABELS, tuple("abc"))


@pytest.mark.parametrize("make", [
    lambda seed: data.SubsetSampler(range(0, 100, 3), seed=seed),
    lambda seed: data.WeightedSampler(np.arange(100), 50, seed),
    lambda seed: data.BalancedSampler(LABELS, seed=seed),
])  # fmt: skip
def test_an_order_is_a_function_of_seed_and_epoch(make):
    np.testing.assert_array_equal(make(3).order(5), make(3).order(5))
    assert (make(3).order(5) != make(3).order(6)).any() and (make(3).order(5) != make(4).order(5)).any()


def test_a_subset_has_each_sample_once():
    chosen = [5, 7, 7, 50]
    assert sorted(data.SubsetSampler(chosen).order(2)) == chosen
    assert data.SubsetSampler(chosen, shuffle=False).order(2).tolist() == chosen


def test_weights_are_frequencies():
    order = data.WeightedSampler([0, 1, 3, 0], 40_000).order(0)
    counts = np.bincount(order, minlength=4)
    assert counts[0] == counts[3] == 0 and abs(counts[2] / counts[1] - 3) < 0.15


def test_classes_are_balanced():
    order = data.BalancedSampler(LABELS, 30_000).order(0)
    assert np.abs(np.bincount(LABELS[order]) / 10_000 - 1).max() < 0.05


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_follows_its_sampler(dataset, workers):
    sampler = data.SubsetSampler(range(10, 30), seed=1)
    with data.DataLoader(dataset, 8, workers=workers, sampler=sampler, copy=True) as loader:
        assert len(loader) == 3
        for epoch in range(2):
            x = np.concatenate([x for x, _ in loader])
            wanted = dataset.images[sampler.order(epoch)].transpose(0, 2, 3, 1)
            np.testing.assert_array_equal(np.rint(x * 255), wanted)


def test_a_function_of_the_epoch_is_a_sampler(dataset):
    loader = data.DataLoader(dataset, 4, workers=0, sampler=lambda epoch: np.arange(epoch + 3))
    assert [len(loader)] + [[len(y) for _, y in loader] for _ in range(3)] == [1, [3], [4], [4, 1]]


@pytest.mark.parametrize(("make", "error", "problem"), [
    (lambda: data.SubsetSampler([]), ValueError, "indices: wanted at least one"),
    (lambda: data.SubsetSampler([1, -1]), ValueError, r"indices\[1\]: wanted at least 0, got -1"),
    (lambda: data.SubsetSampler([0.5]), TypeError, "indices: wanted integers"),
    (lambda: data.WeightedSampler([1, np.nan]), ValueError, r"weights\[1\]"),
    (lambda: data.WeightedSampler([0, 0]), ValueError, "weights: wanted a sum above 0"),
    (lambda: data.WeightedSampler("ab"), TypeError, "weights: wanted numbers"),
    (lambda: data.WeightedSampler([1], 0), ValueError, "count"),
])  # fmt: skip
def test_bad_samplers_are_named(make, error, problem):
    with pytest.raises(error, match=problem):
        make()


def test_an_order_out_of_range_is_named_with_its_epoch(dataset):
    loader = data.DataLoader(dataset, 4, workers=0, sampler=lambda epoch: [0, 100])
    with pytest.raises(ValueError, match=r"sampler, epoch 0\[1\]: wanted 0 to 99, got 100"):
        next(iter(loader))
    with pytest.raises(TypeError, match="sampler: wanted one with order"):
        data.DataLoader(dataset, 4, sampler=[1, 2])


def test_classes_are_balanced_among_some_samples_only():
    indices = np.arange(5, 95)
    sampler = data.BalancedSampler(LABELS, 30_000, indices=indices)
    order = sampler.order(3)
    assert set(order.tolist()) == set(indices.tolist())
    assert np.abs(np.bincount(LABELS[order]) / 10_000 - 1).max() < 0.05
    assert len(data.BalancedSampler(LABELS, indices=indices).order(0)) == 90
    with pytest.raises(ValueError, match=r"indices\[0\]: wanted 0 to 99, got 100"):
        data.BalancedSampler(LABELS, indices=[100])


def test_the_first_wrong_index_is_named():
    with pytest.raises(ValueError, match=r"indices\[1\]: wanted at least 0, got -3"):
        data.SubsetSampler([1, -3, -4])
    with pytest.raises(ValueError, match=r"weights\[1\]: wanted a number from 0, got -1"):
        data.WeightedSampler([1, -1, -2])


def test_sums_of_weights_neither_wrap_nor_round():
    big = data.WeightedSampler(np.full(4, 200, np.uint8), 4000).order(0)
    assert (np.bincount(big, minlength=4) > 800).all()
    small = data.WeightedSampler(np.full(3_000_000, 0.1, np.float32), 1)
    assert small._sums[-2] == pytest.approx(1 - 1 / 3_000_000, abs=1e-12)


def test_a_subset_of_any_memory_layout():
    every = np.arange(20, dtype=">i4")[::2]
    sampler = data.SubsetSampler(every, shuffle=False)
    assert sampler.order(0).tolist() == list(range(0, 20, 2)) and sampler.order(0).dtype == np.int64
    assert sampler.order(0).flags.c_contiguous
