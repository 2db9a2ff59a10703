"""Operations on the colours of pictures of bytes, in place, as PIL and so torchvision define them.

Everything is computed in integers: the same on every platform. Grey, of red, green and blue, is
(19595 r + 38470 g + 7471 b + 32768) >> 16; a blend of u and v by f is u + (v - u) f, rounded, within 0 to 255.
"""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

# What the operations are called in `colours.py`, too.
cdef enum:
    NOTHING, BRIGHTNESS, CONTRAST, SATURATION, HUE, GREY, SHARPNESS, POSTERIZE, SOLARIZE, AUTOCONTRAST, EQUALIZE

cdef enum:
    UNIT = 65536        # of factors, and of the hue's sextants
    TURN = 6 * UNIT


def colour(
    unsigned char[:, :, :, ::1] pictures not None,   # inout: (n, 1 or 3, height, width)
    const int32_t[:, ::1] operations not None,       # in: (n, count), carried out in their order
    const int32_t[:, ::1] amounts not None,          # in: (n, count)
    unsigned char[:, ::1] scratch not None,          # out: (n, height * width), scratch
    int threads=1,
):
    """Change each picture by its operations.

    The amount is: of brightness, contrast, saturation and sharpness the factor f in 1/65536, 0 to 2**22, of the
    blend of black; of the mean of grey, rounded; of grey; of the smoothed picture; with the picture. Of the hue
    what is added to it, in 1/65536 of a sixth of the circle, less than the circle; of posterize the bits that are
    kept, 0 to 8; of solarize the byte from which on it is mirrored.
    """
    cdef Py_ssize_t i, channels = pictures.shape[1], height = pictures.shape[2], width = pictures.shape[3]
    cdef Py_ssize_t count = operations.shape[1]
    if pictures.shape[0] == 0 or count == 0:
        return
    cdef unsigned char *p = &pictures[0, 0, 0, 0]
    cdef unsigned char *free = &scratch[0, 0]
    cdef const int32_t *operation = &operations[0, 0]
    cdef const int32_t *amount = &amounts[0, 0]
    for i in prange(pictures.shape[0], nogil=True, num_threads=threads, schedule="static"):
        change(p + i * channels * height * width, channels, height, width, operation + i * count,
               amount + i * count, count, free + i * height * width)


cdef void change(unsigned char *p, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width,
                 const int32_t *operation, const int32_t *amount, Py_ssize_t count,
                 unsigned char *scratch) noexcept nogil:
    cdef Py_ssize_t i, c, plane = height * width
    cdef int what
    for i in range(count):
        what = operation[i]
        if what == SATURATION or what == GREY:
            if channels == 3:
                blend_with_grey(p, plane, amount[i] if what == SATURATION else 0)
        elif what == HUE:
            if channels == 3 and amount[i]:
                turn_hue(p, plane, amount[i])
        elif what == SHARPNESS:
            for c in range(channels):
                sharpen(p + c * plane, height, width, amount[i], scratch)
        elif what == AUTOCONTRAST or what == EQUALIZE:
            for c in range(channels):
                stretch(p + c * plane, plane, what == EQUALIZE)
        elif what != NOTHING:
            move(p, channels, plane, what, amount[i])


cdef inline unsigned char within(int64_t v) noexcept nogil:
    return <unsigned char>(0 if v < 0 else (255 if v > 255 else v))


cdef inline int grey(const unsigned char *p, Py_ssize_t plane) noexcept nogil:
    """Of the pixel whose red byte is p[0]."""
    return (19595 * p[0] + 38470 * p[plane] + 7471 * p[2 * plane] + 32768) >> 16


cdef void look_up(unsigned char *p, Py_ssize_t n, const unsigned char *table) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] = table[p[i]]


