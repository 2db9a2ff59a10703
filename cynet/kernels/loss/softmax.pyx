"""Soft-max over the last axis, alone and fused with the cross-entropy loss.

Design: rows are independent, so each is one thread's work from start to end. The greatest logit is
subtracted first, so that nothing overflows (a NaN may go unseen there: its own exponential shows it); sums are
double.
"""

from libc.math cimport log

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport team
from cynet.kernels.common.simd cimport (
    VL,
    run_max,
    run_sum,
    vexp,
    vf,
    vload,
    vload_part,
    vset,
    vstore,
    vstore_part,
)


cdef enum:
    GROUP = 8  # rows that are worked on at once
    GROUP_FLOATS = 2048  # ... while they stay in the first cache


cdef void exponentials(const float *x, float *y, Py_ssize_t n, float most) noexcept nogil:
    """y = exp(x - most)."""
    cdef Py_ssize_t i = 0
    cdef vf shift = vset(most)
    while i + VL <= n:
        vstore(y + i, vexp(vload(x + i) - shift))
        i += VL
    if i < n:
        vstore_part(y + i, vexp(vload_part(x + i, n - i) - shift), n - i)


cdef void softmax_rows(const float *x, float *y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    """Up to GROUP rows, step by step: one row's steps wait for each other, several rows' overlap."""
    cdef float[GROUP] most, scale
    cdef Py_ssize_t r, i
    for r in range(rows):
        most[r] = run_max(x + r * n, n)
    for r in range(rows):
        exponentials(x + r * n, y + r * n, n, most[r])
    for r in range(rows):
        scale[r] = <float>(1 / run_sum(y + r * n, n))
    for r in range(rows):
        for i in range(n):
            y[r * n + i] = y[r * n + i] * scale[r]


cdef void softmax_grad_row(const float *y, const float *dy, float *dx, Py_ssize_t n) noexcept nogil:
    cdef double total = 0
    cdef float mean
    cdef Py_ssize_t i
    for i in range(n):
        total += <double>dy[i] * y[i]
    mean = <float>total
    for i in range(n):
        dx[i] = y[i] * (dy[i] - mean)


cdef double cross_entropy_row(
    const float *x, Py_ssize_t label, float *dx, Py_ssize_t n, double smoothing, double weight
) noexcept nogil:
    """The loss of one row; dx = weight * (soft-max - target)."""
    cdef float most = run_max(x, n)
    exponentials(x, dx, n, most)
    cdef double total = run_sum(dx, n)
    # Differences in double: two finite floats may be further apart than the greatest float.
    cdef double loss = log(total) - (1 - smoothing) * (<double>x[label] - most), below = 0
    cdef float scale = <float>(weight / total), share = <float>(weight * smoothing / n)
    cdef Py_ssize_t i
    if smoothing > 0:  # otherwise a logit of -Inf would make 0 * Inf here
        for i in range(n):
            below += <double>x[i] - most
        loss -= smoothing / n * below
    for i in range(n):
        dx[i] = dx[i] * scale - share
    dx[label] -= <float>(weight * (1 - smoothing))
    return loss


cdef double weighted_row(
    const float *x, Py_ssize_t label, float *dx, Py_ssize_t n, double smoothing, const double *weights,
    double weight_sum, double scale,
) noexcept nogil:
    """The same with a weight for each class: the loss, and dx = scale * (sum(target) * soft-max - target)."""
    cdef float most = run_max(x, n)
    exponentials(x, dx, n, most)
    cdef double total = run_sum(dx, n), share = smoothing / n, below = 0
    cdef double at_label = (1 - smoothing) * weights[label], of_target = at_label + share * weight_sum
    cdef double loss = of_target * log(total)
    cdef float of_softmax = <float>(scale * of_target / total)
    cdef Py_ssize_t i
    if at_label > 0:
        loss -= at_label * (<double>x[label] - most)
    if share > 0:
        for i in range(n):
            if weights[i] > 0:  # a class without weight costs nothing, whatever its logit
                below += weights[i] * (<double>x[i] - most)
        loss -= share * below
    for i in range(n):
        dx[i] = dx[i] * of_softmax - <float>(scale * share * weights[i])
    dx[label] -= <float>(scale * at_label)
    return loss


def softmax(
    const float[:, ::1] x not None,         # in: (rows, classes)
    float[:, ::1] y not None,               # out: shape of x
    int threads,
):
    """y = exp(x) / sum(exp(x)) along each row."""
    cdef Py_ssize_t rows = x.shape[0], n = x.shape[1], i, group
    cdef const float *px
    cdef float *py
    if rows * n == 0:
        return
    px, py = &x[0, 0], &y[0, 0]
    group = max(1, min(GROUP, GROUP_FLOATS // n))
    for i in prange((rows + group - 1) // group, nogil=True, num_threads=team(rows * n, threads), schedule="static"):
        softmax_rows(px + i * group * n, py + i * group * n, min(group, rows - i * group), n)


def softmax_backward(
    const float[:, ::1] y not None,         # in: (rows, classes), the output
    const float[:, ::1] dy not None,        # in: shape of y
    float[:, ::1] dx not None,              # out: shape of y
    int threads,
):
    """dx = y * (dy - sum(dy * y)) along each row."""
    cdef Py_ssize_t rows = y.shape[0], n = y.shape[1], i
    cdef const float *py
    cdef const float *pdy
    cdef float *pdx
    if rows * n == 0:
        return
    py, pdy, pdx = &y[0, 0], &dy[0, 0], &dx[0, 0]
    for i in prange(rows, nogil=True, num_threads=team(rows * n, threads), schedule="static"):
        softmax_grad_row(py + i * n, pdy + i * n, pdx + i * n, n)


def in_range(
    const long long[::1] labels not None,   # in: (N,)
    long long classes,
):
    """Whether each label is one from 0 to classes - 1."""
    cdef Py_ssize_t i
    cdef long long outside = 0
    for i in range(labels.shape[0]):
        outside |= labels[i] < 0 or labels[i] >= classes
    return not outside


def cross_entropy(
    const float[:, ::1] logits not None,    # in: (N, classes), N and classes at least 1
    const long long[::1] labels not None,   # in: (N,), each 0 to classes - 1
    float[:, ::1] dlogits not None,         # out: (N, classes), the gradient of the returned mean
    double[::1] losses not None,            # out: (N,), the loss of each row
    double smoothing,                       # part of the target that is spread over all classes, 0 to 1
    int threads,
):
    """The mean over the rows of -sum(target * log(soft-max)), the sum taken in the order of the rows.

    The target is 1 - smoothing at the label plus smoothing / classes everywhere (Szegedy et al. 2015, section
    7), as PyTorch's.
    """
    cdef Py_ssize_t rows = logits.shape[0], n = logits.shape[1], i
    cdef double weight = 1.0 / rows, total = 0
    cdef const float *px = &logits[0, 0]
    cdef const long long *pl = &labels[0]
    cdef float *pdx = &dlogits[0, 0]
    cdef double *po = &losses[0]
    for i in prange(rows, nogil=True, num_threads=team(rows * n, threads), schedule="static"):
        po[i] = cross_entropy_row(px + i * n, pl[i], pdx + i * n, n, smoothing, weight)
    for i in range(rows):
        total += losses[i]
    return total * weight


def weighted_cross_entropy(
    const float[:, ::1] logits not None,    # in: (N, classes), N and classes at least 1
    const long long[::1] labels not None,   # in: (N,), each 0 to classes - 1
    const double[::1] weights not None,     # in: (classes,), at least 0
    float[:, ::1] dlogits not None,         # out: (N, classes), the gradient of what is returned
    double[::1] losses not None,            # out: (N,), the loss of each row
    double smoothing,                       # part of the target that is spread over all classes, 0 to 1
    double divisor,                         # above 0
    int threads,
):
    """The sum over the rows of -sum(target * log(soft-max)), in the order of the rows, over `divisor`.

    The target is that of `cross_entropy`, each class times its weight, as PyTorch's.
    """
    cdef Py_ssize_t rows = logits.shape[0], n = logits.shape[1], i
    cdef double total = 0, weight_sum = 0, scale = 1 / divisor
    cdef const float *px = &logits[0, 0]
    cdef const long long *pl = &labels[0]
    cdef const double *pw = &weights[0]
    cdef float *pdx = &dlogits[0, 0]
    cdef double *po = &losses[0]
    for i in range(n):
        weight_sum += pw[i]
    for i in prange(rows, nogil=True, num_threads=team(rows * n, threads), schedule="static"):
        po[i] = weighted_row(px + i * n, pl[i], pdx + i * n, n, smoothing, pw, weight_sum, scale)
    for i in range(rows):
        total += losses[i]
    return total / divisor
