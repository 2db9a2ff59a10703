"""Linear layers with few outputs, as a classifier's last: y = x W^T + b and its gradients.

Design: no operand is copied but the small W. Forward, lanes are outputs, and W is laid out for them; backward,
lanes are features, as dx, dW and W lie in memory. Where `Flatten` stands before the layer, its (C, H, W) order
of features becomes an order of W's columns here, and x stays (H, W, C): `pixels` is H * W, 1 without.
"""

from cython.parallel cimport prange

cdef extern from "product.h" nogil:
    enum: _LANES "PRODUCT_LANES"
    Py_ssize_t product_width(Py_ssize_t lanes)
    void product(Py_ssize_t width, Py_ssize_t rows, const float *a, Py_ssize_t a_row, Py_ssize_t a_step,
                 const float *b, Py_ssize_t b_step, Py_ssize_t steps, float *c, Py_ssize_t c_row, int add)

cdef enum:
    ROWS = 16       # of a work item
    MOST = 32       # outputs
    BAND = 512      # rows that are summed at a time: their features of a block stay in the cache
    PART = 128      # features that are summed at a time: the error grows with the root of fewer terms

MOST_OUTPUTS = MOST
LANES = _LANES  # of which features are a multiple


cdef inline Py_ssize_t padded(Py_ssize_t outputs) noexcept nogil:
    return (outputs + _LANES - 1) // _LANES * _LANES


def packed_floats(Py_ssize_t features, Py_ssize_t outputs):
    """The floats of W as `forward` lays it out."""
    return features * padded(outputs)


def scratch_floats(Py_ssize_t features, Py_ssize_t outputs, Py_ssize_t pixels):
    """The floats of scratch that the gradients need."""
    return outputs * features if pixels > 1 else 0


cdef void by_pixel(const float *w, float *out, Py_ssize_t features, Py_ssize_t pixels) noexcept nogil:
    """One row of W in the order of pixels: out[p * channels + c] = w[c * pixels + p]."""
    cdef Py_ssize_t channels = features // pixels, p, c
    for p in range(pixels):
        for c in range(channels):
            out[p * channels + c] = w[c * pixels + p]


cdef void add_by_channel(const float *sums, float *dw, Py_ssize_t features, Py_ssize_t pixels) noexcept nogil:
    """The way back, added."""
    cdef Py_ssize_t channels = features // pixels, p, c
    for c in range(channels):
        for p in range(pixels):
            dw[c * pixels + p] += sums[p * channels + c]


