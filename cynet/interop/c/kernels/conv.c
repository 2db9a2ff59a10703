/* Convolution. Weights lie in panels of sixteen outputs, for each number of a window sixteen in a row; the last
 * panel is as narrow as a multiple of four can be. Six pixels of the output are computed at once, from the input as
 * it lies where it holds all that their windows see, or else from copies of the windows. */
struct conv {
    struct windows windows;
    int groups, inputs, outputs;  /* the last two of a group */
    int top, bottom, left, right; /* outputs whose windows are read where they lie, from the first to behind the last */
    int pixel, line;              /* there: numbers from window to window, and from row to row of a window */
    const float *weight, *bias;
    float low, high; /* what outputs are bounded by */
};

static int lies(const struct conv *c, int first, int count)
{
    const int row = first / c->windows.out_width, column = first % c->windows.out_width;
    return count == PIXELS && row >= c->top && row < c->bottom && column >= c->left && column + PIXELS <= c->right;
}

static struct sight seen(const struct conv *c, const float *x, int first, int group, int count, float *copies)
{
    const struct windows *const w = &c->windows;
    const int size = w->down * w->across * c->inputs;
    const struct sight copied = {copies, size, 1, 0, size};
    if (lies(c, first, count)) {
        const int row = w->rows[first / w->out_width * w->down], column = column_of(w, first % w->out_width, 0);
        const float *const first_pixel = x + (row * w->width + column) * w->channels + group * c->inputs;
        const struct sight inside = {first_pixel, c->pixel, w->down, c->line, w->across * c->inputs};
        return inside;
    }
    for (int r = 0; r < PIXELS; r++, copies += size)
        patch(w, x + group * c->inputs, c->inputs, first + (r < count ? r : count - 1), copies);
    return copied;
}

static void conv(const struct conv *c, const float *x, const float *more, float *y, float *copies)
{
    const struct windows *const w = &c->windows;
    const int pixels = w->out_height * w->out_width, size = w->down * w->across * c->inputs;
    const int padded = (c->outputs + 3) / 4 * 4, channels = c->groups * c->outputs;
    float sums[PIXELS * PANEL];
    for (int group = 0; group < c->groups; group++)
        for (int first = 0; first < pixels; first += PIXELS) {
            const int count = pixels - first < PIXELS ? pixels - first : PIXELS;
            const struct sight sight = seen(c, x, first, group, count, copies);
            for (int out = 0; out < padded; out += PANEL) {
                const int width = padded - out < PANEL ? padded - out : PANEL;
                const int outputs = c->outputs - out < PANEL ? c->outputs - out : PANEL;
                const int of = group * padded + out;
                panel(&sight, c->weight + of * size, width, c->bias + of, sums);
                for (int r = 0; r < count; r++)
                    for (int v = 0; v < outputs; v++) {
                        const int to = (first + r) * channels + group * c->outputs + out + v;
                        const float sum = sums[r * PANEL + v];
                        y[to] = bounded(more ? sum + more[to] : sum, c->low, c->high);
                    }
            }
        }
}
