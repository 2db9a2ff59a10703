"""Transforms that move, scale and turn pictures, with torchvision's names and parameters.

Each gives maps from the places of its result to those of what it is given; a pipeline joins them, so that a
picture is interpolated once, whatever is done to it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray

from .draws import between, cos_sin, geometric, uniform
from .limits import Limits, chance, limits, shown

TRIES = 10  # of a cut that does not fit into the picture
MOST_SIDE = 1 << 14
MOST_DEGREES, MOST_SHEAR = 360.0, 80.0
SCALES = 1 / 16, 16.0

Size = tuple[int, int]


class Maps(NamedTuple):
    """Affine maps, an array of float64 (n,) for each number: a pixel at (row, column) shows the place
    (rr row + rc column + r, cr row + cc column + c), where whole numbers are the middles of pixels."""

    rr: AnyArray
    rc: AnyArray
    r: AnyArray
    cr: AnyArray
    cc: AnyArray
    c: AnyArray

    def after(self, first: "Maps") -> "Maps":
        """The maps of doing `first`, then these."""
        a, b = first, self
        return Maps(
            a.rr * b.rr + a.rc * b.cr, a.rr * b.rc + a.rc * b.cc, a.rr * b.r + a.rc * b.c + a.r,
            a.cr * b.rr + a.cc * b.cr, a.cr * b.rc + a.cc * b.cc, a.cr * b.r + a.cc * b.c + a.c,
        )  # fmt: skip


def identity(count: int) -> Maps:
    """Of pictures that stay as they are."""
    one, none = np.ones(count), np.zeros(count)
    return Maps(one, none, none, none, one, none)


def scaled(top: AnyArray, left: AnyArray, high: AnyArray, wide: AnyArray, out: Size) -> Maps:
    """Of parts with these corners and sizes that become pictures of the size `out`."""
    down, along, none = high / out[0], wide / out[1], np.zeros(len(high))
    return Maps(down, none, top + (0.5 * down - 0.5), none, along, left + (0.5 * along - 0.5))


def mirrored(odd: AnyArray, width: int) -> Maps:
    """Left and right exchanged where `odd`."""
    side = np.where(odd, -1.0, 1.0)
    return identity(len(odd))._replace(cc=side, c=np.where(odd, width - 1.0, 0.0))


def turned(
    degrees: AnyArray,
    size: Size,
    shift: tuple[AnyArray, AnyArray] | None = None,
    scale: AnyArray | float = 1.0,
    shears: tuple[AnyArray, AnyArray] | None = None,
) -> Maps:
    """Turned clockwise about the middle, scaled, sheared by angles along rows and along columns, shifted
    (rows, columns): what torchvision's `affine` does."""
    none = np.zeros(len(degrees))
    along, across = shears or (none, none)
    down, right = shift or (none, none)
    cos, sin = cos_sin(degrees)
    cos_less, sin_less = cos_sin(degrees - across)
    (cos_x, sin_x), (cos_y, _) = cos_sin(along), cos_sin(across)
    tan = sin_x / cos_x
    a, b = cos_less / cos_y, -cos_less * tan / cos_y - sin
    c, d = sin_less / cos_y, -sin_less * tan / cos_y + cos
    rr, rc, cr, cc = a / scale, -c / scale, -b / scale, d / scale
    y, x = (size[0] - 1) / 2, (size[1] - 1) / 2
    return Maps(
        rr, rc, y - rr * (y + down) - rc * (x + right), cr, cc, x - cr * (y + down) - cc * (x + right)
    )


class RandomHorizontalFlip:
    """Left and right exchanged with a probability. With 1/2 it is `RandomFlip`.

    Parameters
    ----------
    p : float

    Raises
    ------
    TypeError, ValueError
        When it is no number from 0 to 1.
    """

    KIND = 1

    def __init__(self, p: float = 0.5) -> None:
        self.p = chance(p)

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip({self.p:g})"

    def maps(self, key: AnyArray, source: Size, out: Size) -> Maps:
        """Of the samples with these keys, from pictures of the size `source` to those of the size `out`."""
        return mirrored(uniform(key, self.KIND, 1)[:, 0] < self.p, source[1])


