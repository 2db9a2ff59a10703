"""3x3 convolution with stride 1 by Winograd's F(4x4, 3x3): a quarter of the multiplications; see winograd.h.

Design: the output is cut into tiles of 4x4 pixels, the tiles into blocks. For a block of tiles

    v[p, tile, c] = the 6x6 inputs of each tile, transformed            (36 points p)
    m[p, tile, o] = sum over channels c of v[p, tile, c] * u[p, c, o]   (u: the transformed filters)
    y             = each tile's m, transformed back

and v and m stay in the cache. The input gradient is the same over dy with flipped filters. For the weight
gradient the products run over tiles, du[p, c, o] = sum over tiles of v[p, tile, c] * e[p, tile, o], e the
transformed dy; its work items are chunks of tiles x blocks of channels, each with its own du, which are added in
order and transformed back to 3x3. Items depend on the shape alone: the same bytes for any number of threads.

Channels are multiples of 8 throughout.
"""

from cython.parallel cimport prange, threadid
from libc.string cimport memset

cdef extern from "winograd.h":
    enum: _POINTS "POINTS"
    void winograd_input(const float **pixel, const float **next, float *v, Py_ssize_t step, Py_ssize_t channels) noexcept nogil
    void winograd_gradient(const float **pixel, const float **next, float *v, Py_ssize_t step, Py_ssize_t channels) noexcept nogil
    void winograd_output(const float *m, Py_ssize_t step, const float *bias, float **pixel,
                         float **next, Py_ssize_t channels, Py_ssize_t apart, bint relu) noexcept nogil
    void winograd_filter_8(const float *w, const Py_ssize_t *tap, Py_ssize_t lane, Py_ssize_t lanes, float *u,
                           Py_ssize_t step) noexcept nogil
    void winograd_filter_adjoint_8(const float *u, Py_ssize_t step, Py_ssize_t chunks, Py_ssize_t apart,
                                   float *dw, Py_ssize_t lane) noexcept nogil

cdef extern from "product.h":
    enum: _LANES "PRODUCT_LANES"
    Py_ssize_t product_width(Py_ssize_t lanes) noexcept nogil
    void product(Py_ssize_t width, Py_ssize_t rows, const float *a, Py_ssize_t a_row, Py_ssize_t a_step,
                 const float *b, Py_ssize_t b_step, Py_ssize_t steps, float *c, Py_ssize_t c_row,
                 bint add) noexcept nogil

cdef enum:
    TILE = 4  # pixels of a tile's side
    SPARE = 16  # floats between the points of a block: a power of two would make them meet in one cache set

LANES, SIDE = _LANES, TILE  # channels in and out are a multiple of LANES


cpdef Py_ssize_t tile_count(Py_ssize_t batch, hw) except -1:
    """The tiles of `batch` images of (height, width) output pixels."""
    cdef Py_ssize_t height, width
    height, width = hw
    return batch * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE)


def filter_floats(Py_ssize_t lanes, Py_ssize_t channels):
    """The floats of transformed filters."""
    return _POINTS * lanes * channels


def partial_floats(Py_ssize_t chunks, Py_ssize_t channels, Py_ssize_t lanes):
    """The floats of the partial sums of `weight_gradient`."""
    return chunks * _POINTS * channels * lanes


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

    cdef readonly Py_ssize_t batch, height, width, out_h, out_w, top, left, block
    cdef readonly Py_ssize_t down, across, count, blocks

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


def transform_filters(
    const float[:, :, :, ::1] w not None,   # in: (out_channels, in_channels, 3, 3)
    float[::1] u not None,                  # out: (filter_floats(out_channels, in_channels),)
    bint transposed,                        # lanes are input channels, taps flipped: for the input gradient
    int threads,
):
    """The filters as the 36 products read them: u[p], block of lanes after block, each (channels, width)."""
    cdef Py_ssize_t lanes = w.shape[0], channels = w.shape[1], lane = 9 * channels, channel = 9, c, t
    cdef Py_ssize_t[9] tap
    for t in range(9):
        tap[t] = 8 - t if transposed else t
    if transposed:
        lanes, channels, lane, channel = channels, lanes, channel, lane
    cdef const float *source = &w[0, 0, 0, 0]
    cdef float *target = &u[0]
    cdef const Py_ssize_t *taps = tap
    cdef int team = threads if channels * lanes > 1024 else 1
    for c in prange(channels, nogil=True, num_threads=team, schedule="static"):
        transform_channel(source + c * channel, taps, lane, lanes, channels, c, target)


