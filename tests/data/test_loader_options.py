"""What a loader offers beside batches: functions of the user, auto, debug, the state, the shared store."""

import contextlib
import functools
import json

import numpy as np
import pytest

from cynet import data
from cynet.data.workers import auto, pixels
from cynet.data.workers.shared import SharedMemory

RNG = np.random.default_rng(0)


def dataset_of(count=40, **changed):
    images = np.random.default_rng(1).integers(0, 256, (count, 3, 8, 8), np.uint8)
    parts = {"images": images, "labels": np.arange(count) % 4, "classes": tuple("abcd")} | changed
    return data.ArrayDataset(**parts)


@pytest.fixture
def dataset():
    return dataset_of()


# -- functions of the user ---------------------------------------------------------------------------------
def darker(picture, rng):
    """At the top of a module, so that workers can be given it."""
    picture[:2] = 0
    return picture // 2 + rng.integers(0, 9, dtype=np.uint8)


def noted(path, picture, rng):
    """A byte more in a file for each picture."""
    with open(path, "ab") as file:
        file.write(b".")
    return picture


class Shift:
    """A transform with a state."""

    def __init__(self, by):
        self.by = by

    def __call__(self, picture, rng):
        return np.roll(picture, self.by, axis=1)


TRANSFORMS = (darker, data.RandomCrop(2, "reflect"), Shift(3), data.RandomFlip(), data.Cutout(3))


def all_of(dataset, workers, transforms=TRANSFORMS, **options):
    with data.DataLoader(dataset, 12, workers=workers, transforms=transforms, copy=True, **options) as loader:
        return [np.concatenate([x for x, _ in loader]) for _ in range(2)]


def test_functions_give_the_same_batches_with_workers(dataset):
    wanted = all_of(dataset, 0)
    for workers in (1, 3):
        np.testing.assert_array_equal(all_of(dataset, workers), wanted)
    assert (wanted[0] != wanted[1]).any()


def test_functions_come_first_in_their_order(dataset):
    found = all_of(dataset, 0, (data.Normalize([0.5] * 3, [0.5] * 3), darker, Shift(3)), shuffle=False)[1]
    for index in (0, 17):
        rng = np.random.Generator(np.random.Philox(key=[0, 1], counter=[0, 0, 0, index + 1]))
        picture = Shift(3)(darker(dataset[index][0].copy(), rng), rng)
        np.testing.assert_allclose(found[index], picture / 255 * 2 - 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 8), (1, 1, 8), (2, 8, 1), (5, 1, 1), (1, 1, 1)])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_function_that_changes_its_picture_changes_a_copy(shape, workers):
    """Of any number of channels, rows and columns: also where planes and pixels lie in one order."""
    images = np.random.default_rng(1).integers(1, 256, (16, *shape), np.uint8)
    one = dataset_of(16, images=images.copy())
    first, second = all_of(one, workers, (darker,), shuffle=False)
    np.testing.assert_array_equal(one.images, images)
    assert first.shape == second.shape == (16, *shape[1:], shape[0])


@pytest.mark.parametrize("result", [None, np.zeros((8, 8, 3)), np.zeros((3, 8, 8), np.uint8)])
def test_what_a_function_returns_is_checked(dataset, result):
    loader = data.DataLoader(dataset, 4, workers=0, transforms=[lambda picture, rng: result])
    with pytest.raises(TypeError, match=r"transforms\[0\]: wanted it to return uint8 \(8, 8, 3\)") as caught:
        next(iter(loader))
    assert "the sample with index" in caught.value.__notes__[0]


def test_functions_that_cannot_be_sent_are_refused(dataset):
    with pytest.raises(TypeError, match=r"transforms\[0\]: wanted a function that can be pickled"):
        data.DataLoader(dataset, 4, workers=1, transforms=[lambda picture, rng: picture])
    for wrong in (data.RandomFlip, 5, lambda picture: picture):
        with pytest.raises(TypeError, match=r"transforms\[1\]: wanted a RandomCrop"):
            data.DataLoader(dataset, 4, workers=0, transforms=[darker, wrong])


