"""Convolution by Winograd's F(4x4, 3x3) or F(4x4, 2x2): see winograd.h, and winograd_pieces.py for larger windows.

Design: the output is cut into tiles of 4x4 pixels. Of tiles, channels c, those of all pieces of the window one after
another, and lanes (output channels) o

    v[p, tile, c] = the 6x6 or 5x5 inputs of each tile, transformed     (36 or 25 points p)
    m[p, tile, o] = sum over channels c of v[p, tile, c] * u[p, c, o]   (u: the transformed filters)
    y             = each tile's m, transformed back

Work is shared in one of two ways. *By tiles*: an item is a block of tiles and all lanes; v and m of a block stay in
the cache, and u is read once for each block. *By lanes*, where tiles are few and filters large: v of all tiles is
made first, then an item is a part of the lanes and all tiles, and each filter is read once; it may be transformed
by the item that needs it, so that u is never whole in memory. The input gradient is the same over dy with flipped
filters; for the weight gradient see winograd_weight_loops.pyx. Every sum runs over the channels in order, whatever
the items are: both ways, any batch and any number of threads give the same bytes.

Channels and lanes may be any number: transforms write zeros behind the last of them.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

import numpy as np

from cynet.core.workspace cimport empty
from cynet.kernels.common.ahead cimport Share, fetch_read, fetch_written
from cynet.kernels.common.turns cimport ItemTurns, share_out, take

from .winograd_tiles cimport (
    FILTER_LANES, SPARE, Strip, TilePlace, Tiles, lane_block, lanes_of_blocks, product, winograd_filter,
    winograd_input, winograd_output,
)


NOTHING = np.zeros(0, np.float32)
WIDTH = lane_block(1 << 20)  # lanes of a product, where there are so many

cdef enum:
    STRIP = 8   # channels of filters that are transformed one after another
    DEPTH = 64  # the same by lanes: with a block's lanes they stay in a 512 KB L2 cache


cdef class Filters:
    """Filters (out_channels, in_channels, height, width) as they lie, and how the products shall read them.

    Parameters
    ----------
    tiles : Tiles
        Whose pieces say which taps belong together.
    w : ndarray of float32
    transposed : bool
        Lanes are input channels, for the input gradient.
    """

    cdef const float[:, :, :, ::1] w
    cdef Tiles tiles
    cdef Py_ssize_t lanes, channels, lane, channel  # how many, and the floats from one to the next
    cdef Py_ssize_t depth  # channels of all pieces, each with zeros behind its own
    cdef readonly Py_ssize_t floats  # of all transformed ones

    def __init__(self, Tiles tiles not None, const float[:, :, :, ::1] w not None, bint transposed):
        cdef Py_ssize_t plane = w.shape[2] * w.shape[3]
        self.tiles, self.w, self.lanes, self.channels = tiles, w, w.shape[0], w.shape[1]
        self.lane, self.channel = plane * w.shape[1], plane
        if transposed:
            self.lanes, self.channels = self.channels, self.lanes
            self.lane, self.channel = self.channel, self.lane
        self.depth = tiles.pieces * eights(self.channels)
        self.floats = tiles.points * lanes_of_blocks(self.lanes) * row_of(self.depth)

    cdef void transform(self, Py_ssize_t first_channel, Py_ssize_t channels, Py_ssize_t first, Py_ssize_t lanes,
                        float *u, Py_ssize_t row) noexcept nogil:
        """Those of so many channels, of pieces one after another, and lanes, from these on: block of lanes after
        block, each (points, row, width), of which as many rows are written as there are channels."""
        cdef Py_ssize_t points = self.tiles.points, each = eights(self.channels)
        cdef Py_ssize_t done = 0, width, part, c, channel, left
        cdef const float *w = &self.w[0, 0, 0, 0] + first * self.lane
        while done < lanes:
            width = lane_block(lanes - done)
            part = 0
            while part < width:  # few filters at a time: they may lie so that all are in one set of the cache
                for c in range(channels):
                    channel = (first_channel + c) % each
                    left = lanes - done - part if channel < self.channels else 0
                    winograd_filter(self.tiles.side, w + channel * self.channel + (done + part) * self.lane,
                                    self.tiles.taps_of((first_channel + c) // each), self.lane, left,
                                    u + (points * done * row + c * width + part), row * width, width)
                part += FILTER_LANES if width % FILTER_LANES == 0 else 8
            done += width


def transform_filters(
    Filters filters not None,
    float[::1] u not None,                  # out: (filters.floats,)
    int threads,
):
    """The filters as the products read them."""
    transform_all(filters, u, threads)


cdef void transform_all(Filters filters, float[::1] u, int threads) noexcept:
    cdef Py_ssize_t item, items = (filters.depth + STRIP - 1) // STRIP
    cdef float *target = &u[0]
    cdef int team = threads if filters.depth * filters.lanes > 1024 else 1
    for item in prange(items, nogil=True, num_threads=team, schedule="static"):
        transform_strip(filters, item * STRIP, target)


cdef void transform_strip(Filters filters, Py_ssize_t c, float *u) noexcept nogil:
    """Up to STRIP channels from c on."""
    cdef Py_ssize_t channels = min(STRIP, filters.depth - c), done = 0, width, row = row_of(filters.depth)
    while done < filters.lanes:
        width = lane_block(filters.lanes - done)
        filters.transform(c, channels, done, min(width, filters.lanes - done),
                          u + filters.tiles.points * done * row + c * width, row)
        done += width


cdef class Sharing:
    """How one pass is shared among threads.

    Parameters
    ----------
    tiles : Tiles
    channels, lanes : int
        Of the input and the output.
    part : int
        Lanes of an item, a multiple of WIDTH, to share the work by lanes; 0 to share it by tiles.
    fresh : bool
        Items transform their filters themselves, by lanes.
    """

    cdef readonly Tiles tiles
    cdef readonly Py_ssize_t channels, depth, lanes, part, items, common, each
    cdef readonly bint fresh

    def __init__(self, Tiles tiles not None, Py_ssize_t channels, Py_ssize_t lanes, Py_ssize_t part, bint fresh):
        self.tiles, self.channels, self.lanes, self.part, self.fresh = tiles, channels, lanes, part, fresh
        self.depth = tiles.pieces * eights(channels)
        cdef Py_ssize_t row = part or lanes_of_blocks(lanes), points = tiles.points
        cdef Py_ssize_t m = points * (tiles.block * row + SPARE), zeros = _up(channels)
        if part:
            self.items = (lanes + part - 1) // part
            self.common = zeros + _up(points * (tiles.count * self.depth + SPARE))
            self.each = _up(m)
            if fresh:
                self.each = _up(points * (tiles.count * part + SPARE)) + points * part * row_of(min(DEPTH, self.depth))
        else:
            self.items, self.common = tiles.blocks, 0
            self.each = zeros + _up(points * (tiles.block * self.depth + SPARE) + m)

    cpdef Py_ssize_t scratch_floats(self, int threads) noexcept:
        """The floats of scratch that it needs."""
        return self.common + threads * self.each


cdef Py_ssize_t eights(Py_ssize_t channels) noexcept nogil:
    """The channels of a transformed piece, those of zeros counted."""
    return (channels + 7) // 8 * 8


cdef Py_ssize_t row_of(Py_ssize_t depth) noexcept nogil:
    """Channels of one point's filters: one more than there are, lest all points lie in one set of the cache."""
    return depth + 1 if depth >= 32 else depth


