"""The loader's decode step: stored bytes to normalised floats, with the random changes of augmentation.

Worker processes run it side by side, each with one thread; without workers it may have several. The random
numbers of a sample are a hash of (seed, epoch, index of the sample), so that a batch does not depend on who makes
it, or when. Whatever is random is computed in integers: the same on every platform.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    NO_FLIP, RANDOM_FLIP, ALTERNATING_FLIP

cdef struct Augment:
    int64_t padding
    int64_t reflect
    int64_t flip
    int64_t cutout
    int64_t brightness
    int64_t contrast

cdef struct BatchTerms:  # what its samples share
    const float *table
    Py_ssize_t channels, height, width
    bint reflect
    Augment augment
    uint64_t seed, epoch

cdef struct Shift:  # of a picture in its border
    Py_ssize_t down, right
    bint mirrored


cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), one step of it."""
    z += <uint64_t>0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline uint64_t low(uint64_t z) noexcept nogil:
    return z & <uint64_t>0xFFFFFFFF


def decode(
    const unsigned char[:, :, :, ::1] images not None,  # in: (count, channels, height, width), planar as CIFAR's
    const int64_t[::1] rows not None,       # in: (n,), where each picture lies, below count: the caller has checked
    const int64_t[::1] indices not None,    # in: (n,), the numbers of the samples in the data set, for the keys
    const float[:, ::1] table not None,     # in: (channels, 256), the value of each byte
    float[:, :, :, ::1] x not None,         # out: (n, height, width, channels)
    Augment augment,                        # a dict of int, see below
    uint64_t seed,
    uint64_t epoch,
    int threads=1,                          # 1 in worker processes, which run side by side
):
    """x[i] = the picture images[rows[i]] with its levels moved, cropped, flipped, looked up, cut out.

    With h(z) one step of SplitMix64, k = h(h(h(seed) ^ epoch) ^ indices[i]) is the sample's key; the halves
    of 64 random bits are called low and high.

    Parameters
    ----------
    augment : dict of int
        All of these, 0 for what is not wanted:

        brightness, contrast : a in 1/65536, 0 to 65536
            Two factors 65536 - a + ((2 a + 1) r >> 32), with r the low half of h(k + 3) for brightness and
            its high half for contrast. First every byte v of the picture becomes
            min(255, (v * factor + 32768) >> 16). Then, with m the rounded mean of all its bytes, it becomes
            (v * factor + m * (65536 - factor) + 32768) >> 16, at least 0 and at most 255.
        padding : p, reflect : 0 or 1
            A part of the picture's own size is taken from the picture with p pixels on each side, from row
            low % (2 p + 1) and column high % (2 p + 1) of it, of h(k). The pixels outside are black (byte 0,
            whose level is not moved), or mirrored at the outermost row or column; p is below both sizes then.
        flip : 1, 2
            Left and right are exchanged. 1: when h(k + 1) is odd. 2: when h(h(~seed) ^ index) + epoch is.
        cutout : s
            The square of s x s whose top left pixel is at row low % height - s // 2 and column
            high % width - s // 2 of x[i], of h(k + 2), is set to 0; what of it lies outside is left away.
    """
    cdef BatchTerms s
    cdef Py_ssize_t i
    if x.shape[0] == 0:
        return
    s.table, s.reflect = &table[0, 0], augment.reflect != 0
    s.channels, s.height, s.width = images.shape[1], images.shape[2], images.shape[3]
    s.augment, s.seed, s.epoch = augment, seed, epoch
    cdef const unsigned char *pixels = &images[0, 0, 0, 0]
    cdef const int64_t *row = &rows[0]
    cdef const int64_t *index = &indices[0]
    cdef float *out = &x[0, 0, 0, 0]
    cdef Py_ssize_t size = s.channels * s.height * s.width
    if threads == 1:
        with nogil:
            for i in range(x.shape[0]):
                decode_sample(&s, pixels + row[i] * size, <uint64_t>index[i], out + i * size)
        return
    for i in prange(x.shape[0], nogil=True, num_threads=threads, schedule="static"):
        decode_sample(&s, pixels + row[i] * size, <uint64_t>index[i], out + i * size)


