"""Batch normalisation of rows x channels: how rows are cut into chunks, and the passes of both layers.

The statistics are float64; the kernels take each mean as two floats, high + low, so that the rounding of a
large mean does not reach the output.
"""

from functools import lru_cache

import numpy as np

from cynet.core.threads import get_num_threads

from . import channels as table

from cynet.core.workspace cimport empty
from cynet.kernels.norm.batchnorm cimport PLAIN, normalize
from cynet.kernels.norm.batchnorm_gradient cimport gradient_sums, input_gradient
from cynet.kernels.norm.batchnorm_statistics cimport batch_terms, fixed_terms, gradient_terms
from cynet.kernels.norm.channel_sums cimport add_sums
from cynet.kernels.norm.channels cimport STATE, TERMS

CHUNKS = 64  # work items, at most
CHUNK_FLOATS = 4096  # of a work item, at least
cdef object FLOAT64 = np.float64


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


cdef class NormPass:
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

    def __init__(self, x not None, terms, state, bint of_batch=False):
        self.x, self.terms, self.state, self.of_batch = x, terms, state, of_batch
        self.rows, self.table, self.numbers = x, terms, state
        self.shape = self.rows.shape[0], self.rows.shape[1]
        self.each, self.most, self.sums_shape = cut(*self.shape)

    @property
    def threads(self):
        """Asked for at each pass: between forward and backward the number may change, or a fork may lie."""
        return self.team()

    cdef int team(self) except -1:
        return min(<int>get_num_threads(), self.most)

    cdef object room_for_sums(self):
        """float64 (chunks, SUMS, channels), not initialised."""
        return empty(self.sums_shape, FLOAT64)

    @staticmethod
    def of(
        x not None,
        const float[::1] weight not None,       # in: (channels,); empty: 1
        const float[::1] bias not None,         # in: (channels,); empty: 0
        running_mean not None, running_var not None,    # float32 (channels,), which training alone writes to
        double eps, double momentum, bint training,
    ):
        """With the batch's statistics in training, which then move the running ones, or else with these."""
        cdef Py_ssize_t channels = x.shape[1]
        cdef NormPass new = NormPass(x, empty((TERMS, channels)), empty((STATE, channels), FLOAT64), training)
        if training:
            batch_terms(
                new.rows, weight, bias, running_mean, running_var, eps, momentum, new.room_for_sums(), new.numbers,
                new.table, new.each, new.team(),
            )
        else:
            fixed_terms(running_mean, running_var, weight, bias, eps, new.numbers, new.table)
        return new

    def output(self, int mode=PLAIN):
        """Normalised, and bent as `mode` says: PLAIN, RELU or RELU6 of `batchnorm`."""
        y = empty(self.shape)
        normalize(self.rows, NULL, self.table, y, mode, self.each, self.team())
        return y

    def sums(
        self,
        const float[:, ::1] dy not None,        # in: (rows, channels)
        int mode=PLAIN,
    ):
        """float64 (chunks, SUMS, channels): of dy and of dy * (x - mean), by chunk of rows."""
        partial = self.room_for_sums()
        gradient_sums(self.rows, dy, NULL, NULL, self.table, partial, mode, self.each, self.team())
        return partial

    def finish(
        self,
        const double[:, :, ::1] partial not None,   # in: what `sums` returned
        const float[::1] weight not None,       # in: (channels,); empty: 1
        float[::1] weight_grad not None,        # inout: (channels,), added to; empty: nobody wants it
        float[::1] bias_grad not None,          # inout: as `weight_grad`
    ):
        """Make a, b and c of the sums, and add to the gradients of the parameters."""
        gradient_terms(
            partial, self.numbers, weight, weight_grad, bias_grad, self.shape[0], self.of_batch, self.table
        )

    def input_gradient(
        self,
        const float[:, ::1] dy not None,        # in: (rows, channels)
        int mode=PLAIN,
        dx=None,
    ):
        """In a new array, or in `dx`, which may be dy."""
        dx = empty(self.shape) if dx is None else dx
        input_gradient(self.rows, dy, self.table, dx, mode, self.each, self.team())
        return dx


def add_channel_sums(
    const float[:, ::1] x not None,     # in: (rows, channels)
    float[::1] out not None,            # inout: (channels,), added to
):
    """Add the sum over the rows of x to out: a bias's gradient."""
    cdef Py_ssize_t channels = x.shape[1]
    each, most, (chunks, *_) = cut(x.shape[0], channels)
    add_sums(x, empty((chunks, channels), FLOAT64), out, each, min(get_num_threads(), most))
