"""Batch normalisation over rows (pixels) x channels: statistics, normalising, and both gradients.

Ioffe and Szegedy (2015), algorithm 1 and the gradients of section 3.

Design: rows are cut into chunks of a fixed number, the work items of every function here; partial sums are
stored by chunk and joined in order, so that the result is the same for any number of threads. Within a chunk,
eight channels at a time, runs of RUN rows are summed in float32 *relative to the mean so far*: rounding then
depends on the channel's spread, never on its mean, and a constant channel gives exactly zero. The runs' means
and sums of squares are joined in double precision (Chan, Golub and LeVeque, 1983), which reads x once instead
of the two passes of the textbook. What a badly placed mean costs a run in precision, (mean so far - run's mean)^2
roundings, is a rounding of what the same difference adds to the total. Where a sum of squares leaves float32's
range the run is summed again in double. The mean is kept as two floats, high + low, since one float cannot hold a mean of 1e6 to 1e-5.
"""

from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from cynet.kernels.simd cimport load, store, vf8, vrelu8, vrelu_gradient8, vset8, vstore8

cdef extern from "joins.h":
    vf8 narrowed(const double *p) noexcept nogil
    void add_widened(double *p, vf8 v) noexcept nogil
    bint all_finite8(vf8 v) noexcept nogil
    void join_run8(vf8 start, vf8 sum, vf8 square, double n, double count, double *mean,
                   double *squares) noexcept nogil

cdef enum:
    RUN = 32  # rows summed in float32 before they are joined in double


# -- statistics -------------------------------------------------------------------------------------------
def statistics(const float[:, ::1] x not None, double[:, :, ::1] partial not None,
               double[::1] mean not None, double[::1] variance not None, Py_ssize_t chunk_rows, int threads):
    """Mean and biased variance of each channel.

    Parameters
    ----------
    x : float32 (rows, channels)
        # in; at least one row.
    partial : float64 (chunks, 2, channels)
        # out; means and sums of squared deviations of each chunk of `chunk_rows` rows.
    mean, variance : float64 (channels,)
        # out
    chunk_rows, threads : int
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i
    cdef const float *source = &x[0, 0]
    cdef double *sums = &partial[0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        chunk_statistics(source + i * chunk_rows * channels, min(chunk_rows, rows - i * chunk_rows), channels,
                         sums + i * 2 * channels)
    join_chunks(sums, rows, channels, chunk_rows, &mean[0], &variance[0])


cdef void join_chunks(const double *partial, Py_ssize_t rows, Py_ssize_t channels, Py_ssize_t chunk_rows,
                      double *mean, double *variance) noexcept nogil:
    """The mean and biased variance of all rows from the chunks' means and sums of squares."""
    cdef Py_ssize_t c, first = chunk_rows
    cdef double count = min(chunk_rows, rows), n, delta
    for c in range(channels):
        mean[c], variance[c] = partial[c], partial[channels + c]
    while first < rows:
        partial += 2 * channels
        n = min(chunk_rows, rows - first)
        for c in range(channels):
            delta = partial[c] - mean[c]
            mean[c] += delta * n / (count + n)
            variance[c] += partial[channels + c] + delta * delta * count * n / (count + n)
        count += n
        first += chunk_rows
    for c in range(channels):
        variance[c] /= rows


cdef void chunk_statistics(const float *x, Py_ssize_t rows, Py_ssize_t channels, double *out) noexcept nogil:
    """Means (out[0:channels]) and sums of squared deviations (out[channels:]) of a few rows."""
    cdef Py_ssize_t c, lanes, row, first = 0, n
    cdef const float *p
    cdef double *mean
    cdef double[8] part_mean, part_square
    cdef vf8 s1, s2, d, start
    while first < rows:
        n = min(RUN, rows - first)
        for c in range(0, channels, 8):
            lanes = min(8, channels - c)
            p, mean = x + first * channels + c, out + c
            if lanes < 8:  # the last channels: in vectors of their own
                memset(part_mean, 0, sizeof(part_mean))
                memset(part_square, 0, sizeof(part_square))
                if first:
                    memcpy(part_mean, mean, lanes * sizeof(double))
                    memcpy(part_square, mean + channels, lanes * sizeof(double))
                mean = part_mean
            start = run_mean_near(p, n, channels, lanes) if first == 0 else narrowed(mean)
            s1, s2 = vset8(0), vset8(0)
            for row in range(n):
                d = load(p + row * channels, lanes) - start
                s1 = s1 + d
                s2 = s2 + d * d
            if all_finite8(s2):
                join_run8(start, s1, s2, n, first, mean, mean + channels if lanes == 8 else part_square)
            else:
                join_in_double(p, n, channels, lanes, first, mean,
                               mean + channels if lanes == 8 else part_square)
            if lanes < 8:
                memcpy(out + c, part_mean, lanes * sizeof(double))
                memcpy(out + channels + c, part_square, lanes * sizeof(double))
        first += n


