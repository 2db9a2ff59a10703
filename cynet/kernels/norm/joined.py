"""Passes of batch norm with what follows it: a sum and a ReLU, or a ReLU and a max-pool.

Each is given the `NormPass`; `shape` is that of the images, `window` what kernels/pool takes.
"""

import numpy as np

from cynet.core import workspace

from . import batchnorm, batchnorm_gradient, batchnorm_pool

NO_ROWS = np.empty((0, 1), np.float32)


def output_add(stats, other):
    """ReLU(batch norm + other)."""
    y = workspace.empty(stats.x.shape)
    batchnorm.normalize_add(stats.x, other, stats.terms, y, stats.each, stats.threads)
    return y


def sums_add(stats, dy, y):
    """(sums of dz, dz): dz is dy where y, what `output_add` returned, is above 0."""
    partial, dz = stats.room_for_sums(), workspace.empty(dy.shape)
    batchnorm_gradient.gradient_sums_add(stats.x, dy, y, dz, stats.terms, partial, stats.each, stats.threads)
    return partial, dz


def output_pooled(stats, shape, y, winner, window):
    """Write the greatest of each window of ReLU(batch norm), and which one that is."""
    threads = min(stats.threads, max(1, shape[0]))
    room = workspace.empty(batchnorm_pool.room_shape(threads, y.shape, window))
    batchnorm_pool.normalize_pool(stats.x.reshape(shape), stats.terms, y, winner, *window, room, threads)


def sums_pooled(stats, shape, dy, winner, window, keep):
    """(sums, and if `keep` the pool's gradient, or else None)."""
    threads, partial = stats.threads, stats.room_for_sums()
    room = workspace.empty(batchnorm_pool.gradient_room_shape(threads, shape))
    kept = workspace.empty(stats.x.shape) if keep else NO_ROWS
    batchnorm_pool.gradient_sums_pool(
        stats.x.reshape(shape), dy, winner, *window, stats.terms, partial, kept, room, stats.each, threads
    )
    return partial, kept if keep else None