cdef Py_ssize_t _up(Py_ssize_t floats) noexcept nogil:
    """So that what comes after them begins with a cache line."""
    return (floats + 63) // 64 * 64


def convolve(
    Sharing g not None,
    const float[:, :, :, ::1] source not None,      # in: (batch, height, width, channels)
    const float[::1] u not None,                    # in: the transformed filters; of a fresh pass nothing
    Filters filters,                                # in: of a fresh pass; else None
    const float[::1] bias not None,                 # in: (lanes,)
    float[:, :, :, ::1] out not None,               # out: (batch, out_h, out_w, lanes)
    float[::1] scratch not None,                    # out: (g.scratch_floats(threads),)
    int relu,
    const float[:, :, :, ::1] residual not None,    # in: of the shape of out, added before the ReLU; or empty
    int threads,
):
    """out = the convolution of `source` with the filters, plus bias; with `relu`, at least 0."""
    run(g, source, u, filters, bias, out, scratch, relu, residual, threads)


def convolve_with(
    Sharing g not None,
    const float[:, :, :, ::1] source not None,      # in: as for `convolve`
    const float[:, :, :, ::1] w not None,           # in: (out_channels, in_channels, height, width)
    bint transposed,                                # as for `Filters`
    const float[::1] bias not None,                 # in
    float[:, :, :, ::1] out not None,               # out
    const float[:, :, :, ::1] residual not None,    # in
    int threads,
):
    """`convolve` with filters as they are now."""
    cdef Filters filters = Filters(g.tiles, w, transposed)
    cdef const float[::1] u = NOTHING
    cdef float[::1] made
    if not g.fresh:
        made = empty((filters.floats,))
        transform_all(filters, made, threads)
        u = made
    run(g, source, u, filters, bias, out, empty((g.scratch_floats(threads),)), 0, residual, threads)


