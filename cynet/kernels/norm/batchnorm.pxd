"""The chunks of batch norm's forward pass, for the kernels that fuse them with others."""

from cynet.kernels.common.simd cimport vf
from cynet.kernels.norm.channels cimport View

cdef enum:
    PLAIN = 0       # batch norm alone
    RELU = 1        # a ReLU follows; backward makes its mask from x again
    ADDED = 2       # something is added, then a ReLU; backward takes its mask from y

cdef void normalize_view(const float *x, const float *other, View v, const float *terms, float *y,
                         int mode) noexcept nogil


cdef inline vf pre_activation(vf centred, vf scale, vf shift) noexcept nogil:
    return centred * scale + shift
