"""Rows of a table by their numbers, and the way back.

Design: the table's gradient is a sum over all that took a row, in their order; work items are columns of the table,
so each number of it is one item's, and the sum has one order for any number of threads.
"""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport team
from cynet.kernels.common.simd cimport copy_run, load_wide, store_wide, VL

cdef enum:
    COLUMNS = 64        # of a work item
    ROWS = 256          # that one item copies


def rows(
    const long long[::1] numbers not None,  # in: (count,), each from 0 to the table's rows
    const float[:, ::1] table not None,     # in: (rows, width), not empty
    float[:, :] out not None,               # out: (count, width), each row in one piece
    int threads,
):
    """out[i] = table[numbers[i]]."""
    cdef Py_ssize_t count = numbers.shape[0], width = table.shape[1], row = out.strides[0] // 4, i
    if count == 0:
        return
    cdef const long long *n = &numbers[0]
    cdef const float *t = &table[0, 0]
    cdef float *to = &out[0, 0]
    for i in prange((count + ROWS - 1) // ROWS, nogil=True, num_threads=team(count * width, threads),
                    schedule="static"):
        copy_rows(n + i * ROWS, t, to + i * ROWS * row, row, min(ROWS, count - i * ROWS), width)


cdef void copy_rows(const long long *numbers, const float *table, float *out, Py_ssize_t row, Py_ssize_t count,
                    Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        copy_run(out + i * row, table + numbers[i] * width, width)


def add_rows(
    const long long[::1] numbers not None,  # in: (count,), each from 0 to the table's rows
    const float[:, :] dy not None,          # in: (count, width), each row in one piece
    float[:, ::1] grad not None,            # inout: (rows, width), not empty, added to
    int threads,
):
    """grad[numbers[i]] += dy[i], in the order of i."""
    cdef Py_ssize_t count = numbers.shape[0], width = grad.shape[1], row = dy.strides[0] // 4, i
    if count == 0:
        return
    cdef const long long *n = &numbers[0]
    cdef const float *d = &dy[0, 0]
    cdef float *to = &grad[0, 0]
    for i in prange((width + COLUMNS - 1) // COLUMNS, nogil=True, num_threads=team(count * width, threads),
                    schedule="static"):
        add_columns(n, d + i * COLUMNS, row, to + i * COLUMNS, count, width, min(COLUMNS, width - i * COLUMNS))


cdef void add_columns(const long long *numbers, const float *dy, Py_ssize_t row, float *grad, Py_ssize_t count,
                      Py_ssize_t width, Py_ssize_t columns) noexcept nogil:
    cdef Py_ssize_t i, c
    cdef float *sums
    for i in range(count):
        sums, c = grad + numbers[i] * width, 0
        while c < columns:
            store_wide(sums + c, load_wide(sums + c, columns - c) + load_wide(dy + i * row + c, columns - c),
                       columns - c)
            c += VL