cdef int run(Sharing g, const float[:, :, :, ::1] source, const float[::1] u, Filters filters,
             const float[::1] bias, float[:, :, :, ::1] out, float[::1] scratch, int relu,
             const float[:, :, :, ::1] residual, int threads) except -1:
    cdef Py_ssize_t item = 0, apart = 0, strips
    cdef ItemTurns turns
    if g.fresh and filters is None:
        raise ValueError("filters: wanted those of this pass, which transforms them itself, got None")
    if g.tiles.count == 0:
        return 0
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = NULL
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *common = &scratch[0]
    cdef float *work = common + g.common
    if not g.fresh:
        w = &u[0]
    if residual.shape[0]:
        apart = &residual[0, 0, 0, 0] - y
    if g.part:
        strips = (g.tiles.count + 7) // 8
        memset(common, 0, g.channels * sizeof(float))
        for item in prange(strips, nogil=True, num_threads=threads if strips > 1 else 1, schedule="static"):
            transform_tiles(g, item * 8, min(8, g.tiles.count - item * 8), x, common)
        share_out(&turns, g.items, threads)
        with nogil, parallel(num_threads=threads):
            item = take(&turns, threadid())
            while item >= 0:
                convolve_lanes(g, item, common, w, filters, b, y, work + threadid() * g.each, apart, relu)
                item = take(&turns, threadid())
        return 0
    if threads == 1:
        for item in range(g.items):
            convolve_tiles(g, item, x, w, b, y, work, apart, relu)
        return 0
    share_out(&turns, g.items, threads)
    with nogil, parallel(num_threads=threads):
        item = take(&turns, threadid())
        while item >= 0:
            convolve_tiles(g, item, x, w, b, y, work + threadid() * g.each, apart, relu)
            item = take(&turns, threadid())


cdef class WinogradPass:
    """`convolve` with arrays that stay, so that a pass need not look at them; called with the source and, if there
    is one, the residual."""

    cdef Sharing g
    cdef const float[::1] u, bias
    cdef float[:, :, :, ::1] out
    cdef float[::1] scratch
    cdef const float[:, :, :, ::1] nothing
    cdef int relu
    cdef int threads

    def __init__(self, Sharing g not None, const float[::1] u not None, const float[::1] bias not None,
                 float[:, :, :, ::1] out not None, float[::1] scratch not None, int relu,
                 const float[:, :, :, ::1] nothing not None, int threads):
        self.g, self.u, self.bias, self.out, self.scratch = g, u, bias, out, scratch
        self.relu, self.nothing, self.threads = relu, nothing, threads

    def __call__(self, const float[:, :, :, ::1] source not None, residual=None):
        cdef const float[:, :, :, ::1] added = self.nothing
        if residual is not None:
            added = residual
        run(self.g, source, self.u, None, self.bias, self.out, self.scratch, self.relu, added, self.threads)


cdef void transform_inputs(Tiles tiles, Py_ssize_t first, Py_ssize_t count, const float *x, Py_ssize_t channels,
                           const float *zeros, float *v, Py_ssize_t v_step) noexcept nogil:
    """v[:, first : first + count] of tiles one after another, of each its pieces."""
    cdef Strip strip
    cdef Py_ssize_t piece, some, each = eights(channels)
    cdef TilePlace at = tiles.place(first)
    while count > 0:
        some = tiles.run(&at, count)
        for piece in range(tiles.pieces):
            tiles.inputs(&at, some, piece, x, channels, zeros, &strip)
            winograd_input(tiles.side, &strip, v + piece * each, tiles.pieces * each, v_step, channels)
        tiles.step(&at, some)
        v += some * tiles.pieces * each
        count -= some


cdef void transform_outputs(Tiles tiles, Py_ssize_t first, Py_ssize_t count, const float *m, Py_ssize_t m_row,
                            Py_ssize_t m_step, const float *bias, float *y, Py_ssize_t lanes, Py_ssize_t width,
                            Py_ssize_t apart, int relu) noexcept nogil:
    """`width` lanes of y, where the first of them is at y, of tiles one after another."""
    cdef Strip strip
    cdef Py_ssize_t some
    cdef TilePlace at = tiles.place(first)
    while count > 0:
        some = tiles.run(&at, count)
        tiles.outputs(&at, some, y, lanes, NULL, &strip)
        winograd_output(tiles.side, &strip, m, m_row, m_step, bias, apart, relu, width)
        tiles.step(&at, some)
        m += some * m_row
        count -= some