cdef void transform_channel(const float *w, const Py_ssize_t *tap, Py_ssize_t lane, Py_ssize_t lanes,
                            Py_ssize_t channels, Py_ssize_t c, float *u) noexcept nogil:
    cdef Py_ssize_t done = 0, width, part
    while done < lanes:
        width = product_width(lanes - done)
        for part in range(0, width, 8):
            winograd_filter_8(w + (done + part) * lane, tap, lane, 8,
                              u + done * channels + c * width + part, channels * lanes)
        done += width


def scratch_floats(Tiles g not None, Py_ssize_t channels, Py_ssize_t lanes):
    """The floats of scratch that `convolve` needs for each thread."""
    return (_POINTS * (g.block * (channels + product_width(lanes)) + 2 * SPARE) + channels + 63) // 64 * 64


def convolve(
    Tiles g not None,
    const float[:, :, :, ::1] source not None,      # in: (batch, height, width, channels)
    const float[::1] u not None,                    # in: (filter_floats(lanes, channels),), as transformed
    const float[::1] bias not None,                 # in: (lanes,)
    float[:, :, :, ::1] out not None,               # out: (batch, out_h, out_w, lanes)
    float[::1] scratch not None,                    # out: (threads * scratch_floats(g, channels, lanes),)
    bint relu,
    const float[:, :, :, ::1] residual not None,    # in: of the shape of out, added before the ReLU; or empty
    int threads,
):
    """out = the convolution of `source` with the transformed filters, plus bias; with `relu`, at least 0."""
    run(g, source, u, bias, out, scratch, relu, residual, threads)


