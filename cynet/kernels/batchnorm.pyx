"""Batch normalisation over rows (pixels) x channels: normalising, and both gradients.

Ioffe and Szegedy (2015), algorithm 1 and the gradients of section 3; the statistics are in batchnorm_statistics.

Design: rows are cut into chunks of a fixed number, the work items of every function here; partial sums are
stored by chunk and joined in order, so that the result is the same for any number of threads. The mean is kept
as two floats, high + low, since one float cannot hold a mean of 1e6 to 1e-5. A ReLU that follows costs no
pass of its own: forward cuts before it stores, and backward makes the cut's mask from x again, by the same
arithmetic (`pre_activation`), so that nothing but x is kept.
"""

from cython.parallel cimport prange
from libc.string cimport memset

from cynet.kernels.channels cimport LANES, RUN, TERMS, View, block_rows, view_of, widened
from cynet.kernels.simd cimport VL, load_wide, store_wide, vf, vgate, vset, vstore


cdef inline vf pre_activation(vf centred, vf scale, vf shift) noexcept nogil:
    return centred * scale + shift


# -- normalising ------------------------------------------------------------------------------------------
def normalize(const float[:, ::1] x not None, const float[:, ::1] terms not None, float[:, ::1] y not None,
              bint relu, Py_ssize_t chunk_rows, int threads):
    """y = (x - high - low) * scale + shift, channel by channel, or the ReLU of it.

    Parameters
    ----------
    x : float32 (rows, channels)
        # in
    terms : float32 (7, channels)
        # in; its first rows high, low (the mean), scale (gamma / sqrt(variance + eps)), shift (beta).
    y : float32 (rows, channels)
        # out
    relu : bool
    chunk_rows, threads : int
    """
    if x.shape[0] > 0:
        run_normalize(x, NULL, terms, y, RELU if relu else PLAIN, chunk_rows, threads)


def normalize_add(const float[:, ::1] x not None, const float[:, ::1] other not None,
                  const float[:, ::1] terms not None, float[:, ::1] y not None, Py_ssize_t chunk_rows,
                  int threads):
    """y = ReLU((x - high - low) * scale + shift + other), as `normalize`; other : float32 (rows, channels)."""
    if x.shape[0] > 0:
        run_normalize(x, &other[0, 0], terms, y, ADDED, chunk_rows, threads)


