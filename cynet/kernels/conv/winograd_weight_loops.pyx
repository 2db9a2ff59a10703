"""The weight gradient of Winograd's algorithm; see winograd_loops.pyx.

Design: du[p, k, o] = sum over tiles of v[p, tile, k] * e[p, tile, o] for each of the points p, v the transformed
input (k: a channel of a piece) and e the transformed dy, and dw is du, transformed back to the piece's taps. Work
items are chunks of tiles x blocks of a piece's channels x blocks of lanes, each with its own du. Where tiles are few
or blocks many there is one chunk: an item transforms its du back itself, while that is in the cache. Else the chunks'
are added in order at the end. Items depend on the shape alone: the same bytes for any number of threads.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

from cynet.core.workspace cimport empty
from cynet.kernels.common.ahead cimport Share, fetch_read
from cynet.kernels.common.turns cimport ItemTurns, share_out, take

from .winograd_tiles cimport (
    SPARE, Strip, TilePlace, Tiles, lane_block, lanes_of_blocks, product, winograd_filter_adjoint, winograd_gradient,
    winograd_input,
)


cdef struct GradientCut:
    # How channels and lanes are cut into blocks.
    Py_ssize_t chunks, channels, lanes
    Py_ssize_t rows, width          # channels and lanes of a block: rows by eights, as of `width` floats each
    Py_ssize_t own_lanes            # of a block, without those of zeros
    Py_ssize_t down, across         # blocks of a piece's channels, and of lanes
    Py_ssize_t size                 # floats of a point's sums


cdef struct GradientItem:
    # Of one work item.
    Py_ssize_t chunk, piece, channel, channels, lane, lanes


cdef GradientItem item_of(GradientCut cut, Py_ssize_t item) noexcept nogil:
    """Of item = (piece, block of channels, of lanes, chunk)."""
    cdef GradientItem b
    cdef Py_ssize_t row = item // cut.chunks // cut.across
    b.chunk, b.piece = item % cut.chunks, row // cut.down
    b.channel, b.lane = row % cut.down * cut.rows, item // cut.chunks % cut.across * cut.own_lanes
    b.channels, b.lanes = min(cut.rows, cut.channels - b.channel), min(cut.own_lanes, cut.lanes - b.lane)
    return b


def weight_gradient(
    Tiles g not None,                                   # of the forward pass
    const float[:, :, :, ::1] source not None,          # in: (batch, height, width, channels), its input
    const float[:, :, :, ::1] dy not None,              # in: (batch, out_h, out_w, lanes)
    float[:, :, :, ::1] dw not None,                    # inout: (lanes, channels, height, width), added to
    Py_ssize_t chunks,                                  # how often the blocks of tiles are cut
    Py_ssize_t most_channels, Py_ssize_t most_lanes,    # what an item takes, by eights
    int threads,
):
    """Add the gradient of the loss with respect to the filters to dw."""
    cdef GradientCut cut
    cdef ItemTurns turns
    if g.count == 0:
        return
    cut.chunks, cut.channels, cut.lanes = chunks, source.shape[3], dy.shape[3]
    cut.rows, cut.own_lanes, cut.width = most_channels, most_lanes, lanes_of_blocks(most_lanes)
    cut.down = (cut.channels + most_channels - 1) // most_channels
    cut.across = (cut.lanes + most_lanes - 1) // most_lanes
    cut.size = cut.rows * cut.width + SPARE
    cdef Py_ssize_t blocks = g.pieces * cut.down * cut.across, item = 0, items = chunks * blocks
    cdef Py_ssize_t each = g.points * (g.block * (cut.rows + cut.width) + 2 * SPARE) + cut.rows + cut.width
    cdef Py_ssize_t size = g.points * cut.size, plane = dw.shape[2] * dw.shape[3]
    each = (each + 63) // 64 * 64
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *d = &dy[0, 0, 0, 0]
    cdef float[::1] partial = empty((size * (threads if chunks == 1 else items),))
    cdef float[::1] scratch = empty((threads * each,))
    cdef float *sums = &partial[0]
    cdef float *target = &dw[0, 0, 0, 0]
    cdef float *work = &scratch[0]
    if chunks == 1:
        share_out(&turns, items, threads)
        with nogil, parallel(num_threads=threads):
            item = take(&turns, threadid())
            while item >= 0:
                finish_item(g, cut, item, x, d, sums + threadid() * size, work + threadid() * each, target, plane)
                item = take(&turns, threadid())
        return
    share_out(&turns, items, threads)
    with nogil, parallel(num_threads=threads):
        item = take(&turns, threadid())
        while item >= 0:
            item = item % blocks * chunks + item // blocks  # all blocks of a chunk, then the next one
            sum_chunk(g, cut, item, x, d, sums + item * size, work + threadid() * each)
            item = take(&turns, threadid())
    for item in prange(blocks * cut.rows, nogil=True, num_threads=threads, schedule="static"):
        add_row(g, cut, item // cut.rows * chunks, item % cut.rows, sums + item // cut.rows * chunks * size, target,
                plane)


cdef void finish_item(Tiles g, GradientCut cut, Py_ssize_t item, const float *x, const float *dy, float *sums,
                      float *work, float *dw, Py_ssize_t plane) noexcept nogil:
    """One block of channels and lanes over all tiles, added to dw."""
    cdef Py_ssize_t c
    sum_chunk(g, cut, item, x, dy, sums, work)
    for c in range(cut.rows):
        add_row(g, cut, item, c, sums, dw, plane)


cdef void sum_chunk(Tiles g, GradientCut cut, Py_ssize_t item, const float *x, const float *dy, float *sums,
                    float *work) noexcept nogil:
    """One chunk of tiles, one block of a piece's channels and lanes."""
    cdef GradientItem own = item_of(cut, item)
    cdef TilePlace at
    cdef Share coming, beside
    cdef bint alone = g.pieces * cut.down * cut.across == 1  # nobody else reads what the next block needs
    cdef Py_ssize_t v_step = g.block * cut.rows + SPARE, e_step = g.block * cut.width + SPARE
    cdef Py_ssize_t begin = g.blocks * own.chunk // cut.chunks, block, first, tiles, t, p, done, width
    cdef Py_ssize_t rows = (own.channels + 7) // 8 * 8
    cdef float *zeros = work
    cdef float *v = zeros + cut.rows + cut.width
    cdef float *e = v + g.points * v_step
    cdef Strip strip
    cdef Py_ssize_t some
    memset(zeros, 0, (cut.rows + cut.width) * sizeof(float))
    if lanes_of_blocks(own.lanes) > (own.lanes + 7) // 8 * 8:  # lanes that no transform writes, and a product reads
        memset(e, 0, g.points * e_step * sizeof(float))
    x += own.channel
    dy += own.lane
    for block in range(begin, g.blocks * (own.chunk + 1) // cut.chunks):
        first = block * g.block
        tiles = min(g.block, g.count - first)
        at = g.place(first)
        t = 0
        while t < tiles:
            some = g.run(&at, tiles - t)
            g.inputs(&at, some, own.piece, x, cut.channels, zeros, &strip)
            winograd_input(g.side, &strip, v + t * cut.rows, cut.rows, v_step, own.channels)
            g.outputs(&at, some, dy, cut.lanes, zeros, &strip)
            winograd_gradient(g.side, &strip, e + t * cut.width, cut.width, e_step, own.lanes)
            g.step(&at, some)
            t += some
        coming = g.inputs_of(block + 1 if alone else g.blocks, x, cut.channels)
        beside = g.outputs_of(block + 1 if alone else g.blocks, dy, cut.lanes)
        for p in range(g.points):
            fetch_read(coming, p, g.points)
            fetch_read(beside, p, g.points)
            done = 0
            while done < own.lanes:
                width = lane_block(own.lanes - done)
                product(width, rows, v + p * v_step, 1, cut.rows, e + p * e_step + done, cut.width, tiles,
                        sums + p * cut.size + done, cut.width, block > begin)
                done += width


cdef void add_row(Tiles g, GradientCut cut, Py_ssize_t item, Py_ssize_t c, const float *sums, float *dw,
                  Py_ssize_t plane) noexcept nogil:
    """Add the chunks' partial sums for a block's c-th channel, in order, to dw."""
    cdef GradientItem own = item_of(cut, item)
    cdef Py_ssize_t lane = 0, channel = own.channel + c
    if c >= own.channels:
        return
    while lane < own.lanes:
        lane += winograd_filter_adjoint(g.side, sums + c * cut.width + lane, cut.size, cut.chunks, g.points * cut.size,
                                        dw + ((own.lane + lane) * cut.channels + channel) * plane,
                                        g.taps_of(own.piece), plane * cut.channels, own.lanes - lane)
