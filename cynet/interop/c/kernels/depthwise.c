/* Convolution of each channel by itself. */
struct depthwise {
    struct windows windows;
    const float *weight, *bias; /* weights of each place in a window: one for each channel */
    float low, high;
};

static void depthwise(const struct depthwise *d, const float *restrict x, float *restrict y)
{
    const struct windows *const w = &d->windows;
    const int channels = w->channels;
    for (int row = 0; row < w->out_height; row++)
        for (int column = 0; column < w->out_width; column++, y += channels) {
            const float *weight = d->weight;
            memcpy(y, d->bias, (size_t)channels * sizeof(float));
            for (int i = 0; i < w->down; i++)
                for (int j = 0; j < w->across; j++, weight += channels) {
                    const int from = w->rows[row * w->down + i], place_across = column_of(w, column, j);
                    if (from < 0 || place_across < 0)
                        continue;
                    const float *const pixel = x + (from * w->width + place_across) * channels;
                    for (int c = 0; c < channels; c++)
                        y[c] += pixel[c] * weight[c];
                }
            for (int c = 0; c < channels; c++)
                y[c] = bounded(y[c], d->low, d->high);
        }
}