cdef inline vf8 run_mean_near(const float *x, Py_ssize_t n, Py_ssize_t step, Py_ssize_t lanes) noexcept nogil:
    """About the mean of each lane, and exactly the value of a constant one."""
    cdef Py_ssize_t row
    cdef vf8 start = load(x, lanes), total = vset8(0)
    for row in range(n):
        total = total + (load(x + row * step, lanes) - start)
    return start + total / vset8(<float>n)


cdef void join_in_double(const float *x, Py_ssize_t n, Py_ssize_t step, Py_ssize_t lanes, double count,
                         double *mean, double *squares) noexcept nogil:
    """Join a run whose squares leave float32's range, or that holds NaN or Inf: two passes in double."""
    cdef Py_ssize_t i, l
    cdef double run_mean, run_square, delta
    for l in range(lanes):
        run_mean = run_square = 0
        for i in range(n):
            run_mean += x[i * step + l]
        run_mean /= n
        for i in range(n):
            run_square += (x[i * step + l] - run_mean) * (x[i * step + l] - run_mean)
        if count == 0:
            mean[l], squares[l] = run_mean, run_square
            continue
        delta = run_mean - mean[l]
        mean[l] += delta * (n / (count + n))
        squares[l] += run_square + delta * delta * (count * n / (count + n))


