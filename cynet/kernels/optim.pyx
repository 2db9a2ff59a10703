"""Optimiser steps on one parameter: each element is read and written once."""

from libc.math cimport sqrtf

from cython.parallel cimport prange

from cynet.kernels.parallel cimport CHUNK, chunks, length, team


cdef struct SGD:
    float lr, momentum, weight_decay
    bint nesterov


cdef struct Adam:
    float step              # lr / (1 - beta1^t)
    float keep              # 1 - lr * decoupled weight decay
    float weight_decay      # added to the gradient
    float new1              # 1 - beta1
    float beta2, new2       # and 1 - beta2, which a float subtraction would round badly
    float eps
    float root              # sqrt(1 - beta2^t)


cdef void sgd_plain_chunk(float *p, const float *g, Py_ssize_t n, SGD s) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] = p[i] - s.lr * (g[i] + s.weight_decay * p[i])


cdef void sgd_momentum_chunk(float *p, const float *g, float *v, Py_ssize_t n, SGD s) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        v[i] = s.momentum * v[i] + (g[i] + s.weight_decay * p[i])
        p[i] = p[i] - s.lr * v[i]


cdef void sgd_nesterov_chunk(float *p, const float *g, float *v, Py_ssize_t n, SGD s) noexcept nogil:
    cdef Py_ssize_t i
    cdef float d
    for i in range(n):
        d = g[i] + s.weight_decay * p[i]
        v[i] = s.momentum * v[i] + d
        p[i] = p[i] - s.lr * (d + s.momentum * v[i])


cdef void adam_chunk(float *p, const float *g, float *m, float *v, Py_ssize_t n, Adam a) noexcept nogil:
    cdef Py_ssize_t i
    cdef float d, w
    for i in range(n):
        w = p[i] * a.keep
        d = g[i] + a.weight_decay * w
        m[i] = m[i] + a.new1 * (d - m[i])
        v[i] = a.beta2 * v[i] + a.new2 * (d * d)
        p[i] = w - a.step * m[i] / (sqrtf(v[i]) / a.root + a.eps)


def sgd(
    float[::1] p not None,          # inout: the parameter
    const float[::1] g not None,    # in: its gradient
    float lr,
    float weight_decay,
    int threads,
):
    """p -= lr * (g + weight_decay * p)."""
    cdef Py_ssize_t n = p.shape[0], i
    cdef SGD s = SGD(lr, 0, weight_decay, False)
    cdef float *pp
    cdef const float *pg
    if n == 0:
        return
    pp, pg = &p[0], &g[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        sgd_plain_chunk(pp + i * CHUNK, pg + i * CHUNK, length(i, n), s)


def sgd_momentum(
    float[::1] p not None,          # inout: the parameter
    const float[::1] g not None,    # in: its gradient
    float[::1] v not None,          # inout: its velocity, zeros at first
    float lr,
    float momentum,
    float weight_decay,
    bint nesterov,
    int threads,
):
    """v = momentum * v + d with d = g + weight_decay * p; p -= lr * v.

    Nesterov's form (Sutskever et al. 2013, as PyTorch writes it): p -= lr * (d + momentum * v).
    """
    cdef Py_ssize_t n = p.shape[0], i
    cdef SGD s = SGD(lr, momentum, weight_decay, nesterov)
    cdef float *pp
    cdef const float *pg
    cdef float *pv
    if n == 0:
        return
    pp, pg, pv = &p[0], &g[0], &v[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        if s.nesterov:
            sgd_nesterov_chunk(pp + i * CHUNK, pg + i * CHUNK, pv + i * CHUNK, length(i, n), s)
        else:
            sgd_momentum_chunk(pp + i * CHUNK, pg + i * CHUNK, pv + i * CHUNK, length(i, n), s)


def adam(
    float[::1] p not None,          # inout: the parameter
    const float[::1] g not None,    # in: its gradient
    float[::1] m not None,          # inout: mean of the gradients, zeros at first
    float[::1] v not None,          # inout: mean of their squares, zeros at first
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weight_decay,
    bint decoupled,                 # AdamW: the decay shrinks p; otherwise it is added to the gradient
    Py_ssize_t t,                   # the number of this step, from 1
    int threads,
):
    """Adam (Kingma & Ba 2014, algorithm 1) or AdamW (Loshchilov & Hutter 2017, algorithm 2)."""
    cdef Py_ssize_t n = p.shape[0], i
    cdef Adam a = Adam(
        lr / (1 - beta1**t), 1 - lr * weight_decay if decoupled else 1, 0 if decoupled else weight_decay,
        1 - beta1, beta2, 1 - beta2, eps, (1 - beta2**t) ** 0.5,
    )
    cdef float *pp
    cdef const float *pg
    cdef float *pm
    cdef float *pv
    if n == 0:
        return
    pp, pg, pm, pv = &p[0], &g[0], &m[0], &v[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        adam_chunk(pp + i * CHUNK, pg + i * CHUNK, pm + i * CHUNK, pv + i * CHUNK, length(i, n), a)
