"""Batch normalisation of rows x channels: how rows are cut into chunks, and the passes of both layers.

The statistics are float64; the kernels take each mean as two floats, high + low, so that the rounding of a
large mean does not reach the output.
"""

from functools import lru_cache

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import batchnorm, batchnorm_gradient, batchnorm_statistics, channel_sums
from . import channels as table

CHUNKS = 64  # work items, at most
CHUNK_FLOATS = 4096  # of a work item, at least


def chunk_rows(rows, channels):
    """Rows of a work item: a function of the shape alone, at least about 16 KB and whole runs."""
    least = max(table.RUN, CHUNK_FLOATS // max(channels, 1))
    each = max(least, -(-rows // CHUNKS))
    return -(-each // table.RUN) * table.RUN


@lru_cache(1024)
def cut(rows, channels):
    """(rows of a work item, the most threads that have one, the shape of partial sums)."""
    each = chunk_rows(rows, channels)
    shape = table.partial_shape(rows, channels, each)
    return each, max(1, shape[0]), shape


class NormPass:
    """Batch norm of x float32 (rows, channels): what its passes over memory share.

    Attributes
    ----------
    terms : ndarray of float32 (TERMS, channels)
        The rows up to SHIFT; backward makes the others (`kernels/norm/channels.pxd`).
    state : ndarray of float64 (STATE, channels)
        Mean and inverse deviation.
    held : object
        For the layer that made it: what it was made with.
    """

    held = None

    def __init__(self, x, terms, state, of_batch=False):
        self.x, self.terms, self.state, self.of_batch = x, terms, state, of_batch
        self.each, self.most, self.sums_shape = cut(*x.shape)

    @property
    def threads(self):
        """Asked for at each pass: between forward and backward the number may change, or a fork may lie."""
        return min(get_num_threads(), self.most)

    def room_for_sums(self):
        """float64 (chunks, SUMS, channels), not initialised."""
        return workspace.empty(self.sums_shape, np.float64)

    @classmethod
    def of(cls, x, weight, bias, running_mean, running_var, eps, momentum, training):
        """With the batch's statistics in training, which then move the running ones, or else with these."""
        channels = x.shape[1]
        terms, state = np.empty((table.TERMS, channels), np.float32), np.empty((table.STATE, channels))
        new = cls(x, terms, state, training)
        if training:
            partial = new.room_for_sums()
            batchnorm_statistics.batch_terms(
                x, weight, bias, running_mean, running_var, eps, momentum, partial, new.state, new.terms,
                new.each, new.threads,
            )  # fmt: skip
        else:
            batchnorm_statistics.fixed_terms(
                running_mean, running_var, weight, bias, eps, new.state, new.terms
            )
        return new

    def output(self, mode=batchnorm.PLAIN):
        """Normalised, and bent as `mode` says: PLAIN, RELU or RELU6 of `batchnorm`."""
        y = workspace.empty(self.x.shape)
        batchnorm.normalize(self.x, self.terms, y, mode, self.each, self.threads)
        return y

    def sums(self, dy, mode=batchnorm.PLAIN):
        """float64 (chunks, SUMS, channels): of dy and of dy * (x - mean), by chunk of rows."""
        partial = self.room_for_sums()
        batchnorm_gradient.gradient_sums(self.x, dy, self.terms, partial, mode, self.each, self.threads)
        return partial

    def finish(self, partial, weight, weight_grad, bias_grad):
        """Make a, b and c of the sums, and add to the gradients of the parameters."""
        batchnorm_statistics.gradient_terms(
            partial, self.state, weight, weight_grad, bias_grad, len(self.x), self.of_batch, self.terms
        )

    def input_gradient(self, dy, mode=batchnorm.PLAIN, dx=None):
        """In a new array, or in `dx`, which may be dy."""
        dx = workspace.empty(self.x.shape) if dx is None else dx
        batchnorm_gradient.input_gradient(self.x, dy, self.terms, dx, mode, self.each, self.threads)
        return dx


def add_channel_sums(x, out):
    """Add the sum over the rows of x float32 (rows, channels) to out (channels,): a bias's gradient."""
    rows, channels = x.shape
    each, most, (chunks, *_) = cut(rows, channels)
    partial = workspace.empty((chunks, channels), np.float64)
    channel_sums.channel_sums(x, partial, out, each, min(get_num_threads(), most))
