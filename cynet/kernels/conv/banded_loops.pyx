"""A depth-wise convolution between two of 1x1, or before one, a band of rows at a time.

Design: such a block of layers widens images to several times their channels and narrows them again. Layer by layer,
what lies between leaves the nearest caches twice. Here a thread has some neighbouring rows of the output, and goes down
them in bands: the rows of pixels that a band is missing are widened, its rows of windows are written below them, and
are narrowed to the output's rows, all in scratch that stays in the cache. The last rows of a band are the first of the
next one: they are moved up, and only where a thread begins are rows made that its neighbour makes, too.

Every sum is the one of the layers by themselves, in its order: the same bytes.
"""

from cython.parallel cimport parallel, threadid
from libc.string cimport memmove

from cynet.kernels.common.turns cimport ItemTurns, share_out, take
from cynet.kernels.conv.depthwise_loops cimport NEAR, Axis, forward_axis, write_row
from cynet.kernels.conv.lowering cimport (
    Block, block_rows, block_rows_of, block_run, block_width, blocks_run,
)

cdef Py_ssize_t NOWHERE = 0  # where the one run of a 1x1 window's columns starts


cdef struct Pixelwise:                       # a convolution by filters of one pixel
    Py_ssize_t inputs, outputs
    const float *packed
    const float *bias
    int relu


cdef void write_pixels(const Pixelwise *f, Py_ssize_t pixels, const float *x, float *y) noexcept nogil:
    """That of pixels that lie side by side."""
    cdef Block block
    cdef Py_ssize_t channel = 0, width, height, blocks, p, r
    block.a_step = block.segments = 1
    block.steps, block.relu, block.ahead = f.inputs, f.relu, False
    block.a_off = block.b_off = &NOWHERE
    while channel < f.outputs:
        width = block_width(f.outputs - channel)
        height = block_rows(width)
        block.b, block.b_step = f.packed + channel * f.inputs, width
        block.lanes = f.outputs - channel
        blocks = pixels // height
        if blocks and block_rows_of(width, pixels - (blocks - 1) * height) < height:
            blocks -= 1  # the last pixels are better shared
        if blocks:
            block.a[0], block.c[0], block.init[0] = x, y + channel, f.bias + channel
            blocks_run(&block, width, blocks, f.inputs, f.outputs)
        p = blocks * height
        while p < pixels:
            height = block_rows_of(width, pixels - p)
            block.rows = min(height, pixels - p)
            for r in range(height):
                block.a[r] = x + (p + min(r, block.rows - 1)) * f.inputs
                block.c[r] = y + (p + min(r, block.rows - 1)) * f.outputs + channel
                block.init[r] = f.bias + channel
            block_run(&block, width, height)
            p += height
        channel += width


cdef class Bands:
    """How images are cut.

    Parameters
    ----------
    in_shape, out_shape : tuple of int
        (N, H, W, C) of the whole block's input and output.
    inner : int
        Channels between.
    kernel, stride, before : tuple of int
        Of the depth-wise convolution, (vertical, horizontal); before: the padding (top, left).
    widened : bool
        Whether a 1x1 convolution makes the channels between; else they are the input's.
    most : int
        Floats of a band, about.
    """

    cdef Axis v, h
    cdef readonly Py_ssize_t batch, inputs, inner, outputs
    cdef readonly bint widened
    cdef readonly Py_ssize_t rows            # of windows of a band
    cdef readonly Py_ssize_t pixel_rows      # and of pixels
    cdef readonly Py_ssize_t floats          # scratch of a thread

    def __cinit__(self, in_shape, out_shape, Py_ssize_t inner, kernel, stride, before, bint widened,
                  Py_ssize_t most):
        self.batch, height, width, self.inputs = in_shape
        _, out_h, out_w, self.outputs = out_shape
        self.v = forward_axis(height, out_h, kernel[0], stride[0], before[0])
        self.h = forward_axis(width, out_w, kernel[1], stride[1], before[1])
        self.inner, self.widened = inner, widened
        self.rows = out_h
        while self.rows > 1 and self._floats(self.rows) > most:
            self.rows -= 1
        self.pixel_rows = self._pixel_rows(self.rows)
        self.floats = self._floats(self.rows)

    cdef Py_ssize_t _pixel_rows(self, Py_ssize_t rows):
        return min(self.v.size, (rows - 1) * self.v.step + self.v.taps) if self.widened else 0

    cdef Py_ssize_t _floats(self, Py_ssize_t rows):
        return (self._pixel_rows(rows) * self.h.size + rows * self.h.windows) * self.inner


