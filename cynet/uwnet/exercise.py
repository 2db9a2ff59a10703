"""The functions of the course's assignments, on matrices.

x and d are rows x (groups * n): n columns (pixels) of one group (channel) lie together. Statistics and their
gradients are 1 x groups. The names are those of the assignment: m and v are mean and variance, d is dL/dy,
dm dL/dm and dv dL/dv. All of them raise TypeError or ValueError, naming the argument, for
matrices that hold no real numbers or have other shapes.
"""

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array
from cynet.kernels.common import geometry
from cynet.kernels.conv import im2col as columns_kernel
from cynet.kernels.norm import single_steps

from . import planes
from .data import checked_image
from .layers import EPS


def _windows(
    height: int, width: int, size: int, stride: int
) -> tuple[tuple[int, int], tuple[int, int, int, int, int, int, int]]:
    size, stride = checks.integer("size", size, 1), checks.integer("stride", stride, 1)
    (top, left, _, _), out_hw = geometry.window_grid(
        (height, width), (size, size), (stride, stride), geometry.SAME
    )
    return out_hw, (size, size, stride, stride, top, left, get_num_threads())


def im2col(image: Any, size: int, stride: int) -> Array:
    """The windows of an image as columns, zeros outside it.

    Parameters
    ----------
    image : array_like (channels, height, width)
    size, stride : int

    Returns
    -------
    ndarray of float32 (channels * size * size, out_h * out_w)
        Rows in channel, row, column order.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    image = checked_image("image", image)
    channels, height, width = image.shape
    (out_h, out_w), window = _windows(height, width, size, stride)
    pixels = planes.to_channels(image.reshape(1, -1), channels).reshape(1, height, width, channels)
    columns = np.empty((1, out_h, out_w, size * size * channels), np.float32)
    columns_kernel.im2col(pixels, columns, *window)
    taps = columns.reshape(out_h * out_w, size * size, channels)
    return np.ascontiguousarray(taps.transpose(2, 1, 0)).reshape(-1, out_h * out_w)


def col2im(width: int, height: int, channels: int, col: Any, size: int, stride: int) -> Array:
    """The transpose of `im2col`: every entry added to the pixel it came from.

    Parameters
    ----------
    width, height, channels : int
    col : array_like (channels * size * size, out_h * out_w)
    size, stride : int

    Returns
    -------
    ndarray of float32 (channels, height, width)

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or the columns do not fit the image.
    """
    width, height = checks.integer("width", width, 1), checks.integer("height", height, 1)
    channels = checks.integer("channels", channels, 1)
    (out_h, out_w), window = _windows(height, width, size, stride)
    col = planes.matrix("col", col, channels * size * size, out_h * out_w)
    taps = col.reshape(channels, size * size, out_h * out_w).transpose(2, 1, 0)
    columns = np.ascontiguousarray(taps).reshape(1, out_h, out_w, size * size * channels)
    pixels = np.zeros((1, height, width, channels), np.float32)
    columns_kernel.col2im(columns, pixels, *window)
    return planes.to_planes(pixels, 1).reshape(channels, height, width)


def _groups(name: str, groups: int) -> int:
    return checks.integer(name, groups, 1)


def _pixels(name: str, x: Any, groups: int) -> Array:
    pixels = planes.grouped(name, x, groups)
    if len(pixels) == 0:
        raise ValueError(f"{name}: wanted at least 1 row, got {np.shape(x)}")
    return pixels


def _statistic(name: str, value: Any, groups: int | None = None) -> AnyArray:
    """A 1 x groups matrix as float64 (groups,)."""
    return planes.matrix(name, value, 1, groups)[0].astype(np.float64)


def _row(values: AnyArray) -> Array:
    return values.astype(np.float32).reshape(1, -1)


def _inverse(v: AnyArray) -> AnyArray:
    return 1 / np.sqrt(v + EPS)


def mean(x: Any, groups: int) -> Array:
    """The mean of each group.

    Parameters
    ----------
    x : array_like (rows, groups * n)
        At least one row.
    groups : int

    Returns
    -------
    ndarray of float32 (1, groups)
    """
    return _row(single_steps.statistics(_pixels("x", x, _groups("groups", groups)))[0])


def variance(x: Any, m: Any, groups: int) -> Array:
    """The biased variance of each group about its mean.

    Parameters
    ----------
    x : array_like (rows, groups * n)
        At least one row.
    m : array_like (1, groups)
    groups : int

    Returns
    -------
    ndarray of float32 (1, groups)
    """
    pixels = _pixels("x", x, _groups("groups", groups))
    centre, spread = single_steps.statistics(pixels)
    return _row(spread + (centre - _statistic("m", m, groups)) ** 2)


def normalize(x: Any, m: Any, v: Any, groups: int) -> Array:
    """(x - m) / sqrt(v + eps), eps being 1e-5.

    Parameters
    ----------
    x : array_like (rows, groups * n)
        At least one row.
    m, v : array_like (1, groups)
    groups : int

    Returns
    -------
    ndarray of float32 (rows, groups * n)
    """
    pixels = _pixels("x", x, _groups("groups", groups))
    m, v = _statistic("m", m, groups), _statistic("v", v, groups)
    return planes.to_planes(single_steps.normalize(pixels, m, _inverse(v), 0.0), len(x))


def delta_mean(d: Any, v: Any) -> Array:
    """dL/dm: the sum of -d / sqrt(v + eps) over each group.

    Parameters
    ----------
    d : array_like (rows, groups * n)
    v : array_like (1, groups)

    Returns
    -------
    ndarray of float32 (1, groups)
    """
    v = _statistic("v", v)
    pixels = _pixels("d", d, _groups("v columns", len(v)))
    return _row(-_inverse(v) * single_steps.gradient_sums(pixels, pixels, np.zeros(len(v)))[0])


def delta_variance(d: Any, x: Any, m: Any, v: Any) -> Array:
    """dL/dv: the sum of -d (x - m) (v + eps)^(-3/2) / 2 over each group.

    Parameters
    ----------
    d, x : array_like (rows, groups * n)
    m, v : array_like (1, groups)

    Returns
    -------
    ndarray of float32 (1, groups)
    """
    m, pixels, gradient = _gradient(d, x, m)
    v = _statistic("v", v, len(m))
    return _row(-0.5 * _inverse(v) ** 3 * single_steps.gradient_sums(pixels, gradient, m)[1])


def delta_batch_norm(d: Any, dm: Any, dv: Any, m: Any, v: Any, x: Any) -> Array:
    """dL/dx: d / sqrt(v + eps) + 2 dv (x - m) / N + dm / N, where N = rows * n.

    Parameters
    ----------
    d : array_like (rows, groups * n)
    dm, dv, m, v : array_like (1, groups)
    x : array_like (rows, groups * n)

    Returns
    -------
    ndarray of float32 (rows, groups * n)
    """
    m, pixels, gradient = _gradient(d, x, m)
    v, dm, dv = (_statistic(name, value, len(m)) for name, value in (("v", v), ("dm", dm), ("dv", dv)))
    count = len(pixels)
    dx = single_steps.input_gradient(pixels, gradient, m, _inverse(v), 2 * dv / count, dm / count)
    return planes.to_planes(dx, len(x))


def _gradient(d: Any, x: Any, m: Any) -> tuple[AnyArray, Array, Array]:
    """m (groups,), and the pixels of x and of d, which has its shape."""
    m = _statistic("m", m)
    groups = _groups("m columns", len(m))
    pixels = _pixels("x", x, groups)
    return m, pixels, planes.grouped("d", planes.matrix("d", d, *np.shape(x)), groups)
