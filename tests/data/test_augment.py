"""Augmentations as a loader does them: each place, side and factor comes, as often as documented."""

import inspect
from collections import Counter

import numpy as np
import pytest

from cynet import data
from cynet.data import ArrayDataset, Cutout, DataLoader, Normalize, RandomCrop, RandomFlip
from cynet.data.images.transforms import Pipeline

COUNT = 3000
Brightness, Contrast = data.Brightness, data.Contrast


def drawn(picture, *transforms, epoch=0, seed=0, workers=0):
    """What a loader makes of so many copies of a picture (channels, height, width), as bytes."""
    images = np.repeat(np.asarray(picture, np.uint8)[None], COUNT, 0)
    dataset = ArrayDataset(images, np.zeros(COUNT, int), ["a"])
    options = {"shuffle": False, "seed": seed, "copy": True, "workers": workers}
    with DataLoader(dataset, 100, transforms=transforms, **options) as loader:
        loader.epoch = epoch
        return np.concatenate([x for x, _ in loader]) * 255


GREY = np.arange(1, 31).reshape(1, 5, 6)


@pytest.mark.parametrize(("mode", "pad"), [("zero", "constant"), ("reflect", "reflect")])
@pytest.mark.parametrize("padding", [0, 1, 2, 4])
def test_every_window_of_a_crop_comes_evenly(mode, pad, padding):
    found = drawn(GREY, RandomCrop(padding, mode))[..., 0].round().astype(int)
    wide = np.pad(GREY[0], padding, pad)
    side = 2 * padding + 1
    wanted = Counter(wide[i : i + 5, j : j + 6].tobytes() for i in range(side) for j in range(side))
    got, share = Counter(picture.tobytes() for picture in found), COUNT / side**2
    assert set(got) == set(wanted)  # of which some are equal where it is reflected more than once
    for window, times in wanted.items():
        assert abs(got[window] - times * share) < 5 * np.sqrt(times * share) + 1e-9


@pytest.mark.parametrize("mode", ["random", "alternating"])
def test_both_sides_of_a_flip(mode):
    mirrored = []
    for epoch in range(3):
        found = drawn(GREY, RandomFlip(mode), epoch=epoch)[..., 0].round().astype(int)
        flipped = (found == GREY[0, :, ::-1]).all((1, 2))
        assert (flipped | (found == GREY[0]).all((1, 2))).all()
        assert abs(flipped.mean() - 0.5) < 5 * 0.5 / np.sqrt(COUNT)
        mirrored.append(flipped)
    same = (mirrored[0] == mirrored[1]).mean()
    assert same == 0 if mode == "alternating" else abs(same - 0.5) < 0.05
    assert (mirrored[0] == mirrored[2]).all() == (mode == "alternating")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 20])
def test_every_square_of_a_cutout_comes(size):
    found = drawn(GREY, Cutout(size))[..., 0] == 0
    rows, columns = np.mgrid[:5, :6]
    wanted = set()
    for i in range(5):
        for j in range(6):
            top, left = i - size // 2, j - size // 2
            inside = (rows >= top) & (rows < top + size) & (columns >= left) & (columns < left + size)
            wanted.add(inside.tobytes())
    assert {each.tobytes() for each in found} == wanted


@pytest.mark.parametrize("amount", [0, 0.1, 0.5, 1])
def test_factors_fill_their_range_evenly(amount):
    found = drawn(np.full((1, 2, 2), 100), Brightness(amount))[:, 0, 0, 0]
    low, high = 100 * (1 - amount), 100 * (1 + amount)
    assert low - 0.51 <= found.min() <= low + 1 and high - 1 <= found.max() <= high + 0.51
    assert abs(found.mean() - 100) < 5 * 100 * amount / np.sqrt(3 * COUNT) + 1e-3
    picture = np.array([[[60, 140]]])
    found = drawn(picture, Contrast(amount))[:, 0, :, 0]
    assert np.abs(found.mean(1) - 100).max() <= 0.51
    spread = (found[:, 1] - found[:, 0]) / 80
    assert 1 - amount - 0.02 <= spread.min() <= 1 - 0.97 * amount + 0.02
    assert 1 + 0.97 * amount - 0.02 <= spread.max() <= 1 + amount + 0.02


def test_what_is_random_hangs_on_seed_epoch_and_sample_alone():
    def made(**options):
        return drawn(GREY, RandomCrop(2), RandomFlip(), Cutout(2), Brightness(0.2), **options).tobytes()

    first = made()
    assert made() == made(workers=2) == first
    assert len({first, made(epoch=1), made(seed=1), made(epoch=1, seed=1)}) == 4
    pictures = drawn(GREY, RandomCrop(2), RandomFlip(), Brightness(0.9))
    assert len({picture.tobytes() for picture in pictures}) > COUNT / 2