cdef void convolve_tiles(Sharing g, Py_ssize_t item, const float *x, const float *u, const float *bias, float *y,
                         float *work, Py_ssize_t apart, int relu) noexcept nogil:
    """All lanes of a block of tiles, while the inputs of the next one come from memory."""
    cdef Py_ssize_t first = item * g.tiles.block, count = min(g.tiles.block, g.tiles.count - first), p, done = 0
    cdef Py_ssize_t depth = g.depth, v_step = g.tiles.block * depth + SPARE, width, points = g.tiles.points
    cdef Py_ssize_t row = row_of(depth), lanes = lanes_of_blocks(g.lanes), m_step = g.tiles.block * lanes + SPARE
    cdef float *zeros = work
    cdef float *v = zeros + _up(g.channels)
    cdef float *m = v + points * v_step
    cdef Share coming = g.tiles.inputs_of(item + 1, x, g.channels), going = g.tiles.outputs_of(item, y, g.lanes)
    memset(zeros, 0, g.channels * sizeof(float))
    transform_inputs(g.tiles, first, count, x, g.channels, zeros, v, v_step)
    for p in range(points):  # point by point: its part of v stays near while the filters pass by
        fetch_read(coming, p, points)
        fetch_written(going, p, points)
        done = 0
        while done < g.lanes:
            width = lane_block(g.lanes - done)
            product(width, count, v + p * v_step, depth, 1, u + (points * done + p * width) * row, width, depth,
                    m + p * m_step + done, lanes, False)
            done += width
    transform_outputs(g.tiles, first, count, m, lanes, m_step, bias, y, g.lanes, g.lanes, apart, relu)


cdef void transform_tiles(Sharing g, Py_ssize_t first, Py_ssize_t count, const float *x, float *common) noexcept nogil:
    """A strip of the tiles of a pass by lanes."""
    transform_inputs(g.tiles, first, count, x, g.channels, common, common + _up(g.channels) + first * g.depth,
                     g.tiles.count * g.depth + SPARE)


cdef void convolve_lanes(Sharing g, Py_ssize_t item, const float *common, const float *u, Filters filters,
                         const float *bias, float *y, float *work, Py_ssize_t apart, int relu) noexcept nogil:
    """All tiles of a part of the lanes."""
    cdef Py_ssize_t lane = item * g.part, lanes = min(g.part, g.lanes - lane), first = 0, count, c, some
    cdef Py_ssize_t depth = g.depth, m_step = g.tiles.block * g.part + SPARE
    cdef const float *v = common + _up(g.channels)
    cdef float *own
    if g.fresh:  # some channels of all tiles, so that their filters stay in the cache from the transform to the product
        m_step = g.tiles.count * g.part + SPARE
        own = work + _up(g.tiles.points * m_step)
        c = 0
        while c < depth:
            some = min(DEPTH, depth - c)
            filters.transform(c, some, lane, lanes, own, row_of(some))
            multiply(g, v + c, own, some, g.tiles.count, lanes, work, m_step, c > 0)
            c += some
        transform_outputs(g.tiles, 0, g.tiles.count, work, g.part, m_step, bias + lane, y + lane, g.lanes, lanes,
                          apart, relu)
        return
    u += g.tiles.points * lane * row_of(depth)
    while first < g.tiles.count:
        count = min(g.tiles.block, g.tiles.count - first)
        multiply(g, v + first * depth, u, depth, count, lanes, work, m_step, False)
        transform_outputs(g.tiles, first, count, work, g.part, m_step, bias + lane, y + lane, g.lanes, lanes, apart,
                          relu)
        first += g.tiles.block


cdef void multiply(Sharing g, const float *v, const float *u, Py_ssize_t depth, Py_ssize_t count, Py_ssize_t lanes,
                   float *m, Py_ssize_t m_step, bint add) noexcept nogil:
    """The products of a pass by lanes, one a point: m[:, :count, :lanes] (+)= v[:, :count, :depth] * u."""
    cdef Py_ssize_t v_step = g.tiles.count * g.depth + SPARE, points = g.tiles.points, row = row_of(depth)
    cdef Py_ssize_t p, done, width
    for p in range(points):
        done = 0
        while done < lanes:
            width = lane_block(lanes - done)
            product(width, count, v + p * v_step, g.depth, 1, u + (points * done + p * width) * row, width, depth,
                    m + p * m_step + done, g.part, add)
            done += width
