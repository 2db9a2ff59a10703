"""What the time steps of recurrent layers share."""

from cynet.kernels.common.simd cimport VL, vf

cdef extern from "recurrent.h" nogil:
    void gates_product(Py_ssize_t gates, Py_ssize_t rows, const float *a, Py_ssize_t a_row, const float *b,
                       Py_ssize_t steps, float *c)
    vf gate_tanh(vf x)
    Py_ssize_t product_width(Py_ssize_t lanes)
    void product(Py_ssize_t width, Py_ssize_t rows, const float *a, Py_ssize_t a_row, Py_ssize_t a_step,
                 const float *b, Py_ssize_t b_step, Py_ssize_t steps, float *c, Py_ssize_t c_row, int add)

cdef enum:
    PART = 256          # terms that are summed at a time, backward
    LEAST_ROWS = 8      # of a work item
    MOST_ROWS = 64
    PARTS = 4           # that a batch is cut into, unless these bounds say otherwise


cdef inline Py_ssize_t chunk_rows(Py_ssize_t batch) noexcept nogil:
    """The rows of a work item."""
    cdef Py_ssize_t rows = (batch + PARTS - 1) // PARTS
    rows = (rows + LEAST_ROWS - 1) // LEAST_ROWS * LEAST_ROWS
    return max(LEAST_ROWS, min(MOST_ROWS, rows))


cdef inline Py_ssize_t pitch(Py_ssize_t floats) noexcept nogil:
    """The distance of rows in scratch: whole vectors, and one more, so that rows do not meet in the cache."""
    return (floats + 2 * VL - 1) // VL * VL
