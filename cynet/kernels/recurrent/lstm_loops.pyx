"""The time steps of long short-term memory (Hochreiter and Schmidhuber, 1997), as PyTorch has it, and the way back.

    i, f, o = sigmoid(W x + b + W' h + b')      of each its own W, b, W', b'; h: the state before
    g       = tanh(W x + b + W' h + b')
    c       = f * c' + i * g                    c': the cell before
    y       = o * tanh(c)

Design: as in gru_loops.pyx; `cells` keeps c of every step.
"""

from cython.parallel cimport prange, threadid

from cynet.kernels.common.simd cimport VL, copy_run, load_wide, store_wide, vf, vload, vset, vsigmoid
from cynet.kernels.recurrent.steps cimport PART, chunk_rows, gate_tanh, gates_product, pitch, product, product_width

cdef enum:
    GATES = 4
    ROWS = 12           # whose sums are made before their gates


def scratch_floats(Py_ssize_t batch, Py_ssize_t hidden, int threads):
    """The floats of scratch of both passes."""
    return threads * chunk_rows(batch) * (2 * pitch(hidden) + pitch(GATES * hidden))


def forward(
    float[:, :, ::1] gates not None,    # inout: (batch, length, 4 hidden), not empty; the products with x, no biases
    const float[:, ::1] start not None, # in: (batch, hidden), the state before the first step
    const float[:, ::1] cell not None,  # in: (batch, hidden), the cell before it
    const float[::1] packed not None,   # in: the weights of the state, by `steps.pack`
    const float[::1] first not None,    # in: what the sums with the state begin with, by `steps.pack`
    float[:, :, ::1] cells not None,    # out: (batch, length, hidden)
    float[:, :, ::1] y not None,        # out: (batch, length, hidden)
    float[::1] scratch not None,        # out: (scratch_floats(batch, hidden, threads),)
    int threads,
):
    """All time steps."""
    cdef Py_ssize_t batch = y.shape[0], length = y.shape[1], hidden = y.shape[2], rows = chunk_rows(batch), i
    cdef Py_ssize_t each = rows * (2 * pitch(hidden) + pitch(GATES * hidden)), sequence = length * hidden
    cdef float *g = &gates[0, 0, 0]
    cdef const float *h = &start[0, 0]
    cdef const float *c = &cell[0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &first[0]
    cdef float *kept = &cells[0, 0, 0]
    cdef float *out = &y[0, 0, 0]
    cdef float *own = &scratch[0]
    for i in prange((batch + rows - 1) // rows, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        forward_rows(g + i * rows * GATES * sequence, h + i * rows * hidden, c + i * rows * hidden, w, b,
                     kept + i * rows * sequence, out + i * rows * sequence, min(rows, batch - i * rows), length, hidden,
                     own + threadid() * each)


cdef void forward_rows(float *gates, const float *start, const float *cell, const float *packed, const float *first,
                       float *cells, float *y, Py_ssize_t rows, Py_ssize_t length, Py_ssize_t hidden,
                       float *scratch) noexcept nogil:
    cdef Py_ssize_t t, r, row = pitch(hidden), count, lane, place
    cdef float *now = scratch
    cdef float *then = scratch + rows * row
    cdef float *before
    cdef const float *cell_before
    cdef Py_ssize_t cell_row
    for r in range(rows):
        copy_run(now + r * row, start + r * hidden, hidden)
    for t in range(length):
        lane = 0
        while lane < hidden:
            r = 0
            while r < rows:
                count, place = min(ROWS, rows - r), r * length + t
                cell_before = cell + r * hidden if t == 0 else cells + (place - 1) * hidden
                cell_row = hidden if t == 0 else length * hidden
                step(gates + place * GATES * hidden + lane, length, now + r * row, then + r * row + lane, row,
                     packed + lane * hidden * GATES, first + lane * GATES, cell_before + lane, cell_row,
                     cells + place * hidden + lane, y + place * hidden + lane, count, hidden - lane, hidden)
                r += ROWS
            lane += VL
        before, now, then = now, then, now


cdef void step(float *gates, Py_ssize_t length, const float *h, float *after, Py_ssize_t row, const float *packed,
               const float *first, const float *cell, Py_ssize_t cell_row, float *cells, float *y, Py_ssize_t rows,
               Py_ssize_t left, Py_ssize_t hidden) noexcept nogil:
    """One step of at most ROWS rows and VL units."""
    cdef float[ROWS * GATES * 16] sums
    cdef float *s
    cdef float *g
    cdef Py_ssize_t r
    cdef vf enter, forget, new, out, c, state
    for r in range(rows):
        copy_run(sums + r * GATES * VL, first, GATES * VL)
    gates_product(GATES, rows, h, row, packed, hidden, sums)
    for r in range(rows):
        s, g = sums + r * GATES * VL, gates + r * length * GATES * hidden
        enter = vsigmoid(load_wide(g, left) + vload(s))
        forget = vsigmoid(load_wide(g + hidden, left) + vload(s + VL))
        new = gate_tanh(load_wide(g + 2 * hidden, left) + vload(s + 2 * VL))
        out = vsigmoid(load_wide(g + 3 * hidden, left) + vload(s + 3 * VL))
        c = forget * load_wide(cell + r * cell_row, left) + enter * new
        state = out * gate_tanh(c)
        store_wide(g, enter, left)
        store_wide(g + hidden, forget, left)
        store_wide(g + 2 * hidden, new, left)
        store_wide(g + 3 * hidden, out, left)
        store_wide(cells + r * length * hidden, c, left)
        store_wide(y + r * length * hidden, state, left)
        store_wide(after + r * row, state, left)


def backward(
    float[:, :, ::1] gates not None,        # inout: (batch, length, 4 hidden), not empty; from `forward`. Then gradients
    const float[:, ::1] cell not None,      # in: (batch, hidden), before the first step
    const float[:, :, ::1] cells not None,  # in: (batch, length, hidden), from `forward`
    const float[:, :, ::1] dy not None,     # in: (batch, length, hidden)
    const float[::1] packed not None,       # in: the weights of the state, (4 hidden, hidden), by `matrix.pack`
    float[::1] scratch not None,            # out: (scratch_floats(batch, hidden, threads),)
    int threads,
):
    """In place of i, f, g and o: the gradients to the sums that they are made of."""
    cdef Py_ssize_t batch = dy.shape[0], length = dy.shape[1], hidden = dy.shape[2], rows = chunk_rows(batch), i
    cdef Py_ssize_t each = rows * (2 * pitch(hidden) + pitch(GATES * hidden)), sequence = length * hidden
    cdef float *g = &gates[0, 0, 0]
    cdef const float *c = &cell[0, 0]
    cdef const float *kept = &cells[0, 0, 0]
    cdef const float *w = &packed[0]
    cdef const float *d = &dy[0, 0, 0]
    cdef float *own = &scratch[0]
    for i in prange((batch + rows - 1) // rows, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        backward_rows(g + i * rows * GATES * sequence, c + i * rows * hidden, kept + i * rows * sequence,
                      d + i * rows * sequence, w, min(rows, batch - i * rows), length, hidden,
                      own + threadid() * each)


cdef void backward_rows(float *gates, const float *cell, const float *cells, const float *dy, const float *packed,
                        Py_ssize_t rows, Py_ssize_t length, Py_ssize_t hidden, float *scratch) noexcept nogil:
    cdef Py_ssize_t t = length - 1, r, row = pitch(hidden), wide = pitch(GATES * hidden), place, done, width, part
    cdef float *carried = scratch                   # the gradient to the state after the step, without dy
    cdef float *of_cell = scratch + rows * row      # that to the cell after it
    cdef float *sums = scratch + 2 * rows * row     # those to the sums with the state
    cdef const float *before
    for r in range(2 * rows * row):
        scratch[r] = 0
    while t >= 0:
        for r in range(rows):
            place = r * length + t
            before = cell + r * hidden if t == 0 else cells + (place - 1) * hidden
            step_back(gates + place * GATES * hidden, before, cells + place * hidden, dy + place * hidden,
                      carried + r * row, of_cell + r * row, sums + r * wide, hidden)
        part = 0
        while part < GATES * hidden and t > 0:
            done = 0
            while done < hidden:
                width = product_width((hidden - done + 7) // 8 * 8)
                product(width, rows, sums + part, wide, 1, packed + done * GATES * hidden + part * width, width,
                        min(PART, GATES * hidden - part), carried + done, row, 1)
                done += width
            part += PART
        t -= 1


cdef void step_back(float *gates, const float *before, const float *cell, const float *dy, float *carried,
                    float *of_cell, float *sums, Py_ssize_t hidden) noexcept nogil:
    """One step of one row: the gradients to the sums and to the cell before."""
    cdef Py_ssize_t lane = 0, left
    cdef vf one = vset(1), enter, forget, new, out, curve, dh, dc, di, df, dg, do
    while lane < hidden:
        left = hidden - lane
        enter, forget = load_wide(gates + lane, left), load_wide(gates + hidden + lane, left)
        new, out = load_wide(gates + 2 * hidden + lane, left), load_wide(gates + 3 * hidden + lane, left)
        curve = gate_tanh(load_wide(cell + lane, left))
        dh = load_wide(dy + lane, left) + load_wide(carried + lane, left)
        do = dh * curve * out * (one - out)
        dc = load_wide(of_cell + lane, left) + dh * out * (one - curve * curve)
        di = dc * new * enter * (one - enter)
        df = dc * load_wide(before + lane, left) * forget * (one - forget)
        dg = dc * enter * (one - new * new)
        store_wide(of_cell + lane, dc * forget, left)
        store_wide(gates + lane, di, left)
        store_wide(gates + hidden + lane, df, left)
        store_wide(gates + 2 * hidden + lane, dg, left)
        store_wide(gates + 3 * hidden + lane, do, left)
        lane += VL
    copy_run(sums, gates, 4 * hidden)
    for lane in range(hidden):
        carried[lane] = 0
