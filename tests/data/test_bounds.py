"""Every number that data sets, samplers and loaders take, at its bounds and one beyond."""

import numpy as np
import pytest

from cynet import data

LARGE = 2**63 - 1


@pytest.fixture(scope="module")
def dataset():
    return data.ArrayDataset(np.zeros((8, 1, 4, 4), np.uint8), np.arange(8) % 2, ("a", "b"))


def loader(**options):
    return lambda dataset, value, name: data.DataLoader(dataset, **{"batch_size": 2, **options, name: value})


# what makes it, the argument, the values that are taken, those that are not
CASES = [
    (loader(), "batch_size", (1, 8, 9, 2**31 - 1), (0, -1, 2**31, 1.0, True, None)),
    (loader(), "seed", (0, LARGE), (-1, LARGE + 1, 0.5, None)),
    (loader(workers=0), "prefetch", (1, 2, 1024), (0, 1025, 1.5)),
    (loader(workers=1), "prefetch", (2, 1024), (1, 0, 1025)),
    (loader(), "timeout", (1e-9, 1e9), (0, -1, np.inf, np.nan, "1")),
    (loader(), "workers", (0, 1, 1024, "auto"), (-1, 1025, "some", 1.0, None)),
    (loader(), "shuffle", (True, False), (0, 1, None)),
    (loader(), "drop_last", (True, False), (0, 1, None)),
    (loader(), "copy", (True, False), (0, 1, None)),
    (lambda _, v, n: data.SubsetSampler([0, 1], **{n: v}), "seed", (0, LARGE), (-1, LARGE + 1, 1.0)),
    (lambda _, v, n: data.SubsetSampler([0, 1], **{n: v}), "shuffle", (True, False), (1, None)),
    (lambda _, v, n: data.SubsetSampler(v), "indices", ([0], [LARGE - 1]), ([], [-1], [0.5], [[0]], None)),
    (lambda _, v, n: data.WeightedSampler([1, 1], **{n: v}), "count", (1, 5), (0, -1, 1.0)),
    (lambda _, v, n: data.WeightedSampler([1, 1], **{n: v}), "seed", (0, LARGE), (-1, LARGE + 1)),
    (lambda _, v, n: data.WeightedSampler(v), "weights", ([1], [0, 1e-300], [1e300]),
     ([], [0], [-1, 2], [np.nan], [np.inf], [1e308, 1e308], ["a"], [[1]])),
    (lambda _, v, n: data.BalancedSampler([0, 1], **{n: v}), "count", (1, 9), (0, 1.5)),
    (lambda _, v, n: data.BalancedSampler([0, 1], indices=v), "indices", ([0], [1, 1]), ([], [2], [-1])),
    (lambda _, v, n: data.BalancedSampler(v), "labels", ([0], [5, 0]), ([], [-1], [0.5])),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("make", "name", "good", "bad"), CASES)
def test_numbers_at_their_bounds_and_beyond(dataset, make, name, good, bad):
    for value in good:
        assert make(dataset, value, name) is not None
    for value in bad:
        with pytest.raises((TypeError, ValueError), match=rf"{name}(\[\d\])?: wanted"):
            make(dataset, value, name)


def test_a_last_batch_that_is_not_whole(dataset):
    for size, whole, rest in ((1, 8, 0), (3, 2, 2), (7, 1, 1), (8, 1, 0), (9, 0, 8)):
        for drop in (False, True):
            if drop and not whole:
                with pytest.raises(ValueError, match="drop_last: wanted at least one whole batch"):
                    data.DataLoader(dataset, size, drop_last=True)
                continue
            made = data.DataLoader(dataset, size, drop_last=drop, copy=True)
            sizes = [len(labels) for _, labels in made]
            assert sizes == [size] * whole + [rest] * (rest > 0 and not drop)
            assert len(made) == len(sizes) and (made.epoch, made.state_dict()["batch"]) == (1, 0)


def test_the_state_of_every_batch(dataset):
    wanted = [x for x, _ in data.DataLoader(dataset, 3, copy=True, seed=5)]
    for batch in range(4):
        made = data.DataLoader(dataset, 3, copy=True, seed=5)
        state = made.state_dict() | {"batch": batch}
        made.load_state_dict(state)
        place = (0, batch) if batch < 3 else (1, 0)
        assert (made.epoch, made.state_dict()["batch"]) == place
        found = [x for x, _ in made]
        if batch < 3:
            assert [x.tobytes() for x in found] == [x.tobytes() for x in wanted[batch:]]
    for name, values in (("batch", (-1, 4, 1.0)), ("epoch", (-1, 2**63)), ("seed", (-1, 2**63))):
        for value in values:
            with pytest.raises((TypeError, ValueError), match=f"{name}: wanted"):
                made.load_state_dict(state | {name: value})
    for name in state:
        with pytest.raises(ValueError, match=f"got no .*{name}"):
            made.load_state_dict({n: v for n, v in state.items() if n != name})


@pytest.mark.parametrize(("share", "good"), [
    (0, 1), (1e-9, 1), (0.5, 1), (0.999, 1), (1, 0), (-1e-9, 0), (np.nan, 0), ("0.5", 0), (True, 0),
])  # fmt: skip
def test_shares_that_are_held_out(share, good):
    labels = np.repeat([0, 1, 2], [1, 2, 10])
    dataset = data.ArrayDataset(np.zeros((13, 1, 4, 4), np.uint8), labels, tuple("abc"))
    if not good:
        with pytest.raises((TypeError, ValueError), match="share: wanted"):
            data.split(dataset, share)
        return
    for seed in (0, 1, LARGE):
        kept, out = data.split(dataset, share, seed)
        assert sorted([*kept, *out]) == list(range(13)) and (np.diff(kept) > 0).all()
        counts = np.bincount(labels[out], minlength=3)
        wanted = [0, 0, 0] if not share else [0, 1, min(9, max(1, int(10 * share + 0.5)))]
        assert counts.tolist() == wanted  # one of each class at least, and not the last one
    two = data.ArrayDataset(np.zeros((3, 1, 4, 4), np.uint8), np.array([0, 1, 1]), ("a", "b"))
    assert len(data.split(two, max(share, 0.1))[1]) == 1
    one = data.ArrayDataset(np.zeros((2, 1, 4, 4), np.uint8), np.array([0, 1]), ("a", "b"))
    with pytest.raises(ValueError, match="share: wanted a class with two pictures or more"):
        data.split(one, max(share, 0.1))
    for seed in (-1, LARGE + 1):
        with pytest.raises(ValueError, match="seed: wanted"):
            data.split(dataset, share, seed)
