"""The time steps of a gated recurrent unit (Cho et al., 2014), as PyTorch has it, and the way back through time.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          h: the state before
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    y = (1 - z) * n + z * h

Design: the products with x of all time steps are there before the first step, in `gates`, where r, z and n then take
their places, and W_hn h + b_hn lies beside them: what backward needs. Backward, the gradients of the four take their
places in turn, and the gradients of the weights are products over all time steps, too. The rows of a batch are
independent, and each row's sums have one order; so a work item is some rows from the first step to the last, and
nobody waits for another.
"""

from cython.parallel cimport prange, threadid

from cynet.kernels.common.simd cimport VL, copy_run, load_wide, store_wide, vf, vload, vset, vsigmoid
from cynet.kernels.recurrent.steps cimport PART, chunk_rows, gate_tanh, gates_product, pitch, product, product_width

cdef enum:
    GATES = 3
    KEPT = 4            # r, z, n and W_hn h + b_hn
    ROWS = 8            # whose sums are made before their gates


def scratch_floats(Py_ssize_t batch, Py_ssize_t hidden, int threads):
    """The floats of scratch of both passes."""
    return threads * chunk_rows(batch) * (pitch(hidden) + pitch(GATES * hidden))


def forward(
    float[:, :, ::1] gates not None,    # inout: (batch, length, 4 hidden), not empty; the products with x, no biases
    const float[:, ::1] start not None, # in: (batch, hidden), the state before the first step
    const float[::1] packed not None,   # in: the weights of the state, by `steps.pack`
    const float[::1] first not None,    # in: what the sums with the state begin with, by `steps.pack`
    const float[::1] bias_n not None,   # in: (hidden,), b_in
    float[:, :, ::1] y not None,        # out: (batch, length, hidden)
    float[::1] scratch not None,        # out: (scratch_floats(batch, hidden, threads),)
    int threads,
):
    """All time steps."""
    cdef Py_ssize_t batch = y.shape[0], length = y.shape[1], hidden = y.shape[2], rows = chunk_rows(batch), i
    cdef Py_ssize_t each = rows * (pitch(hidden) + pitch(GATES * hidden)), sequence = length * hidden
    cdef float *g = &gates[0, 0, 0]
    cdef const float *h = &start[0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &first[0]
    cdef const float *bn = &bias_n[0]
    cdef float *out = &y[0, 0, 0]
    cdef float *own = &scratch[0]
    for i in prange((batch + rows - 1) // rows, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        forward_rows(g + i * rows * KEPT * sequence, h + i * rows * hidden, w, b, bn, out + i * rows * sequence,
                     min(rows, batch - i * rows), length, hidden, own + threadid() * each)


cdef void forward_rows(float *gates, const float *start, const float *packed, const float *first, const float *bias_n,
                       float *y, Py_ssize_t rows, Py_ssize_t length, Py_ssize_t hidden, float *scratch) noexcept nogil:
    cdef Py_ssize_t t, r, row = pitch(hidden), count, lane
    cdef float *now = scratch
    cdef float *then = scratch + rows * row
    cdef float *before
    for r in range(rows):
        copy_run(now + r * row, start + r * hidden, hidden)
    for t in range(length):
        lane = 0
        while lane < hidden:
            r = 0
            while r < rows:
                count = min(ROWS, rows - r)
                step(gates + (r * length + t) * KEPT * hidden + lane, length * KEPT * hidden, now + r * row,
                     then + r * row + lane, row, packed + lane * hidden * GATES, first + lane * GATES, bias_n + lane,
                     y + (r * length + t) * hidden + lane, length * hidden, count, lane, hidden)
                r += ROWS
            lane += VL
        before, now, then = now, then, now


cdef void step(float *gates, Py_ssize_t gates_row, const float *h, float *after, Py_ssize_t row, const float *packed,
               const float *first, const float *bias_n, float *y, Py_ssize_t y_row, Py_ssize_t rows, Py_ssize_t lane,
               Py_ssize_t hidden) noexcept nogil:
    """One step of at most ROWS rows and VL units."""
    cdef float[ROWS * GATES * 16] sums
    cdef float *s
    cdef float *g
    cdef Py_ssize_t r, left = hidden - lane
    cdef vf bias = load_wide(bias_n, left)
    cdef vf reset, update, new, of_state, state
    for r in range(rows):
        copy_run(sums + r * GATES * VL, first, GATES * VL)
    gates_product(GATES, rows, h, row, packed, hidden, sums)
    for r in range(rows):
        s, g = sums + r * GATES * VL, gates + r * gates_row
        reset = vsigmoid(load_wide(g, left) + vload(s))
        update = vsigmoid(load_wide(g + hidden, left) + vload(s + VL))
        of_state = vload(s + 2 * VL)
        new = gate_tanh(load_wide(g + 2 * hidden, left) + bias + reset * of_state)
        state = new + update * (load_wide(h + r * row + lane, left) - new)
        store_wide(g, reset, left)
        store_wide(g + hidden, update, left)
        store_wide(g + 2 * hidden, new, left)
        store_wide(g + 3 * hidden, of_state, left)
        store_wide(y + r * y_row, state, left)
        store_wide(after + r * row, state, left)


def backward(
    float[:, :, ::1] gates not None,    # inout: (batch, length, 4 hidden), not empty; from `forward`. Then gradients
    const float[:, ::1] start not None, # in: (batch, hidden)
    const float[:, :, ::1] y not None,  # in: (batch, length, hidden)
    const float[:, :, ::1] dy not None, # in: as y
    const float[::1] packed not None,   # in: the weights of the state, (3 hidden, hidden), by `matrix.pack`
    float[::1] scratch not None,        # out: (scratch_floats(batch, hidden, threads),)
    int threads,
):
    """In place of r, z, n and W_hn h + b_hn: the gradients to the sums that r, z and n are made of, and to it."""
    cdef Py_ssize_t batch = y.shape[0], length = y.shape[1], hidden = y.shape[2], rows = chunk_rows(batch), i
    cdef Py_ssize_t each = rows * (pitch(hidden) + pitch(GATES * hidden)), sequence = length * hidden
    cdef float *g = &gates[0, 0, 0]
    cdef const float *h = &start[0, 0]
    cdef const float *w = &packed[0]
    cdef const float *out = &y[0, 0, 0]
    cdef const float *d = &dy[0, 0, 0]
    cdef float *own = &scratch[0]
    for i in prange((batch + rows - 1) // rows, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        backward_rows(g + i * rows * KEPT * sequence, h + i * rows * hidden, out + i * rows * sequence,
                      d + i * rows * sequence, w, min(rows, batch - i * rows), length, hidden,
                      own + threadid() * each)


cdef void backward_rows(float *gates, const float *start, const float *y, const float *dy, const float *packed,
                        Py_ssize_t rows, Py_ssize_t length, Py_ssize_t hidden, float *scratch) noexcept nogil:
    cdef Py_ssize_t t = length - 1, r, row = pitch(hidden), wide = pitch(GATES * hidden), place, done, width, part
    cdef float *carried = scratch               # the gradient to the state after the step, without dy
    cdef float *sums = scratch + rows * row     # those to the sums with the state: of r, z and n
    cdef const float *before
    for r in range(rows * row):
        carried[r] = 0
    while t >= 0:
        for r in range(rows):
            place = r * length + t
            before = start + r * hidden if t == 0 else y + (place - 1) * hidden
            step_back(gates + place * KEPT * hidden, before, dy + place * hidden, carried + r * row, sums + r * wide,
                      hidden)
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


cdef void step_back(float *gates, const float *before, const float *dy, float *carried, float *sums,
                    Py_ssize_t hidden) noexcept nogil:
    """One step of one row: the gradients to the sums; of that to the state before, what comes by z alone."""
    cdef Py_ssize_t lane = 0, left
    cdef vf one = vset(1), reset, update, new, of_state, dh, dn, dz, dr, dhn
    while lane < hidden:
        left = hidden - lane
        reset, update = load_wide(gates + lane, left), load_wide(gates + hidden + lane, left)
        new = load_wide(gates + 2 * hidden + lane, left)
        of_state = load_wide(gates + 3 * hidden + lane, left)
        dh = load_wide(dy + lane, left) + load_wide(carried + lane, left)
        dz = dh * (load_wide(before + lane, left) - new) * update * (one - update)
        dn = dh * (one - update) * (one - new * new)
        dhn = dn * reset
        dr = dn * of_state * reset * (one - reset)
        store_wide(gates + lane, dr, left)
        store_wide(gates + hidden + lane, dz, left)
        store_wide(gates + 2 * hidden + lane, dn, left)
        store_wide(gates + 3 * hidden + lane, dhn, left)
        store_wide(sums + lane, dr, left)
        store_wide(sums + hidden + lane, dz, left)
        store_wide(sums + 2 * hidden + lane, dhn, left)
        store_wide(carried + lane, dh * update, left)
        lane += VL
