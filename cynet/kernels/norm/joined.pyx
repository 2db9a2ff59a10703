"""Passes of batch norm with the sum and the ReLU that follow it; each is given the `NormPass`."""

from cynet.core.workspace cimport empty
from cynet.kernels.norm.batchnorm cimport ADDED, run_normalize
from cynet.kernels.norm.batchnorm_gradient cimport run_gradient_sums
from cynet.kernels.norm.normalization cimport NormPass


def output_add(NormPass stats not None, other):
    """ReLU(batch norm + other)."""
    cdef const float[:, ::1] more = other
    y = empty(stats.shape)
    if more.shape[0]:
        run_normalize(stats.rows, &more[0, 0], stats.table, y, ADDED, stats.each, stats.team())
    return y


def sums_add(NormPass stats not None, dy, y):
    """(sums of dz, dz): dz is dy where y, what `output_add` returned, is above 0."""
    cdef const float[:, ::1] out = y
    cdef float[:, ::1] gated
    partial, dz = stats.room_for_sums(), empty(stats.shape)
    gated = dz
    if out.shape[0]:
        run_gradient_sums(stats.rows, dy, &out[0, 0], &gated[0, 0], stats.table, partial, ADDED, stats.each,
                          stats.team())
    return partial, dz
