"""Products of large matrices, of which one side is a batch of all time steps.

Design: the classic one. What the register block reads (product.h) is packed: weights once, in blocks of lanes, each
(length of the sum, block's width); rows tile by tile, a few rows side by side. Sums are cut into parts that stay
in the first cache, and the parts are added in order. A tile of the result belongs to one work item, and the tiles
depend on the shapes alone: the same bytes for any number of threads.
"""

from cython.parallel cimport prange, threadid

from cynet.kernels.common.simd cimport copy_run

cdef extern from "product.h" nogil:
    Py_ssize_t product_width(Py_ssize_t lanes)
    void product(Py_ssize_t width, Py_ssize_t rows, const float *a, Py_ssize_t a_row, Py_ssize_t a_step,
                 const float *b, Py_ssize_t b_step, Py_ssize_t steps, float *c, Py_ssize_t c_row, int add)

cdef enum:
    PART = 256          # terms that are summed at a time
    ROWS = 8            # rows of a register block
    LANES = 8           # of the narrowest block
    WIDEST = 32         # lanes of a block
    TILE_ROWS = 64      # of `rows_product`
    LEAST_TILES = 8     # of `add_sums`, where there are so many

cdef Py_ssize_t most_rows = 256, most_lanes = 512  # of a tile of `add_sums`


cdef inline Py_ssize_t padded(Py_ssize_t lanes) noexcept nogil:
    return (lanes + LANES - 1) // LANES * LANES


def packed_floats(Py_ssize_t terms, Py_ssize_t lanes):
    """The floats of a (terms, lanes) matrix as `pack` lays it out."""
    return terms * padded(lanes)


def pack(
    const float[:, :] b not None,   # in: (terms, lanes), not empty, of any strides
    float[::1] packed not None,     # out: (packed_floats(terms, lanes),), zeros in lanes beyond the last
    int threads,
):
    """Lay a matrix out as the register block reads it: block by block, each (terms, block's width)."""
    cdef Py_ssize_t terms = b.shape[0], lanes = b.shape[1], row = b.strides[0] // 4, lane = b.strides[1] // 4, i
    cdef Py_ssize_t slices = (terms + 63) // 64
    cdef const float *source = &b[0, 0]
    cdef float *target = &packed[0]
    for i in prange(slices, nogil=True, num_threads=threads, schedule="static"):
        pack_slice(source, row, lane, terms, lanes, i * 64, min(terms, i * 64 + 64), target)


cdef void pack_slice(const float *b, Py_ssize_t row, Py_ssize_t lane, Py_ssize_t terms, Py_ssize_t lanes,
                     Py_ssize_t first, Py_ssize_t last, float *packed) noexcept nogil:
    """The terms first .. last of every block."""
    cdef Py_ssize_t done = 0, width
    while done < lanes:
        width = product_width(padded(lanes - done))
        pack_block(b + first * row + done * lane, row, lane, last - first, min(width, lanes - done), width,
                   packed + done * terms + first * width)
        done += width


cdef void pack_block(const float *b, Py_ssize_t row, Py_ssize_t lane, Py_ssize_t terms, Py_ssize_t lanes,
                     Py_ssize_t width, float *out) noexcept nogil:
    cdef Py_ssize_t k, l
    if lane == 1:
        for k in range(terms):
            copy_run(out + k * width, b + k * row, lanes)
            for l in range(lanes, width):
                out[k * width + l] = 0
        return
    for l in range(lanes):
        for k in range(terms):
            out[k * width + l] = b[k * row + l * lane]
    for l in range(lanes, width):
        for k in range(terms):
            out[k * width + l] = 0


def row_scratch(int threads):
    """The floats of scratch of `rows_product`."""
    return threads * TILE_ROWS * PART


def rows_product(
    const float[:, :] a not None,       # in: (rows, terms), not empty; a row lies in one piece
    const float[::1] packed not None,   # in: a (terms, lanes) matrix, by `pack`
    float[:, :] c not None,             # out: (rows, lanes); a row lies in one piece
    bint add,                           # to what is there
    float[::1] scratch not None,        # out: (row_scratch(threads),)
    int threads,
):
    """c = a b, or c += a b, for a matrix b that was packed."""
    cdef Py_ssize_t rows = a.shape[0], terms = a.shape[1], lanes = c.shape[1], i
    cdef Py_ssize_t a_row = a.strides[0] // 4, c_row = c.strides[0] // 4
    cdef const float *pa = &a[0, 0]
    cdef const float *pb = &packed[0]
    cdef float *pc = &c[0, 0]
    cdef float *own = &scratch[0]
    for i in prange((rows + TILE_ROWS - 1) // TILE_ROWS, nogil=True, num_threads=threads, schedule="dynamic",
                    chunksize=1):
        tile_of_rows(pa + i * TILE_ROWS * a_row, a_row, pb, pc + i * TILE_ROWS * c_row, c_row,
                     min(TILE_ROWS, rows - i * TILE_ROWS), terms, lanes, add, own + threadid() * TILE_ROWS * PART)


