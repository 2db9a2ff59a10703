"""Where crops are taken and rectangles erased, against a slow twin that tries one after another."""

import math

import numpy as np
import pytest

from cynet import data
from cynet.data.images import draws
from cynet.data.images.warps import TRIES

COUNT = 300
SOURCES = [(12, 1), (1, 12), (12, 2), (3, 3), (32, 32), (5, 40), (1, 1)]


def sizes(u, source, scale, ratio):
    """(height, width) of each try: an area that is uniform, and a width / height whose logarithm is."""
    for j in range(TRIES):
        area = (scale[0] + u[2 * j] * (scale[1] - scale[0])) * source[0] * source[1]
        proportion = ratio[0] * (ratio[1] / ratio[0]) ** u[2 * j + 1]
        yield round(math.sqrt(area / proportion)), round(math.sqrt(area * proportion))


def middle(source, ratio):
    """(top, left, height, width) of the largest part in the middle with allowed proportions."""
    high, wide = source
    if wide < ratio[0] * high:
        high = max(1, min(high, round(wide / ratio[0])))
    elif wide > ratio[1] * high:
        wide = max(1, min(wide, round(high * ratio[1])))
    return (source[0] - high) // 2, (source[1] - wide) // 2, high, wide


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("scale", "ratio"), [
    ((0.08, 1), (3 / 4, 4 / 3)), ((0.5, 1), (0.3, 3)), ((0.01, 0.05), (0.5, 2)), ((0.9, 1), (4, 8)),
    ((0.9, 1), (1 / 8, 1 / 4)),
])  # fmt: skip
def test_a_crop_is_the_first_that_fits_else_the_middle(source, scale, ratio):
    key, out = draws.keys(5, 2, np.arange(COUNT)), (8, 10)
    u = draws.uniform(key, 2, 2 * TRIES + 2)
    crop = data.RandomResizedCrop(out, scale, ratio)
    found = crop.maps(key, source, out)
    high, wide = found.rr * out[0], found.cc * out[1]
    boxes = np.stack([found.r - (found.rr - 1) / 2, found.c - (found.cc - 1) / 2, high, wide], axis=1)
    assert not found.rc.any() and not found.cr.any()
    for box, drawn in zip(boxes, u, strict=True):
        fit = (
            (h, w)
            for h, w in sizes(drawn, source, scale, ratio)
            if 1 <= h <= source[0] and 1 <= w <= source[1]
        )
        wanted = middle(source, ratio)
        for h, w in fit:
            at = (
                math.floor(drawn[k] * (side - size + 1))
                for k, side, size in zip((-2, -1), source, (h, w), strict=True)
            )
            wanted = (*at, h, w)
            break
        np.testing.assert_allclose(box, wanted, atol=1e-9)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("p", "scale", "ratio"), [
    (1, (0.02, 0.33), (0.3, 3.3)), (0.3, (0.1, 0.9), (0.5, 2)), (1, (0.9, 1), (1, 1)),
    (0, (0.1, 0.2), (1, 1)),
])  # fmt: skip
def test_what_is_erased_is_the_first_rectangle_that_is_smaller_both_ways(source, p, scale, ratio):
    key = draws.keys(6, 1, np.arange(COUNT))
    u = draws.uniform(key, 8, 2 * TRIES + 3)
    found = data.RandomErasing(p, scale, ratio).boxes(key, *source)
    for box, drawn in zip(found.tolist(), u, strict=True):
        turned = ((h, w) for w, h in sizes(drawn, source, scale, ratio))  # its proportion is height / width
        fit = [(h, w) for h, w in turned if h < source[0] and w < source[1]]
        high, wide = fit[0] if fit and drawn[-1] < p else (0, 0)
        assert (box[1] - box[0], box[3] - box[2]) == (high, wide)
        if high and wide:
            top = math.floor(drawn[-3] * (source[0] - high + 1))
            left = math.floor(drawn[-2] * (source[1] - wide + 1))
            assert box == [top, top + high, left, left + wide]
