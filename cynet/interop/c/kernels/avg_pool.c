/* The sum of each window, divided by its count: that of its row of windows by that of its column. */
static void avg_pool(const struct windows *w, const float *high, const float *wide, const float *restrict x, float *restrict y)
{
    const int channels = w->channels;
    for (int row = 0; row < w->out_height; row++)
        for (int column = 0; column < w->out_width; column++, y += channels) {
            const float share = 1.0f / (high[row] * wide[column]);
            memset(y, 0, (size_t)channels * sizeof(float));
            for (int i = 0; i < w->down; i++)
                for (int j = 0; j < w->across; j++) {
                    const int from = w->rows[row * w->down + i], place_across = column_of(w, column, j);
                    if (from < 0 || place_across < 0)
                        continue;
                    const float *const pixel = x + (from * w->width + place_across) * channels;
                    for (int c = 0; c < channels; c++)
                        y[c] += pixel[c];
                }
            for (int c = 0; c < channels; c++)
                y[c] *= share;
        }
}
