"""The tiles that Winograd's algorithm cuts the output into, 4x4 pixels each, and where their pixels lie."""

from cynet.kernels.common.ahead cimport Share, share_of

SIDE = TILE  # pixels

cdef enum:
    FETCHED = 1 << 15   # floats of a block that stay in a 512 KB L2 cache with all else
    NEAR = 1 << 18      # floats of an array that is there anyway


cpdef Py_ssize_t tile_count(Py_ssize_t batch, hw) except -1:
    """The tiles of `batch` images of (height, width) output pixels."""
    cdef Py_ssize_t height, width
    height, width = hw
    return batch * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE)


cdef inline Py_ssize_t first_within(Py_ssize_t start, Py_ssize_t step) noexcept nogil:
    """How many of start, start + step, ... are below 0."""
    return (step - 1 - start) // step if start < 0 else 0


cdef class Tiles:
    """The tiles of one pass, and the pieces that its filters are cut into: of 3x3 or 2x2 taps each.

    Parameters
    ----------
    batch : int
    in_hw, out_hw : tuple of int
        (height, width) of the input and of the pixels to be made.
    origins : ndarray of intp (pieces, 2)
        (y, x) of the first input of each piece at the first pixel; there may be none.
    taps : ndarray of intp (pieces, 9 or 4)
        Each piece's taps as entries of a filter's plane (height * width); -1 where it has none.
    block : int
        Tiles of a block, a multiple of 8.
    step : tuple of int
        From an input to the next of a piece: the convolution's stride.
    place : tuple of tuples of int, optional
        ((height, width), (y, x), (y, x)) of the output, from a pixel to the next, and of the first: where not all
        of its pixels are made.
    """

    def __cinit__(self, Py_ssize_t batch, in_hw, out_hw, const Py_ssize_t[:, ::1] origins not None,
                  const Py_ssize_t[:, ::1] taps not None, Py_ssize_t block, step=(1, 1), place=None):
        self.batch, self.block, self.origins, self.taps = batch, block, origins, taps
        self.height, self.width = in_hw
        self.out_h, self.out_w = out_hw
        self.step_y, self.step_x = step
        (self.full_h, self.full_w), (self.every_y, self.every_x), (self.first_y, self.first_x) = (
            place or (out_hw, (1, 1), (0, 0))
        )
        self.pieces, self.side = taps.shape[0], TILE + (2 if taps.shape[1] == 9 else 1)
        if not self.pieces or origins.shape[0] != self.pieces or origins.shape[1] != 2 or taps.shape[1] not in (4, 9):
            raise ValueError(f"taps: wanted 9 or 4 of each piece, which has an origin, got {taps.shape[1]}")
        self.origin, self.tap = &origins[0, 0], &taps[0, 0]
        self.points = self.side * self.side
        self.down, self.across = (self.out_h + TILE - 1) // TILE, (self.out_w + TILE - 1) // TILE
        self.count = tile_count(batch, out_hw)
        self.blocks = (self.count + block - 1) // block

    cdef const Py_ssize_t *taps_of(self, Py_ssize_t piece) noexcept nogil:
        return self.tap + piece * (self.side - TILE + 1) * (self.side - TILE + 1)

    cdef TilePlace place(self, Py_ssize_t tile) noexcept nogil:
        """Where a tile lies."""
        cdef TilePlace at
        at.image = tile // (self.down * self.across)
        at.row, at.column = tile // self.across % self.down, tile % self.across
        return at

    cdef Py_ssize_t run(self, const TilePlace *at, Py_ssize_t most) noexcept nogil:
        """How many tiles from this one on make a strip: at most so many."""
        return min(min(most, RUN), self.across - at.column)

    cdef void step(self, TilePlace *at, Py_ssize_t tiles) noexcept nogil:
        """Past the tiles of a strip."""
        at.column += tiles
        if at.column == self.across:
            at.column = 0
            at.row += 1
            if at.row == self.down:
                at.row = 0
                at.image += 1

    cdef Py_ssize_t ahead(self, const TilePlace *at, Py_ssize_t tiles, Py_ssize_t down,
                          Py_ssize_t across) noexcept nogil:
        """About how many floats the next strip is away, with so many from a row, and a column, to the next."""
        if at.column + tiles < self.across:
            return TILE * tiles * across
        return TILE * (down - at.column * across)

    cdef Share inputs_of(self, Py_ssize_t block, const float *x, Py_ssize_t channels) noexcept nogil:
        """What a block, which may be beyond the last, needs of x, if that is worth to be asked for ahead of time."""
        return self._share(block, x, self.height * self.width * channels)

    cdef Share outputs_of(self, Py_ssize_t block, const float *y, Py_ssize_t channels) noexcept nogil:
        """The same of the outputs, unless pixels between them are left out."""
        cdef bint whole = self.full_h == self.out_h and self.full_w == self.out_w
        return self._share(block, y, self.out_h * self.out_w * channels if whole else 0)

    cdef Share _share(self, Py_ssize_t block, const float *array, Py_ssize_t image) noexcept nogil:
        cdef Py_ssize_t first = min(block * self.block, self.count), last = min(first + self.block, self.count)
        cdef Py_ssize_t floats = self.batch * image
        if floats < NEAR or (last - first) * image > FETCHED * self.down * self.across:
            last = first
        return share_of(array, floats, first, last, self.count)

    cdef void inputs(self, const TilePlace *at, Py_ssize_t tiles, Py_ssize_t piece, const float *x,
                     Py_ssize_t channels, const float *zeros, Strip *strip) noexcept nogil:
        """The inputs of a strip, for a piece: 6 or 5 rows. `zeros` stands for those beyond the image."""
        cdef Py_ssize_t top = at.row * TILE * self.step_y + self.origin[2 * piece], i, y
        cdef Py_ssize_t left = at.column * TILE * self.step_x + self.origin[2 * piece + 1]
        strip.tiles = tiles
        strip.last = min(tiles * TILE + self.side - TILE, first_within(left - self.width, self.step_x))
        strip.first = min(strip.last, first_within(left, self.step_x))
        strip.ahead = self.ahead(at, tiles, self.step_y * self.width * channels, self.step_x * channels)
        x += (at.image * self.height * self.width + left + strip.first * self.step_x) * channels
        for i in range(self.side):
            y = top + i * self.step_y
            strip.row[i], strip.along[i] = <float *>zeros, 0
            if 0 <= y < self.height:
                strip.row[i], strip.along[i] = <float *>x + y * self.width * channels, self.step_x * channels

    cdef void outputs(self, const TilePlace *at, Py_ssize_t tiles, const float *y, Py_ssize_t channels,
                      const float *zeros, Strip *strip) noexcept nogil:
        """The same of the outputs: 4 rows."""
        cdef Py_ssize_t top = at.row * TILE, left = at.column * TILE, i
        strip.tiles, strip.first = tiles, 0
        strip.rows, strip.last = min(TILE, self.out_h - top), min(tiles * TILE, self.out_w - left)
        strip.ahead = self.ahead(at, tiles, self.every_y * self.full_w * channels, self.every_x * channels)
        y += ((at.image * self.full_h + self.first_y + top * self.every_y) * self.full_w + self.first_x
              + left * self.every_x) * channels
        for i in range(TILE):
            strip.row[i], strip.along[i] = <float *>zeros, 0
            if i < strip.rows:
                strip.row[i] = <float *>y + i * self.every_y * self.full_w * channels
                strip.along[i] = self.every_x * channels
