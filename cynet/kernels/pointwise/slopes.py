"""The parametric ReLU over arrays of any number of dimensions, channels last."""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import prelu as kernels

WIDTH = 64  # floats of a row, about, where channels are fewer
CHUNKS = 64  # work items, at most
CHUNK_FLOATS = 16384  # of a work item, at least


class PReLUPass:
    """The passes of a parametric ReLU over one x float32 (..., channels), or of one slope over any x.

    Design: channels are few compared with a vector, or one slope serves all. So several rows are taken for
    one, with the slopes as often; their sums are added up at the end. How many depends on the shape alone.

    Parameters
    ----------
    x : ndarray of float32
    slope : ndarray of float32 (1,) or (x.shape[-1],)
    """

    def __init__(self, x, slope):
        self.x, self.slope, self.slopes = x, slope, len(slope)
        times, rows = 1, x.size // self.slopes
        while self.slopes * times < WIDTH and rows % (2 * times) == 0 and rows:
            times *= 2
        self.rows = x.reshape(rows // times, self.slopes * times)
        self.wide = np.tile(slope, times)
        least = -(-CHUNK_FLOATS // max(1, self.rows.shape[1]))
        self.each = max(1, least, -(-len(self.rows) // CHUNKS))
        self.chunks = -(-len(self.rows) // self.each)

    @property
    def threads(self):
        return max(1, min(get_num_threads(), self.chunks))

    def output(self):
        y = workspace.empty(self.x.shape)
        kernels.prelu(self.rows, self.wide, y.reshape(self.rows.shape), self.each, self.threads)
        return y

    def input_gradient(self, dy):
        dx = workspace.empty(self.x.shape)
        shape = self.rows.shape
        kernels.prelu_backward(
            self.rows, self.wide, dy.reshape(shape), dx.reshape(shape), self.each, self.threads
        )
        return dx

    def add_slope_gradient(self, dy, grad):
        """Add the gradient of each slope to `grad` (slopes,)."""
        width = self.rows.shape[1]
        partial, total = workspace.empty((self.chunks, width), np.float64), np.empty(width)
        dy = dy.reshape(self.rows.shape)
        kernels.slope_gradient(self.rows, dy, partial, total, self.each, self.threads)
        grad += total.reshape(-1, self.slopes).sum(0).astype(np.float32)