cdef void decode_sample(const BatchTerms *s, const unsigned char *picture, uint64_t index, float *out) noexcept nogil:
    """One sample, with all that is drawn for it."""
    cdef const Augment *augment = &s.augment
    cdef uint64_t key = mix(mix(mix(s.seed) ^ s.epoch) ^ index), bits = mix(key), border = 2 * augment.padding + 1
    cdef unsigned char levels[256]
    cdef bint moved = augment.brightness != 0 or augment.contrast != 0
    cdef Shift shift
    shift.down = <Py_ssize_t>(low(bits) % border) - augment.padding
    shift.right = <Py_ssize_t>((bits >> 32) % border) - augment.padding
    shift.mirrored = False
    if augment.flip == RANDOM_FLIP:
        shift.mirrored = (mix(key + 1) & 1) != 0
    elif augment.flip == ALTERNATING_FLIP:
        shift.mirrored = ((mix(mix(~s.seed) ^ index) + s.epoch) & 1) != 0
    if moved:
        move_levels(picture, s.channels * s.height * s.width, augment, mix(key + 3), levels)
    decode_one(s, picture, levels if moved else NULL, &shift, out)
    if augment.cutout:
        cut(s, augment.cutout, mix(key + 2), out)


cdef inline uint64_t factor(int64_t amount, uint64_t bits) noexcept nogil:
    """Uniform from 65536 - amount to 65536 + amount, of 32 random bits."""
    return 65536 - amount + ((2 * <uint64_t>amount + 1) * bits >> 32)


cdef void move_levels(const unsigned char *picture, Py_ssize_t size, const Augment *augment, uint64_t bits,
                      unsigned char *levels) noexcept nogil:
    """levels[v] = what byte v of the picture becomes."""
    cdef int64_t f = factor(augment.brightness, low(bits)), total = 0, level
    cdef Py_ssize_t i
    for i in range(256):
        levels[i] = <unsigned char>min(255, (i * f + 32768) >> 16)
    if augment.contrast == 0:
        return
    for i in range(size):
        total += levels[picture[i]]
    cdef int64_t mean = (2 * total + size) // (2 * size)
    f = factor(augment.contrast, bits >> 32)
    for i in range(256):
        level = levels[i] * f + mean * (65536 - f) + 32768
        levels[i] = <unsigned char>(0 if level < 0 else min(255, level >> 16))


cdef void decode_one(const BatchTerms *s, const unsigned char *picture, const unsigned char *levels,
                     const Shift *shift, float *x) noexcept nogil:
    """One picture, moved up by `down` and left by `right`."""
    cdef Py_ssize_t c, i, row, column, from_row, first, last, step
    cdef const unsigned char *line
    cdef const float *value
    cdef float border
    cdef float moved[256]
    cdef float *out
    # The columns of the row that show the picture; the others are outside it.
    first = min(max(0, -shift.right), s.width)
    last = max(first, min(s.width, s.width - shift.right))
    for c in range(s.channels):
        value = s.table + c * 256
        border = value[0]
        if levels != NULL:
            for i in range(256):
                moved[i] = value[levels[i]]
            value = moved
        for row in range(s.height):
            from_row = row + shift.down
            out = x + row * s.width * s.channels + c
            step = s.channels
            if shift.mirrored:
                out += (s.width - 1) * step
                step = -step
            if from_row < 0 or from_row >= s.height:
                if not s.reflect:
                    for column in range(s.width):
                        out[column * step] = border
                    continue
                from_row = -from_row if from_row < 0 else 2 * (s.height - 1) - from_row
            line = picture + (c * s.height + from_row) * s.width + shift.right
            for column in range(first):
                out[column * step] = value[line[-column - 2 * shift.right]] if s.reflect else border
            for column in range(first, last):
                out[column * step] = value[line[column]]
            for column in range(last, s.width):
                i = 2 * (s.width - 1 - shift.right) - column
                out[column * step] = value[line[i]] if s.reflect else border


cdef void cut(const BatchTerms *s, Py_ssize_t size, uint64_t bits, float *x) noexcept nogil:
    """A square of zeros."""
    cdef Py_ssize_t row, i
    cdef Py_ssize_t top = <Py_ssize_t>(low(bits) % <uint64_t>s.height) - size // 2
    cdef Py_ssize_t left = <Py_ssize_t>((bits >> 32) % <uint64_t>s.width) - size // 2
    cdef Py_ssize_t right = min(left + size, s.width)
    cdef float *line
    for row in range(max(top, 0), min(top + size, s.height)):
        line = x + row * s.width * s.channels
        for i in range(max(left, 0) * s.channels, right * s.channels):
            line[i] = 0
