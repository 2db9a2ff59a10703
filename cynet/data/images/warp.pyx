"""Pictures of bytes, each seen through an affine map, between whose pixels is interpolated.

Everything is computed in integers: the same on every platform.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t

cdef extern from "rows.h" nogil:
    void mix_rows(const unsigned char *upper, const unsigned char *lower, int w, uint16_t *line, Py_ssize_t count)
    void pair_up(const uint16_t *line, uint32_t *pairs, Py_ssize_t count)
    void mix_pairs(const uint32_t *pairs, const int32_t *at, const int32_t *share, unsigned char *out,
                   Py_ssize_t count)

cdef enum:
    ONE = 256       # the sum of two weights
    HALF = 1 << 23  # of one in a place

cdef struct WarpTerms:  # what the samples share
    Py_ssize_t channels, height, width, rows, columns


def warp(
    const unsigned char[:, :, :, ::1] images not None,  # in: (count, channels, height, width)
    const int64_t[::1] rows not None,       # in: (n,), where each picture lies, below count: the caller has checked
    const int64_t[:, ::1] maps not None,    # in: (n, 6), in units of 2**-32 pixels, below 2**24 pixels
    unsigned char[:, :, :, ::1] out not None,  # out: (n, channels, out height, out width)
    int32_t[:, ::1] taps not None,          # out: (threads, 2 * out width), scratch
    uint16_t[:, ::1] lines not None,        # out: (threads, width + 2), scratch
    uint32_t[:, ::1] pairs not None,        # out: (threads, width + 1), scratch
    int threads=1,
):
    """out[i, :, r, c] = the picture at row m0 r + m1 c + m2 and column m3 r + m4 c + m5.

    Where the nearest pixel of that place is outside the picture, the result is black. Otherwise it is the mean
    of the four pixels around, by their distances in 1/256 pixel; beyond the edge these are the ones at the edge.
    """
    cdef WarpTerms s
    cdef Py_ssize_t i, size, out_size
    cdef Py_ssize_t taken = taps.shape[1], length = lines.shape[1], joined = pairs.shape[1]
    cdef int thread
    if out.shape[0] == 0:
        return
    s.channels, s.height, s.width = images.shape[1], images.shape[2], images.shape[3]
    s.rows, s.columns = out.shape[2], out.shape[3]
    size, out_size = s.channels * s.height * s.width, s.channels * s.rows * s.columns
    cdef const unsigned char *pixels = &images[0, 0, 0, 0]
    cdef const int64_t *row = &rows[0]
    cdef const int64_t *m = &maps[0, 0]
    cdef unsigned char *to = &out[0, 0, 0, 0]
    cdef Py_ssize_t count = out.shape[0]
    cdef int32_t *own_taps = &taps[0, 0]
    cdef uint16_t *own_lines = &lines[0, 0]
    cdef uint32_t *own_pairs = &pairs[0, 0]
    for i in prange(count, nogil=True, num_threads=threads, schedule="static"):
        thread = threadid()
        if m[i * 6 + 1] == 0 and m[i * 6 + 3] == 0:
            warp_upright(&s, pixels + row[i] * size, m + i * 6, to + i * out_size, own_taps + thread * taken,
                         own_lines + thread * length, own_pairs + thread * joined)
        else:
            warp_freely(&s, pixels + row[i] * size, m + i * 6, to + i * out_size)


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


cdef void warp_upright(const WarpTerms *s, const unsigned char *picture, const int64_t *m, unsigned char *out,
                       int32_t *taps, uint16_t *line, uint32_t *pairs) noexcept nogil:
    """A picture that is only moved, scaled and mirrored: of rows first, then of columns.

    `line` holds a row between two others, from its second value on, for beyond the edge are those at the edge;
    `pairs` each value with the one after it, so that one access finds both.
    """
    cdef Py_ssize_t c, row, column, first = 0, last = s.columns
    cdef Py_ssize_t least = s.width, most = 0, start, stop
    cdef int32_t *pair = taps
    cdef int32_t *share = taps + s.columns
    cdef int64_t place
    cdef const unsigned char *upper
    cdef const unsigned char *lower
    cdef unsigned char *to
    while first < s.columns and is_outside(m[4] * first + m[5], s.width):
        first += 1
    while last > first and is_outside(m[4] * (last - 1) + m[5], s.width):
        last -= 1
    for column in range(first, last):
        place = m[4] * column + m[5]
        pair[column] = <int32_t>(pixel_before(place) + 1)
        share[column] = weight(place)
        least, most = min(least, pair[column]), max(most, pair[column])
    start, stop = max(least - 1, 0), min(most + 1, s.width)
    for row in range(s.rows):
        place = m[0] * row + m[2]
        for c in range(s.channels):
            to = out + (c * s.rows + row) * s.columns
            if is_outside(place, s.height) or first == last:
                for column in range(s.columns):
                    to[column] = 0
                continue
            upper = picture + (c * s.height + kept_within(pixel_before(place), s.height)) * s.width
            lower = picture + (c * s.height + kept_within(pixel_before(place) + 1, s.height)) * s.width
            mix_rows(upper + start, lower + start, weight(place), line + 1 + start, stop - start)
            line[0], line[s.width + 1] = line[1], line[s.width]
            pair_up(line + least, pairs + least, most + 1 - least)
            for column in range(first):
                to[column] = 0
            mix_pairs(pairs, pair + first, share + first, to + first, last - first)
            for column in range(last, s.columns):
                to[column] = 0


cdef void warp_freely(const WarpTerms *s, const unsigned char *picture, const int64_t *m,
                      unsigned char *out) noexcept nogil:
    cdef Py_ssize_t c, row, column, above, below, left, right
    cdef Py_ssize_t plane = s.height * s.width, out_plane = s.rows * s.columns
    cdef int64_t down, along
    cdef int v, w, upper, lower
    cdef const unsigned char *p
    cdef unsigned char *to
    for row in range(s.rows):
        for column in range(s.columns):
            down, along = m[0] * row + m[1] * column + m[2], m[3] * row + m[4] * column + m[5]
            to = out + row * s.columns + column
            if is_outside(down, s.height) or is_outside(along, s.width):
                for c in range(s.channels):
                    to[c * out_plane] = 0
                continue
            above, below = kept_within(pixel_before(down), s.height), kept_within(pixel_before(down) + 1, s.height)
            left, right = kept_within(pixel_before(along), s.width), kept_within(pixel_before(along) + 1, s.width)
            v, w = weight(down), weight(along)
            for c in range(s.channels):
                p = picture + c * plane
                upper = p[above * s.width + left] * (ONE - v) + p[below * s.width + left] * v
                lower = p[above * s.width + right] * (ONE - v) + p[below * s.width + right] * v
                to[c * out_plane] = <unsigned char>((upper * (ONE - w) + lower * w + 32768) >> 16)