cdef int run(Tiles g, const float[:, :, :, ::1] source, const float[::1] u, const float[::1] bias,
             float[:, :, :, ::1] out, float[::1] scratch, bint relu, const float[:, :, :, ::1] residual,
             int threads) except -1:
    cdef Py_ssize_t channels = source.shape[3], lanes = out.shape[3], item, apart = 0
    cdef Py_ssize_t each = scratch_floats(g, channels, lanes)
    if g.count == 0:
        return 0
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = &u[0]
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *work = &scratch[0]
    if residual.shape[0]:
        apart = &residual[0, 0, 0, 0] - y
    if threads == 1:
        for item in range(g.blocks):
            convolve_block(g, item, x, channels, w, b, y, lanes, work, apart, relu)
        return 0
    for item in prange(g.blocks, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        convolve_block(g, item, x, channels, w, b, y, lanes, work + threadid() * each, apart, relu)


cdef class WinogradPass:
    """`convolve` with arrays that stay, so that a pass need not look at them; called with the source and, if there
    is one, the residual."""

    cdef Tiles g
    cdef const float[::1] u, bias
    cdef float[:, :, :, ::1] out
    cdef float[::1] scratch
    cdef const float[:, :, :, ::1] nothing
    cdef bint relu
    cdef int threads

    def __init__(self, Tiles g not None, const float[::1] u not None, const float[::1] bias not None,
                 float[:, :, :, ::1] out not None, float[::1] scratch not None, bint relu,
                 const float[:, :, :, ::1] nothing not None, int threads):
        self.g, self.u, self.bias, self.out, self.scratch = g, u, bias, out, scratch
        self.relu, self.nothing, self.threads = relu, nothing, threads

    def __call__(self, const float[:, :, :, ::1] source not None, residual=None):
        cdef const float[:, :, :, ::1] added = self.nothing
        if residual is not None:
            added = residual
        run(self.g, source, self.u, self.bias, self.out, self.scratch, self.relu, added, self.threads)


cdef void convolve_block(Tiles g, Py_ssize_t item, const float *x, Py_ssize_t channels, const float *u,
                         const float *bias, float *y, Py_ssize_t lanes, float *work, Py_ssize_t apart,
                         bint relu) noexcept nogil:
    cdef Py_ssize_t first = item * g.block, tiles = min(g.block, g.count - first), t, p, done = 0, width
    cdef Py_ssize_t v_step = g.block * channels + SPARE, m_step
    cdef float *zeros = work
    cdef float *v = zeros + channels
    cdef float *m = v + _POINTS * v_step
    cdef const float *pixel[2][_POINTS]
    memset(zeros, 0, channels * sizeof(float))
    g.inputs(first, x, channels, zeros, pixel[0])
    for t in range(tiles):
        g.inputs(min(first + t + 1, g.count - 1), x, channels, zeros, pixel[(t + 1) % 2])
        winograd_input(pixel[t % 2], pixel[(t + 1) % 2], v + t * channels, v_step, channels)
    while done < lanes:
        width = product_width(lanes - done)
        m_step = g.block * width + SPARE
        for p in range(_POINTS):
            product(width, tiles, v + p * v_step, channels, 1, u + p * channels * lanes + done * channels, width,
                    channels, m + p * m_step, width, False)
        g.outputs(first, y + done, lanes, NULL, pixel[0])
        for t in range(tiles):
            g.outputs(min(first + t + 1, g.count - 1), y + done, lanes, NULL, pixel[(t + 1) % 2])
            winograd_output(m + t * width, m_step, bias + done, <float **>pixel[t % 2],
                            <float **>pixel[(t + 1) % 2], width, apart, relu)
        done += width


def gradient_scratch_floats(Tiles g not None, Py_ssize_t channels, Py_ssize_t lanes):
    """The floats of scratch that `weight_gradient` needs for each thread."""
    return (_POINTS * (g.block * (channels + lanes) + 2 * SPARE) + channels + lanes + 63) // 64 * 64


def weight_gradient(
    Tiles g not None,                                   # of the forward pass
    const float[:, :, :, ::1] source not None,          # in: (batch, height, width, channels), its input
    const float[:, :, :, ::1] dy not None,              # in: (batch, out_h, out_w, lanes)
    float[:, :, :, ::1] dw not None,                    # inout: (lanes, channels, 3, 3), added to
    float[::1] partial not None,                        # out: (partial_floats(chunks, channels, lanes),)
    float[::1] scratch not None,                        # out: threads times `gradient_scratch_floats` of the last two
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
    cdef float *sums = &partial[0]
    cdef float *target = &dw[0, 0, 0, 0]
    cdef float *work = &scratch[0]
    for item in prange(items, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        sum_chunk(g, item, chunks, x, channels, most_channels, d, lanes, most_lanes, sums,
                  work + threadid() * each)
    for item in prange(channels, nogil=True, num_threads=threads, schedule="static"):
        add_partials(item, chunks, channels, most_channels, lanes, most_lanes, sums, target)


cdef void sum_chunk(Tiles g, Py_ssize_t item, Py_ssize_t chunks, const float *x, Py_ssize_t channels,
                    Py_ssize_t own_channels, const float *dy, Py_ssize_t lanes, Py_ssize_t own_lanes,
                    float *partial, float *work) noexcept nogil:
    """One chunk of tiles, one block of channels and lanes; item = (block of channels, of lanes, chunk)."""
    cdef Py_ssize_t chunk = item % chunks, column = item // chunks % (lanes // own_lanes)
    cdef Py_ssize_t row = item // chunks // (lanes // own_lanes)
    cdef Py_ssize_t v_step = g.block * own_channels + SPARE, e_step = g.block * own_lanes + SPARE
    cdef Py_ssize_t begin = g.blocks * chunk // chunks, block, first, tiles, t, p, done, width, after
    cdef float *zeros = work
    cdef float *v = zeros + max(own_channels, own_lanes)
    cdef float *e = v + _POINTS * v_step
    cdef float *sums = partial + item * _POINTS * own_channels * own_lanes
    cdef const float *pixel[2][_POINTS]
    cdef const float *output[2][_POINTS]
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
        for p in range(_POINTS):
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
        sums = partial + items * _POINTS * size + c % own_channels * own_lanes + lane % own_lanes
        winograd_filter_adjoint_8(sums, size, chunks, _POINTS * size, dw + (lane * channels + c) * 9,
                                  9 * channels)
