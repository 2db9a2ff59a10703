"""Random numbers of many samples at once, and what is computed of them: the same on every platform.

Only + - * / and square roots are used, one NumPy operation after another: IEEE 754 leaves these no choice,
while libraries differ in the last bit of sines.
"""

import math
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

EACH = 64  # random numbers that a transform may draw for a sample
EXACT = 2.0**40  # logarithms of limits are rounded to its inverse, which hides a library's last bit


def mix(z: AnyArray) -> AnyArray:
    """One step of SplitMix64 on uint64, as `decode` has it."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def keys(seed: int, epoch: int, indices: AnyArray) -> AnyArray:
    """The key of each sample of an epoch, uint64 (n,): h(h(h(seed) ^ epoch) ^ index)."""
    of_seed = mix(np.array([seed], np.uint64))
    return mix(mix(of_seed ^ np.array([epoch], np.uint64)) ^ indices.astype(np.uint64))


def flipped(flip: int, seed: int, epoch: int, indices: AnyArray) -> AnyArray:
    """Which samples are mirrored, bool (n,), as `decode` draws it: `flip` is 0 (none), 1 (random) or 2
    (alternating)."""
    if flip == 0:
        return np.zeros(len(indices), bool)
    if flip == 1:
        bits = mix(keys(seed, epoch, indices) + np.uint64(1))
    else:
        of_seed = mix(~np.array([seed], np.uint64))
        bits = mix(of_seed ^ indices.astype(np.uint64)) + np.uint64(epoch)
    return bits % np.uint64(2) == 1


def uniform(key: AnyArray, kind: int, count: int) -> AnyArray:
    """float64 (n, count) in [0, 1): 53 bits of h(k + 64 * kind + j); kinds count from 1."""
    offsets = np.uint64(EACH * kind) + np.arange(count, dtype=np.uint64)
    return (mix(key[:, None] + offsets) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def between(u: AnyArray, limits: tuple[float, float]) -> AnyArray:
    """Numbers in [0, 1) spread over a range."""
    low, high = limits
    return low + u * (high - low)


def geometric(u: AnyArray, limits: tuple[float, float]) -> AnyArray:
    """The same, where the logarithm is what is spread."""
    low, high = (round(math.log(limit) * EXACT) / EXACT for limit in limits)
    x = (low + u * (high - low)) / 64
    series = _series(x, range(12, 0, -1))
    for _ in range(6):
        series = series * series
    return series


def _series(x: AnyArray, divisors: Any) -> AnyArray:
    """1 + x/1 (1 + x/2 (1 + ...)), whose last divisor comes first."""
    found = np.ones_like(x)
    for divisor in divisors:
        found = 1 + x / divisor * found
    return found


def cos_sin(degrees: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Cosine and sine of angles in degrees, to 1e-14."""
    quarter = np.rint(degrees / 90)
    x = (degrees - 90 * quarter) * (math.pi / 180)
    square = -x * x
    cos = _series(square, (240, 182, 132, 90, 56, 30, 12, 2))
    sin = x * _series(square, (272, 210, 156, 110, 72, 42, 20, 6))
    turn = quarter.astype(np.int64) & 3
    return np.choose(turn, (cos, -sin, -cos, sin)), np.choose(turn, (sin, cos, -sin, -cos))
