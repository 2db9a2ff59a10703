"""The parts of a weight gradient, for those that walk over tiles themselves."""

from cynet.kernels.conv.lowering cimport Lowering

cdef void add_tile(Lowering g, Py_ssize_t tile, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last,
                   const float *source, const float *dy, float *partial, float *scratch, bint fresh) noexcept nogil
cdef void add_partials(Lowering g, Py_ssize_t item, Py_ssize_t slices, Py_ssize_t chunks,
                       const float *partial, float *dw) noexcept nogil
cdef Py_ssize_t slices_of(Lowering g) noexcept nogil
