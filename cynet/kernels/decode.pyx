"""The loader's decode step: stored bytes to normalised floats, with random crop and flip.

One thread: worker processes run it side by side. The random numbers of a sample are a hash of (seed, epoch,
index of the sample), so that a batch does not depend on who makes it, or when.
"""

from libc.stdint cimport int64_t, uint64_t

cdef struct Store:
    const unsigned char *pixels
    Py_ssize_t channels, height, width
    const float *table


cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), one step of it."""
    z += <uint64_t>0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


def decode(const unsigned char[:, :, :, ::1] images not None, const int64_t[::1] indices not None,
           const float[:, ::1] table not None, float[:, :, :, ::1] x not None,
           Py_ssize_t padding, bint flip, uint64_t seed, uint64_t epoch):
    """x[i] = the picture with number indices[i], cropped, flipped, and looked up in the table.

    Parameters
    ----------
    images : uint8 (count, channels, height, width)
        # in; planar, as CIFAR stores them.
    indices : int64 (n,)
        # in; each within count, which the caller has checked.
    table : float32 (channels, 256)
        # in; the value of each byte.
    x : float32 (n, height, width, channels)
        # out
    padding : int
        A window of the picture's own size is taken at random from the picture with so many black pixels on
        each side; 0: no crop.
    flip : bool
        Mirror left and right with probability 1/2, after the crop.
    seed, epoch : int
        With the index, the key of the random numbers.
    """
    cdef Store s
    cdef Py_ssize_t i, down, right
    cdef uint64_t key, place, base = mix(mix(seed) ^ epoch), border = 2 * padding + 1
    cdef bint mirrored
    if x.shape[0] == 0:
        return
    s.pixels, s.table = &images[0, 0, 0, 0], &table[0, 0]
    s.channels, s.height, s.width = images.shape[1], images.shape[2], images.shape[3]
    cdef const int64_t *index = &indices[0]
    cdef float *out = &x[0, 0, 0, 0]
    cdef Py_ssize_t size = s.channels * s.height * s.width
    with nogil:
        for i in range(x.shape[0]):
            key = mix(base ^ <uint64_t>index[i])
            place = mix(key)
            down = <Py_ssize_t>((place & <uint64_t>0xFFFFFFFF) % border) - padding
            right = <Py_ssize_t>((place >> 32) % border) - padding
            mirrored = (mix(key + 1) & 1) != 0 if flip else False
            decode_one(&s, s.pixels + index[i] * size, down, right, mirrored, out + i * size)


cdef void decode_one(const Store *s, const unsigned char *picture, Py_ssize_t down, Py_ssize_t right,
                     bint mirrored, float *x) noexcept nogil:
    """One picture moved up by `down` and left by `right`; what comes in from outside is black."""
    cdef Py_ssize_t c, row, column, from_row, first, last, step
    cdef const unsigned char *line
    cdef const float *value
    cdef float *out
    # The columns of the row that show the picture; the others are outside it.
    first = min(max(0, -right), s.width)
    last = max(first, min(s.width, s.width - right))
    for c in range(s.channels):
        value = s.table + c * 256
        for row in range(s.height):
            from_row = row + down
            out = x + row * s.width * s.channels + c
            step = s.channels
            if mirrored:
                out += (s.width - 1) * step
                step = -step
            if from_row < 0 or from_row >= s.height:
                for column in range(s.width):
                    out[column * step] = value[0]
                continue
            line = picture + (c * s.height + from_row) * s.width + right
            for column in range(first):
                out[column * step] = value[0]
            for column in range(first, last):
                out[column * step] = value[line[column]]
            for column in range(last, s.width):
                out[column * step] = value[0]
