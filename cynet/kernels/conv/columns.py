"""im2col and col2im as functions of arrays, to be seen and played with."""

from cynet.core import checks, workspace
from cynet.core.threads import get_num_threads
from cynet.core.types import Array, Shape
from cynet.kernels.common import geometry

from . import im2col as kernel


def im2col(
    x: Array,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, ...] | str = 0,
) -> Array:
    """The column matrix of a convolution: what lies under the window at each of its places.

    Parameters
    ----------
    x : ndarray of float32 (N, H, W, C)
    kernel_size, stride : int or (vertical, horizontal)
    padding : int, (vertical, horizontal), (top, left, bottom, right) or "same"
        As for `Conv2d`; cells outside the image are 0.

    Returns
    -------
    ndarray of float32 (N, out_h, out_w, kernel_h * kernel_w * C)
        The last axis runs over tap rows, tap columns and channels, the last fastest.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, or the kernel larger than the padded image.

    Examples
    --------
    A convolution is a matrix product with the columns:

    >>> w = layer.weight.data.transpose(2, 3, 1, 0).reshape(-1, layer.out_channels)
    >>> y = cynet.im2col(x, 3, padding=1) @ w
    """
    x = checks.float_array("x", x, 4)
    kernel_size, stride = checks.pair("kernel_size", kernel_size), checks.pair("stride", stride)
    padding = geometry.checked_padding(padding)
    sides, (height, width) = geometry.window_grid(x.shape[1:3], kernel_size, stride, padding)
    columns = workspace.empty((x.shape[0], height, width, kernel_size[0] * kernel_size[1] * x.shape[3]))
    kernel.im2col(x, columns, *kernel_size, *stride, *sides[:2], get_num_threads())
    return columns


def col2im(
    columns: Array,
    shape: Shape,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, ...] | str = 0,
) -> Array:
    """The transpose of `im2col`: every entry is added to the pixel that it was copied from.

    Parameters
    ----------
    columns : ndarray of float32 (N, out_h, out_w, kernel_h * kernel_w * C)
    shape : tuple of int
        (N, H, W, C) of the image.
    kernel_size, stride, padding
        As `im2col` was given.

    Returns
    -------
    ndarray of float32 (N, H, W, C)

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, or the columns do not fit the shape.
    """
    columns = checks.float_array("columns", columns, 4)
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"shape: wanted (N, H, W, C), got {shape!r}")
    shape = tuple(checks.integer(f"shape[{i}]", n, 0) for i, n in enumerate(shape))
    if len(shape) != 4:
        raise ValueError(f"shape: wanted (N, H, W, C), got {shape}")
    kernel_size, stride = checks.pair("kernel_size", kernel_size), checks.pair("stride", stride)
    padding = geometry.checked_padding(padding)
    sides, out_hw = geometry.window_grid(shape[1:3], kernel_size, stride, padding)
    wanted = (shape[0], *out_hw, kernel_size[0] * kernel_size[1] * shape[3])
    if columns.shape != wanted:
        raise ValueError(f"columns: wanted shape {wanted}, got {columns.shape}")
    x = workspace.zeros(shape)
    kernel.col2im(columns, x, *kernel_size, *stride, *sides[:2], get_num_threads())
    return x
