"""Operations on colours against slow twins in float64, and the transforms that draw them."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynet import data
from cynet.data.images import colour, colours, draws, trivial
from cynet.train.mixup import Cutmix

pytestmark = pytest.mark.kernels
UNIT = 65536
NAMES = "NOTHING BRIGHTNESS CONTRAST SATURATION HUE GREY SHARPNESS POSTERIZE SOLARIZE AUTOCONTRAST EQUALIZE"
OPERATIONS = {name: getattr(colours, name) for name in NAMES.split()}
FACTORS = "BRIGHTNESS", "CONTRAST", "SATURATION", "SHARPNESS"


def changed(pictures, *operations, threads=1):
    """Copies of pictures (n, channels, height, width) after operations, each (name, amount)."""
    out = np.array(pictures, np.uint8)
    what = np.array([[OPERATIONS[name] for name, _ in operations]] * len(out), np.int32)
    amounts = np.array([[amount for _, amount in operations]] * len(out), np.int32)
    scratch = np.empty((len(out), out[0, 0].size), np.uint8)
    colour.colour(out, what.reshape(len(out), -1), amounts.reshape(len(out), -1), scratch, threads)
    return out


def grey_of(p):
    weights = np.array([0.299, 0.587, 0.114])[:, None, None]
    return (p * weights).sum(0, keepdims=True) if len(p) == 3 else p


def smoothed(p):
    found, (_, height, width) = p.copy(), p.shape
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            around = p[:, row - 1 : row + 2, column - 1 : column + 2].sum((1, 2))
            found[:, row, column] = (around + 4 * p[:, row, column]) / 13
    return found


def stretched(plane, equalize):
    """PIL's autocontrast and equalize, in Python's numbers."""
    counts = np.bincount(plane.ravel(), minlength=256).tolist()
    present = np.flatnonzero(counts)
    first, last = int(present[0]), int(present[-1])
    step = (plane.size - counts[last]) // 255 if equalize else last - first
    if not step:
        return plane
    if not equalize:
        table = [(v - first) * 255 // step for v in range(256)]
    else:
        table = [min(255, (step // 2 + sum(counts[:v])) // step) for v in range(256)]
    return np.array(table)[plane]


def turned(p, amount):
    """The hue by way of HSV, in floats."""
    found = np.empty_like(p)
    for row, column in np.ndindex(p.shape[1:]):
        h, s, v = colorsys.rgb_to_hsv(*(p[:, row, column] / 255))
        found[:, row, column] = np.array(colorsys.hsv_to_rgb((h + amount / (6 * UNIT)) % 1, s, v)) * 255
    return found


def twin(picture, name, amount):
    p, f = picture.astype(float), amount / UNIT
    if name in FACTORS:
        of = {
            "BRIGHTNESS": lambda: 0 * p, "CONTRAST": lambda: np.full(p.shape, grey_of(p).mean()),
            "SATURATION": lambda: grey_of(p), "SHARPNESS": lambda: smoothed(p),
        }[name]()  # fmt: skip
        return np.clip(of + (p - of) * f, 0, 255)
    if name == "HUE":
        return turned(p, amount) if len(p) == 3 else p
    if name == "GREY":
        return np.repeat(grey_of(p), len(p), 0)
    if name == "POSTERIZE":
        return picture.astype(int) // 2 ** (8 - amount) * 2 ** (8 - amount)
    if name == "SOLARIZE":
        return np.where(p >= amount, 255 - p, p)
    return np.array([stretched(plane, name == "EQUALIZE") for plane in picture])


@st.composite
def cases(draw):
    shape = draw(st.sampled_from([1, 3])), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    least, most = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    name = draw(st.sampled_from(list(OPERATIONS)[1:]))
    amount = {"HUE": (-3 * UNIT, 3 * UNIT), "POSTERIZE": (0, 8), "SOLARIZE": (0, 255)}.get(
        name, (0, 3 * UNIT)
    )
    return rng.integers(least, most + 1, shape, np.uint8), name, draw(st.integers(*amount))


@given(cases())
def test_an_operation_equals_its_twin(case):
    picture, name, amount = case
    found = changed(picture[None], (name, amount))[0]
    # The means that some blend with are rounded to bytes before, which counts by |1 - factor|.
    rounded = abs(1 - amount / UNIT) * 0.5 if name in FACTORS[1:] else 0
    exact = name in ("POSTERIZE", "SOLARIZE", "AUTOCONTRAST", "EQUALIZE")
    assert np.abs(found - twin(picture, name, amount)).max() <= (0 if exact else 0.51 + 1.01 * rounded)


@pytest.mark.parametrize("sixths", np.arange(-3, 3.25, 0.25).tolist())
def test_a_hue_is_turned_the_whole_circle_round_from_every_colour(sixths):
    levels = np.array([0, 51, 127, 128, 200, 255], np.uint8)
    picture = np.stack(np.meshgrid(levels, levels, levels)).reshape(3, 12, 18)
    amount = int(sixths * UNIT)
    found = changed(picture[None], ("HUE", amount))[0]
    assert np.abs(found - turned(picture.astype(float), amount)).max() <= 0.51


@pytest.mark.parametrize("name", ["AUTOCONTRAST", "EQUALIZE"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 15, 17), (3, 40, 50), (1, 200, 100)])
@pytest.mark.parametrize(("least", "most"), [(0, 255), (30, 180), (100, 103), (7, 7)])
def test_bytes_are_stretched_as_pil_does_in_pictures_of_any_size(name, shape, least, most):
    """Those of less than 255 pixels, or of one byte, are not made equally frequent."""
    rng = np.random.default_rng(shape[1])
    picture = (least + (most + 1 - least) * rng.random(shape) ** 3).astype(np.uint8)
    picture[..., :3] = most  # many of the last
    np.testing.assert_array_equal(changed(picture[None], (name, 0))[0], twin(picture, name, 0))


def test_a_factor_of_one_and_no_turn_change_nothing():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 7, 6), np.uint8)
    for name in FACTORS:
        np.testing.assert_array_equal(changed(pictures, (name, UNIT)), pictures)
    np.testing.assert_array_equal(changed(pictures, ("HUE", 0), ("NOTHING", 5), ("POSTERIZE", 8)), pictures)
    np.testing.assert_array_equal(changed(pictures), pictures)


def test_operations_are_carried_out_in_their_order():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 7, 6), np.uint8)
    one, other = ("BRIGHTNESS", 2 * UNIT), ("CONTRAST", UNIT // 3)
    both = changed(pictures, one, other)
    np.testing.assert_array_equal(both, changed(changed(pictures, one), other))
    assert (both != changed(pictures, other, one)).any()


@pytest.mark.parametrize("shape", [(9, 3, 7, 6), (80, 1, 60, 50)])
def test_same_bytes_for_any_number_of_threads(shape):
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    operations = [(name, 30_000) for name in FACTORS] + [("HUE", 9999), ("EQUALIZE", 0)]
    assert len({changed(pictures, *operations, threads=n).tobytes() for n in (1, 2, 3, 4, 8)}) == 1


# -- transforms --------------------------------------------------------------------------------------------
KEY = draws.keys(1, 2, np.arange(20_000))


def test_jitter_draws_all_orders_and_fills_its_ranges():
    jitter = data.ColorJitter(0.4, (0.5, 3), 2, 0.1)
    what, amounts = jitter.operations(KEY)
    orders, times = np.unique(what, axis=0, return_counts=True)
    assert len(orders) == 24 and times.min() > 20_000 / 24 * 0.8
    wanted = {1: (0.6, 1.4), 2: (0.5, 3), 3: (0, 3), 4: (-0.6, 0.6)}
    for name, (low, high) in wanted.items():
        found = amounts[what == name] / UNIT
        assert low <= found.min() < low + 0.01 and high - 0.01 < found.max() <= high + 1e-9
        assert abs(found.mean() - (low + high) / 2) < 0.03


def test_jitter_of_nothing_and_grey_pictures():
    pictures = np.random.default_rng(0).integers(0, 256, (9, 1, 6, 5), np.uint8)
    dataset = data.ArrayDataset(pictures, np.zeros(9, int), ["a"])
    for jitter in (data.ColorJitter(), data.ColorJitter(saturation=0.9, hue=0.5), data.RandomGrayscale(1)):
        with data.DataLoader(dataset, 9, shuffle=False, workers=0, transforms=[jitter]) as loader:
            ((x, _),) = loader
        np.testing.assert_array_equal(np.rint(x[..., 0] * 255), pictures[:, 0])


def test_grey_comes_as_often_as_asked():
    what, _ = data.RandomGrayscale(0.3).operations(KEY)
    assert set(what.ravel().tolist()) == {colours.NOTHING, colours.GREY}
    assert abs((what == colours.GREY).mean() - 0.3) < 0.02


def test_each_trivial_change_comes_as_often_with_every_strength():
    one = data.TrivialAugmentWide(5)
    what, strength, sign = one._drawn(KEY)
    assert np.bincount(what, minlength=14).min() > 20_000 / 14 * 0.85 and what.max() == 13
    assert np.unique(strength).tolist() == [0, 0.25, 0.5, 0.75, 1] and abs(sign.mean()) < 0.03
    maps, (operations, amounts) = one.maps(KEY, (32, 32), (32, 32)), one.operations(KEY)
    still = (np.stack(maps) == np.array([1, 0, 0, 0, 1, 0])[:, None]).all(0)
    moving = (what >= 1) & (what <= len(trivial.MOVES))
    assert (still | moving).all() and ((operations[:, 0] > 0) == (what > len(trivial.MOVES))).all()
    assert np.abs(maps.c[what == trivial.CHOICES.index("translate x")]).max() == 32
    assert np.abs(maps.cr).max() <= 0.99 + 1e-9 or (np.abs(maps.cr).max() <= 1)
    for name, (low, high) in {1: (0.01, 1.99), 6: (0.01, 1.99), 7: (2, 8), 8: (0, 255)}.items():
        found = amounts[operations == name] / (UNIT if name in (1, 6) else 1)
        assert abs(found.min() - low) < 1e-3 and abs(found.max() - high) < 1e-3


def test_trivial_changes_are_taken_for_what_they_say():
    picture = np.random.default_rng(0).integers(0, 256, (3, 40, 40), np.uint8)
    count = 400
    dataset = data.ArrayDataset(np.repeat(picture[None], count, 0), np.zeros(count, int), ["a"])
    one = data.TrivialAugmentWide()
    with data.DataLoader(dataset, count, shuffle=False, workers=0, transforms=[one]) as loader:
        ((x, _),) = loader
    found = np.rint(x * 255).astype(np.uint8).transpose(0, 3, 1, 2)
    what, strength, sign = one._drawn(draws.keys(0, 0, np.arange(count)))
    for i in np.flatnonzero(what == trivial.CHOICES.index("translate y"))[:5]:
        by = int(32 * strength[i]) * int(sign[i])
        wanted = np.zeros_like(picture)
        wanted[:, max(0, by) : 40 + min(0, by)] = picture[:, max(0, -by) : 40 - max(0, by)]
        np.testing.assert_array_equal(found[i], wanted)
    (equal,) = {found[i].tobytes() for i in np.flatnonzero(what == trivial.CHOICES.index(colours.EQUALIZE))}
    assert equal == changed(picture[None], ("EQUALIZE", 0))[0].tobytes()


def test_an_erased_rectangle_has_its_share_and_value():
    dataset = data.ArrayDataset(np.full((3000, 2, 20, 30), 255, np.uint8), np.zeros(3000, int), ["a"])
    erasing = data.RandomErasing(0.6, (0.1, 0.2), (0.5, 2), (3, -4))
    with data.DataLoader(dataset, 3000, shuffle=False, workers=0, transforms=[erasing]) as loader:
        ((x, _),) = loader
    gone = x[..., 0] == 3
    np.testing.assert_array_equal(gone, x[..., 1] == -4)
    assert ((x[..., 0] == 1) | gone).all()
    some = gone.any((1, 2))
    assert abs(some.mean() - 0.6) < 0.05
    high, wide = gone[some].any(2).sum(1), gone[some].any(1).sum(1)
    share = high * wide / 600
    np.testing.assert_array_equal(gone[some].sum((1, 2)), high * wide)
    assert 0.08 < share.min() < 0.11 and 0.18 < share.max() < 0.22 and (high / wide).max() < 2.3
    assert gone[some].any(0).all()


def test_a_picture_too_small_to_be_erased_stays():
    dataset = data.ArrayDataset(np.full((50, 1, 1, 9), 9, np.uint8), np.zeros(50, int), ["a"])
    with data.DataLoader(dataset, 50, workers=0, transforms=[data.RandomErasing(1)]) as loader:
        ((x, _),) = loader
    assert (x > 0).all()


@pytest.mark.parametrize(("make", "words"), [
    (lambda: data.ColorJitter(-0.1), "brightness: wanted a number in"),
    (lambda: data.ColorJitter(0, 99), "contrast: wanted a number in"),
    (lambda: data.ColorJitter(0, (2, 1)), "contrast: wanted the lesser number first"),
    (lambda: data.ColorJitter(hue=0.6), "hue: wanted a number in"),
    (lambda: data.ColorJitter(saturation="x"), "saturation: wanted a number"),
    (lambda: data.RandomGrayscale(True), "p: wanted a number"),
    (lambda: data.TrivialAugmentWide(1), "num_magnitude_bins: wanted at least 2"),
    (lambda: data.RandomErasing(1, 0.5), "scale: wanted two numbers"),
    (lambda: data.RandomErasing(value="random"), "value: wanted a number"),
    (lambda: data.RandomErasing(value=(1, "x")), r"value\[1\]: wanted a number"),
    (lambda: Cutmix(0, 0), "alpha: wanted a number in"),
])  # fmt: skip
def test_what_cannot_be_is_told(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


@pytest.mark.parametrize(
    "transform", [data.ColorJitter(0.1), data.RandomGrayscale(), data.TrivialAugmentWide()]
)
def test_colours_are_of_one_or_three_channels(transform):
    dataset = data.ArrayDataset(np.zeros((2, 4, 3, 3), np.uint8), np.zeros(2, int), ["a"])
    with pytest.raises(
        ValueError, match=f"{type(transform).__name__}: wanted pictures of 1 or 3 channels, got 4"
    ):
        data.DataLoader(dataset, 2, workers=0, transforms=[transform])
    with pytest.raises(ValueError, match="RandomErasing: wanted 4 values, one a channel, got 3"):
        data.DataLoader(dataset, 2, workers=0, transforms=[data.RandomErasing(value=(1, 2, 3))])


def test_many_channels_are_moved_and_erased():
    pictures = np.random.default_rng(0).integers(0, 256, (6, 7, 8, 8), np.uint8)
    dataset = data.ArrayDataset(pictures, np.zeros(6, int), ["a"])
    several = [data.RandomRotation((180, 180)), data.RandomErasing(0)]
    with data.DataLoader(dataset, 6, shuffle=False, workers=0, transforms=several) as loader:
        ((x, _),) = loader
    np.testing.assert_array_equal(np.rint(x * 255), pictures[:, :, ::-1, ::-1].transpose(0, 2, 3, 1))


def test_cutmix_takes_a_rectangle_and_its_share():
    x = np.arange(16, dtype=np.float32)[:, None, None, None] * np.ones((16, 9, 8, 2), np.float32)
    y = np.arange(16)
    for step in range(50):
        mixed, others, share = Cutmix(1.0, 3)(x, y, step)
        other = mixed == others[:, None, None, None]
        assert ((mixed == x) | other).all()
        moved = others != y
        found = other[moved].mean((1, 2, 3))
        np.testing.assert_allclose(found, 1 - share, atol=1e-6)
    again = Cutmix(1.0, 3)(x, y, 49)
    assert again[0].tobytes() == mixed.tobytes() and (again[1] == others).all()
    shares = [Cutmix(1.0, 3)(x, y, step)[2] for step in range(300)]
    assert min(shares) < 0.2 and max(shares) > 0.95
