"""What a real number is in eight bits: real = scale (q - zero), and how ranges become that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cynet.core.types import AnyArray, Array

from .arithmetic import HIGHEST, LOWEST, clamped

LEAST_SCALE = 1e-30  # of what is always 0
WEIGHTS = 127  # the largest of a weight; -128 is not used, so that both signs have the same range


@dataclass(frozen=True)
class Quantity:
    """The scale of a value.

    Attributes
    ----------
    scale : float
        A number of float32, so that C and Python have the same.
    zero : int
        What 0.0 is.
    """

    scale: float
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> Quantity:
        """That of numbers from `low` to `high`, and 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32(max((high - low) / (HIGHEST - LOWEST), LEAST_SCALE)))
        return cls(scale, int(np.clip(round(LOWEST - low / scale), LOWEST, HIGHEST)))

    def quantized(self, x: Array) -> AnyArray:
        """Real numbers as int8: x / scale in float32, rounded half away from zero; NaN is 0.0."""
        steps = np.asarray(x, np.float32) / np.float32(self.scale)
        steps = np.nan_to_num(np.clip(steps, -1e6, 1e6), nan=0.0)
        whole = np.trunc(steps + np.copysign(np.float32(0.5), steps))
        return clamped(whole.astype(np.int64) + self.zero)

    def real(self, q: AnyArray) -> Array:
        """int8 as float32."""
        found: Array = (q.astype(np.int32) - self.zero).astype(np.float32) * np.float32(self.scale)
        return found


def weights(weight: Array) -> tuple[AnyArray, AnyArray]:
    """(int8, scales float64) of filters, each output channel, the first axis, by itself and symmetric."""
    rows = np.abs(weight.reshape(len(weight), -1).astype(np.float64))
    scales = np.maximum(rows.max(axis=1), LEAST_SCALE) / WEIGHTS
    whole = np.round(weight / scales.reshape(-1, *[1] * (weight.ndim - 1)))
    return np.clip(whole, -WEIGHTS, WEIGHTS).astype(np.int8), scales