def test_normalising_comes_after_all_but_the_cutout():
    normalize = Normalize([0.1, 0.2, 0.5], [0.5, 2, 0.1])
    x = drawn(np.full((3, 4, 4), 51), RandomCrop(2), normalize, Cutout(1)) / 255
    for channel, (mean, std) in enumerate(((0.1, 0.5), (0.2, 2), (0.5, 0.1))):
        values = np.float32([(0.2 - mean) / std, -mean / std, 0])
        found = np.unique(x[..., channel])
        assert all(np.abs(values - value).min() < 1e-6 for value in found)
        assert all(np.abs(found - value).min() < 1e-6 for value in values)


@pytest.mark.parametrize(("make", "good"), [
    (lambda: RandomCrop(0), 1), (lambda: RandomCrop(4096), 1), (lambda: RandomCrop(4097), 0),
    (lambda: RandomCrop(-1), 0), (lambda: RandomCrop(1.0), 0), (lambda: RandomCrop(1, "wrap"), 0),
    (lambda: RandomFlip("no"), 0), (lambda: Cutout(1), 1), (lambda: Cutout(0), 0), (lambda: Cutout(4096), 1),
    (lambda: Cutout(4097), 0), (lambda: Brightness(0), 1), (lambda: Brightness(1), 1),
    (lambda: Contrast(1), 1), (lambda: Brightness(1.001), 0), (lambda: Contrast(-0.001), 0),
    (lambda: Normalize([0], [1e-9]), 1),
    (lambda: Normalize([0], [0]), 0), (lambda: Normalize([0, 0], [1]), 0), (lambda: Normalize(0, 1), 0),
])  # fmt: skip
def test_arguments_at_and_beyond_their_bounds(make, good):
    if good:
        assert make()
    else:
        with pytest.raises((TypeError, ValueError), match=": wanted"):
            make()


def test_what_is_wrong_with_the_numbers_of_normalise_is_told():
    with pytest.raises(ValueError, match="std: wanted 2 numbers, as many as mean, got 1"):
        Normalize([0, 0], [1])
    with pytest.raises(TypeError, match="std: wanted a sequence of numbers, got 2"):
        Normalize([0], 2)
    with pytest.raises(ValueError, match=r"std\[1\]: wanted"):
        Normalize([0, 0], [1, 0])
    array = Normalize(np.array([0.5]), np.array([2.0]))
    assert (array.mean, array.std) == ((0.5,), (2.0,)) and type(array.mean[0]) is float
    with pytest.raises(ValueError, match="Normalize: wanted 3 means, one a channel, got 4"):
        Pipeline([Normalize([0] * 4, [1] * 4)], (3, 2, 2))


@pytest.mark.parametrize(("transform", "text"), [
    (RandomCrop(4), "RandomCrop(4)"), (RandomCrop(2, "reflect"), "RandomCrop(2, mode='reflect')"),
    (RandomFlip(), "RandomFlip()"), (RandomFlip("alternating"), "RandomFlip(mode='alternating')"),
    (Cutout(8), "Cutout(8)"), (Brightness(0.2), "Brightness(0.2)"), (Contrast(0.25), "Contrast(0.25)"),
    (Normalize([0.5], [0.25]), "Normalize((0.5,), (0.25,))"),
])  # fmt: skip
def test_a_transform_shows_what_it_was_made_with(transform, text):
    assert repr(transform) == text


@pytest.mark.parametrize("kind", [RandomCrop, RandomFlip, Cutout, Brightness, Contrast, Normalize])
def test_one_of_each_kind(kind):
    twice = [kind(*{Normalize: ([0], [1]), RandomFlip: ()}.get(kind, (1,))) for _ in range(2)]
    with pytest.raises(ValueError, match=rf"transforms\[1\]: wanted one {kind.__name__}, got a second"):
        Pipeline(twice, (1, 4, 4))


def test_amounts_are_the_nearest_multiples():
    found = Pipeline([Brightness(1.75 / 65536), Contrast(0.3)], (1, 2, 2)).augment
    assert (found["brightness"], found["contrast"]) == (2, 19661)


@pytest.mark.parametrize(("shape", "padding", "good"), [
    ((1, 5, 6), 4, 1), ((1, 5, 6), 5, 0), ((1, 6, 5), 5, 0), ((1, 6, 6), 5, 1), ((1, 1, 9), 0, 1),
    ((1, 1, 9), 1, 0),
])  # fmt: skip
def test_a_picture_is_reflected_up_to_its_own_size(shape, padding, good):
    def make():
        return Pipeline([RandomCrop(padding, "reflect")], shape)

    if good:
        assert make().augment["padding"] == padding
    else:
        least, size = min(shape[1:]), f"{shape[1]} x {shape[2]}"
        wanted = f"RandomCrop: wanted a padding below {least} to reflect pictures of {size}, got {padding}"
        with pytest.raises(ValueError, match=wanted):
            make()
    assert Pipeline([RandomCrop(9)], shape).augment["reflect"] == 0


def test_defaults_of_the_loader():
    found = {name: value.default for name, value in inspect.signature(DataLoader).parameters.items()
             if value.default is not value.empty}  # fmt: skip
    assert found.pop("transforms") in ((), None)
    assert found["shuffle"] is True and found["drop_last"] is False and found["seed"] == 0
    assert RandomCrop(1).mode == "zero" and RandomFlip().mode == "random"
