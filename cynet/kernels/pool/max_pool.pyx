"""Max-pooling of NHWC images.

Design: forward keeps the number of each winner inside its window (row times kernel width plus column) as one
byte. Backward gathers: the gradient of a pixel is the sum, in the order of the windows, over those windows that
cover it and that it won. So each pixel is written once, and the order of additions is fixed.
"""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport team
from cynet.kernels.common.simd cimport store, vf8, vset8
from cynet.kernels.common.window cimport Window, end_cell, end_window, first_cell, first_window

cdef enum:
    NOBODY = 255  # the number of no cell: there are at most so many

MOST_CELLS = NOBODY  # of a window


cdef extern from "pool.h" nogil:
    const Py_ssize_t WIDE
    const bint PAIRS
    ctypedef struct best_eight:
        pass
    ctypedef float won_wide
    best_eight start_eight(const float *p, int cell, Py_ssize_t left)
    void beat_eight(best_eight *b, const float *p, int cell, Py_ssize_t left)
    void store_best_eight(best_eight b, float *y, unsigned char *winner, Py_ssize_t left)
    void window_wide(int k, const float *start, Py_ssize_t row, Py_ssize_t channels, const int *down,
                     const int *right, float *y, unsigned char *winner)
    void window_eight(int k, const float *start, Py_ssize_t row, Py_ssize_t channels, const int *down,
                      const int *right, float *y, unsigned char *winner)
    void windows(int k, bint keeps, Py_ssize_t count, Py_ssize_t step, const float *start, Py_ssize_t row, Py_ssize_t channels,
                 float *y, unsigned char *winner)
    won_wide add_won_wide(won_wide sum, const float *dy, const unsigned char *winner, int cell)
    vf8 add_won_eight(vf8 sum, const float *dy, const unsigned char *winner, int cell, Py_ssize_t left)
    won_wide add_won_pair(won_wide sum, const float *dy, const unsigned char *winner, int first, int second)
    won_wide nothing_won()
    void store_won_wide(float *p, won_wide v)


cdef inline void any_window(
    const float *start,                     # the window's first cell, which may lie outside the image
    float *y, unsigned char *winner, Py_ssize_t channels, Py_ssize_t in_w, Py_ssize_t kw,
    Py_ssize_t ky_first, Py_ssize_t ky_end, Py_ssize_t kx_first, Py_ssize_t kx_end, Py_ssize_t left,
) noexcept nogil:
    """Eight channels of one output, or the `left` that are there."""
    cdef const float *p = start + (ky_first * in_w + kx_first) * channels
    cdef best_eight eight = start_eight(p, <int>(ky_first * kw + kx_first), left)
    cdef Py_ssize_t ky, kx
    for ky in range(ky_first, ky_end):
        for kx in range(kx_first, kx_end):
            beat_eight(&eight, start + (ky * in_w + kx) * channels, <int>(ky * kw + kx), left)
    store_best_eight(eight, y, winner, left)


