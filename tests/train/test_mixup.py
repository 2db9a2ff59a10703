"""Batches of pictures between two, and of a part of another one: by hand, of known places and shares."""

import numpy as np
import pytest

from cynet.core.random import MIXUP
from cynet.train.mixup import Cutmix, Mixup

RNG = np.random.default_rng(0)


def test_mixed_pictures_are_between_two_by_the_share_that_is_told():
    x, y = RNG.standard_normal((9, 5, 4, 3), dtype=np.float32), np.arange(9)
    before = x.copy()
    for step in range(20):
        mixed, others, share = Mixup(0.4, 5)(x, y, step)
        assert sorted(others) == y.tolist() and 0 <= share <= 1 and isinstance(share, float)
        np.testing.assert_allclose(mixed, share * x + (1 - share) * x[others], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(x, before)
    assert mixed.dtype == np.float32 and not np.shares_memory(mixed, x)


@pytest.mark.parametrize("size", [(9, 8), (5, 12), (12, 3), (32, 32)])
def test_the_share_is_that_of_the_pixels_that_stay_also_at_the_edges(size):
    """Beyond an edge nothing is cut: the share is more than what was drawn there."""
    x = np.arange(2, dtype=np.float32)[:, None, None, None] * np.ones((2, *size, 1), np.float32)
    cut = corners = 0
    for step in range(100):
        mixed, others, share = Cutmix(1.0, 2)(x, np.arange(2), step)
        if others[0] == 1:
            taken = mixed[0, :, :, 0] == 1
            assert 1 - share == pytest.approx(taken.mean(), abs=1e-9)
            assert taken.sum() == taken.any(axis=0).sum() * taken.any(axis=1).sum()  # one rectangle
            cut += taken.any()
            corners += taken[0, 0] or taken[-1, -1]
    assert cut > 20 and corners > 3


def test_what_is_cut_is_as_large_as_was_drawn_where_no_edge_is_near():
    """The share of the area, so that the sides have its root."""
    size, near = 64, 0
    x = np.arange(2, dtype=np.float32)[:, None, None, None] * np.ones((2, size, size, 1), np.float32)
    for step in range(150):
        rng = np.random.Generator(np.random.Philox(key=[2 | MIXUP, step]))
        kept, _ = rng.beta(1.0, 1.0), rng.permutation(2)
        centre, half = rng.integers(size), (1 - kept) ** 0.5 * size / 2
        across = rng.integers(size)
        if min(centre, across) > half + 1 and max(centre, across) < size - half - 1:
            assert Cutmix(1.0, 2)(x, np.arange(2), step)[2] == pytest.approx(kept, abs=0.06)
            near += 1
    assert near > 10


@pytest.mark.parametrize("kind", [Mixup, Cutmix])
def test_order_and_share_are_those_of_seed_and_step(kind):
    x, y = RNG.standard_normal((16, 8, 8, 3), dtype=np.float32), np.arange(16)

    def drawn(*given):
        return kind(1.0, given[0])(x, y, given[1])

    first = drawn(3, 7)
    for one, other in zip(first, drawn(3, 7), strict=True):
        np.testing.assert_array_equal(one, other)
    for other in (drawn(3, 8), drawn(4, 7)):
        assert first[2] != other[2] and (first[1] != other[1]).any()
    np.testing.assert_array_equal(drawn(3, 7)[1], Mixup(1.0, 3)(x, y, 7)[1])  # they share their draws


def test_the_order_is_drawn_after_the_share():
    """Weights after training depend on these draws."""
    rng = np.random.Generator(np.random.Philox(key=[4 | MIXUP, 2]))
    share, order = rng.beta(0.3, 0.3), rng.permutation(6)
    found = Mixup(0.3, 4)(np.zeros((6, 1), np.float32), np.arange(6), 2)
    assert found[2] == share and found[1].tolist() == order.tolist()
