"""The weight gradient of Winograd's algorithm; see winograd_loops.pyx.

Design: du[p, c, o] = sum over tiles of v[p, tile, c] * e[p, tile, o] for each of the 36 points p, v the
transformed input and e the transformed dy, and dw is du, transformed back to 3x3. Work items are chunks of tiles x
blocks of channels x blocks of lanes, each with its own du. Where tiles are few or blocks many there is one chunk: an
item transforms its du back itself, while that is in the cache. Else the chunks' are added in order at the end. Items
depend on the shape alone: the same bytes for any number of threads.
"""

from cython.parallel cimport prange, threadid
from libc.string cimport memset

from cynet.core.workspace cimport empty

from .winograd_tiles cimport (
    POINTS, SPARE, Tiles, product, product_width, winograd_filter_adjoint_8, winograd_gradient, winograd_input,
)


cdef Py_ssize_t partial_floats(Py_ssize_t chunks, Py_ssize_t channels, Py_ssize_t lanes, Py_ssize_t most_channels,
                               Py_ssize_t most_lanes, int threads) noexcept:
    """The floats of the partial sums of `weight_gradient`, of each item or, of one chunk, of each thread."""
    return POINTS * (threads * most_channels * most_lanes if chunks == 1 else chunks * channels * lanes)


cdef Py_ssize_t gradient_scratch_floats(Tiles g, Py_ssize_t channels, Py_ssize_t lanes) noexcept:
    """The floats of scratch that `weight_gradient` needs for each thread."""
    return (POINTS * (g.block * (channels + lanes) + 2 * SPARE) + channels + lanes + 63) // 64 * 64


def weight_gradient(
    Tiles g not None,                                   # of the forward pass
    const float[:, :, :, ::1] source not None,          # in: (batch, height, width, channels), its input
    const float[:, :, :, ::1] dy not None,              # in: (batch, out_h, out_w, lanes)
    float[:, :, :, ::1] dw not None,                    # inout: (lanes, channels, 3, 3), added to
    Py_ssize_t chunks,                                  # how often the blocks of tiles are cut
    Py_ssize_t most_channels, Py_ssize_t most_lanes,    # what an item takes; they divide those of the arrays
    int threads,
):
    """Add the gradient of the loss with respect to the filters to dw."""
    cdef Py_ssize_t channels = source.shape[3], lanes = dy.shape[3], item
    cdef Py_ssize_t items = chunks * (channels // most_channels) * (lanes // most_lanes)
    cdef Py_ssize_t each = gradient_scratch_floats(g, most_channels, most_lanes)
    if g.count == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *d = &dy[0, 0, 0, 0]
    cdef float[::1] partial = empty((partial_floats(chunks, channels, lanes, most_channels, most_lanes, threads),))
    cdef float[::1] scratch = empty((threads * each,))
    cdef float *sums = &partial[0]
    cdef float *target = &dw[0, 0, 0, 0]
    cdef float *work = &scratch[0]
    cdef Py_ssize_t size = POINTS * most_channels * most_lanes
    if chunks == 1:
        for item in prange(items, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
            finish_item(g, item, x, channels, most_channels, d, lanes, most_lanes, sums + threadid() * size,
                        work + threadid() * each, target)
        return
    for item in prange(items, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        sum_chunk(g, item, chunks, x, channels, most_channels, d, lanes, most_lanes, sums + item * size,
                  work + threadid() * each)
    for item in prange(channels, nogil=True, num_threads=threads, schedule="static"):
        add_partials(item, chunks, channels, most_channels, lanes, most_lanes, sums, target)


cdef void finish_item(Tiles g, Py_ssize_t item, const float *x, Py_ssize_t channels, Py_ssize_t own_channels,
                      const float *dy, Py_ssize_t lanes, Py_ssize_t own_lanes, float *sums, float *work,
                      float *dw) noexcept nogil:
    """One block of channels and lanes over all tiles, added to dw."""
    cdef Py_ssize_t across = lanes // own_lanes, c, lane
    sum_chunk(g, item, 1, x, channels, own_channels, dy, lanes, own_lanes, sums, work)
    dw += (item % across * own_lanes * channels + item // across * own_channels) * 9
    for lane in range(0, own_lanes, 8):
        for c in range(own_channels):
            winograd_filter_adjoint_8(sums + c * own_lanes + lane, own_channels * own_lanes, 1, 0,
                                      dw + (lane * channels + c) * 9, 9 * channels)


cdef void sum_chunk(Tiles g, Py_ssize_t item, Py_ssize_t chunks, const float *x, Py_ssize_t channels,
                    Py_ssize_t own_channels, const float *dy, Py_ssize_t lanes, Py_ssize_t own_lanes,
                    float *sums, float *work) noexcept nogil:
    """One chunk of tiles, one block of channels and lanes; item = (block of channels, of lanes, chunk)."""
    cdef Py_ssize_t chunk = item % chunks, column = item // chunks % (lanes // own_lanes)
    cdef Py_ssize_t row = item // chunks // (lanes // own_lanes)
    cdef Py_ssize_t v_step = g.block * own_channels + SPARE, e_step = g.block * own_lanes + SPARE
    cdef Py_ssize_t begin = g.blocks * chunk // chunks, block, first, tiles, t, p, done, width, after
    cdef float *zeros = work
    cdef float *v = zeros + max(own_channels, own_lanes)
    cdef float *e = v + POINTS * v_step
    cdef const float *pixel[2][POINTS]
    cdef const float *output[2][POINTS]
    memset(zeros, 0, max(own_channels, own_lanes) * sizeof(float))
    x += row * own_channels
    dy += column * own_lanes
    for block in range(begin, g.blocks * (chunk + 1) // chunks):
        first = block * g.block
        tiles = min(g.block, g.count - first)
        g.inputs(first, x, channels, zeros, pixel[0])
        g.outputs(first, dy, lanes, zeros, output[0])
        for t in range(tiles):
            after = min(first + t + 1, g.count - 1)
            g.inputs(after, x, channels, zeros, pixel[(t + 1) % 2])
            winograd_input(pixel[t % 2], pixel[(t + 1) % 2], v + t * own_channels, v_step, own_channels)
            g.outputs(after, dy, lanes, zeros, output[(t + 1) % 2])
            winograd_gradient(output[t % 2], output[(t + 1) % 2], e + t * own_lanes, e_step, own_lanes)
        for p in range(POINTS):
            done = 0
            while done < own_lanes:
                width = product_width(own_lanes - done)
                product(width, own_channels, v + p * v_step, 1, own_channels, e + p * e_step + done, own_lanes,
                        tiles, sums + p * own_channels * own_lanes + done, own_lanes, block > begin)
                done += width


cdef void add_partials(Py_ssize_t c, Py_ssize_t chunks, Py_ssize_t channels, Py_ssize_t own_channels,
                       Py_ssize_t lanes, Py_ssize_t own_lanes, const float *partial, float *dw) noexcept nogil:
    """Add the chunks' partial sums for channel c, in order, to dw."""
    cdef Py_ssize_t size = own_channels * own_lanes, lane, items
    cdef const float *sums
    for lane in range(0, lanes, 8):
        items = (c // own_channels * (lanes // own_lanes) + lane // own_lanes) * chunks
        sums = partial + items * POINTS * size + c % own_channels * own_lanes + lane % own_lanes
        winograd_filter_adjoint_8(sums, size, chunks, POINTS * size, dw + (lane * channels + c) * 9,
                                  9 * channels)