cdef class BandedPass:
    """The forward pass with arrays that stay; called with the input and, where one is added, the residual.

    Parameters
    ----------
    bands : Bands
    wide : (float32 (inputs * lanes,), float32 (lanes,)) or None
        Filters and bias of the 1x1 convolution before, as `tiled_loops.pack` and the bias are laid.
    taps : (float32 (taps, inner), float32 (inner,))
        Of the depth-wise one.
    narrow : (float32 (inner * lanes,), float32 (lanes,))
        Of the 1x1 convolution behind.
    relus : tuple of int
        Of the three: 0, 1: at least 0 is written, 6: and at most 6.
    y : float32 (N, out_h, out_w, outputs)
        Written.
    scratch : float32, at least (threads * bands.floats,)
        Written.
    parts : int
        Into which the rows of an image are cut.
    threads : int
    """

    cdef Bands g
    cdef Pixelwise wide, narrow
    cdef const float *taps
    cdef const float *bias
    cdef int relu
    cdef float[:, :, :, ::1] y
    cdef float[::1] scratch
    cdef int threads
    cdef Py_ssize_t parts                    # of an image's rows of windows
    cdef tuple arrays                        # that the pointers lead to

    def __init__(self, Bands bands not None, wide, taps not None, narrow not None, relus,
                 float[:, :, :, ::1] y not None, float[::1] scratch not None, Py_ssize_t parts,
                 int threads):
        cdef const float[:, ::1] filters = taps[0]
        cdef const float[::1] bias = taps[1]
        self.g, self.y, self.scratch, self.threads = bands, y, scratch, threads
        self.wide.relu, self.relu, self.narrow.relu = relus
        self.arrays = (wide, taps, narrow)
        if wide is not None:
            set_filters(&self.wide, bands.inputs, bands.inner, wide[0], wide[1])
        set_filters(&self.narrow, bands.inner, bands.outputs, narrow[0], narrow[1])
        self.taps, self.bias = &filters[0, 0], &bias[0]
        self.parts = parts

    def __call__(self, const float[:, :, :, ::1] x not None, const float[:, :, :, ::1] residual=None):
        cdef Py_ssize_t item = 0, items = self.g.batch * self.parts
        cdef ItemTurns turns
        if items == 0:
            return
        cdef const float *source = &x[0, 0, 0, 0]
        cdef const float *added = NULL
        if residual is not None:
            added = &residual[0, 0, 0, 0]
        cdef float *bands = &self.scratch[0]
        if self.threads == 1:
            for item in range(items):
                self.walk(item, source, added, bands)
            return
        share_out(&turns, items, self.threads)
        with nogil, parallel(num_threads=self.threads):
            item = take(&turns, threadid())
            while item >= 0:
                self.walk(item, source, added, bands + threadid() * self.g.floats)
                item = take(&turns, threadid())

    cdef void walk(self, Py_ssize_t item, const float *x, const float *added, float *band) noexcept nogil:
        """A part of an image's rows of windows, band by band."""
        cdef const Axis *v = &self.g.v
        cdef const Axis *h = &self.g.h
        cdef Py_ssize_t image = item // self.parts, part = item % self.parts, inner = self.g.inner, row, r, stop, i
        cdef Py_ssize_t line = h.size * inner, out_line = h.windows * inner, y_line = h.windows * self.g.outputs
        cdef Py_ssize_t last = v.windows * (part + 1) // self.parts, begin, end, first = 0, there = 0
        cdef float *below = band + self.g.pixel_rows * line
        cdef float *y = &self.y[0, 0, 0, 0] + image * v.windows * y_line
        cdef const float *pixels
        x += image * v.size * h.size * self.g.inputs
        if added != NULL:
            added += image * v.windows * y_line
        row = v.windows * part // self.parts
        while row < last:
            stop = min(row + self.g.rows, last)
            pixels = x
            if self.g.widened:
                begin = min(v.size, max(0, row * v.step + v.start))
                end = max(begin, min(v.size, (stop - 1) * v.step + v.start + v.taps))
                if first < begin < there:  # the band has rows first ... there - 1
                    memmove(band, band + (begin - first) * line, (there - begin) * line * sizeof(float))
                first, there = begin, max(begin, there)
                if there < end:
                    write_pixels(&self.wide, (end - there) * h.size, x + there * h.size * self.g.inputs,
                                 band + (there - first) * line)
                    there = end
                pixels = band - first * line
            for r in range(row, stop):
                write_row(v, h, r, pixels, self.taps, h.taps, self.bias, inner, self.relu, NEAR,
                          below + (r - row) * out_line)
            write_pixels(&self.narrow, (stop - row) * h.windows, below, y + row * y_line)
            if added != NULL:
                for i in range(row * y_line, stop * y_line):
                    y[i] += added[i]
            row = stop


cdef int set_filters(Pixelwise *f, Py_ssize_t inputs, Py_ssize_t outputs, const float[::1] packed,
                     const float[::1] bias) except -1:
    f.inputs, f.outputs, f.packed, f.bias = inputs, outputs, &packed[0], &bias[0]
