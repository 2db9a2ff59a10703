"""One time step at a time, of a few rows: as text is generated.

Design: there are few rows, so the weights are read once for all of them, and reading them is what takes the time. Work
items are blocks of units, each with all rows.
"""

from cython.parallel cimport prange

from cynet.kernels.common.simd cimport VL, copy_run, load_wide, store_wide, vf, vload, vsigmoid
from cynet.kernels.recurrent.steps cimport gate_tanh, gates_product, product, product_width

cdef enum:
    ROWS = 8            # whose sums are made before their gates


def gru_step(
    const float[:, ::1] of_x not None,      # in: (rows, 3 hidden), not empty; the sums with x, with b_ih
    const float[:, ::1] h not None,         # in: (rows, hidden)
    const float[::1] packed not None,       # in: the weights of the state, by `steps.pack`
    const float[::1] first not None,        # in: b_hh, by `steps.pack`
    float[:, ::1] after not None,           # out: (rows, hidden), the state after the step; not h
    int threads,
):
    """One step of gated recurrent units."""
    cdef Py_ssize_t rows = h.shape[0], hidden = h.shape[1], blocks = (hidden + VL - 1) // VL, i
    cdef const float *x = &of_x[0, 0]
    cdef const float *before = &h[0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &first[0]
    cdef float *out = &after[0, 0]
    if threads == 1:
        for i in range(blocks):
            gru_block(x, before, w, b, out, rows, hidden, i * VL)
        return
    for i in prange(blocks, nogil=True, num_threads=threads, schedule="static"):
        gru_block(x, before, w, b, out, rows, hidden, i * VL)


cdef void gru_block(const float *of_x, const float *h, const float *packed, const float *first, float *after,
                    Py_ssize_t rows, Py_ssize_t hidden, Py_ssize_t lane) noexcept nogil:
    cdef float[ROWS * 3 * 16] sums
    cdef const float *x
    cdef float *s
    cdef Py_ssize_t start = 0, r, count, left = hidden - lane
    cdef vf reset, update, new
    while start < rows:
        count = min(ROWS, rows - start)
        for r in range(count):
            copy_run(sums + r * 3 * VL, first + lane * 3, 3 * VL)
        gates_product(3, count, h + start * hidden, hidden, packed + lane * hidden * 3, hidden, sums)
        for r in range(count):
            s, x = sums + r * 3 * VL, of_x + (start + r) * 3 * hidden + lane
            reset = vsigmoid(load_wide(x, left) + vload(s))
            update = vsigmoid(load_wide(x + hidden, left) + vload(s + VL))
            new = gate_tanh(load_wide(x + 2 * hidden, left) + reset * vload(s + 2 * VL))
            store_wide(after + (start + r) * hidden + lane,
                       new + update * (load_wide(h + (start + r) * hidden + lane, left) - new), left)
        start += ROWS


def lstm_step(
    const float[:, ::1] of_x not None,      # in: (rows, 4 hidden), not empty; the sums with x, with b_ih
    const float[:, ::1] h not None,         # in: (rows, hidden)
    const float[:, ::1] c not None,         # in: (rows, hidden), the cells
    const float[::1] packed not None,       # in: the weights of the state, by `steps.pack`
    const float[::1] first not None,        # in: b_hh, by `steps.pack`
    float[:, ::1] after not None,           # out: (rows, hidden), the state after the step; not h
    float[:, ::1] cells not None,           # out: (rows, hidden), the cells after it
    int threads,
):
    """One step of long short-term memory."""
    cdef Py_ssize_t rows = h.shape[0], hidden = h.shape[1], blocks = (hidden + VL - 1) // VL, i
    cdef const float *x = &of_x[0, 0]
    cdef const float *before = &h[0, 0]
    cdef const float *cell = &c[0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &first[0]
    cdef float *out = &after[0, 0]
    cdef float *kept = &cells[0, 0]
    if threads == 1:
        for i in range(blocks):
            lstm_block(x, before, cell, w, b, out, kept, rows, hidden, i * VL)
        return
    for i in prange(blocks, nogil=True, num_threads=threads, schedule="static"):
        lstm_block(x, before, cell, w, b, out, kept, rows, hidden, i * VL)


cdef void lstm_block(const float *of_x, const float *h, const float *cell, const float *packed, const float *first,
                     float *after, float *cells, Py_ssize_t rows, Py_ssize_t hidden, Py_ssize_t lane) noexcept nogil:
    cdef float[ROWS * 4 * 16] sums
    cdef const float *x
    cdef float *s
    cdef Py_ssize_t start = 0, r, count, place, left = hidden - lane
    cdef vf enter, forget, new, out, c
    while start < rows:
        count = min(ROWS, rows - start)
        for r in range(count):
            copy_run(sums + r * 4 * VL, first + lane * 4, 4 * VL)
        gates_product(4, count, h + start * hidden, hidden, packed + lane * hidden * 4, hidden, sums)
        for r in range(count):
            s, x, place = sums + r * 4 * VL, of_x + (start + r) * 4 * hidden + lane, (start + r) * hidden + lane
            enter = vsigmoid(load_wide(x, left) + vload(s))
            forget = vsigmoid(load_wide(x + hidden, left) + vload(s + VL))
            new = gate_tanh(load_wide(x + 2 * hidden, left) + vload(s + 2 * VL))
            out = vsigmoid(load_wide(x + 3 * hidden, left) + vload(s + 3 * VL))
            c = forget * load_wide(cell + place, left) + enter * new
            store_wide(cells + place, c, left)
            store_wide(after + place, out * gate_tanh(c), left)
        start += ROWS


def affine(
    const float[:, ::1] a not None,         # in: (rows, terms), not empty
    const float[::1] packed not None,       # in: a (terms, lanes) matrix, by `matrix.pack`
    const float[::1] bias not None,         # in: (lanes,)
    float[:, ::1] out not None,             # out: (rows, lanes)
    int threads,
):
    """out = a b + bias, for a matrix b that was packed and few rows."""
    cdef Py_ssize_t rows = a.shape[0], terms = a.shape[1], lanes = out.shape[1], i, blocks = (lanes + 31) // 32
    cdef const float *pa = &a[0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &bias[0]
    cdef float *to = &out[0, 0]
    if threads == 1:
        for i in range(blocks):
            affine_block(pa, w, b, to, rows, terms, lanes, i * 32)
        return
    for i in prange(blocks, nogil=True, num_threads=threads, schedule="static"):
        affine_block(pa, w, b, to, rows, terms, lanes, i * 32)


cdef void affine_block(const float *a, const float *packed, const float *bias, float *out, Py_ssize_t rows,
                       Py_ssize_t terms, Py_ssize_t lanes, Py_ssize_t done) noexcept nogil:
    """At most 32 lanes from `done` on; on narrower machines in two blocks."""
    cdef float[ROWS * 32] sums
    cdef Py_ssize_t last = min(lanes, done + 32), width, start, count, r, l
    while done < last:
        width = product_width((lanes - done + 7) // 8 * 8)
        start = 0
        while start < rows:
            count = min(ROWS, rows - start)
            product(width, count, a + start * terms, terms, 1, packed + done * terms, width, terms, sums, width, 0)
            for r in range(count):
                for l in range(min(width, lanes - done)):
                    out[(start + r) * lanes + done + l] = sums[r * width + l] + bias[done + l]
            start += ROWS
        done += width