# -- normalising ------------------------------------------------------------------------------------------
def normalize(const float[:, ::1] x not None, const float[:, ::1] terms not None, float[:, ::1] y not None,
              Py_ssize_t chunk_rows, int threads):
    """y = (x - high - low) * scale + shift, channel by channel.

    Parameters
    ----------
    x : float32 (rows, channels)
        # in
    terms : float32 (4, channels)
        # in; rows high, low (the mean), scale (gamma / sqrt(variance + eps)), shift (beta).
    y : float32 (rows, channels)
        # out
    chunk_rows, threads : int
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], i
    if rows == 0:
        return
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows
    cdef const float *source = &x[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef float *out = &y[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        normalize_chunk(source + i * chunk_rows * channels, min(chunk_rows, rows - i * chunk_rows), channels,
                        t, NULL, False, out + i * chunk_rows * channels)


cdef void normalize_chunk(const float *x, Py_ssize_t rows, Py_ssize_t channels, const float *terms,
                          const float *residual, bint relu, float *y) noexcept nogil:
    """A few rows; `residual`, unless NULL, is added, and with relu y is at least 0."""
    cdef Py_ssize_t c, row, n, first = 0, last
    cdef vf8 high, low, scale, shift, v
    while first < rows:
        last = min(first + RUN, rows)
        for c in range(0, channels, 8):
            n = channels - c
            high, low = load(terms + c, n), load(terms + channels + c, n)
            scale, shift = load(terms + 2 * channels + c, n), load(terms + 3 * channels + c, n)
            for row in range(first, last):
                v = (load(x + row * channels + c, n) - high - low) * scale + shift
                if residual != NULL:
                    v = v + load(residual + row * channels + c, n)
                store(y + row * channels + c, vrelu8(v) if relu else v, n)
        first = last


# -- gradients --------------------------------------------------------------------------------------------
def gradient_sums(const float[:, ::1] x not None, const float[:, ::1] dy not None,
                  const float[:, ::1] terms not None, double[:, :, ::1] partial not None,
                  double[:, ::1] sums not None, Py_ssize_t chunk_rows, int threads):
    """The two sums over rows that every gradient is made of.

    Parameters
    ----------
    x, dy : float32 (rows, channels)
        # in
    terms : float32 (at least 2, channels)
        # in; rows high and low, the mean.
    partial : float64 (chunks, 2, channels)
        # out
    sums : float64 (2, channels)
        # out; sum of dy, and sum of dy * (x - mean).
    chunk_rows, threads : int
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i, c
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef double *out = &partial[0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        chunk_gradient_sums(source + i * chunk_rows * channels, d + i * chunk_rows * channels,
                            min(chunk_rows, rows - i * chunk_rows), channels, t, False, NULL, NULL,
                            out + i * 2 * channels)
    for c in range(channels):
        sums[0, c] = sums[1, c] = 0
    for i in range(chunks):
        for c in range(channels):
            sums[0, c] += partial[i, 0, c]
            sums[1, c] += partial[i, 1, c]


cdef void chunk_gradient_sums(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                              const float *terms, bint relu, const float *y, float *dz,
                              double *out) noexcept nogil:
    """A few rows. With relu dy counts only where the ReLU let its input pass: that input is computed again
    from x, or, unless y is NULL, told from the output y; then dz gets what counts of dy."""
    cdef Py_ssize_t c, l, row, first = 0, last, n
    cdef vf8 high, low, scale, shift, g, d, s1, s2
    scale = shift = vset8(0)
    cdef float[8] sum1, sum2
    memset(out, 0, 2 * channels * sizeof(double))
    while first < rows:
        last = min(first + RUN, rows)
        for c in range(0, channels, 8):
            n = min(8, channels - c)
            high, low = load(terms + c, n), load(terms + channels + c, n)
            if relu and y == NULL:
                scale, shift = load(terms + 2 * channels + c, n), load(terms + 3 * channels + c, n)
            s1, s2 = vset8(0), vset8(0)
            for row in range(first, last):
                g = load(dy + row * channels + c, n)
                d = load(x + row * channels + c, n) - high - low
                if relu:
                    if y == NULL:
                        g = vrelu_gradient8(d * scale + shift, g)
                    else:
                        g = vrelu_gradient8(load(y + row * channels + c, n), g)
                        store(dz + row * channels + c, g, n)
                s1 = s1 + g
                s2 = s2 + g * d
            if n == 8:
                add_widened(out + c, s1)
                add_widened(out + channels + c, s2)
                continue
            vstore8(sum1, s1)
            vstore8(sum2, s2)
            for l in range(n):
                out[c + l] += sum1[l]
                out[channels + c + l] += sum2[l]
        first = last


def input_gradient(const float[:, ::1] x not None, const float[:, ::1] dy not None,
                   const float[:, ::1] terms not None, float[:, ::1] dx not None,
                   Py_ssize_t chunk_rows, int threads):
    """dx = a * dy + b * (x - high - low) + c, channel by channel.

    Parameters
    ----------
    x, dy : float32 (rows, channels)
        # in
    terms : float32 (5, channels)
        # in; rows high, low, a, b, c. In training a = gamma / std, b = -a * sum(dy (x - mean)) / (n var'),
        c = -a * sum(dy) / n with var' = variance + eps; in evaluation b = c = 0.
    dx : float32 (rows, channels)
        # out
    chunk_rows, threads : int
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], i
    if rows == 0:
        return
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef float *out = &dx[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        input_gradient_chunk(source + i * chunk_rows * channels, d + i * chunk_rows * channels,
                             min(chunk_rows, rows - i * chunk_rows), channels, t, NULL,
                             out + i * chunk_rows * channels)


cdef void input_gradient_chunk(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                               const float *terms, const float *relu, float *dx) noexcept nogil:
    """A few rows; unless NULL, `relu` is (scale, shift): dy counts where (x - mean) * scale + shift passes."""
    cdef Py_ssize_t ch, row, n, first = 0, last
    cdef vf8 high, low, a, b, c, d, g, scale, shift
    scale = shift = vset8(0)
    while first < rows:
        last = min(first + RUN, rows)
        for ch in range(0, channels, 8):
            n = channels - ch
            high, low = load(terms + ch, n), load(terms + channels + ch, n)
            a, b = load(terms + 2 * channels + ch, n), load(terms + 3 * channels + ch, n)
            c = load(terms + 4 * channels + ch, n)
            if relu != NULL:
                scale, shift = load(relu + ch, n), load(relu + channels + ch, n)
            for row in range(first, last):
                g = load(dy + row * channels + ch, n)
                d = load(x + row * channels + ch, n) - high - low
                if relu != NULL:
                    g = vrelu_gradient8(d * scale + shift, g)
                store(dx + row * channels + ch, a * g + b * d + c, n)
        first = last


def channel_sums(const float[:, ::1] x not None, double[:, ::1] partial not None, float[::1] out not None,
                 Py_ssize_t chunk_rows, int threads):
    """Add the sum over rows to out: the gradient of a bias.

    Parameters
    ----------
    x : float32 (rows, channels)
        # in
    partial : float64 (chunks, channels)
        # out
    out : float32 (channels,)
        # inout
    chunk_rows, threads : int
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i, c
    if rows == 0:
        return
    cdef const float *source = &x[0, 0]
    cdef double *sums = &partial[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        sum_chunk(source + i * chunk_rows * channels, min(chunk_rows, rows - i * chunk_rows), channels,
                  sums + i * channels)
    cdef double total
    for c in range(channels):
        total = 0
        for i in range(chunks):
            total += partial[i, c]
        out[c] += <float>total


cdef void sum_chunk(const float *x, Py_ssize_t rows, Py_ssize_t channels, double *out) noexcept nogil:
    cdef Py_ssize_t c, l, row, first = 0, last, n
    cdef vf8 s
    cdef float[8] total
    memset(out, 0, channels * sizeof(double))
    while first < rows:
        last = min(first + RUN, rows)
        for c in range(0, channels, 8):
            n = min(8, channels - c)
            s = vset8(0)
            for row in range(first, last):
                s = s + load(x + row * channels + c, n)
            vstore8(total, s)
            for l in range(n):
                out[c + l] += total[l]
        first = last