cdef void move(unsigned char *p, Py_ssize_t channels, Py_ssize_t plane, int what, int64_t amount) noexcept nogil:
    """What is a function of the byte, once the mean is known."""
    cdef unsigned char table[256]
    cdef Py_ssize_t i
    cdef int64_t mean = 0, v
    if what == CONTRAST:
        for i in range(plane):
            mean += grey(p + i, plane) if channels == 3 else p[i]
        mean = (2 * mean + plane) // (2 * plane)
    for i in range(256):
        v = i
        if what == BRIGHTNESS or what == CONTRAST:
            v = (v * amount + mean * (UNIT - amount) + UNIT // 2) >> 16
        elif what == POSTERIZE:
            v = v & (256 - (<int64_t>1 << (8 - amount)))
        elif what == SOLARIZE and v >= amount:
            v = 255 - v
        table[i] = within(v)
    look_up(p, channels * plane, table)


cdef void blend_with_grey(unsigned char *p, Py_ssize_t plane, int32_t factor) noexcept nogil:
    cdef Py_ssize_t i, c
    cdef int32_t g, v
    for i in range(plane):
        g = grey(p + i, plane)
        for c in range(3):
            v = (g * UNIT + (p[i + c * plane] - g) * factor + UNIT // 2) >> 16
            p[i + c * plane] = within(v)


cdef void turn_hue(unsigned char *p, Py_ssize_t plane, int32_t amount) noexcept nogil:
    """The least and the greatest of the three bytes stay; the one between goes up or down along the circle."""
    cdef Py_ssize_t i
    cdef int32_t r, g, b, least, most, range_, hue, sextant, up, down
    for i in range(plane):
        r, g, b = p[i], p[i + plane], p[i + 2 * plane]
        least, most = min(r, min(g, b)), max(r, max(g, b))
        range_ = most - least
        if range_ == 0:
            continue
        if most == r:
            hue = (g - b) * UNIT // range_
        elif most == g:
            hue = 2 * UNIT + (b - r) * UNIT // range_
        else:
            hue = 4 * UNIT + (r - g) * UNIT // range_
        hue += amount
        if hue < 0:
            hue += TURN
        elif hue >= TURN:
            hue -= TURN
        sextant = hue // UNIT
        up = (range_ * (hue - sextant * UNIT) + UNIT // 2) >> 16
        up, down = least + up, most - up
        if sextant == 0:
            r, g, b = most, up, least
        elif sextant == 1:
            r, g, b = down, most, least
        elif sextant == 2:
            r, g, b = least, most, up
        elif sextant == 3:
            r, g, b = least, down, most
        elif sextant == 4:
            r, g, b = up, least, most
        else:
            r, g, b = most, least, down
        p[i], p[i + plane], p[i + 2 * plane] = <unsigned char>r, <unsigned char>g, <unsigned char>b


cdef void sharpen(unsigned char *p, Py_ssize_t height, Py_ssize_t width, int32_t factor,
                  unsigned char *scratch) noexcept nogil:
    """Blend with the mean of 3 x 3 pixels, of which the middle counts five times; the edge stays."""
    cdef Py_ssize_t row, column, i, j
    cdef int32_t total
    memcpy(scratch, p, height * width)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            i, total = row * width + column, 4 * scratch[row * width + column]
            for j in range(-1, 2):
                total += scratch[i + j - width] + scratch[i + j] + scratch[i + j + width]
            total = (2 * total + 13) // 26
            p[i] = within((total * UNIT + (scratch[i] - total) * factor + UNIT // 2) >> 16)


cdef void stretch(unsigned char *p, Py_ssize_t plane, bint equalize) noexcept nogil:
    """A plane's bytes spread over 0 to 255: evenly by value, or so that each is as frequent as others."""
    cdef int64_t counts[256]
    cdef unsigned char table[256]
    cdef Py_ssize_t i
    cdef int64_t first = -1, last = -1, step, sum_
    memset(counts, 0, sizeof(counts))
    for i in range(plane):
        counts[p[i]] += 1
    for i in range(256):
        if counts[i]:
            last = i
            if first < 0:
                first = i
    step = (plane - counts[last]) // 255 if equalize else last - first
    if step == 0:
        return
    sum_ = step // 2
    for i in range(256):
        table[i] = within(sum_ // step if equalize else (i - first) * 255 // step)
        sum_ += counts[i]
    look_up(p, plane, table)
