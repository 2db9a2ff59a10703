"""Pictures of bytes, each seen through an affine map, between whose pixels is interpolated.

Everything is computed in integers: the same on every platform. A row of the result is made of all channels, so that
it can become floats while it is in the first cache.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t

cdef extern from "rows.h" nogil:
    void mix_rows(const unsigned char *upper, const unsigned char *lower, int w, uint16_t *line, Py_ssize_t count)
    void pair_up(const uint16_t *line, uint32_t *pairs, Py_ssize_t count)
    void mix_pairs(const uint32_t *pairs, const int32_t *at, const int32_t *share, unsigned char *out,
                   Py_ssize_t count)
    void look_up(const unsigned char *bytes, const float *table, float *out, Py_ssize_t count)
    void interleave(const float *planes, float *out, Py_ssize_t count, Py_ssize_t channels)

cdef enum:
    ONE = 256       # the sum of two weights
    HALF = 1 << 23  # of one in a place

cdef struct WarpTerms:  # what the samples share
    Py_ssize_t channels, height, width, rows, columns

cdef struct Sight:  # what the rows of a sample share
    const int64_t *m            # its map
    bint upright                # whether it is only moved, scaled and mirrored: the rest is of these alone
    Py_ssize_t first, last      # the columns of the result that show the picture
    Py_ssize_t start, stop      # the columns of the picture that they show
    Py_ssize_t least, most      # the pairs of these
    int32_t *pair               # (columns,), the pixels on both sides of each, by `pairs`
    int32_t *share              # (columns,), the weight of the second one
    uint16_t *line              # (width + 2,), a row between two others; at both ends the edges once more
    uint32_t *pairs             # (width + 1,), each value of it with the one after it, so that one access finds both


def room(Py_ssize_t width, Py_ssize_t channels, Py_ssize_t columns):
    """Numbers of int32 that the kernels want as scratch for each thread.

    Parameters
    ----------
    width, channels : int
        Of the pictures.
    columns : int
        Of the result.
    """
    return 2 * columns + (width + 1) + (width + 3) // 2 + channels * columns + (channels * columns + 3) // 4


def warp(
    const unsigned char[:, :, :, ::1] images not None,  # in: (count, channels, height, width)
    const int64_t[::1] rows not None,       # in: (n,), where each picture lies, below count: the caller has checked
    const int64_t[:, ::1] maps not None,    # in: (n, 6), in units of 2**-32 pixels, below 2**24 pixels
    unsigned char[:, :, :, ::1] out not None,  # out: (n, channels, out height, out width)
    int32_t[:, ::1] scratch not None,       # out: (threads, room)
    int threads=1,
):
    """out[i, :, r, c] = the picture at row m0 r + m1 c + m2 and column m3 r + m4 c + m5.

    Where the nearest pixel of that place is outside the picture, the result is black. Otherwise it is the mean
    of the four pixels around, by their distances in 1/256 pixel; beyond the edge these are the ones at the edge.
    """
    cdef WarpTerms s
    cdef Py_ssize_t i, size, out_size, each = scratch.shape[1], count = out.shape[0]
    if count == 0:
        return
    s.channels, s.height, s.width = images.shape[1], images.shape[2], images.shape[3]
    s.rows, s.columns = out.shape[2], out.shape[3]
    size, out_size = s.channels * s.height * s.width, s.channels * s.rows * s.columns
    cdef const unsigned char *pixels = &images[0, 0, 0, 0]
    cdef const int64_t *row = &rows[0]
    cdef const int64_t *m = &maps[0, 0]
    cdef unsigned char *to = &out[0, 0, 0, 0]
    cdef int32_t *own = &scratch[0, 0]
    for i in prange(count, nogil=True, num_threads=threads, schedule="static"):
        warp_one(&s, pixels + row[i] * size, m + i * 6, own + threadid() * each, to + i * out_size)


def warp_and_decode(
    const unsigned char[:, :, :, ::1] images not None,  # in: as for `warp`
    const int64_t[::1] rows not None,       # in: as for `warp`
    const int64_t[:, ::1] maps not None,    # in: as for `warp`
    const float[:, ::1] table not None,     # in: (channels, 256), the value of each byte
    float[:, :, :, ::1] x not None,         # out: (n, out height, out width, channels)
    int32_t[:, ::1] scratch not None,       # out: (threads, room)
    int threads=1,
):
    """x[i, r, c, k] = table[k, b], where b is what `warp` makes of channel k."""
    cdef WarpTerms s
    cdef Py_ssize_t i, size, out_size, each = scratch.shape[1], count = x.shape[0]
    if count == 0:
        return
    s.channels, s.height, s.width = images.shape[1], images.shape[2], images.shape[3]
    s.rows, s.columns = x.shape[1], x.shape[2]
    size, out_size = s.channels * s.height * s.width, s.channels * s.rows * s.columns
    cdef const unsigned char *pixels = &images[0, 0, 0, 0]
    cdef const int64_t *row = &rows[0]
    cdef const int64_t *m = &maps[0, 0]
    cdef const float *value = &table[0, 0]
    cdef float *to = &x[0, 0, 0, 0]
    cdef int32_t *own = &scratch[0, 0]
    for i in prange(count, nogil=True, num_threads=threads, schedule="static"):
        decode_one(&s, pixels + row[i] * size, m + i * 6, value, own + threadid() * each, to + i * out_size)


cdef void warp_one(const WarpTerms *s, const unsigned char *picture, const int64_t *m, int32_t *scratch,
                   unsigned char *out) noexcept nogil:
    cdef Sight sight = sight_of(s, m, scratch)
    cdef Py_ssize_t row
    for row in range(s.rows):
        warp_row(s, &sight, picture, row, out + row * s.columns, s.rows * s.columns)


cdef void decode_one(const WarpTerms *s, const unsigned char *picture, const int64_t *m, const float *table,
                     int32_t *scratch, float *out) noexcept nogil:
    cdef Sight sight = sight_of(s, m, scratch)
    cdef float *planes = <float *>(sight.line + (s.width + 3) // 2 * 2)
    cdef unsigned char *bytes = <unsigned char *>(planes + s.channels * s.columns)
    cdef Py_ssize_t row, c
    for row in range(s.rows):
        warp_row(s, &sight, picture, row, bytes, s.columns)
        for c in range(s.channels):
            look_up(bytes + c * s.columns, table + c * 256, planes + c * s.columns, s.columns)
        interleave(planes, out + row * s.columns * s.channels, s.columns, s.channels)


cdef inline bint is_outside(int64_t place, Py_ssize_t size) noexcept nogil:
    cdef int64_t nearest = (place + (<int64_t>1 << 31)) >> 32
    return nearest < 0 or nearest >= size


cdef inline Py_ssize_t kept_within(int64_t at, Py_ssize_t size) noexcept nogil:
    return 0 if at < 0 else (size - 1 if at >= size else at)


cdef inline Py_ssize_t pixel_before(int64_t place) noexcept nogil:
    """The last pixel that is not after a place, which is rounded to 1/256."""
    return (place + HALF) >> 32


cdef inline int weight(int64_t place) noexcept nogil:
    """Of the pixel after that, in 1/256."""
    return ((place + HALF) >> 24) & 255


cdef Sight sight_of(const WarpTerms *s, const int64_t *m, int32_t *scratch) noexcept nogil:
    cdef Sight found
    cdef Py_ssize_t column
    cdef int64_t place
    found.m, found.upright = m, m[1] == 0 and m[3] == 0
    found.pair, found.share = scratch, scratch + s.columns
    found.pairs = <uint32_t *>scratch + 2 * s.columns
    found.line = <uint16_t *>(found.pairs + s.width + 1)
    found.first, found.last, found.least, found.most, found.start, found.stop = 0, s.columns, s.width, 0, 0, 0
    if not found.upright:
        return found
    while found.first < s.columns and is_outside(m[4] * found.first + m[5], s.width):
        found.first += 1
    while found.last > found.first and is_outside(m[4] * (found.last - 1) + m[5], s.width):
        found.last -= 1
    for column in range(found.first, found.last):
        place = m[4] * column + m[5]
        found.pair[column] = <int32_t>(pixel_before(place) + 1)
        found.share[column] = weight(place)
        found.least, found.most = min(found.least, found.pair[column]), max(found.most, found.pair[column])
    found.start, found.stop = max(found.least - 1, 0), min(found.most + 1, s.width)
    return found


cdef inline void warp_row(const WarpTerms *s, const Sight *sight, const unsigned char *picture, Py_ssize_t row,
                          unsigned char *out, Py_ssize_t plane) noexcept nogil:
    """A row of the result, whose channels lie `plane` bytes apart."""
    cdef Py_ssize_t c
    if not sight.upright:
        warp_freely(s, picture, sight.m, row, out, plane)
        return
    for c in range(s.channels):
        warp_upright(s, sight, picture + c * s.height * s.width, sight.m[0] * row + sight.m[2], out + c * plane)


cdef void warp_upright(const WarpTerms *s, const Sight *sight, const unsigned char *picture, int64_t place,
                       unsigned char *out) noexcept nogil:
    """The row of one channel at a place: first a row between two of the picture's, then its columns."""
    cdef Py_ssize_t column, width = s.width, start = sight.start, least = sight.least
    cdef Py_ssize_t first = sight.first, last = sight.last
    cdef const unsigned char *upper
    cdef const unsigned char *lower
    if is_outside(place, s.height) or first == last:
        first = last = s.columns
    for column in range(first):
        out[column] = 0
    for column in range(last, s.columns):
        out[column] = 0
    if first == last:
        return
    upper = picture + kept_within(pixel_before(place), s.height) * width
    lower = picture + kept_within(pixel_before(place) + 1, s.height) * width
    mix_rows(upper + start, lower + start, weight(place), sight.line + 1 + start, sight.stop - start)
    sight.line[0], sight.line[width + 1] = sight.line[1], sight.line[width]
    pair_up(sight.line + least, sight.pairs + least, sight.most + 1 - least)
    mix_pairs(sight.pairs, sight.pair + first, sight.share + first, out + first, last - first)


cdef void warp_freely(const WarpTerms *s, const unsigned char *picture, const int64_t *m, Py_ssize_t row,
                      unsigned char *out, Py_ssize_t plane) noexcept nogil:
    cdef Py_ssize_t c, column, above, below, left, right
    cdef int64_t down, along
    cdef int v, w, upper, lower
    cdef const unsigned char *p
    for column in range(s.columns):
        down, along = m[0] * row + m[1] * column + m[2], m[3] * row + m[4] * column + m[5]
        if is_outside(down, s.height) or is_outside(along, s.width):
            for c in range(s.channels):
                out[c * plane + column] = 0
            continue
        above, below = kept_within(pixel_before(down), s.height), kept_within(pixel_before(down) + 1, s.height)
        left, right = kept_within(pixel_before(along), s.width), kept_within(pixel_before(along) + 1, s.width)
        v, w = weight(down), weight(along)
        for c in range(s.channels):
            p = picture + c * s.height * s.width
            upper = p[above * s.width + left] * (ONE - v) + p[below * s.width + left] * v
            lower = p[above * s.width + right] * (ONE - v) + p[below * s.width + right] * v
            out[c * plane + column] = <unsigned char>((upper * (ONE - w) + lower * w + 32768) >> 16)
