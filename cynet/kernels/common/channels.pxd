"""Rows x channels as vectors: what the kernels of batch norm share.

Channels that are few leave lanes empty. So where they divide LANES, several rows are taken for one of LANES lanes;
lane l is then channel l % channels, and the last of these wide rows may be short.
"""

from cynet.kernels.common.simd cimport VL

cdef enum:
    RUN = 32        # rows that one accumulator sums in float32
    TERMS = 7       # rows of the numbers a channel: high, low, scale, shift, and the gradient's a, b, c
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
