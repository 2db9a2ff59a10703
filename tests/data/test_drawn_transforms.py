"""Transforms that draw: the same bytes in every version, in their order, of all that one may give them."""

import hashlib
import inspect

import numpy as np
import pytest

from cynet import data
from cynet.data.images import changing

IMAGES = (np.arange(60 * 3 * 12 * 10) * 2654435761 >> 13).astype(np.uint8).reshape(60, 3, 12, 10)
IMAGES[:, 1], IMAGES[:, 2] = 255 - IMAGES[:, 1, ::-1], IMAGES[:, 2] // 2  # else they were nearly grey
NAMES = {name: getattr(data, name) for name in data.__all__}
HALF, NUMBERS = np.float32(0.5), np.array([0.5, 1.5])
DRAWN = {
    "RandomHorizontalFlip(0.3)": "78e9bcf57a1c55e8",
    "RandomResizedCrop()": "270f5caf4da52cc2",
    "RandomResizedCrop((7, 9), (0.3, 0.9), (0.5, 3))": "e9474bbdf40d0617",
    "RandomResizedCrop(8, (0.9, 1), (4, 8))": "e8fb021f356ab007",
    "RandomResizedCrop(8, (0.9, 1), (0.1, 0.23))": "82940d426484e490",
    "RandomRotation(30)": "953c604b9c8bb86e",
    "RandomRotation((-200, 100))": "ba1a20587b701204",
    "RandomAffine(10, (0.3, 0.2), (0.5, 2), 20)": "4a030ed504b41d8d",
    "RandomAffine((5, 9), shear=(-10, 30, -5, 15))": "c543643e017d9495",
    "RandomAffine(0, (0.4, 0))": "6d8021013b1b60f7",
    "Resize((6, 15))": "87a920d50a94eb7a",
    "ColorJitter(0.4, 0.3, 0.2, 0.1)": "9a1387f68a44be28",
    "ColorJitter(hue=0.5)": "c2a1b4b473699e82",
    "ColorJitter(saturation=(0.5, 4))": "eec0eb8fcf860973",
    "RandomGrayscale(0.4)": "5c82dd2254a5b1b7",
    "TrivialAugmentWide()": "c93bd27a60270ae9",
    "TrivialAugmentWide(7)": "d584b6226a98bd41",
    "RandomErasing()": "7f9315b5ba331f51",
    "RandomErasing(1, (0.1, 0.6), (0.2, 4), (1, -2, 3))": "e503fb9759610cf8",
    "RandomFlip('alternating'), RandomRotation(5), ColorJitter(0.2), RandomErasing()": "4e95dfd1f5381211",
    "Resize(9), RandomHorizontalFlip(0.7), RandomRotation(20), RandomAffine(0, (0.1, 0.1)), "
    "TrivialAugmentWide(), ColorJitter(0.3), RandomGrayscale(), Brightness(0.2), RandomCrop(2), Cutout(3)":
    "5be27eaefec96880",
}  # fmt: skip


def shown(transforms, images=IMAGES, **options):
    """What a loader makes of pictures, float32 (n, height, width, channels)."""
    dataset = data.ArrayDataset(images, np.zeros(len(images), int), ["a"])
    given = {"shuffle": False, "workers": 0, "transforms": transforms, "copy": True} | options
    with data.DataLoader(dataset, 25, **given) as loader:
        loader.epoch = 2
        return np.concatenate([x for x, _ in loader])


@pytest.mark.parametrize("text", DRAWN)
def test_what_is_drawn_is_the_same_in_every_version_and_everywhere(text):
    transforms = eval(f"[{text}]", NAMES)
    large = np.repeat(np.repeat(IMAGES, 2, 2), 2, 3)  # so that there are bytes to be made equally frequent
    found = shown(transforms, large if "Trivial" in text else IMAGES, seed=2**40 + 7)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == DRAWN[text]


