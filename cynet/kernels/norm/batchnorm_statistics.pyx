"""Batch normalisation's statistics over rows (pixels) x channels, in one pass over memory.

Design: rows are cut into chunks of a fixed number, the work items of every function here; partial results are
stored by chunk and joined in order, so that the result is the same for any number of threads. Within a chunk,
a vector of channels at a time, runs of rows are summed in float32 *relative to the mean so far*: rounding then
depends on the channel's spread, never on its mean, and a constant channel gives exactly zero. Four accumulators
take turns, each for RUN rows of a run at most. The runs' means and sums of squares are joined in double
precision (Chan, Golub and LeVeque, 1983), which reads x once instead of the two passes of the textbook. What a
badly placed mean costs a run in precision, (mean so far - run's mean)^2 roundings, is a rounding of what the
same difference adds to the total. Where a sum of squares leaves float32's range the run is summed again in double.
"""

from cython.parallel cimport prange
from libc.math cimport isfinite, sqrt
from libc.string cimport memset

from cynet.kernels.common.simd cimport VL, load_wide, vf, vset, vstore
from cynet.kernels.norm.channels cimport (
    CONSTANT, INVERSE, LANES, MEAN, MEAN_HIGH, MEAN_LOW, MOST, OF_DY, OF_X, RUN, SCALE, SHIFT, STRIPS, SUMS, View,
    block_rows, folds, view_of
)


def statistics(
    const float[:, ::1] x not None,         # in: (rows, channels), at least one row
    double[:, :, ::1] partial not None,     # out: `partial_shape`: means and sums of squared deviations, by chunk
    double[::1] mean not None,              # out: (channels,)
    double[::1] variance not None,          # out: (channels,)
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
):
    """Mean and biased variance of each channel."""
    join_statistics(x, partial, &mean[0], &variance[0], chunk_rows, threads)


