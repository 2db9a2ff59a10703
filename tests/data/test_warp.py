"""Pictures that are moved, scaled and turned, against slow twins in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynet import data
from cynet.data.images import draws, warp
from cynet.data.images.warps import Maps, identity, turned

pytestmark = pytest.mark.kernels
PIXEL = 2.0**32


def warped(images, maps, size, threads=1):
    """What the kernel makes of pictures, each by its map of six numbers."""
    n, channels, _, width = images.shape
    out = np.full((n, channels, *size), 77, np.uint8)
    numbers = np.rint(np.asarray(maps, float) * PIXEL).astype(np.int64).reshape(n, 6)
    scratch = np.empty((threads, warp.room(width, channels, size[1])), np.int32)
    warp.warp(images, np.arange(n), numbers, out, scratch, threads)
    return out


def twin(picture, m, size):
    """float64 of one picture (channels, height, width); NaN where nearest is inside or outside by a hair."""
    _, height, width = picture.shape
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    y, x = m[0] * rows + m[1] * columns + m[2], m[3] * rows + m[4] * columns + m[5]

    def taps(place, most):
        before = np.floor(place)
        return np.clip(before, 0, most).astype(int), np.clip(before + 1, 0, most).astype(int), place - before

    (y0, y1, v), (x0, x1, w) = taps(y, height - 1), taps(x, width - 1)
    p = picture.astype(float)
    upper = p[:, y0, x0] * (1 - w) + p[:, y0, x1] * w
    lower = p[:, y1, x0] * (1 - w) + p[:, y1, x1] * w
    found = upper * (1 - v) + lower * v
    outside = (y < -0.5) | (y >= height - 0.5) | (x < -0.5) | (x >= width - 0.5)
    found[:, outside] = 0
    hair = [np.abs(np.abs(a - (n - 1) / 2) - n / 2) < 1e-6 for a, n in ((y, height), (x, width))]
    found[:, hair[0] | hair[1]] = np.nan
    return found


@st.composite
def cases(draw):
    shape = tuple(draw(st.integers(1, high)) for high in (3, 4, 12, 40))
    size = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    upright = draw(st.booleans())
    largest = draw(st.sampled_from([1, 2, 5]))  # more or fewer columns than look at the same few bytes
    factors = rng.uniform(-largest, largest, (shape[0], 6))
    factors[:, [2, 5]] *= max(shape[2:])
    if upright:
        factors[:, [1, 3]] = 0
    if draw(st.booleans()):
        factors = np.rint(factors)
    return rng.integers(0, 256, shape, np.uint8), factors, size


@given(cases())
def test_warp_equals_its_twin(case):
    images, maps, size = case
    images.flags.writeable = False
    found = warped(images, maps, size)
    for picture, m, got in zip(images, maps, found, strict=True):
        wanted = twin(picture, m, size)
        assert (
            np.nanmax(np.abs(got - wanted), initial=0) <= 1.5 + 1e-6
        )  # half a byte, and places of 1/256 pixel


@pytest.mark.parametrize("way", [1, -1])
def test_the_twin_where_eight_columns_look_at_sixteen_bytes_or_one_more(way):
    images = np.random.default_rng(3).integers(0, 256, (1, 2, 5, 60), np.uint8)
    for step in np.arange(1.8, 2.5, 1 / 64):
        for start in (0.0, 0.3, 0.6, 0.9):
            m = [1, 0, 0.25, 0, way * step, start if way > 0 else 59 - start]
            found = warped(images, [m], (4, 24))[0]
            assert np.nanmax(np.abs(found - twin(images[0], m, (4, 24)))) <= 1.5 + 1e-6, (step, start)


@given(cases())
def test_whole_places_give_the_very_pixels(case):
    images, maps, size = case
    maps = np.rint(maps)
    for picture, m, got in zip(images, maps, warped(images, maps, size), strict=True):
        np.testing.assert_array_equal(got, twin(picture, m, size))


@pytest.mark.parametrize("upright", [True, False])
def test_same_bytes_for_any_number_of_threads(upright):
    rng = np.random.default_rng(0)
    images, maps = rng.integers(0, 256, (9, 3, 8, 7), np.uint8), rng.uniform(-1, 1, (9, 6))
    if upright:
        maps[:, [1, 3]] = 0
    results = [warped(images, maps, (6, 9), threads).tobytes() for threads in (1, 2, 3, 4)]
    assert len(set(results)) == 1


def test_a_batch_of_none():
    assert warped(np.zeros((0, 3, 4, 4), np.uint8), np.zeros((0, 6)), (2, 2)).shape == (0, 3, 2, 2)


# -- the numbers that are computed of draws ----------------------------------------------------------------
def test_cosines_and_exponentials_are_those_of_libraries():
    degrees = np.concatenate([np.linspace(-725, 725, 4001), 90.0 * np.arange(-8, 9)])
    for found, wanted in zip(draws.cos_sin(degrees), (np.cos, np.sin), strict=True):
        np.testing.assert_allclose(found, wanted(np.radians(degrees)), rtol=0, atol=3e-14)
    cos, sin = draws.cos_sin(np.array([0.0, 90, 180, 270, -90]))
    assert cos.tolist() == [1, 0, -1, 0, 0] and sin.tolist() == [0, 1, 0, -1, -1]
    u = np.linspace(0, 1, 1001)
    for low, high in ((0.75, 4 / 3), (1 / 16, 16), (1, 1)):
        wanted = low * (high / low) ** u
        np.testing.assert_allclose(draws.geometric(u, (low, high)), wanted, rtol=1e-11)


def test_draws_are_uniform_and_do_not_go_together():
    key = draws.keys(3, 4, np.arange(20_000))
    u = np.concatenate([draws.uniform(key, kind, 3) for kind in (1, 2)], axis=1)
    assert (u >= 0).all() and (u < 1).all() and np.abs(u.mean(0) - 0.5).max() < 0.01
    assert np.abs(np.corrcoef(u.T) - np.eye(6)).max() < 0.03
    assert np.abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 0.03


def test_keys_are_those_of_the_kernel():
    M = 2**64 - 1

    def mix(z):
        z = (z + 0x9E3779B97F4A7C15) & M
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
        return z ^ (z >> 31)

    seed, epoch = 2**63 - 1, 2**62 + 5
    found = draws.keys(seed, epoch, np.array([0, 7, 2**40]))
    assert found.tolist() == [mix(mix(mix(seed) ^ epoch) ^ index) for index in (0, 7, 2**40)]


def homogeneous(maps, i=0):
    rr, rc, r, cr, cc, c = (each[i] for each in maps)
    return np.array([[cc, cr, c], [rc, rr, r], [0, 0, 1]])  # of (column, row, 1)


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 6)])
def test_an_affine_map_is_the_inverse_of_torchvisions(size):
    """M = T C R S Sh C^-1, as its documentation of `affine` has it."""
    angle, scale, along, across, down, right = 27.0, 1.3, 12.0, -7.0, 2.0, -1.0
    a, sx, sy = np.radians([angle, along, across])
    middle = np.eye(3)
    middle[:2, 2] = (size[1] - 1) / 2, (size[0] - 1) / 2
    shift = np.eye(3)
    shift[:2, 2] = right, down
    rss = np.eye(3)
    rss[:2, :2] = scale * np.array([
        [np.cos(a - sy) / np.cos(sy), -np.cos(a - sy) * np.tan(sx) / np.cos(sy) - np.sin(a)],
        [np.sin(a - sy) / np.cos(sy), -np.sin(a - sy) * np.tan(sx) / np.cos(sy) + np.cos(a)],
    ])  # fmt: skip
    wanted = np.linalg.inv(shift @ middle @ rss @ np.linalg.inv(middle))
    one = np.ones(1)
    found = turned(angle * one, size, (down * one, right * one), scale * one, (along * one, across * one))
    np.testing.assert_allclose(homogeneous(found), wanted, atol=1e-12)


def test_maps_one_after_another():
    rng = np.random.default_rng(0)
    first, then = (Maps(*rng.standard_normal((6, 3))) for _ in range(2))
    for i in range(3):
        wanted = homogeneous(first, i) @ homogeneous(then, i)
        np.testing.assert_allclose(homogeneous(then.after(first), i), wanted, atol=1e-12)
    assert (homogeneous(identity(2)) == np.eye(3)).all()


# -- transforms --------------------------------------------------------------------------------------------
COUNT = 2000


def drawn(picture, *transforms, workers=0, epoch=0, count=COUNT):
    """What a loader makes of so many copies of a picture (channels, height, width), as bytes."""
    images = np.repeat(np.asarray(picture, np.uint8)[None], count, 0)
    dataset = data.ArrayDataset(images, np.zeros(count, int), ["a"])
    options = {"shuffle": False, "copy": True, "workers": workers}
    with data.DataLoader(dataset, 100, transforms=transforms, **options) as loader:
        loader.epoch = epoch
        return np.rint(np.concatenate([x for x, _ in loader]) * 255).astype(int)


GREY = np.arange(1, 31).reshape(1, 5, 6)


@pytest.mark.parametrize("p", [0, 0.2, 0.5, 1])
def test_a_flip_comes_as_often_as_asked(p):
    found = drawn(GREY, data.RandomHorizontalFlip(p))[..., 0]
    flipped = (found == GREY[0, :, ::-1]).all((1, 2))
    assert (flipped | (found == GREY[0]).all((1, 2))).all()
    assert abs(flipped.mean() - p) <= 5 * np.sqrt(p * (1 - p) / COUNT)


def test_a_flip_of_one_half_is_the_kernels():
    a, b = (drawn(GREY, flip) for flip in (data.RandomHorizontalFlip(), data.RandomFlip()))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", ["random", "alternating"])
@pytest.mark.parametrize("cut", [data.RandomResizedCrop((7, 11)), data.RandomAffine(30, (0.2, 0.2))])
def test_a_cut_that_is_flipped_at_once_is_what_the_kernel_flips_afterwards(cut, mode):
    for epoch in (0, 3):
        plain, flipped = drawn(GREY, cut, epoch=epoch), drawn(GREY, cut, data.RandomFlip(mode), epoch=epoch)
        alone = drawn(GREY, data.RandomFlip(mode), epoch=epoch)[..., 0]
        odd = (alone == GREY[0, :, ::-1]).all((1, 2))
        assert 0 < odd.sum() < len(odd)
        np.testing.assert_array_equal(flipped, np.where(odd[:, None, None, None], plain[:, :, ::-1], plain))


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (-90, 3), (180, 2), (360, 0)])
def test_a_rotation_is_counter_clockwise(degrees, turns):
    square = np.arange(16).reshape(1, 4, 4)
    found = drawn(square, data.RandomRotation((degrees, degrees)), count=2)[0, ..., 0]
    np.testing.assert_array_equal(found, np.rot90(square[0], turns))


def test_angles_fill_their_range():
    picture = np.zeros((1, 41, 41))
    picture[0, 20, 36:39] = 250  # to the right of the middle
    found = drawn(picture, data.RandomRotation(40))[..., 0]
    y, x = np.mgrid[20:-21:-1, -20:21]
    mass = found.sum((1, 2))
    angles = np.degrees(np.arctan2((found * y).sum((1, 2)) / mass, (found * x).sum((1, 2)) / mass))
    assert (
        -41 < angles.min() < -38.5 and 38.5 < angles.max() < 41 and abs(angles.mean()) < 5 * 23 / COUNT**0.5
    )


def test_an_affine_map_shifts_by_whole_pixels():
    picture = np.zeros((1, 9, 9))
    picture[0, 4, 4] = 200
    found = drawn(picture, data.RandomAffine(0, translate=(0.25, 0.12)))[..., 0]
    assert set(found.max((1, 2)).tolist()) == {200}
    rows, columns = np.nonzero(found.sum(0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 5, 2, 6)


def test_a_resized_crop_has_its_share_and_proportions():
    rows, columns = np.mgrid[:40, :60]
    picture = np.stack([rows * 4, columns * 4, np.full((40, 60), 9)])
    found = drawn(picture, data.RandomResizedCrop((8, 10), (0.2, 0.5), (0.5, 2)))
    assert found.shape == (COUNT, 8, 10, 3) and (found[..., 2] == 9).all()
    high = (found[:, 7, 0, 0] - found[:, 0, 0, 0]) / 4 * 8 / 7
    wide = (found[:, 0, 9, 1] - found[:, 0, 0, 1]) / 4 * 10 / 9
    share, ratio = high * wide / 2400, wide / high
    assert 0.17 < share.min() < 0.23 and 0.47 < share.max() < 0.53
    assert 0.45 < ratio.min() < 0.6 and 1.7 < ratio.max() < 2.2


@pytest.mark.parametrize(("shape", "middle"), [((1, 2, 40), (2, 4)), ((1, 40, 2), (4, 2))])
def test_what_never_fits_is_the_largest_in_the_middle(shape, middle):
    picture = np.zeros(shape)
    top, left = (shape[1] - middle[0]) // 2, (shape[2] - middle[1]) // 2
    picture[0, top : top + middle[0], left : left + middle[1]] = 50
    crop = data.RandomResizedCrop((4, 4), (1, 1), (0.5, 2))
    assert (drawn(picture, crop, count=50)[..., 0] == 50).all()


def test_a_whole_crop_and_a_resize_to_the_same_size_change_nothing():
    for each in (data.RandomResizedCrop(scale=(1, 1), ratio=(6 / 5, 6 / 5)), data.Resize((5, 6))):
        np.testing.assert_array_equal(drawn(GREY, each, count=3)[..., 0], np.repeat(GREY, 3, 0))


@pytest.mark.parametrize("size", [(8, 6), (5, 6), (3, 4), (1, 1)])
def test_the_middle_is_cut_out_to_the_pixel(size):
    picture = np.random.default_rng(1).integers(0, 256, (3, 8, 6))
    top, left = round((8 - size[0]) / 2), round((6 - size[1]) / 2)  # as torchvision rounds
    wanted = picture[:, top : top + size[0], left : left + size[1]].transpose(1, 2, 0)
    np.testing.assert_array_equal(drawn(picture, data.CenterCrop(size), count=1)[0], wanted)


def test_a_middle_larger_than_the_picture_has_black_around_it():
    found = drawn(np.full((1, 4, 4), 7), data.CenterCrop((6, 4)), count=1)[0, ..., 0]
    np.testing.assert_array_equal(found, np.pad(np.full((4, 4), 7), ((1, 1), (0, 0))))


def test_the_middle_is_cut_of_what_was_resized():
    picture = np.random.default_rng(2).integers(0, 256, (3, 16, 24))
    small = drawn(picture, data.Resize((8, 12)), count=1)[0]
    found = drawn(picture, data.CenterCrop((6, 6)), data.Resize((8, 12)), count=1)[0]
    assert np.abs(found - small[1:7, 3:9]).max() <= 0.5


def test_half_the_size_is_the_mean_of_four_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (3, 8, 6))
    wanted = picture.reshape(3, 4, 2, 3, 2).mean((2, 4)).transpose(1, 2, 0)
    assert np.abs(drawn(picture, data.Resize((4, 3)), count=1)[0] - wanted).max() <= 0.5


EVERY = (
    data.RandomResizedCrop((7, 9)), data.RandomHorizontalFlip(0.3), data.RandomRotation(30),
    data.RandomAffine(10, (0.1, 0.1), (0.5, 2), (-5, 5, -3, 3)), data.ColorJitter(0.4, 0.4, 0.4, 0.1),
    data.RandomGrayscale(), data.TrivialAugmentWide(), data.RandomErasing(), data.RandomCrop(1),
    data.Cutout(2),
)  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 8, 11), (1, 8, 5), (3, 1, 9), (3, 9, 1), (1, 1, 1)])
def test_same_bytes_with_workers_and_another_order_of_the_list(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape)
    first = drawn(picture, *EVERY, count=250)
    assert first.shape == (250, 7, 9, shape[0])
    np.testing.assert_array_equal(drawn(picture, *EVERY[::-1], workers=2, count=250), first)
    assert (drawn(picture, *EVERY, epoch=1, count=250) != first).any()


def test_what_is_drawn_hangs_on_the_sample_alone():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 3, 9, 8), np.uint8)
    dataset = data.ArrayDataset(images, np.zeros(300, int), ["a"])

    def made(size, order):
        with data.DataLoader(dataset, size, workers=0, transforms=EVERY, sampler=lambda _: order) as loader:
            return np.concatenate([x.copy() for x, _ in loader])

    whole = made(300, np.arange(300))
    order = rng.permutation(300)
    np.testing.assert_array_equal(made(7, order), whole[order])


@pytest.mark.parametrize(("make", "words"), [
    (lambda: data.RandomHorizontalFlip(1.5), "p: wanted a number in"),
    (lambda: data.RandomRotation(361), "degrees: wanted a number in"),
    (lambda: data.RandomRotation((20, 10)), "degrees: wanted the lesser number first"),
    (lambda: data.RandomRotation("x"), "degrees: wanted a number"),
    (lambda: data.RandomRotation((1, 2, 3)), "degrees: wanted two numbers"),
    (lambda: data.RandomAffine(1, 0.5), "translate: wanted two numbers"),
    (lambda: data.RandomAffine(1, (0.5, 1.5)), r"translate\[1\]: wanted a number in"),
    (lambda: data.RandomAffine(1, None, (0, 1)), r"scale\[0\]: wanted a number in"),
    (lambda: data.RandomAffine(1, None, None, 89), "shear: wanted a number in"),
    (lambda: data.RandomAffine(1, None, None, (1, 2, 5, 3)), r"shear\[2:\]: wanted the lesser number first"),
    (lambda: data.RandomResizedCrop(0), "size: wanted at least 1"),
    (lambda: data.RandomResizedCrop(1 << 15), "size: wanted at most 16384"),
    (lambda: data.RandomResizedCrop(8, (0, 1)), r"scale\[0\]: wanted a number in"),
    (lambda: data.RandomResizedCrop(8, (0.1, 2)), r"scale\[1\]: wanted a number in"),
    (lambda: data.RandomResizedCrop(8, ratio=(1, 99)), r"ratio\[1\]: wanted a number in"),
    (lambda: data.Resize(2.5), "size: wanted an int"),
    (lambda: drawn(GREY, data.Resize(3), data.RandomResizedCrop(3)), "Resize: wanted one of"),
    (lambda: drawn(GREY, data.RandomFlip(), data.RandomHorizontalFlip()), "HorizontalFlip: wanted one of"),
])  # fmt: skip
def test_what_cannot_be_is_told(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


@pytest.mark.parametrize("transform", [each for each in EVERY if not isinstance(each, data.RandomCrop)])
def test_a_repr_makes_the_transform_again(transform):
    again = eval(repr(transform), vars(data) | {type(transform).__name__: type(transform)})
    assert vars(again) == vars(transform)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize(("source", "size"), [((9, 14), (7, 11)), ((5, 3), (40, 35)), ((33, 17), (1, 2))])
def test_what_is_decoded_at_once_is_what_is_decoded_afterwards(channels, source, size):
    """Maps that are upright, that turn, and that leave the picture; by any number of threads."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, channels, *source), np.uint8)
    table = rng.standard_normal((channels, 256)).astype(np.float32)
    maps = np.array([
        [0.7, 0, 0.3, 0, -0.4, source[1] - 1], [0.8, 0.3, -1, -0.3, 0.8, 2],
        [1, 0, 100, 0, 1, 0], [1, 0, 0, 0, 1, -3.5],
    ])  # fmt: skip
    numbers, rows = np.rint(maps * PIXEL).astype(np.int64), np.array([2, 0, 1, 3])
    made = warped(images[rows], maps, size)
    for threads in (1, 3):
        x = np.full((4, *size, channels), np.nan, np.float32)
        scratch = np.empty((threads, warp.room(source[1], channels, size[1])), np.int32)
        warp.warp_and_decode(images, rows, numbers, table, x, scratch, threads)
        for channel in range(channels):
            np.testing.assert_array_equal(x[..., channel], table[channel][made[:, channel]])