class ToSize:
    """What gives pictures of one size, whatever they are: base of `Resize` and `CenterCrop`."""

    def __init__(self, size: int | Size) -> None:
        self.size = _size(size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({checks.short(self.size)})"


class Resize(ToSize):
    """The whole picture scaled to a size.

    Parameters
    ----------
    size : int or (int, int)
        Height and width of what comes out.

    Raises
    ------
    TypeError, ValueError
        When it is none.
    """

    def maps(self, key: AnyArray, source: Size, out: Size) -> Maps:
        """Of the samples with these keys, from pictures of the size `source` to those of the size `out`."""
        none = np.zeros(len(key))
        return scaled(none, none, none + source[0], none + source[1], out)


class CenterCrop(ToSize):
    """The middle of the picture, cut out, and not scaled; what it lacks to the size is black.

    Parameters
    ----------
    size : int or (int, int)
        Height and width of what comes out.

    Raises
    ------
    TypeError, ValueError
        When it is none.
    """

    def maps(self, key: AnyArray, source: Size, out: Size) -> Maps:
        """Of the samples with these keys, from pictures of the size `source` to those of the size `out`."""
        none = np.zeros(len(key))
        down, right = (round((side - cut) / 2) for side, cut in zip(source, out, strict=True))
        return identity(len(key))._replace(r=none + down, c=none + right)


class RandomResizedCrop:
    """A part of random area and proportions, scaled to a size.

    Its place is uniform among those inside the picture. Parts that do not fit are drawn again; after ten,
    it is the largest one in the middle with allowed proportions.

    Parameters
    ----------
    size : int or (int, int), optional
        Height and width of what comes out. Default: those of the picture.
    scale : (float, float)
        Least and greatest share of the picture's area.
    ratio : (float, float)
        Least and greatest width / height; the logarithm is uniform.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    KIND = 2

    def __init__(
        self,
        size: int | Size | None = None,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
    ) -> None:
        self.size = None if size is None else _size(size)
        self.scale = limits("scale", scale, 0, 1, open_low=True)
        self.ratio = limits("ratio", ratio, *SCALES)

    def __repr__(self) -> str:
        size = checks.short(self.size)
        return f"RandomResizedCrop({size}, scale={shown(self.scale)}, ratio={shown(self.ratio)})"

    def maps(self, key: AnyArray, source: Size, out: Size) -> Maps:
        """Of the samples with these keys, from pictures of the size `source` to those of the size `out`."""
        u = uniform(key, self.KIND, 2 * TRIES + 2)
        high, wide = sizes(u[:, : 2 * TRIES], source, self.scale, self.ratio)
        fits = (high >= 1) & (high <= source[0]) & (wide >= 1) & (wide <= source[1])
        at, chosen = np.arange(len(key)), fits.argmax(1)
        middle = self._in_the_middle(source)
        high = np.where(fits.any(1), high[at, chosen], middle[0])
        wide = np.where(fits.any(1), wide[at, chosen], middle[1])
        top, left = np.floor(u[:, -2] * (source[0] - high + 1)), np.floor(u[:, -1] * (source[1] - wide + 1))
        top = np.where(fits.any(1), top, (source[0] - middle[0]) // 2)
        left = np.where(fits.any(1), left, (source[1] - middle[1]) // 2)
        return scaled(top, left, high, wide, out)

    def _in_the_middle(self, source: Size) -> Size:
        height, width = source
        if width < self.ratio[0] * height:
            return max(1, min(height, round(width / self.ratio[0]))), width
        if width > self.ratio[1] * height:
            return height, max(1, min(width, round(height * self.ratio[1])))
        return height, width


def sizes(u: AnyArray, source: Size, scale: Limits, ratio: Limits) -> tuple[AnyArray, AnyArray]:
    """Heights and widths, whole float64 (n, tries), of parts of a picture, from (n, 2 tries) in [0, 1)."""
    area = between(u[:, 0::2], scale) * (source[0] * source[1])
    proportion = geometric(u[:, 1::2], ratio)
    return np.rint(np.sqrt(area / proportion)), np.rint(np.sqrt(area * proportion))


class RandomRotation:
    """Turned about its middle; what comes from outside of the picture is black.

    Parameters
    ----------
    degrees : float or (float, float)
        Of the angle, counter-clockwise; one number stands for (-degrees, degrees). At most 360.

    Raises
    ------
    TypeError, ValueError
        When it is none of these.
    """

    KIND = 3

    def __init__(self, degrees: float | Sequence[float]) -> None:
        self.degrees = limits("degrees", degrees, -MOST_DEGREES, MOST_DEGREES, about=0)

    def __repr__(self) -> str:
        return f"RandomRotation({shown(self.degrees)})"

    def maps(self, key: AnyArray, source: Size, out: Size) -> Maps:
        """Of the samples with these keys, from pictures of the size `source` to those of the size `out`."""
        return turned(-between(uniform(key, self.KIND, 1)[:, 0], self.degrees), source)


class RandomAffine:
    """Turned about its middle, shifted, scaled and sheared; what comes from outside is black.

    Parameters
    ----------
    degrees : float or (float, float)
        Of the angle, clockwise; one number stands for (-degrees, degrees). At most 360.
    translate : (float, float), optional
        The most that it is shifted, to both sides, in widths along the rows, in heights along the columns.
    scale : (float, float), optional
        Least and greatest factor, 1/16 to 16.
    shear : float, (float, float) or four of them, optional
        Degrees, at most 80: along rows, between two limits, of which one number stands for both; the other
        two are the limits along columns.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    KIND = 4

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
    ) -> None:
        self.degrees = limits("degrees", degrees, -MOST_DEGREES, MOST_DEGREES, about=0)
        self.translate = None if translate is None else limits("translate", translate, 0, 1, ordered=False)
        self.scale = None if scale is None else limits("scale", scale, *SCALES)
        self.shear = None if shear is None else _shear(shear)

    def __repr__(self) -> str:
        rest = {"translate": self.translate, "scale": self.scale, "shear": self.shear}
        more = [f", {name}={shown(value)}" for name, value in rest.items() if value is not None]
        return f"RandomAffine({shown(self.degrees)}{''.join(more)})"

    def maps(self, key: AnyArray, source: Size, out: Size) -> Maps:
        """Of the samples with these keys, from pictures of the size `source` to those of the size `out`."""
        u = uniform(key, self.KIND, 6).T
        right, down = (
            np.rint(between(each, (-most * side, most * side)))
            for each, most, side in zip(u[1:3], self.translate or (0.0, 0.0), source[::-1], strict=True)
        )
        shear = self.shear or (0.0, 0.0, 0.0, 0.0)
        shears = between(u[4], shear[:2]), between(u[5], shear[2:])
        scale = between(u[3], self.scale or (1.0, 1.0))
        return turned(between(u[0], self.degrees), source, (down, right), scale, shears)


def _shear(shear: Any) -> tuple[float, float, float, float]:
    if isinstance(shear, (tuple, list)) and len(shear) == 4:
        along, across = shear[:2], shear[2:]
        least, most = limits("shear[:2]", along, -MOST_SHEAR, MOST_SHEAR)
        return least, most, *limits("shear[2:]", across, -MOST_SHEAR, MOST_SHEAR)
    return *limits("shear", shear, -MOST_SHEAR, MOST_SHEAR, about=0), 0.0, 0.0


def _size(size: Any) -> Size:
    found = checks.pair("size", size)
    if max(found) > MOST_SIDE:
        raise ValueError(f"size: wanted at most {MOST_SIDE}, got {size}")
    return found
