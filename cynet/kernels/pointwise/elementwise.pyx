"""Sums and copies that join the branches of a graph, and the transpose between image layouts."""

from libc.string cimport memcpy

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team
from cynet.kernels.common.simd cimport VL, vload, vload_part, vstore, vstore_part

cdef enum:
    TILE = 16           # a cache line of floats in each direction


cdef void add_chunk(const float *a, const float *b, float *out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vstore(out + i, vload(a + i) + vload(b + i))
        i += VL
    if i < n:
        vstore_part(out + i, vload_part(a + i, n - i) + vload_part(b + i, n - i), n - i)


def add(
    const float[::1] a not None,    # in
    const float[::1] b not None,    # in
    float[::1] out not None,        # out: may be a or b
    int threads,
):
    """out = a + b."""
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef const float *pb
    cdef float *po
    if n == 0:
        return
    pa, pb, po = &a[0], &b[0], &out[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        add_chunk(pa + i * CHUNK, pb + i * CHUNK, po + i * CHUNK, length(i, n))


cdef void add_relu_chunk(const float *a, const float *b, float *out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef float sum
    for i in range(n):
        sum = a[i] + b[i]
        out[i] = 0 if sum <= 0 else sum


def add_relu(
    const float[::1] a not None,    # in
    const float[::1] b not None,    # in
    float[::1] out not None,        # out: may be a or b
    int threads,
):
    """out = max(a + b, 0); NaN stays NaN."""
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef const float *pb
    cdef float *po
    if n == 0:
        return
    pa, pb, po = &a[0], &b[0], &out[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        add_relu_chunk(pa + i * CHUNK, pb + i * CHUNK, po + i * CHUNK, length(i, n))


def add_to_channels(
    float[:, ::1] y not None,           # inout: (pixels, channels)
    const float[::1] bias not None,     # in: (channels,)
    int threads,
):
    """y[p, c] += bias[c]."""
    cdef Py_ssize_t pixels = y.shape[0], channels = y.shape[1], p
    cdef float *py
    cdef const float *pb
    if pixels * channels == 0:
        return
    py, pb = &y[0, 0], &bias[0]
    for p in prange(pixels, nogil=True, num_threads=team(pixels * channels, threads), schedule="static"):
        add_chunk(py + p * channels, pb, py + p * channels, channels)


def copy_channels(
    const float[:, ::1] src not None,   # in: (pixels, channels of src)
    Py_ssize_t src_start,               # the first channel to take
    float[:, ::1] dst not None,         # inout: (pixels, channels of dst)
    Py_ssize_t dst_start,               # where that channel goes
    Py_ssize_t channels,                # how many
    int threads,
):
    """Copy a run of channels of every pixel; the other channels of `dst` stay as they are."""
    cdef Py_ssize_t pixels = src.shape[0], p
    cdef Py_ssize_t src_step = src.shape[1], dst_step = dst.shape[1]
    cdef const float *ps
    cdef float *pd
    if pixels == 0 or channels == 0:
        return
    ps, pd = &src[0, src_start], &dst[0, dst_start]
    for p in prange(pixels, nogil=True, num_threads=team(pixels * channels, threads), schedule="static"):
        memcpy(pd + p * dst_step, ps + p * src_step, channels * sizeof(float))


cdef void transpose_tile_row(
    const float *x, float *y, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t first
) noexcept nogil:
    """Up to TILE rows of one matrix, in tiles that the first cache holds on both sides."""
    cdef Py_ssize_t last = min(rows, first + TILE), tile, r, c
    for tile in range((columns + TILE - 1) // TILE):
        for c in range(tile * TILE, min(columns, tile * TILE + TILE)):
            for r in range(first, last):
                y[c * rows + r] = x[r * columns + c]


def transpose(
    const float[:, :, ::1] x not None,  # in: (matrices, rows, columns)
    float[:, :, ::1] y not None,        # out: (matrices, columns, rows)
    int threads,
):
    """Transpose each matrix: pixels x channels (NHWC) to channels x pixels (NCHW), and back."""
    cdef Py_ssize_t matrices = x.shape[0], rows = x.shape[1], columns = x.shape[2]
    cdef Py_ssize_t size = rows * columns, bands = (rows + TILE - 1) // TILE, i
    cdef const float *px
    cdef float *py
    if matrices * size == 0:
        return
    px, py = &x[0, 0, 0], &y[0, 0, 0]
    for i in prange(
        matrices * bands, nogil=True, num_threads=team(matrices * size, threads), schedule="static"
    ):
        transpose_tile_row(
            px + i // bands * size, py + i // bands * size, rows, columns, i % bands * TILE
        )