cdef void join_statistics(const float[:, ::1] x, double[:, :, ::1] partial, double *mean, double *variance,
                          Py_ssize_t chunk_rows, int threads) noexcept:
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i, c
    cdef const float *source = &x[0, 0]
    cdef double *sums = &partial[0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        chunk_statistics(source + i * chunk_rows * channels, min(chunk_rows, rows - i * chunk_rows), channels,
                         sums + i * SUMS * channels)
    join_chunks(sums, chunks, rows, channels, chunk_rows, mean, variance)
    for c in range(channels):
        variance[c] /= rows


cdef void join_chunks(const double *partial, Py_ssize_t chunks, Py_ssize_t rows, Py_ssize_t channels,
                      Py_ssize_t chunk_rows, double *mean, double *square) noexcept nogil:
    """Means and sums of squared deviations of all rows, from those of the chunks; may be where the first's are."""
    cdef Py_ssize_t i, c
    cdef double count = min(chunk_rows, rows), n, delta
    for c in range(channels):
        mean[c], square[c] = partial[c], partial[channels + c]
    for i in range(1, chunks):
        partial += SUMS * channels
        n = min(chunk_rows, rows - i * chunk_rows)
        for c in range(channels):
            delta = partial[c] - mean[c]
            mean[c] += delta * n / (count + n)
            square[c] += partial[channels + c] + delta * delta * count * n / (count + n)
        count += n


cdef void chunk_statistics(const float *x, Py_ssize_t rows, Py_ssize_t channels, double *out) noexcept nogil:
    """Means (out[0:channels]) and sums of squared deviations (out[channels:]) of a few rows."""
    cdef View v = view_of(rows, channels)
    cdef Py_ssize_t c, first = 0, n, lanes, block = block_rows(v.step)
    cdef Py_ssize_t fold = LANES // channels if folds(channels) else 1
    memset(out, 0, SUMS * channels * sizeof(double))
    while first < v.rows:
        n = min(block, v.rows - first)
        c = 0
        while c < v.step:
            lanes = v.step - c
            if lanes > VL:
                lanes = STRIPS * VL if lanes >= STRIPS * VL else 2 * VL if lanes >= 2 * VL else VL
            one_run(x + first * v.step + c, n, v.step, lanes, channels, first * fold, out + c, out + channels + c)
            c += lanes
        first += n
    for c from 0 <= c < v.tail by VL:
        one_run(x + first * v.step + c, 1, v.step, min(VL, v.tail - c), channels, first * fold + c // channels, out,
                out + channels)


cdef void one_run(const float *x, Py_ssize_t n, Py_ssize_t step, Py_ssize_t lanes, Py_ssize_t channels,
                  Py_ssize_t count, double *mean, double *square) noexcept nogil:
    """Join n wide rows of STRIPS or two vectors, or of up to VL lanes, to the statistics of the `count` rows before."""
    cdef Py_ssize_t l, group = min(lanes, channels), real = n * (lanes // group)
    cdef float[MOST * LANES] shift, f1, f2
    cdef double[MOST * LANES] sum1, sum2
    cdef double share = <double>real / (count + real), delta, each = 1.0 / real
    memset(shift, 0, sizeof(shift))  # for the compiler: a group has at least one lane
    if count == 0:
        for l from 0 <= l < lanes by VL:
            vstore(shift + l, run_mean_near(x + l, min(n, RUN), step, lanes - l))
        for l in range(group, lanes):
            shift[l] = shift[l - group]
    else:
        for l in range(lanes):
            shift[l] = <float>mean[l if l < group else l % group]
    if lanes == STRIPS * VL:
        run_sums(x, n, step, STRIPS * VL, STRIPS, shift, f1, f2)
    elif lanes == 2 * VL:
        run_sums(x, n, step, 2 * VL, 2, shift, f1, f2)
    else:
        run_sums(x, n, step, lanes, 1, shift, f1, f2)
    for l in range(group):
        sum1[l], sum2[l] = f1[l], f2[l]
    for l in range(group, lanes):
        sum1[l % group] += f1[l]
        sum2[l % group] += f2[l]
    for l in range(group):
        delta = sum1[l] * each
        sum2[l] = sum2[l] - sum1[l] * delta
        sum1[l] = shift[l] + delta
        if sum2[l] < 0:  # rounding; a NaN stays
            sum2[l] = 0
    for l in range(group):
        if not isfinite(sum2[l]):
            run_in_double(x + l, real, channels, &sum1[l], &sum2[l])
    for l in range(group):
        delta = sum1[l] - mean[l]
        mean[l] += delta * share
        square[l] += sum2[l] + delta * delta * (count * share)


cdef inline void run_sums(const float *x, Py_ssize_t n, Py_ssize_t step, Py_ssize_t left, Py_ssize_t strips,
                          const float *shift, float *f1, float *f2) noexcept nogil:
    """Sums of the differences to `shift`, and of their squares, of `strips` vectors (a constant)."""
    cdef Py_ssize_t s, row = 0
    cdef vf[MOST] a1, a2, b1, b2, c1, c2, d1, d2
    for s in range(strips):
        a1[s] = a2[s] = b1[s] = b2[s] = c1[s] = c2[s] = d1[s] = d2[s] = vset(0)
    while row + 4 <= n:
        add_row(x, left, strips, shift, a1, a2)
        add_row(x + step, left, strips, shift, b1, b2)
        add_row(x + 2 * step, left, strips, shift, c1, c2)
        add_row(x + 3 * step, left, strips, shift, d1, d2)
        x += 4 * step
        row += 4
    while row < n:
        add_row(x, left, strips, shift, a1, a2)
        x += step
        row += 1
    for s in range(strips):
        vstore(f1 + s * VL, (a1[s] + b1[s]) + (c1[s] + d1[s]))
        vstore(f2 + s * VL, (a2[s] + b2[s]) + (c2[s] + d2[s]))


cdef inline void add_row(const float *x, Py_ssize_t left, Py_ssize_t strips, const float *shift, vf *total,
                         vf *squares) noexcept nogil:
    cdef Py_ssize_t s
    cdef vf d
    for s in range(strips):
        d = load_wide(x + s * VL, left) - load_wide(shift + s * VL, left)
        total[s], squares[s] = total[s] + d, squares[s] + d * d


cdef inline vf run_mean_near(const float *x, Py_ssize_t n, Py_ssize_t step, Py_ssize_t lanes) noexcept nogil:
    """About the mean of each lane, and exactly the value of a constant one."""
    cdef Py_ssize_t row
    cdef vf start = load_wide(x, lanes), total = vset(0)
    for row in range(n):
        total = total + (load_wide(x + row * step, lanes) - start)
    return start + total / vset(<float>n)


cdef void run_in_double(const float *x, Py_ssize_t n, Py_ssize_t step, double *mean,
                        double *square) noexcept nogil:
    """Mean and sum of squared deviations of n values, two-pass, for values that overflow a float32 square."""
    cdef Py_ssize_t i
    cdef double total = 0
    for i in range(n):
        total += x[i * step]
    mean[0] = total / n
    total = 0
    for i in range(n):
        total += (x[i * step] - mean[0]) * (x[i * step] - mean[0])
    square[0] = total


# -- the numbers a channel ----------------------------------------------------------------------------------
cdef void batch_terms(
    const float[:, ::1] x,                  # in: (rows, channels), at least two rows
    const float[::1] weight,                # in: (channels,); empty: 1
    const float[::1] bias,                  # in: (channels,); empty: 0
    float[::1] running_mean,                # inout: (channels,)
    float[::1] running_var,                 # inout: (channels,)
    double eps,
    double momentum,                        # running += momentum * (new - running), the new variance the unbiased one
    double[:, :, ::1] partial,              # out: as for `statistics`
    double[:, ::1] state,                   # out: (STATE, channels)
    float[:, ::1] terms,                    # out: (TERMS, channels), rows MEAN_HIGH to SHIFT
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
) noexcept:
    """The statistics of a batch, what they move, and what `normalize` needs of them."""
    cdef Py_ssize_t rows = x.shape[0]
    join_statistics(x, partial, &state[MEAN, 0], &state[INVERSE, 0], chunk_rows, threads)
    track(&state[MEAN, 0], &state[INVERSE, 0], rows, running_mean, running_var, momentum)
    channel_terms(weight, bias, eps, state, terms)


cdef void fixed_terms(
    const float[::1] running_mean,          # in: (channels,)
    const float[::1] running_var,           # in: (channels,)
    const float[::1] weight,                # in: as for `batch_terms`
    const float[::1] bias,                  # in
    double eps,
    double[:, ::1] state,                   # out: (STATE, channels)
    float[:, ::1] terms,                    # out: (TERMS, channels), rows MEAN_HIGH to SHIFT
) noexcept:
    """As `batch_terms`, from given statistics: the evaluation mode."""
    cdef Py_ssize_t c
    for c in range(running_mean.shape[0]):
        state[MEAN, c], state[INVERSE, c] = running_mean[c], running_var[c]
    channel_terms(weight, bias, eps, state, terms)


cdef void track(const double *mean, const double *variance, Py_ssize_t rows, float[::1] running_mean,
                float[::1] running_var, double momentum) noexcept:
    """Move the running statistics towards this batch's; the running variance is the unbiased one."""
    cdef Py_ssize_t c
    cdef double unbiased = <double>rows / (rows - 1)
    for c in range(running_mean.shape[0]):
        running_mean[c] = <float>(running_mean[c] + momentum * (mean[c] - running_mean[c]))
        running_var[c] = <float>(running_var[c] + momentum * (variance[c] * unbiased - running_var[c]))


cdef void channel_terms(const float[::1] weight, const float[::1] bias, double eps, double[:, ::1] state,
                        float[:, ::1] terms) noexcept:
    """From mean and variance in `state`: the terms, and the inverse deviation in the variance's place."""
    cdef Py_ssize_t c
    cdef bint scaled = weight.shape[0] > 0, shifted = bias.shape[0] > 0
    for c in range(terms.shape[1]):
        state[INVERSE, c] = 1 / sqrt(state[INVERSE, c] + eps)
        terms[MEAN_HIGH, c] = <float>state[MEAN, c]
        terms[MEAN_LOW, c] = <float>(state[MEAN, c] - terms[MEAN_HIGH, c]) if isfinite(state[MEAN, c]) else 0
        terms[SCALE, c] = <float>(state[INVERSE, c] * weight[c]) if scaled else <float>state[INVERSE, c]
        terms[SHIFT, c] = bias[c] if shifted else 0


cdef void gradient_terms(
    const double[:, :, ::1] partial,        # in: what `gradient_sums` made, by chunk; they are added in order
    const double[:, ::1] state,             # in: (STATE, channels), from the forward pass
    const float[::1] weight,                # in: (channels,); empty: 1
    float[::1] weight_grad,                 # inout: (channels,), added to; empty: nobody wants it
    float[::1] bias_grad,                   # inout: as `weight_grad`
    Py_ssize_t rows,
    bint of_batch,                          # mean and variance were the batch's; if not they are constants
    float[:, ::1] terms,                    # out: (TERMS, channels), rows OF_DY to CONSTANT
) noexcept:
    """From the sums over rows: the parameters' gradients, and the factors of `input_gradient`."""
    cdef Py_ssize_t c, i
    cdef double total, product, a
    cdef bint scaled = weight.shape[0] > 0, scale = weight_grad.shape[0] > 0, shift = bias_grad.shape[0] > 0
    for c in range(terms.shape[1]):
        total = product = 0
        for i in range(partial.shape[0]):
            total += partial[i, 0, c]
            product += partial[i, 1, c]
        a = state[INVERSE, c]
        if scale:
            weight_grad[c] += <float>(product * a)
        if shift:
            bias_grad[c] += <float>total
        if scaled:
            a *= weight[c]
        terms[OF_DY, c] = <float>a
        terms[OF_X, c] = <float>(-a * product * (state[INVERSE, c] * state[INVERSE, c]) / rows) if of_batch else 0
        terms[CONSTANT, c] = <float>(-a * total / rows) if of_batch else 0
