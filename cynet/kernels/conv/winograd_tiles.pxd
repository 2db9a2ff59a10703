"""The tiles that Winograd's algorithm cuts the output into; see winograd_tiles.pyx."""

cdef enum:
    TILE = 4  # pixels of a tile's side
    SPARE = 16  # floats between the points of a block: a power of two would make them meet in one cache set

cdef class Tiles:
    cdef readonly Py_ssize_t batch, height, width, out_h, out_w, top, left, block
    cdef readonly Py_ssize_t down, across, count, blocks

    cdef void inputs(self, Py_ssize_t tile, const float *x, Py_ssize_t channels, const float *zeros,
                     const float **pixel) noexcept nogil
    cdef void outputs(self, Py_ssize_t tile, const float *y, Py_ssize_t channels, const float *outside,
                      const float **pixel) noexcept nogil
