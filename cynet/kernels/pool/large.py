"""Max-pooling by windows of many cells, or of cells apart: the arrays that its kernel takes besides."""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import large_max_pool


def winners(shape):
    """Room for the winners of outputs of `shape` (N, out height, out width, C): int32, not initialised."""
    return workspace.empty(shape).view(np.int32)


def forward(x, y, winner, *window):
    """y = the greatest of each window of x, and its pixel's number in the image (-Inf and -1 without one).

    Parameters
    ----------
    x : ndarray of float32, (N, H, W, C)
    y : ndarray of float32, (N, out height, out width, C)
    winner : ndarray of int32, shape of y
    window : int
        Kernel height and width, vertical and horizontal stride, padding above and to the left, vertical and
        horizontal distance of a window's cells.

    Raises
    ------
    ValueError
        When an image has more pixels than 32 bits can number.
    """
    pixels, most = x.shape[1] * x.shape[2], large_max_pool.MOST_PIXELS
    if pixels > most:
        raise ValueError(f"x: wanted at most {most} pixels, got {x.shape[1]} x {x.shape[2]}")
    threads = get_num_threads()
    scratch = threads, x.shape[2] * x.shape[3]
    large_max_pool.large_max_pool(x, y, winner, *window, workspace.empty(scratch), winners(scratch), threads)


def backward(dy, winner, dx):
    """dx = the sum of dy over the windows that the pixel won."""
    large_max_pool.large_max_pool_backward(dy, winner, dx, get_num_threads())