def test_the_order_of_what_moves_is_that_of_the_document():
    """Scaled, mirrored, turned, moved: whatever the order of the list."""
    several = [
        data.RandomAffine((0, 0), shear=(0, 0, 0, 0)), data.RandomRotation((90, 90)),
        data.RandomHorizontalFlip(1), data.Resize((6, 6)),
    ]  # fmt: skip
    small = shown([data.Resize((6, 6))])
    wanted = np.rot90(small[:, :, ::-1], axes=(1, 2))
    for transforms in (several, several[::-1]):
        np.testing.assert_allclose(shown(transforms), wanted, atol=1.01 / 255)
    assert shown([data.RandomRotation((90, 90)), data.Resize((7, 5))]).shape == (60, 7, 5, 3)


def test_a_flip_is_about_the_middle_of_the_size_that_it_is_given():
    for size in ((6, 20), (24, 5)):
        wide = shown([data.Resize(size)])
        np.testing.assert_allclose(
            shown([data.RandomHorizontalFlip(1), data.Resize(size)]), wide[:, :, ::-1], atol=1.01 / 255
        )


def test_the_order_of_what_changes_colours_is_that_of_the_document():
    """Grey comes after the jitter: a turned hue leaves no colour then."""
    for transforms in ([data.RandomGrayscale(1), data.ColorJitter(saturation=(4, 4))],
                       [data.ColorJitter(saturation=(4, 4)), data.RandomGrayscale(1)]):  # fmt: skip
        found = shown(transforms)
        np.testing.assert_array_equal(found[..., 0], found[..., 2])
        assert np.abs(found - shown([data.RandomGrayscale(1)])).max() > 0.05


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_two_and_four_channels_are_no_colours(channels):
    images = IMAGES.reshape(60, -1, 6, 10)[:, :channels]
    for transform in (data.ColorJitter(0.5), data.RandomGrayscale(0.5), data.TrivialAugmentWide()):
        if channels in (1, 3):
            assert shown([transform], np.ascontiguousarray(images)).shape == (60, 6, 10, channels)
            continue
        name = type(transform).__name__
        with pytest.raises(ValueError, match=f"^{name}: wanted pictures of 1 or 3 channels, got {channels}$"):
            shown([transform], np.ascontiguousarray(images))


def test_the_first_of_several_that_change_colours_is_named():
    images = np.zeros((4, 2, 5, 5), np.uint8)
    with pytest.raises(ValueError, match=r"^ColorJitter: wanted pictures of 1 or 3 channels"):
        shown([data.TrivialAugmentWide(), data.RandomGrayscale(), data.ColorJitter(1)], images)


def test_pictures_larger_than_the_cache_are_changed_one_by_one(monkeypatch):
    monkeypatch.setattr(changing, "TOGETHER", 100)  # bytes
    found = shown([data.RandomRotation((180, 180)), data.RandomGrayscale(0)])
    np.testing.assert_allclose(found, IMAGES[:, :, ::-1, ::-1].transpose(0, 2, 3, 1) / 255, atol=1e-6)


def test_what_changes_colours_alone_takes_the_pictures_of_the_batch():
    order = [5, 50, 7]
    found = shown([data.ColorJitter(brightness=(1, 1))], sampler=lambda _: order)
    np.testing.assert_allclose(found, IMAGES[order].transpose(0, 2, 3, 1) / 255, atol=1e-6)


