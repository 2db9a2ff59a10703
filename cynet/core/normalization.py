"""Batch normalisation of rows x channels: what BatchNorm1d and BatchNorm2d share with the course's functions.

The statistics are float64; the kernels take each mean as two floats, high + low, so that the rounding of a
large mean does not reach the output.
"""

import numpy as np

from cynet.kernels import batchnorm

from . import workspace
from .threads import get_num_threads

RUN = 32  # rows that a kernel sums at a time
CHUNKS = 64  # work items, at most


def chunk_rows(rows, channels):
    """Rows of a work item: a function of the shape alone, at least about 16 KB and whole runs."""
    least = max(RUN, 4096 // max(channels, 1))
    each = max(least, -(-rows // CHUNKS))
    return -(-each // RUN) * RUN


def _threads(rows, each):
    return min(get_num_threads(), max(1, -(-rows // each)))


def chunks(rows, channels):
    """(partial sums, rows of a chunk, threads) for the kernels of batchnorm_step."""
    each = chunk_rows(rows, channels)
    return workspace.empty((-(-rows // each), 2, channels), np.float64), each, _threads(rows, each)


def statistics(x):
    """(mean, biased variance), float64 (channels,), of x float32 (rows, channels) with at least one row."""
    rows, channels = x.shape
    each = chunk_rows(rows, channels)
    mean, variance = np.empty((2, channels))
    partial = workspace.empty((-(-rows // each), 2, channels), np.float64)
    batchnorm.statistics(x, partial, mean, variance, each, _threads(rows, each))
    return mean, variance


def mean_terms(mean, count):
    """float32 (count, channels) whose first two rows are the mean's high and low part."""
    terms = np.zeros((count, len(mean)), np.float32)
    terms[0] = mean
    np.subtract(mean, terms[0], out=terms[1], casting="unsafe", where=np.isfinite(mean))
    return terms


def normalize(x, mean, scale, shift):
    """(x - mean) * scale + shift of x float32 (rows, channels)."""
    terms = mean_terms(mean, 4)
    terms[2], terms[3] = scale, shift
    y = workspace.empty(x.shape)
    each = chunk_rows(*x.shape)
    batchnorm.normalize(x, terms, y, each, _threads(len(x), each))
    return y


def gradient_sums(x, dy, mean):
    """float64 (2, channels): the sums over rows of dy and of dy * (x - mean)."""
    rows, channels = x.shape
    sums = np.zeros((2, channels))
    if rows:
        each = chunk_rows(rows, channels)
        partial = workspace.empty((-(-rows // each), 2, channels), np.float64)
        batchnorm.gradient_sums(x, dy, mean_terms(mean, 2), partial, sums, each, _threads(rows, each))
    return sums


def input_gradient(x, dy, mean, of_dy, of_x, constant):
    """of_dy * dy + of_x * (x - mean) + constant, each factor one number a channel."""
    terms = mean_terms(mean, 5)
    terms[2], terms[3], terms[4] = of_dy, of_x, constant
    dx = workspace.empty(x.shape)
    each = chunk_rows(*x.shape)
    batchnorm.input_gradient(x, dy, terms, dx, each, _threads(len(x), each))
    return dx


def add_channel_sums(x, out):
    """Add the sum over the rows of x float32 (rows, channels) to out (channels,): a bias's gradient."""
    rows, channels = x.shape
    each = chunk_rows(rows, channels)
    partial = workspace.empty((-(-rows // each), channels), np.float64)
    batchnorm.channel_sums(x, partial, out, each, _threads(rows, each))
