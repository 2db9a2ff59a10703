"""The register block, and the geometry of one pass of a window over images; see tiled_loops.pyx."""

cdef extern from "block.h":
    enum: WIDEST
    ctypedef struct Block:
        const float *a[8]
        float *c[8]
        const float *init[8]
        const float *b
        Py_ssize_t a_step, b_step
        const Py_ssize_t *a_off
        const Py_ssize_t *b_off
        Py_ssize_t segments, steps, rows, lanes
        int relu, ahead
    Py_ssize_t block_width(Py_ssize_t channels) noexcept nogil
    Py_ssize_t block_rows(Py_ssize_t width) noexcept nogil
    Py_ssize_t block_rows_of(Py_ssize_t width, Py_ssize_t left) noexcept nogil
    void block_run(const Block *q, Py_ssize_t width, Py_ssize_t rows) noexcept nogil
    void blocks_run(const Block *q, Py_ssize_t width, Py_ssize_t blocks, Py_ssize_t a_row,
                    Py_ssize_t c_row) noexcept nogil
    void blocks_along(const Block *q, Py_ssize_t width, Py_ssize_t blocks, Py_ssize_t c_row,
                      int fresh) noexcept nogil

cdef class Lowering:
    # The source images, and the window that slides over them (top and left may be negative: a crop).
    cdef readonly Py_ssize_t batch, height, width, channels, groups
    cdef readonly Py_ssize_t taps_y, taps_x, stride_y, stride_x, top, left
    cdef readonly Py_ssize_t dilation_y, dilation_x      # the distance of its taps
    cdef readonly bint turned                 # images of one row are taken for such of one column
    # The destination: out_h x out_w pixels an image, `spread` pixels apart from `start` on.
    cdef readonly Py_ssize_t out_h, out_w, full_h, full_w, full_channels
    cdef readonly Py_ssize_t spread_y, spread_x, start_y, start_x
    # Tiles: `rows` rows of output pixels of one image, or all rows of `images` images.
    cdef readonly Py_ssize_t rows, images, tiles, tiles_y, tile_pixels
    cdef readonly Py_ssize_t parts, part_lanes  # into which a tile's output channels are cut, and how many each has
    cdef readonly Py_ssize_t columns          # length of a sum: taps_y * taps_x * group_in
    cdef readonly Py_ssize_t group_in, group_out, lanes  # channels a group; group_out rounded up to blocks
    cdef readonly Py_ssize_t band_rows, band_row, band_image
    cdef readonly Py_ssize_t tap_rows         # rows of the band from one row of taps to the next
    cdef readonly Py_ssize_t segments, steps  # runs of columns that lie side by side, and how long each is
    cdef readonly Py_ssize_t band_floats      # scratch of a thread
    cdef readonly Py_ssize_t packed_floats, bias_floats  # filters as `pack` lays them, and what is added
    cdef readonly bint direct                 # the window never leaves the image: read it without a copy
    cdef readonly bint clipped                # many rows of taps lie above or below it: leave them out
    # Pixel runs of a tile that one step length walks through; those whose outputs lie evenly, too.
    cdef readonly Py_ssize_t runs, run_pixels, run_step
    cdef readonly Py_ssize_t even_pixels, even_out_step
    # Address tables, in floats: entry (k, p) of the column matrix is band[column[k] + pixel[p]].
    cdef Py_ssize_t *pixel
    cdef Py_ssize_t *out
    cdef Py_ssize_t *column
    cdef Py_ssize_t *segment                  # start of each run of columns
    cdef Py_ssize_t *segment_column           # ... and which column that is
    cdef Py_ssize_t *first_segment            # of each row of output pixels: those of its rows of taps ...
    cdef Py_ssize_t *last_segment             # ... that lie within the image, if clipped; this one not among them
    cdef Py_ssize_t *run                      # start of each pixel run
    cdef Py_ssize_t *run_pixel                # ... and which pixel of the tile that is

    cdef Py_ssize_t _tap_rows(self, Py_ssize_t rows)
    cdef Py_ssize_t _band_rows(self, Py_ssize_t rows)
    cdef int _cut(self, Py_ssize_t tile_floats, Py_ssize_t least_tiles) except -1
    cdef int _clip(self) except -1
    cdef int _fill_tables(self) except -1
    cdef Py_ssize_t tile_start(self, Py_ssize_t tile, Py_ssize_t *image, Py_ssize_t *row) noexcept nogil
    cdef const float *band(self, const float *source, Py_ssize_t group, Py_ssize_t image, Py_ssize_t row,
                           Py_ssize_t pixels, float *scratch) noexcept nogil


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return (a + b - 1) // b
