"""The arithmetic of quantised nets: real factors as whole numbers, rounded as TFLite Micro has it.

Design: a real factor is m * 2**(shift - 31) with m a whole number of 31 bits (`multiplier`), and a product
with it is rounded twice (`times`): to 32 bits, halves upward, then by the shift, halves away from zero.
These are SaturatingRoundingDoublingHighMul and RoundingDivideByPOT of gemmlowp (Jacob et al. 2017, arXiv
1712.05877, section 2.2), which TFLite Micro uses unless it is built for single rounding.
"""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

LOWEST, HIGHEST = -128, 127  # of eight bits
LEAST_SHIFT = -31
MOST = 2**31 - 1


def multiplier(factor: float) -> tuple[int, int]:
    """(m, shift) of a real factor, which is m * 2**(shift - 31) but for rounding.

    Parameters
    ----------
    factor : float
        Finite; below 2**30.

    Returns
    -------
    m : int
        0, or of 31 bits, with the sign of the factor.
    shift : int
        From -31 to 30.
    """
    if factor == 0:
        return 0, 0
    fraction, shift = frexp(factor)
    whole = round(abs(fraction) * 2**31)  # of a half the even one, which a fraction of 53 bits hardly has
    if whole == 2**31:
        whole, shift = whole // 2, shift + 1
    if shift < LEAST_SHIFT:
        return 0, 0
    return (whole if fraction > 0 else -whole), shift


def multipliers(factors: Any) -> tuple[AnyArray, AnyArray]:
    """`multiplier` of several: two arrays of int32."""
    pairs = [multiplier(float(one)) for one in np.asarray(factors).reshape(-1)]
    m, shift = np.array(pairs, np.int32).reshape(-1, 2).T
    return np.ascontiguousarray(m), np.ascontiguousarray(shift)


def times(x: AnyArray, m: Any, shift: Any) -> AnyArray:
    """Whole numbers times real factors, rounded as above.

    Parameters
    ----------
    x : ndarray of int64
        Of 32 bits. Where the shift is above 0 they are clipped first, so that x 2**shift is of 32 bits, too.
    m, shift : int or ndarray of int
        One, or one for each number of the last axis.

    Returns
    -------
    ndarray of int64
    """
    m, shift = np.asarray(m, np.int64), np.asarray(shift, np.int64)
    left = np.maximum(shift, 0)
    most = np.int64(MOST) >> left
    product = (np.clip(x, -most, most) << left) * m
    high = (product + (1 << 30)) >> 31
    right = np.maximum(-shift, 0)
    mask = (np.int64(1) << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def divided(total: AnyArray, count: AnyArray) -> AnyArray:
    """Sums divided by counts, rounded half away from zero."""
    half = count // 2
    return np.where(total >= 0, (total + half) // count, -((half - total) // count))


def clamped(x: AnyArray, low: int = LOWEST, high: int = HIGHEST) -> AnyArray:
    return np.clip(x, low, high).astype(np.int8)
