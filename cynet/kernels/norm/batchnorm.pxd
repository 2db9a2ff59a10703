"""Batch norm's forward pass, and its chunks for the kernels that fuse them with others."""

from cynet.kernels.common.simd cimport vf, vgate
from cynet.kernels.norm.channels cimport View

cdef extern from "vmath.h" nogil:
    vf vrelu6(vf x)
    vf vrelu6_slope(vf x, vf dy)

cpdef enum:
    PLAIN = 0       # batch norm alone
    RELU = 1        # a ReLU follows; backward makes its mask from x again
    ADDED = 2       # something is added, then a ReLU; backward takes its mask from y
    RELU6 = 6       # a ReLU6 follows; as with RELU

cdef void normalize(const float[:, ::1] x, const float *other, const float[:, ::1] terms, float[:, ::1] y, int mode,
                    Py_ssize_t chunk_rows, int threads) noexcept

cdef void normalize_view(const float *x, const float *other, View v, const float *terms, float *y,
                         int mode) noexcept nogil


cdef inline vf pre_activation(vf centred, vf scale, vf shift) noexcept nogil:
    return centred * scale + shift


cdef inline vf bent(vf x, int mode) noexcept nogil:
    """What follows batch norm, and the sum."""
    if mode == PLAIN:
        return x
    return vrelu6(x) if mode == RELU6 else vgate(x, x)


cdef inline vf gated(vf x, vf dy, int mode) noexcept nogil:
    """dy of that, where x went through: RELU or RELU6."""
    return vrelu6_slope(x, dy) if mode == RELU6 else vgate(x, dy)
