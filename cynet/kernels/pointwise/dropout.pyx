"""Dropout, whose mask is a function of a key and the element's number: nothing is stored for backward.

Design: each chunk of elements has a 64-bit key, made from the layer's key and the chunk's number by
SplitMix64 (Steele, Lea & Flood 2014). Inside a chunk the element's number passes twice through a 32-bit
mixing function (C. Wellons, "lowbias32"), with one half of the key before each. So the mask is the same for
any number of threads.
"""

from libc.stdint cimport uint32_t, uint64_t

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team


cdef inline uint64_t mix64(uint64_t z) noexcept nogil:
    z = z + <uint64_t>0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline uint32_t mix32(uint32_t h) noexcept nogil:
    h = (h ^ (h >> 16)) * <uint32_t>0x7FEB352D
    h = (h ^ (h >> 15)) * <uint32_t>0x846CA68B
    return h ^ (h >> 16)


cdef void dropout_chunk(
    const float *x, float *y, Py_ssize_t n, uint64_t key, uint32_t threshold, float scale
) noexcept nogil:
    cdef uint32_t low = <uint32_t>key, high = <uint32_t>(key >> 32)
    cdef Py_ssize_t i
    for i in range(n):
        # A product, not a choice: NaN and Inf stay visible where the mask is 0 too, as in PyTorch.
        y[i] = x[i] * (scale if mix32(mix32(<uint32_t>i ^ low) ^ high) >= threshold else <float>0)


def dropout(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    double p,                       # probability of a zero, 0 to 1
    uint64_t seed,
    uint64_t draw,                  # with seed: the key of this mask
    int threads,
):
    """y = x / (1 - p) with probability 1 - p, else 0 (Srivastava et al. 2014); for backward, of dy."""
    cdef Py_ssize_t n = x.shape[0], i
    cdef uint32_t threshold = <uint32_t>min(p * 4294967296.0, 4294967295.0)
    cdef float scale = 1 / (1 - p) if p < 1 else 0
    cdef uint64_t key = mix64(mix64(seed) ^ draw)
    cdef const float *px
    cdef float *py
    if n == 0:
        return
    px, py = &x[0], &y[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        dropout_chunk(
            px + i * CHUNK, py + i * CHUNK, length(i, n), mix64(key + <uint64_t>i), threshold, scale
        )