cdef void tile_of_rows(const float *a, Py_ssize_t a_row, const float *packed, float *c, Py_ssize_t c_row,
                       Py_ssize_t rows, Py_ssize_t terms, Py_ssize_t lanes, bint add, float *scratch) noexcept nogil:
    cdef Py_ssize_t start = 0, count, done, width, k, r
    while start < terms:
        count = min(PART, terms - start)
        pack_rows(a + start, a_row, 1, rows, count, scratch)
        done = 0
        while done < lanes:
            width = product_width(padded(lanes - done))
            block_of_lanes(scratch, rows, count, packed + done * terms + start * width, width, c + done, c_row,
                           min(width, lanes - done), add or start > 0)
            done += width
        start += PART


cdef void pack_rows(const float *a, Py_ssize_t a_row, Py_ssize_t a_step, Py_ssize_t rows, Py_ssize_t terms,
                    float *out) noexcept nogil:
    """ROWS rows side by side, then the next ones: out[block][term][row]."""
    cdef Py_ssize_t first = 0, count, k, r
    while first < rows:
        count = min(ROWS, rows - first)
        if a_row == 1 and count == ROWS:
            for k in range(terms):
                for r in range(ROWS):
                    out[k * ROWS + r] = a[k * a_step + first + r]
        else:
            for r in range(count):
                for k in range(terms):
                    out[k * ROWS + r] = a[(first + r) * a_row + k * a_step]
        out += ROWS * terms
        first += ROWS


cdef void block_of_lanes(const float *a, Py_ssize_t rows, Py_ssize_t terms, const float *b, Py_ssize_t width,
                         float *c, Py_ssize_t c_row, Py_ssize_t lanes, bint add) noexcept nogil:
    """All rows of a tile, as `pack_rows` laid them, for one block of lanes."""
    cdef Py_ssize_t first = 0, r, l, count
    cdef float[ROWS * WIDEST] part
    while first < rows:
        count = min(ROWS, rows - first)
        if lanes == width:
            product(width, count, a + first * terms, 1, ROWS, b, width, terms, c + first * c_row, c_row, add)
        else:
            product(width, count, a + first * terms, 1, ROWS, b, width, terms, part, width, 0)
            for r in range(count):
                for l in range(lanes):
                    c[(first + r) * c_row + l] = part[r * width + l] + (c[(first + r) * c_row + l] if add else 0)
        first += ROWS


def sum_scratch(int threads):
    """The floats of scratch of `add_sums`."""
    return threads * PART * (most_rows + most_lanes)


def add_sums(
    const float[:, :] a not None,   # in: (terms, rows), not empty; a row lies in one piece
    const float[:, :] b not None,   # in: (terms, lanes), not empty; a row lies in one piece
    float[:, ::1] c not None,       # inout: (rows, lanes), added to
    float[::1] scratch not None,    # out: (sum_scratch(threads),)
    int threads,
):
    """c += a^T b: the gradient of weights, summed over rows of a batch."""
    cdef Py_ssize_t terms = a.shape[0], rows = a.shape[1], lanes = b.shape[1], i, across, high, wide
    cdef Py_ssize_t a_row = a.strides[0] // 4, b_row = b.strides[0] // 4
    cdef const float *pa = &a[0, 0]
    cdef const float *pb = &b[0, 0]
    cdef float *pc = &c[0, 0]
    cdef float *own = &scratch[0]
    cdef Py_ssize_t each = PART * (most_rows + most_lanes)
    high, wide = most_rows, most_lanes
    while ((rows + high - 1) // high) * ((lanes + wide - 1) // wide) < LEAST_TILES and high > 32:
        if wide > high:
            wide //= 2
        else:
            high //= 2
    across = (lanes + wide - 1) // wide
    for i in prange(across * ((rows + high - 1) // high), nogil=True, num_threads=threads, schedule="dynamic",
                    chunksize=1):
        tile_of_sums(pa + i // across * high, a_row, pb + i % across * wide, b_row,
                     pc + i // across * high * lanes + i % across * wide, lanes,
                     min(high, rows - i // across * high), min(wide, lanes - i % across * wide), terms,
                     own + threadid() * each)


cdef void tile_of_sums(const float *a, Py_ssize_t a_row, const float *b, Py_ssize_t b_row, float *c,
                       Py_ssize_t c_row, Py_ssize_t rows, Py_ssize_t lanes, Py_ssize_t terms,
                       float *scratch) noexcept nogil:
    cdef Py_ssize_t start = 0, count, done, width
    cdef float *packed = scratch + PART * most_rows
    while start < terms:
        count = min(PART, terms - start)
        pack_rows(a + start * a_row, 1, a_row, rows, count, scratch)
        pack_slice(b + start * b_row, b_row, 1, count, lanes, 0, count, packed)
        done = 0
        while done < lanes:
            width = product_width(padded(lanes - done))
            block_of_lanes(scratch, rows, count, packed + done * count, width, c + done, c_row,
                           min(width, lanes - done), True)
            done += width
        start += PART
