"""Pictures of bytes, each seen through an affine map, between whose pixels is interpolated.

Everything is computed in integers: the same on every platform. A row of the result is made of all channels, so that
it can become floats while it is in the first cache.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t
from libc.string cimport memcpy

cdef extern from "rows.h" nogil:
    enum:
        TOGETHER, REACH
    void stretch(const unsigned char *row, const int32_t *at, const uint16_t *share, uint32_t *pairs, Py_ssize_t first,
                 Py_ssize_t last, uint16_t *line, Py_ssize_t count)
    void stretch_groups(const unsigned char *row, const int32_t *base, const unsigned char *places,
                        const uint16_t *share, uint16_t *line, Py_ssize_t groups)
    void mix_lines(const uint16_t *upper, const uint16_t *lower, int w, unsigned char *out, Py_ssize_t count)
    void announce(const float *out, Py_ssize_t count)
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
    Py_ssize_t least, most      # the pairs of pixels that they show, by the place of the second one
    Py_ssize_t groups           # of TOGETHER columns, the last one perhaps not whole
    bint near                   # whether each group looks at REACH bytes: then `base` and `places` count, else `at`
    int32_t *base               # (groups,), the first byte of each
    int32_t *at                 # (columns,), the pixels on both sides of each, as `stretch` takes it
    uint16_t *share             # (columns,), the weight of the second one
    unsigned char *places       # (columns, 2), of both after the base
    unsigned char *row          # (width + 2 + REACH,), one of the picture's; at both ends the edges once more
    uint32_t *pairs             # (width + 1,), scratch
    uint16_t *lines             # (2, channels, columns), rows of the picture whose columns are mixed: odd and even ones
    int64_t held[2]             # which these are


def room(Py_ssize_t width, Py_ssize_t channels, Py_ssize_t columns):
    """Numbers of int32 that the kernels want as scratch for each thread.

    Parameters
    ----------
    width, channels : int
        Of the pictures.
    columns : int
        Of the result.
    """
    cdef Py_ssize_t groups = (columns + TOGETHER - 1) // TOGETHER, padded = groups * TOGETHER
    cdef Py_ssize_t found = groups + padded + padded // 2 + padded // 2 + words(width + 2 + REACH) + width + 1
    return found + channels * padded + channels * columns + words(channels * columns)


cdef inline Py_ssize_t words(Py_ssize_t count) noexcept nogil:
    """Numbers of int32 with room for so many bytes."""
    return (count + 3) // 4


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
    cdef float *planes = <float *>(sight.lines + 2 * s.channels * sight.groups * TOGETHER)
    cdef unsigned char *bytes = <unsigned char *>(planes + s.channels * s.columns)
    cdef Py_ssize_t row, c
    for row in range(s.rows):
        announce(out + row * s.columns * s.channels, s.columns * s.channels)
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
    cdef Py_ssize_t column, padded
    cdef int64_t place
    found.m, found.upright, found.near = m, m[1] == 0 and m[3] == 0, True
    found.groups = (s.columns + TOGETHER - 1) // TOGETHER
    padded = found.groups * TOGETHER
    found.base, found.at = scratch, scratch + found.groups
    found.share = <uint16_t *>(found.at + padded)
    found.places = <unsigned char *>(found.share + padded)
    found.row = found.places + 2 * padded
    found.pairs = <uint32_t *>found.row + words(s.width + 2 + REACH)
    found.lines = <uint16_t *>(found.pairs + s.width + 1)
    found.held[0] = found.held[1] = -1
    found.first, found.last, found.least, found.most = 0, s.columns, s.width, 0
    if not found.upright:
        return found
    while found.first < s.columns and is_outside(m[4] * found.first + m[5], s.width):
        found.first += 1
    while found.last > found.first and is_outside(m[4] * (found.last - 1) + m[5], s.width):
        found.last -= 1
    for column in range(padded):
        place = m[4] * min(max(column, found.first), found.last - 1) + m[5]  # those outside are like the nearest
        found.at[column] = <int32_t>(pixel_before(place) + 1)
        found.share[column] = weight(place)
        found.least, found.most = min(found.least, found.at[column]), max(found.most, found.at[column])
    for column in range(found.groups):
        group_up(&found, column)
    return found


cdef inline void group_up(Sight *sight, Py_ssize_t group) noexcept nogil:
    """Where the pairs of a group are in the row, as `stretch_groups` takes it."""
    cdef const int32_t *at = sight.at + group * TOGETHER
    cdef unsigned char *places = sight.places + group * REACH
    cdef int32_t base = min(at[0], at[TOGETHER - 1])
    cdef Py_ssize_t i
    sight.base[group] = base
    if max(at[0], at[TOGETHER - 1]) + 1 - base >= REACH:
        sight.near = False
        return
    for i in range(TOGETHER):
        places[2 * i] = <unsigned char>(at[i] - base)
        places[2 * i + 1] = <unsigned char>(at[i] + 1 - base)


cdef inline void warp_row(const WarpTerms *s, Sight *sight, const unsigned char *picture, Py_ssize_t row,
                          unsigned char *out, Py_ssize_t plane) noexcept nogil:
    """A row of the result, whose channels lie `plane` bytes apart."""
    if sight.upright:
        warp_upright(s, sight, picture, sight.m[0] * row + sight.m[2], out, plane)
    else:
        warp_freely(s, picture, sight.m, row, out, plane)


cdef void warp_upright(const WarpTerms *s, Sight *sight, const unsigned char *picture, int64_t place,
                       unsigned char *out, Py_ssize_t plane) noexcept nogil:
    """The row at a place, between two of the picture's whose columns are mixed already: rows that follow share them."""
    cdef Py_ssize_t c, column, above, below, first = sight.first, last = sight.last
    cdef Py_ssize_t padded = sight.groups * TOGETHER
    cdef const uint16_t *upper
    cdef const uint16_t *lower
    if is_outside(place, s.height) or first == last:
        first = last = s.columns
    else:
        above, below = kept_within(pixel_before(place), s.height), kept_within(pixel_before(place) + 1, s.height)
        hold(s, sight, picture, above)
        hold(s, sight, picture, below)
        upper, lower = sight.lines + (above & 1) * s.channels * padded, sight.lines + (below & 1) * s.channels * padded
        for c in range(s.channels):
            mix_lines(upper + c * padded, lower + c * padded, weight(place), out + c * plane, s.columns)
    for c in range(s.channels):
        for column in range(first):
            out[c * plane + column] = 0
        for column in range(last, s.columns):
            out[c * plane + column] = 0


cdef inline void hold(const WarpTerms *s, Sight *sight, const unsigned char *picture, Py_ssize_t row) noexcept nogil:
    """Mix the columns of a row of the picture, unless they are."""
    cdef Py_ssize_t c, padded = sight.groups * TOGETHER
    cdef Py_ssize_t start = max(sight.least - 1, 0), stop = min(sight.most + 1, s.width)
    cdef uint16_t *line = sight.lines + (row & 1) * s.channels * padded
    cdef unsigned char *own = sight.row
    if sight.held[row & 1] == row:
        return
    sight.held[row & 1] = row
    for c in range(s.channels):
        memcpy(own + 1 + start, picture + (c * s.height + row) * s.width + start, stop - start)
        own[0], own[s.width + 1] = own[1], own[s.width]
        if sight.near:
            stretch_groups(own, sight.base, sight.places, sight.share, line + c * padded, sight.groups)
        else:
            stretch(own, sight.at, sight.share, sight.pairs, sight.least, sight.most, line + c * padded, padded)


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
