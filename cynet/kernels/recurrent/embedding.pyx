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
    float[:, ::1] out not None,             # out: (count, width)
    int threads,
):
    """out[i] = table[numbers[i]]."""
    cdef Py_ssize_t count = numbers.shape[0], width = table.shape[1], i
    if count == 0:
        return
    cdef const long long *n = &numbers[0]
    cdef const float *t = &table[0, 0]
    cdef float *to = &out[0, 0]
    for i in prange((count + ROWS - 1) // ROWS, nogil=True, num_threads=team(count * width, threads),
                    schedule="static"):
        copy_rows(n + i * ROWS, t, to + i * ROWS * width, min(ROWS, count - i * ROWS), width)


cdef void copy_rows(const long long *numbers, const float *table, float *out, Py_ssize_t count,
                    Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        copy_run(out + i * width, table + numbers[i] * width, width)


def add_rows(
    const long long[::1] numbers not None,  # in: (count,), each from 0 to the table's rows
    const float[:, ::1] dy not None,        # in: (count, width)
    float[:, ::1] grad not None,            # inout: (rows, width), not empty, added to
    int threads,
):
    """grad[numbers[i]] += dy[i], in the order of i."""
    cdef Py_ssize_t count = numbers.shape[0], width = grad.shape[1], i
    if count == 0:
        return
    cdef const long long *n = &numbers[0]
    cdef const float *d = &dy[0, 0]
    cdef float *to = &grad[0, 0]
    for i in prange((width + COLUMNS - 1) // COLUMNS, nogil=True, num_threads=team(count * width, threads),
                    schedule="static"):
        add_columns(n, d + i * COLUMNS, to + i * COLUMNS, count, width, min(COLUMNS, width - i * COLUMNS))


cdef void add_columns(const long long *numbers, const float *dy, float *grad, Py_ssize_t count, Py_ssize_t width,
                      Py_ssize_t columns) noexcept nogil:
    cdef Py_ssize_t i, c
    cdef float *row
    for i in range(count):
        row, c = grad + numbers[i] * width, 0
        while c < columns:
            store_wide(row + c, load_wide(row + c, columns - c) + load_wide(dy + i * width + c, columns - c),
                       columns - c)
            c += VL