@pytest.mark.parametrize(("kind", "wanted"), [
    (data.RandomHorizontalFlip, {"p": 0.5}), (data.RandomGrayscale, {"p": 0.1}),
    (data.RandomResizedCrop, {"size": None, "scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3)}),
    (data.RandomAffine, {"translate": None, "scale": None, "shear": None}),
    (data.ColorJitter, dict.fromkeys(("brightness", "contrast", "saturation", "hue"), 0)),
    (data.TrivialAugmentWide, {"num_magnitude_bins": 31}),
    (data.RandomErasing, {"p": 0.5, "scale": (0.02, 0.33), "ratio": (0.3, 3.3), "value": 0}),
])  # fmt: skip
def test_the_defaults_are_torchvisions(kind, wanted):
    arguments = inspect.signature(kind).parameters.values()
    assert {one.name: one.default for one in arguments if one.default is not one.empty} == wanted


@pytest.mark.parametrize(("make", "name", "value"), [
    (lambda: data.ColorJitter(NUMBERS), "brightness", (0.5, 1.5)),
    (lambda: data.ColorJitter(HALF), "brightness", (0.5, 1.5)),
    (lambda: data.ColorJitter(2), "brightness", (0, 3)),
    (lambda: data.ColorJitter(15), "brightness", (0, 16)),
    (lambda: data.ColorJitter(0, [16, 16]), "contrast", (16, 16)),
    (lambda: data.ColorJitter(saturation=(0, 1)), "saturation", (0, 1)),
    (lambda: data.ColorJitter(hue=0.5), "hue", (-0.5, 0.5)),
    (lambda: data.ColorJitter(hue=(0, 0)), "hue", (0, 0)),
    (lambda: data.RandomRotation(360), "degrees", (-360, 360)),
    (lambda: data.RandomRotation([-360, 0]), "degrees", (-360, 0)),
    (lambda: data.RandomAffine(0, (0.5, 0.25)), "translate", (0.5, 0.25)),
    (lambda: data.RandomAffine(0, (0, 1)), "translate", (0, 1)),
    (lambda: data.RandomAffine((-10, 20)), "degrees", (-10, 20)),
    (lambda: data.RandomAffine(0, scale=(1 / 16, 16)), "scale", (1 / 16, 16)),
    (lambda: data.RandomAffine(0, shear=80), "shear", (-80, 80, 0, 0)),
    (lambda: data.RandomAffine(0, shear=[1, 2, 3, 4]), "shear", (1, 2, 3, 4)),
    (lambda: data.RandomAffine(0, shear=(-80, 5)), "shear", (-80, 5, 0, 0)),
    (lambda: data.RandomResizedCrop(1 << 14), "size", (1 << 14, 1 << 14)),
    (lambda: data.Resize((np.int64(3), 4)), "size", (3, 4)),
    (lambda: data.RandomErasing(value=NUMBERS), "value", (0.5, 1.5)),
    (lambda: data.RandomErasing(value=[1, HALF]), "value", (1, 0.5)),
    (lambda: data.RandomErasing(1, (0, 1), (1 / 16, 16)), "ratio", (1 / 16, 16)),
    (lambda: data.RandomErasing(1, (0, 0)), "scale", (0, 0)),
    (lambda: data.TrivialAugmentWide(2), "num_magnitude_bins", 2),
    (lambda: data.TrivialAugmentWide(10_000), "num_magnitude_bins", 10_000),
])  # fmt: skip
def test_all_that_may_be_given_is_taken(make, name, value):
    made = make()
    assert getattr(made, name) == value
    again = eval(repr(made), NAMES)
    assert vars(again) == vars(made)


@pytest.mark.parametrize(("make", "problem"), [
    (lambda: data.ColorJitter(15.5), "brightness: wanted a number in [0, 15], got 15.5"),
    (lambda: data.ColorJitter((0, 16.5)), "brightness[1]: wanted a number in [0, 16], got 16.5"),
    (lambda: data.ColorJitter(hue=(-0.6, 0)), "hue[0]: wanted a number in [-0.5, 0.5], got -0.6"),
    (lambda: data.RandomAffine(0, shear=80.5), "shear: wanted a number in [0, 80], got 80.5"),
    (lambda: data.RandomAffine(0, shear=(0, 81)), "shear[1]: wanted a number in [-80, 80], got 81.0"),
    (lambda: data.RandomAffine(0, shear=(0, 0, 0, 81)), "shear[2:][1]: wanted a number in [-80, 80], got"),
    (lambda: data.RandomAffine(0, scale=(1 / 17, 1)), "scale[0]: wanted a number in [0.0625, 16], got"),
    (lambda: data.RandomResizedCrop((4, (1 << 14) + 1)), "size: wanted at most 16384, got (4, 16385)"),
    (lambda: data.RandomResizedCrop(4, (0, 1)), "scale[0]: wanted a number in (0, 1], got 0"),
    (lambda: data.TrivialAugmentWide(1), "num_magnitude_bins: wanted at least 2, got 1"),
    (lambda: data.TrivialAugmentWide(10_001), "num_magnitude_bins: wanted at most 10000, got 10001"),
    (lambda: data.RandomErasing(scale=(0, 1.1)), "scale[1]: wanted a number in [0, 1], got 1.1"),
])  # fmt: skip
def test_what_is_beyond_is_told_with_its_bounds(make, problem):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value).startswith(problem)
