"""Optimiser steps: each element is read and written once.

`ParameterTable` steps all parameters of a model in one call; the functions after it step one array.
"""

from libc.math cimport sqrtf
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team


cdef struct SGDStep:
    float lr, momentum, weight_decay
    bint nesterov


cdef struct AdamStep:
    float step              # lr / (1 - beta1^t)
    float keep              # 1 - lr * decoupled weight decay
    float weight_decay      # added to the gradient
    float new1              # 1 - beta1
    float beta2, new2       # and 1 - beta2, which a float subtraction would round badly
    float eps
    float root              # sqrt(1 - beta2^t)


cdef void sgd_plain_chunk(float *p, const float *g, Py_ssize_t n, SGDStep s) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] = p[i] - s.lr * (g[i] + s.weight_decay * p[i])


cdef void sgd_momentum_chunk(float *p, const float *g, float *v, Py_ssize_t n, SGDStep s) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        v[i] = s.momentum * v[i] + (g[i] + s.weight_decay * p[i])
        p[i] = p[i] - s.lr * v[i]


cdef void sgd_nesterov_chunk(float *p, const float *g, float *v, Py_ssize_t n, SGDStep s) noexcept nogil:
    cdef Py_ssize_t i
    cdef float d
    for i in range(n):
        d = g[i] + s.weight_decay * p[i]
        v[i] = s.momentum * v[i] + d
        p[i] = p[i] - s.lr * (d + s.momentum * v[i])


cdef void adam_chunk(float *p, const float *g, float *m, float *v, Py_ssize_t n, AdamStep a) noexcept nogil:
    cdef Py_ssize_t i
    cdef float d, w
    for i in range(n):
        w = p[i] * a.keep
        d = g[i] + a.weight_decay * w
        m[i] = m[i] + a.new1 * (d - m[i])
        v[i] = a.beta2 * v[i] + a.new2 * (d * d)
        p[i] = w - a.step * m[i] / (sqrtf(v[i]) / a.root + a.eps)


cdef AdamStep adam_of(double lr, double beta1, double beta2, double eps, double weight_decay, bint decoupled,
                  Py_ssize_t t) noexcept:
    return AdamStep(
        lr / (1 - beta1**t), 1 - lr * weight_decay if decoupled else 1, 0 if decoupled else weight_decay,
        1 - beta1, beta2, 1 - beta2, eps, (1 - beta2**t) ** 0.5,
    )


cdef enum:
    PIECE = 4096        # elements of a work item
    ARRAYS = 4          # of a parameter, at most: itself, its gradient, the optimiser's


cdef struct Piece:
    float *array[ARRAYS]
    Py_ssize_t length


cdef class ParameterTable:
    """The arrays of all parameters, cut into work items by their sizes alone.

    Parameters
    ----------
    rows : list of tuple of float32 (n,)
        For each parameter itself, its gradient, and the optimiser's arrays: of one length, and writable. They are
        kept, and so stay where they are in memory.
    """

    cdef Piece *pieces
    cdef Py_ssize_t count, elements
    cdef list rows

    def __cinit__(self, list rows not None):
        cdef float[::1] view
        cdef Py_ssize_t i = 0, k, piece, n
        self.rows, self.count, self.elements = rows, 0, 0
        for row in rows:
            n = len(row[0])
            if len(row) > ARRAYS or any(len(array) != n for array in row):
                raise ValueError("rows: wanted up to 4 arrays of one length")
            self.count += (n + PIECE - 1) // PIECE
            self.elements += n
        self.pieces = <Piece *>calloc(max(1, self.count), sizeof(Piece))
        if self.pieces == NULL:
            raise MemoryError()
        for row in rows:
            n = len(row[0])
            for piece in range((n + PIECE - 1) // PIECE):
                self.pieces[i].length = min(PIECE, n - piece * PIECE)
                for k in range(len(row)):
                    view = row[k]
                    self.pieces[i].array[k] = &view[piece * PIECE]
                i += 1

    def __dealloc__(self):
        free(self.pieces)

    def zero_grad(self):
        """Set the gradients to zero."""
        cdef Py_ssize_t i
        for i in range(self.count):
            memset(self.pieces[i].array[1], 0, self.pieces[i].length * sizeof(float))

    def sgd(self, float lr, float momentum, float weight_decay, bint nesterov, int threads):
        """A step of `sgd`, or with a momentum of `sgd_momentum`."""
        cdef SGDStep s = SGDStep(lr, momentum, weight_decay, nesterov)
        cdef Py_ssize_t i, count = self.count
        cdef Piece *pieces = self.pieces
        for i in prange(count, nogil=True, num_threads=team(self.elements, threads), schedule="static"):
            sgd_piece(&pieces[i], s)

    def adam(self, double lr, double beta1, double beta2, double eps, double weight_decay, bint decoupled,
             Py_ssize_t t, int threads):
        """A step of `adam`."""
        cdef AdamStep a = adam_of(lr, beta1, beta2, eps, weight_decay, decoupled, t)
        cdef Py_ssize_t i, count = self.count
        cdef Piece *pieces = self.pieces
        for i in prange(count, nogil=True, num_threads=team(self.elements, threads), schedule="static"):
            adam_chunk(pieces[i].array[0], pieces[i].array[1], pieces[i].array[2], pieces[i].array[3],
                       pieces[i].length, a)


cdef void sgd_piece(const Piece *p, SGDStep s) noexcept nogil:
    if p.array[2] == NULL:  # of an optimiser without momentum
        sgd_plain_chunk(p.array[0], p.array[1], p.length, s)
    elif s.nesterov:
        sgd_nesterov_chunk(p.array[0], p.array[1], p.array[2], p.length, s)
    else:
        sgd_momentum_chunk(p.array[0], p.array[1], p.array[2], p.length, s)


def sgd(
    float[::1] p not None,          # inout: the parameter
    const float[::1] g not None,    # in: its gradient
    float lr,
    float weight_decay,
    int threads,
):
    """p -= lr * (g + weight_decay * p)."""
    cdef Py_ssize_t n = p.shape[0], i
    cdef SGDStep s = SGDStep(lr, 0, weight_decay, False)
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
    cdef SGDStep s = SGDStep(lr, momentum, weight_decay, nesterov)
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
    cdef AdamStep a = adam_of(lr, beta1, beta2, eps, weight_decay, decoupled, t)
    cdef float *pp
    cdef const float *pg
    cdef float *pm
    cdef float *pv
    if n == 0:
        return
    pp, pg, pm, pv = &p[0], &g[0], &m[0], &v[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        adam_chunk(pp + i * CHUNK, pg + i * CHUNK, pm + i * CHUNK, pv + i * CHUNK, length(i, n), a)
