"""Winograd's transforms and products, and the tiles that the output is cut into; see winograd_tiles.pyx."""

from cynet.kernels.common.ahead cimport Share

cdef extern from "winograd.h":
    enum: RUN
    ctypedef struct Strip:
        float *row[6]
        Py_ssize_t along[6]
        Py_ssize_t rows, first, last, tiles, ahead
    void winograd_input(int side, const Strip *s, float *v, Py_ssize_t tile, Py_ssize_t step,
                        Py_ssize_t channels) noexcept nogil
    void winograd_gradient(int side, const Strip *s, float *v, Py_ssize_t tile, Py_ssize_t step,
                           Py_ssize_t channels) noexcept nogil
    void winograd_output(int side, const Strip *s, const float *m, Py_ssize_t tile, Py_ssize_t step, const float *bias,
                         Py_ssize_t apart, bint relu, Py_ssize_t channels) noexcept nogil
    enum: FILTER_LANES
    void winograd_filter(int side, const float *w, const Py_ssize_t *tap, Py_ssize_t lane, Py_ssize_t left,
                         float *u, Py_ssize_t step, Py_ssize_t width) noexcept nogil
    Py_ssize_t winograd_filter_adjoint(int side, const float *u, Py_ssize_t step, Py_ssize_t chunks,
                                       Py_ssize_t apart, float *dw, const Py_ssize_t *tap, Py_ssize_t lane,
                                       Py_ssize_t left) noexcept nogil
    Py_ssize_t lane_block(Py_ssize_t lanes) noexcept nogil
    Py_ssize_t lanes_of_blocks(Py_ssize_t lanes) noexcept nogil

cdef extern from "product.h":
    void product(Py_ssize_t width, Py_ssize_t rows, const float *a, Py_ssize_t a_row, Py_ssize_t a_step,
                 const float *b, Py_ssize_t b_step, Py_ssize_t steps, float *c, Py_ssize_t c_row,
                 bint add) noexcept nogil

cdef enum:
    TILE = 4  # pixels of a tile's side
    SPARE = 16  # floats between the points of a block: a power of two would make them meet in one cache set

cdef struct TilePlace:
    Py_ssize_t image, row, column  # of a tile: its row and column among those of its image


cdef class Tiles:
    cdef readonly Py_ssize_t batch, height, width, out_h, out_w, block, side, points, pieces
    cdef readonly Py_ssize_t down, across, count, blocks
    cdef Py_ssize_t step_y, step_x, full_h, full_w, every_y, every_x, first_y, first_x
    cdef const Py_ssize_t[:, ::1] origins, taps
    cdef const Py_ssize_t *origin
    cdef const Py_ssize_t *tap

    cdef const Py_ssize_t *taps_of(self, Py_ssize_t piece) noexcept nogil
    cdef TilePlace place(self, Py_ssize_t tile) noexcept nogil
    cdef Py_ssize_t run(self, const TilePlace *at, Py_ssize_t most) noexcept nogil
    cdef void step(self, TilePlace *at, Py_ssize_t tiles) noexcept nogil
    cdef Py_ssize_t ahead(self, const TilePlace *at, Py_ssize_t tiles, Py_ssize_t down, Py_ssize_t across) noexcept nogil
    cdef Share _share(self, Py_ssize_t block, const float *array, Py_ssize_t image) noexcept nogil
    cdef Share inputs_of(self, Py_ssize_t block, const float *x, Py_ssize_t channels) noexcept nogil
    cdef Share outputs_of(self, Py_ssize_t block, const float *y, Py_ssize_t channels) noexcept nogil
    cdef void inputs(self, const TilePlace *at, Py_ssize_t tiles, Py_ssize_t piece, const float *x,
                     Py_ssize_t channels, const float *zeros, Strip *strip) noexcept nogil
    cdef void outputs(self, const TilePlace *at, Py_ssize_t tiles, const float *y, Py_ssize_t channels,
                      const float *zeros, Strip *strip) noexcept nogil
