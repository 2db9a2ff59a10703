"""Losses that are sums over single elements, each with its gradient in one pass.

Design: all of them are computed in double from one output and one target. One loop knows chunks, weights and the
order of the sums; what differs is a function of an element.
"""

from libc.math cimport NAN, exp, fabs, log1p

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team

cdef struct Point:  # what one element gives
    double loss, slope

ctypedef Point (*Rule)(double y, double target, double factor) noexcept nogil

cdef struct Terms:  # what the chunks of a loss share
    Rule rule
    const float *y
    const float *target
    const double *weight
    const double *factor
    float *dy
    Py_ssize_t columns, factors
    double scale


def sum_count(Py_ssize_t elements):
    """The partial sums of a loss: one for each chunk."""
    return chunks(elements)


cdef Point absolute(double y, double target, double factor) noexcept nogil:
    """|y - target|; the slope at 0 is 0, as PyTorch has it."""
    cdef Point point
    cdef double difference = y - target
    point.loss = fabs(difference)
    point.slope = 1 if difference > 0 else -1 if difference < 0 else 0 if difference == 0 else NAN
    return point


cdef Point huber(double y, double target, double delta) noexcept nogil:
    """Half the square up to delta, from there on a line of that slope."""
    cdef Point point
    cdef double difference = y - target, size = fabs(difference)
    if size > delta:
        point.loss = delta * (size - 0.5 * delta)
        point.slope = delta if difference > 0 else -delta
    else:  # a NaN too, which stays one
        point.loss = 0.5 * difference * difference
        point.slope = difference
    return point


cdef Point logistic(double x, double target, double positive) noexcept nogil:
    """-(positive * target * log s(x) + (1 - target) * log(1 - s(x))), s the sigmoid.

    As log(1 + exp(-|x|)) never overflows, it is finite for all finite x.
    """
    cdef Point point
    cdef double small = exp(-fabs(x)), ones = positive * target
    cdef double soft = log1p(small)  # of the smaller of the two logarithms
    cdef double sigmoid = 1 / (1 + small) if x >= 0 else small / (1 + small)
    cdef double loss = (1 - target) * soft + ones * soft
    # What is not 0 alone: infinity times 0 would be NaN.
    if x > 0:
        if target != 1:
            loss += (1 - target) * x
    elif ones != 0:
        loss -= ones * x
    point.loss = loss
    point.slope = (1 - target) * sigmoid - ones * (small if x >= 0 else 1) / (1 + small)
    return point


cdef double chunk_loss(const Terms *terms, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef double total = 0, w
    cdef Py_ssize_t i, column = start % terms.columns, place = start % terms.factors
    cdef Point point
    for i in range(start, start + n):
        point = terms.rule(terms.y[i], terms.target[i], terms.factor[place])
        w = terms.weight[column]
        total += w * point.loss
        terms.dy[i] = <float>(terms.scale * w * point.slope)
        column = column + 1 if column + 1 < terms.columns else 0
        place = place + 1 if place + 1 < terms.factors else 0
    return total


cdef double run(Rule rule, const float[::1] y, const float[::1] target, const double[::1] weight,
                const double[::1] factor, float[::1] dy, double[::1] sums, double scale, int threads):
    cdef Py_ssize_t n = y.shape[0], i
    cdef double total = 0
    cdef double *ps = &sums[0]
    cdef Terms terms
    terms.rule, terms.scale = rule, scale
    terms.y, terms.target, terms.dy = &y[0], &target[0], &dy[0]
    terms.weight, terms.columns = &weight[0], weight.shape[0]
    terms.factor, terms.factors = &factor[0], factor.shape[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        ps[i] = chunk_loss(&terms, i * CHUNK, length(i, n))
    for i in range(chunks(n)):
        total += sums[i]
    return total * scale


def absolute_error(
    const float[::1] y not None,        # in: at least 1 element
    const float[::1] target not None,   # in: as many
    const double[::1] weight not None,  # in: (columns,), element i counts weight[i % columns] times
    const double[::1] factor not None,  # in: (1,), not used
    float[::1] dy not None,             # out: as many as y, the gradient of the returned number
    double[::1] sums not None,          # out: (sum_count(n),)
    double scale,                       # what the sum is multiplied by
    int threads,
):
    """scale * sum(weight * |y - target|), the sum taken in the order of the chunks."""
    return run(absolute, y, target, weight, factor, dy, sums, scale, threads)


def huber_error(
    const float[::1] y not None,        # in: at least 1 element
    const float[::1] target not None,   # in: as many
    const double[::1] weight not None,  # in: (columns,), element i counts weight[i % columns] times
    const double[::1] factor not None,  # in: (1,), delta, above 0
    float[::1] dy not None,             # out: as many as y, the gradient of the returned number
    double[::1] sums not None,          # out: (sum_count(n),)
    double scale,                       # what the sum is multiplied by
    int threads,
):
    """scale * sum(weight * half the square up to delta, or delta * (|y - target| - delta / 2) beyond)."""
    return run(huber, y, target, weight, factor, dy, sums, scale, threads)


def logistic_error(
    const float[::1] y not None,        # in: at least 1 element, logits
    const float[::1] target not None,   # in: as many, from 0 to 1
    const double[::1] weight not None,  # in: (columns,), element i counts weight[i % columns] times
    const double[::1] factor not None,  # in: (columns,) or (1,), what a target of 1 counts, in the same way
    float[::1] dy not None,             # out: as many as y, the gradient of the returned number
    double[::1] sums not None,          # out: (sum_count(n),)
    double scale,                       # what the sum is multiplied by
    int threads,
):
    """scale * sum(weight * binary cross-entropy of sigmoid(y) and the target)."""
    return run(logistic, y, target, weight, factor, dy, sums, scale, threads)
