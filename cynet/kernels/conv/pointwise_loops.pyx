"""Both gradients of a 1x1 convolution in one walk over its pixels.

Design: apart, each of them reads dy, and where it has more channels than x that is most of what they read. Here a
chunk of tiles is a work item, as of the weight gradient (tiled_weight_loops.pyx), and each tile, which stays in
the cache, gives its dx before it adds to dw. All sums are added in the order that they have apart.
"""

from cython.parallel cimport parallel, prange, threadid

from cynet.kernels.common.turns cimport ItemTurns, share_out, take
from cynet.kernels.conv.lowering cimport Lowering
from cynet.kernels.conv.tiled_loops cimport convolve_tile
from cynet.kernels.conv.tiled_weight_loops cimport add_partials, add_tile, slices_of

from cynet.kernels.conv.tiled_weight_loops import partial_floats, scratch_floats


def gradients(
    Lowering g not None,                        # of the forward pass, in the weight gradient's tiles
    Lowering back not None,                     # of the input gradient, in the same tiles, without padding
    const float[:, :, :, ::1] source not None,  # in: (batch, height, width, channels), the forward pass's input
    const float[:, :, :, ::1] dy not None,      # in: (batch, height, width, out_channels)
    const float[::1] packed not None,           # in: (back.packed_floats,), filters as `pack` lays them
    const float[::1] zeros not None,            # in: (back.bias_floats,)
    float[:, :, :, ::1] dx not None,            # out: (batch, height, width, channels)
    float[:, :, :, ::1] dw not None,            # inout: (out_channels, channels, 1, 1), added to
    float[::1] partial not None,                # out: (partial_floats(g, chunks),)
    float[::1] scratch not None,                # out: at least (threads * scratch_floats(g),)
    Py_ssize_t chunks,                          # how often pixels are cut: a function of shapes alone
    int threads,
):
    """Write dx, and add to dw."""
    if g.tiles != back.tiles or back.band_floats or g.groups != 1:
        raise ValueError(f"back: wanted the {g.tiles} tiles of g, read in place, got {back.tiles}")
    if g.tiles == 0 or g.columns == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *d = &dy[0, 0, 0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &zeros[0]
    cdef float *out = &dx[0, 0, 0, 0]
    cdef float *sums = &partial[0]
    cdef float *target = &dw[0, 0, 0, 0]
    cdef float *work = &scratch[0] if scratch.shape[0] else NULL
    cdef Py_ssize_t chunk = 0, item, each = scratch_floats(g), slices = slices_of(g)
    cdef ItemTurns turns
    share_out(&turns, chunks, threads)
    with nogil, parallel(num_threads=threads):
        chunk = take(&turns, threadid())
        while chunk >= 0:
            walk(g, back, chunk, chunks, x, d, w, b, out, sums, work + threadid() * each)
            chunk = take(&turns, threadid())
    for item in prange(slices, nogil=True, num_threads=threads, schedule="static"):
        add_partials(g, item, slices, chunks, sums, target)


cdef void walk(Lowering g, Lowering back, Py_ssize_t chunk, Py_ssize_t chunks, const float *x, const float *dy,
               const float *packed, const float *zeros, float *dx, float *partial, float *scratch) noexcept nogil:
    """One chunk of tiles."""
    cdef Py_ssize_t tile, begin = g.tiles * chunk // chunks
    for tile in range(begin, g.tiles * (chunk + 1) // chunks):
        convolve_tile(back, tile, dy, packed, zeros, dx, NULL, 0, False)
        add_tile(g, tile, 0, 0, g.columns, x, dy, partial + chunk * g.packed_floats, scratch, tile == begin)