# -- auto --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rates", "best"), [
    ([100, 105, 108], 0), ([100, 150, 160], 1), ([100, 60, 120, 180, 185], 3), ([100, 90], 0),
])  # fmt: skip
def test_the_fewest_workers_that_come_near_the_fastest(monkeypatch, rates, best):
    monkeypatch.setattr(auto, "processors", lambda: len(rates) - 1)
    found = iter(rates)
    monkeypatch.setattr(auto, "_batches_a_second", lambda batches: next(found))
    number, text = auto.choose(lambda workers: contextlib.nullcontext(None), 1)
    assert number == best and text.startswith(f"workers={best} chosen") and f"0: {rates[0]}" in text


def test_auto_measures_once_and_says_so(dataset, capsys, monkeypatch):
    monkeypatch.setattr(auto, "SECONDS", 0.01)
    with data.DataLoader(dataset, 12, workers="auto", transforms=TRANSFORMS, copy=True) as loader:
        found = [np.concatenate([x for x, _ in loader]) for _ in range(2)]
        assert isinstance(loader.workers, int)
        assert capsys.readouterr().err == f"cynet: DataLoader: {loader.chosen}\n"
    np.testing.assert_array_equal(found, all_of(dataset, 0))
    with pytest.raises(ValueError, match="workers"):
        data.DataLoader(dataset, 12, workers="many")


# -- debug -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("workers", [0, 1])
def test_use_after_the_next_batch_is_caught_in_debug_mode(dataset, workers, monkeypatch):
    monkeypatch.setenv("CYNET_DEBUG", "1")
    with data.DataLoader(dataset, 12, workers=workers) as loader:
        kept = []
        for x, _ in loader:
            assert np.isfinite(x).all() and all(np.isnan(before).all() for before in kept)
            kept.append(x)
        assert all(np.isnan(x).all() for x in kept) and len(kept) == 4
    with data.DataLoader(dataset, 12, workers=workers, copy=True) as loader:
        assert all(np.isfinite(x).all() for x in [x for x, _ in loader])
    with data.DataLoader(dataset, 12, workers=workers, debug=False) as loader:
        assert all(np.isfinite(x).all() for x in [x for x, _ in loader])


# -- the state ---------------------------------------------------------------------------------------------
def test_a_state_is_small_and_goes_through_json(dataset):
    loader = data.DataLoader(dataset, 12, seed=3, workers=0)
    next(iter(loader))
    text = json.dumps(loader.state_dict())
    assert len(text) < 160 and json.loads(text) == loader.state_dict()


@pytest.mark.parametrize(("changed", "words"), [
    ({"count": 41}, r"changed: count \(40 then, 41 now\)"),
    ({"images": RNG.integers(0, 256, (40, 3, 8, 9), np.uint8)}, r"shape .*\(3x8x8 then, 3x8x9 now\), pixels"),
    ({"images": RNG.integers(0, 256, (40, 3, 8, 8), np.uint8)}, "changed: pixels$"),
    ({"labels": np.arange(40) % 3}, "changed: labels$"),
    ({"classes": tuple("abce")}, "changed: classes$"),
])  # fmt: skip
def test_a_changed_data_set_is_refused_saying_what_changed(dataset, changed, words):
    state = data.DataLoader(dataset, 12, workers=0).state_dict()
    with pytest.raises(ValueError, match=words):
        data.DataLoader(dataset_of(**changed), 12, workers=0).load_state_dict(state)


def test_a_state_of_another_batch_size_is_refused(dataset):
    state = data.DataLoader(dataset, 12, workers=0).state_dict()
    with pytest.raises(ValueError, match="state: wanted batch_size=12, got 10"):
        data.DataLoader(dataset, 10, workers=0).load_state_dict(state)