cdef void run_normalize(const float[:, ::1] x, const float *other, const float[:, ::1] terms, float[:, ::1] y,
                        int mode, Py_ssize_t chunk_rows, int threads) noexcept:
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], i
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows, size = chunk_rows * channels
    cdef const float *source = &x[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef float *out = &y[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        normalize_chunk(source + i * size, other + i * size if other else NULL,
                        min(chunk_rows, rows - i * chunk_rows), channels, t, out + i * size, mode)


cdef void normalize_chunk(const float *x, const float *other, Py_ssize_t rows, Py_ssize_t channels,
                          const float *terms, float *y, int mode) noexcept nogil:
    cdef View v = view_of(rows, channels)
    cdef float[TERMS * LANES] wide
    cdef Py_ssize_t end = v.rows * v.step
    terms = widened(terms, channels, wide)
    if mode == ADDED:
        normalize_rows(x, other, v.rows, v.step, v.step, terms, y, ADDED)
        normalize_rows(x + end, other + end, 1, v.step, v.tail, terms, y + end, ADDED)
    elif mode == RELU:
        normalize_rows(x, x, v.rows, v.step, v.step, terms, y, RELU)
        normalize_rows(x + end, x, 1, v.step, v.tail, terms, y + end, RELU)
    else:
        normalize_rows(x, x, v.rows, v.step, v.step, terms, y, PLAIN)
        normalize_rows(x + end, x, 1, v.step, v.tail, terms, y + end, PLAIN)


cdef inline void normalize_rows(const float *x, const float *other, Py_ssize_t rows, Py_ssize_t step,
                                Py_ssize_t width, const float *terms, float *y, int mode) noexcept nogil:
    """Rows of `width` channels; the terms' rows are `step` long."""
    cdef Py_ssize_t c, row, n, first = 0, last
    cdef vf high, low, scale, shift, result
    while first < rows:
        last = min(first + RUN, rows)
        for c from 0 <= c < width by VL:
            n = width - c
            high, low = load_wide(terms + c, n), load_wide(terms + step + c, n)
            scale, shift = load_wide(terms + 2 * step + c, n), load_wide(terms + 3 * step + c, n)
            for row from first * step + c <= row < last * step + c by step:
                result = pre_activation(load_wide(x + row, n) - high - low, scale, shift)
                if mode == ADDED:
                    result = result + load_wide(other + row, n)
                store_wide(y + row, vgate(result, result) if mode else result, n)
        first = last


# -- gradients --------------------------------------------------------------------------------------------
def gradient_sums(const float[:, ::1] x not None, const float[:, ::1] dy not None,
                  const float[:, ::1] terms not None, double[:, :, ::1] partial not None, bint relu,
                  Py_ssize_t chunk_rows, int threads):
    """The two sums over rows that every gradient is made of, by chunk.

    Parameters
    ----------
    x, dy : float32 (rows, channels)
        # in
    terms : float32 (7, channels)
        # in; rows high and low, the mean; scale and shift where a ReLU follows.
    partial : float64 (chunks, 2, channels)
        # out; sum of dy, and sum of dy * (x - mean).
    relu : bool
        dy is the gradient of the ReLU's output, and counts where that is above 0.
    chunk_rows, threads : int
    """
    if x.shape[0] > 0:
        run_gradient_sums(x, dy, NULL, NULL, terms, partial, RELU if relu else PLAIN, chunk_rows, threads)


def gradient_sums_add(const float[:, ::1] x not None, const float[:, ::1] dy not None,
                      const float[:, ::1] y not None, float[:, ::1] dz not None,
                      const float[:, ::1] terms not None, double[:, :, ::1] partial not None,
                      Py_ssize_t chunk_rows, int threads):
    """As `gradient_sums`, after `normalize_add` made y; dz : # out, dy where y is above 0, else 0."""
    if x.shape[0] > 0:
        run_gradient_sums(x, dy, &y[0, 0], &dz[0, 0], terms, partial, ADDED, chunk_rows, threads)


cdef void run_gradient_sums(const float[:, ::1] x, const float[:, ::1] dy, const float *y, float *dz,
                            const float[:, ::1] terms, double[:, :, ::1] partial, int mode,
                            Py_ssize_t chunk_rows, int threads) noexcept:
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i
    cdef Py_ssize_t size = chunk_rows * channels
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef double *out = &partial[0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        memset(out + i * 2 * channels, 0, 2 * channels * sizeof(double))
        chunk_gradient_sums(source + i * size, d + i * size, y + i * size if y else NULL,
                            dz + i * size if dz else NULL, min(chunk_rows, rows - i * chunk_rows), channels, t,
                            out + i * 2 * channels, mode)


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
    else:
        sum_rows(x, dy, x, dz, v.rows, v.step, v.step, channels, terms, out, PLAIN)
        sum_rows(x + end, dy + end, x, dz, 1, v.step, v.tail, channels, terms, out, PLAIN)


cdef inline void sum_rows(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t rows,
                          Py_ssize_t step, Py_ssize_t width, Py_ssize_t channels, const float *terms, double *out,
                          int mode) noexcept nogil:
    cdef Py_ssize_t c, l, row, first = 0, last, n, block = block_rows(step)
    cdef vf high, low, scale, shift, g, h, d, e, s1, s2, t1, t2
    cdef float[LANES] sum1, sum2
    while first < rows:
        last = min(first + block, rows)
        for c from 0 <= c < width by VL:
            n = width - c
            high, low = load_wide(terms + c, n), load_wide(terms + step + c, n)
            scale, shift = load_wide(terms + 2 * step + c, n), load_wide(terms + 3 * step + c, n)
            s1, s2, t1, t2 = vset(0), vset(0), vset(0), vset(0)
            row = first * step + c
            while row + step < last * step:
                d, e = load_wide(x + row, n) - high - low, load_wide(x + row + step, n) - high - low
                g, h = load_wide(dy + row, n), load_wide(dy + row + step, n)
                if mode == RELU:
                    g = vgate(pre_activation(d, scale, shift), g)
                    h = vgate(pre_activation(e, scale, shift), h)
                elif mode == ADDED:
                    g, h = vgate(load_wide(y + row, n), g), vgate(load_wide(y + row + step, n), h)
                    store_wide(dz + row, g, n)
                    store_wide(dz + row + step, h, n)
                s1, t1 = s1 + g, t1 + h
                s2, t2 = s2 + g * d, t2 + h * e
                row += 2 * step
            if row < last * step:
                d, g = load_wide(x + row, n) - high - low, load_wide(dy + row, n)
                if mode == RELU:
                    g = vgate(pre_activation(d, scale, shift), g)
                elif mode == ADDED:
                    g = vgate(load_wide(y + row, n), g)
                    store_wide(dz + row, g, n)
                s1, s2 = s1 + g, s2 + g * d
            vstore(sum1, s1 + t1)
            vstore(sum2, s2 + t2)
            if step == channels:
                for l in range(min(n, VL)):
                    out[c + l] += sum1[l]
                    out[channels + c + l] += sum2[l]
            else:
                for l in range(min(n, VL)):
                    out[l % channels] += sum1[l]
                    out[channels + l % channels] += sum2[l]
        first = last


def input_gradient(const float[:, ::1] x not None, const float[:, ::1] dy not None,
                   const float[:, ::1] terms not None, float[:, ::1] dx not None, bint relu,
                   Py_ssize_t chunk_rows, int threads):
    """dx = a * dy + b * (x - high - low) + c, channel by channel.

    Parameters
    ----------
    x, dy : float32 (rows, channels)
        # in
    terms : float32 (7, channels)
        # in; rows high, low, scale, shift, a, b, c. In training a = gamma / std, b = -a * sum(dy (x - mean)) /
        (n var'), c = -a * sum(dy) / n with var' = variance + eps; in evaluation b = c = 0.
    dx : float32 (rows, channels)
        # out; may be dy.
    relu : bool
        As for `gradient_sums`.
    chunk_rows, threads : int
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
                             out + i * size, RELU if relu else PLAIN)


cdef void input_gradient_chunk(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                               const float *terms, float *dx, int mode) noexcept nogil:
    cdef View v = view_of(rows, channels)
    cdef float[TERMS * LANES] wide
    cdef Py_ssize_t end = v.rows * v.step
    terms = widened(terms, channels, wide)
    if mode == RELU:
        gradient_rows(x, dy, v.rows, v.step, v.step, terms, dx, True)
        gradient_rows(x + end, dy + end, 1, v.step, v.tail, terms, dx + end, True)
    else:
        gradient_rows(x, dy, v.rows, v.step, v.step, terms, dx, False)
        gradient_rows(x + end, dy + end, 1, v.step, v.tail, terms, dx + end, False)


cdef inline void gradient_rows(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t step,
                               Py_ssize_t width, const float *terms, float *dx, bint relu) noexcept nogil:
    cdef Py_ssize_t ch, row, n, first = 0, last
    cdef vf high, low, scale, shift, a, b, c, d, g
    while first < rows:
        last = min(first + RUN, rows)
        for ch from 0 <= ch < width by VL:
            n = width - ch
            high, low = load_wide(terms + ch, n), load_wide(terms + step + ch, n)
            scale, shift = load_wide(terms + 2 * step + ch, n), load_wide(terms + 3 * step + ch, n)
            a, b = load_wide(terms + 4 * step + ch, n), load_wide(terms + 5 * step + ch, n)
            c = load_wide(terms + 6 * step + ch, n)
            for row from first * step + ch <= row < last * step + ch by step:
                d, g = load_wide(x + row, n) - high - low, load_wide(dy + row, n)
                if relu:
                    g = vgate(pre_activation(d, scale, shift), g)
                store_wide(dx + row, a * g + (b * d + c), n)
        first = last
