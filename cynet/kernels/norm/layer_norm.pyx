"""Layer normalisation: each row by its own mean and deviation (Ba, Kiros and Hinton, 2016).

Design: a row's statistics are taken relative to its mean, so that rounding depends on the row's spread alone: of long
rows, and of numbers whose squares leave float32's range, as batch norm takes them of one channel. They are kept, three floats a row. Backward reads a row twice, the second
time from the cache. The sums for the parameters go over the rows: chunks of rows by bands of columns are work items,
stored by chunk and joined in order, so that the result is the same for any number of threads.
"""

from cython.parallel cimport prange
from libc.math cimport isfinite, sqrt
from libc.string cimport memset

from cynet.kernels.common.simd cimport VL, load_wide, run_sum, store_wide, vf, vload, vset, vstore
from cynet.kernels.norm.batchnorm_statistics cimport chunk_statistics
from cynet.kernels.norm.channels cimport RUN, SUMS

# What is kept of a row, float32 (rows, KEPT): the mean as two floats, and 1 / sqrt(variance + eps).
cpdef enum:
    HIGH
    LOW
    INVERSE
    KEPT

cdef enum:
    BAND = 512          # columns of a work item


def normalize(
    const float[:, ::1] x not None,         # in: (rows, width), not empty
    const float[::1] weight not None,       # in: (width,); empty: 1
    const float[::1] bias not None,         # in: (width,); empty: 0
    double eps,
    float[:, ::1] state not None,           # out: (rows, KEPT)
    float[:, ::1] y not None,               # out: (rows, width)
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias, with mean and biased variance of each row."""
    cdef Py_ssize_t rows = x.shape[0], width = x.shape[1], i, chunks = (rows + chunk_rows - 1) // chunk_rows
    cdef const float *source = &x[0, 0]
    cdef const float *w = &weight[0] if weight.shape[0] else NULL
    cdef const float *b = &bias[0] if bias.shape[0] else NULL
    cdef float *s = &state[0, 0]
    cdef float *out = &y[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        normalize_rows(source + i * chunk_rows * width, w, b, eps, min(chunk_rows, rows - i * chunk_rows), width,
                       s + i * chunk_rows * KEPT, out + i * chunk_rows * width)


cdef void normalize_rows(const float *x, const float *weight, const float *bias, double eps, Py_ssize_t rows,
                         Py_ssize_t width, float *state, float *y) noexcept nogil:
    cdef Py_ssize_t row, c, left
    cdef double[SUMS] found
    cdef vf high, low, inverse, z
    for row in range(rows):
        row_statistics(x, width, found)
        state[HIGH] = <float>found[0]
        state[LOW] = <float>(found[0] - state[HIGH]) if isfinite(found[0]) else 0
        state[INVERSE] = <float>(1 / sqrt(found[1] / width + eps))
        high, low, inverse = vset(state[HIGH]), vset(state[LOW]), vset(state[INVERSE])
        for c from 0 <= c < width by VL:
            left = width - c
            z = (load_wide(x + c, left) - high - low) * inverse
            if weight:
                z = z * load_wide(weight + c, left)
            if bias:
                z = z + load_wide(bias + c, left)
            store_wide(y + c, z, left)
        x, y, state = x + width, y + width, state + KEPT


cdef void row_statistics(const float *x, Py_ssize_t width, double *found) noexcept nogil:
    """Mean and sum of squared deviations of a row: of a short one in two passes, which the first cache serves."""
    cdef double total, square
    cdef float near
    if width <= RUN * VL:
        deviations(x, width, x[0], &total, &square)
        near = <float>(x[0] + total / width)
        deviations(x, width, near, &total, &square)
        found[0], found[1] = near + total / width, square - total * (total / width)
        if found[1] < 0:  # rounding
            found[1] = 0
        if isfinite(found[1]):
            return
    chunk_statistics(x, width, 1, found)


cdef inline void deviations(const float *x, Py_ssize_t width, float near, double *total,
                            double *square) noexcept nogil:
    """The sums of x - near and of its square; a lane adds RUN numbers in float32, at most."""
    cdef Py_ssize_t c = 0
    cdef vf s1 = vset(0), s2 = vset(0), d
    cdef float[16] lanes
    cdef double rest
    while c + VL <= width:
        d = vload(x + c) - vset(near)
        s1, s2 = s1 + d, s2 + d * d
        c += VL
    vstore(lanes, s1)
    total[0] = run_sum(lanes, VL)
    vstore(lanes, s2)
    square[0] = run_sum(lanes, VL)
    while c < width:
        rest = x[c] - near
        total[0], square[0] = total[0] + rest, square[0] + rest * rest
        c += 1


def input_gradient(
    const float[:, ::1] x not None,         # in: (rows, width), not empty
    const float[:, ::1] dy not None,        # in: (rows, width)
    const float[::1] weight not None,       # in: (width,); empty: 1
    const float[:, ::1] state not None,     # in: (rows, KEPT), from the forward pass
    float[:, ::1] dx not None,              # out: (rows, width); may be dy
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
):
    """dx = (g - mean of g - (x - mean) * mean of (g (x - mean)) / var') / sqrt(var'), g = dy * weight,
    var' = variance + eps."""
    cdef Py_ssize_t rows = x.shape[0], width = x.shape[1], i, chunks = (rows + chunk_rows - 1) // chunk_rows
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *w = &weight[0] if weight.shape[0] else NULL
    cdef const float *s = &state[0, 0]
    cdef float *out = &dx[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        gradient_rows(source + i * chunk_rows * width, d + i * chunk_rows * width, w, s + i * chunk_rows * KEPT,
                      min(chunk_rows, rows - i * chunk_rows), width, out + i * chunk_rows * width)


cdef void gradient_rows(const float *x, const float *dy, const float *weight, const float *state, Py_ssize_t rows,
                        Py_ssize_t width, float *dx) noexcept nogil:
    cdef Py_ssize_t row, c, left
    cdef double total, product, a
    cdef vf high, low, of_dy, of_x, constant, g
    for row in range(rows):
        total = product = 0
        row_sums(x, dy, weight, state, width, &total, &product)
        a = state[INVERSE]
        high, low, of_dy = vset(state[HIGH]), vset(state[LOW]), vset(state[INVERSE])
        of_x = vset(<float>(-a * product * (a * a) / width))
        constant = vset(<float>(-a * total / width))
        for c from 0 <= c < width by VL:
            left = width - c
            g = load_wide(dy + c, left)
            if weight:
                g = g * load_wide(weight + c, left)
            store_wide(dx + c, of_dy * g + (of_x * (load_wide(x + c, left) - high - low) + constant), left)
        x, dy, dx, state = x + width, dy + width, dx + width, state + KEPT


cdef void row_sums(const float *x, const float *dy, const float *weight, const float *state, Py_ssize_t width,
                   double *total, double *product) noexcept nogil:
    """The sums of g and of g * (x - mean); a lane adds RUN numbers in float32, at most."""
    cdef Py_ssize_t c, first = 0, last, left
    cdef vf high = vset(state[HIGH]), low = vset(state[LOW]), s1, s2, g
    cdef float[16] lanes
    while first < width:
        last, s1, s2 = min(width, first + RUN * VL), vset(0), vset(0)
        for c from first <= c < last by VL:
            left = last - c
            g = load_wide(dy + c, left)
            if weight:
                g = g * load_wide(weight + c, left)
            s1, s2 = s1 + g, s2 + g * (load_wide(x + c, left) - high - low)
        vstore(lanes, s1)
        total[0] += run_sum(lanes, VL)
        vstore(lanes, s2)
        product[0] += run_sum(lanes, VL)
        first = last


def bands(Py_ssize_t width):
    """How many work items each chunk of `column_sums` has."""
    return (width + BAND - 1) // BAND


def column_sums(
    const float[:, ::1] x not None,         # in: (rows, width), not empty
    const float[:, ::1] dy not None,        # in: (rows, width)
    const float[:, ::1] state not None,     # in: (rows, KEPT), from the forward pass
    double[:, :, ::1] partial not None,     # out: (chunks, SUMS, width)
    float[::1] weight_grad not None,        # inout: (width,), added to; empty: nobody wants it
    float[::1] bias_grad not None,          # inout: as `weight_grad`
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
):
    """Add the parameters' gradients: the sums over rows of dy * (x - mean) / sqrt(var'), and of dy."""
    cdef Py_ssize_t rows = x.shape[0], width = x.shape[1], chunks = partial.shape[0], i, c
    cdef Py_ssize_t each = (width + BAND - 1) // BAND
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *s = &state[0, 0]
    cdef double *out = &partial[0, 0, 0]
    cdef double total
    for i in prange(chunks * each, nogil=True, num_threads=threads, schedule="static"):
        sum_band(source + i // each * chunk_rows * width, d + i // each * chunk_rows * width,
                 s + i // each * chunk_rows * KEPT, min(chunk_rows, rows - i // each * chunk_rows), width,
                 i % each * BAND, out + i // each * SUMS * width)
    for c in range(bias_grad.shape[0]):
        total = 0
        for i in range(chunks):
            total += partial[i, 0, c]
        bias_grad[c] += <float>total
    for c in range(weight_grad.shape[0]):
        total = 0
        for i in range(chunks):
            total += partial[i, 1, c]
        weight_grad[c] += <float>total


cdef void sum_band(const float *x, const float *dy, const float *state, Py_ssize_t rows, Py_ssize_t width,
                   Py_ssize_t start, double *out) noexcept nogil:
    cdef Py_ssize_t c, end = min(width, start + BAND), first = 0, n
    memset(out + start, 0, (end - start) * sizeof(double))
    memset(out + width + start, 0, (end - start) * sizeof(double))
    while first < rows:
        n = min(RUN, rows - first)
        c = start
        while c + 4 * VL <= end:
            sum_strips(x + c, dy + c, state, n, width, 4 * VL, 4, out + c, out + width + c)
            c += 4 * VL
        while c < end:
            sum_strips(x + c, dy + c, state, n, width, end - c, 1, out + c, out + width + c)
            c += VL
        x, dy, state = x + n * width, dy + n * width, state + n * KEPT
        first += n


cdef inline void sum_strips(const float *x, const float *dy, const float *state, Py_ssize_t rows, Py_ssize_t width,
                            Py_ssize_t left, Py_ssize_t strips, double *sum1, double *sum2) noexcept nogil:
    """`strips` vectors of columns, a constant, over at most RUN rows."""
    cdef Py_ssize_t s, row, l
    cdef vf[4] s1, s2
    cdef vf high, low, inverse, g
    cdef float[4 * 16] f1, f2
    for s in range(strips):
        s1[s] = s2[s] = vset(0)
    for row in range(rows):
        high, low, inverse = vset(state[HIGH]), vset(state[LOW]), vset(state[INVERSE])
        for s in range(strips):
            g = load_wide(dy + s * VL, left)
            s1[s], s2[s] = s1[s] + g, s2[s] + g * ((load_wide(x + s * VL, left) - high - low) * inverse)
        x, dy, state = x + width, dy + width, state + KEPT
    for s in range(strips):
        vstore(f1 + s * VL, s1[s])
        vstore(f2 + s * VL, s2[s])
    for l in range(min(left, strips * VL)):
        sum1[l] += f1[l]
        sum2[l] += f2[l]
