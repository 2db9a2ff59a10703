"""shapes10: ten classes of 32x32 colour pictures made by code, so that training needs no download.

Five shapes, each plain or striped, in bright colours, tilted, of many sizes and places, over darker grounds
with stripes of their own, with small distractors under the shape and noise over all. A linear model gets
about 31 % right; a small convolutional net learns it within a minute.

Design: every number comes from the raw bits of a Philox generator and from + - * / and comparisons of
float32, which are exact to the last bit on every platform; angles are rational points of the circle. The
pictures are therefore the same everywhere.
"""

from typing import Any

import numpy as np

from cynet.core.types import AnyArray
from cynet.data.dataset import ArrayDataset, checked_split
from cynet.data.registry import dataset

SIDE = 32
SHAPES = ("disc", "square", "triangle", "cross", "ring")
CLASSES = tuple(f"{texture} {shape}" for shape in SHAPES for texture in ("plain", "striped"))
COUNTS = {"train": 20_000, "test": 4_000}
KEYS = {"train": 1, "test": 2}
DISTRACTORS = 3
TILT = 0.2  # of a right angle's parameter: about 23 degrees
NOISE = 24  # grey levels, up or down
CHUNK = 500  # pictures at a time: their planes stay in the cache


@dataset(order=1, embedded=True)
class Shapes10(ArrayDataset):
    """The embedded data set: 20,000 + 4,000 pictures, as many of each class.

    Parameters
    ----------
    root : object
        Not used; it is here so that every data set is made alike.
    split : {"train", "test"}

    Raises
    ------
    ValueError
        When the split is none of these.
    """

    def __init__(self, root: Any = None, split: str = "train") -> None:
        count = COUNTS[checked_split(split)]
        bits = np.random.Philox(key=[10, KEYS[split]])
        parts = [_pictures(bits, np.arange(start, start + CHUNK) % 10) for start in range(0, count, CHUNK)]
        super().__init__(np.concatenate(parts), np.arange(count) % 10, CLASSES)


class _Draw:
    """Random numbers for `n` pictures at a time."""

    def __init__(self, bits: Any, n: int) -> None:
        self.bits, self.n = bits, n

    def integer(self, low: int, high: int, *shape: int) -> AnyArray:
        """int32 (n, *shape), low to high, both possible."""
        raw = self.bits.random_raw(self.n * int(np.prod(shape)))
        return (
            (low + (raw >> np.uint64(32)) % np.uint64(high - low + 1))
            .astype(np.int32)
            .reshape(self.n, *shape)
        )

    def real(self, low: float, high: float) -> AnyArray:
        """float32 (n, 1, 1) in steps of 1/1024."""
        steps = self.integer(0, 1024).astype(np.float32) / np.float32(1024)
        return (np.float32(low) + np.float32(high - low) * steps)[:, None, None]

    def chance(self) -> AnyArray:
        """bool (n, 1, 1), each with probability 1/2."""
        return self.integer(0, 1)[:, None, None] == 1

    def turn(self, most: float) -> tuple[AnyArray, AnyArray]:
        """(cosine, sine), each float32 (n, 1, 1), of the angle whose half has a tangent up to most.

        1 gives a right angle, and so every direction of a line.
        """
        t, one = self.real(-most, most), np.float32(1)
        return (one - t * t) / (one + t * t), np.float32(2) * t / (one + t * t)

    def colour(self, low: int, high: int) -> AnyArray:
        """uint8 (n, 3, 1, 1), each channel from low to high."""
        return self.integer(low, high, 3).astype(np.uint8)[:, :, None, None]


def _pictures(bits: Any, labels: AnyArray) -> AnyArray:
    """uint8 (n, 3, 32, 32) for n labels."""
    draw = _Draw(bits, len(labels))
    x = np.arange(SIDE, dtype=np.float32)[None, None]  # (1, 1, 32): together they are planes late
    y = x.transpose(0, 2, 1)
    shape, striped = labels[:, None, None] // 2, labels[:, None, None] % 2 == 1
    ground = draw.colour(0, 150)
    pictures = _painted(ground, _stripes(draw, x, y), ground + draw.colour(0, 40))
    for _ in range(DISTRACTORS):
        colour = draw.colour(0, 255)
        near_x, near_y = np.abs(x - draw.real(0, SIDE)), np.abs(y - draw.real(0, SIDE))
        size, radius = draw.real(1, 4), draw.real(1, 4)
        spot = np.where(draw.chance(), near_x + near_y < radius, (near_x < size) & (near_y < radius))
        pictures = _painted(pictures, spot, colour)
    size = draw.real(7, 12)
    dx, dy = x - draw.real(11, 20), y - draw.real(11, 20)
    cosine, sine = draw.turn(TILT)
    u, v = (dx * cosine + dy * sine) / size, (dy * cosine - dx * sine) / size
    inside = _inside(u, v, shape)
    colour = draw.colour(120, 255)
    colour = _painted(colour, striped & _stripes(draw, x, y), colour - draw.colour(60, 120))
    pictures = _painted(pictures, inside, colour)
    noise = draw.bits.random_raw(pictures.size // 8).view(np.uint8).reshape(pictures.shape)
    noisy = noise.astype(np.int16) * (2 * NOISE + 1) >> 8
    noisy += pictures
    return (np.clip(noisy, NOISE, 255 + NOISE, out=noisy) - NOISE).astype(np.uint8)


def _painted(under: AnyArray, where: AnyArray, over: AnyArray) -> AnyArray:
    """`under`, and `over` where it is asked for: as NumPy's `where`, which is slower by far."""
    mask = -where.view(np.uint8)[:, None]  # 0 or 255
    return under ^ ((under ^ over) & mask)


def _stripes(draw: _Draw, x: AnyArray, y: AnyArray) -> AnyArray:
    """bool (n, 32, 32): every other band of 2 to 3 pixels, in any direction."""
    cosine, sine = draw.turn(1)
    width = draw.real(2, 3)
    band = x * cosine + y * sine
    band /= width
    band += draw.real(0, 2)
    return (np.floor(band, out=band).astype(np.int32) & 1).astype(bool)


def _inside(u: AnyArray, v: AnyArray, shape: AnyArray) -> AnyArray:
    """bool: whether (u, v), in units of the shape's size, lies in the shape of that number."""
    a, b = np.abs(u), np.abs(v)
    square = u * u + v * v
    f = np.float32
    forms = [
        square < f(0.81),
        np.maximum(a, b) < f(0.8),
        (v > f(-0.6)) & (f(1.7) * a + v < f(1.1)),
        (np.minimum(a, b) < f(0.3)) & (np.maximum(a, b) < f(1)),
        (square < f(1)) & (square > f(0.36)),
    ]
    return np.logical_or.reduce([form & (shape == number) for number, form in enumerate(forms)])
