"""A tile of the pass that forward and input gradient share, for those that walk over tiles themselves."""

from cynet.kernels.conv.lowering cimport Block, Lowering

cdef void convolve_tile(Lowering g, Py_ssize_t item, const float *source, const float *packed,
                        const float *bias, float *out, float *scratch, int relu, bint clear) noexcept nogil
cdef void clip(Lowering g, Block *block, Py_ssize_t row, Py_ssize_t p, Py_ssize_t last) noexcept nogil
