"""Rows x channels as vectors, and the numbers a channel: what the kernels of batch norm share.

Channels that are few leave lanes empty. So where they divide LANES, several rows are taken for one of LANES lanes;
lane l is then channel l % channels, and the last of these wide rows may be short.
"""

from cynet.kernels.common.simd cimport VL

# The table of terms, float32 (TERMS, channels), by rows: y = (x - mean) * SCALE + SHIFT, and for backward
# dx = OF_DY * dy + OF_X * (x - mean) + CONSTANT.
cpdef enum:
    MEAN_HIGH       # the mean as two floats
    MEAN_LOW
    SCALE           # weight / sqrt(variance + eps)
    SHIFT           # bias
    OF_DY
    OF_X
    CONSTANT
    TERMS           # how many rows there are

cpdef enum:
    RUN = 32        # rows that one accumulator sums in float32
    SUMS = 2        # a channel, of each chunk of rows: of dy and of dy * (x - mean), or mean and squared deviations

# What a pass keeps for backward, float64 (STATE, channels), by rows.
cpdef enum:
    MEAN
    INVERSE         # 1 / sqrt(variance + eps)
    STATE           # how many rows there are

cdef enum:
    LANES = 16      # VL, at most: one vector, or two
    MOST = 4        # STRIPS, at most


cdef extern from *:
    """
    #define STRIPS (VL == 16 ? 4 : 2) /* as many as there are registers for */
    """
    # Vectors of channels that are walked side by side. One alone would read a line here and a line there, which
    # the memory behind the caches does at half its speed.
    const Py_ssize_t STRIPS


cdef struct View:
    Py_ssize_t rows, step   # wide rows, and floats from one to the next
    Py_ssize_t tail         # lanes of the short one after them


cdef inline bint folds(Py_ssize_t channels) noexcept nogil:
    return channels < LANES and LANES % channels == 0


cdef inline View view_of(Py_ssize_t rows, Py_ssize_t channels) noexcept nogil:
    if folds(channels):
        return View(rows * channels // LANES, LANES, rows * channels % LANES)
    return View(rows, channels, 0)


cdef inline const float *widened(const float *terms, Py_ssize_t channels, float *wide) noexcept nogil:
    """The terms of each lane: as they are, or repeated in `wide` (TERMS * LANES floats)."""
    cdef Py_ssize_t t, l
    if not folds(channels):
        return terms
    for t in range(TERMS):
        for l in range(LANES):
            wide[t * LANES + l] = terms[t * channels + l % channels]
    return wide


cdef inline Py_ssize_t block_rows(Py_ssize_t step) noexcept nogil:
    """Rows that are taken at a time: four runs, or fewer so that they stay in the first cache."""
    return RUN if step > 64 else 2 * RUN if step > 32 else 4 * RUN
