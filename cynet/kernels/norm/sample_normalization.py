"""Normalisation by the numbers of one sample: passes over groups of channels, and over rows."""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import team

from . import channels as table
from . import group_norm, layer_norm
from .normalization import chunk_rows

CHUNK_FLOATS = 16384  # of a work item, about
WORK = 8  # operations for each number of a pass, about, by which threads are counted


class GroupNormPass:
    """Group normalisation of x float32 (samples, pixels, channels): what its passes over memory share.

    Parameters
    ----------
    x : ndarray of float32
    groups : int
        A divisor of the channels.
    weight, bias : ndarray of float32 (channels,), or empty
    eps : float
    """

    def __init__(self, x, groups, weight, bias, eps):
        self.x, self.weight = x, weight
        samples, pixels, channels = x.shape
        runs = max(1, CHUNK_FLOATS // (channels * table.RUN))
        self.each = runs * table.RUN
        self.chunks = max(1, -(-pixels // self.each))
        self.terms = np.empty((samples, table.TERMS, channels), np.float32)
        self.state = np.empty((samples, table.STATE, groups))
        if x.size:
            group_norm.statistics(
                x, weight, bias, eps, self._partial(), self.state, self.terms, self.each, self.threads
            )

    @property
    def threads(self):
        """Asked for at each pass: between forward and backward the number may change, or a fork may lie."""
        return max(1, min(team(WORK * self.x.size), len(self.x) * self.chunks))

    def _partial(self):
        shape = len(self.x) * self.chunks, table.SUMS, self.x.shape[2]
        return workspace.empty(shape, np.float64)

    def output(self):
        y = workspace.empty(self.x.shape)
        if y.size:
            group_norm.normalize(self.x, self.terms, y, self.each, self.threads)
        return y

    def gradients(self, dy, weight_grad, bias_grad, wants_dx):
        """Add to the parameters' gradients, or to none where one is empty; dx in a new array, or None."""
        dx = workspace.empty(self.x.shape) if wants_dx else None
        if not dy.size or not (wants_dx or weight_grad.size or bias_grad.size):
            return dx
        partial = self._partial()
        group_norm.gradient_sums(self.x, dy, self.terms, partial, self.each, self.threads)
        group_norm.gradient_terms(
            partial, self.state, self.weight, weight_grad, bias_grad, self.x.shape[1], self.terms
        )
        if wants_dx:
            group_norm.input_gradient(self.x, dy, self.terms, dx, self.each, self.threads)
        return dx


class LayerNormPass:
    """Layer normalisation of x float32 (rows, width): what its passes over memory share.

    Parameters
    ----------
    x : ndarray of float32
    weight, bias : ndarray of float32 (width,), or empty
    eps : float
    """

    def __init__(self, x, weight, bias, eps):
        self.x, self.weight, self.bias, self.eps = x, weight, bias, eps
        rows, width = x.shape
        self.state = np.empty((rows, layer_norm.KEPT), np.float32)
        self.each = max(1, CHUNK_FLOATS // width)

    def threads(self, items):
        """Asked for at each pass, as of `GroupNormPass`."""
        return max(1, min(team(WORK * self.x.size), items))

    def output(self):
        """Takes the statistics on the way."""
        y, most = workspace.empty(self.x.shape), self.threads(-(-len(self.x) // self.each))
        if y.size:
            layer_norm.normalize(self.x, self.weight, self.bias, self.eps, self.state, y, self.each, most)
        return y

    def gradients(self, dy, weight_grad, bias_grad, wants_dx):
        """As of `GroupNormPass`."""
        dx = workspace.empty(self.x.shape) if wants_dx else None
        if not dy.size:
            return dx
        rows, width = self.x.shape
        if weight_grad.size or bias_grad.size:
            each = chunk_rows(rows, width)
            partial = workspace.empty((-(-rows // each), table.SUMS, width), np.float64)
            most = self.threads(len(partial) * layer_norm.bands(width))
            layer_norm.column_sums(self.x, dy, self.state, partial, weight_grad, bias_grad, each, most)
        if wants_dx:
            most = self.threads(-(-rows // self.each))
            layer_norm.input_gradient(self.x, dy, self.weight, self.state, dx, self.each, most)
        return dx
