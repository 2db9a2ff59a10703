"""What the machine can do at most: multiply-adds in registers, and streams through memory.

Nothing trains with these; `cynet bench` holds the other kernels against them.
"""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length
from cynet.kernels.common.simd cimport VL, vf, vload, vload_part, vset, vstore, vstore_part

cdef extern from *:
    """
    #include "simd.h"
    /* So many independent sums: latency times units of the processors we know (at most 5 x 2), and no more
     * than there are registers for. The loop is unrolled, so that each sum lives in a register. */
    #if defined(__AVX__) || defined(__aarch64__)
    #define CHAINS 12
    #else
    #define CHAINS 6
    #endif
    static float cynet_chains(ptrdiff_t steps, float factor, float term) {
        vf sum[CHAINS], f = vset(factor), t = vset(term);
        _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) sum[c] = vset((float)c);
        for (ptrdiff_t i = 0; i < steps; i++)
            _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * f + t;
        _Pragma("GCC unroll 12") for (int c = 1; c < CHAINS; c++) sum[0] += sum[c];
        float all = 0;
        for (int lane = 0; lane < VL; lane++) all += sum[0][lane];
        return all;
    }
    """
    const Py_ssize_t CHAINS
    float cynet_chains(Py_ssize_t steps, float factor, float term) nogil


def chains(
    float[::1] out not None,    # out: one result for each of its elements, a chain of work
    Py_ssize_t steps,           # multiply-adds of each sum
    float factor,               # arguments, so that the compiler cannot work out a sum beforehand
    float term,
    int threads,
):
    """Run len(out) times `steps` multiply-adds of every sum; returns the operations, two a multiply-add."""
    cdef Py_ssize_t n = out.shape[0], i
    cdef float *po
    if n == 0:
        return 0
    po = &out[0]
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        po[i] = cynet_chains(steps, factor, term)
    return 2 * VL * CHAINS * steps * n


cdef void fill_chunk(float *out, float value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = value


def fill(
    float[::1] out not None,    # out
    float value,
    int threads,
):
    """out = value, by the threads that the streams below give each part to (so that it lies near them)."""
    cdef Py_ssize_t n = out.shape[0], i
    cdef float *po
    if n == 0:
        return
    po = &out[0]
    for i in prange(chunks(n), nogil=True, num_threads=threads, schedule="static"):
        fill_chunk(po + i * CHUNK, value, length(i, n))


cdef void copy_chunk(const float *a, float *out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vstore(out + i, vload(a + i))
        i += VL
    if i < n:
        vstore_part(out + i, vload_part(a + i, n - i), n - i)


def copy(
    const float[::1] a not None,    # in
    float[::1] out not None,        # out: as many
    int threads,
):
    """out = a, by plain vector loads and stores, as the other kernels do it."""
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef float *po
    if n == 0:
        return
    pa, po = &a[0], &out[0]
    for i in prange(chunks(n), nogil=True, num_threads=threads, schedule="static"):
        copy_chunk(pa + i * CHUNK, po + i * CHUNK, length(i, n))


cdef void triad_chunk(const float *a, const float *b, float *out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    cdef vf factor = vset(3)
    while i + VL <= n:
        vstore(out + i, vload(a + i) + factor * vload(b + i))
        i += VL
    if i < n:
        vstore_part(out + i, vload_part(a + i, n - i) + factor * vload_part(b + i, n - i), n - i)


def triad(
    const float[::1] a not None,    # in
    const float[::1] b not None,    # in
    float[::1] out not None,        # out: as many
    int threads,
):
    """out = a + 3 b."""
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef const float *pb
    cdef float *po
    if n == 0:
        return
    pa, pb, po = &a[0], &b[0], &out[0]
    for i in prange(chunks(n), nogil=True, num_threads=threads, schedule="static"):
        triad_chunk(pa + i * CHUNK, pb + i * CHUNK, po + i * CHUNK, length(i, n))


def sum_count(Py_ssize_t elements):
    """The partial sums of `read`."""
    return chunks(elements)


cdef float sum_chunk(const float *a, Py_ssize_t n) noexcept nogil:
    """Four sums side by side, so that the loads and not the additions are what takes time."""
    cdef Py_ssize_t i = 0, lane
    cdef float rest[16]
    cdef float total = 0
    cdef vf s0 = vset(0), s1 = vset(0), s2 = vset(0), s3 = vset(0)
    while i + 4 * VL <= n:
        s0 = s0 + vload(a + i)
        s1 = s1 + vload(a + i + VL)
        s2 = s2 + vload(a + i + 2 * VL)
        s3 = s3 + vload(a + i + 3 * VL)
        i += 4 * VL
    vstore(rest, (s0 + s1) + (s2 + s3))
    for lane in range(VL):
        total = total + rest[lane]
    for lane in range(i, n):
        total = total + a[lane]
    return total


def read(
    const float[::1] a not None,    # in
    float[::1] sums not None,       # out: (sum_count(len(a)),)
    int threads,
):
    """Read `a` once: the sum of each chunk."""
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef float *ps
    if n == 0:
        return
    pa, ps = &a[0], &sums[0]
    for i in prange(chunks(n), nogil=True, num_threads=threads, schedule="static"):
        ps[i] = sum_chunk(pa + i * CHUNK, length(i, n))