# -- the store ---------------------------------------------------------------------------------------------
def test_pictures_are_held_once(dataset):
    with data.DataLoader(dataset, 12, workers=1) as first, data.DataLoader(dataset, 9, workers=1) as second:
        before = dataset.images.copy()
        next(iter(first))
        shared = dataset.images
        next(iter(second))
        assert dataset.images is shared
        assert any(isinstance(base, SharedMemory) for base in pixels._bases(shared))
        np.testing.assert_array_equal(shared, before)
    np.testing.assert_array_equal(dataset.images, before)


def test_a_mapped_file_is_mapped_by_workers_too(tmp_path):
    np.save(tmp_path / "x.npy", dataset_of().images)
    mapped = dataset_of(images=np.load(tmp_path / "x.npy", mmap_mode="r"))
    np.testing.assert_array_equal(all_of(mapped, 2), all_of(dataset_of(), 0))
    assert isinstance(mapped.images, np.memmap)


def test_a_mapped_file_that_was_replaced_is_not_read(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, dataset_of().images)
    mapped = dataset_of(images=np.load(path, mmap_mode="r"))
    path.unlink()
    np.save(path, np.zeros((40, 3, 8, 8), np.uint8))
    np.testing.assert_array_equal(all_of(mapped, 1), all_of(dataset_of(), 0))


# -- the order of an epoch -----------------------------------------------------------------------------------
def test_an_order_is_of_the_seed_and_the_setting_that_hold_when_it_is_asked_for(dataset):
    def fresh(**options):
        return data.DataLoader(dataset, 12, **options).order(3).tolist()

    loader, other = data.DataLoader(dataset, 12, seed=1), data.DataLoader(dataset, 12, seed=2)
    assert loader.order(3).tolist() == fresh(seed=1) != fresh(seed=2)
    loader.load_state_dict(other.state_dict() | {"epoch": 3})
    assert loader.seed == 2 and loader.order(3).tolist() == fresh(seed=2)
    loader.seed = 1
    assert loader.order(3).tolist() == fresh(seed=1)
    loader.shuffle = False
    assert loader.order(3).tolist() == list(range(len(dataset)))


def test_an_order_that_was_handed_out_may_be_written_to(dataset):
    loader = data.DataLoader(dataset, 8, workers=0, seed=1)
    first = loader.order(0)
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(loader.order(0), kept)


def test_a_sampler_may_have_more_samples_than_the_data_set(dataset):
    repeated = np.arange(100) % 40
    for workers in (0, 1):
        options = {"workers": workers, "sampler": lambda _: repeated, "drop_last": True}
        with data.DataLoader(dataset, 100, **options) as loader:
            ((x, y),) = list(loader)
            assert x.shape == (100, 8, 8, 3) and y.tolist() == dataset.labels[repeated].tolist()


def test_an_epoch_too_short_for_a_batch_is_told_with_both_numbers(dataset):
    loader = data.DataLoader(dataset, 8, workers=0, sampler=lambda _: np.arange(5), drop_last=True)
    with pytest.raises(ValueError, match="one batch of batch_size=8, got an epoch of 5"):
        next(iter(loader))


@pytest.mark.parametrize(("value", "poisoned"), [("1", True), ("0", False), ("", False), (None, False)])
def test_what_the_environment_says_of_debugging(dataset, monkeypatch, value, poisoned):
    monkeypatch.delenv("CYNET_DEBUG", raising=False)
    if value is not None:
        monkeypatch.setenv("CYNET_DEBUG", value)
    assert data.DataLoader(dataset, 8, workers=0).debug is poisoned


