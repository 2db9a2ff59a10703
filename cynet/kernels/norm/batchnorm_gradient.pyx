"""The gradients of batch normalisation over rows x channels: section 3 of Ioffe and Szegedy (2015).

Two passes over the rows: the sums that all gradients are made of, and the input's gradient. batchnorm.pyx says how
they are cut, and where the mask of a ReLU comes from.
"""

from cython.parallel cimport prange
from libc.string cimport memset

from cynet.kernels.common.simd cimport VL, load_wide, store_wide, vf, vgate, vset, vstore
from cynet.kernels.norm.batchnorm cimport ADDED, PLAIN, RELU, RELU6, gated, pre_activation
from cynet.kernels.norm.channels cimport (
    CONSTANT, LANES, MEAN_HIGH, MEAN_LOW, MOST, OF_DY, OF_X, RUN, SCALE, SHIFT, STRIPS, SUMS, TERMS, View, block_rows,
    view_of, widened
)


cdef void gradient_sums(
    const float[:, ::1] x,      # in: (rows, channels)
    const float[:, ::1] dy,     # in: (rows, channels)
    const float *y,             # in: of ADDED what `normalize` made; or NULL
    float *dz,                  # out: of ADDED (rows, channels), dy where y is above 0, else 0; may be dy; or NULL
    const float[:, ::1] terms,  # in: (TERMS, channels), the mean's rows; of RELU and RELU6 SCALE and SHIFT, too
    double[:, :, ::1] partial,  # out: `partial_shape`: the sums of dy and of dy * (x - mean)
    int mode,                   # PLAIN; or dy is that of the RELU's or RELU6's output
    Py_ssize_t chunk_rows,      # rows of a work item
    int threads,
) noexcept:
    """The two sums over rows that every gradient is made of, by chunk."""
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i
    cdef Py_ssize_t size = chunk_rows * channels
    if rows == 0:
        return
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef double *out = &partial[0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        memset(out + i * SUMS * channels, 0, SUMS * channels * sizeof(double))
        chunk_gradient_sums(source + i * size, d + i * size, y + i * size if y else NULL,
                            dz + i * size if dz else NULL, min(chunk_rows, rows - i * chunk_rows), channels, t,
                            out + i * SUMS * channels, mode)


cdef void chunk_gradient_sums(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t rows,
                              Py_ssize_t channels, const float *terms, double *out, int mode) noexcept nogil:
    """Add to out[0:channels] and out[channels:]."""
    cdef View v = view_of(rows, channels)
    cdef float[TERMS * LANES] wide
    cdef Py_ssize_t end = v.rows * v.step
    terms = widened(terms, channels, wide)
    if mode == ADDED:
        sum_rows(x, dy, y, dz, v.rows, v.step, v.step, channels, terms, out, ADDED)
        sum_rows(x + end, dy + end, y + end, dz + end, 1, v.step, v.tail, channels, terms, out, ADDED)
    elif mode == RELU:
        sum_rows(x, dy, x, dz, v.rows, v.step, v.step, channels, terms, out, RELU)
        sum_rows(x + end, dy + end, x, dz, 1, v.step, v.tail, channels, terms, out, RELU)
    elif mode == RELU6:
        sum_rows(x, dy, x, dz, v.rows, v.step, v.step, channels, terms, out, RELU6)
        sum_rows(x + end, dy + end, x, dz, 1, v.step, v.tail, channels, terms, out, RELU6)
    else:
        sum_rows(x, dy, x, dz, v.rows, v.step, v.step, channels, terms, out, PLAIN)
        sum_rows(x + end, dy + end, x, dz, 1, v.step, v.tail, channels, terms, out, PLAIN)


cdef inline void sum_rows(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t rows,
                          Py_ssize_t step, Py_ssize_t width, Py_ssize_t channels, const float *terms, double *out,
                          int mode) noexcept nogil:
    cdef Py_ssize_t c, l, first = 0, n, lanes, block = block_rows(step)
    cdef float[MOST * LANES] sum1, sum2
    while first < rows:
        n = min(block, rows - first)
        c = 0
        while c < width:
            if width - c >= STRIPS * VL:
                lanes = STRIPS * VL
                sum_strips(x + c, dy + c, y + c, dz + c, n, step, STRIPS * VL, STRIPS, terms + c, sum1, sum2, mode)
            elif width - c >= 2 * VL:
                lanes = 2 * VL
                sum_strips(x + c, dy + c, y + c, dz + c, n, step, 2 * VL, 2, terms + c, sum1, sum2, mode)
            else:
                lanes = min(width - c, VL)
                sum_strips(x + c, dy + c, y + c, dz + c, n, step, lanes, 1, terms + c, sum1, sum2, mode)
            for l in range(lanes):
                out[(c + l) % channels] += sum1[l]
                out[channels + (c + l) % channels] += sum2[l]
            c += lanes
        x, dy, y, dz = x + n * step, dy + n * step, y + n * step, dz + n * step
        first += n


cdef inline void sum_strips(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t rows,
                            Py_ssize_t step, Py_ssize_t left, Py_ssize_t strips, const float *terms, float *sum1,
                            float *sum2, int mode) noexcept nogil:
    """Both sums of `strips` vectors of channels, a constant; even and odd rows have accumulators of their own."""
    cdef Py_ssize_t s, row = 0
    cdef vf[MOST] s1, s2, t1, t2
    for s in range(strips):
        s1[s], s2[s], t1[s], t2[s] = vset(0), vset(0), vset(0), vset(0)
    while row + 1 < rows:
        sum_row(x, dy, y, dz, step, left, strips, terms, s1, s2, mode)
        sum_row(x + step, dy + step, y + step, dz + step, step, left, strips, terms, t1, t2, mode)
        x, dy, y, dz = x + 2 * step, dy + 2 * step, y + 2 * step, dz + 2 * step
        row += 2
    if row < rows:
        sum_row(x, dy, y, dz, step, left, strips, terms, s1, s2, mode)
    for s in range(strips):
        vstore(sum1 + s * VL, s1[s] + t1[s])
        vstore(sum2 + s * VL, s2[s] + t2[s])


cdef inline void sum_row(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t step,
                         Py_ssize_t left, Py_ssize_t strips, const float *terms, vf *s1, vf *s2,
                         int mode) noexcept nogil:
    cdef Py_ssize_t s
    cdef vf d, g
    for s in range(strips):
        d = (load_wide(x + s * VL, left) - load_wide(terms + MEAN_HIGH * step + s * VL, left)
             - load_wide(terms + MEAN_LOW * step + s * VL, left))
        g = load_wide(dy + s * VL, left)
        if mode == RELU or mode == RELU6:
            g = gated(pre_activation(d, load_wide(terms + SCALE * step + s * VL, left),
                                     load_wide(terms + SHIFT * step + s * VL, left)), g, mode)
        elif mode == ADDED:
            g = vgate(load_wide(y + s * VL, left), g)
            store_wide(dz + s * VL, g, left)
        s1[s], s2[s] = s1[s] + g, s2[s] + g * d


cdef void input_gradient(
    const float[:, ::1] x,      # in: (rows, channels)
    const float[:, ::1] dy,     # in: (rows, channels)
    const float[:, ::1] terms,  # in: (TERMS, channels)
    float[:, ::1] dx,           # out: (rows, channels); may be dy
    int mode,                   # PLAIN, RELU or RELU6, as for `gradient_sums`
    Py_ssize_t chunk_rows,      # rows of a work item
    int threads,
) noexcept:
    """dx = a * dy + b * (x - mean) + c, channel by channel, the rows OF_DY, OF_X and CONSTANT of `terms`.

    In training a = weight / std, b = -a * sum(dy (x - mean)) / (n var'), c = -a * sum(dy) / n with var' = variance +
    eps; in evaluation b = c = 0.
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], i
    if rows == 0:
        return
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows, size = chunk_rows * channels
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef float *out = &dx[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        input_gradient_chunk(source + i * size, d + i * size, min(chunk_rows, rows - i * chunk_rows), channels, t,
                             out + i * size, mode)


cdef void input_gradient_chunk(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                               const float *terms, float *dx, int mode) noexcept nogil:
    cdef View v = view_of(rows, channels)
    cdef float[TERMS * LANES] wide
    cdef Py_ssize_t end = v.rows * v.step
    terms = widened(terms, channels, wide)
    if mode == RELU:
        gradient_rows(x, dy, v.rows, v.step, v.step, terms, dx, RELU)
        gradient_rows(x + end, dy + end, 1, v.step, v.tail, terms, dx + end, RELU)
    elif mode == RELU6:
        gradient_rows(x, dy, v.rows, v.step, v.step, terms, dx, RELU6)
        gradient_rows(x + end, dy + end, 1, v.step, v.tail, terms, dx + end, RELU6)
    else:
        gradient_rows(x, dy, v.rows, v.step, v.step, terms, dx, PLAIN)
        gradient_rows(x + end, dy + end, 1, v.step, v.tail, terms, dx + end, PLAIN)


cdef inline void gradient_rows(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t step,
                               Py_ssize_t width, const float *terms, float *dx, int mode) noexcept nogil:
    cdef Py_ssize_t c, first = 0, n
    while first < rows:
        n = min(RUN, rows - first)
        c = 0
        while c + STRIPS * VL <= width:
            gradient_strips(x + c, dy + c, n, step, STRIPS * VL, STRIPS, terms + c, dx + c, mode)
            c += STRIPS * VL
        while c + 2 * VL <= width:
            gradient_strips(x + c, dy + c, n, step, 2 * VL, 2, terms + c, dx + c, mode)
            c += 2 * VL
        while c < width:
            gradient_strips(x + c, dy + c, n, step, width - c, 1, terms + c, dx + c, mode)
            c += VL
        x, dy, dx = x + n * step, dy + n * step, dx + n * step
        first += n


cdef inline void gradient_strips(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t step,
                                 Py_ssize_t left, Py_ssize_t strips, const float *terms, float *dx,
                                 int mode) noexcept nogil:
    cdef Py_ssize_t s, row
    cdef vf[MOST] high, low, scale, shift, a, b, c
    cdef vf d, g
    for s in range(strips):
        high[s] = load_wide(terms + MEAN_HIGH * step + s * VL, left)
        low[s] = load_wide(terms + MEAN_LOW * step + s * VL, left)
        scale[s] = load_wide(terms + SCALE * step + s * VL, left)
        shift[s] = load_wide(terms + SHIFT * step + s * VL, left)
        a[s] = load_wide(terms + OF_DY * step + s * VL, left)
        b[s] = load_wide(terms + OF_X * step + s * VL, left)
        c[s] = load_wide(terms + CONSTANT * step + s * VL, left)
    for row in range(rows):
        for s in range(strips):
            d, g = load_wide(x + s * VL, left) - high[s] - low[s], load_wide(dy + s * VL, left)
            if mode != PLAIN:
                g = gated(pre_activation(d, scale[s], shift[s]), g, mode)
            store_wide(dx + s * VL, a[s] * g + (b[s] * d + c[s]), left)
        x, dy, dx = x + step, dy + step, dx + step
