"""Passes of batch norm with the sum and the ReLU that follow it; each is given the `NormPass`."""

from cynet.core.workspace cimport empty
from cynet.kernels.norm.batchnorm cimport ADDED, normalize
from cynet.kernels.norm.batchnorm_gradient cimport gradient_sums
from cynet.kernels.norm.normalization cimport NormPass


def output_add(
    NormPass stats not None,
    const float[:, ::1] more not None,  # in: (rows, channels)
):
    """ReLU(batch norm + more)."""
    y = empty(stats.shape)
    if more.shape[0]:
        normalize(stats.rows, &more[0, 0], stats.table, y, ADDED, stats.each, stats.team())
    return y


def sums_add(
    NormPass stats not None,
    const float[:, ::1] dy not None,    # in: (rows, channels)
    const float[:, ::1] out not None,   # in: what `output_add` returned
    dz=None,
):
    """(sums of dz, dz): dz is dy where the output is above 0, in a new array, or in the one given, which may be dy."""
    cdef float[:, ::1] gated
    partial, dz = stats.room_for_sums(), empty(stats.shape) if dz is None else dz
    gated = dz
    if out.shape[0]:
        gradient_sums(stats.rows, dy, &out[0, 0], &gated[0, 0], stats.table, partial, ADDED, stats.each, stats.team())
    return partial, dz