def test_what_is_no_data_set_is_told_with_its_numbers(dataset):
    class Other:
        images, labels = dataset.images, dataset.labels[:39]

        def __len__(self):
            return 38

    with pytest.raises(ValueError, match="got 40 images, 39 labels and a length of 38"):
        data.DataLoader(Other(), 8)
    Other.images = dataset.images.view(np.int8)
    with pytest.raises(TypeError, match=r"got Other with images int8 \(40, 3, 8, 8\)"):
        data.DataLoader(Other(), 8)
    Other.images, Other.labels = dataset.images[:38, :, ::2], dataset.labels[:38]
    with pytest.raises(ValueError, match="C-contiguous images"):
        data.DataLoader(Other(), 8)


def failing(picture, rng):
    raise KeyError("no")


def test_the_sample_that_a_function_failed_at_is_named_escaped_and_with_its_epoch(dataset):
    dataset.path_of = lambda index: f"a\n{index}.png"
    loader = data.DataLoader(dataset, 8, shuffle=False, workers=0, transforms=[failing])
    loader.epoch = 3
    with pytest.raises(KeyError) as caught:
        next(iter(loader))
    assert caught.value.__notes__ == [r"at the sample with index 0 (a\n0.png) of epoch 3"]


def failing_at_nine(picture, rng):
    if (picture == 9).all():
        raise ValueError("nine")
    return picture


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_failure_names_the_samples_index_wherever_it_stands_in_its_batch(workers, shuffle):
    images = np.broadcast_to(np.arange(40, dtype=np.uint8)[:, None, None, None], (40, 3, 8, 8)).copy()
    one = dataset_of(images=images)
    one.path_of = lambda index: f"{index}.png"
    with data.DataLoader(one, 6, shuffle, workers=workers, transforms=[failing_at_nine]) as loader:
        with pytest.raises(ValueError) as caught:
            list(loader)
        place = loader.order(0).tolist().index(9)
    assert place % 6 != 9
    told = " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "the sample with index 9 (9.png) of " in told
    assert "of epoch 0" in told if workers == 0 else f"of batch {place // 6} of epoch 0" in told


def test_what_fails_beside_the_functions_names_no_sample(dataset, monkeypatch):
    loader = data.DataLoader(dataset, 8, workers=0)
    monkeypatch.setattr(loader._pipeline, "fill", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        next(iter(loader))
    assert not hasattr(caught.value, "__notes__")


def test_an_empty_epoch_has_no_batch_and_measures_nothing(dataset, capsys):
    loader = data.DataLoader(dataset, 50, workers="auto", sampler=lambda _: np.arange(20), drop_last=True)
    assert len(loader) == 0 and loader.chosen is None
    with pytest.raises(ValueError, match="drop_last"):
        next(iter(loader))
    assert loader.chosen is None and capsys.readouterr().err == ""


@pytest.mark.parametrize(("labels", "length"), [(39, 40), (40, 39), (41, 40)])
def test_as_many_labels_as_pictures_and_samples(dataset, labels, length):
    class Other:
        images = dataset.images

        def __len__(self):
            return length

    Other.labels = np.resize(dataset.labels, labels)
    with pytest.raises(ValueError, match=f"got 40 images, {labels} labels and a length of {length}"):
        data.DataLoader(Other(), 8)


@pytest.mark.parametrize("workers", [0, 1])
def test_of_each_batch_no_more_is_made_than_is_asked_for(dataset, workers, tmp_path):
    """One picture where that is none: a batch is something."""
    parts = [slice(0, 0), slice(2, 5), slice(7, 7), slice(0, 8), slice(6, 8)]
    note = functools.partial(noted, tmp_path / "made")
    with data.DataLoader(dataset, 8, workers=workers, prefetch=2, transforms=[note]) as loader:
        order, walk = loader.order(0), loader.in_part(lambda k, n: parts[k])
        found = [(len(rows[part]), y) for part, (rows, y) in zip(parts, walk, strict=True)]
    assert [count for count, _ in found] == [0, 3, 0, 8, 2]
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), dataset.labels[order])
    assert (tmp_path / "made").stat().st_size == 1 + 3 + 1 + 8 + 2