def forward(
    const float[:, ::1] x not None,     # in: (rows, features)
    const float[:, ::1] w not None,     # in: (outputs, features), at most MOST_OUTPUTS outputs
    const float[::1] bias not None,     # in: (outputs,)
    float[:, ::1] y not None,           # out: (rows, outputs)
    float[::1] packed not None,         # out: (packed_floats(features, outputs),)
    Py_ssize_t pixels,                  # of the image that a row of x is, channels last, W counting by channel; else 1
    int threads,
):
    """y = x W^T + b."""
    cdef Py_ssize_t rows = x.shape[0], features = x.shape[1], outputs = w.shape[0], lanes = padded(outputs)
    cdef Py_ssize_t channels = features // pixels, done = 0, width, c, p, o, i
    cdef float *column
    if rows == 0:
        return
    cdef const float *source = &w[0, 0]
    cdef float *target = &packed[0]
    while done < lanes:
        width = product_width(lanes - done)
        for c in range(channels):
            for p in range(pixels):
                column = target + (p * channels + c) * width
                for o in range(min(width, outputs - done)):
                    column[o] = source[(done + o) * features + c * pixels + p]
                for o in range(outputs - done, width):
                    column[o] = 0
        target += width * features
        done += width
    cdef const float *px = &x[0, 0]
    cdef const float *pw = &packed[0]
    cdef const float *pb = &bias[0]
    cdef float *py = &y[0, 0]
    for i in prange((rows + ROWS - 1) // ROWS, nogil=True, num_threads=threads, schedule="static"):
        forward_rows(px + i * ROWS * features, pw, pb, py + i * ROWS * outputs, min(ROWS, rows - i * ROWS),
                     features, outputs)


cdef void forward_rows(const float *x, const float *packed, const float *bias, float *y, Py_ssize_t rows,
                       Py_ssize_t features, Py_ssize_t outputs) noexcept nogil:
    cdef float[ROWS * MOST] sums
    cdef float[ROWS * MOST] part
    cdef Py_ssize_t lanes = padded(outputs), done = 0, width, start, r, o
    while done < lanes:
        width = product_width(lanes - done)
        product(width, rows, x, features, 1, packed + done * features, width, min(PART, features), sums,
                width, 0)
        start = PART
        while start < features:
            product(width, rows, x + start, features, 1, packed + done * features + start * width, width,
                    min(PART, features - start), part, width, 0)
            for o in range(rows * width):
                sums[o] += part[o]
            start += PART
        for r in range(rows):
            for o in range(min(width, outputs - done)):
                y[r * outputs + done + o] = sums[r * width + o] + bias[done + o]
        done += width


def weight_gradient(
    const float[:, ::1] x not None,     # in: (rows, features), features a multiple of LANES
    const float[:, ::1] dy not None,    # in: (rows, outputs)
    float[:, ::1] dw not None,          # inout: (outputs, features), added to
    float[::1] scratch not None,        # out: (scratch_floats(features, outputs, pixels),)
    Py_ssize_t pixels,                  # as for `forward`
    int threads,
):
    """Add the gradient of the loss with respect to W to dw."""
    cdef Py_ssize_t rows = x.shape[0], features = x.shape[1], outputs = dy.shape[1], blocks, i
    if rows == 0:
        return
    cdef const float *px = &x[0, 0]
    cdef const float *pdy = &dy[0, 0]
    cdef float *target = &dw[0, 0]
    cdef float *sums = &scratch[0] if pixels > 1 else target
    blocks = (features + MOST - 1) // MOST
    for i in prange(blocks, nogil=True, num_threads=threads, schedule="static"):
        sum_block(px, pdy, sums, rows, features, outputs, i * MOST, min(features, (i + 1) * MOST), pixels > 1)
    if pixels > 1:
        for i in prange(outputs, nogil=True, num_threads=threads, schedule="static"):
            add_by_channel(sums + i * features, target + i * features, features, pixels)


cdef void sum_block(const float *x, const float *dy, float *sums, Py_ssize_t rows, Py_ssize_t features,
                    Py_ssize_t outputs, Py_ssize_t first, Py_ssize_t end, bint fresh) noexcept nogil:
    """The features first .. end of all outputs; `fresh`: not added to what is there."""
    cdef Py_ssize_t width, start = 0
    while start < rows:
        width = first
        while width < end:
            product(product_width(end - width), outputs, dy + start * outputs, 1, outputs,
                    x + start * features + width, features, min(BAND, rows - start), sums + width, features,
                    start > 0 or not fresh)
            width += product_width(end - width)
        start += BAND


def input_gradient(
    const float[:, ::1] dy not None,    # in: (rows, outputs)
    const float[:, ::1] w not None,     # in: (outputs, features), features a multiple of LANES
    float[:, ::1] dx not None,          # out: (rows, features)
    float[::1] scratch not None,        # out: (scratch_floats(features, outputs, pixels),)
    Py_ssize_t pixels,                  # as for `forward`
    int threads,
):
    """dx = dy W."""
    cdef Py_ssize_t rows = dy.shape[0], features = w.shape[1], outputs = w.shape[0], i
    if rows == 0:
        return
    cdef const float *pdy = &dy[0, 0]
    cdef const float *pw = &w[0, 0]
    cdef float *pdx = &dx[0, 0]
    if pixels > 1:
        for i in range(outputs):
            by_pixel(pw + i * features, &scratch[i * features], features, pixels)
        pw = &scratch[0]
    for i in prange((rows + ROWS - 1) // ROWS, nogil=True, num_threads=threads, schedule="static"):
        gradient_rows(pdy + i * ROWS * outputs, pw, pdx + i * ROWS * features, min(ROWS, rows - i * ROWS),
                      features, outputs)


cdef void gradient_rows(const float *dy, const float *w, float *dx, Py_ssize_t rows, Py_ssize_t features,
                        Py_ssize_t outputs) noexcept nogil:
    cdef Py_ssize_t first = 0, width
    while first < features:
        width = product_width(features - first)
        product(width, rows, dy, outputs, 1, w + first, features, outputs, dx + first, features, 0)
        first += width
