"""The tiles that Winograd's algorithm cuts the output into, 4x4 pixels each, and where their pixels lie."""

SIDE = TILE  # pixels


cpdef Py_ssize_t tile_count(Py_ssize_t batch, hw) except -1:
    """The tiles of `batch` images of (height, width) output pixels."""
    cdef Py_ssize_t height, width
    height, width = hw
    return batch * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE)


cdef class Tiles:
    """The tiles of one pass.

    Parameters
    ----------
    batch : int
    in_hw, out_hw : tuple of int
        (height, width) of the input and the output.
    before : tuple of int
        (top, left) padding.
    block : int
        Tiles of a block, a multiple of 8.
    """

    def __cinit__(self, Py_ssize_t batch, in_hw, out_hw, before, Py_ssize_t block):
        self.batch, self.block = batch, block
        self.height, self.width = in_hw
        self.out_h, self.out_w = out_hw
        self.top, self.left = before
        self.down, self.across = (self.out_h + TILE - 1) // TILE, (self.out_w + TILE - 1) // TILE
        self.count = tile_count(batch, out_hw)
        self.blocks = (self.count + block - 1) // block

    cdef void inputs(self, Py_ssize_t tile, const float *x, Py_ssize_t channels, const float *zeros,
                     const float **pixel) noexcept nogil:
        """The addresses of the 6x6 inputs of a tile."""
        cdef Py_ssize_t image = tile // (self.down * self.across)
        cdef Py_ssize_t top = tile // self.across % self.down * TILE - self.top
        cdef Py_ssize_t left = tile % self.across * TILE - self.left, i, j
        x += ((image * self.height + top) * self.width + left) * channels
        for i in range(6):
            for j in range(6):
                if 0 <= top + i < self.height and 0 <= left + j < self.width:
                    pixel[6 * i + j] = x + (i * self.width + j) * channels
                else:
                    pixel[6 * i + j] = zeros

    cdef void outputs(self, Py_ssize_t tile, const float *y, Py_ssize_t channels, const float *outside,
                      const float **pixel) noexcept nogil:
        """The addresses of the 4x4 outputs of a tile; `outside` stands for those beyond the image."""
        cdef Py_ssize_t image = tile // (self.down * self.across)
        cdef Py_ssize_t top = tile // self.across % self.down * TILE
        cdef Py_ssize_t left = tile % self.across * TILE, i, j
        y += ((image * self.out_h + top) * self.out_w + left) * channels
        for i in range(TILE):
            for j in range(TILE):
                if top + i < self.out_h and left + j < self.out_w:
                    pixel[TILE * i + j] = y + (i * self.out_w + j) * channels
                else:
                    pixel[TILE * i + j] = outside
