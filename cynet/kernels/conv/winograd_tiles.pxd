"""Winograd's transforms and products, and the tiles that the output is cut into; see winograd_tiles.pyx."""

cdef extern from "winograd.h":
    enum: POINTS
    void winograd_input(const float **pixel, const float **next, float *v, Py_ssize_t step, Py_ssize_t channels) noexcept nogil
    void winograd_gradient(const float **pixel, const float **next, float *v, Py_ssize_t step, Py_ssize_t channels) noexcept nogil
    void winograd_output(const float *m, Py_ssize_t step, const float *bias, float **pixel,
                         float **next, Py_ssize_t channels, Py_ssize_t apart, bint relu) noexcept nogil
    enum: FILTER_LANES
    void winograd_filter(const float *w, const Py_ssize_t *tap, Py_ssize_t lane, float *u, Py_ssize_t step,
                         Py_ssize_t width) noexcept nogil
    void winograd_filter_adjoint_8(const float *u, Py_ssize_t step, Py_ssize_t chunks, Py_ssize_t apart,
                                   float *dw, Py_ssize_t lane) noexcept nogil

cdef extern from "product.h":
    enum: PRODUCT_LANES
    Py_ssize_t product_width(Py_ssize_t lanes) noexcept nogil
    void product(Py_ssize_t width, Py_ssize_t rows, const float *a, Py_ssize_t a_row, Py_ssize_t a_step,
                 const float *b, Py_ssize_t b_step, Py_ssize_t steps, float *c, Py_ssize_t c_row,
                 bint add) noexcept nogil

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
