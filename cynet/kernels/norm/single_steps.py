"""Batch norm's statistics, sums and lines, each by itself: for the course's functions."""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import batchnorm_statistics, normalization
from . import channels as table


def statistics(x):
    """(mean, biased variance), float64 (channels,), of x float32 (rows, channels) with at least one row."""
    rows, channels = x.shape
    each, most, shape = normalization.cut(rows, channels)
    mean, variance = np.empty((2, channels))
    partial = workspace.empty(shape, np.float64)
    batchnorm_statistics.statistics(x, partial, mean, variance, each, min(get_num_threads(), most))
    return mean, variance


def mean_terms(mean):
    """The kernels' table of terms, float32 (TERMS, channels): the mean's two rows, zeros below."""
    terms = np.zeros((table.TERMS, len(mean)), np.float32)
    high, low = terms[table.MEAN_HIGH], terms[table.MEAN_LOW]
    high[:] = mean
    np.subtract(mean, high, out=low, casting="unsafe", where=np.isfinite(mean))
    return terms


def normalize(x, mean, scale, shift):
    """(x - mean) * scale + shift of x float32 (rows, channels)."""
    terms = mean_terms(mean)
    terms[table.SCALE], terms[table.SHIFT] = scale, shift
    return normalization.NormPass(x, terms, None).output()


def gradient_sums(x, dy, mean):
    """float64 (2, channels): the sums over rows of dy and of dy * (x - mean)."""
    return normalization.NormPass(x, mean_terms(mean), None).sums(dy).sum(0)


def input_gradient(x, dy, mean, of_dy, of_x, constant):
    """of_dy * dy + of_x * (x - mean) + constant, each factor one number a channel."""
    terms = mean_terms(mean)
    terms[table.OF_DY], terms[table.OF_X], terms[table.CONSTANT] = of_dy, of_x, constant
    return normalization.NormPass(x, terms, None).input_gradient(dy)