cdef inline void square_windows(
    int k, bint keeps, const float *image, float *y, unsigned char *winner, const Window *g, Py_ssize_t oy
) noexcept nogil:
    """A row of windows of k x k cells, for all channels but a rest of less than eight."""
    cdef Py_ssize_t top = oy * g.sh - g.top, n = g.channels, row = g.in_w * n, c, i, ox, x0, x1
    cdef Py_ssize_t y0 = first_cell(top), y1 = end_cell(top, k, g.in_h)
    cdef Py_ssize_t first = min((g.left + g.sw - 1) // g.sw, g.out_w), end = first
    cdef const float *start = image + (top * g.in_w - g.left) * n
    cdef int[3] down, right
    if y0 == 0 and y1 == k and g.in_w >= k:  # windows inside the image, without a look at each of their cells
        end = max(first, min(g.out_w, (g.in_w - k + g.left) // g.sw + 1))
        windows(k, keeps, end - first, g.sw * n, start + first * g.sw * n, row, n, y + first * n,
                winner + first * n if keeps else NULL)
    for i in range(k):
        down[i] = <int>min(max(i, y0), y1 - 1)
    ox = 0
    while ox < g.out_w:
        if ox == first:
            ox = end
            if ox == g.out_w:
                break
        x0, x1 = first_cell(ox * g.sw - g.left), end_cell(ox * g.sw - g.left, k, g.in_w)
        for i in range(k):
            right[i] = <int>min(max(i, x0), x1 - 1)
        c = 0
        while c + WIDE <= n:
            window_wide(k, start + ox * g.sw * n + c, row, n, down, right, y + ox * n + c,
                        winner + ox * n + c if keeps else NULL)
            c += WIDE
        while c + 8 <= n:
            window_eight(k, start + ox * g.sw * n + c, row, n, down, right, y + ox * n + c,
                         winner + ox * n + c if keeps else NULL)
            c += 8
        ox += 1


cdef void forward_row(
    const float *image, float *y, unsigned char *winner, const Window *g, Py_ssize_t oy
) noexcept nogil:
    """One row of outputs; winner NULL: it is not noted who won."""
    cdef Py_ssize_t top = oy * g.sh - g.top, left, ox, c, done = 0, n = g.channels
    cdef Py_ssize_t y0 = first_cell(top), y1 = end_cell(top, g.kh, g.in_h)
    if n >= 8 and g.kh == g.kw and 2 <= g.kw <= 3:  # a constant size lets the compiler unroll
        if g.kw == 3 and winner != NULL:
            square_windows(3, True, image, y, winner, g, oy)
        elif g.kw == 3:
            square_windows(3, False, image, y, NULL, g, oy)
        elif winner != NULL:
            square_windows(2, True, image, y, winner, g, oy)
        else:
            square_windows(2, False, image, y, NULL, g, oy)
        done = n // 8 * 8
        if done == n:
            return
    for ox in range(g.out_w):
        left = ox * g.sw - g.left
        for c in range(done, n, 8):
            any_window(image + (top * g.in_w + left) * n + c, y + ox * n + c, winner + ox * n + c if winner else NULL, n, g.in_w,
                       g.kw, y0, y1, first_cell(left), end_cell(left, g.kw, g.in_w), n - c)


cdef inline void one_pixel(
    const float *dy, const unsigned char *winner, float *dx, Py_ssize_t channels,
    Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t out_w, int cell, int down, int right,
) noexcept nogil:
    """Gather one pixel's gradient from the rows x columns windows that cover it.

    `cell` is the pixel's number in the first of them; it falls by `down` and by `right` to the next ones.
    """
    cdef Py_ssize_t c = 0, oy, ox, at
    cdef won_wide wide
    cdef vf8 eight
    while c < channels:
        if channels - c >= WIDE:
            wide = nothing_won()
            for oy in range(rows):
                for ox in range(columns):
                    at = (oy * out_w + ox) * channels + c
                    wide = add_won_wide(wide, dy + at, winner + at, cell - <int>oy * down - <int>ox * right)
            store_won_wide(dx + c, wide)
            c += WIDE
        else:
            eight = vset8(0)
            for oy in range(rows):
                for ox in range(columns):
                    at = (oy * out_w + ox) * channels + c
                    eight = add_won_eight(
                        eight, dy + at, winner + at, cell - <int>oy * down - <int>ox * right, channels - c
                    )
            store(dx + c, eight, channels - c)
            c += 8


cdef inline void pixel_pairs(
    const float *dy, const unsigned char *winner, float *dx, Py_ssize_t channels, Py_ssize_t pairs,
    Py_ssize_t rows, Py_ssize_t kw, Py_ssize_t out_w, int cell,
) noexcept nogil:
    """The pixels that windows 2 or 3 wide with stride 2 share, two and two: of column 0 and of column 1 of a window.

    `dy` and `winner` stand at the first of these windows, `cell` is the number of its column 0; three wide, the
    window before it covers column 0 too. A row further down the number is less by 2 * kw.
    """
    cdef Py_ssize_t pair, c, oy, at
    cdef int number
    cdef won_wide even, odd
    cdef vf8 even8, odd8
    for pair in range(pairs):
        c = 0
        while c + WIDE <= channels:
            even, odd = nothing_won(), nothing_won()
            for oy in range(rows):
                at, number = oy * out_w * channels + c, cell - <int>(2 * kw * oy)
                if kw == 3:
                    even = add_won_wide(even, dy + at - channels, winner + at - channels, number + 2)
                even = add_won_wide(even, dy + at, winner + at, number)
                odd = add_won_wide(odd, dy + at, winner + at, number + 1)
            store_won_wide(dx + c, even)
            store_won_wide(dx + channels + c, odd)
            c += WIDE
        if PAIRS and channels == 8:
            even = nothing_won()
            for oy in range(rows):
                at, number = oy * out_w * channels, cell - <int>(2 * kw * oy)
                if kw == 3:
                    even = add_won_pair(even, dy + at - channels, winner + at - channels, number + 2, NOBODY)
                even = add_won_pair(even, dy + at, winner + at, number, number + 1)
            store_won_wide(dx, even)
            c = channels
        while c < channels:
            even8, odd8 = vset8(0), vset8(0)
            for oy in range(rows):
                at, number = oy * out_w * channels + c, cell - <int>(2 * kw * oy)
                if kw == 3:
                    even8 = add_won_eight(
                        even8, dy + at - channels, winner + at - channels, number + 2, channels - c
                    )
                even8 = add_won_eight(even8, dy + at, winner + at, number, channels - c)
                odd8 = add_won_eight(odd8, dy + at, winner + at, number + 1, channels - c)
            store(dx + c, even8, channels - c)
            store(dx + channels + c, odd8, channels - c)
            c += 8
        dy += channels
        winner += channels
        dx += 2 * channels


cdef void backward_row(
    const float *dy, const unsigned char *winner, float *dx, const Window *g, Py_ssize_t iy
) noexcept nogil:
    """One row of input gradients."""
    cdef Py_ssize_t row = iy + g.top, n = g.channels, first, end, window, ix
    cdef Py_ssize_t y0 = first_window(row, g.kh, g.sh), y1 = end_window(row, g.sh, g.out_h)
    cdef int cell = <int>((row - y0 * g.sh) * g.kw), before, own
    dy, winner = dy + y0 * g.out_w * n, winner + y0 * g.out_w * n
    if g.sw != 2 or g.sh != 2 or g.kw < 2 or g.kw > 3 or y1 - y0 < 1 or y1 - y0 > 2:
        pixels(dy, winner, dx, g, cell, y1 - y0)
        return
    first = (g.left + 1) // 2 + (g.kw == 3 and g.left == 0)  # the first window with all that a pair needs
    end = max(first, min(g.out_w, (g.in_w + g.left) // 2))
    dx -= g.left * n
    if g.kw == 3 and y1 - y0 == 1:
        pixel_pairs(dy + first * n, winner + first * n, dx + 2 * first * n, n, end - first, 1, 3, g.out_w, cell)
    elif g.kw == 3:
        pixel_pairs(dy + first * n, winner + first * n, dx + 2 * first * n, n, end - first, 2, 3, g.out_w, cell)
    else:
        pixel_pairs(dy + first * n, winner + first * n, dx + 2 * first * n, n, end - first, y1 - y0, 2, g.out_w,
                    cell)
    window = 0 if first else end  # where the window before, the pair's own, or one of its pixels may be missing
    while 2 * window < g.in_w + g.left:
        ix, before, own = 2 * window - g.left, g.kw == 3 and 1 <= window <= g.out_w, window < g.out_w
        if ix >= 0:
            one_pixel(dy + (window - before) * n, winner + (window - before) * n, dx + 2 * window * n, n, y1 - y0,
                      before + own, g.out_w, cell + 2 * before, 2 * <int>g.kw, 2)
        if -1 <= ix < g.in_w - 1:
            one_pixel(dy + window * n, winner + window * n, dx + (2 * window + 1) * n, n, y1 - y0, own, g.out_w,
                      cell + 1, 2 * <int>g.kw, 2)
        window = end if window == first - 1 else window + 1


cdef void pixels(
    const float *dy, const unsigned char *winner, float *dx, const Window *g, int cell, Py_ssize_t rows,
) noexcept nogil:
    """A row of pixels that `rows` rows of windows cover; `cell` is the number of column 0 in the first of them."""
    cdef Py_ssize_t column, ix, x0, x1, n = g.channels
    cdef int down = <int>(g.sh * g.kw), right = <int>g.sw
    for ix in range(g.in_w):
        column = ix + g.left
        x0, x1 = first_window(column, g.kw, g.sw), end_window(column, g.sw, g.out_w)
        one_pixel(dy + x0 * n, winner + x0 * n, dx + ix * n, n, rows, x1 - x0, g.out_w,
                  cell + <int>(column - x0 * g.sw), down, right)


def max_pool(
    const float[:, :, :, ::1] x not None,           # in: (N, H, W, C)
    float[:, :, :, ::1] y not None,                 # out: (N, out height, out width, C)
    unsigned char[:, :, :, ::1] winner not None,    # out: shape of y
    Py_ssize_t kernel_h,                            # kernel_h * kernel_w at most MOST_CELLS
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,                                 # padding before, less than the kernel
    Py_ssize_t left,
    int threads,
):
    """y = the greatest of each window; padding counts as -Inf, NaN as greater than all, first of equals wins."""
    run(x, y, winner, kernel_h, kernel_w, stride_h, stride_w, top, left, threads)


cdef int run(const float[:, :, :, ::1] x, float[:, :, :, ::1] y, unsigned char[:, :, :, ::1] winner,
             Py_ssize_t kernel_h, Py_ssize_t kernel_w, Py_ssize_t stride_h, Py_ssize_t stride_w,
             Py_ssize_t top, Py_ssize_t left, int threads) except -1:
    cdef Window g = Window(
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], x.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Py_ssize_t image = g.in_h * g.in_w * g.channels, row = g.out_w * g.channels
    cdef Py_ssize_t rows = x.shape[0] * g.out_h, i
    cdef const float *px
    cdef float *py
    cdef unsigned char *pw = NULL
    if rows * row == 0:
        return 0
    px, py = &x[0, 0, 0, 0], &y[0, 0, 0, 0]
    if winner is not None:
        pw = &winner[0, 0, 0, 0]
    if team(rows * row, threads) == 1:
        for i in range(rows):
            forward_row(px + i // g.out_h * image, py + i * row, pw + i * row if pw else NULL, &g, i % g.out_h)
        return 0
    for i in prange(rows, nogil=True, num_threads=threads, schedule="static"):
        forward_row(px + i // g.out_h * image, py + i * row, pw + i * row if pw else NULL, &g, i % g.out_h)


cdef class PoolPass:
    """`max_pool` into an array that stays, without winners; called with x."""

    cdef float[:, :, :, ::1] y
    cdef Py_ssize_t[6] window
    cdef int threads

    def __init__(self, float[:, :, :, ::1] y not None, window, int threads):
        self.y, self.threads = y, threads
        for i in range(6):
            self.window[i] = window[i]

    def __call__(self, const float[:, :, :, ::1] x not None):
        run(x, self.y, None, self.window[0], self.window[1], self.window[2], self.window[3],
            self.window[4], self.window[5], self.threads)


def max_pool_backward(
    const float[:, :, :, ::1] dy not None,              # in: (N, out height, out width, C)
    const unsigned char[:, :, :, ::1] winner not None,  # in: what the forward pass wrote
    float[:, :, :, ::1] dx not None,                    # out: (N, H, W, C)
    Py_ssize_t kernel_h,
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,
    Py_ssize_t left,
    int threads,
):
    """dx = the sum of dy over the windows that the pixel won."""
    cdef Window g = Window(
        dx.shape[1], dx.shape[2], dy.shape[1], dy.shape[2], dx.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Py_ssize_t image = g.out_h * g.out_w * g.channels, row = g.in_w * g.channels
    cdef Py_ssize_t rows = dx.shape[0] * g.in_h, i
    cdef const float *pdy
    cdef const unsigned char *pw
    cdef float *pdx
    if rows * row == 0:
        return
    pdy, pw, pdx = &dy[0, 0, 0, 0], &winner[0, 0, 0, 0], &dx[0, 0, 0, 0]
    for i in prange(rows, nogil=True, num_threads=team(rows * row, threads), schedule="static"):
        backward_row(
            pdy + i // g.in_h * image, pw + i // g.in_h * image, pdx + i * row, &g, i % g.in_h
        )
