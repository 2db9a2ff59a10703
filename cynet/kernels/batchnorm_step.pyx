"""Batch norm in training, whole: a forward or a backward pass in one call, with what follows it.

Design: the loops over rows are those of batchnorm.pyx; here stands the arithmetic between them, a few numbers a
channel in double precision. A ReLU after the batch norm, and the sum of a residual block between the two, are
done while the rows are in registers. The backward pass does not need the ReLU's input kept: without a residual
it is computed again from x, by the same operations; with one, its sign is that of the output y.
"""

from cython.parallel cimport prange
from libc.math cimport isfinite, sqrt

from .batchnorm cimport (
    chunk_gradient_sums, chunk_statistics, input_gradient_chunk, join_chunks, normalize_chunk
)


cdef void mean_terms(const double *mean, Py_ssize_t channels, float *terms) noexcept nogil:
    """The mean as two floats: terms[0:channels] and the rest of it behind."""
    cdef Py_ssize_t c
    for c in range(channels):
        terms[c] = <float>mean[c]
        terms[channels + c] = <float>(mean[c] - terms[c]) if isfinite(mean[c]) else 0


def forward(const float[:, ::1] x not None, const float[::1] weight not None, const float[::1] bias not None,
            float[::1] running_mean not None, float[::1] running_var not None, double eps, double momentum,
            bint training, bint relu, const float[:, ::1] residual not None, float[:, ::1] y not None,
            double[:, ::1] state not None, float[:, ::1] terms not None, double[:, :, ::1] partial not None,
            Py_ssize_t chunk_rows, int threads):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias [+ residual], with relu at least 0.

    Parameters
    ----------
    x : float32 (rows, channels)
        # in; at least one row, in training two.
    weight, bias : float32 (channels,), or empty for ones and zeros
        # in
    running_mean, running_var : float32 (channels,)
        # inout; moved towards the batch's in training, otherwise what normalises.
    eps, momentum : float
    training, relu : bool
    residual : float32 (rows, channels), or empty
        # in
    y : float32 (rows, channels)
        # out
    state : float64 (2, channels)
        # out; the mean, and 1 / sqrt(variance + eps).
    terms : float32 (4, channels)
        # out; mean (high, low), scale, shift.
    partial : float64 (chunks, 2, channels)
        # out
    chunk_rows, threads : int
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i, c
    cdef const float *source = &x[0, 0]
    cdef const float *extra = &residual[0, 0] if residual.shape[0] else NULL
    cdef float *out = &y[0, 0]
    cdef float *t = &terms[0, 0]
    cdef double *sums = &partial[0, 0, 0]
    cdef double *mean = &state[0, 0]
    cdef double *inverse = &state[1, 0]
    cdef double unbiased
    if training:
        for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
            chunk_statistics(source + i * chunk_rows * channels, min(chunk_rows, rows - i * chunk_rows),
                             channels, sums + i * 2 * channels)
        join_chunks(sums, rows, channels, chunk_rows, mean, inverse)
    for c in range(channels):
        if training:
            unbiased = inverse[c] * (<double>rows / (rows - 1))
            running_mean[c] = <float>(running_mean[c] + momentum * (mean[c] - running_mean[c]))
            running_var[c] = <float>(running_var[c] + momentum * (unbiased - running_var[c]))
        else:
            mean[c], inverse[c] = running_mean[c], running_var[c]
        inverse[c] = 1 / sqrt(inverse[c] + eps)
        t[2 * channels + c] = <float>(inverse[c] * weight[c]) if weight.shape[0] else <float>inverse[c]
        t[3 * channels + c] = bias[c] if bias.shape[0] else 0
    mean_terms(mean, channels, t)
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        normalize_chunk(source + i * chunk_rows * channels, min(chunk_rows, rows - i * chunk_rows), channels, t,
                        extra + i * chunk_rows * channels if extra != NULL else NULL, relu,
                        out + i * chunk_rows * channels)


def backward(const float[:, ::1] x not None, const float[:, ::1] dy not None, const float[::1] weight not None,
             float[::1] weight_grad not None, float[::1] bias_grad not None, bint training, bint relu,
             const float[:, ::1] y not None, float[:, ::1] dz not None, float[:, ::1] dx not None,
             const double[:, ::1] state not None, const float[:, ::1] terms not None,
             float[:, ::1] factors not None, double[:, :, ::1] partial not None, Py_ssize_t chunk_rows,
             int threads):
    """The gradients of `forward`.

    Parameters
    ----------
    x, dy : float32 (rows, channels)
        # in
    weight, weight_grad, bias_grad : float32 (channels,), or empty
        # in, inout, inout; the gradients are added to.
    training, relu : bool
        As in the forward pass.
    y : float32 (rows, channels), or empty
        # in; the output, where a residual was added before the ReLU.
    dz : float32 (rows, channels), or empty
        # out; with y: the gradient before the ReLU, which is also the residual's.
    dx : float32 (rows, channels), or empty
        # out; the gradient to x, where it is wanted.
    state, terms
        # in; as forward left them.
    factors : float32 (5, channels)
        # out; the mean, and the factors of dy, of x - mean, and of 1.
    partial : float64 (chunks, 2, channels)
        # out
    chunk_rows, threads : int
    """
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i, c, at
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *out = &y[0, 0] if y.shape[0] else NULL
    cdef float *z = &dz[0, 0] if dz.shape[0] else NULL
    cdef const float *t = &terms[0, 0]
    cdef float *f = &factors[0, 0]
    cdef double *sums = &partial[0, 0, 0]
    cdef double total, product, of_dy, inverse
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        at = i * chunk_rows * channels
        chunk_gradient_sums(source + at, d + at, min(chunk_rows, rows - i * chunk_rows), channels, t, relu,
                            out + at if out != NULL else NULL, z + at if z != NULL else NULL,
                            sums + i * 2 * channels)
    for c in range(channels):
        total = product = 0
        for i in range(chunks):
            total += partial[i, 0, c]
            product += partial[i, 1, c]
        inverse = state[1, c]
        of_dy = inverse * weight[c] if weight.shape[0] else inverse
        if weight.shape[0]:
            weight_grad[c] += <float>(product * inverse)
            bias_grad[c] += <float>total
        f[2 * channels + c] = <float>of_dy
        f[3 * channels + c] = <float>(-of_dy * product * (inverse * inverse) / rows) if training else 0
        f[4 * channels + c] = <float>(-of_dy * total / rows) if training else 0
    if dx.shape[0] == 0:
        return
    mean_terms(&state[0, 0], channels, f)
    cdef float *to = &dx[0, 0]
    cdef const float *through = t + 2 * channels if relu and z == NULL else NULL
    if z != NULL:
        d = z
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        at = i * chunk_rows * channels
        input_gradient_chunk(source + at, d + at, min(chunk_rows, rows - i * chunk_rows), channels, f, through,
                             to + at)
